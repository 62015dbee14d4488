//! There is no room for the order service's data: its database has reached a limit, or a disk is full.

use std::{fs, path::Path};

use reqwest::{Method, StatusCode};
use scenarios::{NewOrder, Visitor, until};
use store::Db;

use crate::{
    small_disk::{Ballast, SmallDisk},
    steady::{self, assert_clear_refusal},
};

/// The variable that names a file with the limit of order's database in MiB. A file can be changed between two starts.
pub(crate) const LIMIT: &str = "QUINTET_ORDER__DATABASE__MAX_MIB_FILE";
/// A limit that is soon reached.
pub(crate) const SMALL: &str = "1";
/// A limit that is not reached.
const LARGE: &str = "100";
/// The size of a disk that has room for an empty database of PostgreSQL and little more.
const ROOM_MIB: u32 = 24;

pub(crate) async fn orders_are_refused_at_the_limit_until_it_is_raised(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(100_000).await);
    let order = NewOrder::of(&sku);
    order_until_full(&visitor, &order).await;
    suite.stop_program("order").await;
    fs::write(suite.variable(LIMIT), LARGE).expect("a file");
    suite.start_program("order").await;
    assert_orders_are_accepted(&visitor, &order).await;
}

pub(crate) async fn the_service_survives_a_full_disk(visitor: Visitor) {
    let database = visitor.suite().up_json_text("/order/database");
    let disk = database.strip_prefix("sqlite:").and_then(|file| Path::new(file).parent());
    let (disk, sku) = (disk.expect("a folder"), visitor.product(100_000).await);
    let (order, pid) = (NewOrder::of(&sku), visitor.suite().pid("order"));
    let ballast = Ballast::on(disk);
    order_until_full(&visitor, &order).await;
    drop(ballast);
    assert_orders_are_accepted(&visitor, &order).await;
    assert_eq!(visitor.suite().pid("order"), pid, "order was restarted");
}

pub(crate) async fn the_service_survives_a_full_tablespace(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(100_000).await);
    let (disk, server) = (SmallDisk::of_mib(ROOM_MIB).expect("a small disk"), suite.server().await);
    disk.give_to("postgres");
    let database = suite.up_json_text("/order/database");
    let name = database.rsplit('/').next().expect("a database");
    let sql = format!("create tablespace {name} location '{}'", disk.path().display());
    server.fetch(&sql, vec![]).await.expect("a tablespace");
    suite.stop_program("order").await;
    move_to(&server, name, name).await;
    suite.start_program("order").await;

    let (order, pid) = (NewOrder::of(&sku), suite.pid("order"));
    let ballast = Ballast::on(disk.path());
    order_until_full(&visitor, &order).await;
    drop(ballast);
    assert_orders_are_accepted(&visitor, &order).await;
    assert_eq!(suite.pid("order"), pid, "order was restarted");

    // The database must leave the disk before the disk is unmounted.
    suite.stop_program("order").await;
    move_to(&server, name, "pg_default").await;
    server.fetch(&format!("drop tablespace {name}"), vec![]).await.expect("an empty tablespace");
}

/// Moves a database to a tablespace, once the last connection to it has ended.
async fn move_to(server: &Db, database: &str, space: &str) {
    let sql = format!("alter database {database} set tablespace {space}");
    until("the database has moved", async || server.fetch(&sql, vec![]).await.ok()).await;
}

/// Places orders until there is no room. Then the refusal, the log and readiness say so, and orders can still be read.
async fn order_until_full(visitor: &Visitor, order: &NewOrder) {
    let refused = until("an order is refused", async || {
        let answers = steady::burst(visitor, order).await;
        answers.into_iter().find(|answer| answer.status != StatusCode::ACCEPTED)
    })
    .await;
    assert_clear_refusal(&refused);
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    let log = visitor.suite().log("order");
    assert!(log.contains("the database does not take the batch"), "{log}");
    assert!(log.contains("full") || log.contains("No space left"), "{log}");
    // The service is not ready, but still answers reads.
    let ready = visitor.send(visitor.request_to_order(Method::GET, "/health/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{ready:?}");
    for order in visitor.accepted() {
        visitor.order(order).await;
    }
}

async fn assert_orders_are_accepted(visitor: &Visitor, order: &NewOrder) {
    visitor.place(order).await;
    visitor.assert_sound().await;
}
