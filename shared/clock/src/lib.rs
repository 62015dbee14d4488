//! Time and randomness as traits that are passed in. In production they read the machine; tests and the
//! simulator set them. `clippy.toml` bans the global functions.

mod random;
mod time;

pub use random::{Random, SeededRandom, SystemRandom};
pub use time::{Clock, ManualClock, SystemClock};

use uuid::{Builder, Uuid};

/// A version 7 UUID (RFC 9562), made from the clock's milliseconds and 74 random bits.
///
/// A time before 1970 counts as 1970.
pub fn uuid_v7(clock: &dyn Clock, random: &dyn Random) -> Uuid {
    let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
    let [tail @ .., _, _, _, _, _, _] = random.bytes();
    Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use uuid::{Variant, Version};

    #[test]
    fn a_version_7_uuid_contains_the_clocks_milliseconds() {
        let now: Timestamp = "2024-05-01T10:00:00.123456Z".parse().unwrap();
        let id = uuid_v7(&ManualClock::new(now), &SeededRandom::new(1));
        assert_eq!(id.get_version(), Some(Version::SortRand));
        assert_eq!(id.get_variant(), Variant::RFC4122);
        let (secs, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((secs, nanos), (1_714_557_600, 123_000_000));
    }

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let ids = |seed| {
            let random = SeededRandom::new(seed);
            [(); 3].map(|()| uuid_v7(&clock, &random))
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
        assert_ne!(ids(7)[0], ids(7)[1]);
    }

    #[test]
    fn a_time_before_1970_does_not_wrap_around() {
        let clock = ManualClock::new("1969-01-01T00:00:00Z".parse().unwrap());
        let id = uuid_v7(&clock, &SystemRandom);
        assert_eq!(&id.as_bytes()[..6], &[0; 6]);
    }
}
