-- Whose row is missing, lets every commit fail that writes a tally.
create table gate (
    id integer primary key
);
insert into gate values (1);

create table tally (
    tally_id blob primary key,
    count integer not null check (count >= 0),
    log text not null,
    gate integer not null default 1 references gate (id) deferrable initially deferred
) without rowid;
