//! Whom an order waits for that is past its deadlines.

use jiff::Timestamp;
use quintet_suite::duration;
use serde::Deserialize;

/// What the order service says of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Attention {
    /// The services that have not answered.
    pub(crate) waiting_for: Vec<String>,
    /// Since they were asked.
    pub(crate) since: Timestamp,
}

impl Attention {
    /// In one word, for a column of a table. Only inventory and payment are waited for together.
    pub(crate) fn word(&self) -> &str {
        match &*self.waiting_for {
            [one] => one,
            _ => "both",
        }
    }

    /// In a sentence, such as `payment has not answered for 12 min 3 s`.
    pub(crate) fn sentence(&self, now: Timestamp) -> String {
        let who = self.waiting_for.join(" and ");
        let has = if self.waiting_for.len() == 1 { "has" } else { "have" };
        format!("{who} {has} not answered for {}", duration::text(now.duration_since(self.since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(waiting_for: &[&str]) -> Attention {
        let waiting_for = waiting_for.iter().map(ToString::to_string).collect();
        Attention { waiting_for, since: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn one_or_both_are_named() {
        let now = Timestamp::from_second(723).unwrap();
        let payment = of(&["payment"]);
        assert_eq!(payment.word(), "payment");
        assert_eq!(payment.sentence(now), "payment has not answered for 12 min 3 s");
        let both = of(&["inventory", "payment"]);
        assert_eq!(both.word(), "both");
        let sentence = "inventory and payment have not answered for 12 min 3 s";
        assert_eq!(both.sentence(now), sentence);
    }
}
