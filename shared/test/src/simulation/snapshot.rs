//! The state of a run, on which invariants are checked.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use engine::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Environment, Publication};

/// The state of a run at one moment, on which invariants are checked.
pub struct Snapshot<'a, P, W> {
    pub(crate) environment: &'a Environment,
    pub(crate) providers: &'a P,
    pub(crate) workload: &'a W,
    pub(crate) rows: BTreeMap<&'static str, Vec<Value>>,
    pub(crate) statuses: BTreeMap<&'static str, Status>,
    pub(crate) published: Vec<Arc<Publication>>,
    /// How many of these events had been published before the last step.
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

    /// The workload, which knows the commands and answers of the customers.
    #[must_use]
    pub fn workload(&self) -> &'a W {
        self.workload
    }

    /// All rows of the snapshot, each as its service lists it for operators, with the name of its `table`. At rest these are
    /// the rows of all services; after a batch, those of the service that has applied it.
    pub fn rows(&self) -> impl Iterator<Item = &Value> {
        self.rows.values().flatten()
    }

    /// The rows of a table.
    pub fn table<'s>(&'s self, table: &'s str) -> impl Iterator<Item = &'s Value> {
        self.rows().filter(move |row| row["table"] == table)
    }

    /// The rows of a service's table, in the form of `quintet_suite::rest::Rows::of`, so that an audit and a simulation can
    /// share their checks.
    pub fn of<'s>(&'s self, service: &str, table: &'s str) -> impl Iterator<Item = &'s Value> {
        let rows = self.rows.get(service).into_iter().flatten();
        rows.filter(move |row| row["table"] == table)
    }

    /// The rows of a table, deserialised.
    ///
    /// # Errors
    /// If a row is no `T`; the text names the table.
    pub fn rows_of<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<T>, String> {
        let rows = self.table(table).map(|row| serde_json::from_value(row.clone()));
        rows.collect::<Result<_, _>>().map_err(|error| format!("a row of {table}: {error}"))
    }

    /// The status of each service, with the depths of its queues, by the service's name. There are none except at rest.
    #[must_use]
    pub fn statuses(&self) -> &BTreeMap<&'static str, Status> {
        &self.statuses
    }

    /// The events that have reached the broker, repeats included, in order.
    pub fn published(&self) -> impl Iterator<Item = &Publication> {
        self.published.iter().map(Deref::deref)
    }

    /// The events that have reached the broker in the last step.
    pub fn just_published(&self) -> impl Iterator<Item = &Publication> {
        self.published.iter().skip(self.before).map(Deref::deref)
    }
}
