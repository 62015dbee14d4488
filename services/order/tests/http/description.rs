//! `/openapi.json` and its page.

use std::sync::Arc;

use quintet::bus::PartitionState;
use serde_json::Value;
use testkit::MemoryBus;

use crate::rig::Rig;

#[tokio::test]
async fn every_route_is_described_with_all_its_answers() {
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
async fn clients_are_generated_from_it() {
    let rig = Rig::running().await;
    for answer in [rig.get("/openapi.json").await, rig.ask_admin("/openapi.json").await] {
        let description = answer.json::<Value>().await.unwrap();
        assert_eq!(description["servers"][0]["url"], "/");
        assert_eq!(description["security"], serde_json::json!([]));
    }
    let description = rig.get("/openapi.json").await.json::<Value>().await.unwrap();
    // A stream is text: there is no JSON to be parsed as a whole.
    let stream = &description["paths"]["/orders/{id}/events"]["get"]["responses"]["200"]["content"];
    assert_eq!(stream["text/event-stream"]["schema"], serde_json::json!({ "type": "string" }));
    let required = description["components"]["schemas"]["OrderSummary"]["required"].as_array();
    assert!(required.unwrap().contains(&"placed_at".into()), "{required:?}");
}

#[tokio::test]
async fn metrics_are_told_in_the_form_that_is_accepted() {
    let rig = Rig::running().await;
    let told = async |accept: &str| {
        let request = rig.http.get(format!("{}/metrics", rig.url)).header("accept", accept);
        let answer = request.send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (kind, answer.text().await.unwrap())
    };
    let (kind, text) = told("*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("# TYPE quintet_build_info gauge\n"), "{text}");
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    let (kind, text) = told("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.contains("# TYPE quintet_build info\n") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_wall_clock_that_is_set_makes_no_request_longer_and_no_scrape_older() {
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
    let mut told = String::new();
    for high in [3, 9] {
        bus.set_partitions(vec![lag(high)]);
        told = scraped().await;
    }
    let of = |name: &str| {
        let mut lines = told.lines().filter(|line| line.starts_with(name));
        lines.next().and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value)
    };
    assert_eq!(of("quintet_http_request_seconds_sum"), Some("0.0"), "{told}");
    assert_eq!(of("quintet_consumer_lag_records{"), Some("1"), "{told}");
}

#[tokio::test]
async fn what_operators_ask_is_described_on_their_listener() {
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

/// The routes with their answers, each of which is described.
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
async fn what_the_description_refers_to_is_there() {
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
async fn its_page_loads_nothing_from_elsewhere() {
    let rig = Rig::running().await;
    let page = rig.get("/docs").await.text().await.unwrap();
    assert!(page.contains("swagger-ui-bundle.js"), "{page}");
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(rig.get(&format!("/docs/{file}")).await.status().is_success(), "{file}");
    }
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "{page}");
}

#[tokio::test]
async fn no_other_page_can_use_its_page() {
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
    assert!(!inline, "the policy allows no script within the page: {page}");
}

#[tokio::test]
async fn the_root_leads_to_the_page() {
    let rig = Rig::running().await;
    let page = rig.get("/").await;
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/docs/"));
    assert!(page.text().await.unwrap().contains("swagger-ui-bundle.js"));
}
