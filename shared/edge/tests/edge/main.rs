//! Tests of the server over real connections.

mod bounds;
mod crowded;
mod rig;
