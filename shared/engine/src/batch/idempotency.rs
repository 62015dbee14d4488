//! The first successful answer under each `Idempotency-Key`, in the same transaction as what it
//! answers for (IETF draft-ietf-httpapi-idempotency-key-header).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use store::{Column, Field, Kind, StoreError, Table, Tx, Value};

use crate::{Answer, CommandError, IdempotencyKey, Participant, Reply, Settings, Work};

const TABLE: Table = Table {
    name: "idempotency_key",
    columns: &[
        Column { name: "key", kind: Kind::Text },
        Column { name: "hash", kind: Kind::Bytes },
        Column { name: "reply", kind: Kind::Text },
        Column { name: "created_at", kind: Kind::Int },
    ],
};

/// The answers known under the keys of one batch.
pub(crate) struct Keys<P: Participant> {
    known: BTreeMap<String, Known<P>>,
}

struct Known<P: Participant> {
    hash: Vec<u8>,
    reply: P::Reply,
    /// What is to be stored; none if it is stored already.
    unsaved: Option<String>,
}

impl<P: Participant> Keys<P> {
    /// Locks and reads the batch's keys. Those past the window are forgotten here, so that they
    /// can be used anew.
    pub(crate) async fn load(
        tx: &mut Tx,
        batch: &[Work<P>],
        now: Timestamp,
        settings: &Settings,
    ) -> Result<Self, StoreError> {
        let keys: BTreeSet<&str> =
            batch.iter().filter_map(Work::idempotency_key).map(|key| key.key.as_str()).collect();
        let keys = keys.into_iter().map(|key| key.to_owned().into_value()).collect();
        let oldest = now.saturating_sub(settings.idempotency_window).unwrap_or(Timestamp::MIN);
        let (mut known, mut expired) = (BTreeMap::new(), Vec::new());
        for row in tx.select_locked(&TABLE, keys).await? {
            let key: String = row.get(0)?;
            if row.get::<Timestamp>(3)? < oldest {
                expired.push(Value::Text(key.into()));
                continue;
            }
            let text: String = row.get(2)?;
            let Some(reply) = P::Reply::restored(&text) else {
                let expected = "a stored response";
                return Err(StoreError::Column { column: 2, value: text, expected });
            };
            known.insert(key, Known { hash: row.get(1)?, reply, unsaved: None });
        }
        tx.discard(TABLE.name, "key", Kind::Text, expired).await?;
        Ok(Self { known })
    }

    /// The answer to a command whose key is known: the stored one if the request is the same. Earlier versions stored
    /// the hash of the bytes that were sent, later ones that of the canonical body, so either may match.
    pub(crate) fn answer(&self, key: Option<&IdempotencyKey>) -> Option<Answer<P>> {
        let key = key?;
        let known = self.known.get(&key.key)?;
        Some(if known.hash == key.hash || known.hash == key.sent {
            Ok(known.reply.clone())
        } else {
            Err(CommandError::KeyReused)
        })
    }

    /// Remembers a successful answer under its key.
    pub(crate) fn remember(&mut self, key: Option<&IdempotencyKey>, reply: &P::Reply) {
        let Some((key, stored)) = key.and_then(|key| Some((key, reply.stored()?))) else { return };
        let (hash, reply, unsaved) = (key.hash.to_vec(), reply.clone(), Some(stored));
        self.known.insert(key.key.clone(), Known { hash, reply, unsaved });
    }

    /// Saves the new answers. A key that another replica has used meanwhile is a unique violation,
    /// and the batch runs again.
    pub(crate) async fn save(self, tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
        let rows = self.known.into_iter().filter_map(|(key, known)| {
            Some(vec![
                Value::Text(key.into()),
                Value::Bytes(known.hash),
                Value::Text(known.unsaved?.into()),
                now.into(),
            ])
        });
        tx.insert(&TABLE, rows.collect()).await
    }
}

/// Deletes the responses whose window is over. Returns how many they were.
///
/// # Errors
/// If the database refuses the statement or is away.
pub(crate) async fn prune(
    tx: &mut Tx,
    now: Timestamp,
    settings: &Settings,
) -> Result<u64, StoreError> {
    let oldest = now.saturating_sub(settings.idempotency_window).unwrap_or(Timestamp::MIN);
    tx.execute("delete from idempotency_key where created_at < $1", vec![oldest.into()]).await
}
