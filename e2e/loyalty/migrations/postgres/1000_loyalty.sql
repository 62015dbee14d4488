-- Room in each page for the row's next version, so that updates stay on it (HOT). No statistics:
-- no plan asks for them.
create table purchase (
    order_id uuid primary key,
    state text not null,
    customer uuid,
    points bigint not null
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);

create table account (
    customer uuid primary key,
    points bigint not null
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);
