//! The registry as a fold over the ledger's entries and nothing else (PROTOCOL 5.3, 11). Authority and audit service run
//! it over the same entries and come to the same epochs.
//!
//! [`Fold::check`] is what append (PROTOCOL 6.1) asks of a registry event; [`Fold::apply`] asks the same and makes the
//! next epoch.

use super::data::GrantedKey;
use super::error::FoldError;
use super::lists::Lists;
use super::peer::PeerStatement;
use super::records::{
    ContainmentRecord, ContainmentState, InterfaceRecord, Item, PolicyRecord, RevokedRecord, RuntimeRecord,
    SourceRecord,
};
use super::snapshot::{Header, Snapshot, is_fresh};
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha3;
use crate::index::{OperationIndex, Proof, item_key};
use crate::name;
use crate::root::{KeyRecord, KeyUse, TrustRoot};
use crate::signature::Signer;
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// The registry of a domain at one epoch, and what is needed to make the next.
#[derive(Clone, Debug)]
pub struct Fold {
    pub(super) root: TrustRoot,
    pub(super) former_roots: Vec<TrustRoot>,
    pub(super) lists: Lists,
    /// The public keys that are registered.
    pub(super) publics: BTreeSet<[u8; 32]>,
    /// The highest version of each policy path that was ever published.
    pub(super) versions: BTreeMap<String, u64>,
    /// The time of the last entry that published a policy by each policy key.
    pub(super) published_by: BTreeMap<String, Time>,
    /// The contained subjects that the authority contained: no point lifts its own containment from it.
    pub(super) held_by_authority: BTreeSet<String>,
    /// The rows of `revoked` by the moment they are dropped.
    expiries: BTreeSet<(Time, String)>,
    tree: OperationIndex,
    header: Header,
    hash: Sha3,
}

/// What an event does to the lists.
#[derive(Debug)]
pub(super) enum Effect {
    Root(TrustRoot),
    Key(KeyRecord),
    Policy { policy: PolicyRecord, kid: String, at: Time },
    PolicyRetired(String),
    Runtime(RuntimeRecord),
    RuntimeRemoved(String),
    Interface(InterfaceRecord),
    Source(SourceRecord),
    SourceRemoved(String),
    Revoked(RevokedRecord),
    Containment { row: ContainmentRecord, by_authority: bool },
    Lifted { kind: String, subject: String },
    Peer(PeerStatement),
}

impl Fold {
    /// Epoch 1, from the entry of `ledger.genesis`: `at` is the entry's, `by` and `data` are the record's.
    ///
    /// # Errors
    /// Where the data is not of its form, the root is not in force at `at` or not signed by its own threshold, `by` is
    /// not the ledger of the root's domain, `fresh` is not within 1 to 60 s, or a key may not be registered.
    pub fn genesis(at: Time, by: &str, data: &Object) -> Result<Self, FoldError> {
        let mut form = Form::of_object(data.clone(), "genesis");
        let root = TrustRoot::read(form.take("root")?)?;
        let fresh = form.positive("fresh")?;
        let keys = form.array("keys")?;
        form.finish()?;
        if !name::is_ledger(by) || name::ledger_domain(by) != Some(&root.domain) {
            return Err(FoldError::Producer);
        }
        require(is_fresh(fresh), "genesis: `fresh` is not within 1 to 60 seconds")?;
        root.verify_own()?;
        let mut fold = Self::empty(root, fresh, at)?;
        for key in keys {
            let granted = GrantedKey::read(key)?;
            fold.check_key(&granted, at)?;
            fold.enact(Effect::Key(granted.key));
        }
        fold.header.items = fold.tree.rehash();
        fold.hash = fold.header.hash();
        Ok(fold)
    }

    fn empty(root: TrustRoot, fresh: u64, at: Time) -> Result<Self, FoldError> {
        let signs = root.role_at(KeyUse::Registry, at).filter(|_| root.in_force(at));
        let kid = signs.ok_or(FoldError::RootNotInForce)?.kid.clone();
        let tree = OperationIndex::new();
        let header = Header { domain: root.domain.clone(), epoch: 1, fresh, prev: None, kid, items: tree.root() };
        Ok(Self {
            root,
            former_roots: Vec::new(),
            lists: Lists::default(),
            publics: BTreeSet::new(),
            versions: BTreeMap::new(),
            published_by: BTreeMap::new(),
            held_by_authority: BTreeSet::new(),
            expiries: BTreeSet::new(),
            tree,
            hash: header.hash(),
            header,
        })
    }

    /// Takes the next entry: `at` is the entry's, the others are the record's. `true` where it made the next epoch;
    /// events that the registry does not concern are passed over.
    ///
    /// # Errors
    /// What [`Fold::check`] refuses; the registry stays as it was.
    pub fn apply(&mut self, at: Time, event: &str, by: &str, data: &Object) -> Result<bool, FoldError> {
        match self.plan(at, event, by, data)? {
            None => Ok(false),
            Some(effect) => {
                if let Some(effect) = effect {
                    self.enact(effect);
                }
                self.next_epoch(at);
                Ok(true)
            }
        }
    }

    /// Whether append may take the event now (PROTOCOL 6.1): everything that the registry alone can tell. That an
    /// artifact was issued, by whom and until when, that a policy's lists are its bundle's, and whose key signed the
    /// record, is the caller's to check.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, at: Time, event: &str, by: &str, data: &Object) -> Result<(), FoldError> {
        self.plan(at, event, by, data).map(drop)
    }

    /// The same for an event that is new: no version of the root is begun that ends a policy key before what that published, or that
    /// names witnesses as [`TrustRoot::check_new`] has none. Registries that were before, and others', may hold one.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check_new(&self, at: Time, event: &str, by: &str, data: &Object) -> Result<(), FoldError> {
        match self.plan(at, event, by, data)? {
            Some(Some(Effect::Root(root))) => {
                root.check_new()?;
                self.check_policy_keys(&root)
            }
            _ => Ok(()),
        }
    }

    fn enact(&mut self, effect: Effect) {
        let (lists, tree) = (&mut self.lists, &mut self.tree);
        match effect {
            Effect::Root(root) => self.former_roots.push(core::mem::replace(&mut self.root, root)),
            Effect::Key(key) => {
                self.publics.insert(key.public);
                lists.keys.put(key, tree);
            }
            Effect::Policy { policy, kid, at } => {
                self.published_by.insert(kid, at);
                self.replace_policy(policy);
            }
            Effect::PolicyRetired(reference) => drop(lists.policies.take(&reference, tree)),
            Effect::Runtime(runtime) => lists.runtimes.put(runtime, tree),
            Effect::RuntimeRemoved(point) => drop(lists.runtimes.take(&point, tree)),
            Effect::Interface(interface) => lists.interfaces.put(interface, tree),
            Effect::Source(source) => lists.sources.put(source, tree),
            Effect::SourceRemoved(source) => drop(lists.sources.take(&source, tree)),
            Effect::Revoked(row) => {
                self.expiries.insert((row.until, row.artifact.clone()));
                lists.revoked.put(row, tree);
            }
            Effect::Containment { row, by_authority } => {
                // Who raised a containment may lift it. An authority that lets a subject recover lets go of it.
                match (row.state, by_authority) {
                    (ContainmentState::Contained, true) => drop(self.held_by_authority.insert(row.name())),
                    (ContainmentState::Recovering, true) => drop(self.held_by_authority.remove(&row.name())),
                    _ => {}
                }
                lists.containments.put(row, tree);
            }
            Effect::Lifted { kind, subject } => {
                let name = ContainmentRecord::name_of(&kind, &subject);
                self.held_by_authority.remove(&name);
                lists.containments.take(&name, tree);
            }
            Effect::Peer(statement) => lists.peers.put(statement, tree),
        }
    }

    /// vN+1 takes the place of vN of its path.
    fn replace_policy(&mut self, policy: PolicyRecord) {
        if let Some((path, version)) = name::policy_version(&policy.id.reference) {
            if let Some(before) = self.policy_of_path(path).map(Item::name) {
                self.lists.policies.take(&before, &mut self.tree);
            }
            self.versions.insert(path.into(), version);
        }
        self.lists.policies.put(policy, &mut self.tree);
    }

    fn next_epoch(&mut self, at: Time) {
        while let Some((until, artifact)) = self.expiries.pop_first() {
            if until > at.whole_seconds() {
                self.expiries.insert((until, artifact));
                break;
            }
            self.lists.revoked.take(&artifact, &mut self.tree);
        }
        // A root that has lapsed still names the key that signs: what is committed must have a header.
        let signs = self.root.role_at(KeyUse::Registry, at);
        let signs = signs.or_else(|| self.root.roles.iter().find(|key| key.usage == KeyUse::Registry));
        if let Some(key) = signs {
            self.header.kid.clone_from(&key.kid);
        }
        self.header.epoch += 1;
        self.header.prev = Some(self.hash);
        self.header.items = self.tree.rehash();
        self.hash = self.header.hash();
    }

    /// The header of this epoch, unsigned.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The number of this epoch.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.header.epoch
    }

    /// The registry's hash at this epoch.
    #[must_use]
    pub const fn hash(&self) -> Sha3 {
        self.hash
    }

    /// `{"epoch","hash"}`, as seals, heads and consumptions name the registry.
    #[must_use]
    pub fn reference(&self) -> Value {
        Value::Object(Object::new().with("epoch", self.header.epoch).with("hash", self.hash))
    }

    /// The lists.
    #[must_use]
    pub const fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.header.domain
    }

    /// The last published root.
    #[must_use]
    pub const fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// Every root from the genesis' on, in the order of their versions.
    pub fn roots(&self) -> impl Iterator<Item = &TrustRoot> {
        self.former_roots.iter().chain(core::iter::once(&self.root))
    }

    /// The record of a registered key, as it stands now: with its window and `since` it tells what counted when.
    #[must_use]
    pub fn key(&self, kid: &str) -> Option<&KeyRecord> {
        self.lists.keys.get(kid)
    }

    /// The policy in force of a path, whatever its version.
    #[must_use]
    pub(super) fn policy_of_path(&self, path: &str) -> Option<&PolicyRecord> {
        let version = self.versions.get(path)?;
        self.lists.policies.get(&alloc::format!("policy://{path}/v{version}"))
    }

    /// The proof that a record of `kind` and `name` is among the items that the header commits to, or that none is.
    #[must_use]
    pub fn prove(&self, kind: &str, name: &str) -> Proof {
        self.tree.prove(&item_key(kind, name))
    }

    /// This epoch as it is served, its header signed.
    ///
    /// # Errors
    /// Where `signer` is not the key that the header names.
    pub fn snapshot(&self, signer: &dyn Signer) -> Result<Snapshot, FormError> {
        require(signer.kid() == self.header.kid, "the registry's header names another key: sign with that one")?;
        let sig = signer.signature(&self.header.payload());
        Ok(Snapshot { header: self.header.clone(), sig, lists: self.lists.clone() })
    }
}

#[cfg(test)]
mod tests;
