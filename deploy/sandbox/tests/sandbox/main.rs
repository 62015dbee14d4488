//! The sandbox from outside: its routes, its knobs, its mail sink, its process.

mod faults;
mod mail;
mod providers;
mod support;
