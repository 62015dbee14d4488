create table purchase (
    order_id blob primary key,
    state text not null,
    email text,
    points integer not null
) without rowid;

create table account (
    email text primary key,
    points integer not null
) without rowid;
