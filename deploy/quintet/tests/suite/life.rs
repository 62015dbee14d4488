//! `quintet up`, `stop` and `start` with processes: starts, deaths and restarts of programs, and the files of a suite.

use crate::fake::{self, FakeSuite, PROGRAMS, alive, kill_9, text, until};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

#[tokio::test]
async fn up_starts_everything_lists_demo_products_and_ends_with_its_leash() {
    let suite = FakeSuite::new();
    let mut up = suite.running().await;

    let report: Value = serde_json::from_str(&up.stdout()).unwrap();
    assert_eq!(report, suite.up_json());
    assert_eq!(report["order"]["url"], format!("http://127.0.0.1:{}", suite.port));
    assert_eq!(report["bus"]["kind"], "log");
    assert_eq!(report["pid"], up.child.id());
    for program in PROGRAMS {
        assert_eq!(report[program]["pid"], suite.pids(program)[0], "{program}");
    }
    let listed: Vec<String> = suite.state.lock().unwrap().products.iter().cloned().collect();
    assert_eq!(listed, ["kettle", "lamp", "mug", "tea"]);
    let keys = suite.state.lock().unwrap().stock_keys.clone();
    assert_eq!(keys, ["demo-mug", "demo-tea", "demo-kettle", "demo-lamp"]);

    drop(up.child.stdin.take());
    assert_eq!(up.ended().await, Some(0));
    for program in PROGRAMS {
        assert!(!alive(suite.pids(program)[0]), "{program} is still there");
    }
    assert!(!suite.data().join("up.json").exists());
}

#[tokio::test]
async fn a_stopped_service_stays_down_until_it_is_started() {
    let suite = FakeSuite::new();
    let up = suite.running().await;
    let first = suite.pids("payment")[0];

    let stopped = suite.run(&["stop", "payment"]).await;
    assert_eq!(text(&stopped.stdout), "payment is stopped\n");
    assert!(!alive(first));
    assert_eq!(suite.up_json()["payment"]["pid"], Value::Null);
    assert_eq!(suite.up_json()["payment"]["replicas"][0]["pid"], Value::Null);

    let started = suite.run(&["start", "payment", "--json"]).await;
    let status: Value = serde_json::from_slice(&started.stdout).unwrap();
    until("payment runs again", || suite.pids("payment").len() == 2).await;
    assert_eq!(status["payment"]["pid"], suite.pids("payment")[1]);
    assert_eq!(suite.up_json()["payment"], status["payment"]);
    assert!(!up.stderr().contains("died"), "{}", up.stderr());
}

#[tokio::test]
async fn a_program_that_dies_is_restarted_with_a_warning() {
    let suite = FakeSuite::new();
    let up = suite.running().await;
    kill_9(suite.pids("shipping")[0]);
    until("shipping runs again", || suite.pids("shipping").len() == 2).await;
    let warning = "quintet: shipping died (signal 9), restarting in 0.1 s; see ";
    assert!(up.stderr().contains(warning), "{}", up.stderr());
    assert_eq!(suite.up_json()["shipping"]["pid"], suite.pids("shipping")[1]);
}

#[tokio::test]
async fn a_service_that_refuses_to_run_is_left_down_until_it_is_started_again() {
    let suite = FakeSuite::new();
    let up = suite.running().await;
    suite.state.lock().unwrap().not_ready.insert("payment");
    suite.let_exit("payment", 64);
    kill_9(suite.pids("payment")[0]);
    until("payment refuses", || up.stderr().contains("payment refuses to run")).await;
    assert!(up.stderr().contains("logs/payment.log"), "{}", up.stderr());
    assert_eq!(suite.up_json()["payment"]["pid"], Value::Null);

    let started = suite.run(&["start", "payment"]).await;
    assert_eq!(started.status.code(), Some(1));
    let stderr = text(&started.stderr);
    assert!(stderr.starts_with("quintet: payment refuses to run (exit code 64)"), "{stderr}");
    assert!(stderr.contains("the data is wrong"), "{stderr}");

    fs::remove_file(suite.temp.path().join("payment.exit")).unwrap();
    suite.state.lock().unwrap().not_ready.clear();
    assert!(suite.run(&["start", "payment"]).await.status.success());
}

#[tokio::test]
async fn a_service_that_refuses_at_the_start_ends_the_suite_with_its_log() {
    let suite = FakeSuite::new();
    suite.let_exit("inventory", 64);
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    let stderr = up.stderr();
    assert!(
        stderr.contains("inventory refuses to run") && stderr.contains("the data is wrong"),
        "{stderr}"
    );
    for pid in suite.pids("order") {
        assert!(!alive(pid));
    }
    assert!(!suite.data().join("up.json").exists());
}

#[tokio::test]
async fn children_end_with_a_killed_launcher_and_the_next_one_takes_over() {
    let suite = FakeSuite::new();
    let mut up = suite.running().await;
    up.kill();
    let stopped = suite.run(&["stop", "payment"]).await;
    assert_eq!(stopped.status.code(), Some(1));
    let stderr = text(&stopped.stderr);
    assert!(stderr.starts_with("quintet: no suite is running on "), "{stderr}");
    assert!(stderr.contains("start a suite with `quintet up --data "), "{stderr}");
    suite.stop_serving().await;

    let next = suite.up(&[]);
    suite.until_all_ran(2).await;
    for program in PROGRAMS {
        assert!(!alive(suite.pids(program)[0]), "{program} of the killed suite is still there");
    }
    suite.serve().await;
    until("up is ready", || next.stdout().ends_with('\n')).await;
    assert!(next.stdout().starts_with("Quintet is up, on the log and SQLite."));
}

#[tokio::test]
async fn a_second_suite_on_the_same_directory_is_refused() {
    let suite = FakeSuite::new();
    let up = suite.running().await;
    let second = suite.run(&["up"]).await;
    assert_eq!(second.status.code(), Some(1));
    let stderr = text(&second.stderr);
    assert!(stderr.contains("is in use by another `quintet up`"), "{stderr}");
    assert!(stderr.contains(&format!("pid {}", up.child.id())), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

#[tokio::test]
async fn a_taken_port_is_named_before_anything_starts() {
    let suite = FakeSuite::new();
    let _held = std::net::TcpListener::bind(("127.0.0.1", suite.port + 3)).unwrap();
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    let stderr = up.stderr();
    assert!(stderr.contains(&format!("port {} for shipping: ", suite.port + 3)), "{stderr}");
    assert!(stderr.contains("--port") && suite.pids("order").is_empty(), "{stderr}");
}

#[tokio::test]
async fn a_service_without_a_program_is_named_before_anything_starts() {
    let suite = FakeSuite::new();
    let file = suite.temp.path().join("suite.toml");
    let manifest = fs::read_to_string(&file).unwrap();
    let add_service = |start: &str| {
        let service = "\n[[services]]\nname = \"fraud\"\nport = 8086\n";
        fs::write(&file, format!("{manifest}{service}{start}")).unwrap();
    };
    for (start, expected) in [
        ("", "this program cannot be fraud: say by `start` in the suite's file"),
        ("start = [\"bin/fraud\"]", "bin/fraud is missing: build it"),
        ("strat = []", "suite.toml: services[5].strat: unknown field"),
    ] {
        add_service(start);
        let mut up = suite.up(&[]);
        assert_eq!(up.ended().await, Some(1));
        let stderr = up.stderr();
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{stderr}");
    }
    assert!(suite.pids("order").is_empty());
}

#[tokio::test]
async fn up_fresh_deletes_the_suites_files_and_no_others() {
    let suite = FakeSuite::new();
    let data = suite.data();
    fs::create_dir_all(data.join("logs")).unwrap();
    for name in ["order.db", "bus.db-wal", "logs/order.log", "mine.txt"] {
        fs::write(data.join(name), "old").unwrap();
    }
    let up = suite.up(&["--fresh"]);
    suite.until_all_ran(1).await;
    let expected = ["control.sock", "logs", "mine.txt", "up.json", "up.lock"].map(str::to_owned);
    assert_eq!(fake::names(&data), expected.into());
    let log = fs::read_to_string(data.join("logs/order.log")).unwrap();
    assert_eq!(log, format!("order runs on 127.0.0.1:{}\n", suite.port));
    drop(up);
}

#[tokio::test]
async fn only_the_user_can_enter_the_data_directory_and_the_control_socket() {
    let suite = FakeSuite::new();
    let data = suite.data();
    fs::create_dir_all(data.join("logs")).unwrap();
    for folder in [&data, &data.join("logs")] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    let up = suite.running().await;
    let mode = |name: &str| fs::symlink_metadata(data.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode(""), mode("logs")), (0o700, 0o700));
    let files = ["control.sock", "up.json", "up.lock", "logs/order.log"];
    assert_eq!(files.map(mode), [0o600; 4]);
    let stderr = up.stderr();
    assert!(stderr.contains("other users could enter data (mode 755)"), "{stderr}");
    // The programs inherit the file mode mask.
    let inherited = fs::metadata(suite.temp.path().join("order.pids")).unwrap();
    assert_eq!(inherited.mode() & 0o777, 0o600);

    let file = suite.up_json();
    let socket = file["control"].as_str().unwrap();
    // The path is canonical because the folder of the tests may be reached through a symbolic link.
    assert_eq!(Path::new(socket), data.canonicalize().unwrap().join("control.sock"));
    drop(up);
}

#[tokio::test]
async fn a_symbolic_link_as_data_directory_or_in_it_is_refused_before_anything_starts() {
    let suite = FakeSuite::new();
    let elsewhere = suite.temp.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, suite.data()).unwrap();
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    assert!(up.stderr().contains("data is a symbolic link to "), "{}", up.stderr());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);

    fs::remove_file(suite.data()).unwrap();
    fs::create_dir(suite.data()).unwrap();
    let target = suite.temp.path().join("target");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, suite.data().join("order.db")).unwrap();
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    assert!(up.stderr().contains("data/order.db is a symbolic link to "), "{}", up.stderr());
    assert!(suite.pids("order").is_empty());
}

#[tokio::test]
async fn a_programs_environment_has_its_own_settings_and_no_other_programs() {
    let suite = FakeSuite::new();
    let secrets = [
        ("QUINTET_PAYMENT__GATEWAY__URL", "http://key:secret-of-payment@127.0.0.1:1"),
        ("QUINTET_NOTIFICATION__SMTP__PASSWORD", "secret-of-notification"),
        ("QUINTET_LOYALTY__DATABASE__URL", "secret-of-loyalty"),
    ];
    let up = suite.up_with(&[], &secrets);
    suite.until_all_ran(1).await;
    let environment = |program: &str| {
        fs::read_to_string(suite.temp.path().join(format!("{program}.env"))).unwrap()
    };
    for program in PROGRAMS {
        let environment = environment(program);
        for (name, secret) in secrets {
            let own = name.starts_with(&format!("QUINTET_{}__", program.to_uppercase()));
            assert_eq!(environment.contains(secret), own, "{program} and {name}");
        }
        let others = environment.lines().filter(|line| {
            let setting = line.strip_prefix("QUINTET_").and_then(|rest| rest.split_once("__"));
            setting.is_some_and(|(owner, _)| owner != program.to_uppercase())
        });
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new(), "{program}");
    }
    drop(up);
}

#[tokio::test]
async fn a_suite_is_found_from_a_sub_folder() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let deep = suite.temp.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    let orders = async |folder: &Path| {
        let mut command = tokio::process::Command::new(suite.temp.path().join("bin/quintet"));
        command.arg("orders").current_dir(folder).output().await.unwrap()
    };
    // A folder outside of the checkout, because the checkout may contain the data of a suite.
    let elsewhere = tempfile::tempdir().unwrap();
    let none = orders(elsewhere.path()).await;
    let error = "quintet: there is no directory .quintet: start a suite with `quintet up`\n";
    assert_eq!(text(&none.stderr), error);

    // The data directory gets its default name, and `up.json` the new path of the socket.
    let default = suite.temp.path().join(".quintet");
    let mut up_json = suite.up_json();
    up_json["control"] = default.join("control.sock").to_str().into();
    fs::rename(suite.data(), &default).unwrap();
    fs::write(default.join("up.json"), up_json.to_string()).unwrap();
    let found = orders(&deep).await;
    assert!(text(&found.stdout).starts_with("order  "), "{}", text(&found.stderr));
}

#[tokio::test]
async fn a_suite_whose_data_is_deleted_says_so_and_stops() {
    let suite = FakeSuite::new();
    let mut up = suite.running().await;
    fs::remove_dir_all(suite.data()).unwrap();
    // Another suite may start in the same place at once. Its files must be left alone.
    fs::create_dir(suite.data()).unwrap();
    fs::write(suite.data().join("up.json"), "of another suite").unwrap();
    assert_eq!(up.ended().await, Some(1));
    let stderr = up.stderr();
    assert!(stderr.contains("data was deleted or replaced while the suite ran"), "{stderr}");
    assert!(stderr.contains("`quintet up --data data` starts a new one"), "{stderr}");
    for program in PROGRAMS {
        assert!(!alive(suite.pids(program)[0]), "{program} is still there");
    }
    let up_json = fs::read_to_string(suite.data().join("up.json")).unwrap();
    assert_eq!(up_json, "of another suite");
}
