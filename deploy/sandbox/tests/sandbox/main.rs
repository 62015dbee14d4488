//! Tests of the sandbox from outside: its routes, fault knobs, mail sink and process.

mod faults;
mod mail;
mod providers;
mod support;
