use std::collections::{BTreeMap, BTreeSet};

use crate::{Record, StoreError, Tx, Value};

/// The rows of one table that a batch may read or change.
///
/// Loaded and locked in one query, changed in memory, saved in at most one insert and one update.
/// A key that was asked for and is not in the table is *absent*: putting a record there inserts it
/// plainly, so that a second replica which also saw it absent meets a unique violation and runs
/// its batch again.
#[derive(Debug, Clone)]
pub struct Rows<R: Record> {
    rows: BTreeMap<R::Key, Slot<R>>,
}

#[derive(Debug, Clone)]
struct Slot<R> {
    record: Option<R>,
    /// As it was loaded: what is still the same is not written.
    loaded: Option<R>,
}

impl<R: Record> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<R: Record> Rows<R> {
    /// Loads the rows with these keys, and locks them unless
    /// [nobody else changes them](Tx::need_not_lock_rows).
    ///
    /// # Errors
    /// If the database refuses the query or is away, or a column holds what it should not.
    pub async fn load(
        tx: &mut Tx,
        keys: impl IntoIterator<Item = R::Key>,
    ) -> Result<Self, StoreError> {
        let keys: BTreeSet<R::Key> = keys.into_iter().collect();
        let values = keys.iter().cloned().map(Into::into).collect();
        let mut rows = Self::absent(keys);
        for row in tx.select_to_change(&R::TABLE, values).await? {
            let record = R::read(&row)?;
            let key = record.key();
            rows.rows.insert(key, Slot { record: Some(record.clone()), loaded: Some(record) });
        }
        Ok(rows)
    }

    /// Rows of which none exists yet: where every story begins, without a database.
    pub fn absent(keys: impl IntoIterator<Item = R::Key>) -> Self {
        let absent = || Slot { record: None, loaded: None };
        Self { rows: keys.into_iter().map(|key| (key, absent())).collect() }
    }

    /// The record under this key.
    #[must_use]
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.rows.get(key)?.record.as_ref()
    }

    /// The record under this key, to be changed.
    pub fn get_mut(&mut self, key: &R::Key) -> Option<&mut R> {
        self.rows.get_mut(key)?.record.as_mut()
    }

    /// Puts a record in its place, new or not.
    ///
    /// # Panics
    /// If its key was not loaded: then nobody has locked it, which is a mistake in `load`.
    pub fn put(&mut self, record: R) {
        let key = record.key();
        let Some(slot) = self.rows.get_mut(&key) else {
            panic!("{} {key:?} was not loaded by this batch", R::TABLE.name)
        };
        slot.record = Some(record);
    }

    /// All records that are there.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.values().filter_map(|slot| slot.record.as_ref())
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// Of class [`Conflict`](crate::Class::Conflict) if another replica wrote an absent row
    /// first.
    pub async fn save(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let changed = self.rows.values().filter(|slot| slot.record != slot.loaded);
        let (stored, new): (Vec<_>, Vec<_>) = changed.partition(|slot| slot.loaded.is_some());
        let values = |slots: Vec<&Slot<R>>, of: fn(&R) -> Vec<Value>| {
            slots.into_iter().filter_map(|slot| slot.record.as_ref()).map(of).collect()
        };
        tx.insert(&R::TABLE, values(new, R::values)).await?;
        tx.update(&R::CHANGES, values(stored, R::changes)).await
    }
}
