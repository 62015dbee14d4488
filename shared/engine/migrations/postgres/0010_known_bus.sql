-- The bus that this database belongs to: one row, since the service first joined it. The bus keeps the same id.
create table known_bus (
    id uuid not null primary key,
    address text not null
);
