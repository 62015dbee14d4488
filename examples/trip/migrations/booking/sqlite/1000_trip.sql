create table trip (
    trip_id blob primary key,
    state text not null,
    flight text not null,
    hotel text not null,
    reason text,
    traveller text not null,
    destination text not null,
    nights integer not null
) without rowid;
