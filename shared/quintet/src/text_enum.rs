//! Enums that are text in columns, in JSON and in URLs.

/// A text that an enum of [`text_enum!`](crate::text_enum) does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of {}", known.join(", "))]
pub struct NotOneOf {
    text: String,
    known: &'static [&'static str],
}

impl NotOneOf {
    /// This text, where only these are known.
    #[doc(hidden)]
    #[must_use]
    pub fn new(text: &str, known: &'static [&'static str]) -> Self {
        Self { text: format!("{text:.64}"), known }
    }
}

/// Makes an enum that is a text wherever it is written: in a column of a [`record!`](crate::record), in JSON, in `OpenAPI`.
/// It can be the states of a row, and the names of a service's alarms. Its variants are ordered as they are listed.
///
/// ```
/// quintet::text_enum! {
///     /// What becomes of a trip.
///     pub enum State {
///         /// It was asked for.
///         Requested = "requested",
///         /// All of it was booked.
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
            /// Its text.
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
