//! The proof bundle `*.proof.json` (PROTOCOL 11): everything that shows one operation, in one file.
//!
//! [`Bundle`] is what whoever holds the ledger puts together; it can't be put together in a form that [`check_form`]
//! refuses, only with parts that don't belong together, and that is what the checks are for. Reading one back is not
//! done here: a verifier reads each member on its own.

mod form;
pub(crate) use form::{event as event_form, form, registry as registry_form};

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use eleven_core::artifact::Artifact;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, Value, array_of, parse_canonical};
use eleven_core::event::Record;
use eleven_core::hash::Sha256;
use eleven_core::head::Head;
use eleven_core::index::Proof;
use eleven_core::registry::{Header, Item};
use eleven_core::root::TrustRoot;
use eleven_core::signature::Signature;
use eleven_core::tree::proof_value;

pub use form::check_form;

/// The `type` of every bundle.
pub const TYPE: &str = "11-11/proof";

/// What a bundle shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An operation from its authorisation to its evidence.
    Execution,
    /// An operation that was begun and is not closed yet.
    Open,
    /// An authorisation that nobody used.
    Unused,
    /// A refusal.
    Denial,
}

impl Kind {
    /// The word that stands in the bundle.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::Open => "open",
            Self::Unused => "unused",
            Self::Denial => "denial",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Execution, Self::Open, Self::Unused, Self::Denial].into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The header of the registry's epoch that the head names, and the records that the checks need of it: the keys that
/// signed anything here, and the registration of the point that attested.
#[derive(Clone, Debug)]
pub struct RegistryPart {
    /// The header.
    pub header: Header,
    /// The registry key's signature over it.
    pub sig: Signature,
    /// The records.
    pub records: Vec<RegistryRecord>,
}

/// A record of the registry, and that the header commits to it.
#[derive(Clone, Debug)]
pub struct RegistryRecord {
    /// Its kind: `key`, `runtime`, ….
    pub kind: &'static str,
    /// The record.
    pub record: Value,
    /// Its presence under the header's `items`.
    pub proof: Proof,
}

impl RegistryRecord {
    /// A record of a list and its proof.
    #[must_use]
    pub fn new<T: Item>(record: &T, proof: Proof) -> Self {
        Self { kind: T::KIND, record: record.to_value(), proof }
    }
}

/// What stands around a record in the ledger, and that the head's tree holds it.
#[derive(Clone, Debug)]
pub struct EntryProof {
    /// Number, time and the chains before it.
    pub header: EntryHeader,
    /// Its inclusion under the head's root, the hash nearest to the leaf first.
    pub proof: Vec<Sha256>,
}

/// An entry shown whole: with its record.
#[derive(Clone, Debug)]
pub struct ShownEntry {
    /// What stands around the record.
    pub entry: EntryProof,
    /// The record.
    pub record: Record,
}

/// What every bundle shows but that of a denial.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The artifact.
    pub artifact: Artifact,
    /// The policy bundle that it names.
    pub policy: Value,
    /// The entry in which the policy was published.
    pub published: ShownEntry,
    /// What the index says of the artifact's revocation.
    pub revoked: Proof,
    /// Its revocation, where the index has one.
    pub revocation: Option<ShownEntry>,
    /// Of an unused artifact with numbered uses: that the first is not in the index.
    pub first_use: Option<Proof>,
    /// The entry in which the point was registered as it was when it ran this, where the registry under the head holds
    /// another registration of it, or none any more.
    pub registered: Option<ShownEntry>,
    /// What the decision was made of, where its owner shows it.
    pub decision: Option<Value>,
    /// What was committed and is disclosed, `[salt, path, value]` each.
    pub disclosures: Vec<Value>,
}

/// A proof bundle.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// What it shows.
    pub kind: Kind,
    /// The operation.
    pub op: String,
    /// Consecutive versions of the trust root, from one that the reader may have pinned to the one in force at the head.
    pub roots: Vec<TrustRoot>,
    /// Of the registry.
    pub registry: RegistryPart,
    /// The events of the operation and where the ledger holds each, in order.
    pub events: Vec<ShownEntry>,
    /// The head's last entry, `ledger.sealed`.
    pub seal: ShownEntry,
    /// The head.
    pub head: Head,
    /// The checkpoint beside it with its signature lines, as text.
    pub checkpoint: String,
    /// What the index says of the operation: its last event.
    pub last_event: Proof,
    /// What was authorised; none for a denial, and only there.
    pub authorization: Option<Authorization>,
}

impl Bundle {
    /// The bytes of the file: canonical. What has its canonical bytes already, the records first of all, is copied there and
    /// not read and encoded once more.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let events = array_of(self.events.iter().map(|event| event.record.canonical()));
        let entries: Vec<Value> = self.events.iter().map(|event| Value::Object(event.entry.to_object())).collect();
        let bundle = Object::new()
            .with("v", "1")
            .with("type", TYPE)
            .with("kind", self.kind.name())
            .with("op", &self.op)
            .with("roots", self.roots.iter().map(TrustRoot::to_value).collect::<Vec<_>>())
            .with("registry", self.registry.to_object())
            .with("entries", entries)
            .with("head", self.head.to_value())
            .with("checkpoint", &self.checkpoint);
        let index = Object::new().with("op", self.last_event.to_value());
        let seal = self.seal.canonical();
        let encoded: [(&str, &[u8]); 2] = [("events", &events), ("seal", &seal)];
        match &self.authorization {
            None => bundle.with("index", index).canonical_with(&encoded),
            Some(shown) => shown.beside(bundle, index, encoded),
        }
    }

    /// The bundle as a value: it is read anew from its bytes.
    #[must_use]
    pub fn to_value(&self) -> Value {
        parse_canonical(&self.canonical()).unwrap_or(Value::Null)
    }
}

impl Authorization {
    /// The bundle with all that is authorised in it.
    fn beside(&self, bundle: Object, index: Object, encoded: [(&str, &[u8]); 2]) -> Vec<u8> {
        let index = index
            .with("revoked", self.revoked.to_value())
            .with_some("use", self.first_use.as_ref().map(Proof::to_value));
        let disclosures = (!self.disclosures.is_empty()).then(|| self.disclosures.clone());
        let bundle = bundle
            .with("index", index)
            .with("policy", self.policy.clone())
            .with_some("decision", self.decision.clone())
            .with_some("disclosures", disclosures);
        let published = self.published.canonical();
        let [revocation, registered] =
            [&self.revocation, &self.registered].map(|entry| entry.as_ref().map(ShownEntry::canonical));
        let mut encoded: Vec<(&str, &[u8])> = encoded.to_vec();
        encoded.extend([("artifact", self.artifact.canonical()), ("published", &published)]);
        encoded.extend(revocation.as_deref().map(|revocation| ("revocation", revocation)));
        encoded.extend(registered.as_deref().map(|registered| ("registered", registered)));
        bundle.canonical_with(&encoded)
    }
}

impl RegistryPart {
    pub(crate) fn to_object(&self) -> Object {
        let header = self.header.to_object().with("sig", self.sig.to_value());
        let records: Vec<Value> = self.records.iter().map(RegistryRecord::to_value).collect();
        Object::new().with("header", header).with("records", records)
    }
}

impl RegistryRecord {
    fn to_value(&self) -> Value {
        let object = Object::new().with("kind", self.kind).with("record", self.record.clone());
        Value::Object(object.with("proof", self.proof.to_value()))
    }
}

impl EntryProof {
    fn to_object(&self) -> Object {
        self.header.to_object().with("proof", proof_value(&self.proof))
    }
}

impl ShownEntry {
    fn canonical(&self) -> Vec<u8> {
        self.entry.to_object().canonical_with(&[("record", self.record.canonical())])
    }
}
