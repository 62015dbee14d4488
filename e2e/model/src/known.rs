use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{PoisonError, RwLock},
};

/// Things that are met again and again, each kept once and then called by its number.
///
/// Two are the same if their debug forms are: the rows and events of the services can be compared,
/// but not hashed.
pub(crate) struct Known<T> {
    inner: RwLock<Inner<T>>,
}

struct Inner<T> {
    numbers: HashMap<String, u16>,
    things: Vec<T>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { inner: RwLock::new(Inner { numbers: HashMap::new(), things: Vec::new() }) }
    }
}

impl<T: Debug + Clone> Known<T> {
    /// Its number: the one it had, or the next one.
    pub(crate) fn number(&self, thing: T) -> u16 {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let next = u16::try_from(inner.things.len()).expect("few enough to be counted");
        let Inner { numbers, things } = &mut *inner;
        *numbers.entry(format!("{thing:?}")).or_insert_with(|| {
            things.push(thing);
            next
        })
    }

    /// The thing of this number.
    pub(crate) fn get(&self, number: u16) -> T {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.things[usize::from(number)].clone()
    }
}
