use std::fmt;

use audit::Snapshot;

use crate::{
    Story,
    round::{FEW, Guest},
    story::Outcome,
};

/// What came of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody died there, and all is as if nobody had.
    Once,
    /// It cannot be reached, for this reason.
    Never(&'static str),
    /// It should have been reached, and was not.
    Missed,
    /// Somebody died there, and this is wrong.
    Wrong(String),
}

impl Verdict {
    /// Whether it is as it must be.
    #[must_use]
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Once | Self::Never(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::Never(why) => f.write_str(why),
            Self::Missed => f.write_str("**missed**"),
            Self::Wrong(why) => write!(f, "**wrong**: {why}"),
        }
    }
}

/// What is wrong with a guest's order or product, if anything.
pub(crate) fn wrong(guest: &Guest<'_>, snapshot: &Snapshot) -> Option<String> {
    let Some(order) = guest.id else { return Some("it was never accepted".to_owned()) };
    let (is, right) = (Outcome::of(order, snapshot), guest.story.right());
    if is != right {
        return Some(format!("order {order} of {:?} is {is:?}", guest.story));
    }
    if guest.story != Story::Listed {
        return None;
    }
    let product = snapshot.products.iter().find(|product| product.sku == guest.sku);
    let Some(product) = product else { return Some(format!("{} is not listed", guest.sku)) };
    let right = (product.stocked, product.shipped) == (FEW, 1);
    (!right).then(|| format!("{product:?}"))
}
