//! What loads of orders are made of: what there is to buy, what the nth customer wants of it, and when
//! he comes.

mod arrivals;
mod mix;

use crate::demo;
use crate::names;
use crate::orders::{EMAIL, Wanted};
use anyhow::Result;
pub(crate) use arrivals::Arrivals;
use clock::{SystemClock, SystemRandom, uuid_v7};
use mix::Fate;
pub(crate) use mix::Mix;
use quintet_suite::Suite;
use quintet_suite::http::Api;

/// Enough that orders do not all change the same row.
const PRODUCTS: u64 = 20;
const EURO_CENTS: i64 = 1298;

/// A shop with enough on its shelves.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    /// What its SKUs begin with.
    name: &'static str,
    mix: Mix,
}

impl Shop {
    /// Lists the products, stocks each for so many orders, and waits until order knows them.
    ///
    /// # Errors
    /// When inventory refuses or does not answer.
    pub(crate) async fn open(
        name: &'static str,
        (suite, api): (&Suite, &Api),
        mix: &Mix,
        orders: u64,
    ) -> Result<Self> {
        let this = Self { name, mix: mix.clone() };
        let products = format!("{}/products", suite.url(names::inventory()));
        let quantity = i64::try_from(orders / PRODUCTS + 1).unwrap_or(i64::MAX);
        // Of this time: a suite that was measured before has sold what it got then.
        let delivery = uuid_v7(&SystemClock, &SystemRandom);
        for sku in (0..PRODUCTS).map(|nth| this.sku(nth)) {
            demo::list(&products, &sku, "Stocked", EURO_CENTS, api).await?;
            let key = format!("{delivery}-{sku}");
            demo::stock(&products, &sku, quantity, &key, api).await?;
        }
        demo::list(&products, &this.sold_out(), "Sold out", EURO_CENTS, api).await?;
        demo::wait_until_known(suite, api).await?;
        Ok(this)
    }

    /// What the nth order is for.
    pub(crate) fn wanted(&self, nth: u64) -> Wanted {
        let fate = self.mix.nth(nth);
        let sku = if fate == Fate::OutOfStock { self.sold_out() } else { self.sku(nth) };
        let token = match fate {
            Fate::Declined => "tok_declined",
            Fate::LostAnswer => "tok_unknown",
            Fate::Flaky => "tok_flaky",
            Fate::Completed | Fate::Refused | Fate::OutOfStock => "tok_ok",
        };
        let postal_code = if fate == Fate::Refused { "00000" } else { "1010" };
        let wanted = Wanted {
            sku,
            quantity: 1,
            token: token.to_owned(),
            postal_code: postal_code.to_owned(),
            email: EMAIL.to_owned(),
        };
        wanted.of_customer(nth)
    }

    fn sku(&self, nth: u64) -> String {
        format!("{}-{:02}", self.name, nth % PRODUCTS)
    }

    fn sold_out(&self) -> String {
        format!("{}-sold-out", self.name)
    }
}
