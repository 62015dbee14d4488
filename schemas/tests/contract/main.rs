//! Tests of the contract's public interface: the schemas, the form on the wire, and properties of any input.

mod properties;
mod record;
mod schemas;
mod wire;
