//! Loads of orders: the products, the order of each customer, and when the customers arrive.

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

/// The number of products. With few products, all orders would wait for the locks of the same rows.
const PRODUCTS: u64 = 20;
const EURO_CENTS: i64 = 1298;

/// Products with enough stock for a load of orders, and one that is sold out.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    /// The prefix of the SKUs.
    name: &'static str,
    mix: Mix,
}

impl Shop {
    /// Lists the products, stocks them for this number of orders, and waits until the order service knows them.
    ///
    /// # Errors
    /// When inventory refuses or does not answer.
    pub(crate) async fn open(
        name: &'static str,
        suite: &Suite,
        api: &Api,
        mix: &Mix,
        orders: u64,
    ) -> Result<Self> {
        let shop = Self { name, mix: mix.clone() };
        let products = format!("{}/products", suite.url(names::inventory()));
        let quantity = i64::try_from(orders / PRODUCTS + 1).unwrap_or(i64::MAX);
        // Each run needs a key of its own. With the key of an earlier run inventory would add no stock, and the earlier run has
        // sold what it got.
        let delivery = uuid_v7(&SystemClock, &SystemRandom);
        for sku in (0..PRODUCTS).map(|nth| shop.sku(nth)) {
            demo::list(&products, &sku, "Stocked", EURO_CENTS, api).await?;
            let key = format!("{delivery}-{sku}");
            demo::stock(&products, &sku, quantity, &key, api).await?;
        }
        demo::list(&products, &shop.sold_out(), "Sold out", EURO_CENTS, api).await?;
        demo::wait_until_known(suite, api).await?;
        Ok(shop)
    }

    /// The nth order of the load.
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
