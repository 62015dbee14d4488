create table rally (
    id blob primary key,
    state text not null,
    returns integer not null
) without rowid;
