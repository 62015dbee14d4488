//! Opens the bus of a suite, for commands that read it or change the offsets of groups.

use crate::datadir::DataDir;
use crate::session::Session;
use crate::suite::Suite;
use anyhow::{Context, Result, bail};
use bus::{Bus, Settings};
use clap::Args;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The options that name the bus. Without them it is the bus of the suite on the data directory.
#[derive(Debug, Default, Args)]
pub struct BusArgs {
    /// The bus: kafka:HOST:PORT[,HOST:PORT…] or log:PATH; by default that of the suite in --data
    #[arg(long, value_name = "URL")]
    bus: Option<String>,
    /// What stands before the names of topics and groups, with --bus
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    namespace: String,
    /// A setting of librdkafka, such as security.protocol=SASL_SSL; several times for several
    #[arg(long = "kafka", value_name = "NAME=VALUE", value_parser = setting)]
    kafka: Vec<Setting>,
}

/// The URL of a bus, and the prefix of the names of topics and groups.
struct BusAddress {
    url: String,
    namespace: String,
}

/// A setting of librdkafka.
#[derive(Clone, Debug)]
struct Setting {
    name: String,
    value: String,
}

impl BusArgs {
    /// Opens the bus. A Kafka broker is not contacted yet.
    ///
    /// # Errors
    /// If no option and no suite names a bus, or it cannot be opened.
    pub(crate) async fn open(&self, session: &Session) -> Result<Arc<dyn Bus>> {
        let BusAddress { url, namespace } = self.address(&session.dir()?)?;
        if let Some(path) = url.strip_prefix("log:")
            && !Path::new(path).is_file()
        {
            bail!("{url}: there is no such file");
        }
        let settings =
            self.kafka.iter().map(|setting| (setting.name.clone(), setting.value.clone()));
        let kafka: BTreeMap<String, String> = settings.collect();
        let client = session.manifest.name.clone();
        bus::connect(&Settings { url, namespace, client, kafka }).await.context("the bus")
    }

    /// The bus that the options name, else that of the suite on the directory, else the log in the directory.
    fn address(&self, dir: &DataDir) -> Result<BusAddress> {
        let namespace = self.namespace.clone();
        if let Some(url) = &self.bus {
            return Ok(BusAddress { url: url.clone(), namespace });
        }
        if let Some(suite) = Suite::read(dir)?.filter(|suite| !suite.bus.url.is_empty()) {
            return Ok(BusAddress { url: suite.bus.url, namespace: suite.bus.namespace });
        }
        if dir.bus().is_file() {
            return Ok(BusAddress { url: format!("log:{}", dir.bus().display()), namespace });
        }
        let shown = dir.shown().display();
        bail!(
            "nothing in {shown} says which bus: name it by --bus kafka:HOST:PORT or --bus log:PATH"
        )
    }
}

fn setting(text: &str) -> Result<Setting, String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or_else(|| "give NAME=VALUE".to_owned())?;
    Ok(Setting { name: name.to_owned(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::tests::ELSEWHERE;

    #[test]
    fn the_bus_is_the_named_one_else_the_suites_else_the_log_in_the_directory() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path()).unwrap();
        let url = |args: &BusArgs| args.address(&dir).map(|bus| bus.url);
        let error = url(&BusArgs::default()).unwrap_err().to_string();
        assert!(error.contains("--bus kafka:HOST:PORT"), "{error}");

        std::fs::write(dir.bus(), "").unwrap();
        let log = format!("log:{}", dir.bus().display());
        assert_eq!(url(&BusArgs::default()).unwrap(), log);

        std::fs::write(dir.suite_file(), ELSEWHERE).unwrap();
        assert_eq!(url(&BusArgs::default()).unwrap(), "kafka:kafka:9092");

        let named = BusArgs { bus: Some("log:/b".to_owned()), ..BusArgs::default() };
        assert_eq!(url(&named).unwrap(), "log:/b");
    }

    #[test]
    fn a_setting_has_a_name_and_a_value() {
        assert_eq!(setting("sasl.password=a=b").unwrap().value, "a=b");
        assert!(setting("x").is_err() && setting("=x").is_err());
    }

    #[tokio::test]
    async fn a_log_that_does_not_exist_is_not_created() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("bus.db");
        let args = BusArgs { bus: Some(format!("log:{}", path.display())), ..BusArgs::default() };
        let session = Session::of_test(temp.path());
        let error = args.open(&session).await.err().unwrap().to_string();
        assert!(error.contains("no such file") && !path.exists(), "{error}");
    }
}
