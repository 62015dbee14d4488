create table reservation (
    trip_id uuid primary key,
    state text not null,
    reference text,
    releases bigint not null
);
