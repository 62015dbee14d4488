//! What nobody should send, over the broker or over HTTP: never a panic, never a 5xx, and every refusal
//! names what is wrong.
//!
//! The folder `fuzz` holds what was thought of, with what is expected of it; the rest is drawn.
//! `PROPTEST_CASES=100000 cargo test --release -p corpus --test fuzz` draws for long; what fails is
//! made small and kept beside these files, to be played first from then on.

mod http;
mod records;
mod request;
mod rig;
mod spoil;
mod trace;
