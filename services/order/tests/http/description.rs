//! `/openapi.json` and its page.

use serde_json::Value;

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
        "get /orders/{id}/events: 200 204 400 404 500 503",
        "post /orders/{id}/cancellation: 202 400 404 409 429 500 503",
        "get /health/ready: 200 500 503",
    ] {
        assert!(routes.contains(&expected.to_owned()), "{expected} is not in {routes:#?}");
    }
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
async fn the_root_leads_to_the_page() {
    let rig = Rig::running().await;
    let page = rig.get("/").await;
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/docs/"));
    assert!(page.text().await.unwrap().contains("swagger-ui-bundle.js"));
}
