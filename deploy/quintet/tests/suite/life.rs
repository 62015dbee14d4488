//! `quintet` with real processes: its life, its deaths, and what it leaves behind.

use crate::fake::{self, PROGRAMS, Suite, alive, kill_9, order_id, text, until};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

#[tokio::test]
async fn up_starts_everything_lists_demo_products_and_ends_with_its_leash() {
    let suite = Suite::new();
    let mut up = suite.running().await;

    let report: Value = serde_json::from_str(&up.stdout()).unwrap();
    assert_eq!(report, suite.up_json());
    assert_eq!(report["order"]["url"], format!("http://127.0.0.1:{}", suite.port));
    assert_eq!(report["bus"]["kind"], "log");
    assert_eq!(report["pid"], up.child.id());
    for program in PROGRAMS {
        assert_eq!(report[program]["pid"], suite.pids(program)[0], "{program}");
    }
    let listed: Vec<String> = suite.world.lock().unwrap().products.iter().cloned().collect();
    assert_eq!(listed, ["kettle", "lamp", "mug", "tea"]);
    let keys = suite.world.lock().unwrap().stock_keys.clone();
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
    let suite = Suite::new();
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
async fn what_dies_is_restarted_with_a_warning() {
    let suite = Suite::new();
    let up = suite.running().await;
    kill_9(suite.pids("shipping")[0]);
    until("shipping runs again", || suite.pids("shipping").len() == 2).await;
    let warning = "quintet: shipping died (signal 9), restarting in 0.1 s; see ";
    assert!(up.stderr().contains(warning), "{}", up.stderr());
    assert_eq!(suite.up_json()["shipping"]["pid"], suite.pids("shipping")[1]);
}

#[tokio::test]
async fn a_service_that_refuses_to_run_is_left_down_and_can_be_tried_again() {
    let suite = Suite::new();
    let up = suite.running().await;
    suite.world.lock().unwrap().not_ready.insert("payment");
    suite.let_exit("payment", 64);
    kill_9(suite.pids("payment")[0]);
    until("payment refuses", || up.stderr().contains("payment refuses to run")).await;
    assert!(up.stderr().contains("logs/payment.log"), "{}", up.stderr());
    assert_eq!(suite.up_json()["payment"]["pid"], Value::Null);

    let again = suite.run(&["start", "payment"]).await;
    assert_eq!(again.status.code(), Some(1));
    let said = text(&again.stderr);
    assert!(said.starts_with("quintet: payment refuses to run (exit code 64)"), "{said}");
    assert!(said.contains("the data is wrong"), "{said}");

    fs::remove_file(suite.temp.path().join("payment.exit")).unwrap();
    suite.world.lock().unwrap().not_ready.clear();
    assert!(suite.run(&["start", "payment"]).await.status.success());
}

#[tokio::test]
async fn a_service_that_refuses_at_the_start_ends_the_suite_with_its_log() {
    let suite = Suite::new();
    suite.let_exit("inventory", 64);
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    let said = up.stderr();
    assert!(
        said.contains("inventory refuses to run") && said.contains("the data is wrong"),
        "{said}"
    );
    for pid in suite.pids("order") {
        assert!(!alive(pid));
    }
    assert!(!suite.data().join("up.json").exists());
}

#[tokio::test]
async fn children_end_with_a_killed_launcher_and_the_next_one_takes_over() {
    let suite = Suite::new();
    let mut up = suite.running().await;
    up.kill();
    let stale = suite.run(&["stop", "payment"]).await;
    assert_eq!(stale.status.code(), Some(1));
    let said = text(&stale.stderr);
    assert!(said.starts_with("quintet: no suite is running on "), "{said}");
    assert!(said.contains("start a suite with `quintet up --data "), "{said}");
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
    let suite = Suite::new();
    let up = suite.running().await;
    let second = suite.run(&["up"]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains("is in use by another `quintet up`"), "{said}");
    assert!(said.contains(&format!("pid {}", up.child.id())), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[tokio::test]
async fn a_taken_port_is_named_before_anything_starts() {
    let suite = Suite::new();
    let _held = std::net::TcpListener::bind(("127.0.0.1", suite.port + 3)).unwrap();
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    let said = up.stderr();
    assert!(said.contains(&format!("port {} for shipping: ", suite.port + 3)), "{said}");
    assert!(said.contains("--port") && suite.pids("order").is_empty(), "{said}");
}

#[tokio::test]
async fn a_service_that_nothing_starts_is_named_before_anything_starts() {
    let suite = Suite::new();
    let file = suite.temp.path().join("suite.toml");
    let usual = fs::read_to_string(&file).unwrap();
    let more = |start: &str| {
        let service = "\n[[services]]\nname = \"fraud\"\nport = 8086\n";
        fs::write(&file, format!("{usual}{service}{start}")).unwrap();
    };
    for (start, expected) in [
        ("", "this program cannot be fraud: say by `start` in the suite's file"),
        ("start = [\"bin/fraud\"]", "bin/fraud is missing: build it"),
        ("strat = []", "suite.toml: services[5].strat: unknown field"),
    ] {
        more(start);
        let mut up = suite.up(&[]);
        assert_eq!(up.ended().await, Some(1));
        let said = up.stderr();
        assert!(said.contains(expected) && said.lines().count() == 1, "{said}");
    }
    assert!(suite.pids("order").is_empty());
}

#[tokio::test]
async fn fresh_begins_without_what_was_there() {
    let suite = Suite::new();
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
async fn the_data_directory_and_the_control_socket_are_the_users_alone() {
    let suite = Suite::new();
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
    let said = up.stderr();
    assert!(said.contains("other users could enter data (mode 755)"), "{said}");
    // The programs inherit the mask.
    let inherited = fs::metadata(suite.temp.path().join("order.pids")).unwrap();
    assert_eq!(inherited.mode() & 0o777, 0o600);

    let file = suite.up_json();
    let socket = file["control"].as_str().unwrap();
    // The folder of the tests may itself be reached through a link.
    assert_eq!(Path::new(socket), data.canonicalize().unwrap().join("control.sock"));
    drop(up);
}

#[tokio::test]
async fn a_data_directory_that_is_a_link_is_refused_before_anything_starts() {
    let suite = Suite::new();
    let elsewhere = suite.temp.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, suite.data()).unwrap();
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    assert!(up.stderr().contains("data is a symbolic link to "), "{}", up.stderr());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);

    fs::remove_file(suite.data()).unwrap();
    fs::create_dir(suite.data()).unwrap();
    let theirs = suite.temp.path().join("theirs");
    fs::write(&theirs, "").unwrap();
    std::os::unix::fs::symlink(&theirs, suite.data().join("order.db")).unwrap();
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    assert!(up.stderr().contains("data/order.db is a symbolic link to "), "{}", up.stderr());
    assert!(suite.pids("order").is_empty());
}

#[tokio::test]
async fn a_program_is_told_its_own_settings_and_no_other_programs() {
    let suite = Suite::new();
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
        let told = environment(program);
        for (name, secret) in secrets {
            let own = name.starts_with(&format!("QUINTET_{}__", program.to_uppercase()));
            assert_eq!(told.contains(secret), own, "{program} and {name}");
        }
        let others = told.lines().filter(|line| {
            let setting = line.strip_prefix("QUINTET_").and_then(|rest| rest.split_once("__"));
            setting.is_some_and(|(owner, _)| owner != program.to_uppercase())
        });
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new(), "{program}");
    }
    drop(up);
}

#[tokio::test]
async fn a_suite_is_found_from_a_sub_folder() {
    let suite = Suite::new();
    let _up = suite.running().await;
    let deep = suite.temp.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    let orders = async |folder: &Path| {
        let mut command = tokio::process::Command::new(suite.temp.path().join("bin/quintet"));
        command.arg("orders").current_dir(folder).output().await.unwrap()
    };
    // Not below the checkout, in which a suite may have run.
    let elsewhere = tempfile::tempdir().unwrap();
    let none = orders(elsewhere.path()).await;
    let said = "quintet: there is no directory .quintet: start a suite with `quintet up`\n";
    assert_eq!(text(&none.stderr), said);

    // The suite's own directory under the usual name: its socket moves along.
    let usual = suite.temp.path().join(".quintet");
    let mut file = suite.up_json();
    file["control"] = usual.join("control.sock").to_str().into();
    fs::rename(suite.data(), &usual).unwrap();
    fs::write(usual.join("up.json"), file.to_string()).unwrap();
    let found = orders(&deep).await;
    assert!(text(&found.stdout).starts_with("order  "), "{}", text(&found.stderr));
}

#[tokio::test]
async fn the_terminal_tells_which_orders_end_and_which_services_stop_and_start() {
    let suite = Suite::new();
    let up = suite.up(&["--json"]);
    suite.until_all_ran(1).await;
    suite.serve().await;
    until("up is ready", || up.stdout().ends_with('\n')).await;
    let listed = || suite.world.lock().unwrap().lists.len();
    until("up has looked for orders", || listed() > 0).await;
    assert!(!up.stderr().contains("order 0193"), "what ended before is no news: {}", up.stderr());

    suite.world.lock().unwrap().newer_open = 2;
    let seen = listed();
    until("up has seen them open", || listed() > seen + 1).await;
    {
        let mut world = suite.world.lock().unwrap();
        (world.newer_open, world.newer_ended) = (0, 2);
    }
    let told = |nth| format!("order {} cancelled in 20 ms: payment_declined\n", order_id(nth));
    until("both are told", || up.stderr().contains(&told(9))).await;
    assert!(up.stderr().contains(&told(8)), "{}", up.stderr());

    suite.run(&["stop", "payment"]).await;
    suite.run(&["start", "payment"]).await;
    until("payment runs again", || suite.pids("payment").len() == 2).await;
    let started = format!("payment stopped\npayment started (pid {})\n", suite.pids("payment")[1]);
    assert!(up.stderr().contains(&started), "{}", up.stderr());
    assert_eq!(up.stderr().matches(&told(9)).count(), 1);
}

#[tokio::test]
async fn quiet_says_nothing_of_orders_and_services() {
    let suite = Suite::new();
    let up = suite.running().await;
    suite.run(&["stop", "payment"]).await;
    assert!(!up.stderr().contains("payment stopped"), "{}", up.stderr());
    assert!(suite.world.lock().unwrap().lists.is_empty());
}

#[tokio::test]
async fn a_suite_whose_data_is_deleted_says_so_and_stops() {
    let suite = Suite::new();
    let mut up = suite.running().await;
    fs::remove_dir_all(suite.data()).unwrap();
    // Another suite may begin there at once: its files are left alone.
    fs::create_dir(suite.data()).unwrap();
    fs::write(suite.data().join("up.json"), "theirs").unwrap();
    assert_eq!(up.ended().await, Some(1));
    let said = up.stderr();
    assert!(said.contains("data was deleted or replaced while the suite ran"), "{said}");
    assert!(said.contains("`quintet up --data data` starts a new one"), "{said}");
    for program in PROGRAMS {
        assert!(!alive(suite.pids(program)[0]), "{program} is still there");
    }
    assert_eq!(fs::read_to_string(suite.data().join("up.json")).unwrap(), "theirs");
}
