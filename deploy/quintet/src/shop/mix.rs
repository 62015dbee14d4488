//! How the orders of a load are made to end, and in which shares.

use std::fmt;
use std::str::FromStr;

/// The largest sum of shares. It bounds the memory of a mix.
const MOST: u32 = 1_000;

/// How an order is made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It is charged, shipped and completed.
    Completed,
    /// The gateway declines the charge.
    Declined,
    /// The carrier refuses the address, after the order was charged.
    Refused,
    /// Its product is out of stock.
    OutOfStock,
    /// It is completed, although the gateway's first answer is lost.
    LostAnswer,
    /// It is completed, after the gateway has failed twice.
    Flaky,
}

/// A repeating sequence in which each fate has its share, evenly spread.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix {
    /// The text that was parsed.
    text: String,
    /// The sequence that repeats.
    round: Vec<Fate>,
}

impl Fate {
    const ALL: [Self; 6] = [
        Self::Completed,
        Self::Declined,
        Self::Refused,
        Self::OutOfStock,
        Self::LostAnswer,
        Self::Flaky,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Refused => "refused",
            Self::OutOfStock => "out-of-stock",
            Self::LostAnswer => "lost-answer",
            Self::Flaky => "flaky",
        }
    }
}

impl Mix {
    /// The fate of the nth order.
    pub(crate) fn nth(&self, nth: u64) -> Fate {
        let place = nth % self.round.len() as u64;
        self.round[usize::try_from(place).unwrap_or_default()]
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut shares = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or_else(|| usage(part))?;
            let fate = Fate::ALL.into_iter().find(|fate| fate.name() == name.trim());
            let (fate, share) = fate.zip(share.trim().parse().ok()).ok_or_else(|| usage(part))?;
            if shares.iter().any(|(named, _)| *named == fate) {
                return Err(format!("{name} is named twice"));
            }
            shares.push((fate, share));
        }
        match shares.iter().map(|(_, share)| u64::from(*share)).sum() {
            1..=MOST_SUM => Ok(Self { text: text.to_owned(), round: spread(&shares) }),
            _ => Err(format!("the shares must add up to 1 to {MOST}")),
        }
    }
}

const MOST_SUM: u64 = MOST as u64;

fn usage(part: &str) -> String {
    let names = Fate::ALL.map(Fate::name).join(", ");
    format!("`{part}`: write NAME=SHARE with a name of {names}")
}

/// Builds a round by smooth weighted round-robin: the next fate is always the one that is furthest behind its share, and of
/// equals the first.
fn spread(shares: &[(Fate, u32)]) -> Vec<Fate> {
    let total: u32 = shares.iter().map(|(_, share)| share).sum();
    let mut arrears = vec![0_i64; shares.len()];
    let mut round = Vec::new();
    for _ in 0..total {
        for (arrears, (_, share)) in arrears.iter_mut().zip(shares) {
            *arrears += i64::from(*share);
        }
        let next = (0..shares.len()).max_by_key(|nth| (arrears[*nth], shares.len() - nth));
        if let Some(next) = next {
            arrears[next] -= i64::from(total);
            round.push(shares[next].0);
        }
    }
    round
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fate_has_its_share_evenly_spread() {
        let mix: Mix = "completed=90,declined=5,refused=3,out-of-stock=2".parse().unwrap();
        let count =
            |fate, range: std::ops::Range<u64>| range.filter(|nth| mix.nth(*nth) == fate).count();
        assert_eq!(Fate::ALL.map(|fate| count(fate, 0..100)), [90, 5, 3, 2, 0, 0]);
        assert_eq!(Fate::ALL.map(|fate| count(fate, 1_000..1_500)), [450, 25, 15, 10, 0, 0]);
        for begin in (0..100).step_by(20) {
            assert_eq!(count(Fate::Declined, begin..begin + 20), 1, "in the 20 from {begin}");
        }
    }

    #[test]
    fn a_mix_may_have_one_fate_only_and_a_share_may_be_0() {
        let mix: Mix = "completed=1, declined=0".parse().unwrap();
        assert!((0..10).all(|nth| mix.nth(nth) == Fate::Completed));
    }

    #[test]
    fn the_error_for_a_bad_mix_says_how_to_write_one() {
        let refused = |text: &str| text.parse::<Mix>().unwrap_err();
        let names = "NAME=SHARE with a name of completed, declined, refused, out-of-stock, lost-answer, flaky";
        for bad in ["", "completed", "stolen=1", "completed=-1", "completed=1,"] {
            assert!(refused(bad).contains(names), "{bad}: {}", refused(bad));
        }
        assert_eq!(refused("completed=1,completed=2"), "completed is named twice");
        for bad in ["completed=0", "completed=1001", "completed=4294967295,declined=4294967295"] {
            assert_eq!(refused(bad), "the shares must add up to 1 to 1000");
        }
    }
}
