-- Room in each page for the row's next version, so that updates stay on it (HOT). No statistics:
-- no plan asks for them.
create table notification (
    order_id uuid primary key,
    state text not null,
    email text,
    ended text,
    placed_mail text,
    end_mail text
) with (fillfactor = 50, autovacuum_analyze_threshold = 2147483647);
