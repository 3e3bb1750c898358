//! A small domain whose ledger can be told to lie: keys from labels, histories that can be copied and gone on from.

use crate::bundle::{RegistryPart, RegistryRecord};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::artifact::{self, Artifact, Environment, Use};
use eleven_core::chain::{self, ChainValue, EntryHeader};
use eleven_core::encoding::{Object, parse};
use eleven_core::event::{About, Draft, Place, Record};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::{Commitment, Head, RegistryRef};
use eleven_core::index::{self, OperationIndex};
use eleven_core::policy::PolicyId;
use eleven_core::reason::Reason;
use eleven_core::registry::{self, Fold, GrantedKey};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use eleven_core::tree::{self, MemoryTree};

const DOMAIN: &str = "11-11";
pub(super) const LEDGER: &str = "ledger://11-11";
const AUTHORITY: &str = "governance://11-11/authority/prod";
const RUNTIME: &str = "k8s://cluster/ns/inference";
const POINT: &str = "k8s://cluster/ns/inference#gw-0";

/// So many seconds after the domain began.
pub(super) fn at(seconds: i64) -> Time {
    Time::parse_millis("2026-05-12T17:00:00.000Z").expect("a time").plus_seconds(seconds)
}

fn kid(label: &str) -> String {
    format!("key:{DOMAIN}/{label}/1")
}

fn signer(label: &str) -> SeedSigner {
    SeedSigner::new(kid(label), &Sha256::of(&[b"seed of ", label.as_bytes()]).0)
}

fn key(label: &str, usage: KeyUse, owner: &str) -> KeyRecord {
    let second = |text| Time::parse_seconds(text).expect("a time");
    KeyRecord {
        kid: kid(label),
        public: signer(label).public(),
        usage,
        owner: owner.to_owned(),
        nbf: second("2026-04-01T00:00:00Z"),
        exp: second("2026-07-01T00:00:00Z"),
        status: KeyStatus::Active,
    }
}

fn root_by(label: &str) -> TrustRoot {
    let second = |text| Time::parse_seconds(text).expect("a time");
    let root = TrustRoot {
        domain: DOMAIN.to_owned(),
        version: 1,
        threshold: 1,
        keys: vec![key(label, KeyUse::Root, "human:root")],
        roles: vec![
            key("head", KeyUse::Head, LEDGER),
            key("policy", KeyUse::Policy, AUTHORITY),
            key("registry", KeyUse::Registry, AUTHORITY),
        ],
        witnesses: Witnesses::default(),
        nbf: second("2026-04-01T00:00:00Z"),
        exp: second("2027-04-01T00:00:00Z"),
        prev: None,
        sigs: Vec::new(),
    };
    root.signed(&[&signer(label)]).expect("a root")
}

pub(super) fn root() -> TrustRoot {
    root_by("root")
}

/// The root that somebody else would make for a domain of that name.
pub(super) fn other_root() -> TrustRoot {
    root_by("another root")
}

/// The domain's keys, each with its own numbers, and its registry.
pub(super) struct Domain {
    numbers: BTreeMap<&'static str, u64>,
    fold: Fold,
}

impl Domain {
    pub(super) fn new() -> Self {
        let granted = |label, usage, owner| GrantedKey::sign(key(label, usage, owner), &signer("registry"));
        let keys = [
            granted("audit", KeyUse::Event, LEDGER),
            granted("authority", KeyUse::Event, AUTHORITY),
            granted("issuer", KeyUse::Issuer, AUTHORITY),
            granted("gw-0", KeyUse::Event, POINT),
        ];
        let fold = Fold::genesis(at(0), LEDGER, &registry::genesis(&root(), 10, &keys)).expect("a registry");
        Self { numbers: BTreeMap::new(), fold }
    }

    /// The same domain after its authority has called a key compromised.
    pub(super) fn compromised(mut self, label: &str, since: Time) -> Self {
        let data = Object::new().with("kid", kid(label).as_str()).with("since", since.to_millis_value());
        self.fold.apply(since, "key.compromised", AUTHORITY, &data).expect("the next epoch");
        self
    }

    pub(super) fn signer(&self, label: &str) -> SeedSigner {
        signer(label)
    }

    fn record(
        &mut self,
        label: &'static str,
        by: &str,
        event: &'static str,
        place: Place,
        data: Object,
        about: About,
    ) -> Record {
        let number = self.numbers.entry(label).or_default();
        let draft = Draft { event, place, ts: at(1), by: by.to_owned(), src_seq: *number, data, about };
        *number += 1;
        draft.sign(&signer(label)).expect("a record")
    }

    pub(super) fn denial(&mut self) -> Record {
        let about = About { reason: Some(Reason::PolicyDenied), runtime: Some(RUNTIME.to_owned()), ..About::default() };
        self.record("gw-0", POINT, "execution.denied", Place::Alone, Object::new().with("details", "no"), about)
    }

    pub(super) fn issue(&mut self, nonce: u8) -> (Artifact, Record) {
        let hash = Sha3::of(&[b"policy"]);
        let op = parse(br#"{"name":"model.invoke","scope":["phi.read"]}"#).expect("an op");
        let draft = artifact::Draft {
            iss: AUTHORITY.to_owned(),
            sub: "svc:gateway:prod".to_owned(),
            op: artifact::Operation::read(op).expect("of its form"),
            pol: PolicyId { reference: "policy://medical/v1".to_owned(), hash },
            env: Environment {
                runtime: RUNTIME.to_owned(),
                region: "us-east-1".to_owned(),
                tenancy: "single".to_owned(),
            },
            nbf: at(0),
            exp: at(300),
            usage: Use::Single { nonce: artifact::nonce(&[nonce; 17]) },
            parent: None,
            holder: None,
        };
        let artifact = draft.issue(&signer("issuer")).expect("an artifact");
        let data = Object::new()
            .with("chash", artifact.chash)
            .with("exp", artifact.exp.to_seconds_value())
            .with("request", Sha3::of(&[b"input"]));
        let (place, about) = (Place::First { op: artifact.content_id().to_owned() }, About::artifact(&artifact));
        let record = self.record("authority", AUTHORITY, "authorization.issued", place, data, about);
        (artifact, record)
    }

    pub(super) fn consume(&mut self, artifact: &Artifact, issued: &Record) -> Record {
        let place = Place::After { op: issued.op.clone(), tip: issued.tip() };
        let data = Object::new().with("nonce", artifact.usage.nonce()).with("use", 1u64);
        self.record("gw-0", POINT, "authorization.consumed", place, data, About::artifact(artifact))
    }

    /// What a head commits to, signed again at another time.
    pub(super) fn head_of(&self, head: &Head, at: Time) -> Head {
        Head::sign(head.commitment.clone(), at, &signer("head"))
    }

    pub(super) fn registry_part(&self, kids: &[&str]) -> RegistryPart {
        let header = self.fold.header().clone();
        let sig = signer("registry").signature(&header.payload());
        let records = kids.iter().map(|kid| {
            let key = self.fold.key(kid).expect("a key");
            RegistryRecord::new(key, self.fold.prove("key", kid))
        });
        RegistryPart { header, sig, records: records.collect() }
    }

    pub(super) fn registry(&self) -> RegistryRef {
        RegistryRef { epoch: self.fold.epoch(), hash: self.fold.hash() }
    }
}

/// A history of a ledger, as its entries, tree, index and chain. Copies go on as they like.
#[derive(Clone)]
pub(super) struct History {
    pub(super) entries: Vec<(EntryHeader, Record)>,
    pub(super) tree: MemoryTree,
    pub(super) index: OperationIndex,
    pub(super) chain: Option<ChainValue>,
    /// The head over the first entry and its seal's place, to go back to.
    pub(super) first_head: Head,
}

impl History {
    /// One entry, and a head over it.
    pub(super) fn new(domain: &mut Domain) -> Self {
        let (root, index, registry) = (tree::empty_root(), Sha256::ZERO, domain.registry());
        let chain = chain::advance(None, b"");
        let commitment = Commitment { ledger: LEDGER.to_owned(), size: 1, chain, root, index, registry };
        let first_head = Head::sign(commitment, at(0), &signer("head"));
        let (entries, tree) = (Vec::new(), MemoryTree::new());
        let mut history = Self { entries, tree, index: OperationIndex::new(), chain: None, first_head };
        let genesis = registry::genesis(&self::root(), 10, &[]);
        let genesis = domain.record("audit", LEDGER, "ledger.genesis", Place::Alone, genesis, About::default());
        history.push(genesis, at(0));
        let commitment = history.commitment(domain, Sha256::ZERO);
        history.first_head = Head::sign(commitment, at(0), &signer("head"));
        history
    }

    /// Appends a record as the next entry.
    pub(super) fn push(&mut self, record: Record, at: Time) {
        let header = EntryHeader { seq: self.tree.size(), at, prev: self.chain };
        let bytes = header.bytes(record.canonical());
        self.chain = Some(chain::advance(self.chain.as_ref(), &bytes));
        self.tree.append(tree::leaf_hash(&bytes));
        if !record.event.starts_with("ledger.") {
            let value = index::op_value(&record.op, record.n, &record.hash, &record.hash_alt);
            self.index.insert(index::op_key(&record.op), value);
        }
        self.entries.push((header, record));
    }

    fn commitment(&self, domain: &Domain, index: Sha256) -> Commitment {
        let (size, root, registry) = (self.tree.size(), self.tree.root(), domain.registry());
        let chain = self.chain.expect("an entry");
        Commitment { ledger: LEDGER.to_owned(), size, chain, root, index, registry }
    }

    /// Seals what came, and signs a head over it.
    pub(super) fn seal(&mut self, domain: &mut Domain, sealed: Time, signed: Time) -> Head {
        let index = self.index.rehash();
        let data = Object::new().with("size", self.tree.size()).with("index", index);
        let data = data.with("registry", domain.registry().to_value());
        let seal = domain.record("audit", LEDGER, "ledger.sealed", Place::Alone, data, About::default());
        self.push(seal, sealed);
        Head::sign(self.commitment(domain, index), signed, &signer("head"))
    }

    pub(super) fn entry(&self, seq: usize) -> (Record, EntryHeader) {
        let (header, record) = self.entries.get(seq).expect("an entry");
        (record.clone(), header.clone())
    }
}
