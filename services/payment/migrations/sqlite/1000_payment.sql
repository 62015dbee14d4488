create table payment (
    order_id blob primary key,
    state text not null,
    amount_minor integer,
    currency text,
    token text,
    charge text,
    refund text,
    refund_attempts integer not null,
    reason text
) without rowid;
