use std::hash::Hash;

use crate::{Kind, Row, StoreError, Value};

/// A table's shape, as the statements over it need it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name in the database.
    pub name: &'static str,
    /// Its columns; the first is the key by which rows are found and locked.
    pub columns: &'static [Column],
}

/// A column's name and kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the database.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Table {
    pub(crate) fn key(&self) -> &Column {
        &self.columns[0]
    }

    pub(crate) fn names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }
}

/// A row of a service's state. Made by [`record!`](crate::record).
pub trait Record: Sized + Clone + PartialEq + Send + Sync + 'static {
    /// What finds it.
    type Key: Ord + Hash + Clone + std::fmt::Debug + Send + Sync + Into<Value>;

    /// Its table.
    const TABLE: Table;

    /// The columns of it that may change: its key, and those that are not fixed.
    const CHANGES: Table;

    /// What finds this one.
    fn key(&self) -> Self::Key;

    /// Its columns' values, in the table's order.
    fn values(&self) -> Vec<Value>;

    /// The values of the columns that may change, in the order of [`Record::CHANGES`].
    fn changes(&self) -> Vec<Value>;

    /// From a row that holds the table's columns in order.
    ///
    /// # Errors
    /// [`StoreError::Column`] if a column holds what its type does not take.
    fn read(row: &Row) -> Result<Self, StoreError>;
}

/// Says in which table and columns a struct lives; the first column is its key. What stands behind
/// `fixed` is written when the row is, and never again.
///
/// ```
/// use uuid::Uuid;
///
/// #[derive(Clone, PartialEq)]
/// pub struct Seat { pub trip: Uuid, pub seats: i64, pub name: String }
/// quintet_store::record!(Seat in "seat": trip: Uuid, seats: i64; fixed name: String);
/// ```
#[macro_export]
macro_rules! record {
    ($record:ident in $table:literal: $key:ident: $key_type:ty $(, $field:ident: $type:ty)* $(,)?
     $(; fixed $($once:ident: $once_type:ty),+ $(,)?)?) => {
        impl $crate::Record for $record {
            type Key = $key_type;

            const TABLE: $crate::Table = $crate::Table {
                name: $table,
                columns: &[
                    $crate::column!($key: $key_type),
                    $($crate::column!($field: $type),)*
                    $($($crate::column!($once: $once_type),)+)?
                ],
            };

            const CHANGES: $crate::Table = $crate::Table {
                name: $table,
                columns: &[
                    $crate::column!($key: $key_type),
                    $($crate::column!($field: $type),)*
                ],
            };

            fn key(&self) -> $key_type {
                self.$key.clone()
            }

            fn values(&self) -> ::std::vec::Vec<$crate::Value> {
                ::std::vec![
                    self.$key.clone().into(),
                    $(self.$field.clone().into(),)*
                    $($(self.$once.clone().into(),)+)?
                ]
            }

            fn changes(&self) -> ::std::vec::Vec<$crate::Value> {
                ::std::vec![self.$key.clone().into() $(, self.$field.clone().into())*]
            }

            fn read(row: &$crate::Row) -> $crate::private::Result<Self> {
                let mut index = 0;
                let $key = row.get(index)?;
                $(
                    index += 1;
                    let $field = row.get(index)?;
                )*
                $($(
                    index += 1;
                    let $once = row.get(index)?;
                )+)?
                let _ = index;
                Ok(Self { $key $(, $field)* $($(, $once)+)? })
            }
        }
    };
}

/// A column for a field of this name and type.
#[doc(hidden)]
#[macro_export]
macro_rules! column {
    ($name:ident: $type:ty) => {
        $crate::Column { name: stringify!($name), kind: <$type as $crate::Field>::KIND }
    };
}
