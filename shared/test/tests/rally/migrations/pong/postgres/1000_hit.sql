create table hit (
    rally_id uuid primary key,
    state text not null
);
