//! `GET /orders/{id}/events`: server-sent events.

use std::time::Duration;

use contracts::{
    Milestone, Money, NotificationFailed, NotificationSent, OrderId, PaymentCaptured,
    ShipmentDispatched, StockReserved,
};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::rig::{Rig, STREAMS, STREAMS_EACH, problem, rigs};

/// How long a test waits for an event: much longer than a stream that works needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream, read event by event.
struct Reader {
    response: Response,
    text: String,
}

/// An event's id and name.
type Entry = (i64, String);

impl Reader {
    async fn open(rig: &Rig, url: &str, order: &str, last: Option<&str>) -> Response {
        let request = rig.http.get(format!("{url}/orders/{order}/events"));
        let last = last.iter().fold(request, |request, id| request.header("last-event-id", *id));
        timeout(PATIENCE, last.send()).await.expect("the head").unwrap()
    }

    async fn of(rig: &Rig, url: &str, order: &str, last: Option<&str>) -> Self {
        let response = Self::open(rig, url, order, last).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                if let Some(entry) = read(&event) {
                    return Some(entry);
                }
                continue;
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("an event, or the end").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(self.next().await.expect("an event"));
        }
        entries
    }

    async fn rest(mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next().await {
            entries.push(entry);
        }
        entries
    }
}

/// `None` for a comment.
fn read(event: &str) -> Option<Entry> {
    let field = |name| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let id = field("id:")?.parse().unwrap();
    // A browser passes a named message only to listeners for that name, not to `onmessage`.
    assert_eq!(field("event:"), None, "{event}");
    let data: Value = serde_json::from_str(field("data:").unwrap()).unwrap();
    assert_eq!(data["seq"], Value::from(id));
    Some((id, data["event"].as_str().unwrap().to_owned()))
}

async fn dispatch(rig: &Rig, order: &str) {
    let order_id = order.parse().unwrap();
    let amount = Money { amount_minor: 1298, currency: contracts::Currency::EUR };
    rig.hears(order, StockReserved { order_id }).await;
    rig.hears(order, PaymentCaptured { order_id, amount, reference: "ch_1".into() }).await;
    rig.hears(order, ShipmentDispatched { order_id, tracking: "tr_1".into() }).await;
}

async fn mail(rig: &Rig, order: &str) {
    let order_id: OrderId = order.parse().unwrap();
    let (milestone, message_id) = (Milestone::Placed, "1@quintet".into());
    rig.hears(order, NotificationSent { order_id, milestone, message_id }).await;
    let (milestone, reason) = (Milestone::Completed, "no such mailbox".into());
    rig.hears(order, NotificationFailed { order_id, milestone, reason }).await;
}

const TIMELINE: [&str; 7] = [
    "OrderPlaced",
    "StockReserved",
    "PaymentCaptured",
    "ShipmentDispatched",
    "OrderCompleted",
    "NotificationSent",
    "NotificationFailed",
];

#[tokio::test]
async fn a_client_that_comes_back_sees_each_entry_once_in_order() {
    for rig in rigs().await {
        let order = rig.place().await;
        // This replica serves HTTP only; the other one applies the events.
        let elsewhere = rig.another().await;
        let mut first = Reader::of(&rig, &elsewhere, &order, None).await;
        let mut seen = first.take(1).await;
        dispatch(&rig, &order).await;
        seen.extend(first.take(2).await);
        drop(first);

        let mut second = Reader::of(&rig, &rig.url, &order, Some("3")).await;
        seen.extend(second.take(2).await);
        mail(&rig, &order).await;
        seen.extend(second.rest().await);
        let expected = TIMELINE.iter().zip(1..).map(|(name, id)| (id, (*name).to_owned()));
        assert_eq!(seen, expected.collect::<Vec<_>>());

        // A new client gets the whole timeline, and a client that has it gets nothing.
        let whole = Reader::of(&rig, &elsewhere, &order, None).await.rest().await;
        assert_eq!(whole, seen);
        let again = Reader::open(&rig, &elsewhere, &order, Some("7")).await;
        assert_eq!(again.status(), StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn a_stream_ends_when_the_service_stops() {
    let rig = Rig::running().await;
    let order = rig.place().await;
    let mut reader = Reader::of(&rig, &rig.url, &order, None).await;
    assert_eq!(reader.take(1).await, [(1, "OrderPlaced".to_owned())]);
    rig.stop.send_replace(true);
    assert_eq!(reader.rest().await, []);
}

#[tokio::test]
async fn an_unusable_last_event_id_or_order_id_is_refused() {
    let rig = Rig::running().await;
    let order = rig.place().await;
    for wrong in ["", "x", "-1", "1.5", "99999999999999999999"] {
        let answer = Reader::open(&rig, &rig.url, &order, Some(wrong)).await;
        let (status, _, named) = problem(answer).await;
        assert_eq!((status, named), (400, vec!["Last-Event-ID".to_owned()]), "{wrong}");
    }
    let unknown = "018f3a5c-1b2d-7c3e-8f40-112233445566";
    let (status, ..) = problem(Reader::open(&rig, &rig.url, unknown, None).await).await;
    assert_eq!(status, 404);
    let (status, _, named) = problem(Reader::open(&rig, &rig.url, "1", None).await).await;
    assert_eq!((status, named), (400, vec!["id".to_owned()]));
}

/// Opens streams for a client until one is refused. Returns the streams and the refusal.
async fn open_all(rig: &Rig, order: &str, client: &str) -> (Vec<Response>, Response) {
    let mut readers = Vec::new();
    loop {
        let answer = open_for(rig, order, client).await;
        if answer.status() != StatusCode::OK {
            return (readers, answer);
        }
        readers.push(answer);
    }
}

/// Opens a stream as a proxy does for this client.
async fn open_for(rig: &Rig, order: &str, client: &str) -> Response {
    let request = rig.http.get(format!("{}/orders/{order}/events", rig.url));
    request.header("x-forwarded-for", client).send().await.unwrap()
}

#[tokio::test]
async fn one_client_cannot_take_all_streams_and_a_leaving_client_frees_its_own() {
    let rig = Rig::running().await;
    let order = rig.place().await;
    let (of_ada, refused) = open_all(&rig, &order, "192.0.2.1").await;
    assert_eq!(of_ada.len(), STREAMS_EACH);
    assert_eq!(refused.headers()["retry-after"], "5");
    let (status, problem, _) = problem(refused).await;
    assert_eq!(status, 429);
    assert!(problem["detail"].as_str().unwrap().starts_with("this client has"), "{problem}");
    let (of_bob, refused) = open_all(&rig, &order, "192.0.2.2").await;
    assert_eq!(of_ada.len() + of_bob.len(), STREAMS);
    let (status, problem, _) = crate::rig::problem(refused).await;
    assert_eq!(status, 429);
    assert!(problem["detail"].as_str().unwrap().starts_with("all event streams"), "{problem}");
    drop(of_ada);
    testkit::eventually("room for one more", async || {
        let answer = open_for(&rig, &order, "192.0.2.3").await;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_without_new_entries_is_answered_at_once() {
    let rig = Rig::running().await;
    let order = rig.place().await;
    let mut reader = Reader::of(&rig, &rig.url, &order, Some("1")).await;
    assert_eq!(reader.response.headers()["x-accel-buffering"], "no");
    dispatch(&rig, &order).await;
    assert_eq!(reader.next().await, Some((2, "StockReserved".to_owned())));
}

#[tokio::test]
async fn behind_nginx_each_event_arrives_before_the_next_happens() {
    let rig = Rig::running().await;
    let address = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    let Some(nginx) = testkit::Nginx::in_front_of(address) else { return };
    let order = rig.place().await;
    let order_id: OrderId = order.parse().unwrap();
    let amount = Money { amount_minor: 1298, currency: contracts::Currency::EUR };
    // Nothing is new to this client, so that the response begins with its head alone.
    let mut reader = Reader::of(&rig, &nginx.url(), &order, Some("1")).await;
    rig.hears(&order, StockReserved { order_id }).await;
    assert_eq!(reader.take(1).await, [(2, "StockReserved".to_owned())]);
    rig.hears(&order, PaymentCaptured { order_id, amount, reference: "ch_1".into() }).await;
    assert_eq!(reader.take(1).await, [(3, "PaymentCaptured".to_owned())]);
    rig.hears(&order, ShipmentDispatched { order_id, tracking: "tr_1".into() }).await;
    assert_eq!(reader.take(2).await[0], (4, "ShipmentDispatched".to_owned()));
    mail(&rig, &order).await;
    assert_eq!(reader.rest().await.len(), 2);
}
