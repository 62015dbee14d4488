//! The services that an order past its deadlines waits for.

use jiff::Timestamp;
use quintet_suite::duration;
use serde::Deserialize;

/// The field `attention` of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Attention {
    /// The services that have not answered.
    pub(crate) waiting_for: Vec<String>,
    /// When they were asked.
    pub(crate) since: Timestamp,
}

impl Attention {
    /// One word for a column of a table. An order waits for one service, or for inventory and payment: `both`.
    pub(crate) fn word(&self) -> &str {
        match &*self.waiting_for {
            [service] => service,
            _ => "both",
        }
    }

    /// A sentence such as `payment has not answered for 12 min 3 s`.
    pub(crate) fn sentence(&self, now: Timestamp) -> String {
        let services = self.waiting_for.join(" and ");
        let has = if self.waiting_for.len() == 1 { "has" } else { "have" };
        let silent_for = duration::text(now.duration_since(self.since));
        format!("{services} {has} not answered for {silent_for}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attention(waiting_for: &[&str]) -> Attention {
        let waiting_for = waiting_for.iter().map(ToString::to_string).collect();
        Attention { waiting_for, since: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn the_services_are_named() {
        let now = Timestamp::from_second(723).unwrap();
        let one_service = attention(&["payment"]);
        assert_eq!(one_service.word(), "payment");
        assert_eq!(one_service.sentence(now), "payment has not answered for 12 min 3 s");
        let two_services = attention(&["inventory", "payment"]);
        assert_eq!(two_services.word(), "both");
        let sentence = "inventory and payment have not answered for 12 min 3 s";
        assert_eq!(two_services.sentence(now), sentence);
    }
}
