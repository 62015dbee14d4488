//! The files for containers: `up.json` has the ports of the manifest, and containers publish ports on loopback only.

use quintet_suite::{Manifest, Ports, Suite};

#[test]
fn the_hosts_up_json_has_the_ports_of_the_manifest() {
    let text = include_str!("../../compose/host/up.json");
    let suite: Suite = serde_json::from_str(text).unwrap();
    let text = testkit::only_services(include_str!("../../../suite.toml"), &audit::SERVICES);
    let manifest = Manifest::built_in(&text).unwrap();
    let manifest: &'static Manifest = Box::leak(Box::new(manifest));
    let ports = Ports::of(manifest, None).unwrap();
    for name in manifest.services() {
        let service = &suite.services[&name];
        assert_eq!(service.url, format!("http://{}", ports.public(name)));
        assert_eq!(service.admin_url, format!("http://{}", ports.admin(name)));
    }
    let sandbox = manifest.providers[0].name;
    assert_eq!(suite.url(sandbox), format!("http://{}", ports.public(sandbox)));
}

#[test]
fn containers_publish_their_ports_on_loopback_by_default() {
    let loopback = ["127.0.0.1:", "${PUBLISH_ADDRESS:-127.0.0.1}:"];
    let files = [include_str!("../../compose.yaml"), include_str!("../../compose/chaos.yaml")];
    for (file, least) in files.into_iter().zip([7, 5]) {
        let lists = file.split("ports: [").skip(1).map(|rest| rest.split(']').next().unwrap());
        let ports: Vec<&str> = lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect();
        assert!(ports.len() >= least, "{ports:?}");
        for port in ports {
            assert!(loopback.iter().any(|address| port.starts_with(address)), "{port}");
        }
        assert!(!file.contains("ports:\n"), "this test reads only lists on one line");
    }
}
