//! The bus of a suite, for commands that look at it or change what groups have read.

use crate::datadir::DataDir;
use crate::session::Session;
use crate::suite::Suite;
use anyhow::{Context, Result, bail};
use bus::{Bus, Settings};
use clap::Args;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Which bus. Without any of these it is the one that the suite on the data directory uses.
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

/// A setting of librdkafka.
#[derive(Clone, Debug)]
struct Setting {
    name: String,
    value: String,
}

impl BusArgs {
    /// Opens the bus; Kafka may be away.
    ///
    /// # Errors
    /// When nothing says which bus, or it cannot be opened.
    pub(crate) async fn open(&self, session: &Session) -> Result<Arc<dyn Bus>> {
        let (url, namespace) = self.place(&session.dir()?)?;
        if let Some(path) = url.strip_prefix("log:")
            && !Path::new(path).is_file()
        {
            bail!("{url}: there is no such file");
        }
        let settings = self.kafka.iter().map(|it| (it.name.clone(), it.value.clone()));
        let kafka: BTreeMap<String, String> = settings.collect();
        let client = session.manifest.name.clone();
        bus::connect(&Settings { url, namespace, client, kafka }).await.context("the bus")
    }

    /// Its URL and namespace.
    fn place(&self, dir: &DataDir) -> Result<(String, String)> {
        if let Some(url) = &self.bus {
            return Ok((url.clone(), self.namespace.clone()));
        }
        if let Some(suite) = Suite::read(dir)?.filter(|suite| !suite.bus.url.is_empty()) {
            return Ok((suite.bus.url, suite.bus.namespace));
        }
        if dir.bus().is_file() {
            return Ok((format!("log:{}", dir.bus().display()), self.namespace.clone()));
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
        let error = BusArgs::default().place(&dir).unwrap_err().to_string();
        assert!(error.contains("--bus kafka:HOST:PORT"), "{error}");

        std::fs::write(dir.bus(), "").unwrap();
        let (url, _) = BusArgs::default().place(&dir).unwrap();
        assert_eq!(url, format!("log:{}", dir.bus().display()));

        std::fs::write(dir.suite_file(), ELSEWHERE).unwrap();
        let (url, _) = BusArgs::default().place(&dir).unwrap();
        assert_eq!(url, "kafka:kafka:9092");

        let named = BusArgs { bus: Some("log:/b".to_owned()), ..BusArgs::default() };
        assert_eq!(named.place(&dir).unwrap().0, "log:/b");
    }

    #[test]
    fn a_setting_has_a_name_and_a_value() {
        assert_eq!(setting("sasl.password=a=b").unwrap().value, "a=b");
        assert!(setting("x").is_err() && setting("=x").is_err());
    }

    #[tokio::test]
    async fn a_log_that_is_not_there_is_not_made() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("bus.db");
        let args = BusArgs { bus: Some(format!("log:{}", path.display())), ..BusArgs::default() };
        let session = Session::of_test(temp.path());
        let error = args.open(&session).await.err().unwrap().to_string();
        assert!(error.contains("no such file") && !path.exists(), "{error}");
    }
}
