//! What is away for long, cut off or full: nothing that was accepted is lost, and all goes on by itself.
//!
//! Outages last some seconds; `QUINTET_TEST_OUTAGE=600` makes it ten minutes.

mod away;
mod cut_off;
mod full;
mod small_disk;
mod steady;

use std::{fs, process::ExitCode};

use scenarios::{Backend, Options, Scenarios, scenarios};

use small_disk::SmallDisk;
use tempfile::NamedTempFile;

/// Each keeps the machine busy.
const AT_ONCE: usize = 2;
/// Room for order's database, its log, and little more.
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
        let on_it = Options::on(&Backend::Files).env("QUINTET_ORDER__DATABASE__URL", &url);
        scenarios!(all.alone(on_it): full::a_full_disk_is_waited_for);
        for backend in Backend::all().into_iter().filter(|backend| *backend != Backend::Files) {
            scenarios!(all.alone(Options::on(&backend)): full::a_full_tablespace_is_waited_for);
        }
    } else {
        eprintln!("left out: what needs a small disk, which this user may not mount");
    }
    if let Some(backend) = Backend::own_broker() {
        let options = || Options::on(&backend).behind_ways();
        scenarios!(all.alone(options()):
            away::the_broker_and_then_postgres_are_away_under_steady_orders,
            cut_off::a_service_whose_way_to_the_broker_is_cut_for_longer_than_its_session,
            cut_off::a_service_of_which_the_broker_hears_nothing_for_longer_than_its_session,
        );
    }
    all.run(AT_ONCE)
}
