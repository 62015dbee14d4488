//! There is no room left for order's data.

use std::{fs, path::Path};

use reqwest::{Method, StatusCode};
use scenarios::{NewOrder, Visitor, until};
use store::Db;

use crate::{
    small_disk::{Ballast, SmallDisk},
    steady::{self, is_a_clear_refusal},
};

/// Names a file with the limit of order's database, which can be changed between two starts.
pub(crate) const LIMIT: &str = "QUINTET_ORDER__DATABASE__MAX_MIB_FILE";
/// Mebibytes of a database that is soon full, and of one that is not.
pub(crate) const SMALL: &str = "1";
const LARGE: &str = "100";
/// A disk with room for an empty database of PostgreSQL and little more.
const ROOM_MIB: u32 = 24;

pub(crate) async fn orders_are_refused_at_the_limit_until_it_is_raised(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(100_000).await);
    let order = NewOrder::of(&sku);
    until_full(&visitor, &order).await;
    suite.stop("order").await;
    fs::write(suite.variable(LIMIT), LARGE).expect("a file");
    suite.begin("order").await;
    goes_on(&visitor, &order).await;
}

pub(crate) async fn a_full_disk_is_waited_for(visitor: Visitor) {
    let database = visitor.suite().says("/order/database");
    let disk = database.strip_prefix("sqlite:").and_then(|file| Path::new(file).parent());
    let (disk, sku) = (disk.expect("a folder"), visitor.product(100_000).await);
    let (order, pid) = (NewOrder::of(&sku), visitor.suite().pid("order"));
    let ballast = Ballast::on(disk);
    until_full(&visitor, &order).await;
    drop(ballast);
    goes_on(&visitor, &order).await;
    assert_eq!(visitor.suite().pid("order"), pid, "it lived through it");
}

pub(crate) async fn a_full_tablespace_is_waited_for(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(100_000).await);
    let (disk, server) = (SmallDisk::of_mib(ROOM_MIB).expect("a small disk"), suite.server().await);
    disk.give_to("postgres");
    let database = suite.says("/order/database");
    let name = database.rsplit('/').next().expect("a database");
    let sql = format!("create tablespace {name} location '{}'", disk.path().display());
    server.fetch(&sql, vec![]).await.expect("a tablespace");
    suite.stop("order").await;
    move_to(&server, name, name).await;
    suite.begin("order").await;

    let (order, pid) = (NewOrder::of(&sku), suite.pid("order"));
    let ballast = Ballast::on(disk.path());
    until_full(&visitor, &order).await;
    drop(ballast);
    goes_on(&visitor, &order).await;
    assert_eq!(suite.pid("order"), pid, "it lived through it");

    // Before the disk goes.
    suite.stop("order").await;
    move_to(&server, name, "pg_default").await;
    server.fetch(&format!("drop tablespace {name}"), vec![]).await.expect("it is empty");
}

/// Moves a database to a tablespace, once the last connection to it has ended.
async fn move_to(server: &Db, database: &str, space: &str) {
    let sql = format!("alter database {database} set tablespace {space}");
    until("the database has moved", async || server.fetch(&sql, vec![]).await.ok()).await;
}

/// Orders until there is no room: then that is what is said, and nothing else is worse for it.
async fn until_full(visitor: &Visitor, order: &NewOrder) {
    let refused = until("an order is refused", async || {
        let answers = steady::burst(visitor, order).await;
        answers.into_iter().find(|answer| answer.status != StatusCode::ACCEPTED)
    })
    .await;
    is_a_clear_refusal(&refused);
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    let log = visitor.suite().log("order");
    assert!(log.contains("the database does not take the batch"), "{log}");
    assert!(log.contains("full") || log.contains("No space left"), "{log}");
    // Readiness says so, and the service still answers what it knows.
    let ready = visitor.send(visitor.request_to_order(Method::GET, "/health/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{ready:?}");
    for order in visitor.accepted() {
        visitor.order(order).await;
    }
}

async fn goes_on(visitor: &Visitor, order: &NewOrder) {
    visitor.place(order).await;
    visitor.verdict().await;
}
