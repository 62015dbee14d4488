use std::{borrow::Cow, str::FromStr};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Row, StoreError};

/// What a column can hold. A time is an integer of microseconds since the Unix epoch, so that both databases
/// order and compare times alike. Money is an integer of minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `uuid` in PostgreSQL, a 16-byte blob in SQLite.
    Uuid,
    /// A 64-bit integer.
    Int,
    /// A truth value.
    Bool,
    /// Text, which enums and JSON are stored as too.
    Text,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// PostgreSQL's name for an array of this kind.
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

/// A value to be written into a column or bound to a statement.
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
    /// Null, in a column of this kind.
    Null(Kind),
}

impl Value {
    /// JSON for a text column. A value that cannot be serialised, such as a map whose keys are no strings, is
    /// stored as `null`.
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

/// A Rust type that a column can hold.
pub trait Field: Sized {
    /// The kind of column that holds it.
    const KIND: Kind;

    /// The value to write into the column.
    fn into_value(self) -> Value;

    /// Reads the column at `index` of `row`; `None` if it is null.
    ///
    /// # Errors
    /// [`StoreError::Column`] if the column holds no value of this type.
    fn read(row: &Row, index: usize) -> Result<Option<Self>, StoreError>;

    /// As [`Field::read`], for a column that is never null.
    ///
    /// # Errors
    /// As [`Field::read`], and if the column is null.
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
        // Not `from_microsecond`: it refuses times in the last second that there is, such as `Timestamp::MAX`.
        let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        // Below 10^9, so the conversion cannot fail.
        let nanos = i32::try_from(rest * 1_000).unwrap_or(i32::MAX);
        Self::new(seconds, nanos).map(Some).map_err(|_| StoreError::Column {
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

/// A field that is stored as JSON in a text column, for parts of a row that no SQL looks into.
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

/// Reads a text column and parses the text. `expected` is the name of the type, for the error.
///
/// # Errors
/// [`StoreError::Column`] if the text cannot be parsed.
pub fn parsed<T: FromStr>(
    row: &Row,
    index: usize,
    expected: &'static str,
) -> Result<Option<T>, StoreError> {
    let Some(text) = row.native::<String>(index)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| StoreError::Column { column: index, value: text, expected })
}

/// Implements [`Field`](crate::Field) for enums that convert to and from text by strum's `IntoStaticStr` and
/// `EnumString`.
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

/// Implements [`Field`](crate::Field) for types that have their text by `as_str` and are parsed from it.
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

/// Implements [`Field`](crate::Field) for newtypes over a UUID.
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
