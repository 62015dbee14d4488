use super::*;
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use std::sync::Arc;
use std::sync::Mutex;

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Answers each request with the next of `statuses`, and records the idempotency keys.
async fn scripted(statuses: &[u16]) -> (String, Arc<Mutex<Vec<String>>>) {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let statuses = statuses.to_vec();
    let handler = move |headers: HeaderMap| async move {
        let mut seen = seen.lock().unwrap();
        let status = statuses[seen.len()];
        seen.push(headers["Idempotency-Key"].to_str().unwrap().to_owned());
        let problem = r#"{"title":"No","detail":"seats[0]: unknown"}"#;
        (axum::http::StatusCode::from_u16(status).unwrap(), problem)
    };
    (serve(Router::new().route("/", post(handler))).await, keys)
}

async fn send(url: &str) -> Result<Value, Error> {
    let request = Request { method: Method::POST, url, body: None, idempotency_key: Some("k1") };
    Api::new().unwrap().send_until_answered(&request, Duration::from_secs(30)).await
}

#[tokio::test]
async fn too_many_and_unavailable_are_repeated_under_the_same_key() {
    let (url, keys) = scripted(&[503, 429, 202]).await;
    send(&url).await.unwrap();
    assert_eq!(*keys.lock().unwrap(), ["k1", "k1", "k1"]);
}

#[tokio::test]
async fn a_definite_refusal_is_not_repeated_and_shows_the_problems_detail() {
    let (url, keys) = scripted(&[422]).await;
    let error = send(&url).await.unwrap_err();
    assert_eq!(error.to_string(), "seats[0]: unknown (422 Unprocessable Entity)");
    assert_eq!(keys.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_by_its_url_once_patience_is_over() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let request = Request { method: Method::GET, url: &url, body: None, idempotency_key: None };
    let api = Api::new().unwrap();
    let answer = api.send_until_answered::<Value>(&request, Duration::from_millis(120)).await;
    let text = answer.unwrap_err().to_string();
    assert!(text.contains(&url) && text.contains("refused"), "{text}");
}
