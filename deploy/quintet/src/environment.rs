//! What each program is told by its environment. The user's own variables win, except over the
//! addresses, which the launcher must know.

use crate::datadir::DataDir;
use crate::ports::Ports;
use crate::program::{Member, Program};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

/// Everything that the programs' configuration is made of.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) dir: &'a DataDir,
    pub(crate) ports: Ports,
    /// One URL per service.
    pub(crate) databases: BTreeMap<Program, String>,
    pub(crate) bus_url: String,
    /// Prefix of topics, groups and databases; empty for none.
    pub(crate) namespace: String,
    /// Processes of each service.
    pub(crate) replicas: usize,
}

type Variables = Vec<(String, String)>;

/// The names of a listener that only this machine reaches. Under any other name a web page asks, whose own name was made
/// to point here.
const HOSTS: &str = r#"["localhost","127.0.0.1"]"#;

impl Plan<'_> {
    /// The variables that a program is started with on top of the launcher's own.
    pub(crate) fn variables(&self, member: Member) -> Variables {
        let mut variables = self.addresses(member);
        let defaults = self.defaults(member.program);
        variables.extend(defaults.into_iter().filter(|(name, _)| !is_set_by_user(name)));
        variables.push(("QUINTET_LEASH".to_owned(), "stdin".to_owned()));
        variables
    }

    /// Variables of the user's that have no effect here, with what has.
    pub(crate) fn ignored(&self) -> Vec<String> {
        let ours = Program::ALL.into_iter().flat_map(|program| self.addresses(program.into()));
        ours.filter(|(name, value)| env::var(name).is_ok_and(|theirs| theirs != *value))
            .map(|(name, value)| format!("{name} is ignored: `quintet up` sets it to {value}"))
            .collect()
    }

    fn addresses(&self, member: Member) -> Variables {
        let program = member.program;
        let listen = (program.variable("LISTEN"), self.ports.public(member).to_string());
        if program == Program::Sandbox {
            let data = self.dir.path().display().to_string();
            let smtp = self.ports.smtp().to_string();
            return vec![
                listen,
                (program.variable("SMTP"), smtp),
                (program.variable("DATA"), data),
            ];
        }
        let mut addresses = vec![
            listen,
            (program.variable("ADMIN_LISTEN"), self.ports.admin(member).to_string()),
            (program.variable("BUS__URL"), self.bus_url.clone()),
        ];
        if !self.namespace.is_empty() {
            addresses.push((program.variable("BUS__NAMESPACE"), self.namespace.clone()));
        }
        addresses
    }

    fn defaults(&self, program: Program) -> Variables {
        let mut defaults = Vec::new();
        if program != Program::Sandbox {
            defaults.push((program.variable("HTTP__HOSTS"), HOSTS.to_owned()));
        }
        if let Some(database) = self.databases.get(&program) {
            defaults.push((program.variable("DATABASE__URL"), database.clone()));
        }
        let sandbox = format!("http://{}", self.ports.public(Program::Sandbox));
        match program {
            Program::Payment => defaults.push((program.variable("GATEWAY__URL"), sandbox)),
            Program::Shipping => defaults.push((program.variable("CARRIER__URL"), sandbox)),
            Program::Notification => {
                defaults
                    .push((program.variable("SMTP__URL"), format!("smtp://{}", self.ports.smtp())));
            }
            Program::Order => {
                let products = format!("http://{}/products", self.ports.public(Program::Inventory));
                defaults.push((program.variable("PRODUCTS__URL"), products));
            }
            Program::Inventory | Program::Sandbox => {}
        }
        defaults
    }
}

/// The database that the user's environment gives a service, if it does.
///
/// # Errors
/// When `…_FILE` names a file that cannot be read.
pub(crate) fn users_database(service: Program) -> Result<Option<String>> {
    let name = service.variable("DATABASE__URL");
    if let Ok(url) = env::var(&name) {
        return Ok(Some(url));
    }
    let Ok(file) = env::var(format!("{name}_FILE")) else {
        return Ok(None);
    };
    let url = std::fs::read_to_string(&file)
        .with_context(|| format!("{name}_FILE: cannot read {file}"))?;
    Ok(Some(url.trim().to_owned()))
}

/// The variables of this process that configure other programs than this one: they may hold secrets, such as the URL of
/// a database with its password, which are none of this program's business.
pub(crate) fn of_others(program: Option<Program>) -> impl Iterator<Item = OsString> {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(move |name| name.to_str().is_some_and(|name| is_of_others(name, program)))
}

/// Settings are named `QUINTET_PROGRAM__KEY`.
fn is_of_others(name: &str, program: Option<Program>) -> bool {
    let own = program.is_some_and(|program| name.starts_with(&program.variable("")));
    let setting = name.strip_prefix("QUINTET_").is_some_and(|rest| rest.contains("__"));
    setting && !own
}

fn is_set_by_user(name: &str) -> bool {
    env::var_os(name).is_some() || env::var_os(format!("{name}_FILE")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn variables(program: Program, namespace: &str) -> BTreeMap<String, String> {
        let dir = DataDir::at(Path::new("/data")).unwrap();
        let databases = [(Program::Payment, "sqlite:/data/payment.db".to_owned())].into();
        let plan = Plan {
            dir: &dir,
            ports: Ports::from(9000),
            databases,
            bus_url: "log:/data/bus.db".to_owned(),
            namespace: namespace.to_owned(),
            replicas: 1,
        };
        plan.variables(program.into()).into_iter().collect()
    }

    #[test]
    fn a_service_is_told_its_addresses_database_bus_and_provider() {
        let found = variables(Program::Payment, "");
        let expected = [
            ("QUINTET_LEASH", "stdin"),
            ("QUINTET_PAYMENT__ADMIN_LISTEN", "127.0.0.1:9102"),
            ("QUINTET_PAYMENT__BUS__URL", "log:/data/bus.db"),
            ("QUINTET_PAYMENT__DATABASE__URL", "sqlite:/data/payment.db"),
            ("QUINTET_PAYMENT__GATEWAY__URL", "http://127.0.0.1:9010"),
            ("QUINTET_PAYMENT__HTTP__HOSTS", r#"["localhost","127.0.0.1"]"#),
            ("QUINTET_PAYMENT__LISTEN", "127.0.0.1:9002"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn a_setting_belongs_to_the_program_that_it_names() {
        let url = "QUINTET_PAYMENT__DATABASE__URL";
        assert!(!is_of_others(url, Some(Program::Payment)));
        assert!(is_of_others(url, Some(Program::Order)));
        assert!(is_of_others("QUINTET_LOYALTY__DATABASE__URL_FILE", Some(Program::Order)));
        assert!(is_of_others(url, None), "cargo needs none of them");
        for name in ["PATH", "QUINTET_LEASH", "OTEL_EXPORTER_OTLP_ENDPOINT", "TOKIO_WORKER_THREADS"]
        {
            assert!(!is_of_others(name, Some(Program::Order)), "{name}");
        }
    }

    #[test]
    fn mail_goes_to_the_sandbox_and_a_namespace_is_passed_on() {
        let found = variables(Program::Notification, "t1-");
        assert_eq!(found["QUINTET_NOTIFICATION__SMTP__URL"], "smtp://127.0.0.1:9011");
        assert_eq!(found["QUINTET_NOTIFICATION__BUS__NAMESPACE"], "t1-");
    }

    #[test]
    fn the_sandbox_is_told_where_to_listen_and_keep_its_ledger() {
        let found = variables(Program::Sandbox, "t1-");
        let expected = [
            ("QUINTET_LEASH", "stdin"),
            ("QUINTET_SANDBOX__DATA", "/data"),
            ("QUINTET_SANDBOX__LISTEN", "127.0.0.1:9010"),
            ("QUINTET_SANDBOX__SMTP", "127.0.0.1:9011"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
