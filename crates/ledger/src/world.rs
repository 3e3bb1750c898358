//! A domain for tests: keys from labels, an authority and points that make real records, and a ledger in a folder that goes
//! when the test does.

use crate::audit::Outcome;
use crate::rules::{Book, Judgement, Refusal, Verified};
use crate::{Ledger, LedgerError, Settings, Signers};
use eleven_api::audit::Append;
use eleven_api::edge::ManualClock;
use eleven_core::artifact::{self, Artifact, Environment, Use};
use eleven_core::attestation::{Evidence, Outcome as Ending, PREDICATE_TYPE, Statement, StatementResult};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::{About, Draft, Place, Record, Tip};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::policy::{PolicyBundle, PolicyId};
use eleven_core::registry::{Fold, GrantedKey, Item as _, PolicyRecord, PublishedPolicy, RuntimeRecord};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::{SeedSigner, Signer};
use eleven_core::time::Time;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const DOMAIN: &str = "11-11";
pub(crate) const LEDGER: &str = "ledger://11-11";
pub(crate) const AUTHORITY: &str = "governance://11-11/authority/prod";
pub(crate) const RUNTIME: &str = "k8s://cluster/ns/inference";
pub(crate) const POINT: &str = "k8s://cluster/ns/inference#gw-0";
pub(crate) const OTHER_POINT: &str = "k8s://cluster/ns/inference#gw-1";
pub(crate) const IDENTITY: &str = "svc:gateway:prod";

pub(crate) fn start() -> Time {
    Time::parse_millis("2026-05-12T17:00:00.000Z").expect("a time")
}

pub(crate) fn kid(label: &str) -> String {
    format!("key:{DOMAIN}/{label}/1")
}

pub(crate) fn signer(label: &str) -> SeedSigner {
    SeedSigner::new(kid(label), &Sha256::of(&[b"seed of ", label.as_bytes()]).0)
}

fn digest(text: &str) -> Sha3 {
    Sha3::of(&[text.as_bytes()])
}

fn key(label: &str, usage: KeyUse, owner: &str) -> KeyRecord {
    let nbf = Time::parse_seconds("2026-04-01T00:00:00Z").expect("a time");
    let exp = Time::parse_seconds("2026-07-01T00:00:00Z").expect("a time");
    KeyRecord {
        kid: kid(label),
        public: signer(label).public(),
        usage,
        owner: owner.to_owned(),
        nbf,
        exp,
        status: KeyStatus::Active,
    }
}

pub(crate) fn granted(label: &str, usage: KeyUse, owner: &str) -> GrantedKey {
    GrantedKey::sign(key(label, usage, owner), &signer("registry"))
}

pub(crate) fn root() -> TrustRoot {
    let root = TrustRoot {
        domain: DOMAIN.to_owned(),
        version: 1,
        threshold: 1,
        keys: vec![key("root", KeyUse::Root, "human:root")],
        roles: vec![
            key("head", KeyUse::Head, LEDGER),
            key("policy", KeyUse::Policy, AUTHORITY),
            key("registry", KeyUse::Registry, AUTHORITY),
        ],
        witnesses: Witnesses::default(),
        nbf: Time::parse_seconds("2026-04-01T00:00:00Z").expect("a time"),
        exp: Time::parse_seconds("2027-04-01T00:00:00Z").expect("a time"),
        prev: None,
        sigs: Vec::new(),
    };
    root.signed(&[&signer("root")]).expect("a root")
}

pub(crate) fn genesis_keys() -> Vec<GrantedKey> {
    vec![
        granted("audit", KeyUse::Event, LEDGER),
        granted("authority", KeyUse::Event, AUTHORITY),
        granted("issuer", KeyUse::Issuer, AUTHORITY),
    ]
}

pub(crate) fn policy_bundle(version: u64) -> Value {
    let text = format!(
        r#"{{"v":"1","ref":"policy://medical/v{version}","operations":["model.invoke"],"runtimes":["k8s://*/ns/inference"],
        "cedar":"permit(principal, action, resource);","schema":null,"terms":{{"ttl":300,"use":["single","bounded","rate"],
        "bind_params":false,"digests":"salted","release":"whole","attestation":"software","sensitive":[]}}}}"#
    );
    parse(text.as_bytes()).expect("a bundle")
}

pub(crate) fn policy_id(version: u64) -> PolicyId {
    PolicyBundle::read(policy_bundle(version)).expect("a bundle").id()
}

pub(crate) fn single(n: u8) -> Use {
    Use::Single { nonce: artifact::nonce(&[n; 17]) }
}

/// An issued artifact and what its lineage has come to.
pub(crate) struct Operation {
    pub(crate) artifact: Artifact,
    pub(crate) issued: Record,
    pub(crate) op: String,
    pub(crate) tip: Tip,
    pub(crate) events: u64,
    started: Time,
}

/// Whoever makes records, each key with its own numbers.
pub(crate) struct Producers {
    numbers: BTreeMap<String, u64>,
    pub(crate) now: Time,
}

impl Producers {
    pub(crate) fn new() -> Self {
        Self { numbers: BTreeMap::new(), now: start() }
    }

    /// A record under the next number of `label`'s key.
    pub(crate) fn record(
        &mut self,
        label: &str,
        by: &str,
        event: &'static str,
        place: Place,
        data: Object,
        about: About,
    ) -> Record {
        let number = self.numbers.entry(label.to_owned()).or_default();
        let draft = Draft { event, place, ts: self.now, by: by.to_owned(), src_seq: *number, data, about };
        let record = draft.sign(&signer(label)).expect("a record");
        *number += 1;
        record
    }

    /// The number that a key's next record gets.
    pub(crate) fn set_number(&mut self, label: &str, number: u64) {
        self.numbers.insert(label.to_owned(), number);
    }

    pub(crate) fn number(&self, label: &str) -> u64 {
        self.numbers.get(label).copied().unwrap_or_default()
    }

    pub(crate) fn alone(&mut self, label: &str, by: &str, event: &'static str, data: Object) -> Record {
        self.record(label, by, event, Place::Alone, data, About::default())
    }

    pub(crate) fn by_authority(&mut self, event: &'static str, data: Object) -> Record {
        self.alone("authority", AUTHORITY, event, data)
    }

    pub(crate) fn denial(&mut self, details: &str) -> Record {
        let about = About {
            identity: Some(IDENTITY.to_owned()),
            reason: Some(eleven_core::reason::Reason::PolicyDenied),
            runtime: Some(RUNTIME.to_owned()),
            ..About::default()
        };
        let data = Object::new().with("details", details);
        self.record("gw-0", POINT, "execution.denied", Place::Alone, data, about)
    }

    /// What a domain needs before it can issue: keys of two points, a policy, a registration.
    pub(crate) fn set_up(&mut self) -> Append {
        let mut append = Append::default();
        for (label, usage, owner) in [
            ("gw-0", KeyUse::Event, POINT),
            ("gw-1", KeyUse::Event, OTHER_POINT),
            ("attest-0", KeyUse::Attestation, POINT),
        ] {
            append.record(&self.by_authority("key.registered", granted(label, usage, owner).to_object()));
        }
        self.publish(1, &mut append);
        append.record(&self.registration("config"));
        append
    }

    pub(crate) fn registration(&mut self, config: &str) -> Record {
        let runtime = RuntimeRecord {
            point: POINT.to_owned(),
            runtime: RUNTIME.to_owned(),
            region: "us-east-1".to_owned(),
            tenancy: "single".to_owned(),
            mode: "gateway".to_owned(),
            binary: digest("binary"),
            config: digest(config),
            kid: kid("gw-0"),
        };
        let Value::Object(data) = runtime.to_value() else { panic!("an object") };
        self.by_authority("runtime.registered", data)
    }

    pub(crate) fn publish(&mut self, version: u64, append: &mut Append) {
        let record = PolicyRecord {
            id: policy_id(version),
            operations: vec!["model.invoke".to_owned()],
            runtimes: vec!["k8s://*/ns/inference".to_owned()],
        };
        let published = PublishedPolicy::sign(DOMAIN, record, &signer("policy"));
        append.record(&self.by_authority("policy.published", published.to_object()));
        append.blob(policy_bundle(version).canonical());
    }

    /// Issues an artifact; record and content go into `append`.
    pub(crate) fn issue(&mut self, usage: Use, ancestors: &[String], append: &mut Append) -> Operation {
        let op = parse(br#"{"name":"model.invoke","model":"summary","scope":["phi.read"]}"#).expect("an op");
        let parent = ancestors.last().map(|last| artifact::Parent {
            op: last.strip_prefix("auth_").expect("an id").to_owned(),
            artifact: last.clone(),
            ancestors: ancestors.to_vec(),
        });
        let draft = artifact::Draft {
            iss: AUTHORITY.to_owned(),
            sub: IDENTITY.to_owned(),
            op: artifact::Operation::read(op).expect("of its form"),
            pol: policy_id(1),
            env: Environment {
                runtime: RUNTIME.to_owned(),
                region: "us-east-1".to_owned(),
                tenancy: "single".to_owned(),
            },
            nbf: start(),
            exp: start().plus_seconds(300),
            usage,
            parent,
            holder: None,
        };
        let artifact = draft.issue(&signer("issuer")).expect("an artifact");
        let asked = Object::new().with("identity", IDENTITY).with("op", artifact.op.value().clone());
        let asked = asked.with("policy", artifact.pol.to_value()).with("at", start().millis());
        let facts = Object::new().with("nonce", artifact.usage.nonce());
        let input = asked.with("facts", facts).with("env", artifact.env.to_value());
        let request = append.blob(input.canonical());
        append.blob(artifact.canonical().to_vec());
        let exp = artifact.exp.to_seconds_value();
        let data = Object::new().with("chash", artifact.chash).with("exp", exp).with("request", request);
        let (op, about) = (artifact.content_id().to_owned(), About::artifact(&artifact));
        let place = Place::First { op: op.clone() };
        let issued = self.record("authority", AUTHORITY, "authorization.issued", place, data, about);
        append.record(&issued);
        Operation { tip: issued.tip(), issued, op, events: 1, artifact, started: self.now }
    }

    /// The next event of an operation's lineage.
    pub(crate) fn next(
        &mut self,
        operation: &mut Operation,
        label: &str,
        by: &str,
        event: &'static str,
        data: Object,
    ) -> Record {
        let place = Place::After { op: operation.op.clone(), tip: operation.tip.clone() };
        let mut about = About::artifact(&operation.artifact);
        about.fingerprint = (event == "admission.granted").then(|| digest("environment"));
        let record = self.record(label, by, event, place, data, about);
        operation.tip = record.tip();
        operation.events += 1;
        record
    }

    pub(crate) fn consume(&mut self, operation: &mut Operation, k: u64) -> Record {
        operation.op = operation.artifact.usage.operation_id(operation.artifact.content_id(), k);
        operation.tip = operation.issued.tip();
        operation.events = 1;
        operation.started = self.now;
        let data = Object::new().with("nonce", operation.artifact.usage.nonce()).with("use", k);
        self.next(operation, "gw-0", POINT, "authorization.consumed", data)
    }

    /// Consumed, granted, started: the first commit of a point.
    pub(crate) fn begin(&mut self, operation: &mut Operation, k: u64, append: &mut Append) {
        append.record(&self.consume(operation, k));
        let workload = Object::new().with("workload", digest("workload"));
        append.record(&self.next(operation, "gw-0", POINT, "admission.granted", workload));
        append.record(&self.next(operation, "gw-0", POINT, "execution.started", Object::new()));
    }

    /// Attestation, outcome, evidence: the second.
    pub(crate) fn finish(&mut self, operation: &mut Operation, append: &mut Append) {
        let result = StatementResult { digest: digest("result"), bytes: 6, status: 200 };
        let artifact = &operation.artifact;
        let statement = Statement {
            predicate_type: PREDICATE_TYPE.to_owned(),
            artifact_id: artifact.id.clone(),
            chash: artifact.chash,
            op: operation.op.clone(),
            operation: artifact.op.value().clone(),
            identity: artifact.sub.clone(),
            runtime: RUNTIME.to_owned(),
            environment: digest("environment"),
            workload: digest("workload"),
            policy: artifact.pol.clone(),
            started: operation.started,
            finished: self.now,
            outcome: Ending::Completed,
            result,
            materials: None,
            evidence: vec![Evidence::software(digest("binary"), digest("config"))],
        };
        let envelope = statement.to_envelope(&signer("attest-0"));
        let evidence = Sha3::of_value(&envelope);
        let id = eleven_core::id::attestation_id(&artifact.id, POINT, &operation.op);
        let data = Object::new().with("attestation", id).with("envelope", envelope);
        append.record(&self.next(operation, "gw-0", POINT, "attestation.signed", data));
        let data = Object::new().with("result", result.to_value());
        append.record(&self.next(operation, "gw-0", POINT, "execution.completed", data));
        let data = Object::new().with("evidence", evidence).with("events", operation.events + 1);
        append.record(&self.next(operation, "gw-0", POINT, "evidence.committed", data));
    }

    pub(crate) fn revoke(&mut self, artifact: &Artifact) -> Record {
        let data = Object::new().with("artifact", &artifact.id).with("exp", artifact.exp.to_seconds_value());
        self.by_authority("authorization.revoked", data.with("why", "operator"))
    }
}

/// A book after genesis and set-up, for tests of the rules alone.
pub(crate) struct Bench {
    pub(crate) book: Book,
    pub(crate) producers: Producers,
    pub(crate) artifacts: BTreeMap<String, Artifact>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut producers = Producers::new();
        let data = eleven_core::registry::genesis(&root(), 10, &genesis_keys());
        let genesis = producers.alone("audit", LEDGER, "ledger.genesis", data);
        let mut bench = Self { book: Book::new(), producers, artifacts: BTreeMap::new() };
        bench.must(&genesis);
        let set_up = bench.producers.set_up();
        for record in set_up.records {
            bench.must(&Record::read_canonical(&record).expect("a record"));
        }
        bench
    }

    pub(crate) fn verified(&self, record: Value) -> Result<Verified, Refusal> {
        crate::conformance::verified(&self.book, record)
    }

    /// Judges, and applies what is accepted.
    pub(crate) fn take(&mut self, record: &Record) -> Result<(), Judgement> {
        let verified = self.verified(record.to_value()).expect("verified");
        let artifact = record.about.artifact_id.as_ref().and_then(|id| self.artifacts.get(id));
        let at = self.producers.now;
        match self.book.judge(&verified, at, artifact) {
            Judgement::Accept(accepted) => {
                let artifact = artifact.cloned();
                self.book.apply(accepted, record, verified.mark(), at, artifact.as_ref());
                Ok(())
            }
            other => Err(other),
        }
    }

    pub(crate) fn must(&mut self, record: &Record) {
        if let Err(judgement) = self.take(record) {
            panic!("{} is {judgement:?}", record.event);
        }
    }

    /// Why a record is refused; its number is taken from the producer again, so that the next record has it.
    pub(crate) fn refusal(&mut self, label: &str, record: &Record) -> Refusal {
        self.refusal_of(label, record.to_value())
    }

    pub(crate) fn refusal_of(&mut self, label: &str, record: Value) -> Refusal {
        let verified = self.verified(record).expect("verified");
        let number = verified.src_seq();
        let artifact = verified.record().ok().and_then(|record| record.about.artifact_id.as_ref());
        let artifact = artifact.and_then(|id| self.artifacts.get(id));
        let judgement = self.book.judge_new(&verified, self.producers.now, artifact);
        self.producers.set_number(label, number);
        match judgement {
            Judgement::Refused { why, .. } => why,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn issue(&mut self, usage: Use, ancestors: &[String]) -> Operation {
        let operation = self.producers.issue(usage, ancestors, &mut Append::default());
        self.artifacts.insert(operation.artifact.id.clone(), operation.artifact.clone());
        self.must(&operation.issued);
        operation
    }
}

/// A ledger in a folder.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self::empty();
        home.genesis().expect("a genesis");
        home
    }

    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), clock: Arc::new(ManualClock::new(start())) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn genesis(&self) -> Result<(), LedgerError> {
        Ledger::genesis(self.path(), &root(), 10, &genesis_keys(), &signer("audit"), start())
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            seal_every: Duration::from_millis(20),
            proof_wait: Duration::from_secs(10),
            ..Settings::new(self.path())
        }
    }

    pub(crate) fn signers() -> Signers {
        Signers { event: signer("audit").into(), head: signer("head").into() }
    }

    pub(crate) fn open(&self) -> Result<Ledger, LedgerError> {
        self.open_with(self.settings())
    }

    pub(crate) fn open_with(&self, settings: Settings) -> Result<Ledger, LedgerError> {
        Ledger::open(settings, Self::signers(), Arc::clone(&self.clock) as Arc<dyn eleven_api::edge::Clock>)
    }
}

impl Ledger {
    /// Appends as a POST would.
    pub(crate) async fn append(&self, append: &Append) -> crate::audit::Answer {
        let received = crate::receive::Received::read(&append.to_bytes(), &self.inner.shared.keys).expect("an append");
        let committed = self.inner.submit(crate::audit::Request::Append(received)).await.expect("committed");
        committed.answer
    }

    /// Waits until a signed head covers all that is durable now.
    pub(crate) async fn sealed(&self) -> eleven_core::head::Head {
        let shared = &self.inner.shared;
        let seq = shared.size() - 1;
        crate::proof::covered(shared, seq, Duration::from_secs(10), crate::proof::has_index).await.expect("a head");
        shared.published().expect("a head").head.clone()
    }

    /// Hands over the registry header of the epoch in force, as the authority signs it.
    pub(crate) async fn sign_registry(&self) {
        let value = {
            let book = crate::state::read(&self.inner.shared.book);
            signed_header(book.registry().expect("a registry"))
        };
        let (header, _) = eleven_core::registry::Header::read(value.clone()).expect("a header");
        let request = crate::audit::Request::Header { header, bytes: value.canonical() };
        self.inner.submit(request).await.expect("committed");
    }

    pub(crate) async fn must_append(&self, append: &Append) {
        let answer = self.append(append).await;
        let taken = answer.outcomes.iter().all(|outcome| *outcome == Outcome::Taken);
        assert!(taken && answer.outcomes.len() == append.records.len(), "{answer:?}");
    }
}

/// The registry as the authority would serve it: folded from the ledger's own entries, its header signed.
pub(crate) fn signed_header(fold: &Fold) -> Value {
    let snapshot = fold.snapshot(&signer("registry")).expect("a snapshot").to_value();
    snapshot.get("header").expect("a header").clone()
}

/// The events in order, and what the index under the next head says of a lineage that nobody began.
pub(crate) async fn index_of(ledger: &Ledger) -> (Vec<String>, eleven_core::index::Proves) {
    let head = ledger.sealed().await;
    let shared = &ledger.inner.shared;
    let events = (0..shared.size()).map(|seq| crate::lineage::standing(shared, seq).expect("an entry").record);
    let events: Vec<Record> = events.collect();
    let refused = events.iter().find(|record| record.event == "ledger.refused").expect("a refusal");
    let key = eleven_core::index::op_key(&refused.op);
    let proof = crate::state::read(&shared.sealed).index.prove(&key);
    (events.iter().map(|record| record.event.clone()).collect(), proof.proves(&head.commitment.index, &key))
}
