create table seat (
    ticket_id blob primary key,
    state text not null,
    price integer not null
) without rowid;
