create table orders (
    order_id blob primary key,
    stage text not null,
    requested text,
    cause text,
    stock_settled boolean not null,
    money_settled boolean not null,
    ended text,
    needs_attention boolean not null,
    total_minor integer not null,
    currency text not null,
    items text not null,
    email text,
    address text,
    trace_id text,
    placed_at integer not null,
    last_seq integer not null
) without rowid;

-- Every event of an order, in the order in which they were seen here.
create table timeline (
    event_id blob primary key,
    order_id blob not null,
    seq integer not null,
    event text not null,
    service text not null,
    at integer not null
) without rowid;
create unique index timeline_order on timeline (order_id, seq);

-- The price list, as inventory's events say.
create table product (
    sku text primary key,
    name text not null,
    price_minor integer not null,
    currency text not null,
    version integer not null
) without rowid;
