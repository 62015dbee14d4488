create table rally (
    id uuid primary key,
    state text not null,
    returns bigint not null
);
