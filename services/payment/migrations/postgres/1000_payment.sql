-- Room in each page for the row's next version, so that updates stay on it (HOT).
create table payment (
    order_id uuid primary key,
    state text not null,
    amount_minor bigint,
    currency text,
    token text,
    charge text,
    refund text,
    refund_attempts bigint not null,
    reason text
) with (fillfactor = 50);
