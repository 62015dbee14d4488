//! Enums that are stored and sent as text.

/// A text names no variant of an enum of [`text_enum!`](crate::text_enum).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of {}", known.join(", "))]
pub struct NotOneOf {
    text: String,
    known: &'static [&'static str],
}

impl NotOneOf {
    /// The error for this text and these known texts.
    #[doc(hidden)]
    #[must_use]
    pub fn new(text: &str, known: &'static [&'static str]) -> Self {
        Self { text: format!("{text:.64}"), known }
    }
}

/// Defines an enum that is a text in a column of a [`record!`](crate::record), in JSON and in `OpenAPI`. It is used for the
/// states of a row, and for the names of a service's alarms. Its variants are ordered as they are listed.
///
/// ```
/// quintet::text_enum! {
///     /// The state of a trip.
///     pub enum State {
///         /// A traveller has asked for it.
///         Requested = "requested",
///         /// All of it is booked.
///         Confirmed = "confirmed",
///     }
/// }
///
/// #[derive(Clone, PartialEq)]
/// struct Trip {
///     id: quintet::uuid::Uuid,
///     state: State,
/// }
/// quintet::record!(Trip in "trip": id: quintet::uuid::Uuid, state: State);
///
/// assert_eq!(State::Confirmed.as_str(), "confirmed");
/// assert_eq!("requested".parse(), Ok(State::Requested));
/// assert_eq!(quintet::serde_json::to_string(&State::Requested)?, r#""requested""#);
/// let error: quintet::NotOneOf = "lost".parse::<State>().unwrap_err();
/// assert_eq!(error.to_string(), "`lost` is none of requested, confirmed");
/// # Ok::<(), quintet::serde_json::Error>(())
/// ```
#[macro_export]
macro_rules! text_enum {
    (
        $(#[$doc:meta])*
        $vis:vis enum $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The text of the variant.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::core::convert::From<$name> for &'static str {
            fn from(it: $name) -> Self {
                it.as_str()
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::NotOneOf;

            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::NotOneOf::new(text, &[$($text),+])),
                }
            }
        }

        impl $crate::private::serde::Serialize for $name {
            fn serialize<S: $crate::private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::private::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let text =
                    <::std::borrow::Cow<'de, str> as $crate::private::serde::Deserialize>::deserialize(
                        deserializer,
                    )?;
                text.parse().map_err($crate::private::serde::de::Error::custom)
            }
        }

        impl $crate::utoipa::PartialSchema for $name {
            fn schema() -> $crate::utoipa::openapi::RefOr<$crate::utoipa::openapi::Schema> {
                $crate::private::one_of(&[$($text),+])
            }
        }

        impl $crate::utoipa::ToSchema for $name {}

        $crate::text_field!($name);
    };
}
