//! `--check-config` reports wrong settings, without connecting to any server.

use std::process::{Command, Output};

/// Checks the defaults, overridden by these environment variables, which are given without their prefix.
fn check(variables: &[(&str, &str)]) -> Output {
    let mut service = Command::new(env!("CARGO_BIN_EXE_quintet"));
    service.args(["service", "payment", "--check-config"]).env_clear();
    for (name, value) in variables {
        let prefix = if name.starts_with("OTEL_") { "" } else { "QUINTET_PAYMENT__" };
        service.env(format!("{prefix}{name}"), value);
    }
    service.output().expect("quintet can be started")
}

#[test]
fn the_defaults_are_fine() {
    let checked = check(&[]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[test]
fn a_setting_that_cannot_work_or_is_not_safe_is_refused_by_name() {
    let kafka = ("BUS__URL", "kafka:localhost:9092");
    let file = [("GATEWAY__URL", "file:///etc/passwd")];
    let tls = [("GATEWAY__URL", "https://gateway")];
    let unchecked = [kafka, ("KAFKA__ENABLE_SSL_CERTIFICATE_VERIFICATION", "false")];
    let no_bus = [("BUS__URL", "rabbit:localhost")];
    let no_database = [("DATABASE__URL", "mysql://localhost/payment")];
    let encrypted = [("DATABASE__URL", "postgres://me@localhost/payment?sslmode=require")];
    let grpc = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    let any_origin = [("CORS__ORIGINS", "[\"*\"]")];
    let one_port = [("LISTEN", "127.0.0.1:8182"), ("ADMIN_LISTEN", "127.0.0.1:8182")];
    let no_port = [("BUS__URL", "kafka:broker:99999")];
    let query = [("GATEWAY__URL", "http://gateway/?a=b#c")];
    let in_clear = [("GATEWAY__URL", "http://me:hunter2@gateway")];
    let broker = ("BUS__URL", "kafka:broker:9092");
    let to_broker = [
        broker,
        ("KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA__SASL_PASSWORD", "hunter2"),
    ];
    for (variables, named, only_without_tls) in [
        (&file[..], "gateway.url", false),
        (&tls, "gateway.url", true),
        (&unchecked, "kafka.enable.ssl.certificate.verification", false),
        (&no_bus, "bus.url", false),
        (&no_database, "database.url", false),
        (&encrypted, "database.url", true),
        (&grpc, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", false),
        (&any_origin, "cors.origins", false),
        (&one_port, "admin_listen", false),
        (&no_port, "bus.url", false),
        (&query, "gateway.url", false),
        (&in_clear, "gateway.url", false),
        (&to_broker, "kafka.security.protocol", false),
    ] {
        if only_without_tls && cfg!(feature = "tls") {
            continue;
        }
        let checked = check(variables);
        let stderr = String::from_utf8_lossy(&checked.stderr);
        assert_eq!(checked.status.code(), Some(64), "{variables:?}: {checked:?}");
        assert!(stderr.contains(named) && stderr.lines().count() == 1, "{variables:?}: {stderr}");
        assert!(stderr.matches(&format!("{named}:")).count() <= 1, "named twice: {stderr}");
    }
}

#[test]
fn errors_do_not_contain_secrets() {
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/errors_do_not_contain_secrets");
    std::fs::write(file, "hunter2:x:0\nhunter2 again\n").expect("the folder is writable");
    let kafka = ("BUS__URL", "kafka:localhost:9092");
    for variables in [
        &[kafka, ("KAFKA__LINGER_MS", "hunter2")][..],
        &[kafka, ("KAFKA__SSL_KEY_PEM", "hunter2")],
        &[kafka, ("KAFKA__SASL_MECHANISMS_FILE", file), ("KAFKA__SECURITY_PROTOCOL", "x")],
        &[("BUS__URL", "amqp:me:hunter2@broker:9092")],
        &[("BUS__URL_FILE", file)],
        &[("BUS__PARTITIONS_FILE", file)],
        &[("GATEWAY__URL", "http://me:hunter2@gateway:99999")],
        &[("GATEWAY__URL", "ftp://me:hunter2@gateway")],
        &[("GATEWAY__URL_FILE", file)],
        &[("CORS__ORIGINS", "[\"https://me:hunter2@shop.example\"]")],
        &[("DATABASE__URL", "mysql://h/d?user=u&password=hunter2&x=y")],
        &[("DATABASE__URL", "host=h user=u password=hunter2")],
        &[("DATABASE__URL", "postgres://h/d?user=u&password=hunter2&x=y")],
        &[("DATABASE__URL_FILE", file)],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://u:hunter2@x")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "u:hunter2@x")],
    ] {
        let checked = check(variables);
        let stderr = String::from_utf8_lossy(&checked.stderr);
        assert_eq!(checked.status.code(), Some(64), "{variables:?}: {checked:?}");
        assert!(!stderr.contains("hunter2"), "{variables:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{variables:?}: {stderr}");
    }
}
