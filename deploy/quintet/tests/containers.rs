//! The files of the suite in containers: what they say fits the command, and what they publish is on loopback.

use quintet_suite::{Manifest, Ports, Suite};

#[test]
fn the_suite_in_containers_is_described_for_its_host_too() {
    let text = include_str!("../../compose/host/up.json");
    let suite: Suite = serde_json::from_str(text).unwrap();
    let text = testkit::only_services(include_str!("../../../suite.toml"), &audit::SERVICES);
    let manifest = Manifest::built_in(&text).unwrap();
    let manifest: &'static Manifest = Box::leak(Box::new(manifest));
    let ports = Ports::of(manifest, None).unwrap();
    for service in manifest.services() {
        let described = &suite.services[&service];
        assert_eq!(described.url, format!("http://{}", ports.public(service)));
        assert_eq!(described.admin_url, format!("http://{}", ports.admin(service)));
    }
    let sandbox = manifest.providers[0].name;
    assert_eq!(suite.url(sandbox), format!("http://{}", ports.public(sandbox)));
}

#[test]
fn containers_publish_their_ports_on_loopback_unless_told_otherwise() {
    let loopback = ["127.0.0.1:", "${PUBLISH_ADDRESS:-127.0.0.1}:"];
    let files = [include_str!("../../compose.yaml"), include_str!("../../compose/chaos.yaml")];
    for (file, least) in files.into_iter().zip([7, 5]) {
        let lists = file.split("ports: [").skip(1).map(|rest| rest.split(']').next().unwrap());
        let ports: Vec<&str> = lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect();
        assert!(ports.len() >= least, "{ports:?}");
        for port in ports {
            assert!(loopback.iter().any(|address| port.starts_with(address)), "{port}");
        }
        assert!(!file.contains("ports:\n"), "this test reads lists on one line");
    }
}
