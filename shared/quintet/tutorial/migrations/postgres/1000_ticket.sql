create table ticket (
    ticket_id uuid primary key,
    state text not null,
    barcode text
);
