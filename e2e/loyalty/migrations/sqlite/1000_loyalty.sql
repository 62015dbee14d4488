create table purchase (
    order_id blob primary key,
    state text not null,
    customer blob,
    points integer not null
) without rowid;

create table account (
    customer blob primary key,
    points integer not null
) without rowid;
