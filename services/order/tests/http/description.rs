//! `/openapi.json` and its page.

use std::sync::Arc;

use quintet::bus::PartitionState;
use serde_json::Value;
use testkit::MemoryBus;

use crate::rig::Rig;

#[tokio::test]
async fn every_route_is_described_with_all_its_responses() {
    let rig = Rig::running().await;
    let description = rig.get("/openapi.json").await.json::<Value>().await.unwrap();
    let routes = routes(&description);
    for expected in [
        "get /orders: 200 400 500 503",
        "post /orders: 202 400 408 413 415 422 429 500 503",
        "get /orders/{id}: 200 400 404 500 503",
        "get /orders/{id}/events: 200 204 400 404 429 500 503",
        "post /orders/{id}/cancellation: 202 400 404 409 429 500 503",
        "get /health/ready: 200 500 503",
    ] {
        assert!(routes.contains(&expected.to_owned()), "{expected} is not in {routes:#?}");
    }
}

#[tokio::test]
async fn the_description_suits_client_generators() {
    let rig = Rig::running().await;
    for answer in [rig.get("/openapi.json").await, rig.ask_admin("/openapi.json").await] {
        let description = answer.json::<Value>().await.unwrap();
        assert_eq!(description["servers"][0]["url"], "/");
        assert_eq!(description["security"], serde_json::json!([]));
    }
    let description = rig.get("/openapi.json").await.json::<Value>().await.unwrap();
    // A stream is described as text, because its body as a whole is not JSON.
    let stream = &description["paths"]["/orders/{id}/events"]["get"]["responses"]["200"]["content"];
    assert_eq!(stream["text/event-stream"]["schema"], serde_json::json!({ "type": "string" }));
    let required = description["components"]["schemas"]["OrderSummary"]["required"].as_array();
    assert!(required.unwrap().contains(&"placed_at".into()), "{required:?}");
}

#[tokio::test]
async fn metrics_are_served_in_the_format_that_the_client_accepts() {
    let rig = Rig::running().await;
    let metrics = async |accept: &str| {
        let request = rig.http.get(format!("{}/metrics", rig.url)).header("accept", accept);
        let answer = request.send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (kind, answer.text().await.unwrap())
    };
    let (kind, text) = metrics("*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("# TYPE quintet_build_info gauge\n"), "{text}");
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    let (kind, text) = metrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.contains("# TYPE quintet_build info\n") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn setting_the_wall_clock_affects_neither_request_times_nor_the_age_of_a_scrape() {
    let lag = |high| PartitionState {
        topic: "products".to_owned(),
        partition: 0,
        low: 0,
        high,
        committed: Some(2),
    };
    let bus = MemoryBus::default();
    let rig = Rig::rushing(Arc::new(bus.clone())).await;
    let scraped = async || rig.get("/metrics").await.text().await.unwrap();
    let mut metrics = String::new();
    for high in [3, 9] {
        bus.set_partitions(vec![lag(high)]);
        metrics = scraped().await;
    }
    let value = |name: &str| {
        let mut lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.next().and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value)
    };
    assert_eq!(value("quintet_http_request_seconds_sum"), Some("0.0"), "{metrics}");
    assert_eq!(value("quintet_consumer_lag_records{"), Some("1"), "{metrics}");
}

#[tokio::test]
async fn the_admin_listener_describes_the_admin_routes() {
    let rig = Rig::running().await;
    let description = rig.ask_admin("/openapi.json").await.json::<Value>().await.unwrap();
    let expected = [
        "get /admin/dead-letters: 200 400 500 503",
        "get /admin/dead-letters/{order}: 200 400 404 500 503",
        "post /admin/dead-letters/{order}/discard: 200 400 404 429 500 503",
        "post /admin/dead-letters/{order}/replay: 202 400 404 429 500 503",
        "get /admin/effects: 200 400 500 503",
        "post /admin/effects/retry: 202 429 500 503",
        "get /admin/effects/{effect}: 200 400 404 500 503",
        "post /admin/effects/{effect}/resolve: 202 400 404 408 409 413 415 422 429 500 503",
        "post /admin/effects/{effect}/retry: 202 400 404 409 429 500 503",
        "get /admin/rows: 200 400 500 503",
        "get /admin/status: 200 500 503",
    ];
    assert_eq!(routes(&description), expected);
}

/// The routes with the statuses of their responses. Checks that each of them is described.
fn routes(description: &Value) -> Vec<String> {
    let paths = description["paths"].as_object().unwrap();
    let mut routes = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            let answers = operation["responses"].as_object().unwrap();
            let statuses = answers.keys().map(String::as_str).collect::<Vec<_>>().join(" ");
            routes.push(format!("{method} {path}: {statuses}"));
            for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() >= "400") {
                let content = &answer["content"]["application/problem+json"];
                assert!(content["schema"].is_object(), "{method} {path} {status}");
                let later = answer["headers"]["retry-after"].is_object();
                let busy = ["429", "503"].contains(&status.as_str());
                assert_eq!(later, busy, "{method} {path} {status}");
            }
        }
    }
    routes
}

#[tokio::test]
async fn every_reference_in_the_description_resolves() {
    let rig = Rig::running().await;
    for answer in [rig.get("/openapi.json").await, rig.ask_admin("/openapi.json").await] {
        let description = answer.json::<Value>().await.unwrap();
        let mut references = Vec::new();
        collect(&description, &mut references);
        assert!(references.len() > 5, "{references:?}");
        for reference in references {
            let pointer = reference.trim_start_matches('#');
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    if let Some(reference) = value["$ref"].as_str() {
        references.push(reference.to_owned());
    }
    let parts = value.as_object().map(|object| object.values().collect::<Vec<_>>());
    let parts = parts.or_else(|| value.as_array().map(|list| list.iter().collect()));
    parts.into_iter().flatten().for_each(|part| collect(part, references));
}

#[tokio::test]
async fn the_docs_page_loads_nothing_from_other_origins() {
    let rig = Rig::running().await;
    let page = rig.get("/docs").await.text().await.unwrap();
    assert!(page.contains("swagger-ui-bundle.js"), "{page}");
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(rig.get(&format!("/docs/{file}")).await.status().is_success(), "{file}");
    }
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "{page}");
}

#[tokio::test]
async fn the_docs_page_cannot_be_framed_or_scripted_by_other_pages() {
    let rig = Rig::running().await;
    for answer in [rig.get("/docs/").await, rig.ask_admin("/docs/swagger-ui.css").await] {
        assert!(answer.status().is_success());
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "no-cache");
    }
    let page = rig.get("/docs/").await.text().await.unwrap();
    let inline = page.split("<script").skip(1).any(|script| !script.contains("src="));
    assert!(!inline, "the policy forbids inline scripts: {page}");
}

#[tokio::test]
async fn the_root_redirects_to_the_docs_page() {
    let rig = Rig::running().await;
    let page = rig.get("/").await;
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/docs/"));
    assert!(page.text().await.unwrap().contains("swagger-ui-bundle.js"));
}
