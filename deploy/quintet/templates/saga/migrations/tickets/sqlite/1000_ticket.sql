create table ticket (
    ticket_id blob primary key,
    state text not null,
    show text not null,
    budget integer not null
) without rowid;
