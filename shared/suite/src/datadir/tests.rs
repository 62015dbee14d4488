use super::*;
use crate::manifest::tests::trip;

#[test]
fn wiping_deletes_the_files_of_a_suite_and_no_others() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    dir.create(trip()).unwrap();
    let suites = [
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
    let others = ["mine.db", "booking.db.bak", "booking.dbx", "notes.txt", "logs/other.log"];
    for name in suites.iter().chain(&others) {
        fs::write(temp.path().join(name), "x").unwrap();
    }
    dir.wipe(trip()).unwrap();
    for name in suites {
        assert!(!temp.path().join(name).exists(), "{name} is still there");
    }
    for name in others {
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
fn a_path_that_a_url_cannot_contain_is_refused() {
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
        let error = dir.create(trip()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("/etc/passwd"), "{error}");
        fs::remove_file(link).unwrap();
    }
    // A link that has no name of a suite's file does no harm.
    std::os::unix::fs::symlink("/etc/passwd", temp.path().join("mine")).unwrap();
    dir.create(trip()).unwrap();
}

#[test]
fn the_control_socket_is_below_the_temporary_folder_if_its_path_would_be_too_long() {
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
