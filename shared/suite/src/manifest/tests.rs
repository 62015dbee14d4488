use super::*;
use std::path::Path;

pub(crate) const TRIP: &str = r#"
name = "trip"

[topics]
partitions = 6

[[services]]
name = "booking"
port = 9000

[[services]]
name = "flights"
port = 9001
admin_port = 9109
start = ["bin/flights", "--quick"]
settings = { "airline.url" = "{airline.url}/v1", "smtp.url" = "{airline.smtp}" }

[[providers]]
name = "airline"
port = 9010
ports = { smtp = 9011 }
"#;

/// The manifest above, for the tests of other modules.
pub(crate) fn trip() -> &'static Manifest {
    Box::leak(Box::new(Manifest::built_in(TRIP).unwrap()))
}

fn refused(text: &str) -> String {
    Manifest::built_in(text).unwrap_err().to_string()
}

#[test]
fn a_manifest_lists_the_parts_of_a_suite() {
    let trip = Manifest::built_in(TRIP).unwrap();
    let names: Vec<&str> = trip.components().map(Component::name).collect();
    assert_eq!(names, ["booking", "flights", "airline"]);
    assert_eq!(trip.services.iter().map(Service::admin_port).collect::<Vec<_>>(), [9100, 9109]);
    assert_eq!((trip.first_port(), trip.topics.partitions), (9000, Some(6)));
    assert_eq!(trip.group("booking"), "trip-booking");
    let members: Vec<String> = trip.members(2).map(|member| member.to_string()).collect();
    assert_eq!(members, ["booking", "booking-2", "flights", "flights-2", "airline"]);
}

#[test]
fn this_program_runs_a_component_unless_the_manifest_names_another() {
    let trip = Manifest::parse("suite.toml", TRIP, Path::new("/saga")).unwrap();
    let start = |name| trip.start(Component::named(name), Path::new("/bin/trip"));
    let booking = start("booking");
    assert_eq!((booking.called.as_str(), &booking.program), ("trip", &"/bin/trip".into()));
    assert_eq!(booking.arguments, ["service", "booking"]);
    assert_eq!(start("airline").arguments, ["provider", "airline"]);
    let flights = start("flights");
    assert_eq!(flights.program, Path::new("/saga/bin/flights"));
    assert_eq!(flights.arguments, ["--quick"]);
}

#[test]
fn a_fault_is_reported_in_one_line_with_file_key_and_fix() {
    let with = |from: &str, to: &str| refused(&TRIP.replace(from, to));
    for (error, expected) in [
        (with("port = 9001", "prot = 9001"), "suite.toml: services[1].prot: unknown field"),
        (with("port = 9001", "port = \"x\""), "suite.toml: services[1].port: invalid type"),
        (
            with("port = 9001", "port = 9000"),
            "suite.toml: services[1].port: services[0].port has port 9000 too",
        ),
        (
            with("port = 9001", "port = 80"),
            "suite.toml: services[1].port: 80 lies before the first port",
        ),
        (
            with("flights\"\n", "booking\"\n"),
            "suite.toml: services[1].name: services[0] is called booking too",
        ),
        (with("flights\"\n", "bus\"\n"), "suite.toml: services[1].name: up.json has a key bus"),
        (with("\"trip\"", "\"My Trip\""), "suite.toml: name: \"My Trip\": use at most 32"),
        (with("{airline.url}", "{plane.url}"), "there is no {plane.url}: name a component"),
        (with("{airline.url}", "{airline}"), "{airline} names no listener: write {airline.url}"),
        (with("{airline.smtp}", "{airline.imap}"), "there is no {airline.imap}"),
        (with("{airline.url}", "{airline.url"), "has a `{` without `}`"),
        (with("partitions = 6", "partitions = 0"), "suite.toml: topics.partitions: give 1 or more"),
        (with("port = 9010", "port = 9010\nrows = \"held\""), "providers[0].rows: give a path"),
        (refused("name = \"x\"\nservices = []"), "suite.toml: services: there is none"),
        (refused("services = 1\nname"), "suite.toml: the file: "),
    ] {
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}\n{expected}");
    }
    let missing = Manifest::read(Path::new("/no/suite.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("--suite /no/suite.toml: No such file"), "{missing}");
}
