create table shipment (
    order_id blob primary key,
    state text not null,
    address text,
    items text,
    tracking text,
    reason text
) without rowid;
