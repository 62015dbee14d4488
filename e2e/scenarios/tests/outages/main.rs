//! Servers that are down for long, services that are cut off, and full disks. No accepted order is lost, and the suite recovers
//! by itself.
//!
//! Outages last ten seconds. `QUINTET_TEST_OUTAGE=600` makes them ten minutes.

mod away;
mod cut_off;
mod full;
mod small_disk;
mod steady;

use std::{fs, process::ExitCode};

use scenarios::{Backend, Options, Scenarios, scenarios};

use small_disk::SmallDisk;
use tempfile::NamedTempFile;

/// How many scenarios run at a time. Each keeps the machine busy.
const AT_ONCE: usize = 2;
/// The size of a disk that has room for order's database, its log, and little more.
const DISK_MIB: u32 = 8;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    let limit = NamedTempFile::new().expect("a file");
    fs::write(&limit, full::SMALL).expect("a file");
    let limited = Options::on(&Backend::Files).env(full::LIMIT, &limit.path().to_string_lossy());
    scenarios!(all.alone(limited): full::orders_are_refused_at_the_limit_until_it_is_raised);
    let disk = SmallDisk::of_mib(DISK_MIB);
    if let Some(disk) = &disk {
        let url = format!("sqlite:{}", disk.path().join("order.db").display());
        let small_disk = Options::on(&Backend::Files).env("QUINTET_ORDER__DATABASE__URL", &url);
        scenarios!(all.alone(small_disk): full::the_service_survives_a_full_disk);
        for backend in Backend::all().into_iter().filter(|backend| *backend != Backend::Files) {
            scenarios!(all.alone(Options::on(&backend)):
                full::the_service_survives_a_full_tablespace,
            );
        }
    } else {
        eprintln!(
            "left out: scenarios with a full disk, because this user may not mount a small one"
        );
    }
    if let Some(backend) = Backend::own_broker() {
        let options = || Options::on(&backend).behind_proxies();
        scenarios!(all.alone(options()):
            away::the_broker_and_then_postgres_are_down_under_steady_orders,
            cut_off::connections_of_a_service_are_closed_for_longer_than_its_session,
            cut_off::packets_of_a_service_are_held_back_for_longer_than_its_session,
        );
    }
    all.run(AT_ONCE)
}
