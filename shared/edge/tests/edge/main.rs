//! What the server takes of its clients, over real connections.

mod bounds;
mod crowded;
mod rig;
