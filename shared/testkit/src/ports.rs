//! Blocks of free ports, for tests that start many servers, also in several test processes at once.

use std::net::TcpListener;

use clock::{Random, SystemRandom};

/// The first port of the first block. All blocks are below the ports that the system gives to outgoing connections (32768
/// and up on Linux): such a connection could occupy the port of a service that restarts.
const LOWEST: u16 = 10_000;
const BLOCKS: u16 = 110;
/// The size of a block.
const BLOCK: u16 = 200;
/// How many ports of a block are used. A suite of three replicas needs 140 ports, with a second suite of one replica beside
/// it included.
const USED: u16 = 140;
/// The port of a block that is bound while the block is taken, so that no other test takes it.
const GUARD: u16 = BLOCK - 1;

/// A block of free ports. It is given back when this is dropped.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    _guard: TcpListener,
}

impl Ports {
    /// Takes a free block.
    ///
    /// # Panics
    /// If all blocks are taken.
    #[must_use]
    pub fn free() -> Self {
        let start = SystemRandom.below(BLOCKS.into());
        let start = u16::try_from(start).expect("below the number of blocks");
        let blocks = (0..BLOCKS).map(|nth| LOWEST + (start + nth) % BLOCKS * BLOCK);
        blocks.into_iter().find_map(Self::at).expect("a free block of ports")
    }

    /// The first port of the block.
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
    fn a_block_is_taken_once_and_free_again_after_it_is_dropped() {
        let one = Ports::free();
        assert_ne!(one.first, Ports::free().first);
        assert!(Ports::at(one.first).is_none());
        let first = one.first;
        drop(one);
        assert!(Ports::at(first).is_some());
    }
}
