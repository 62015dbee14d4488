//! Money in whole minor units.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// An amount in the minor unit of its currency: 1298 EUR are € 12.98.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Money {
    /// How many minor units (cents, for most currencies).
    #[schema(example = 1298)]
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The sum, or `None` if the currencies differ or the sum does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let amount_minor = self.amount_minor.checked_add(other.amount_minor)?;
        Some(Self { amount_minor, ..self })
    }

    /// The price of `quantity` pieces, or `None` if it does not fit.
    #[must_use]
    pub fn times(self, quantity: i64) -> Option<Self> {
        let amount_minor = self.amount_minor.checked_mul(quantity)?;
        Some(Self { amount_minor, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Currencies differ in their number of minor digits, so none are split off.
        write!(f, "{} {} (minor units)", self.amount_minor, self.currency)
    }
}

/// A currency code in the form of ISO 4217: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
pub struct Currency([u8; 3]);

/// A text is not a currency code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no currency: give its three capitals of ISO 4217, such as EUR")]
pub struct InvalidCurrency(String);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Never fails: every constructor ensures ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        <[u8; 3]>::try_from(text.as_bytes())
            .ok()
            .filter(|code| code.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or_else(|| InvalidCurrency(format!("{text:.16}")))
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn eur(amount_minor: i64) -> Money {
        let currency = Currency::EUR;
        Money { amount_minor, currency }
    }

    #[test]
    fn a_sum_or_product_that_overflows_is_none() {
        assert_eq!(eur(649).times(2), Some(eur(1_298)));
        assert_eq!(eur(1).checked_add(eur(2)), Some(eur(3)));
        assert_eq!(eur(i64::MAX).checked_add(eur(1)), None);
        assert_eq!(eur(i64::MAX).times(2), None);
    }

    #[test]
    fn amounts_of_two_currencies_cannot_be_added() {
        let currency = "USD".parse().unwrap();
        let usd = Money { currency, ..eur(1) };
        assert_eq!(eur(1).checked_add(usd), None);
    }

    #[test]
    fn an_amount_is_shown_in_minor_units() {
        assert_eq!(eur(1_298).to_string(), "1298 EUR (minor units)");
        assert_eq!(format!("{:>4}|{:?}", Currency::EUR, Currency::EUR), " EUR|EUR");
    }

    #[test]
    fn a_currency_is_three_capitals() {
        assert_eq!("EUR".parse(), Ok(Currency::EUR));
        assert_eq!(serde_json::to_string(&Currency::EUR).unwrap(), "\"EUR\"");
        for wrong in ["", "EU", "EURO", "eur", "E1R", "€"] {
            let error = wrong.parse::<Currency>().unwrap_err();
            assert!(error.to_string().contains("ISO 4217"), "{error}");
            assert!(serde_json::from_value::<Currency>(wrong.into()).is_err());
        }
    }
}
