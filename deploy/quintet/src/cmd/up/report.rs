//! What `quintet up` says when all is ready.

use crate::datadir::DataDir;
use crate::program::{Member, Program};
use crate::suite::{Replica, Suite};
use std::fmt::Write as _;

/// The URLs, where things lie, and what to try.
pub(crate) fn text(suite: &Suite, dir: &DataDir, demo: bool, command: &str) -> String {
    let mut text = format!("Quintet is up, {}. Ctrl-C stops it.\n\n", suite.stands_on());
    for (&program, service) in &suite.services {
        for (nth, Replica { url, admin_url, .. }) in service.replicas.iter().enumerate() {
            let name = Member { program, nth }.to_string();
            let _ = writeln!(text, "  {name:<15}{url:<24}admin {admin_url}");
        }
    }
    let sandbox = &suite.sandbox;
    let _ = writeln!(text, "  {:<15}{:<24}mail  {}", "sandbox", sandbox.url, sandbox.smtp);
    let shown = dir.shown();
    let _ = writeln!(text, "\n  data in {0}, logs in {0}/logs\n", shown.display());
    let data = dir.argument();
    if demo {
        let _ = write!(text, "{}", try_ordering(suite.url(Program::Order)));
        let _ = write!(text, "\n  {command} place --follow{data}");
    } else {
        let _ = write!(text, "{}", try_listing(suite.url(Program::Inventory)));
        let _ = write!(text, "\n  {command} place --follow{data}");
    }
    text
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
    use crate::ports::Ports;
    use std::path::Path;

    fn suite() -> Suite {
        let databases = Program::SERVICES.map(|it| (it, format!("sqlite:/d/{it}.db")));
        let ports = Ports::from(Ports::HIGHEST);
        Suite::new(ports, (&databases.into(), 1), "log:/d/bus.db", "/d/control.sock".into())
    }

    #[test]
    fn it_fits_a_hundred_columns_and_names_every_url() {
        let dir = DataDir::find(None).unwrap();
        for demo in [false, true] {
            let text = text(&suite(), &dir, demo, "cargo run --");
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
            for program in Program::ALL {
                assert!(text.contains(suite().url(program)), "{program} is missing:\n{text}");
            }
        }
    }

    #[test]
    fn the_order_to_try_is_json_and_commands_name_another_directory() {
        let dir = DataDir::at(Path::new("/tmp/my suite")).unwrap();
        let text = text(&suite(), &dir, true, "quintet");
        let (_, body) = text.split_once("-d '").unwrap();
        let (body, _) = body.split_once("'\n").unwrap();
        let order: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(order["items"][0]["sku"], "mug");
        assert!(text.ends_with("quintet place --follow --data '/tmp/my suite'"), "{text}");
    }
}
