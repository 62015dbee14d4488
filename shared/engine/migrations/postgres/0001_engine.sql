-- What the engine keeps beside a service's own tables. Times are microseconds since the epoch.
-- Of the busy tables no statistics are gathered: no plan asks for them.

-- Every event and command that was applied, in the same transaction as what it changed, and when it
-- last came. No time: from a compacted topic, which may bring it again at any time.
create table inbox (
    id uuid primary key,
    at bigint
) with (autovacuum_analyze_threshold = 2147483647);

-- Where the topics ended at a time, as JSON: [[topic, partition, offset], …]. Once all of that has
-- been deleted there, what came before that time cannot come again.
create table inbox_mark (
    at bigint primary key,
    ends text not null
);

-- The partitions in which the consumer group has had an offset: a broker forgets the offsets of a group
-- that is away for long, and of a topic that is deleted.
create table place (
    topic text not null,
    partition bigint not null,
    primary key (topic, partition)
);

-- The first successful answer under each Idempotency-Key.
create table idempotency_key (
    key text primary key,
    hash bytea not null,
    reply text not null,
    created_at bigint not null
) with (autovacuum_analyze_threshold = 2147483647);

-- Requests to the outside world that have no definite answer yet. Nobody else may take a row
-- before due_at: a claim moves it on by the claim's length, a failed attempt by the back-off. held_at is the time
-- since when it waits for an operator; resolution is the outcome that the operator found at the provider, as JSON.
create table effect (
    id uuid primary key,
    aggregate_id uuid not null,
    payload text not null,
    traceparent text,
    tracestate text,
    attempts bigint not null,
    due_at bigint not null,
    last_error text,
    held_at bigint,
    resolution text,
    created_at bigint not null
) with (autovacuum_analyze_threshold = 2147483647);
create index effect_due on effect (due_at);

-- Deadlines that have not fired. One rings at rings_at; due_at is moved on by claims, as above.
create table alarm (
    id uuid primary key,
    aggregate_id uuid not null,
    name text not null,
    traceparent text,
    tracestate text,
    rings_at bigint not null,
    due_at bigint not null
) with (autovacuum_analyze_threshold = 2147483647);
create index alarm_due on alarm (due_at);

-- Events that the broker has not acknowledged yet: a row for each batch, oldest id first, found by its
-- first event. As JSON: [{"id", "topic", "key", "headers": [[name, value], …], "value"}, …]
create table outbox (
    id bigint generated always as identity primary key,
    first_event uuid not null,
    event_count bigint not null,
    created_at bigint not null,
    events text not null
) with (autovacuum_analyze_threshold = 2147483647);
create index outbox_first_event on outbox (first_event);
-- Compressing it would take longer than writing it.
alter table outbox alter column events set storage external;

-- The same, a row for each event.
create view outbox_event as
select outbox.id as id, place, (event ->> 'id')::uuid as event_id, event ->> 'topic' as topic, event ->> 'key' as key,
    event -> 'headers' as headers, event -> 'value' as value, created_at
from outbox, json_array_elements(events::json) with ordinality as listed (event, place);

-- Who may send from a shared outbox, and the fencing token of its turn.
create table lease (
    name text primary key,
    holder uuid not null,
    token bigint not null,
    expires_at bigint not null
);
