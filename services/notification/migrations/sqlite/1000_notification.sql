create table notification (
    order_id blob primary key,
    state text not null,
    email text,
    ended text,
    placed_mail text,
    end_mail text
) without rowid;
