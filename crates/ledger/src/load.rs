//! A load for measuring a ledger: a domain whose keys anyone can derive, and bodies of events signed beforehand, as its
//! authority and its points would send them. `eleven ledger hammer` and the benchmarks use it; a real domain never has
//! these keys.
//!
//! A *lane* is one authority key and one point: what follows each other in a lane is sent in that order, and lanes depend
//! on nothing but the domain. Each call is a lineage of seven events with its artifact and its decision's input.

mod costs;

pub use costs::{ProofCosts, proof_costs};

use crate::{Ledger, LedgerError, Signers};
use eleven_api::audit::Append;
use eleven_core::artifact::{self, Artifact, Environment, Use};
use eleven_core::attestation::{Evidence, Outcome, PREDICATE_TYPE, Statement, StatementResult};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::{About, Draft, Place, Record, Tip};
use eleven_core::form::FormError;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::id;
use eleven_core::policy::{PolicyBundle, PolicyId};
use eleven_core::reason::Reason;
use eleven_core::registry::{GrantedKey, Item as _, PolicyRecord, PublishedPolicy, RuntimeRecord};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use std::path::Path;

/// Events of the lineage of one call.
pub const EVENTS_PER_CALL: u64 = 7;

const DOMAIN: &str = "hammer";
const LEDGER: &str = "ledger://hammer";
const AUTHORITY: &str = "governance://hammer/authority/load";
const RUNTIME: &str = "k8s://cluster-east-1/ns/inference";
const REGION: &str = "us-east-1";
const TENANCY: &str = "single";
/// How long the domain's keys count, in seconds: longer than any load.
const KEYS_COUNT_FOR: i64 = 7 * 86_400;
/// How far issuances are dated ahead, in seconds: they are signed long before they are sent, and none is appended that comes
/// late.
const ISSUED_AHEAD: i64 = 86_400;

/// The domain of a load: every key is derived from its label.
#[derive(Clone, Debug)]
pub struct Domain {
    lanes: usize,
    now: Time,
    policy: PolicyId,
}

/// Bodies of `POST /v1/audit/events` that one producer after the other sends.
pub struct Lane {
    now: Time,
    policy: PolicyId,
    authority: Stream,
    point: Stream,
    attests: SeedSigner,
    /// Makes every call of every lane another.
    salt: String,
    calls: u64,
}

/// A key and its next number.
struct Stream {
    by: String,
    signer: SeedSigner,
    next: u64,
}

/// A body, and what is in it.
#[derive(Clone, Debug)]
pub struct Body {
    /// The bytes of the request.
    pub bytes: Vec<u8>,
    /// How many events it carries.
    pub events: u64,
}

impl Domain {
    /// A domain with so many lanes, whose keys count around `now`.
    ///
    /// # Errors
    /// Where its policy is none, which is a mistake in this file.
    pub fn new(lanes: usize, now: Time) -> Result<Self, FormError> {
        let policy = PolicyBundle::read(policy_bundle()?)?.id();
        Ok(Self { lanes, now, policy })
    }

    /// Makes the ledger's genesis in `folder`, with the keys of the ledger and the authority.
    ///
    /// # Errors
    /// As [`Ledger::genesis`].
    pub fn genesis(&self, folder: &Path) -> Result<(), LedgerError> {
        let failed = |error: FormError| LedgerError::Genesis(error.to_string());
        let keys = [
            self.granted("audit", KeyUse::Event, LEDGER),
            self.granted("authority", KeyUse::Event, AUTHORITY),
            self.granted("issuer", KeyUse::Issuer, AUTHORITY),
        ];
        Ledger::genesis(folder, &self.root().map_err(failed)?, 10, &keys, &signer("audit"), self.now)
    }

    /// What the ledger signs with.
    #[must_use]
    pub fn signers(&self) -> Signers {
        Signers { event: signer("audit").into(), head: signer("head").into() }
    }

    /// What is sent before any lane: the policy, and each lane's keys and point.
    ///
    /// # Errors
    /// Where an event is not of its form, which is a mistake in this file.
    pub fn set_up(&self) -> Result<Body, FormError> {
        let mut authority = Stream::new(AUTHORITY.to_owned(), "authority");
        let mut append = Append::default();
        let record = PolicyRecord {
            id: self.policy.clone(),
            operations: vec!["model.invoke".to_owned()],
            runtimes: vec![RUNTIME.to_owned()],
        };
        let published = PublishedPolicy::sign(DOMAIN, record, &signer("policy")).to_object();
        let place = || Place::Alone;
        append.record(&authority.event("policy.published", place(), self.now, published, About::default())?);
        append.blob(policy_bundle()?.canonical());
        for lane in 0..self.lanes {
            for key in [
                self.granted(&format!("authority-{lane}"), KeyUse::Event, AUTHORITY),
                self.granted(&format!("point-{lane}"), KeyUse::Event, &point(lane)),
                self.granted(&format!("attest-{lane}"), KeyUse::Attestation, &point(lane)),
            ] {
                append.record(&authority.event(
                    "key.registered",
                    place(),
                    self.now,
                    key.to_object(),
                    About::default(),
                )?);
            }
            let runtime = RuntimeRecord {
                point: point(lane),
                runtime: RUNTIME.to_owned(),
                region: REGION.to_owned(),
                tenancy: TENANCY.to_owned(),
                mode: "gateway".to_owned(),
                binary: digest("binary"),
                config: digest("config"),
                kid: kid(&format!("point-{lane}")),
            };
            let data = runtime.to_value().as_object().cloned().unwrap_or_default();
            append.record(&authority.event("runtime.registered", place(), self.now, data, About::default())?);
        }
        Ok(Body { events: append.records.len() as u64, bytes: append.to_bytes() })
    }

    /// A lane, from its first number on.
    #[must_use]
    pub fn lane(&self, lane: usize) -> Lane {
        Lane {
            now: self.now,
            policy: self.policy.clone(),
            authority: Stream::new(AUTHORITY.to_owned(), &format!("authority-{lane}")),
            point: Stream::new(point(lane), &format!("point-{lane}")),
            attests: signer(&format!("attest-{lane}")),
            salt: format!("lane {lane}"),
            calls: 0,
        }
    }

    /// The trust root: what a proof of this ledger is verified against.
    ///
    /// # Errors
    /// Where it is none, which is a mistake in this file.
    pub fn root(&self) -> Result<TrustRoot, FormError> {
        let keys = vec![self.key("root", KeyUse::Root, "human:root")];
        let roles = [("head", KeyUse::Head, LEDGER), ("policy", KeyUse::Policy, AUTHORITY)];
        let roles = roles.into_iter().chain([("registry", KeyUse::Registry, AUTHORITY)]);
        let root = TrustRoot {
            domain: DOMAIN.to_owned(),
            version: 1,
            threshold: 1,
            roles: roles.map(|(label, usage, owner)| self.key(label, usage, owner)).collect(),
            witnesses: Witnesses::default(),
            nbf: self.begin(),
            exp: self.end(),
            keys,
            prev: None,
            sigs: Vec::new(),
        };
        root.signed(&[&signer("root")])
    }

    fn key(&self, label: &str, usage: KeyUse, owner: &str) -> KeyRecord {
        let public = signer(label).public();
        let (nbf, exp, status) = (self.begin(), self.end(), KeyStatus::Active);
        KeyRecord { kid: kid(label), public, usage, owner: owner.to_owned(), nbf, exp, status }
    }

    fn granted(&self, label: &str, usage: KeyUse, owner: &str) -> GrantedKey {
        GrantedKey::sign(self.key(label, usage, owner), &signer("registry"))
    }

    fn begin(&self) -> Time {
        self.now.whole_seconds().plus_seconds(-3600)
    }

    fn end(&self) -> Time {
        self.now.whole_seconds().plus_seconds(KEYS_COUNT_FOR)
    }
}

impl Stream {
    fn new(by: String, label: &str) -> Self {
        Self { by, signer: signer(label), next: 0 }
    }

    fn event(
        &mut self,
        event: &'static str,
        place: Place,
        ts: Time,
        data: Object,
        about: About,
    ) -> Result<Record, FormError> {
        let draft = Draft { event, place, ts, by: self.by.clone(), src_seq: self.next, data, about };
        self.next += 1;
        draft.sign(&self.signer)
    }
}

/// A call between its events.
struct Call {
    artifact: Artifact,
    op: String,
    tip: Tip,
}

impl Lane {
    /// The next body: so many calls, each of seven events, and denials behind them.
    ///
    /// # Errors
    /// Where an event is not of its form, which is a mistake in this file.
    pub fn body(&mut self, calls: u64, denials: u64) -> Result<Body, FormError> {
        let mut append = Append::default();
        for _ in 0..calls {
            self.call(&mut append)?;
        }
        for _ in 0..denials {
            let denial = self.denial()?;
            append.record(&denial);
        }
        Ok(Body { events: append.records.len() as u64, bytes: append.to_bytes() })
    }

    fn call(&mut self, append: &mut Append) -> Result<(), FormError> {
        let mut call = self.issue(append)?;
        let nonce = Object::new().with("nonce", call.artifact.usage.nonce()).with("use", 1u64);
        self.next(&mut call, "authorization.consumed", nonce, append)?;
        let workload = Object::new().with("workload", digest("workload"));
        self.next(&mut call, "admission.granted", workload, append)?;
        self.next(&mut call, "execution.started", Object::new(), append)?;
        let result = StatementResult { digest: Sha3::of(&[call.op.as_bytes()]), bytes: 512, status: 200 };
        let envelope = self.statement(&call, result).to_envelope(&self.attests);
        let evidence = Sha3::of_value(&envelope);
        let attestation = id::attestation_id(&call.artifact.id, &self.point.by, &call.op);
        let data = Object::new().with("attestation", attestation).with("envelope", envelope);
        self.next(&mut call, "attestation.signed", data, append)?;
        let data = Object::new().with("result", result.to_value());
        self.next(&mut call, "execution.completed", data, append)?;
        let data = Object::new().with("evidence", evidence).with("events", EVENTS_PER_CALL);
        self.next(&mut call, "evidence.committed", data, append)
    }

    fn issue(&mut self, append: &mut Append) -> Result<Call, FormError> {
        self.calls += 1;
        let one = Sha256::of(&[self.salt.as_bytes(), &self.calls.to_be_bytes()]).0;
        let nonce: [u8; 17] = one.first_chunk().copied().unwrap_or_default();
        let op = Object::new()
            .with("name", "model.invoke")
            .with("model", "summary-1")
            .with("params", Sha3::of(&[&one]))
            .with("scope", vec![Value::from("phi.read")]);
        let draft = artifact::Draft {
            iss: AUTHORITY.to_owned(),
            sub: identity(self.calls),
            op: artifact::Operation::read(Value::Object(op.clone()))?,
            pol: self.policy.clone(),
            env: Environment { runtime: RUNTIME.to_owned(), region: REGION.to_owned(), tenancy: TENANCY.to_owned() },
            nbf: self.now.whole_seconds(),
            exp: self.now.whole_seconds().plus_seconds(eleven_core::limits::MAX_LIFE),
            usage: Use::Single { nonce: artifact::nonce(&nonce) },
            parent: None,
            holder: None,
        };
        let artifact = draft.issue(&signer("issuer"))?;
        let input = Object::new()
            .with("identity", &artifact.sub)
            .with("op", op)
            .with("env", Object::new().with("region", REGION).with("runtime", RUNTIME).with("tenancy", TENANCY))
            .with("facts", Object::new())
            .with("policy", self.policy.to_value())
            .with("at", self.now.millis());
        let request = append.blob(input.canonical());
        append.blob(artifact.canonical().to_vec());
        let exp = artifact.exp.to_seconds_value();
        let data = Object::new().with("chash", artifact.chash).with("exp", exp).with("request", request);
        let op = artifact.content_id().to_owned();
        let place = Place::First { op: op.clone() };
        let about = About::artifact(&artifact);
        let ts = self.now.plus_seconds(ISSUED_AHEAD);
        let issued = self.authority.event("authorization.issued", place, ts, data, about)?;
        append.record(&issued);
        Ok(Call { tip: issued.tip(), op, artifact })
    }

    fn next(&mut self, call: &mut Call, event: &'static str, data: Object, to: &mut Append) -> Result<(), FormError> {
        let place = Place::After { op: call.op.clone(), tip: call.tip.clone() };
        let mut about = About::artifact(&call.artifact);
        about.fingerprint = (event == "admission.granted").then(|| digest("environment"));
        let record = self.point.event(event, place, self.now, data, about)?;
        call.tip = record.tip();
        to.record(&record);
        Ok(())
    }

    fn statement(&self, call: &Call, result: StatementResult) -> Statement {
        let artifact = &call.artifact;
        Statement {
            predicate_type: PREDICATE_TYPE.to_owned(),
            artifact_id: artifact.id.clone(),
            chash: artifact.chash,
            op: call.op.clone(),
            operation: artifact.op.value().clone(),
            identity: artifact.sub.clone(),
            runtime: RUNTIME.to_owned(),
            environment: digest("environment"),
            workload: digest("workload"),
            policy: artifact.pol.clone(),
            started: self.now,
            finished: self.now,
            outcome: Outcome::Completed,
            result,
            materials: None,
            evidence: vec![Evidence::software(digest("binary"), digest("config"))],
        }
    }

    fn denial(&mut self) -> Result<Record, FormError> {
        self.calls += 1;
        let about = About {
            identity: Some(identity(self.calls)),
            operation: Some("model.invoke".to_owned()),
            reason: Some(Reason::PolicyDenied),
            runtime: Some(RUNTIME.to_owned()),
            policy_required: Some(self.policy.reference.clone()),
            ..About::default()
        };
        let data = Object::new().with("details", format!("call {} of {}", self.calls, self.salt));
        self.point.event("execution.denied", Place::Alone, self.now, data, about)
    }
}

fn kid(label: &str) -> String {
    format!("key:{DOMAIN}/{label}/1")
}

fn signer(label: &str) -> SeedSigner {
    SeedSigner::new(kid(label), &Sha256::of(&[b"a key of a load, known to all: ", label.as_bytes()]).0)
}

fn point(lane: usize) -> String {
    format!("{RUNTIME}#gw-{lane}")
}

fn identity(call: u64) -> String {
    format!("svc:app-{}:prod", call % 100)
}

fn digest(text: &str) -> Sha3 {
    Sha3::of(&[text.as_bytes()])
}

fn policy_bundle() -> Result<Value, FormError> {
    let text = r#"{"v":"1","ref":"policy://hammer/v1","operations":["model.invoke"],
        "runtimes":["k8s://cluster-east-1/ns/inference"],"cedar":"permit(principal, action, resource);","schema":null,
        "terms":{"ttl":3600,"use":["single"],"bind_params":false,"digests":"salted","release":"whole",
        "attestation":"software","sensitive":[]}}"#;
    Ok(parse(text.as_bytes())?)
}

#[cfg(test)]
mod tests;
