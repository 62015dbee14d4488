create table hit (
    id blob primary key,
    state text not null
) without rowid;
