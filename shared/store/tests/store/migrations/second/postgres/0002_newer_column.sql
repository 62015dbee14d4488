alter table item add column added text;
