//! The eight lists of a registry, each strictly ascending by name.

use super::peer::PeerStatement;
use super::records::{
    ContainmentRecord, InterfaceRecord, Item, PolicyRecord, RevokedRecord, RuntimeRecord, SourceRecord,
};
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha256;
use crate::index::{OperationIndex, item_key};
use crate::root::{KeyRecord, KeyUse};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A list of records of one kind, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(BTreeMap<String, T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Item> List<T> {
    /// Takes a list out of a snapshot.
    ///
    /// # Errors
    /// Where it is missing, a record is not of its form, or the names do not strictly ascend.
    pub fn read(form: &mut Form<'_>) -> Result<Self, FormError> {
        let mut list = BTreeMap::new();
        for value in form.array(T::LIST)? {
            let item = T::read(value)?;
            let name = item.name();
            let ascends = list.last_key_value().is_none_or(|(last, _)| *last < name);
            require(ascends, &format!("registry: `{}` is not strictly ascending by name", T::LIST))?;
            list.insert(name, item);
        }
        Ok(Self(list))
    }

    /// The record of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.get(name)
    }

    /// Whether there is a record of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The records in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.0.values()
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list as it stands in a snapshot.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Array(self.iter().map(Item::to_value).collect())
    }

    /// Sets a record, in the list and in the tree.
    pub(super) fn put(&mut self, item: T, tree: &mut OperationIndex) {
        let (key, value) = item.leaf();
        tree.insert(key, value);
        self.0.insert(item.name(), item);
    }

    /// Takes a record out of the list and of the tree.
    pub(super) fn take(&mut self, name: &str, tree: &mut OperationIndex) -> Option<T> {
        let item = self.0.remove(name)?;
        tree.remove(&item_key(T::KIND, name));
        Some(item)
    }

    fn plant(&self, tree: &mut OperationIndex) {
        for item in self.iter() {
            let (key, value) = item.leaf();
            tree.insert(key, value);
        }
    }
}

/// All lists of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Keys of issuers, for events and for attestations; never removed.
    pub keys: List<KeyRecord>,
    /// Policies in force.
    pub policies: List<PolicyRecord>,
    /// Registered enforcement points.
    pub runtimes: List<RuntimeRecord>,
    /// Approved interfaces.
    pub interfaces: List<InterfaceRecord>,
    /// Sources of identities.
    pub sources: List<SourceRecord>,
    /// Revoked artifacts, each until a day past its expiry.
    pub revoked: List<RevokedRecord>,
    /// Contained subjects.
    pub containments: List<ContainmentRecord>,
    /// The last statement about each peer.
    pub peers: List<PeerStatement>,
}

impl Lists {
    /// Takes the eight lists out of a snapshot.
    ///
    /// # Errors
    /// Where a list is missing, not of its form, or not strictly ascending; where a public key stands twice, or a key is of a
    /// use that stands in no registry.
    pub fn read(form: &mut Form<'_>) -> Result<Self, FormError> {
        let lists = Self {
            keys: List::read(form)?,
            policies: List::read(form)?,
            runtimes: List::read(form)?,
            interfaces: List::read(form)?,
            sources: List::read(form)?,
            revoked: List::read(form)?,
            containments: List::read(form)?,
            peers: List::read(form)?,
        };
        let mut publics = BTreeSet::new();
        let distinct = lists.keys.iter().all(|key| publics.insert(key.public));
        require(distinct, "registry: a public key stands twice in `keys`")?;
        Ok(lists)
    }

    /// Sets the eight lists as members of a snapshot.
    #[must_use]
    pub fn write(&self, snapshot: Object) -> Object {
        snapshot
            .with(KeyRecord::LIST, self.keys.to_value())
            .with(PolicyRecord::LIST, self.policies.to_value())
            .with(RuntimeRecord::LIST, self.runtimes.to_value())
            .with(InterfaceRecord::LIST, self.interfaces.to_value())
            .with(SourceRecord::LIST, self.sources.to_value())
            .with(RevokedRecord::LIST, self.revoked.to_value())
            .with(ContainmentRecord::LIST, self.containments.to_value())
            .with(PeerStatement::LIST, self.peers.to_value())
    }

    /// The tree of all records.
    #[must_use]
    pub fn tree(&self) -> OperationIndex {
        let mut tree = OperationIndex::new();
        self.keys.plant(&mut tree);
        self.policies.plant(&mut tree);
        self.runtimes.plant(&mut tree);
        self.interfaces.plant(&mut tree);
        self.sources.plant(&mut tree);
        self.revoked.plant(&mut tree);
        self.containments.plant(&mut tree);
        self.peers.plant(&mut tree);
        tree
    }

    /// The root of that tree: a header's `items`.
    #[must_use]
    pub fn items(&self) -> Sha256 {
        self.tree().rehash()
    }

    /// The keys by which an authority speaks: of artifacts, and of its own events.
    pub fn issuers(&self) -> impl Iterator<Item = &KeyRecord> {
        let speaks = |key: &&KeyRecord| {
            key.usage == KeyUse::Issuer || (key.usage == KeyUse::Event && crate::name::is_authority(&key.owner))
        };
        self.keys.iter().filter(speaks)
    }

    /// The policies that cover an operation on a runtime: admission wants exactly one.
    #[must_use]
    pub fn policies_in_force(&self, operation: &str, runtime: &str) -> Vec<&PolicyRecord> {
        self.policies.iter().filter(|policy| policy.covers(operation, runtime)).collect()
    }
}
