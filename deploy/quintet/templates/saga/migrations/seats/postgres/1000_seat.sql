create table seat (
    ticket_id uuid primary key,
    state text not null,
    price bigint not null
);
