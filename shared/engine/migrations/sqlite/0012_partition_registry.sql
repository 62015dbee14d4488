-- The partition registry: the partitions in which the consumer group has had an offset. Version 1 called it place.
alter table place rename to partition_registry;
