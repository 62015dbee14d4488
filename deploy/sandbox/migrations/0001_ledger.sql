-- One row per kind of request and idempotency key: what was asked first, and the answer that it keeps.
create table entry (
    id              integer primary key,
    kind            text    not null, -- charge | refund | booking
    idempotency_key text    not null,
    order_id        text    not null,
    request         text    not null, -- as first sent: the same key with another body is refused
    amount_minor    integer,
    currency        text,
    status          text    not null, -- captured | declined | refunded | refused | booked
    reason          text,
    reference       text,
    requests        integer not null, -- how often it was asked for
    refunded_minor  integer not null, -- charges: how much of it went back
    refusals_due    integer not null, -- charges: how many refund keys are still to be refused
    unique (kind, idempotency_key)
) strict;

create index entry_by_order on entry (kind, order_id);
create unique index charge_by_reference on entry (reference) where kind = 'charge' and reference is not null;

-- `tok_flaky`: how often a key was turned away before anything happened.
create table turned_away (
    idempotency_key text primary key,
    times           integer not null
) strict, without rowid;

create table mail (
    id         integer primary key,
    message_id text    not null unique,
    order_id   text    not null, -- '' for a mail that names none
    recipient  text    not null,
    subject    text    not null,
    copies     integer not null
) strict;

create index mail_by_order on mail (order_id);

create table knobs (
    id    integer primary key check (id = 1),
    value text    not null
) strict;
