-- What the engine keeps beside a service's own tables. Times are microseconds since the epoch.

-- Every event and command that was applied, in the same transaction as what it changed, and when it
-- last came. No time: from a compacted topic, which may bring it again at any time.
create table inbox (
    id blob primary key,
    at integer
) without rowid;

-- Where the topics ended at a time, as JSON: [[topic, partition, offset], …]. Once all of that has
-- been deleted there, what came before that time cannot come again.
create table inbox_mark (
    at integer primary key,
    ends text not null
) without rowid;

-- The partitions in which the consumer group has had an offset: a broker forgets the offsets of a group
-- that is away for long, and of a topic that is deleted.
create table place (
    topic text not null,
    partition integer not null,
    primary key (topic, partition)
) without rowid;

-- The first successful answer under each Idempotency-Key.
create table idempotency_key (
    key text primary key,
    hash blob not null,
    reply text not null,
    created_at integer not null
) without rowid;

-- Requests to the outside world that have no definite answer yet. Nobody else may take a row
-- before due_at: a claim moves it on by the claim's length, a failed attempt by the back-off. held_at is the time
-- since when it waits for an operator; resolution is the outcome that the operator found at the provider, as JSON.
create table effect (
    id blob primary key,
    aggregate_id blob not null,
    payload text not null,
    traceparent text,
    tracestate text,
    attempts integer not null,
    due_at integer not null,
    last_error text,
    held_at integer,
    resolution text,
    created_at integer not null
) without rowid;
create index effect_due on effect (due_at);

-- Deadlines that have not fired. One rings at rings_at; due_at is moved on by claims, as above.
create table alarm (
    id blob primary key,
    aggregate_id blob not null,
    name text not null,
    traceparent text,
    tracestate text,
    rings_at integer not null,
    due_at integer not null
) without rowid;
create index alarm_due on alarm (due_at);

-- Events that the broker has not acknowledged yet: a row for each batch, oldest id first, found by its
-- first event. As JSON: [{"id", "topic", "key", "headers": [[name, value], …], "value"}, …]
create table outbox (
    id integer primary key,
    first_event blob not null,
    event_count integer not null,
    created_at integer not null,
    events text not null
);
create index outbox_first_event on outbox (first_event);

-- The same, a row for each event.
create view outbox_event as
select outbox.id as id, listed.key as place, unhex(value ->> 'id', '-') as event_id, value ->> 'topic' as topic,
    value ->> 'key' as key, value -> 'headers' as headers, value -> 'value' as value, created_at
from outbox, json_each(outbox.events) as listed;

-- Who may send from a shared outbox, and the fencing token of its turn.
create table lease (
    name text primary key,
    holder blob not null,
    token integer not null,
    expires_at integer not null
) without rowid;
