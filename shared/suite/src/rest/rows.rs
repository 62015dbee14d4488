//! The rows that services list at `/admin/rows`.

use super::Rest;
use crate::component::Component;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// The rows of one answer: enough for few answers, and not so many that one takes long.
const PAGE: usize = 2_000;

/// All rows of a suite, by the name of the service or provider that lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(BTreeMap<String, Vec<Value>>);

#[derive(Deserialize)]
struct Page<R> {
    rows: Vec<R>,
    next: Option<String>,
}

impl Rows {
    /// The rows of a table of a service or provider. A row is a JSON object with the table's columns.
    pub fn of<'a>(&'a self, service: &str, table: &'a str) -> impl Iterator<Item = &'a Value> {
        let rows = self.0.get(service).into_iter().flatten();
        rows.filter(move |row| row["table"] == table)
    }

    /// Adds a row of a service; for tests of invariants. Its member `table` names the table.
    pub fn add(&mut self, service: &str, row: Value) {
        self.0.entry(service.to_owned()).or_default().push(row);
    }
}

impl Rest {
    /// All rows of all services, and of the providers of [`Rest::with_providers`].
    ///
    /// # Errors
    /// Why a service or provider does not answer.
    pub async fn all_rows(&self) -> Result<Rows, String> {
        let mut all = Rows::default();
        for service in self.services.keys() {
            let rows = self.rows(*service).await?;
            all.0.insert(service.to_string(), rows);
        }
        for (provider, listing) in &self.listings {
            let rows = self.pages(*provider, listing).await?;
            all.0.insert(provider.to_string(), rows);
        }
        Ok(all)
    }

    /// The rows of a service.
    ///
    /// # Errors
    /// Why the service does not answer.
    pub async fn rows<R: DeserializeOwned>(&self, service: Component) -> Result<Vec<R>, String> {
        match self.services.get(&service).and_then(|replicas| replicas.first()) {
            Some(admin) => self.pages(service, &format!("{admin}/admin/rows")).await,
            None => Ok(Vec::new()),
        }
    }

    async fn pages<R: DeserializeOwned>(
        &self,
        component: Component,
        listing: &str,
    ) -> Result<Vec<R>, String> {
        let (mut rows, mut after) = (Vec::new(), String::new());
        loop {
            // The cursor needs no escaping: it consists of the name of a table and a key.
            let url = format!("{listing}?limit={PAGE}{after}");
            let page = match self.patient.get::<Page<R>>(&url).await {
                Ok(page) => page,
                Err(error) => return Err(self.why_silent(component.into(), &error).await),
            };
            rows.extend(page.rows);
            let Some(next) = page.next else { break };
            after = format!("&after={next}");
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Api;
    use crate::manifest::Manifest;
    use crate::suite::tests::suite;
    use axum::{Json, Router, routing::get};
    use serde_json::json;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_rows_of_a_provider_are_read_at_the_path_of_the_manifest() {
        let list = || async { Json(json!({"rows": [{"table": "seat", "id": 7}]})) };
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut suite = suite();
        suite.services.clear();
        let airline = suite.providers.get_mut(&Component::named("airline")).unwrap();
        airline.url = format!("http://{}", socket.local_addr().unwrap());
        let routes = Router::new().route("/seats", get(list));
        tokio::spawn(axum::serve(socket, routes).into_future());

        let text = "name = \"trip\"\n[[services]]\nname = \"booking\"\nport = 9000\n\
                    [[providers]]\nname = \"airline\"\nport = 9010\nrows = \"/seats\"\n";
        let manifest = Manifest::built_in(text).unwrap();
        let rest = Rest::of(&suite, Api::new().unwrap()).unwrap();
        let rows = rest.with_providers(&suite, &manifest).all_rows().await.unwrap();
        assert_eq!(rows.of("airline", "seat").count(), 1);
        assert_eq!(rows.of("airline", "room").count(), 0);
    }
}
