-- Room in each page for the row's next version, so that updates stay on it (HOT). No statistics:
-- no plan asks for them.
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
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);
