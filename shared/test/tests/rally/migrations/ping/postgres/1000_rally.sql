create table rally (
    rally_id uuid primary key,
    state text not null,
    returns bigint not null
);
