//! Amounts of money, formatted for people.

use serde::Deserialize;

/// An amount in the minor units of its currency, as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Money {
    amount_minor: i64,
    currency: String,
}

// The currencies of ISO 4217 that do not have two digits after the point.
const NO_DIGITS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const THREE_DIGITS: &str = "BHD IQD JOD KWD LYD OMR TND";

impl Money {
    /// The amount as `12.98 EUR`.
    #[must_use]
    pub fn text(&self) -> String {
        let is_in = |list: &str| list.split(' ').any(|code| code == self.currency);
        let digits = match () {
            () if is_in(NO_DIGITS) => 0,
            () if is_in(THREE_DIGITS) => 3,
            () => 2,
        };
        let sign = if self.amount_minor < 0 { "-" } else { "" };
        let scale = 10_u64.pow(digits);
        let (whole, rest) =
            (self.amount_minor.unsigned_abs() / scale, self.amount_minor.unsigned_abs() % scale);
        let currency = &self.currency;
        match digits {
            0 => format!("{sign}{whole} {currency}"),
            digits => format!("{sign}{whole}.{rest:0width$} {currency}", width = digits as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_its_own_digits() {
        let text = |amount_minor, currency: &str| {
            Money { amount_minor, currency: currency.to_owned() }.text()
        };
        assert_eq!(text(1_298, "EUR"), "12.98 EUR");
        assert_eq!(text(5, "EUR"), "0.05 EUR");
        assert_eq!(text(-5, "USD"), "-0.05 USD");
        assert_eq!(text(1_298, "JPY"), "1298 JPY");
        assert_eq!(text(1_298, "KWD"), "1.298 KWD");
        assert_eq!(text(i64::MAX, "EUR"), "92233720368547758.07 EUR");
    }
}
