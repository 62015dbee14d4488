//! Attacks a listener that limits its clients: a well-behaved client is still served.

use std::{net::SocketAddr, time::Duration};

use attack::{AttackKind, Line, Plan};
use axum::{Json, Router, http::StatusCode, routing::get};
use edge::{Limits, Listener, Proxies, Server};
use tokio::{net::TcpListener, sync::watch};

/// The routes of the order service that the attack uses.
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

fn plan(against: SocketAddr, kinds: &[AttackKind]) -> Plan {
    Plan { against, connections: 40, hold: Duration::from_millis(300), kinds: kinds.to_vec() }
}

/// For each attack, its name, the connections opened and left open, and the failed requests of the well-behaved client.
async fn carried_out(plan: &Plan) -> Vec<(&'static str, usize, usize, usize)> {
    let table = plan.carry_out().await.unwrap();
    let text = table.to_string();
    assert_eq!(text.lines().count(), plan.kinds.len() + 3, "{text}");
    let lines = table.lines().iter().map(|line| match line {
        Line::Measured { name, opened, left, measured, .. } => {
            assert!(!measured.took.is_empty(), "{text}");
            (*name, *opened, *left, measured.failed)
        }
        Line::Skipped { name, why } => panic!("{name}: {why}"),
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_well_behaved_client_is_served_while_others_occupy_connections() {
    let (_stop, stopped) = watch::channel(false);
    let limits = Limits { connections: 20, head: Duration::from_millis(50), ..Limits::default() };
    let against = serve(limits, stopped).await;
    let waiting = [AttackKind::LongHeads, AttackKind::HalfHeads, AttackKind::Silent];
    for (name, _, left, failed) in carried_out(&plan(against, &waiting)).await {
        assert_eq!((left, failed), (0, 0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_shows_how_many_connections_a_listener_gives_away() {
    let (_stop, stopped) = watch::channel(false);
    let limits = Limits { connections: 20, health_connections: 0, ..Limits::default() };
    let against = serve(limits, stopped).await;
    let lines = carried_out(&plan(against, &[AttackKind::Streams])).await;
    let (name, opened, left, failed) = lines[1];
    assert_eq!((name, opened), ("event streams", 40));
    // With 19 streams, the listener had not yet noticed that the client's previous connection is closed. That place
    // then goes to the client's next connection.
    assert!(
        matches!((left, failed), (20, 1..) | (19, _)),
        "{left} streams are left, {failed} failed"
    );
}

#[tokio::test]
async fn other_machines_are_not_attacked() {
    let plan = plan("192.0.2.1:8080".parse().unwrap(), &AttackKind::ALL);
    let refused = plan.carry_out().await.unwrap_err().to_string();
    assert!(refused.contains("only loopback"), "{refused}");
}
