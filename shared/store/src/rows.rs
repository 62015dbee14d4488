use std::{collections::BTreeMap, iter, sync::Arc};

use crate::{Record, StoreError, Tx, Value};

/// The rows of one table that a batch may read or change.
///
/// They are loaded and locked in one query, changed in memory, and saved in at most one insert, one update and
/// one delete.
///
/// A key that was loaded and is not in the table is *absent*. A record that is put there is inserted without
/// `on conflict`: if a second replica has also found the key absent, its insert meets a unique violation, and
/// it runs its batch again.
#[derive(Debug, Clone)]
pub struct Rows<R: Record> {
    rows: BTreeMap<R::Key, Slot<R>>,
}

/// A key's record. It is copied when it is changed, not before.
#[derive(Debug, Clone)]
struct Slot<R> {
    record: Option<Arc<R>>,
    /// The record as it was loaded. A record that still equals it is not written.
    loaded: Option<Arc<R>>,
}

impl<R: Record> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<R: Record> Rows<R> {
    /// Loads the rows with these keys and locks them. A [sole writer](Tx::assume_sole_writer) does not lock
    /// them, and reads only those that the row cache does not have.
    ///
    /// # Errors
    /// If the database refuses the query or is unavailable, or a column holds a value that its type does not
    /// take.
    pub async fn load(
        tx: &mut Tx,
        keys: impl IntoIterator<Item = R::Key>,
    ) -> Result<Self, StoreError> {
        let mut rows = Self::absent(keys);
        let cached = tx.cached::<R>(rows.rows.keys()).into_iter().chain(iter::repeat(None));
        let mut uncached = Vec::new();
        for ((key, slot), cached) in rows.rows.iter_mut().zip(cached) {
            match cached {
                Some(cached) => *slot = Slot::loaded(cached),
                None => uncached.push(key.clone().into()),
            }
        }
        for row in tx.select_to_change(&R::TABLE, uncached).await? {
            let loaded = R::read(&row)?;
            rows.rows.insert(loaded.key(), Slot::loaded(Arc::new(loaded)));
        }
        Ok(rows)
    }

    /// Rows of which none exists yet. A test of a reaction starts with them and needs no database.
    pub fn absent(keys: impl IntoIterator<Item = R::Key>) -> Self {
        let absent = || Slot { record: None, loaded: None };
        Self { rows: keys.into_iter().map(|key| (key, absent())).collect() }
    }

    /// The record under this key.
    #[must_use]
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.rows.get(key)?.record.as_deref()
    }

    /// The record under this key, to be changed.
    pub fn get_mut(&mut self, key: &R::Key) -> Option<&mut R> {
        self.rows.get_mut(key)?.record.as_mut().map(Arc::make_mut)
    }

    /// Puts a record under its key, which may have one already.
    ///
    /// # Panics
    /// If the key was not loaded: then its row is not locked, and the participant's `load` has to be corrected.
    pub fn put(&mut self, record: R) {
        let key = record.key();
        let Some(slot) = self.rows.get_mut(&key) else {
            panic!("{} {key:?} was not loaded by this batch", R::TABLE.name)
        };
        slot.record = Some(Arc::new(record));
    }

    /// Removes the record under this key.
    pub fn remove(&mut self, key: &R::Key) {
        if let Some(slot) = self.rows.get_mut(key) {
            slot.record = None;
        }
    }

    /// All records, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.values().filter_map(|slot| slot.record.as_deref())
    }

    /// Writes the records that have changed.
    ///
    /// # Errors
    /// Of class [`Conflict`](crate::Class::Conflict) if another replica wrote an absent row
    /// first.
    pub async fn save(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (without_record, with_record): (Vec<_>, Vec<_>) =
            self.rows.iter().partition(|(_, slot)| slot.record.is_none());
        let deleted: Vec<&R::Key> = without_record
            .into_iter()
            .filter_map(|(key, slot)| slot.loaded.is_some().then_some(key))
            .collect();
        let slots = with_record.into_iter().map(|(_, slot)| slot);
        let changed = slots.filter(|slot| slot.is_changed());
        let (updated, new): (Vec<_>, Vec<_>) = changed.partition(|slot| slot.loaded.is_some());
        let values = |slots: Vec<&Slot<R>>, of: fn(&R) -> Vec<Value>| {
            slots.into_iter().filter_map(|slot| slot.record.as_deref()).map(of).collect()
        };
        tx.insert(&R::TABLE, values(new, R::values)).await?;
        tx.update(&R::CHANGES, values(updated, R::changes)).await?;
        if !deleted.is_empty() {
            let keys = deleted.iter().map(|key| R::Key::clone(key).into()).collect();
            tx.discard(R::TABLE.name, R::TABLE.key().name, R::TABLE.key().kind, keys).await?;
        }
        let saved = || self.rows.values().filter_map(Slot::saved).collect::<Vec<_>>();
        tx.cache_on_commit::<R>(saved, || deleted.into_iter().cloned().collect());
        Ok(())
    }
}

impl<R: Record> Slot<R> {
    fn loaded(loaded: Arc<R>) -> Self {
        Self { record: Some(Arc::clone(&loaded)), loaded: Some(loaded) }
    }

    fn is_changed(&self) -> bool {
        match (&self.record, &self.loaded) {
            (Some(record), Some(loaded)) => !Arc::ptr_eq(record, loaded) && record != loaded,
            (record, loaded) => record.is_some() != loaded.is_some(),
        }
    }

    /// The record as the table has it after `Rows::save`.
    fn saved(&self) -> Option<Arc<R>> {
        if self.is_changed() { self.record.clone() } else { self.loaded.clone() }
    }
}
