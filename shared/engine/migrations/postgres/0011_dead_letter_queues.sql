-- Version 2 called a dead-letter queue a lane, and kept the queues in the table parked.
--
-- dead_letter_queue has a row for each queue that has dead letters: the aggregate of this id is parked since parked_at.
-- A record that names no aggregate has a queue to itself, with the id of its dead letter. A transaction that adds to a
-- queue or takes from it locks this row. An operator who asks for a replay sets due_at to now, and a replica that
-- claims the replay moves due_at on. Without such a request, due_at is null.
alter table parked rename to dead_letter_queue;
alter table dead_letter_queue rename column since to parked_at;
alter index parked_pkey rename to dead_letter_queue_pkey;

-- During an upgrade, replicas of the version before still ask here whether any aggregate is parked.
create view parked as select id, parked_at as since, due_at from dead_letter_queue;

-- Within a queue, seq rises in the order of arrival. This table comes second because other transactions lock the two
-- in the same order.
alter table dead_letter rename column lane to queue_id;
alter index dead_letter_lane rename to dead_letter_queue_order;

-- The record's offset in its partition.
alter table dead_letter rename column place to record_offset;
