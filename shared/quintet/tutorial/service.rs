use std::{collections::BTreeMap, sync::Arc};

/// The settings that only printer has.
#[derive(Debug, Deserialize)]
pub struct Config {
    press: BTreeMap<String, String>,
}

impl Service for Printer {
    const CONFIG: &'static str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tutorial/config.toml"));
    type Config = Config;

    fn open(config: &Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        let url = quintet::provider_url(&config.press["url"])?;
        Ok((Self, Arc::new(Press { client: quintet::client()?, url })))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("tutorial/migrations")
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Ticket>::listed()]
    }
}
