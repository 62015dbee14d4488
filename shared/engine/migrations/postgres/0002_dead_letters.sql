-- What could not be applied, and what came after it of the same aggregate. A lane is an aggregate's id; of a record
-- that names no aggregate, the letter's own. Within a lane seq rises as they came.
create table dead_letter (
    id uuid primary key,
    lane uuid not null,
    seq bigint generated always as identity,
    aggregate_id uuid,
    cause text not null,
    summary text not null,
    errors text not null,
    event_type text,
    topic text not null,
    partition bigint not null,
    place bigint not null,
    key bytea not null,
    headers text not null,
    value bytea not null,
    attempts bigint not null,
    first_at bigint not null,
    last_at bigint not null
);
create index dead_letter_lane on dead_letter (lane, seq);

-- A row for each lane that has letters: whoever adds to a lane or takes from it locks it here. An operator's
-- wish to replay it sets due_at; a claim moves that on, and no time means that nobody asked.
create table parked (
    id uuid primary key,
    since bigint not null,
    due_at bigint
);

-- Why an answer, or a deadline, cannot be applied: it is tried again now and then.
alter table effect add column refused text;
alter table alarm add column refused text;
