create table ticket (
    ticket_id uuid primary key,
    state text not null,
    show text not null,
    budget bigint not null
);
