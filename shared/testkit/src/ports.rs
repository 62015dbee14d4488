//! Ports for many servers at once, also of several test processes.

use std::net::TcpListener;

use clock::{Random, SystemRandom};

/// Below the ports that the system gives to outgoing connections (32768 and up on Linux): one of
/// those could take a port of ours while its service restarts.
const LOWEST: u16 = 10_000;
const BLOCKS: u16 = 110;
/// The ports of a suite of three replicas lie within 140 of the first, and so do those of a second suite of
/// one replica beside it.
const BLOCK: u16 = 200;
const USED: u16 = 140;
/// Bound for as long as the block is ours, so that no other harness takes it.
const GUARD: u16 = BLOCK - 1;

/// A stretch of free ports, ours until it is dropped.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    _guard: TcpListener,
}

impl Ports {
    /// A free one.
    ///
    /// # Panics
    /// If all are taken.
    #[must_use]
    pub fn free() -> Self {
        let start = SystemRandom.below(BLOCKS.into());
        let start = u16::try_from(start).expect("below the number of blocks");
        let blocks = (0..BLOCKS).map(|nth| LOWEST + (start + nth) % BLOCKS * BLOCK);
        blocks.into_iter().find_map(Self::at).expect("a free stretch of ports")
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> u16 {
        self.first
    }

    fn at(first: u16) -> Option<Self> {
        let guard = TcpListener::bind(("127.0.0.1", first + GUARD)).ok()?;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        (first..first + USED).all(free).then_some(Self { first, _guard: guard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_share_a_block_and_a_dropped_one_is_free_again() {
        let one = Ports::free();
        assert_ne!(one.first, Ports::free().first);
        assert!(Ports::at(one.first).is_none());
        let first = one.first;
        drop(one);
        assert!(Ports::at(first).is_some());
    }
}
