-- The span of an order's placing, beside the id of its trace: what is done about the order later goes on from there.
alter table orders add column trace_span text;
