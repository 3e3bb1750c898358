//! The policy bundles that were ever published, by hash: fetched from the ledger, kept, compiled once.

use super::current::Policy;
use crate::ledger::Ledger;
use bytes::Bytes;
use eleven_core::encoding::parse_canonical;
use eleven_core::hash::Sha3;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::PolicyRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bundles that are kept at once. Those in force are fetched again where they were dropped.
const KEPT: usize = 256;

/// Bundles by hash.
pub(super) struct Bundles {
    ledger: Ledger,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// What the ledger says was published: nothing else is served by hash, whatever the ledger stores beside it.
    published: BTreeSet<Sha3>,
    bytes: BTreeMap<Sha3, Bytes>,
}

impl Bundles {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger, held: Mutex::default() }
    }

    /// Notes that a bundle was published.
    pub(super) fn published(&self, hash: Sha3) {
        self.held().published.insert(hash);
    }

    /// A published bundle's bytes; `None` where none of that hash was published, or the ledger does not answer.
    pub(super) async fn get(&self, hash: Sha3) -> Option<Bytes> {
        {
            let held = self.held();
            if !held.published.contains(&hash) {
                return None;
            }
            if let Some(bytes) = held.bytes.get(&hash) {
                return Some(bytes.clone());
            }
        }
        match self.ledger.blob(hash).await {
            Ok(bytes) => {
                self.keep(hash, bytes.clone());
                Some(bytes)
            }
            Err(error) => {
                tracing::warn!(%hash, %error, "a policy bundle is not to be had");
                None
            }
        }
    }

    /// The policies of these rows, ready to decide: those of `before` are shared. A row whose bundle can't be had, is not
    /// the row's or does not compile is left out: what it covers is denied.
    pub(super) async fn policies(
        &self,
        rows: &[PolicyRecord],
        before: &BTreeMap<Sha3, Arc<Policy>>,
    ) -> BTreeMap<Sha3, Arc<Policy>> {
        let mut policies = BTreeMap::new();
        for row in rows {
            let hash = row.id.hash;
            if let Some(policy) = before.get(&hash) {
                policies.insert(hash, Arc::clone(policy));
                continue;
            }
            let Some(bytes) = self.get(hash).await else { continue };
            match compile(row, &bytes) {
                Ok(policy) => drop(policies.insert(hash, Arc::new(policy))),
                Err(why) => tracing::error!(policy = %row.id.reference, %why, "a policy in force does not decide"),
            }
        }
        policies
    }

    fn keep(&self, hash: Sha3, bytes: Bytes) {
        let mut held = self.held();
        if held.bytes.len() >= KEPT {
            held.bytes.clear();
        }
        held.bytes.insert(hash, bytes);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and compiles a bundle, which must be the row's.
fn compile(row: &PolicyRecord, bytes: &Bytes) -> Result<Policy, String> {
    let value = parse_canonical(bytes).map_err(|error| error.to_string())?;
    let bundle = PolicyBundle::read(value).map_err(|error| error.to_string())?;
    if bundle.id() != row.id || bundle.operations != row.operations || bundle.runtimes != row.runtimes {
        return Err("the bundle is not what the registry lists".to_owned());
    }
    Policy::compile(bundle).map_err(|error| error.to_string())
}
