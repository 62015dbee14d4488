//! What `POST /orders` and other routes refuse, and with which problem.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::rig::{Rig, order, problem, with};

async fn send(rig: &Rig, body: impl Into<reqwest::Body>) -> Response {
    let request = rig.http.post(format!("{}/orders", rig.url));
    request.header(CONTENT_TYPE, "application/json").body(body).send().await.unwrap()
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let rig = Rig::running().await;
    let line = json!({ "sku": "mug", "quantity": 1 });
    let lines = |count: usize| {
        let line = |n| json!({ "sku": format!("sku-{n}"), "quantity": 1 });
        (0..count).map(line).collect::<Vec<_>>()
    };
    for (body, field) in [
        (with("/items/0/quantity", 0), "/items/0/quantity"),
        (with("/items/0/quantity", -1), "/items/0/quantity"),
        (with("/items/0/quantity", 1_000_000_000_000_000_000_i64), "/items/0/quantity"),
        (with("/items/0/quantity", 1.5), "/items/0/quantity"),
        (with("/items/0/quantity", "2"), "/items/0/quantity"),
        (with("/items", json!([line, line])), "/items/1/sku"),
        (with("/items", lines(101)), "/items"),
        (with("/items", json!([])), "/items"),
        (with("/items/0/sku", "a b"), "/items/0/sku"),
        (with("/items", json!([line, { "sku": "book", "quantity": 1 }])), "/items/1/sku"),
        (with("/customer/email", "nobody"), "/customer/email"),
        (with("/customer", json!({})), "/customer/email"),
        (with("/shipping_address/city", " "), "/shipping_address/city"),
        (with("/shipping_address/name", "a\u{0}b"), "/shipping_address/name"),
        (with("/shipping_address/name", "\u{202e}adA"), "/shipping_address/name"),
        (with("/shipping_address/name", "\u{200b}\u{feff}"), "/shipping_address/name"),
        (with("/customer/email", "\u{202e}ada@example.com"), "/customer/email"),
        (with("/customer/email", "a\u{200b}@x.example"), "/customer/email"),
        (with("/customer/email", "a@x\u{200b}.example"), "/customer/email"),
        (with("/customer/email", "\"a\u{ad}b\"@x.example"), "/customer/email"),
        (with("/shipping_address/name", "x\u{e0041}"), "/shipping_address/name"),
        (with("/shipping_address/name", "\u{301}"), "/shipping_address/name"),
        (with("/payment/token", "x".repeat(201)), "/payment/token"),
        (json!([order()]), ""),
        (Value::Null, ""),
    ] {
        let (status, problem, named) = problem(rig.post(&body).await).await;
        assert_eq!((status, named), (422, vec![field.to_owned()]), "{problem} for {body}");
        assert!(problem["detail"].as_str().unwrap().len() > field.len(), "{problem}");
    }
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let rig = Rig::running().await;
    let mut body = with("/items/0/quantity", "2");
    body["customer"]["email"] = json!("nobody");
    body["shipping_address"] = json!({ "name": "Ada", "street": 1, "city": "Wien" });
    let (status, problem, named) = problem(rig.post(&body).await).await;
    let expected = [
        "/customer/email",
        "/items/0/quantity",
        "/shipping_address/street",
        "/shipping_address/postal_code",
        "/shipping_address/country",
    ];
    assert_eq!((status, named), (422, expected.map(ToOwned::to_owned).to_vec()), "{problem}");
    let detail = "5 fields are wrong: /customer/email must be an e-mail address: name@host, \
                without blanks and invisible characters; /items/0/quantity must be a whole number, not a text; ";
    assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    let (_, _, named) = crate::rig::problem(rig.post(&json!({})).await).await;
    assert_eq!(named, ["/customer", "/items", "/shipping_address", "/payment"]);
}

#[tokio::test]
async fn a_refusal_does_not_repeat_a_long_text() {
    let rig = Rig::running().await;
    // A body with two such texts is just below the largest size.
    let long = "x".repeat(15_000);
    for body in [with("/items/0/sku", &*long), with("/items/0/quantity", &*long)] {
        let answer = rig.post(&body).await;
        assert_eq!(answer.status(), 422);
        assert!(answer.text().await.unwrap().len() < 2_000);
    }
    let twice = format!("{{\"{long}\": 1, \"{long}\": 2}}");
    assert!(send(&rig, twice).await.text().await.unwrap().len() < 2_000);
}

#[tokio::test]
async fn a_repeated_member_is_named() {
    let rig = Rig::running().await;
    let body = order().to_string().replacen('{', "{\"payment\": {\"token\": \"tok_ok\"},", 1);
    let (status, problem, named) = problem(send(&rig, body).await).await;
    assert_eq!((status, named), (422, vec!["/payment".to_owned()]));
    assert_eq!(problem["detail"], "/payment stands twice in its object; send it once");
}

#[tokio::test]
async fn a_byte_order_mark_is_accepted_and_compression_is_refused() {
    let rig = Rig::running().await;
    let marked = send(&rig, format!("\u{feff}{}", order())).await;
    assert_eq!(marked.status(), StatusCode::ACCEPTED);
    let placed: Value = marked.json().await.unwrap();
    assert!(placed["placed_at"].as_str() <= placed["timeline"][0]["at"].as_str(), "{placed}");
    assert!(placed["placed_at"].is_string(), "{placed}");
    let request = rig.http.post(format!("{}/orders", rig.url)).json(&order());
    let answer = request.header("content-encoding", "gzip").send().await.unwrap();
    let (status, problem, _) = problem(answer).await;
    assert_eq!(status, 415);
    assert!(problem["detail"].as_str().unwrap().contains("Content-Encoding"), "{problem}");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_bad_request() {
    let rig = Rig::running().await;
    let two = format!("{} {{}}", order());
    for body in ["", "{", "{\"customer\":", "quintet", &two] {
        let (status, problem, _) = problem(send(&rig, body.to_owned()).await).await;
        assert_eq!(status, 400, "{problem} for {body:?}");
    }
    let request = rig.http.post(format!("{}/orders", rig.url)).body(order().to_string());
    let (status, ..) = problem(request.send().await.unwrap()).await;
    assert_eq!(status, 415);
}

#[tokio::test]
async fn a_body_of_ten_megabytes_gets_its_answer_and_the_connection_lives() {
    let rig = Rig::running().await;
    let large = with("/customer/email", "x".repeat(10 * 1024 * 1024)).to_string();
    let (status, ..) = problem(send(&rig, large.clone()).await).await;
    assert_eq!(status, 413);
    // Refused by its Content-Length alone, also on a route that does not exist.
    for (path, expected) in [("/orders", 413), ("/nowhere", 413)] {
        let request = rig.http.post(format!("{}{path}", rig.url)).body(large.clone());
        let (status, ..) = problem(request.send().await.unwrap()).await;
        assert_eq!(status, expected, "{path}");
    }
    rig.place().await;
}

#[tokio::test]
async fn routes_and_methods_that_do_not_exist_are_problems_too() {
    let rig = Rig::running().await;
    assert_eq!(problem(rig.get("/order").await).await.0, 404);
    let url = format!("{}/orders", rig.url);
    let answer = rig.http.request(Method::DELETE, url).send().await.unwrap();
    let allowed = answer.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    assert_eq!(problem(answer).await.0, 405);
    let unknown = "018f3a5c-1b2d-7c3e-8f40-112233445566";
    assert_eq!(problem(rig.get(&format!("/orders/{unknown}")).await).await.0, 404);
    assert_eq!(problem(rig.get("/orders/1").await).await.2, ["id"]);
}

#[tokio::test]
async fn a_response_carries_the_id_of_its_request() {
    let rig = Rig::running().await;
    let id = async |requested: &str| {
        let request = rig.http.get(format!("{}/nowhere", rig.url));
        let answer = request.header("x-request-id", requested).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id("req-1").await, "req-1");
    let longest = "x".repeat(128);
    assert_eq!(id(&longest).await, longest);
    for wrong in ["", "a b", &"x".repeat(129)] {
        let generated = id(wrong).await;
        assert_eq!(generated.len(), 36, "{generated}");
        assert_ne!(generated, id(wrong).await);
    }
}

#[tokio::test]
async fn one_key_for_two_orders_is_refused() {
    let rig = Rig::running().await;
    let place = async |body: &Value, key: &str| {
        let request = rig.http.post(format!("{}/orders", rig.url)).json(body);
        request.header("idempotency-key", key).send().await.unwrap()
    };
    assert_eq!(place(&order(), "k").await.status(), StatusCode::ACCEPTED);
    let (status, refusal, named) = problem(place(&with("/items/0/quantity", 2), "k").await).await;
    assert_eq!((status, named), (422, vec!["Idempotency-Key".to_owned()]));
    let advice = refusal["detail"].as_str().unwrap();
    assert!(advice.contains("To repeat that request, send its body again"), "{advice}");
    let (status, _, named) = problem(place(&order(), &"k".repeat(256)).await).await;
    assert_eq!((status, named), (400, vec!["Idempotency-Key".to_owned()]));
}

#[tokio::test]
async fn a_repeat_with_equivalent_json_gets_the_first_response() {
    let rig = Rig::running().await;
    let place = async |body: String| {
        let request = rig.http.post(format!("{}/orders", rig.url)).body(body);
        let request = request.header(CONTENT_TYPE, "application/json");
        let answer = request.header("idempotency-key", "k").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        answer.json::<Value>().await.unwrap()["id"].clone()
    };
    let first = place(order().to_string()).await;
    let spaced = serde_json::to_string_pretty(&order()).unwrap();
    let reordered = r#"{"payment": {"token": "tok_ok"}, "items": [{"quantity": 1.0, "sku": "mug"}],
        "shipping_address": {"country": "AT", "city": "\u0057ien", "name": "Ada",
            "postal_code": "1010", "street": "Ring 1"},
        "customer": {"email": "ada@example.com"}}"#;
    for again in [spaced, reordered.to_owned()] {
        assert_eq!(place(again).await, first);
    }
}

#[tokio::test]
async fn admin_rows_accept_only_a_cursor_from_an_earlier_page() {
    let rig = Rig::running().await;
    for _ in 0..2 {
        rig.place().await;
    }
    for wrong in ["after=orders", "after=orders/7", "after=nothing/7", "limit=0", "until=1"] {
        let (status, _, named) =
            problem(rig.ask_admin(&format!("/admin/rows?{wrong}")).await).await;
        let name = wrong.split('=').next().unwrap();
        assert_eq!((status, named), (400, vec![name.to_owned()]), "{wrong}");
    }
    let first = rig.ask_admin("/admin/rows?limit=1").await.json::<Value>().await.unwrap();
    let next = first["next"].as_str().unwrap();
    let second = rig.ask_admin(&format!("/admin/rows?after={next}")).await;
    let second = second.json::<Value>().await.unwrap();
    assert_eq!((first["rows"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    assert_eq!(second["rows"].as_array().unwrap().len(), 1);
}

/// Sends a request with the headers that a browser adds for a page.
async fn from_a_page(request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Response {
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

#[tokio::test]
async fn pages_of_other_sites_cannot_change_anything() {
    let rig = Rig::running().await;
    let order = rig.place().await;
    let cancel = format!("{}/orders/{order}/cancellation", rig.url);
    let unknown = "018f3a5c-1b2d-7c3e-8f40-112233445566";
    let replay = format!("{}/admin/dead-letters/{unknown}/replay", rig.admin_url);
    for url in [&cancel, &replay] {
        for (header, value) in
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")]
        {
            let answer = from_a_page(rig.http.post(url), &[(header, value)]).await;
            let (status, problem, named) = problem(answer).await;
            assert_eq!((status, named), (403, vec![header.to_owned()]), "{problem}");
        }
    }
    let untouched = rig.get(&format!("/orders/{order}")).await.json::<Value>().await.unwrap();
    assert_eq!(untouched["cancellation_requested"], false);
    let own = [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://shop.example")];
    let answer = from_a_page(rig.http.post(&cancel), &own).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_admin_listener_answers_only_to_its_own_host_names() {
    let rig = Rig::running().await;
    let ask = async |url: &str, host: &str| {
        let request = rig.http.get(format!("{url}/openapi.json")).header("host", host);
        request.send().await.unwrap()
    };
    for host in ["ops.example", "localhost:8180", "order:8180", "[::1]:8180"] {
        assert_eq!(ask(&rig.admin_url, host).await.status(), StatusCode::OK, "{host}");
    }
    let (status, problem, named) = problem(ask(&rig.admin_url, "evil.example:8180").await).await;
    assert_eq!((status, named), (421, vec!["Host".to_owned()]));
    assert!(problem["detail"].as_str().unwrap().contains("http.admin_hosts"), "{problem}");
    // The public listener answers to any name, because it may be published under any.
    assert_eq!(ask(&rig.url, "shop.example").await.status(), StatusCode::OK);
}

/// The status of the response to a request whose body is never sent completely.
async fn answered_by_head(rig: &Rig, method: &str, path: &str, kind: &str) -> String {
    let address = rig.url.strip_prefix("http://").unwrap();
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: 9\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = String::new();
    let read = timeout(Duration::from_secs(5), stream.read_line(&mut line)).await;
    read.expect("a response before the whole body").unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_request_is_refused_by_its_head_before_its_body_is_read() {
    let rig = Rig::running().await;
    for (method, path, kind, expected) in [
        ("POST", "/nowhere", "application/json", "404"),
        ("DELETE", "/orders", "application/json", "405"),
        ("POST", "/orders", "text/plain", "415"),
        ("GET", "/orders?limit=0", "application/json", "400"),
    ] {
        assert_eq!(answered_by_head(&rig, method, path, kind).await, expected, "{path}");
    }
}

/// All texts have the greatest length, and each character takes twelve bytes as a JSON escape.
#[tokio::test]
async fn the_largest_order_fits() {
    let rig = Rig::running().await;
    let text = "\\ud83d\\ude00".repeat(200);
    // The quantity of the first line is 0: its refusal shows that the body was read.
    let lines = (0..100).map(|n| format!("{{\"sku\":\"{n:064}\",\"quantity\":{:>9}}}", n.min(1)));
    let lines = lines.collect::<Vec<_>>().join(",");
    let address = ["name", "street", "city", "postal_code", "country"];
    let address = address.map(|field| format!("\"{field}\":\"{text}\"")).join(",");
    let body = format!(
        "{{\"customer\":{{\"email\":\"{}@example.com\"}},\"items\":[{lines}],\
         \"shipping_address\":{{{address}}},\"payment\":{{\"token\":\"{text}\"}}}}",
        "x".repeat(242)
    );
    let (status, problem, named) = problem(send(&rig, body).await).await;
    assert_eq!((status, named), (422, vec!["/items/0/quantity".to_owned()]), "{problem}");
}
