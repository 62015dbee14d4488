use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// An amount of something that clients share, with a bound for all of them and one for each.
///
/// Nothing waits for a share: it is there or refused, so clients that keep theirs cannot hold up others.
#[derive(Debug)]
pub struct Quota {
    all: usize,
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Why a share was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// All clients together would have too much.
    #[error("all clients together have as much as there is")]
    All,
    /// This client would have too much.
    #[error("this client has as much as one client may have")]
    Each,
}

/// A client's share. Dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    quota: Arc<Quota>,
    client: IpAddr,
    amount: usize,
}

impl Quota {
    /// So much for all clients together, and so much for each of them; `each` = 0 bounds no single client.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        let each = if each == 0 { all } else { each };
        Arc::new(Self { all, each, taken: Mutex::default() })
    }

    /// Takes `amount` for this client.
    ///
    /// # Errors
    /// If the client, or all clients, would have more than the quota allows.
    pub fn take(self: &Arc<Self>, client: IpAddr, amount: usize) -> Result<Share, Exceeded> {
        let mut share = Share { quota: Arc::clone(self), client, amount: 0 };
        share.grow(amount)?;
        Ok(share)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes so much more.
    ///
    /// # Errors
    /// As [`Quota::take`]; the share is as large as before then.
    pub fn grow(&mut self, amount: usize) -> Result<(), Exceeded> {
        let mut taken = self.quota.taken();
        if amount > self.quota.all.saturating_sub(taken.all) {
            return Err(Exceeded::All);
        }
        let held = taken.by_client.get(&self.client).copied().unwrap_or(0);
        if amount > self.quota.each.saturating_sub(held) {
            return Err(Exceeded::Each);
        }
        taken.all += amount;
        taken.by_client.insert(self.client, held + amount);
        self.amount += amount;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.quota.taken();
        taken.all = taken.all.saturating_sub(self.amount);
        if let Some(held) = taken.by_client.get_mut(&self.client) {
            *held = held.saturating_sub(self.amount);
            if *held == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ADA: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_client_has_a_bound_and_all_clients_have_one() {
        let quota = Quota::new(10, 6);
        let mut ada = quota.take(ADA, 5).unwrap();
        assert_eq!(ada.grow(2), Err(Exceeded::Each));
        ada.grow(1).unwrap();
        assert_eq!(quota.take(ADA, 1).unwrap_err(), Exceeded::Each);
        let bob = quota.take(BOB, 4).unwrap();
        assert_eq!(quota.take(BOB, 1).unwrap_err(), Exceeded::All);
        drop(ada);
        drop(bob);
        assert_eq!(quota.take(ADA, 7).unwrap_err(), Exceeded::Each);
        quota.take(ADA, 6).unwrap();
        assert!(quota.taken().by_client.is_empty(), "nothing is remembered of clients that left");
    }

    #[test]
    fn without_a_bound_for_each_a_client_may_have_all() {
        let quota = Quota::new(2, 0);
        let all = quota.take(ADA, 2).unwrap();
        assert_eq!(quota.take(BOB, 1).unwrap_err(), Exceeded::All);
        drop(all);
    }
}
