//! Ids: newtypes over UUIDs, and ids that are derived.

use sha2::{Digest, Sha256};
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type, schema::SchemaType,
};
use uuid::{Builder, Uuid};

/// Makes newtypes over [`Uuid`] for ids, such as the key of a saga's aggregates
/// ([`AggregateKey`](crate::AggregateKey)).
///
/// ```
/// quintet_event::ids! {
///     /// A trip, a `UUIDv7`; also the key of all its events.
///     TripId;
/// }
/// let trip: TripId = "018f3a5c-1b2d-7c3e-8f40-112233445566".parse()?;
/// assert_eq!(trip.to_string(), "018f3a5c-1b2d-7c3e-8f40-112233445566");
/// # Ok::<(), uuid::Error>(())
/// ```
#[macro_export]
macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($crate::private::uuid::Uuid);

        impl $name {
            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> $crate::private::uuid::Uuid {
                self.0
            }
        }

        impl $crate::AggregateKey for $name {}

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::private::uuid::Error;

            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl ::core::convert::From<$crate::private::uuid::Uuid> for $name {
            fn from(id: $crate::private::uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl ::core::convert::From<$name> for $crate::private::uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl $crate::private::serde::Serialize for $name {
            fn serialize<S: $crate::private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::private::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        impl<'de> $crate::private::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::private::serde::Deserialize::deserialize(deserializer).map(Self)
            }
        }

        impl $crate::private::utoipa::PartialSchema for $name {
            fn schema()
            -> $crate::private::utoipa::openapi::RefOr<$crate::private::utoipa::openapi::Schema> {
                $crate::private::id_schema(&[$($doc),+])
            }
        }

        impl $crate::private::utoipa::ToSchema for $name {}
    )*};
}

/// The schema of an id for `OpenAPI`.
#[doc(hidden)]
#[must_use]
pub fn id_schema(docs: &[&str]) -> RefOr<Schema> {
    let docs: Vec<_> = docs.iter().map(|line| line.trim()).collect();
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .description(Some(docs.join("\n")))
        .into()
}

crate::ids! {
    /// The id of an event, which the inbox stores. It is derived, so that a repeated event has the same id.
    EventId;
    /// The id of an effect, which is also its idempotency key. It is derived, never random.
    EffectId;
}

/// The id of the `nth` event or effect of this `kind` that `cause` has caused. The same arguments give the same
/// id, so that a repetition is recognised.
///
/// It is a `UUIDv8` (RFC 9562). Its first 48 bits are those of `near`, the time of an aggregate's `UUIDv7`, so
/// that the rows of one aggregate are neighbours in an index. The rest is from SHA-256.
#[must_use]
pub fn derived(near: Uuid, cause: Uuid, kind: &str, nth: u32) -> Uuid {
    let mut hash = Sha256::new();
    // With their lengths in front, no two different triples have the same bytes.
    for part in [cause.as_bytes().as_slice(), kind.as_bytes(), &nth.to_be_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&near.as_bytes()[..6]);
    bytes[6..].copy_from_slice(&hash.finalize()[..10]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::{Variant, Version, uuid};

    const NEAR: Uuid = uuid!("018f3a5c-1b2d-7c3e-8f40-112233445566");
    const CAUSE: Uuid = uuid!("018f3a5c-9999-7c3e-8f40-665544332211");

    #[test]
    fn a_derived_id_never_changes() {
        let id = derived(NEAR, CAUSE, "TripBooked", 0);
        assert_eq!(id.to_string(), "018f3a5c-1b2d-8fba-a688-c438bb803b23");
        assert_eq!(id.get_version(), Some(Version::Custom));
        assert_eq!(id.get_variant(), Variant::RFC4122);
        assert_eq!(id.as_bytes()[..6], NEAR.as_bytes()[..6]);
    }

    #[test]
    fn a_derived_id_depends_on_each_argument() {
        let id = derived(NEAR, CAUSE, "charge", 0);
        assert_ne!(id, derived(CAUSE, CAUSE, "charge", 0));
        assert_ne!(id, derived(NEAR, NEAR, "charge", 0));
        assert_ne!(id, derived(NEAR, CAUSE, "refund", 0));
        assert_ne!(id, derived(NEAR, CAUSE, "charge", 1));
        assert_ne!(derived(NEAR, CAUSE, "", 0), derived(NEAR, CAUSE, "\0", 0));
    }

    #[test]
    fn ids_are_hyphenated_text_everywhere() {
        let text = "018f3a5c-1b2d-7c3e-8f40-112233445566";
        let id: EventId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_value(id).unwrap(), text);
        assert_eq!(EventId::from(Uuid::from(id)), id);
        assert!("event-1".parse::<EventId>().is_err());
    }
}
