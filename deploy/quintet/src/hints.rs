//! The commands that `quintet up` suggests once the suite is ready.

use crate::names;
use quintet_suite::{Suite, invocation};

/// Suggests to place an order by curl, or to list a product first if there are none, and then `quintet place`. `data` is the
/// option `--data`, if the command needs it.
pub(crate) fn text(suite: &Suite, demo: bool, data: &str) -> String {
    let suggestion = if demo {
        try_ordering(suite.url(names::order()))
    } else {
        try_listing(suite.url(names::inventory()))
    };
    format!("{suggestion}\n  {}{data}", invocation::command("place --follow"))
}

fn try_ordering(order: &str) -> String {
    format!(
        r#"Try, in another terminal:
  curl -i {order}/orders -H 'content-type: application/json' -d '{{
    "customer": {{"email": "ada@example.com"}}, "items": [{{"sku": "mug", "quantity": 1}}],
    "shipping_address": {{"name": "Ada", "street": "Ring 1", "city": "Wien",
      "postal_code": "1010", "country": "AT"}}, "payment": {{"token": "tok_ok"}}}}'
"#
    )
}

fn try_listing(inventory: &str) -> String {
    format!(
        r#"There is nothing to order yet (`up --demo` brings products). In another terminal:
  curl -X PUT {inventory}/products/mug -H 'content-type: application/json' \
    -d '{{"name": "Mug", "price": {{"amount_minor": 1298, "currency": "EUR"}}}}'
  curl {inventory}/products/mug/stock -H 'content-type: application/json' \
    -H 'idempotency-key: first' -d '{{"quantity": 1000}}'
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::suite_of_test;

    #[test]
    fn the_hints_fit_a_hundred_columns_and_the_suggested_order_is_json() {
        for demo in [false, true] {
            let text = text(&suite_of_test(1), demo, " --data '/tmp/my suite'");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert!(text.ends_with("quintet place --follow --data '/tmp/my suite'"), "{text}");
        }
        let text = text(&suite_of_test(1), true, "");
        let (_, body) = text.split_once("-d '").unwrap();
        let (body, _) = body.split_once("'\n").unwrap();
        let order: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(order["items"][0]["sku"], "mug");
    }
}
