use super::*;
use crate::manifest::tests::trip;

#[test]
fn wiping_takes_what_a_suite_makes_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    dir.create(trip()).unwrap();
    let ours = [
        "booking.db",
        "booking.db-wal",
        "booking.db-shm",
        "airline.db",
        "bus.db",
        "bus.db.lock",
        "bus.db.wake",
        "bus.db.group-trip-booking.lock",
        "logs/flights.log",
        "logs/flights-3.log",
    ];
    let theirs = ["mine.db", "booking.db.bak", "booking.dbx", "notes.txt", "logs/other.log"];
    for name in ours.iter().chain(&theirs) {
        fs::write(temp.path().join(name), "x").unwrap();
    }
    dir.wipe(trip()).unwrap();
    for name in ours {
        assert!(!temp.path().join(name).exists(), "{name} is still there");
    }
    for name in theirs {
        assert!(temp.path().join(name).exists(), "{name} is gone");
    }
}

#[test]
fn a_second_lock_is_refused_with_the_holders_pid_until_the_first_is_dropped() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    let first = dir.lock().unwrap();
    let text = dir.lock().unwrap_err().to_string();
    assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
    drop(first);
    dir.lock().unwrap();
}

#[test]
fn a_path_that_a_url_cannot_hold_is_refused() {
    let text = DataDir::at(Path::new("what?")).unwrap_err().to_string();
    assert!(text.contains("what?") && text.contains("--data"), "{text}");
}

#[test]
fn a_link_in_the_place_of_a_file_of_the_suite_is_refused_with_its_name() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    dir.create(trip()).unwrap();
    for name in ["booking.db", "bus.db-wal", "up.lock", "logs/flights.log", "control.sock"] {
        let link = temp.path().join(name);
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        let said = dir.create(trip()).unwrap_err().to_string();
        assert!(said.contains(name) && said.contains("/etc/passwd"), "{said}");
        fs::remove_file(link).unwrap();
    }
    // Other files there are none of ours.
    std::os::unix::fs::symlink("/etc/passwd", temp.path().join("mine")).unwrap();
    dir.create(trip()).unwrap();
}

#[test]
fn the_control_socket_lies_elsewhere_where_its_path_would_be_too_long() {
    let short = DataDir::at(Path::new("/d")).unwrap();
    assert_eq!(short.control_socket(), Path::new("/d/control.sock"));
    let long = DataDir::at(&Path::new("/").join("x".repeat(100))).unwrap();
    let (socket, other) =
        (long.control_socket(), DataDir::at(&Path::new("/").join("y".repeat(100))));
    assert!(socket.starts_with(std::env::temp_dir()) && socket.ends_with("control.sock"));
    assert_eq!(socket, long.control_socket());
    assert_ne!(socket, other.unwrap().control_socket());
}

#[test]
fn only_a_chosen_directory_is_an_argument_and_a_space_is_quoted() {
    let chosen = DataDir::at(Path::new("my data")).unwrap();
    assert_eq!(chosen.argument(), " --data 'my data'");
    assert_eq!(DataDir::find(None).unwrap().argument(), "");
}
