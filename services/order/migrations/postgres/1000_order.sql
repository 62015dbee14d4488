-- Room in each page for the row's next version, so that updates stay on it (HOT). No statistics:
-- no plan asks for them.
create table orders (
    order_id uuid primary key,
    stage text not null,
    requested text,
    cause text,
    stock_settled boolean not null,
    money_settled boolean not null,
    ended text,
    needs_attention boolean not null,
    timeline text not null,
    customer uuid,
    total_minor bigint not null,
    currency text not null,
    items text not null,
    email text,
    address text,
    trace_id text,
    placed_at bigint not null
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);

-- The few that a person has to look at: /metrics counts them each time.
create index orders_attention on orders (order_id) where needs_attention;

-- For lists by status: the few that are under way, among which the status is looked for, and those that have ended. Both
-- change when an order is placed and when it ends, not with each step between.
create index orders_open on orders (order_id) where ended is null;
create index orders_ended on orders (ended, order_id) where ended is not null;

-- The price list, as inventory's events say.
create table product (
    sku text collate "C" primary key,
    name text not null,
    price_minor bigint not null,
    currency text not null,
    version bigint not null
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);

-- How many open orders each customer has, by a hash of the e-mail address. A row goes with the last of them.
create table customer (
    customer_id uuid primary key,
    open_orders bigint not null
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);
