//! Faults that tests inject: points at which a process dies, and bugs. Without its feature, neither module is compiled.

#[cfg(feature = "crash-points")]
pub(crate) mod crash_points;
#[cfg(feature = "injected-bugs")]
pub mod injected_bugs;
