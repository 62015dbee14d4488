use std::hash::Hash;

use crate::{Kind, Row, StoreError, Value};

/// The name and the columns of a table, from which statements are made.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The table's name in the database.
    pub name: &'static str,
    /// The table's columns. The first is the key by which rows are found and locked.
    pub columns: &'static [Column],
}

/// The name and kind of a column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// The column's name in the database.
    pub name: &'static str,
    /// What the column holds.
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

/// A row of a service's state. [`record!`](crate::record) implements it.
pub trait Record: Sized + Clone + PartialEq + Send + Sync + 'static {
    /// The type of the key.
    type Key: Ord + Hash + Clone + std::fmt::Debug + Send + Sync + Into<Value>;

    /// The table of these records.
    const TABLE: Table;

    /// The columns that an update needs: the key, and the columns that are not fixed.
    const CHANGES: Table;

    /// The key of this record.
    fn key(&self) -> Self::Key;

    /// The values of all columns, in the order of [`Record::TABLE`].
    fn values(&self) -> Vec<Value>;

    /// The values that an update needs, in the order of [`Record::CHANGES`].
    fn changes(&self) -> Vec<Value>;

    /// Reads a record from a row that has the columns of [`Record::TABLE`] in order.
    ///
    /// # Errors
    /// [`StoreError::Column`] if a column holds a value that its type does not take.
    fn read(row: &Row) -> Result<Self, StoreError>;
}

/// Implements [`Record`](crate::Record) for a struct: names its table and columns, of which the first is the
/// key. The columns after `fixed` are written when a row is inserted, and never updated.
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
