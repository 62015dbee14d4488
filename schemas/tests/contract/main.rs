//! The contract, from outside: schemas, wire and what holds for any input.

mod properties;
mod record;
mod schemas;
mod wire;
