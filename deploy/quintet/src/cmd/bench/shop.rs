//! What there is to buy, and what the nth customer wants.

use super::mix::{Fate, Mix};
use crate::demo;
use crate::http::Api;
use crate::orders::Wanted;
use crate::program::Program;
use crate::suite::Suite;
use anyhow::Result;
use clock::{SystemClock, SystemRandom, uuid_v7};

/// Enough that orders do not all change the same row.
const PRODUCTS: u64 = 20;
const SOLD_OUT: &str = "bench-sold-out";
const EURO_CENTS: i64 = 1298;

/// A shop with enough on its shelves.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    mix: Mix,
}

impl Shop {
    /// Lists the products, stocks each for so many orders, and waits until order knows them.
    ///
    /// # Errors
    /// When inventory refuses or does not answer.
    pub(super) async fn open(suite: &Suite, api: &Api, mix: &Mix, orders: u64) -> Result<Self> {
        let products = format!("{}/products", suite.url(Program::Inventory));
        let quantity = i64::try_from(orders / PRODUCTS + 1).unwrap_or(i64::MAX);
        // Of this time: a suite that was measured before has sold what it got then.
        let delivery = uuid_v7(&SystemClock, &SystemRandom);
        for sku in (0..PRODUCTS).map(sku) {
            demo::list(&products, &sku, "Measured", EURO_CENTS, api).await?;
            let key = format!("{delivery}-{sku}");
            demo::stock(&products, &sku, quantity, &key, api).await?;
        }
        demo::list(&products, SOLD_OUT, "Sold out", EURO_CENTS, api).await?;
        demo::wait_until_known(suite, api).await?;
        Ok(Self { mix: mix.clone() })
    }

    /// What the nth order is for.
    pub(super) fn wanted(&self, nth: u64) -> Wanted {
        let fate = self.mix.nth(nth);
        let sku = if fate == Fate::OutOfStock { SOLD_OUT.to_owned() } else { sku(nth) };
        let token = if fate == Fate::Declined { "tok_declined" } else { "tok_ok" };
        let postal_code = if fate == Fate::Refused { "00000" } else { "1010" };
        Wanted { sku, quantity: 1, token: token.to_owned(), postal_code: postal_code.to_owned() }
    }
}

fn sku(nth: u64) -> String {
    format!("bench-{:02}", nth % PRODUCTS)
}
