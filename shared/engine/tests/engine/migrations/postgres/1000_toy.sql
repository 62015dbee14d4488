-- Whose row is missing, lets every commit fail that writes a tally.
create table gate (
    id bigint primary key
);
insert into gate values (1);

create table tally (
    tally_id uuid primary key,
    count bigint not null check (count >= 0),
    log text not null,
    gate bigint not null default 1 references gate (id) deferrable initially deferred
);
