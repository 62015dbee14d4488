//! Malformed records and HTTP requests cause neither a panic nor a 5xx, and every refusal names what is wrong.
//!
//! The folder `fuzz` has cases written by hand with the expected results; all others are drawn at random.
//! `PROPTEST_CASES=100000 cargo test --release -p corpus --test fuzz` draws many. A failing case is reduced and
//! stored beside these files, and is played first from then on.

mod damage;
mod http;
mod records;
mod request;
mod rig;
mod trace;
