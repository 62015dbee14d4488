create table rally (
    rally_id blob primary key,
    state text not null,
    returns integer not null
) without rowid;
