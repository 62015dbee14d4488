-- Room in each page for the row's next version, so that updates stay on it (HOT).
create table purchase (
    order_id uuid primary key,
    state text not null,
    email text,
    points bigint not null
) with (fillfactor = 50);

create table account (
    email text collate "C" primary key,
    points bigint not null
) with (fillfactor = 50);
