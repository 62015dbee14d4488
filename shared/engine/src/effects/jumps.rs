use std::time::Duration;

use crate::settings::Moment;

/// Smaller steps of the wall clock are ignored.
const SMALLEST: Duration = Duration::from_secs(1);

/// Notices when the wall clock is set back. Effects that were put off before would wait longer by that step.
#[derive(Debug, Default)]
pub(super) struct Jumps {
    /// By how much the wall clock was ahead of the steady one, in microseconds.
    ahead: Option<i64>,
}

impl Jumps {
    /// Whether the wall clock was set back since the last [`Jumps::seen`], or since the first call. Smaller steps and
    /// steps forward are ignored.
    pub(super) fn is_set_back(&mut self, now: Moment) -> bool {
        let ahead = ahead(now);
        let smallest = i64::try_from(SMALLEST.as_micros()).unwrap_or(i64::MAX);
        let set_back = self.ahead.is_some_and(|before| before.saturating_sub(ahead) >= smallest);
        if !set_back {
            self.ahead = Some(ahead);
        }
        set_back
    }

    /// Marks the step as handled: the effects that were put off before it are due in time again.
    pub(super) fn seen(&mut self, now: Moment) {
        self.ahead = Some(ahead(now));
    }
}

fn ahead(now: Moment) -> i64 {
    let steady = i64::try_from(now.steady.as_micros()).unwrap_or(i64::MAX);
    now.wall.as_microsecond().saturating_sub(steady)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn moment(wall: i64, steady: u64) -> Moment {
        let wall = Timestamp::from_millisecond(wall).expect("a time");
        Moment { wall, steady: Duration::from_millis(steady) }
    }

    #[test]
    fn only_a_step_back_is_reported_until_it_is_marked_as_seen() {
        let mut jumps = Jumps::default();
        assert!(!jumps.is_set_back(moment(10_000, 0)), "the first call");
        assert!(!jumps.is_set_back(moment(20_000, 10_000)), "time passes");
        assert!(!jumps.is_set_back(moment(90_000, 11_000)), "a step forward");
        assert!(!jumps.is_set_back(moment(90_500, 12_000)), "half a second back is ignored");
        let back = moment(60_000, 13_000);
        assert!(jumps.is_set_back(back));
        assert!(jumps.is_set_back(back), "it was not marked as seen");
        jumps.seen(back);
        assert!(!jumps.is_set_back(moment(61_000, 14_000)));
    }
}
