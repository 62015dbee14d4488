use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{PoisonError, RwLock},
};

/// An interner: stores each distinct value once and gives it a number, so that a state is a few numbers.
///
/// Two values are the same if their debug forms are, because the rows and events of the services implement no hash.
pub(crate) struct Interner<T> {
    inner: RwLock<Inner<T>>,
}

struct Inner<T> {
    numbers: HashMap<String, u16>,
    values: Vec<T>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { inner: RwLock::new(Inner { numbers: HashMap::new(), values: Vec::new() }) }
    }
}

impl<T: Debug + Clone> Interner<T> {
    /// The number of a value: the one that it has, or the next free one.
    pub(crate) fn number(&self, value: T) -> u16 {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let next = u16::try_from(inner.values.len()).expect("at most 65,536 values");
        let Inner { numbers, values } = &mut *inner;
        *numbers.entry(format!("{value:?}")).or_insert_with(|| {
            values.push(value);
            next
        })
    }

    /// The value with this number.
    pub(crate) fn get(&self, number: u16) -> T {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.values[usize::from(number)].clone()
    }
}
