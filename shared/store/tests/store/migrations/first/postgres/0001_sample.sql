create table sample (
    id uuid primary key,
    number bigint not null,
    flag boolean not null,
    text text not null,
    bytes bytea not null,
    at bigint not null,
    json text not null,
    word text not null,
    game_id uuid not null,
    code text not null,
    maybe_id uuid,
    maybe_number bigint,
    maybe_flag boolean,
    maybe_text text,
    maybe_bytes bytea,
    maybe_at bigint,
    maybe_json text,
    maybe_word text
);

create table item (
    id bigint primary key,
    name varchar(16) not null
);

create table label (
    name text primary key,
    value bigint not null
);
