create table reservation (
    order_id blob primary key,
    state text not null,
    items text not null
) without rowid;

create table product (
    sku text primary key,
    name text not null,
    price_minor integer not null,
    currency text not null,
    version integer not null,
    stocked integer not null,
    on_hand integer not null check (on_hand >= 0),
    reserved integer not null check (reserved >= 0),
    shipped integer not null check (shipped >= 0)
) without rowid;
