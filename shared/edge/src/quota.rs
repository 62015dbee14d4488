use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A resource that clients share, with a limit for all clients together and one for each client.
///
/// A share is given at once or refused. No client waits for one, so clients that keep theirs cannot hold up
/// others.
#[derive(Debug)]
pub struct Quota {
    all: usize,
    each: usize,
    usage: Mutex<Usage>,
}

/// The amounts that clients have taken.
#[derive(Debug, Default)]
struct Usage {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Why a share was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// All clients together would have too much.
    #[error("all clients together have as much as they may have")]
    All,
    /// This client would have too much.
    #[error("this client has as much as one client may have")]
    Each,
}

/// A client's share, which is given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    quota: Arc<Quota>,
    client: IpAddr,
    amount: usize,
}

impl Quota {
    /// A quota with the limit `all` for all clients together and `each` for each client; 0 means that a client
    /// may have everything.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        let each = if each == 0 { all } else { each };
        Arc::new(Self { all, each, usage: Mutex::default() })
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

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes `amount` more.
    ///
    /// # Errors
    /// As [`Quota::take`]. Then the share is as large as before.
    pub fn grow(&mut self, amount: usize) -> Result<(), Exceeded> {
        let mut usage = self.quota.usage();
        if amount > self.quota.all.saturating_sub(usage.all) {
            return Err(Exceeded::All);
        }
        let held = usage.by_client.get(&self.client).copied().unwrap_or(0);
        if amount > self.quota.each.saturating_sub(held) {
            return Err(Exceeded::Each);
        }
        usage.all += amount;
        usage.by_client.insert(self.client, held + amount);
        self.amount += amount;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut usage = self.quota.usage();
        usage.all = usage.all.saturating_sub(self.amount);
        if let Some(held) = usage.by_client.get_mut(&self.client) {
            *held = held.saturating_sub(self.amount);
            if *held == 0 {
                usage.by_client.remove(&self.client);
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
    fn there_is_a_limit_for_each_client_and_one_for_all() {
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
        assert!(quota.usage().by_client.is_empty(), "clients that left take no memory");
    }

    #[test]
    fn without_a_limit_for_each_a_client_may_have_everything() {
        let quota = Quota::new(2, 0);
        let all = quota.take(ADA, 2).unwrap();
        assert_eq!(quota.take(BOB, 1).unwrap_err(), Exceeded::All);
        drop(all);
    }
}
