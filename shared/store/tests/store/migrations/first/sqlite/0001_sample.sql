create table sample (
    id blob primary key,
    number integer not null,
    flag boolean not null,
    text text not null,
    bytes blob not null,
    at integer not null,
    json text not null,
    word text not null,
    game_id blob not null,
    code text not null,
    maybe_id blob,
    maybe_number integer,
    maybe_flag boolean,
    maybe_text text,
    maybe_bytes blob,
    maybe_at integer,
    maybe_json text,
    maybe_word text
) without rowid;

create table item (
    id integer primary key,
    name text not null check (length(name) <= 16)
);

create table label (
    name text primary key,
    value integer not null
) without rowid;
