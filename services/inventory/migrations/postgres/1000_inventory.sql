-- Room in each page for the row's next version, so that updates stay on it (HOT). No statistics:
-- no plan asks for them.
create table reservation (
    order_id uuid primary key,
    state text not null,
    items text not null
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);

create table product (
    sku text collate "C" primary key,
    name text not null,
    price_minor bigint not null,
    currency text not null,
    version bigint not null,
    stocked bigint not null,
    on_hand bigint not null check (on_hand >= 0),
    reserved bigint not null check (reserved >= 0),
    shipped bigint not null check (shipped >= 0)
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);
