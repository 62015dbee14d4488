create table ticket (
    ticket_id blob primary key,
    state text not null,
    barcode text
) without rowid;
