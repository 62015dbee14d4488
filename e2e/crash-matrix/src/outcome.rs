use std::fmt;

use audit::Snapshot;

use crate::{
    Course,
    course::OrderResult,
    round::{CellOrder, OWN_STOCK},
};

/// The outcome of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellOutcome {
    /// The service died at the point, and the order ended as it would have without the death.
    Once,
    /// The point cannot be reached, for this reason.
    Never(&'static str),
    /// The point should have been reached, and was not.
    Missed,
    /// An order of the cell did not end as it should, in this way.
    Wrong(String),
}

impl CellOutcome {
    /// Whether the outcome is no failure.
    #[must_use]
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Once | Self::Never(_))
    }
}

impl fmt::Display for CellOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::Never(why) => f.write_str(why),
            Self::Missed => f.write_str("**missed**"),
            Self::Wrong(why) => write!(f, "**wrong**: {why}"),
        }
    }
}

/// Describes what is wrong with an order or with its product; `None` if nothing is.
pub(crate) fn find_wrong(order: &CellOrder<'_>, snapshot: &Snapshot) -> Option<String> {
    let course = order.course;
    let Some(id) = order.id else { return Some("the order was never accepted".to_owned()) };
    let (result, expected) = (OrderResult::of(id, snapshot), course.expected());
    if result != expected {
        return Some(format!("order {id} of {course:?} is {result:?}, not {expected:?}"));
    }
    if course != Course::Listed {
        return None;
    }
    let product = snapshot.products.iter().find(|product| product.sku == order.sku);
    let Some(product) = product else { return Some(format!("{} is not listed", order.sku)) };
    let is_right = (product.stocked, product.shipped) == (OWN_STOCK, 1);
    (!is_right).then(|| format!("{product:?}"))
}
