-- Version 2 called a dead-letter queue a lane, and kept the queues in the table parked.
--
-- dead_letter_queue has a row for each queue that has dead letters: the aggregate of this id is parked since parked_at.
-- A record that names no aggregate has a queue to itself, with the id of its dead letter. A transaction that adds to a
-- queue or takes from it locks this row. An operator who asks for a replay sets due_at to now, and a replica that
-- claims the replay moves due_at on. Without such a request, due_at is null.
alter table parked rename to dead_letter_queue;
alter table dead_letter_queue rename column since to parked_at;

-- Within a queue, seq rises in the order of arrival.
alter table dead_letter rename column lane to queue_id;
drop index dead_letter_lane;
create index dead_letter_queue_order on dead_letter (queue_id, seq);

-- The record's offset in its partition.
alter table dead_letter rename column place to record_offset;
