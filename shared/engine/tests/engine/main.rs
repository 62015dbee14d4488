//! Drives the engine step by step, on every database that there is.

mod alarms;
mod batch;
mod commands;
mod dead_letters;
mod effects;
mod fairness;
mod held;
mod lease;
mod ownership;
mod poison;
mod properties;
mod prune;
mod relay;
mod replicas;
mod rig;
mod runtime;
mod telemetry;
mod toy;
mod unreadable;
mod work;
