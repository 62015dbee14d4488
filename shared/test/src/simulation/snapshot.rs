use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use engine::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Environment, Publication};

/// Everything that is known of a run at one moment: what invariants are checked on.
pub struct Snapshot<'a, P, W> {
    pub(crate) environment: &'a Environment,
    pub(crate) providers: &'a P,
    pub(crate) workload: &'a W,
    pub(crate) rows: BTreeMap<&'static str, Vec<Value>>,
    pub(crate) statuses: BTreeMap<&'static str, Status>,
    pub(crate) published: Vec<Arc<Publication>>,
    /// So many of them had been published before the step.
    pub(crate) before: usize,
}

impl<'a, P, W> Snapshot<'a, P, W> {
    /// The clock, and the names that the story uses.
    #[must_use]
    pub fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// The outside world.
    #[must_use]
    pub fn providers(&self) -> &'a P {
        self.providers
    }

    /// What customers have asked for and heard.
    #[must_use]
    pub fn workload(&self) -> &'a W {
        self.workload
    }

    /// All rows that are known, each as its service lists it for operators, with the name of its `table`. At rest
    /// these are the rows of all services; after a batch, those of the service that applied it.
    pub fn rows(&self) -> impl Iterator<Item = &Value> {
        self.rows.values().flatten()
    }

    /// The rows of a table that are known.
    pub fn table<'s>(&'s self, table: &'s str) -> impl Iterator<Item = &'s Value> {
        self.rows().filter(move |row| row["table"] == table)
    }

    /// The rows of a service's table that are known, as `quintet_suite::rest::Rows::of` has them in an audit.
    pub fn of<'s>(&'s self, service: &str, table: &'s str) -> impl Iterator<Item = &'s Value> {
        let rows = self.rows.get(service).into_iter().flatten();
        rows.filter(move |row| row["table"] == table)
    }

    /// The rows of a table as a type of the saga's tests.
    ///
    /// # Errors
    /// If a row is not of this type; the text names the table.
    pub fn rows_of<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<T>, String> {
        let rows = self.table(table).map(|row| serde_json::from_value(row.clone()));
        rows.collect::<Result<_, _>>().map_err(|error| format!("a row of {table}: {error}"))
    }

    /// Where the queues of each service stand, by its name; at rest only.
    #[must_use]
    pub fn statuses(&self) -> &BTreeMap<&'static str, Status> {
        &self.statuses
    }

    /// The events that have reached the broker, repeats included, in order.
    pub fn published(&self) -> impl Iterator<Item = &Publication> {
        self.published.iter().map(Deref::deref)
    }

    /// Those of them that reached it in the last step.
    pub fn just_published(&self) -> impl Iterator<Item = &Publication> {
        self.published.iter().skip(self.before).map(Deref::deref)
    }
}
