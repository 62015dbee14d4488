create table reservation (
    trip_id blob primary key,
    state text not null,
    reference text,
    releases integer not null
) without rowid;
