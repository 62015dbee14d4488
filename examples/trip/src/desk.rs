//! The provider: a desk at which seats and rooms are reserved. It carries out a request once under each idempotency key, and
//! gives a repeat the same answer.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::Path,
    sync::Arc,
};

use quintet::{
    anyhow::{self, Context as _},
    axum::{
        Json, Router,
        extract::{Path as Segment, State},
        http::{HeaderMap, StatusCode},
        routing::{get, post, put},
    },
    serde_json::{self, Value, json},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::contract::TripId;

/// A request to the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Reserves a seat or a room.
    Reserve { trip_id: TripId, kind: String, destination: String },
    /// Gives back a reservation.
    Release { trip_id: TripId, kind: String, reference: String, attempt: i64 },
}

/// An answer of the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Reserved { reference: String },
    Refused { reason: String },
    Released,
}

/// The requests that are refused: no flight goes to Mars, and Atlantis has no room.
const NOWHERE: [(&str, &str); 2] = [("flight", "Mars"), ("room", "Atlantis")];

/// The desk without its HTTP server, so that simulations can use it too.
#[derive(Debug, Default)]
pub struct Desk {
    /// The answers, by idempotency key.
    answers: BTreeMap<String, Answer>,
    /// The rows about reservations, by their references.
    held: BTreeMap<String, Value>,
}

impl Desk {
    /// Carries out a request, once under each key, and answers it.
    pub fn ask(&mut self, key: &str, ask: &Ask) -> Answer {
        if let Some(known) = self.answers.get(key) {
            return known.clone();
        }
        let answer = match ask {
            Ask::Reserve { kind, destination, .. } if NOWHERE.contains(&(kind, destination)) => {
                Answer::Refused { reason: format!("there is no {kind} for {destination}") }
            }
            Ask::Reserve { trip_id, kind, .. } => {
                let reference = format!("{kind}-{}", self.held.len() + 1);
                let held = json!({ "table": kind, "trip_id": trip_id, "state": "held" });
                self.held.insert(reference.clone(), held);
                Answer::Reserved { reference }
            }
            Ask::Release { reference, .. } => {
                if let Some(held) = self.held.get_mut(reference) {
                    held["state"] = "released".into();
                }
                Answer::Released
            }
        };
        self.answers.insert(key.to_owned(), answer.clone());
        answer
    }

    /// The answer under this key, if there is one.
    pub fn known(&self, key: &str) -> Option<&Answer> {
        self.answers.get(key)
    }

    /// The rows about all reservations, those that are released included.
    pub fn held(&self) -> Vec<Value> {
        self.held.values().cloned().collect()
    }
}

/// The desk with its journal, in which each request is written before it is answered.
struct Server {
    desk: Desk,
    journal: File,
    /// The number of requests so far.
    asked: u32,
    /// One answer of so many is lost; none if 0.
    lost: u32,
}

type Shared = Arc<Mutex<Server>>;

/// The routes of the desk, which keeps its journal in this folder.
pub fn routes(folder: &Path) -> anyhow::Result<Router> {
    let path = folder.join("desk.jsonl");
    let context = || format!("the desk's journal {}", path.display());
    let mut desk = Desk::default();
    for line in fs::read_to_string(&path).unwrap_or_default().lines() {
        let (key, ask): (String, Ask) = serde_json::from_str(line).with_context(context)?;
        desk.ask(&key, &ask);
    }
    let journal = File::options().append(true).create(true).open(&path).with_context(context)?;
    let server: Shared = Arc::new(Mutex::new(Server { desk, journal, asked: 0, lost: 0 }));
    Ok(Router::new()
        .route("/asks", post(ask))
        .route("/held", get(held))
        .route("/lost/{every}", put(lose))
        .with_state(server))
}

async fn ask(
    State(server): State<Shared>,
    headers: HeaderMap,
    Json(ask): Json<Ask>,
) -> Result<Json<Answer>, StatusCode> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.ok_or(StatusCode::BAD_REQUEST)?;
    let mut server = server.lock().await;
    let line = json!([key, ask]).to_string() + "\n";
    let written = server.journal.write_all(line.as_bytes());
    written.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let answer = server.desk.ask(key, &ask);
    server.asked += 1;
    let lost = server.lost > 0 && server.asked.is_multiple_of(server.lost);
    if lost { Err(StatusCode::GATEWAY_TIMEOUT) } else { Ok(Json(answer)) }
}

/// Lists the rows about reservations in the form in which services list their rows.
async fn held(State(server): State<Shared>) -> Json<Value> {
    Json(json!({ "rows": server.lock().await.desk.held() }))
}

/// Makes the desk lose one answer of so many from now on; none if 0.
async fn lose(State(server): State<Shared>, Segment(every): Segment<u32>) {
    server.lock().await.lost = every;
}
