-- What could not be applied, and what came after it of the same aggregate. A lane is an aggregate's id; of a record
-- that names no aggregate, the letter's own. Within a lane seq rises as they came.
create table dead_letter (
    seq integer primary key,
    id blob not null unique,
    lane blob not null,
    aggregate_id blob,
    cause text not null,
    summary text not null,
    errors text not null,
    event_type text,
    topic text not null,
    partition integer not null,
    place integer not null,
    key blob not null,
    headers text not null,
    value blob not null,
    attempts integer not null,
    first_at integer not null,
    last_at integer not null
);
create index dead_letter_lane on dead_letter (lane, seq);

-- A row for each lane that has letters: whoever adds to a lane or takes from it locks it here. An operator's
-- wish to replay it sets due_at; a claim moves that on, and no time means that nobody asked.
create table parked (
    id blob primary key,
    since integer not null,
    due_at integer
) without rowid;

-- Why an answer, or a deadline, cannot be applied: it is tried again now and then.
alter table effect add column refused text;
alter table alarm add column refused text;
