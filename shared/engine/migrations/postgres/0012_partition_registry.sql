-- The partition registry: the partitions in which the consumer group has had an offset. Version 1 called it place.
alter table place rename to partition_registry;
alter index place_pkey rename to partition_registry_pkey;

-- During an upgrade, replicas of the version before still use the old name.
create view place as select topic, partition from partition_registry;
