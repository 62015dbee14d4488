//! Requests from web pages of other origins (CORS).

use reqwest::{Method, Response, StatusCode, header::HeaderMap};

use crate::rig::{Rig, SHOP, order};

const ORIGIN: &str = "access-control-allow-origin";

/// The response to the preflight request that a browser sends before a request that is not simple.
async fn preflight(rig: &Rig, origin: &str, method: &str, path: &str) -> HeaderMap {
    let request = rig.http.request(Method::OPTIONS, format!("{}{path}", rig.url));
    let request = request.header("origin", origin).header("access-control-request-method", method);
    let request = request.header("access-control-request-headers", "content-type,idempotency-key");
    request.send().await.unwrap().headers().clone()
}

async fn get(rig: &Rig, url: &str, path: &str) -> Response {
    rig.http.get(format!("{url}{path}")).header("origin", SHOP).send().await.unwrap()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_shops_pages_place_read_and_follow_orders() {
    let rig = Rig::running().await;
    let allowed = preflight(&rig, SHOP, "POST", "/orders").await;
    assert_eq!(text(&allowed, ORIGIN), SHOP);
    assert!(text(&allowed, "access-control-allow-methods").contains("POST"), "{allowed:?}");
    let headers = text(&allowed, "access-control-allow-headers");
    for header in ["content-type", "idempotency-key", "last-event-id", "traceparent"] {
        assert!(headers.contains(header), "{headers}");
    }

    let request = rig.http.post(format!("{}/orders", rig.url)).header("origin", SHOP);
    let placed = request.json(&order()).send().await.unwrap();
    assert_eq!((placed.status(), text(placed.headers(), ORIGIN)), (StatusCode::ACCEPTED, SHOP));
    let shown = text(placed.headers(), "access-control-expose-headers").to_owned();
    assert!(shown.contains("location") && shown.contains("retry-after"), "{shown}");
    let location = placed.headers()["location"].to_str().unwrap().to_owned();
    for path in [location.clone(), format!("{location}/events"), "/orders".to_owned()] {
        let read = get(&rig, &rig.url, &path).await;
        assert_eq!((read.status(), text(read.headers(), ORIGIN)), (StatusCode::OK, SHOP), "{path}");
        assert!(text(read.headers(), "vary").contains("origin"), "{path}");
    }
    // The page may read errors too.
    let refused = get(&rig, &rig.url, "/orders/1").await;
    assert_eq!(
        (refused.status(), text(refused.headers(), ORIGIN)),
        (StatusCode::BAD_REQUEST, SHOP)
    );
}

#[tokio::test]
async fn other_origins_and_other_writes_are_not_allowed() {
    let rig = Rig::running().await;
    for (origin, method, path) in [
        ("https://evil.example", "POST", "/orders"),
        ("https://shop.example.evil.example", "GET", "/orders"),
        ("null", "POST", "/orders"),
        (SHOP, "POST", "/orderssss"),
        (SHOP, "POST", "/products/mug/stock"),
        (SHOP, "DELETE", "/metrics"),
    ] {
        let refused = preflight(&rig, origin, method, path).await;
        assert_eq!(text(&refused, ORIGIN), "", "{origin} {method} {path}");
    }
}

#[tokio::test]
async fn no_page_is_allowed_unless_its_origin_is_configured() {
    let rig = Rig::running().await;
    let elsewhere = rig.another().await;
    let read = get(&rig, &elsewhere, "/orders").await;
    assert_eq!((read.status(), text(read.headers(), ORIGIN)), (StatusCode::OK, ""));
}
