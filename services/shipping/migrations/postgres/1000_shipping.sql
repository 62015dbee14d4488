-- Room in each page for the row's next version, so that updates stay on it (HOT). No statistics:
-- no plan asks for them.
create table shipment (
    order_id uuid primary key,
    state text not null,
    address text,
    items text,
    tracking text,
    reason text
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);
