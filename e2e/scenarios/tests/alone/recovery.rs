//! Programs are stopped or killed while orders run. All orders end, and the audit holds.

use std::cell::Cell;

use futures::future::join;
use scenarios::{NewOrder, Visitor, services, until};
use serde_json::{Value, json};

const ORDERS: usize = 200;
/// How many orders are accepted before a program is stopped or killed.
const UNDER_WAY: usize = 50;

/// Places the orders and, once some are under way, runs `fault` beside them.
async fn while_orders_run(visitor: &Visitor, fault: impl Future<Output = ()>) {
    let sku = visitor.product(10_000).await;
    let placed = Cell::new(0);
    let place =
        visitor.place_all(NewOrder::mixed(&sku, ORDERS, 1_000_000), |count| placed.set(count));
    let inject = async {
        until("orders are under way", async || (placed.get() >= UNDER_WAY).then_some(())).await;
        fault.await;
    };
    let (orders, ()) = join(place, inject).await;
    assert_eq!(orders.len(), ORDERS);
}

/// Asserts that all orders end and none is lost.
async fn assert_all_end(visitor: &Visitor) {
    visitor.assert_sound().await;
    assert_eq!(visitor.snapshot().await.orders.len(), ORDERS);
}

pub(crate) async fn payment_is_stopped_and_started(visitor: Visitor) {
    let stop = async {
        visitor.suite().stop_program("payment").await;
    };
    while_orders_run(&visitor, stop).await;
    let waiting = async || (reserved(&visitor).await >= ORDERS / 4).then_some(());
    until("orders wait for their payment", waiting).await;
    assert_eq!(visitor.suite().pid("payment"), None, "the supervisor left it stopped");
    visitor.suite().start_program("payment").await;
    assert_all_end(&visitor).await;
}

/// The number of orders that have their stock and wait for their payment.
async fn reserved(visitor: &Visitor) -> usize {
    let order = visitor.suite().up_json_text("/order/admin_url");
    let rows: Value = visitor.get(&format!("{order}/admin/rows?limit=5000")).await;
    let rows = rows["rows"].as_array().expect("rows");
    let waits_for_payment = |row: &&Value| row["stage"] == "reserved" && row["ended"].is_null();
    rows.iter().filter(waits_for_payment).count()
}

/// Slows down the providers, so that a kill interrupts requests to them.
async fn slow_down_providers(visitor: &Visitor) {
    let slow = json!({"latency_ms": 100});
    visitor.faults(json!({"payment": slow, "carrier": slow, "mail": slow})).await;
}

pub(crate) async fn payment_is_killed(visitor: Visitor) {
    slow_down_providers(&visitor).await;
    while_orders_run(&visitor, visitor.suite().kill(&["payment"])).await;
    assert_all_end(&visitor).await;
}

pub(crate) async fn the_providers_are_killed(visitor: Visitor) {
    slow_down_providers(&visitor).await;
    while_orders_run(&visitor, visitor.suite().kill(&["sandbox"])).await;
    assert_all_end(&visitor).await;
}

pub(crate) async fn all_services_are_killed_at_once(visitor: Visitor) {
    slow_down_providers(&visitor).await;
    while_orders_run(&visitor, visitor.suite().kill(&services())).await;
    assert_all_end(&visitor).await;
}

pub(crate) async fn the_launcher_is_killed(visitor: Visitor) {
    slow_down_providers(&visitor).await;
    let kill = async {
        let pids = visitor.suite().kill_launcher();
        assert_eq!(pids.len(), services().len() + 2);
        let all_ended = async || (!pids.iter().copied().any(runs)).then_some(());
        until("no process of the suite is left", all_ended).await;
        visitor.suite().up();
    };
    while_orders_run(&visitor, kill).await;
    assert_all_end(&visitor).await;
}

/// Whether a process runs. A zombie does not.
fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which is in parentheses and may itself contain parentheses.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, Some('Z' | 'X'))
}
