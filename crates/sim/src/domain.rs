//! The domain of every run: keys from labels, a root, a policy, two points on runtimes of their own, two witnesses.

use eleven_api::audit::Append;
use eleven_core::artifact::{Draft as ArtifactDraft, Environment, Operation, Use};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::{About, Draft, Place, Record};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::policy::{PolicyBundle, PolicyId};
use eleven_core::registry::{GrantedKey, Item as _, PolicyRecord, PublishedPolicy, RuntimeRecord};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::{SeedSigner, Signer, Tables, VerifyingKey};
use eleven_core::time::Time;
use eleven_enforce::journal::Point;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

pub(crate) const DOMAIN: &str = "11-11";
pub(crate) const LEDGER: &str = "ledger://11-11";
pub(crate) const AUTHORITY: &str = "governance://11-11/authority/prod";
pub(crate) const IDENTITY: &str = "svc:gateway:prod";
/// Enforcement points; each has a runtime of its own, since they share no consumption store.
pub(crate) const POINTS: usize = 2;
pub(crate) const WITNESSES: usize = 2;
/// The age that a registry view may have, in seconds.
pub(crate) const FRESH: u64 = 10;
/// An artifact's life in seconds: short, so that expiry meets clocks that step.
const LIFE: i64 = 8;

const LABELS: [&str; 13] = [
    "root",
    "head",
    "policy",
    "registry",
    "audit",
    "authority",
    "issuer",
    "gw-0",
    "gw-1",
    "attest-0",
    "attest-1",
    "witness-0",
    "witness-1",
];

/// When every run begins.
pub(crate) const START: Time = Time(1_778_605_200_000);

/// What does not change between runs.
pub(crate) struct Domain {
    signers: BTreeMap<&'static str, Arc<SeedSigner>>,
    pub(crate) root: TrustRoot,
    pub(crate) head_key: VerifyingKey,
    bundle: Value,
    policy: PolicyId,
}

/// The domain.
pub(crate) fn domain() -> &'static Domain {
    static ONCE: OnceLock<Domain> = OnceLock::new();
    ONCE.get_or_init(Domain::new)
}

pub(crate) fn kid(label: &str) -> String {
    format!("key:{DOMAIN}/{label}/1")
}

/// A key that is there.
pub(crate) fn signer(label: &str) -> Arc<SeedSigner> {
    Arc::clone(&domain().signers[label])
}

pub(crate) fn runtime(point: usize) -> String {
    format!("k8s://c{point}/ns/inference")
}

pub(crate) fn point_name(point: usize) -> String {
    format!("{}#gw-{point}", runtime(point))
}

/// The name by which a witness signs.
pub(crate) fn witness_name(witness: usize) -> String {
    format!("witness-{witness}.example")
}

pub(crate) fn environment(point: usize) -> Environment {
    Environment { runtime: runtime(point), region: "us-east-1".to_owned(), tenancy: "single".to_owned() }
}

fn digest(text: &str) -> Sha3 {
    Sha3::of(&[text.as_bytes()])
}

/// What runs at the points.
pub(crate) fn workload() -> Sha3 {
    digest("workload")
}

/// A point as it knows itself.
pub(crate) fn point(point: usize) -> Point {
    Point {
        name: point_name(point),
        event: signer(&format!("gw-{point}")),
        attestation: signer(&format!("attest-{point}")),
        binary: digest("binary"),
        config: digest("config"),
        predicate_type: eleven_core::attestation::PREDICATE_TYPE.to_owned(),
    }
}

/// The operation of every artifact.
pub(crate) fn operation() -> Operation {
    let op = parse(br#"{"name":"model.invoke","model":"summary","scope":["phi.read"]}"#).expect("an operation");
    Operation::read(op).expect("of its form")
}

fn key(signers: &BTreeMap<&'static str, Arc<SeedSigner>>, label: &str, usage: KeyUse, owner: &str) -> KeyRecord {
    KeyRecord {
        kid: kid(label),
        public: signers[label].public(),
        usage,
        owner: owner.to_owned(),
        nbf: Time::parse_seconds("2026-04-01T00:00:00Z").expect("a time"),
        exp: Time::parse_seconds("2026-07-01T00:00:00Z").expect("a time"),
        status: KeyStatus::Active,
    }
}

impl Domain {
    fn new() -> Self {
        let seed = |label: &str| Sha256::of(&[b"seed of ", label.as_bytes()]).0;
        let signer = |label: &'static str| (label, Arc::new(SeedSigner::new(kid(label), &seed(label))));
        let signers: BTreeMap<_, _> = LABELS.into_iter().map(signer).collect();
        let root = TrustRoot {
            domain: DOMAIN.to_owned(),
            version: 1,
            threshold: 1,
            keys: vec![key(&signers, "root", KeyUse::Root, "human:root")],
            roles: vec![
                key(&signers, "head", KeyUse::Head, LEDGER),
                key(&signers, "policy", KeyUse::Policy, AUTHORITY),
                key(&signers, "registry", KeyUse::Registry, AUTHORITY),
            ],
            witnesses: Witnesses::default(),
            nbf: Time::parse_seconds("2026-04-01T00:00:00Z").expect("a time"),
            exp: Time::parse_seconds("2027-04-01T00:00:00Z").expect("a time"),
            prev: None,
            sigs: Vec::new(),
        };
        let root = root.signed(&[&*signers["root"]]).expect("a root");
        let head_key = VerifyingKey::new(&signers["head"].public()).expect("a key").with_table(&Tables::new(1));
        let bundle = parse(
            br#"{"v":"1","ref":"policy://medical/v1","operations":["model.invoke"],"runtimes":["k8s://*/ns/inference"],
            "cedar":"permit(principal, action, resource);","schema":null,"terms":{"ttl":300,"use":["single","bounded"],
            "bind_params":false,"digests":"salted","release":"whole","attestation":"software","sensitive":[]}}"#,
        );
        let bundle = bundle.expect("a bundle");
        let policy = PolicyBundle::read(bundle.clone()).expect("a bundle").id();
        Self { signers, root, head_key, bundle, policy }
    }

    fn granted(&self, label: &str, usage: KeyUse, owner: &str) -> GrantedKey {
        GrantedKey::sign(key(&self.signers, label, usage, owner), &*self.signers["registry"])
    }

    /// The keys of the genesis.
    pub(crate) fn genesis_keys(&self) -> Vec<GrantedKey> {
        vec![
            self.granted("audit", KeyUse::Event, LEDGER),
            self.granted("authority", KeyUse::Event, AUTHORITY),
            self.granted("issuer", KeyUse::Issuer, AUTHORITY),
        ]
    }

    /// What the domain needs before it can issue: the points' keys and registrations, and the policy.
    pub(crate) fn set_up(&self) -> Append {
        let mut append = Append::default();
        let mut events = Vec::new();
        for at in 0..POINTS {
            let name = point_name(at);
            events.push(("key.registered", self.granted(&format!("gw-{at}"), KeyUse::Event, &name).to_object()));
            let attests = self.granted(&format!("attest-{at}"), KeyUse::Attestation, &name);
            events.push(("key.registered", attests.to_object()));
            let env = environment(at);
            let record = RuntimeRecord {
                point: name,
                runtime: env.runtime,
                region: env.region,
                tenancy: env.tenancy,
                mode: "gateway".to_owned(),
                binary: digest("binary"),
                config: digest("config"),
                kid: kid(&format!("gw-{at}")),
            };
            events.push(("runtime.registered", record.to_value().as_object().expect("an object").clone()));
        }
        let policy = PolicyRecord {
            id: self.policy.clone(),
            operations: vec!["model.invoke".to_owned()],
            runtimes: vec!["k8s://*/ns/inference".to_owned()],
        };
        let published = PublishedPolicy::sign(DOMAIN, policy, &*self.signers["policy"]);
        events.push(("policy.published", published.to_object()));
        append.blob(self.bundle.canonical());
        for (number, (event, data)) in events.into_iter().enumerate() {
            append.record(&by_authority(event, Place::Alone, data, About::default(), START, number as u64));
        }
        append
    }

    /// An artifact and the record of its issuance under `number`; its content goes into `append`.
    pub(crate) fn issue(
        &self,
        point: usize,
        usage: Use,
        now: Time,
        number: u64,
        append: &mut Append,
    ) -> (eleven_core::artifact::Artifact, Record) {
        let draft = ArtifactDraft {
            iss: AUTHORITY.to_owned(),
            sub: IDENTITY.to_owned(),
            op: operation(),
            pol: self.policy.clone(),
            env: environment(point),
            nbf: now.whole_seconds().plus_seconds(-5),
            exp: now.whole_seconds().plus_seconds(LIFE),
            usage,
            parent: None,
            holder: None,
        };
        let artifact = draft.issue(&*self.signers["issuer"]).expect("an artifact");
        let input = Object::new().with("identity", IDENTITY).with("nonce", artifact.usage.nonce());
        let request = append.blob(input.canonical());
        append.blob(artifact.canonical().to_vec());
        let data = Object::new()
            .with("chash", artifact.chash)
            .with("exp", artifact.exp.to_seconds_value())
            .with("request", request);
        let place = Place::First { op: artifact.content_id().to_owned() };
        let about = About::artifact(&artifact);
        let issued = by_authority("authorization.issued", place, data, about, now, number);
        append.record(&issued);
        (artifact, issued)
    }
}

/// A record under the authority's key.
pub(crate) fn by_authority(
    event: &'static str,
    place: Place,
    data: Object,
    about: About,
    ts: Time,
    src_seq: u64,
) -> Record {
    let draft = Draft { event, place, ts, by: AUTHORITY.to_owned(), src_seq, data, about };
    draft.sign(&*signer("authority")).expect("a record")
}
