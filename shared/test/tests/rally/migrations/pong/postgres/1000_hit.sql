create table hit (
    id uuid primary key,
    state text not null
);
