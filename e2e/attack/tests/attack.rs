//! The attack against a listener that bounds its clients: a good client is served all the same.

use std::{net::SocketAddr, time::Duration};

use attack::{Kind, Line, Plan};
use axum::{Json, Router, http::StatusCode, routing::get};
use edge::{Limits, Listener, Proxies, Server};
use tokio::{net::TcpListener, sync::watch};

/// As much of order as the attack asks for.
fn routes() -> Router {
    let orders = || async { Json(serde_json::json!({ "orders": [{ "id": "1" }] })) };
    Router::new()
        .route("/health/ready", get(|| async { "ready" }))
        .route("/orders", get(orders).post(|_: axum::body::Bytes| async { "taken" }))
        .route("/orders/{id}", get(|| async { StatusCode::NOT_FOUND }))
        .route("/orders/{id}/events", get(std::future::pending::<()>))
}

async fn serve(limits: Limits, stop: watch::Receiver<bool>) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let listener = Listener { name: "public", socket, limits, router: routes() };
    tokio::spawn(async move { Server::new(Proxies::default()).serve(listener, stop).await });
    address
}

fn plan(against: SocketAddr, kinds: &[Kind]) -> Plan {
    Plan { against, connections: 40, hold: Duration::from_millis(300), kinds: kinds.to_vec() }
}

/// What became of each attack: its name, connections opened and left, and failures of the good client.
async fn carried_out(plan: &Plan) -> Vec<(&'static str, usize, usize, usize)> {
    let table = plan.carry_out().await.unwrap();
    let told = table.to_string();
    assert_eq!(told.lines().count(), plan.kinds.len() + 3, "{told}");
    let lines = table.lines().iter().map(|line| match line {
        Line::Measured { name, opened, left, measured, .. } => {
            assert!(!measured.took.is_empty(), "{told}");
            (*name, *opened, *left, measured.failed)
        }
        Line::Skipped { name, why } => panic!("{name}: {why}"),
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_client_is_served_while_others_keep_their_connections() {
    let (_stop, stopped) = watch::channel(false);
    let limits = Limits { connections: 20, head: Duration::from_millis(50), ..Limits::default() };
    let against = serve(limits, stopped).await;
    let waiting = [Kind::LongHeads, Kind::HalfHeads, Kind::Silent];
    for (name, _, left, failed) in carried_out(&plan(against, &waiting)).await {
        assert_eq!((left, failed), (0, 0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_listener_gives_away_is_told() {
    let (_stop, stopped) = watch::channel(false);
    let limits = Limits { connections: 20, health_connections: 0, ..Limits::default() };
    let against = serve(limits, stopped).await;
    let told = carried_out(&plan(against, &[Kind::Streams])).await;
    let (name, opened, left, failed) = told[1];
    assert_eq!((name, opened), ("event streams", 40));
    // A connection of the good client that the listener had not seen closed yet kept its place: it serves the next
    // one of that client.
    assert!(
        matches!((left, failed), (20, 1..) | (19, _)),
        "{left} streams are left, {failed} failed"
    );
}

#[tokio::test]
async fn other_machines_are_not_attacked() {
    let plan = plan("192.0.2.1:8080".parse().unwrap(), &Kind::ALL);
    let refused = plan.carry_out().await.unwrap_err().to_string();
    assert!(refused.contains("only loopback"), "{refused}");
}
