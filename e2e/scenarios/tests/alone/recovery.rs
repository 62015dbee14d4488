//! Something is stopped or killed while orders run: all of them end, and the audit holds.

use std::cell::Cell;

use contracts::Sku;
use futures::future::join;
use scenarios::{NewOrder, Visitor, services, until};
use serde_json::{Value, json};

const ORDERS: usize = 200;
/// So many are accepted when something happens.
const UNDER_WAY: usize = 50;

/// Orders of which most complete, and some come to nothing in each way there is.
fn mixed(sku: &Sku, count: usize) -> Vec<NewOrder> {
    let order = || NewOrder::of(sku);
    let kind = |nth| match nth % 10 {
        0 => order().token("tok_declined"),
        1 => order().unreachable(),
        2 => order().token("tok_unknown"),
        3 => order().quantity(1_000_000),
        4 => order().bouncing(),
        _ => order().quantity(2),
    };
    (0..count).map(kind).collect()
}

/// Places the orders and, once some are under way, lets `happen` happen beside them.
async fn while_orders_run(visitor: &Visitor, happen: impl Future<Output = ()>) {
    let sku = visitor.product(10_000).await;
    let placed = Cell::new(0);
    let place = visitor.place_all(mixed(&sku, ORDERS), |count| placed.set(count));
    let happening = async {
        until("orders are under way", async || (placed.get() >= UNDER_WAY).then_some(())).await;
        happen.await;
    };
    let (orders, ()) = join(place, happening).await;
    assert_eq!(orders.len(), ORDERS);
}

/// All orders end, and nothing is left undone.
async fn everything_ends(visitor: &Visitor) {
    visitor.verdict().await;
    assert_eq!(visitor.snapshot().await.orders.len(), ORDERS);
}

pub(crate) async fn payment_is_stopped_and_started(visitor: Visitor) {
    let stop = async {
        visitor.suite().stop("payment").await;
    };
    while_orders_run(&visitor, stop).await;
    let waiting = async || (reserved(&visitor).await >= ORDERS / 4).then_some(());
    until("orders wait for their payment", waiting).await;
    assert_eq!(visitor.suite().pid("payment"), None, "the supervisor left it stopped");
    visitor.suite().begin("payment").await;
    everything_ends(&visitor).await;
}

/// Orders that have their stock and wait for their payment.
async fn reserved(visitor: &Visitor) -> usize {
    let order = visitor.suite().says("/order/admin_url");
    let rows: Value = visitor.get(&format!("{order}/admin/rows?limit=5000")).await;
    let rows = rows["rows"].as_array().expect("rows");
    let waits = |row: &&Value| row["stage"] == "reserved" && row["ended"].is_null();
    rows.iter().filter(waits).count()
}

/// Requests to the outside world take long enough to be interrupted.
async fn slow(visitor: &Visitor) {
    let slow = json!({"latency_ms": 100});
    visitor.faults(json!({"payment": slow, "carrier": slow, "mail": slow})).await;
}

pub(crate) async fn payment_is_killed(visitor: Visitor) {
    slow(&visitor).await;
    while_orders_run(&visitor, visitor.suite().kill(&["payment"])).await;
    everything_ends(&visitor).await;
}

pub(crate) async fn the_outside_world_is_killed(visitor: Visitor) {
    slow(&visitor).await;
    while_orders_run(&visitor, visitor.suite().kill(&["sandbox"])).await;
    everything_ends(&visitor).await;
}

pub(crate) async fn all_services_are_killed_at_once(visitor: Visitor) {
    slow(&visitor).await;
    while_orders_run(&visitor, visitor.suite().kill(&services())).await;
    everything_ends(&visitor).await;
}

pub(crate) async fn the_launcher_is_killed(visitor: Visitor) {
    slow(&visitor).await;
    let kill = async {
        let pids = visitor.suite().kill_launcher();
        assert_eq!(pids.len(), services().len() + 2);
        let gone = async || (!pids.iter().copied().any(runs)).then_some(());
        until("nothing is left of the suite", gone).await;
        visitor.suite().up();
    };
    while_orders_run(&visitor, kill).await;
    everything_ends(&visitor).await;
}

/// Whether a process runs; one that only waits to be collected by its parent does not.
fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which stands in parentheses and may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, Some('Z' | 'X'))
}
