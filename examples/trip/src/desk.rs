//! The outside world: a desk at which seats and rooms are reserved. It does what it is asked once under each
//! idempotency key, and answers a repeat as it answered before.

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

/// What it can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// To hold a seat or a room.
    Reserve { trip_id: TripId, kind: String, destination: String },
    /// To hold it no longer.
    Release { trip_id: TripId, kind: String, reference: String, attempt: i64 },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Reserved { reference: String },
    Refused { reason: String },
    Released,
}

/// What cannot be had.
const NOWHERE: [(&str, &str); 2] = [("flight", "Mars"), ("room", "Atlantis")];

/// All that the desk knows; nothing here knows of HTTP, so that simulations can ask it as well.
#[derive(Debug, Default)]
pub struct Desk {
    answers: BTreeMap<String, Answer>,
    /// By their references, as they are listed.
    held: BTreeMap<String, Value>,
}

impl Desk {
    /// Does what it is asked, once under each key.
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

    /// What it answered under this key.
    pub fn known(&self, key: &str) -> Option<&Answer> {
        self.answers.get(key)
    }

    /// Everything that it has ever held.
    pub fn held(&self) -> Vec<Value> {
        self.held.values().cloned().collect()
    }
}

/// The desk as a server: what it was asked is in its journal before it answers.
struct Server {
    desk: Desk,
    journal: File,
    asked: u32,
    /// Every so many answers, one is lost; none if 0.
    lost: u32,
}

type Shared = Arc<Mutex<Server>>;

/// The routes of the desk, which keeps its journal in this folder.
pub fn routes(folder: &Path) -> anyhow::Result<Router> {
    let path = folder.join("desk.jsonl");
    let said = || format!("the desk's journal {}", path.display());
    let mut desk = Desk::default();
    for line in fs::read_to_string(&path).unwrap_or_default().lines() {
        let (key, ask): (String, Ask) = serde_json::from_str(line).with_context(said)?;
        desk.ask(&key, &ask);
    }
    let journal = File::options().append(true).create(true).open(&path).with_context(said)?;
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

/// All that it has held, as services list their rows.
async fn held(State(server): State<Shared>) -> Json<Value> {
    Json(json!({ "rows": server.lock().await.desk.held() }))
}

/// From now on one answer of so many is lost; none if 0.
async fn lose(State(server): State<Shared>, Segment(every): Segment<u32>) {
    server.lock().await.lost = every;
}
