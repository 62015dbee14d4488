//! The audit result.

use std::{collections::BTreeMap, fmt};

use contracts::{OrderId, Sku};
use serde::Serialize;

/// The most offences and notes that are listed per invariant. Further ones are only counted.
const LISTED: usize = 20;

/// The result of an audit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The results of all invariants, in order.
    pub invariants: Vec<Invariant>,
}

/// The result for one invariant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Invariant {
    /// Its number, from 1.
    pub number: u8,
    /// What it requires, in a few words.
    pub name: &'static str,
    /// Figures that were counted on the way.
    pub figures: BTreeMap<&'static str, i64>,
    /// Whether it holds.
    pub holds: bool,
    /// The first twenty violations.
    pub offences: Vec<Offence>,
    /// How many violations are not listed.
    pub unlisted: usize,
    /// The first twenty observations that are worth knowing but allowed.
    pub notes: Vec<Offence>,
    /// How many observations there are, listed or not.
    pub noted: usize,
}

/// A violation of an invariant, or an observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offence {
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// What is wrong, in one line.
    pub why: String,
}

/// What an offence is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An order.
    Order(OrderId),
    /// A product.
    Sku(Sku),
    /// A service.
    Service(String),
    /// A mail that names no order, by its Message-ID.
    Mail(String),
}

impl Report {
    /// Whether all invariants hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.invariants.iter().all(|invariant| invariant.holds)
    }
}

impl Invariant {
    pub(crate) const fn new(number: u8, name: &'static str) -> Self {
        Self {
            number,
            name,
            figures: BTreeMap::new(),
            holds: true,
            offences: Vec::new(),
            unlisted: 0,
            notes: Vec::new(),
            noted: 0,
        }
    }

    pub(crate) fn count(&mut self, figure: &'static str, more: i64) {
        *self.figures.entry(figure).or_default() += more;
    }

    pub(crate) fn must(
        &mut self,
        is_so: bool,
        subject: impl Into<Subject>,
        why: impl FnOnce() -> String,
    ) {
        if !is_so {
            self.offends(subject, why());
        }
    }

    pub(crate) fn offends(&mut self, subject: impl Into<Subject>, why: impl Into<String>) {
        self.holds = false;
        if self.offences.len() < LISTED {
            self.offences.push(Offence { subject: subject.into(), why: why.into() });
        } else {
            self.unlisted += 1;
        }
    }

    pub(crate) fn note(&mut self, subject: impl Into<Subject>, why: impl Into<String>) {
        self.noted += 1;
        if self.notes.len() < LISTED {
            self.notes.push(Offence { subject: subject.into(), why: why.into() });
        }
    }
}

impl From<OrderId> for Subject {
    fn from(order: OrderId) -> Self {
        Self::Order(order)
    }
}

impl From<&Sku> for Subject {
    fn from(sku: &Sku) -> Self {
        Self::Sku(sku.clone())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(order) => write!(f, "order {order}"),
            Self::Sku(sku) => write!(f, "SKU {sku}"),
            Self::Service(service) => write!(f, "service {service}"),
            Self::Mail(id) => write!(f, "mail {id}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, invariant) in self.invariants.iter().enumerate() {
            if nth > 0 {
                writeln!(f)?;
            }
            invariant.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = if self.holds { "holds " } else { "BROKEN" };
        write!(f, "{} {result} {}", self.number, self.name)?;
        for (nth, (figure, count)) in self.figures.iter().enumerate() {
            write!(f, "{} {figure} {count}", if nth == 0 { ":" } else { "," })?;
        }
        for Offence { subject, why } in &self.offences {
            write!(f, "\n    {subject}: {why}")?;
        }
        if self.unlisted > 0 {
            write!(f, "\n    and {} more", self.unlisted)?;
        }
        for Offence { subject, why } in &self.notes {
            write!(f, "\n    note: {subject}: {why}")?;
        }
        Ok(())
    }
}
