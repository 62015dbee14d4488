//! Names the aggregate that an object of the admin interface is about.

use event::Contract;
use serde::{Serialize, Serializer, ser::SerializeMap};
use uuid::Uuid;

/// A member of a JSON object that names the aggregate. It has the name of the contract's key, such as `trip_id`. Its
/// value is null if the object is about no aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregateField {
    name: &'static str,
    /// The aggregate's id.
    pub id: Option<Uuid>,
}

impl AggregateField {
    pub(crate) const fn of<C: Contract>(id: Option<Uuid>) -> Self {
        Self { name: C::KEY_FIELD, id }
    }
}

impl Serialize for AggregateField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut member = serializer.serialize_map(Some(1))?;
        member.serialize_entry(self.name, &self.id)?;
        member.end()
    }
}
