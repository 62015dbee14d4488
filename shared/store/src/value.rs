use std::{borrow::Cow, str::FromStr};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Row, StoreError};

/// The kinds of column there are. Times are integers of microseconds since the Unix epoch, so
/// that both databases order and compare them alike; money is an integer of minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `uuid` in PostgreSQL, a 16-byte blob in SQLite.
    Uuid,
    /// A 64-bit integer.
    Int,
    /// A truth value.
    Bool,
    /// Text; also enums and JSON.
    Text,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// The name of an array of this kind in PostgreSQL.
    pub(crate) fn postgres_array(self) -> &'static str {
        match self {
            Self::Uuid => "uuid[]",
            Self::Int => "bigint[]",
            Self::Bool => "bool[]",
            Self::Text => "text[]",
            Self::Bytes => "bytea[]",
        }
    }
}

/// A value on its way into a column.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// See [`Kind::Uuid`].
    Uuid(Uuid),
    /// See [`Kind::Int`].
    Int(i64),
    /// See [`Kind::Bool`].
    Bool(bool),
    /// See [`Kind::Text`].
    Text(Cow<'static, str>),
    /// See [`Kind::Bytes`].
    Bytes(Vec<u8>),
    /// No value, in a column of this kind.
    Null(Kind),
}

impl Value {
    /// As JSON in a text column. Our own types have string keys and no failing serialisers; one
    /// that fails all the same is stored as `null`.
    pub fn json(value: &impl Serialize) -> Self {
        Self::Text(serde_json::to_string(value).unwrap_or_else(|_| "null".into()).into())
    }
}

impl<T: Field> From<T> for Value {
    fn from(field: T) -> Self {
        field.into_value()
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// A type that a column can hold.
pub trait Field: Sized {
    /// The kind of column it needs.
    const KIND: Kind;

    /// To the column.
    fn into_value(self) -> Value;

    /// From the column at `index` of `row`; `None` where it is null.
    ///
    /// # Errors
    /// [`StoreError::Column`] if what stands there is not such a value.
    fn read(row: &Row, index: usize) -> Result<Option<Self>, StoreError>;

    /// As [`Field::read`], for a column that is never null.
    ///
    /// # Errors
    /// As [`Field::read`], and if it is null.
    fn require(row: &Row, index: usize) -> Result<Self, StoreError> {
        Self::read(row, index)?.ok_or_else(|| StoreError::Column {
            column: index,
            value: "null".into(),
            expected: std::any::type_name::<Self>(),
        })
    }
}

macro_rules! native_field {
    ($($type:ty => $kind:ident, $wrap:expr;)*) => {$(
        impl Field for $type {
            const KIND: Kind = Kind::$kind;
            fn into_value(self) -> Value {
                Value::$kind(($wrap)(self))
            }
            fn read(row: &Row, index: usize) -> Result<Option<Self>, StoreError> {
                row.native(index)
            }
        }
    )*};
}

native_field! {
    Uuid => Uuid, |value| value;
    i64 => Int, |value| value;
    bool => Bool, |value| value;
    String => Text, Cow::Owned;
    Vec<u8> => Bytes, |value| value;
}

impl Field for Timestamp {
    const KIND: Kind = Kind::Int;

    fn into_value(self) -> Value {
        Value::Int(self.as_microsecond())
    }

    fn read(row: &Row, index: usize) -> Result<Option<Self>, StoreError> {
        let Some(micros) = row.native::<i64>(index)? else { return Ok(None) };
        // Not `from_microsecond`: it refuses the last second of all, `Timestamp::MAX` included.
        let (second, micros_of_it) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        // Below 10^9, so it fits.
        let nanos = i32::try_from(micros_of_it * 1_000).unwrap_or(i32::MAX);
        Self::new(second, nanos).map(Some).map_err(|_| StoreError::Column {
            column: index,
            value: micros.to_string(),
            expected: "a time in microseconds",
        })
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;

    fn into_value(self) -> Value {
        self.map_or(Value::Null(T::KIND), T::into_value)
    }

    fn read(row: &Row, index: usize) -> Result<Option<Self>, StoreError> {
        T::read(row, index).map(Some)
    }
}

/// A part of a row that only its own service reads: JSON in a text column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Field for Json<T> {
    const KIND: Kind = Kind::Text;

    fn into_value(self) -> Value {
        Value::json(&self.0)
    }

    fn read(row: &Row, index: usize) -> Result<Option<Self>, StoreError> {
        let Some(text) = row.native::<String>(index)? else { return Ok(None) };
        serde_json::from_str(&text).map(|value| Some(Self(value))).map_err(|_| StoreError::Column {
            column: index,
            value: text,
            expected: std::any::type_name::<T>(),
        })
    }
}

/// From a text column, whose text is parsed. `expected` is the name of the type.
///
/// # Errors
/// [`StoreError::Column`] if the text is none of such a value.
pub fn parsed<T: FromStr>(
    row: &Row,
    index: usize,
    expected: &'static str,
) -> Result<Option<T>, StoreError> {
    let Some(text) = row.native::<String>(index)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| StoreError::Column { column: index, value: text, expected })
}

/// Makes a [`Field`] of types that turn into text and back: enums with strum's `IntoStaticStr`
/// and `EnumString`.
#[macro_export]
macro_rules! text_field {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::Field for $type {
            const KIND: $crate::Kind = $crate::Kind::Text;
            fn into_value(self) -> $crate::Value {
                $crate::Value::Text(::std::borrow::Cow::Borrowed(<&'static str>::from(self)))
            }
            fn read(
                row: &$crate::Row,
                index: usize,
            ) -> $crate::private::Result<::core::option::Option<Self>> {
                $crate::private::parsed(row, index, stringify!($type))
            }
        }
    )+};
}

/// Makes a [`Field`] of a type that is text to look at (`as_str`) and is parsed from it.
#[macro_export]
macro_rules! parsed_field {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::Field for $type {
            const KIND: $crate::Kind = $crate::Kind::Text;
            fn into_value(self) -> $crate::Value {
                $crate::Value::Text(self.as_str().to_owned().into())
            }
            fn read(
                row: &$crate::Row,
                index: usize,
            ) -> $crate::private::Result<::core::option::Option<Self>> {
                $crate::private::parsed(row, index, stringify!($type))
            }
        }
    )+};
}

/// Makes a [`Field`] of a newtype over a UUID.
#[macro_export]
macro_rules! uuid_field {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::Field for $type {
            const KIND: $crate::Kind = $crate::Kind::Uuid;
            fn into_value(self) -> $crate::Value {
                $crate::Value::Uuid(self.into())
            }
            fn read(
                row: &$crate::Row,
                index: usize,
            ) -> $crate::private::Result<::core::option::Option<Self>> {
                Ok(<$crate::private::Uuid as $crate::Field>::read(row, index)?.map(Into::into))
            }
        }
    )+};
}
