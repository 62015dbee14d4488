create table hit (
    rally_id blob primary key,
    state text not null
) without rowid;
