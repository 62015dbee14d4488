create table orders (
    order_id blob primary key,
    stage text not null,
    requested text,
    cause text,
    stock_settled boolean not null,
    money_settled boolean not null,
    ended text,
    needs_attention boolean not null,
    timeline text not null,
    customer blob,
    total_minor integer not null,
    currency text not null,
    items text not null,
    email text,
    address text,
    trace_id text,
    placed_at integer not null
) without rowid;

-- The few that a person has to look at: /metrics counts them each time.
create index orders_attention on orders (order_id) where needs_attention;

-- For lists by status: the few that are under way, among which the status is looked for, and those that have ended. Both
-- change when an order is placed and when it ends, not with each step between.
create index orders_open on orders (order_id) where ended is null;
create index orders_ended on orders (ended, order_id) where ended is not null;

-- The price list, as inventory's events say.
create table product (
    sku text primary key,
    name text not null,
    price_minor integer not null,
    currency text not null,
    version integer not null
) without rowid;

-- How many open orders each customer has, by a hash of the e-mail address. A row goes with the last of them.
create table customer (
    customer_id blob primary key,
    open_orders integer not null
) without rowid;
