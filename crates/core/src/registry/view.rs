//! What an enforcement point holds of a registry: a snapshot and a stamp, verified against the trust root once, when they
//! are swapped in. What depends on the time of a call is asked with that time (PROTOCOL 4.1, steps 3 and 4).

use super::lists::Lists;
use super::records::{ContainmentRecord, PolicyRecord, RuntimeRecord};
use super::snapshot::{Header, Snapshot, Stamp};
use crate::hash::Sha3;
use crate::root::{KeyRecord, KeyUse, RootError, TrustRoot};
use crate::signature::{Tables, VerifyingKey};
use crate::subject::{self, Target};
use crate::time::Time;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// A verified registry under a stamp. Cloning one copies no list.
#[derive(Clone, Debug)]
pub struct View {
    epoch: Arc<Epoch>,
    stamp: Stamp,
}

/// What does not change while the epoch is the last.
#[derive(Debug)]
struct Epoch {
    root: TrustRoot,
    header: Header,
    hash: Sha3,
    lists: Lists,
    keys: BTreeMap<String, ViewKey>,
    /// Names of the policies that cover an operation.
    by_operation: BTreeMap<String, Vec<String>>,
}

/// A registered key, ready to verify.
#[derive(Clone, Debug)]
pub struct ViewKey {
    /// Its record.
    pub record: KeyRecord,
    /// The key.
    pub verifying: Arc<VerifyingKey>,
}

/// Why a snapshot and a stamp are not a view: in each case the reason is `issuer.unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewError {
    /// The root is not signed by its own threshold.
    Root,
    /// The root is not in force.
    RootNotInForce,
    /// Snapshot or stamp is another domain's.
    Domain,
    /// The stamp is for another epoch or another hash.
    OtherEpoch,
    /// The snapshot is not signed by a registry key of the root.
    SnapshotSignature,
    /// The stamp is not signed by a registry key of the root.
    StampSignature,
    /// A registry key does not count at this time.
    RegistryKey,
    /// A registered public key is no key.
    Key,
    /// The stamp is older than `fresh`.
    Stale,
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "the trust root is not signed by its own threshold",
            Self::RootNotInForce => "the trust root is not in force",
            Self::Domain => "the registry is another domain's",
            Self::OtherEpoch => "the stamp is for another epoch or hash than the snapshot",
            Self::SnapshotSignature => "the registry's header is not signed by a registry key of the root",
            Self::StampSignature => "the stamp is not signed by a registry key of the root",
            Self::RegistryKey => "the registry key does not count at this time",
            Self::Key => "a registered public key is no key",
            Self::Stale => "the registry view is older than it may be: reach the authority",
        })
    }
}

impl core::error::Error for ViewError {}

impl From<RootError> for ViewError {
    fn from(_: RootError) -> Self {
        Self::Root
    }
}

/// How many keys of a view get a table.
const TABLES: usize = 128;

/// Verifying keys by public key, kept from one view to the next, so that none makes its table twice. None is let go of.
#[derive(Clone, Debug)]
pub struct KeyTables {
    keys: BTreeMap<[u8; 32], Arc<VerifyingKey>>,
    tables: Tables,
}

impl Default for KeyTables {
    fn default() -> Self {
        Self { keys: BTreeMap::new(), tables: Tables::new(TABLES) }
    }
}

impl KeyTables {
    /// No keys yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of a record, with a table from its first use on while there are any left. `None` where the bytes are no key.
    pub fn key(&mut self, record: &KeyRecord) -> Option<Arc<VerifyingKey>> {
        if let Some(known) = self.keys.get(&record.public) {
            return Some(Arc::clone(known));
        }
        let key = Arc::new(record.verifying()?.with_table(&self.tables));
        self.keys.insert(record.public, Arc::clone(&key));
        Some(key)
    }
}

impl View {
    /// Verifies a snapshot and a stamp against the root: the root by its own threshold, both of the root's domain, of
    /// one epoch and hash, both signed by a registry key of the root. That the lists ascend, hold nothing twice and are
    /// those that the header commits to, and that `fresh` is within its limits, [`Snapshot::read`] has ensured.
    ///
    /// # Errors
    /// What does not hold.
    pub fn open(root: &TrustRoot, snapshot: Snapshot, stamp: Stamp, tables: &mut KeyTables) -> Result<Self, ViewError> {
        root.verify_own()?;
        let Snapshot { header, lists, .. } = &snapshot;
        if header.domain != root.domain {
            return Err(ViewError::Domain);
        }
        let signs = registry_key(root, &header.kid).ok_or(ViewError::SnapshotSignature)?;
        if !snapshot.verifies(&signs) {
            return Err(ViewError::SnapshotSignature);
        }
        let hash = header.hash();
        verify_stamp(root, header, hash, &stamp)?;
        let ready = |record: &KeyRecord| {
            let verifying = tables.key(record).ok_or(ViewError::Key)?;
            Ok((record.kid.clone(), ViewKey { record: record.clone(), verifying }))
        };
        let keys = lists.keys.iter().map(ready).collect::<Result<_, ViewError>>()?;
        let by_operation = by_operation(lists);
        let Snapshot { header, lists, .. } = snapshot;
        let epoch = Epoch { root: root.clone(), header, hash, lists, keys, by_operation };
        Ok(Self { epoch: Arc::new(epoch), stamp })
    }

    /// The same registry under a newer stamp.
    ///
    /// # Errors
    /// Where the stamp is for another epoch or hash, another domain's, or not signed by a registry key of the root.
    pub fn restamped(&self, stamp: Stamp) -> Result<Self, ViewError> {
        verify_stamp(&self.epoch.root, &self.epoch.header, self.epoch.hash, &stamp)?;
        Ok(Self { epoch: Arc::clone(&self.epoch), stamp })
    }

    /// Whether the view may be used at `now`: the root in force, the keys that signed header and stamp counting, the
    /// stamp no older than `fresh`. A stamp ahead of `now` is [`View::stamp_ahead_ms`]'s matter.
    ///
    /// # Errors
    /// What does not hold.
    pub fn usable_at(&self, now: Time) -> Result<(), ViewError> {
        let root = &self.epoch.root;
        if !root.in_force(now) {
            return Err(ViewError::RootNotInForce);
        }
        if self.uncounted_signer(root, now).is_some() {
            return Err(ViewError::RegistryKey);
        }
        if self.is_stale(now) { Err(ViewError::Stale) } else { Ok(()) }
    }

    /// The key that signed header or stamp and does not count at `now` by `root`, where one of them does not.
    #[must_use]
    pub fn uncounted_signer(&self, root: &TrustRoot, now: Time) -> Option<&str> {
        let kids = [&self.epoch.header.kid, &self.stamp.sig.kid];
        kids.into_iter().find(|kid| root.role(KeyUse::Registry, kid, now).is_none()).map(String::as_str)
    }

    /// Whether the stamp is older than `fresh`; one exactly that old is not.
    #[must_use]
    fn is_stale(&self, now: Time) -> bool {
        now.since(self.stamp.issued) > self.fresh_ms()
    }

    /// The age that a view may have, in milliseconds.
    #[must_use]
    pub fn fresh_ms(&self) -> i64 {
        i64::try_from(self.epoch.header.fresh).unwrap_or(0).saturating_mul(1000)
    }

    /// How many milliseconds the stamp lies ahead of `now`; negative where it lies behind.
    #[must_use]
    pub const fn stamp_ahead_ms(&self, now: Time) -> i64 {
        self.stamp.issued.since(now)
    }

    /// The stamp.
    #[must_use]
    pub const fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The trust root that the view was verified against.
    #[must_use]
    pub fn root(&self) -> &TrustRoot {
        &self.epoch.root
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.epoch.header
    }

    /// The number of the epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.header.epoch
    }

    /// The registry's hash.
    #[must_use]
    pub fn hash(&self) -> Sha3 {
        self.epoch.hash
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.epoch.header.domain
    }

    /// The lists.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        &self.epoch.lists
    }

    /// What was approved for an enforcement point.
    #[must_use]
    pub fn runtime(&self, point: &str) -> Option<&RuntimeRecord> {
        self.epoch.lists.runtimes.get(point)
    }

    /// A registered key. Whether it counts, for whom and at what time, is its record's to tell.
    #[must_use]
    pub fn key(&self, kid: &str) -> Option<&ViewKey> {
        self.epoch.keys.get(kid)
    }

    /// The policies that cover an operation on a runtime: admission wants exactly one.
    pub fn policies_in_force(&self, operation: &str, runtime: &str) -> impl Iterator<Item = &PolicyRecord> {
        let names = self.epoch.by_operation.get(operation).map(Vec::as_slice).unwrap_or_default();
        let records = names.iter().filter_map(|name| self.epoch.lists.policies.get(name));
        records.filter(move |policy| policy.covers(operation, runtime))
    }

    /// Whether an artifact is revoked.
    #[must_use]
    pub fn is_revoked(&self, artifact: &str) -> bool {
        self.epoch.lists.revoked.contains(artifact)
    }

    /// A containment that stops what `target` touches, whatever its state.
    #[must_use]
    pub fn containment(&self, target: &Target<'_>) -> Option<&ContainmentRecord> {
        self.epoch.lists.containments.iter().find(|row| subject::covers(&row.kind, &row.subject, target))
    }
}

fn verify_stamp(root: &TrustRoot, header: &Header, hash: Sha3, stamp: &Stamp) -> Result<(), ViewError> {
    if stamp.domain != root.domain {
        return Err(ViewError::Domain);
    }
    if stamp.epoch != header.epoch || stamp.hash != hash {
        return Err(ViewError::OtherEpoch);
    }
    let signs = registry_key(root, &stamp.sig.kid).ok_or(ViewError::StampSignature)?;
    if stamp.verifies(&signs) { Ok(()) } else { Err(ViewError::StampSignature) }
}

/// A registry key of the root, whenever it counts: time is asked on each call.
fn registry_key(root: &TrustRoot, kid: &str) -> Option<VerifyingKey> {
    root.roles.iter().find(|key| key.usage == KeyUse::Registry && key.kid == kid)?.verifying()
}

fn by_operation(lists: &Lists) -> BTreeMap<String, Vec<String>> {
    let mut index: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for policy in lists.policies.iter() {
        for operation in &policy.operations {
            index.entry(operation.clone()).or_default().push(policy.id.reference.clone());
        }
    }
    index
}

#[cfg(test)]
mod tests;
