//! One epoch under its last stamp: what decisions are made by, and the bytes that are served.

use crate::identity::Sources;
use bytes::Bytes;
use eleven_core::encoding::{Object, Value};
use eleven_core::form::FormError;
use eleven_core::hash::Sha3;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::{Fold, Item as _, KeyTables, RuntimeRecord, Stamp, View, ViewError};
use eleven_core::root::{KeyRecord, KeyUse};
use eleven_core::signature::Signer;
use eleven_core::time::Time;
use eleven_policy::{CompiledPolicy, PolicyError};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A policy in force, ready to decide, and the bundle it was compiled from.
#[derive(Debug)]
pub struct Policy {
    /// What it says.
    pub bundle: PolicyBundle,
    /// What decides.
    pub compiled: CompiledPolicy,
}

impl Policy {
    /// Compiles a bundle.
    ///
    /// # Errors
    /// Where it does not compile.
    pub fn compile(bundle: PolicyBundle) -> Result<Self, PolicyError> {
        let compiled = CompiledPolicy::compile(&bundle)?;
        Ok(Self { bundle, compiled })
    }

    /// Compiles a bundle that is to be published, of so many canonical bytes.
    ///
    /// # Errors
    /// Where it does not compile, or nothing could be done or proven by it.
    pub fn publishable(bundle: PolicyBundle, size: usize) -> Result<Self, PolicyError> {
        let compiled = CompiledPolicy::publishable(&bundle, size)?;
        Ok(Self { bundle, compiled })
    }
}

/// Where the points of a runtime stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// All in one region and tenancy.
    One {
        /// The region.
        region: String,
        /// The tenancy.
        tenancy: String,
    },
    /// In several: only a point's own row tells which.
    Several,
}

/// One epoch under its last stamp. Immutable: a new stamp or a new epoch is another value.
pub struct Current {
    /// The registry as an enforcement point sees it.
    pub view: View,
    /// The fold that made it: what may be appended next.
    pub fold: Arc<Fold>,
    /// Who may call.
    pub sources: Arc<Sources>,
    /// Placement by runtime.
    placements: Arc<BTreeMap<String, Placement>>,
    /// Policies by hash. One whose bundle could not be had yet, or does not compile, is not here.
    policies: Arc<BTreeMap<Sha3, Arc<Policy>>>,
    /// The epochs that the last events made.
    recent: Arc<BTreeMap<Sha3, u64>>,
    /// Since when each issuer key and each identity key is in the registry.
    issuers: Arc<BTreeMap<String, Time>>,
    documents: Arc<Documents>,
    /// The signed stamp.
    pub stamp: Bytes,
}

/// What no registry says of its entries, and the ledger does.
#[derive(Default)]
pub(super) struct Known {
    /// The epochs that the last events made.
    pub(super) recent: BTreeMap<Sha3, u64>,
    /// Since when each issuer key and each identity key is in the registry: since it was registered, or came here after that.
    pub(super) issuers: BTreeMap<String, Time>,
}

/// The bytes that are served of an epoch.
pub(super) struct Documents {
    pub(super) root: Bytes,
    pub(super) roots: BTreeMap<u64, Bytes>,
    pub(super) snapshot: Bytes,
    pub(super) issuers: Bytes,
    pub(super) revocations: Bytes,
    pub(super) epoch: Bytes,
}

/// Why an epoch can't be served.
#[derive(Debug)]
pub enum EpochError {
    /// This process does not hold the key that the header names.
    NotHeld(String),
    /// The signer is not of the key that the header names.
    Key(FormError),
    /// What would be served is not what an enforcement point accepts.
    View(ViewError),
}

impl fmt::Display for EpochError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHeld(kid) => write!(f, "{kid} is to sign it, and is not in this authority's keystore"),
            Self::Key(error) => error.fmt(f),
            Self::View(error) => write!(f, "no enforcement point would accept this epoch: {error}"),
        }
    }
}

impl std::error::Error for EpochError {}

impl Current {
    /// The epoch of a fold with these policies, signed and stamped at `now`, apart from any ledger.
    ///
    /// # Errors
    /// Where `signer` is not the registry key of the epoch, or a public key is none.
    pub fn of_fold(fold: Fold, policies: Vec<Policy>, now: Time, signer: &dyn Signer) -> Result<Self, EpochError> {
        let policies = policies.into_iter().map(|policy| (policy.bundle.hash, Arc::new(policy))).collect();
        Self::sign(fold, policies, Known::default(), now, signer, &mut KeyTables::new())
    }

    /// Signs an epoch and its first stamp, and verifies both as an enforcement point will.
    pub(super) fn sign(
        fold: Fold,
        policies: BTreeMap<Sha3, Arc<Policy>>,
        known: Known,
        now: Time,
        signer: &dyn Signer,
        tables: &mut KeyTables,
    ) -> Result<Self, EpochError> {
        let snapshot = fold.snapshot(signer).map_err(EpochError::Key)?;
        let stamp = Stamp::sign(fold.header(), now, signer);
        let documents = Documents::of(&fold, snapshot.to_value());
        let bytes = stamp.to_value().canonical().into();
        let view = View::open(fold.root(), snapshot, stamp, tables).map_err(EpochError::View)?;
        Ok(Self {
            sources: Arc::new(Sources::of(fold.lists())),
            placements: Arc::new(placements(fold.lists().runtimes.iter())),
            policies: Arc::new(policies),
            recent: Arc::new(known.recent),
            issuers: Arc::new(known.issuers),
            documents: Arc::new(documents),
            fold: Arc::new(fold),
            stamp: bytes,
            view,
        })
    }

    /// The same epoch under a new stamp.
    pub(super) fn restamped(&self, now: Time, signer: &dyn Signer) -> Result<Self, ViewError> {
        let stamp = Stamp::sign(self.view.header(), now, signer);
        let bytes = stamp.to_value().canonical().into();
        Ok(Self {
            view: self.view.restamped(stamp)?,
            fold: Arc::clone(&self.fold),
            sources: Arc::clone(&self.sources),
            placements: Arc::clone(&self.placements),
            policies: Arc::clone(&self.policies),
            recent: Arc::clone(&self.recent),
            issuers: Arc::clone(&self.issuers),
            documents: Arc::clone(&self.documents),
            stamp: bytes,
        })
    }

    /// Where a runtime stands; `None` where no point of it is registered.
    #[must_use]
    pub fn placement(&self, runtime: &str) -> Option<&Placement> {
        self.placements.get(runtime)
    }

    /// The policy of a hash, where it is in force and its bundle is at hand.
    #[must_use]
    pub fn policy(&self, hash: &Sha3) -> Option<&Arc<Policy>> {
        self.policies.get(hash)
    }

    /// The event key of a point, where it counts at `now` and is the point's own.
    #[must_use]
    pub fn point_key(&self, point: &str, now: Time) -> Option<&eleven_core::signature::VerifyingKey> {
        let key = self.view.key(&self.view.runtime(point)?.kid)?;
        let record = &key.record;
        let own = record.usage == KeyUse::Event && record.owner == point && record.counts_at(now);
        own.then(|| &*key.verifying)
    }

    /// The record of a registered key, where it counts at `now`.
    pub(crate) fn counting(&self, kid: &str, now: Time) -> Option<&KeyRecord> {
        self.fold.key(kid).filter(|key| key.counts_at(now))
    }

    /// From when on an issuer key is in the registry that points learn of here, and counts, whatever the key says of itself.
    pub(crate) fn issues_since(&self, key: &KeyRecord) -> Time {
        self.issuers.get(&key.kid).map_or(key.nbf, |registered| key.nbf.max(*registered))
    }

    /// From when on an identity key is in the registry that points learn of here.
    pub(crate) fn tokens_since(&self, kid: &str) -> Time {
        self.issuers.get(kid).copied().unwrap_or(Time(0))
    }

    /// The epoch that an event made, where it is one of the last thousand.
    #[must_use]
    pub fn epoch_of(&self, event: Sha3) -> Option<u64> {
        self.recent.get(&event).copied()
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// The policies that decide now, as far as their bundles are here.
    pub fn policies_in_force(&self) -> impl Iterator<Item = &Policy> {
        let hashes = self.view.lists().policies.iter().map(|record| record.id.hash);
        hashes.filter_map(|hash| self.policies.get(&hash).map(Arc::as_ref))
    }

    /// How many policies in force do not decide: what they cover is denied (`policy.error`).
    pub(crate) fn undecided(&self) -> usize {
        self.view.lists().policies.iter().filter(|record| !self.policies.contains_key(&record.id.hash)).count()
    }

    pub(super) fn policies(&self) -> &BTreeMap<Sha3, Arc<Policy>> {
        &self.policies
    }
}

impl Documents {
    fn of(fold: &Fold, snapshot: Value) -> Self {
        let lists = fold.lists();
        let reference = || Object::new().with("epoch", fold.epoch()).with("hash", fold.hash());
        let issuers: Vec<Value> = lists.issuers().map(KeyRecord::to_value).collect();
        let revocations =
            reference().with("revoked", lists.revoked.to_value()).with("containments", lists.containments.to_value());
        let bytes = |value: Object| Bytes::from(value.canonical());
        Self {
            root: fold.root().to_value().canonical().into(),
            roots: fold.roots().map(|root| (root.version, root.to_value().canonical().into())).collect(),
            snapshot: snapshot.canonical().into(),
            issuers: bytes(reference().with("issuers", issuers)),
            revocations: bytes(revocations),
            epoch: bytes(reference()),
        }
    }
}

fn placements<'a>(rows: impl Iterator<Item = &'a RuntimeRecord>) -> BTreeMap<String, Placement> {
    let mut placements = BTreeMap::new();
    for row in rows {
        let here = Placement::One { region: row.region.clone(), tenancy: row.tenancy.clone() };
        let known = placements.entry(row.runtime.clone()).or_insert_with(|| here.clone());
        if *known != here {
            tracing::debug!(point = %row.name(), "a runtime whose points stand in several places");
            *known = Placement::Several;
        }
    }
    placements
}
