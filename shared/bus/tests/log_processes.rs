//! Several processes publish to one log and are killed while they do. No record may be missing.
//!
//! The test has no harness, because the program starts itself as its child processes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use event::Headers;
use quintet_bus::{Bus, Incoming, Log, LogOptions, Outgoing, Topic};

const WRITERS: usize = 3;
const LIVES: usize = 4;
/// How many batches a process publishes at least before it is killed.
const BATCHES: usize = 10;
const BATCH: usize = 25;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match arguments.as_slice() {
        [command, path, writer] if command == "write" => {
            runtime.block_on(write(Path::new(path), writer));
        }
        // Test runners ask for a list of tests, and for one of ignored tests, of which there are none.
        [list, .., ignored] if list == "--list" && ignored == "--ignored" => {}
        [list, ..] if list == "--list" => println!("killed_writers_leave_no_gap: test"),
        _ => {
            runtime.block_on(killed_writers_leave_no_gap());
            println!("test killed_writers_leave_no_gap ... ok");
        }
    }
}

/// Publishes for ever, and prints which batches were acknowledged.
async fn write(path: &Path, writer: &str) {
    let log = open(path).await;
    let mut producer = log.producer().await.expect("a producer");
    let mut out = std::io::stdout();
    for batch in 0_usize.. {
        let records = (0..BATCH).map(|n| Outgoing {
            topic: "trips".to_owned(),
            key: format!("{writer} {n}"),
            headers: Headers::new(),
            value: format!("{writer} {batch}").into_bytes(),
        });
        let records: Vec<_> = records.collect();
        let published = producer.publish(&records).await;
        assert!(published.error.is_none(), "{:?}", published.error);
        writeln!(out, "{writer} {batch}").expect("the parent process reads");
    }
}

async fn killed_writers_leave_no_gap() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bus.db");
    let log = open(&path).await;
    let topic = Topic { name: "trips", partitions: 3, compacted: false };
    log.create_topics(&[topic]).await.expect("a topic");
    // Joined before the writers start, so that it reads while they write and are killed.
    let mut consumer = log.consumer("g", &["trips"]).await.expect("a consumer");
    let threads: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let path = path.clone();
            std::thread::spawn(move || lives_of_a_writer(&path, writer))
        })
        .collect();
    let acknowledged: BTreeSet<String> = tokio::task::spawn_blocking(move || {
        let lives = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        lives.flatten().collect()
    })
    .await
    .expect("no panic");
    let states = log.partitions("g", &["trips"]).await.expect("states");
    let total = states.iter().map(|state| usize::try_from(state.high).expect("positive")).sum();
    let mut all = Vec::new();
    while all.len() < total {
        let received = tokio::time::timeout(Duration::from_mins(1), consumer.receive(1_000)).await;
        all.extend(received.expect("must not take that long").expect("records"));
    }
    check_records(&all, &acknowledged);
    check_integrity(&path).await;
}

/// Starts and kills a writer several times. Returns the batches that were acknowledged.
fn lives_of_a_writer(path: &Path, writer: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for life in 0..LIVES {
        let (mut child, out) = spawn(path, &format!("{writer}-{life}"));
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        acknowledged.extend(lines.by_ref().take(BATCHES));
        child.kill().expect("killed");
        // Lines that it printed until it was killed count as well.
        acknowledged.extend(lines);
        child.wait().expect("its end");
    }
    assert!(acknowledged.len() >= LIVES * BATCHES, "a writer failed by itself");
    acknowledged
}

fn spawn(path: &Path, writer: &str) -> (Child, ChildStdout) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .arg("write")
        .arg(path)
        .arg(writer)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let out = child.stdout.take().expect("piped");
    (child, out)
}

/// Checks that offsets have no gap, that no batch is there in part, and that no acknowledged batch is missing.
fn check_records(all: &[Incoming], acknowledged: &BTreeSet<String>) {
    let mut next = BTreeMap::new();
    let mut batches: BTreeMap<String, usize> = BTreeMap::new();
    for record in all {
        let expected = next.entry(record.partition).or_insert(0);
        assert_eq!(record.offset, *expected, "partition {}", record.partition);
        *expected += 1;
        let batch = String::from_utf8_lossy(&record.value).into_owned();
        *batches.entry(batch).or_default() += 1;
    }
    for (batch, records) in &batches {
        assert_eq!(*records, BATCH, "batch {batch} is there in part");
    }
    for batch in acknowledged {
        assert!(batches.contains_key(batch), "batch {batch} was acknowledged and is missing");
    }
}

async fn check_integrity(path: &Path) {
    use sqlx::Connection;
    let url = format!("sqlite://{}", path.display());
    let mut file = sqlx::SqliteConnection::connect(&url).await.expect("the file");
    let result: String =
        sqlx::query_scalar("pragma integrity_check").fetch_one(&mut file).await.expect("a result");
    assert_eq!(result, "ok");
}

async fn open(path: &Path) -> Log {
    let log = Log::open(path, "", LogOptions::default()).await;
    log.expect("the log opens")
}
