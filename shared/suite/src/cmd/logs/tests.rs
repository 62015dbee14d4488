use super::*;
use std::fs;

const ID: &str = "01a1fe42-9258-7ba5-b604-8abaca0e01a8";

fn logs(services: &[&str], tail: usize) -> Logs {
    let services = services.iter().map(|name| Component::named(name)).collect();
    Logs { services, follow: false, aggregate: None, tail }
}

fn line(second: u8, text: &str) -> String {
    format!("2026-01-01T00:00:{second:02}Z  INFO {text}\n")
}

/// A directory with the logs of two services of the manifest, a replica, and a service that the manifest does not have.
fn written(temp: &std::path::Path) -> DataDir {
    let dir = DataDir::at(temp).unwrap();
    fs::create_dir(temp.join("logs")).unwrap();
    for (name, text) in [
        ("booking", line(1, "a") + &line(4, "b")),
        ("flights", line(2, "c") + &line(3, ID) + &line(5, "d")),
        ("flights-2", line(6, "e")),
        ("loyalty", line(7, "f")),
    ] {
        fs::write(temp.join("logs").join(format!("{name}.log")), text).unwrap();
    }
    dir
}

fn shown(logs: &Logs, dir: &DataDir, about: Option<&About>) -> Vec<String> {
    let known = processes(&Session::of_test(dir.path()), dir).unwrap();
    let wanted = logs.wanted(&known).unwrap();
    let mut files: Vec<LogFile> = wanted.iter().map(|it| LogFile::of(*it, dir)).collect();
    let lines = merged(logs.newest(&mut files, about).unwrap());
    lines.map(|line| line.unwrap().text.split_off(27)).collect()
}

#[test]
fn the_logs_of_all_processes_are_merged() {
    let temp = tempfile::tempdir().unwrap();
    let dir = written(temp.path());
    assert_eq!(shown(&logs(&[], 0), &dir, None), ["a", "c", ID, "b", "d", "e", "f"]);
    assert_eq!(shown(&logs(&[], 1), &dir, None), ["b", "d", "e", "f"]);
    assert_eq!(shown(&logs(&["flights"], 2), &dir, None), [ID, "d", "e"]);
    assert_eq!(shown(&logs(&["flights-2", "loyalty"], 0), &dir, None), ["e", "f"]);
    let about = About::new(Id::parse(ID).unwrap());
    assert_eq!(shown(&logs(&[], 1), &dir, Some(&about)), [ID]);
    assert_eq!(shown(&logs(&[], 0), &dir, Some(&about)), [ID]);
}

#[tokio::test]
async fn an_unknown_service_and_missing_logs_are_one_line() {
    let temp = tempfile::tempdir().unwrap();
    let error =
        async |logs: Logs| logs.run(&Session::of_test(temp.path())).await.unwrap_err().to_string();
    let none = error(logs(&[], 1)).await;
    assert!(none.starts_with("there are no logs in ") && none.contains("up --data"), "{none}");
    written(temp.path());
    let unknown = error(logs(&["hotels"], 1)).await;
    let expected = "there is no hotels in this suite: \
                    give one of booking, flights, airline, loyalty";
    assert_eq!(unknown, expected);
    let wrong = error(Logs { aggregate: Some("7".to_owned()), ..logs(&[], 1) }).await;
    assert!(wrong.starts_with("7 is no id"), "{wrong}");
}

#[test]
fn json_has_the_record_or_the_line() {
    let line = |text: &str| {
        let process = Component::named("booking").into();
        json(&Line { process, at: jiff::Timestamp::UNIX_EPOCH, text: text.to_owned() })
    };
    assert_eq!(line("{\"a\":1}"), json!({"process": "booking", "record": {"a": 1}}));
    assert_eq!(line("text"), json!({"process": "booking", "line": "text"}));
    assert_eq!(line("7"), json!({"process": "booking", "line": "7"}));
}
