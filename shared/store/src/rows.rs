use std::{collections::BTreeMap, iter, sync::Arc};

use crate::{Record, StoreError, Tx, Value};

/// The rows of one table that a batch may read or change.
///
/// Loaded and locked in one query, changed in memory, saved in at most one insert, one update and one
/// delete.
/// A key that was asked for and is not in the table is *absent*: putting a record there inserts it
/// plainly, so that a second replica which also saw it absent meets a unique violation and runs
/// its batch again.
#[derive(Debug, Clone)]
pub struct Rows<R: Record> {
    rows: BTreeMap<R::Key, Slot<R>>,
}

/// A record is copied when it is changed, not before.
#[derive(Debug, Clone)]
struct Slot<R> {
    record: Option<Arc<R>>,
    /// As it was loaded: what is still the same is not written.
    loaded: Option<Arc<R>>,
}

impl<R: Record> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<R: Record> Rows<R> {
    /// Loads the rows with these keys, and locks them unless
    /// [nobody else changes them](Tx::nobody_else_writes).
    ///
    /// # Errors
    /// If the database refuses the query or is away, or a column holds what it should not.
    pub async fn load(
        tx: &mut Tx,
        keys: impl IntoIterator<Item = R::Key>,
    ) -> Result<Self, StoreError> {
        let mut rows = Self::absent(keys);
        let known = tx.known::<R>(rows.rows.keys()).into_iter().chain(iter::repeat(None));
        let mut unknown = Vec::new();
        for ((key, slot), known) in rows.rows.iter_mut().zip(known) {
            match known {
                Some(known) => *slot = Slot::loaded(known),
                None => unknown.push(key.clone().into()),
            }
        }
        for row in tx.select_to_change(&R::TABLE, unknown).await? {
            let loaded = R::read(&row)?;
            rows.rows.insert(loaded.key(), Slot::loaded(Arc::new(loaded)));
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
        self.rows.get(key)?.record.as_deref()
    }

    /// The record under this key, to be changed.
    pub fn get_mut(&mut self, key: &R::Key) -> Option<&mut R> {
        self.rows.get_mut(key)?.record.as_mut().map(Arc::make_mut)
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
        slot.record = Some(Arc::new(record));
    }

    /// Takes the record under this key away.
    pub fn remove(&mut self, key: &R::Key) {
        if let Some(slot) = self.rows.get_mut(key) {
            slot.record = None;
        }
    }

    /// All records that are there.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.values().filter_map(|slot| slot.record.as_deref())
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// Of class [`Conflict`](crate::Class::Conflict) if another replica wrote an absent row
    /// first.
    pub async fn save(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (gone, there): (Vec<_>, Vec<_>) =
            self.rows.iter().partition(|(_, slot)| slot.record.is_none());
        let gone: Vec<&R::Key> = gone
            .into_iter()
            .filter_map(|(key, slot)| slot.loaded.is_some().then_some(key))
            .collect();
        let changed = there.into_iter().map(|(_, slot)| slot).filter(|slot| slot.is_changed());
        let (stored, new): (Vec<_>, Vec<_>) = changed.partition(|slot| slot.loaded.is_some());
        let values = |slots: Vec<&Slot<R>>, of: fn(&R) -> Vec<Value>| {
            slots.into_iter().filter_map(|slot| slot.record.as_deref()).map(of).collect()
        };
        tx.insert(&R::TABLE, values(new, R::values)).await?;
        tx.update(&R::CHANGES, values(stored, R::changes)).await?;
        if !gone.is_empty() {
            let keys = gone.iter().map(|key| R::Key::clone(key).into()).collect();
            tx.discard(R::TABLE.name, R::TABLE.key().name, R::TABLE.key().kind, keys).await?;
        }
        let saved = || self.rows.values().filter_map(Slot::saved).collect::<Vec<_>>();
        tx.remember::<R>(saved, || gone.into_iter().cloned().collect());
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

    fn saved(&self) -> Option<Arc<R>> {
        if self.is_changed() { self.record.clone() } else { self.loaded.clone() }
    }
}
