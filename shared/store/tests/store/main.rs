//! Tests of the store, each on SQLite and on PostgreSQL if there is a server.

mod bulk;
mod classes;
mod fields;
mod full;
mod migrations;
mod preconditions;
mod rows;
mod tables;
mod unusable_servers;
