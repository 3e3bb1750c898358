//! Attestations (PROTOCOL 10): a DSSE envelope around an in-toto statement, in which an enforcement point says what ran
//! under which artifact, where, and with what result.
//!
//! The point makes a [`Statement`], signs it into an [`Envelope`] and records that in `attestation.signed`; whoever
//! verifies reads it back. Whether what it says is true of the lineage is the verifier's to judge.

use crate::artifact::is_artifact_id;
use crate::encoding::{Object, Value, parse};
use crate::form::{Form, FormError, require};
use crate::hash::{self, Sha3};
use crate::id;
use crate::limits;
use crate::name;
use crate::policy::{EvidenceLevel, PolicyId};
use crate::signature::{Signer, VerifyingKey};
use crate::time::Time;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The payload type of every envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The type of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate's type where the operator configures no other.
pub const PREDICATE_TYPE: &str = "https://11-11.example/attestation/execution/v1";

/// How an execution ended: the last word of its outcome event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `execution.completed`.
    Completed,
    /// `execution.failed`.
    Failed,
    /// `execution.interrupted`.
    Interrupted,
}

impl Outcome {
    /// The name that stands in the predicate.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Completed, Self::Failed, Self::Interrupted].into_iter().find(|outcome| outcome.name() == name)
    }

    /// The event that records it (PROTOCOL 5.1).
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Completed => "execution.completed",
            Self::Failed => "execution.failed",
            Self::Interrupted => "execution.interrupted",
        }
    }
}

/// What came of an execution, `{"digest","bytes","status"}`: in the predicate and in the outcome event alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementResult {
    /// [`crate::artifact::result_digest`] of the bytes that were sent.
    pub digest: Sha3,
    /// How many they were.
    pub bytes: u64,
    /// The status, as the boundary counts: of HTTP, or a process's exit code.
    pub status: u64,
}

impl StatementResult {
    /// Reads exactly `digest`, `bytes`, `status`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "result")?;
        let result = Self { digest: form.sha3("digest")?, bytes: form.uint("bytes")?, status: form.uint("status")? };
        form.finish()?;
        Ok(result)
    }

    /// The value that stands in a structure.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("digest", self.digest).with("bytes", self.bytes);
        Value::Object(object.with("status", self.status))
    }
}

/// A piece of evidence about the environment in which it ran: `{"type",…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// `software`: what the point measured of itself when it started.
    Software {
        /// The digest of its binary.
        binary: Sha3,
        /// The digest of its effective configuration.
        config: Sha3,
    },
    /// `tpm2-quote`, `nitro`, `sev-snp`, `tdx` or `peer-lineage`, with whatever belongs to it.
    Other(Object),
}

impl Evidence {
    /// What a point measured of itself when it started.
    #[must_use]
    pub const fn software(binary: Sha3, config: Sha3) -> Self {
        Self::Software { binary, config }
    }

    /// Reads a piece of evidence.
    ///
    /// # Errors
    /// Where it is no object, its type is none of PROTOCOL 10, one of `software` lacks a digest, or it is larger than 4 KiB
    /// (PROTOCOL 5): more stands by digest.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Value::Object(object) = value else { return Err(FormError("evidence is not an object".to_owned())) };
        let small = object.canonical().len() <= limits::MAX_INLINE_EVIDENCE;
        require(small, "evidence: larger than 4 KiB, which stands by digest")?;
        if kind == "software" {
            let mut form = Form::of_object(object, "software evidence");
            return Ok(Self::Software { binary: form.sha3("binary")?, config: form.sha3("config")? });
        }
        let known = EvidenceLevel::of_type(&kind).is_some() || kind == "peer-lineage";
        require(known, "evidence: `type` is none of PROTOCOL 10")?;
        Ok(Self::Other(object))
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Software { .. } => "software",
            Self::Other(object) => object.get("type").and_then(Value::as_str).unwrap_or_default(),
        }
    }

    /// How much it says of the machine; `None` for `peer-lineage`, which says nothing of it.
    #[must_use]
    pub fn level(&self) -> Option<EvidenceLevel> {
        EvidenceLevel::of_type(self.kind())
    }

    /// The value that stands in the predicate.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Software { binary, config } => {
                Value::Object(Object::new().with("type", "software").with("binary", *binary).with("config", *config))
            }
            Self::Other(object) => Value::Object(object.clone()),
        }
    }
}

/// What an attestation states: the subject is the artifact, the rest is the predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The predicate's type: [`PREDICATE_TYPE`], or the operator's own.
    pub predicate_type: String,
    /// The artifact.
    pub artifact_id: String,
    /// Its `chash`.
    pub chash: Sha3,
    /// The operation id.
    pub op: String,
    /// The artifact's whole `op`.
    pub operation: Value,
    /// The caller.
    pub identity: String,
    /// The runtime.
    pub runtime: String,
    /// The point's measured environment, as in `admission.granted`.
    pub environment: Sha3,
    /// The workload, as in `admission.granted`.
    pub workload: Sha3,
    /// The policy.
    pub policy: PolicyId,
    /// When the workload was reached.
    pub started: Time,
    /// When it had ended.
    pub finished: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// What came of it.
    pub result: StatementResult,
    /// What went into it, `[{"name","digest"}]`, where the boundary names it. No check reads this.
    pub materials: Option<Value>,
    /// What vouches for the environment.
    pub evidence: Vec<Evidence>,
}

impl Statement {
    /// Reads the statement in an envelope's payload. The predicate may hold more than PROTOCOL 10 names; that is not kept.
    ///
    /// # Errors
    /// Where the bytes are not I-JSON, or a member is missing, unknown outside the predicate, or of another form.
    pub fn parse(payload: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(parse(payload)?, "statement")?;
        form.named("_type", STATEMENT_TYPE, |text| text == STATEMENT_TYPE)?;
        let predicate_type = form.named("predicateType", "a type", |text| !text.is_empty())?;
        let (artifact_id, chash) = read_subject(form.array("subject")?)?;
        let mut predicate = Form::of(form.take("predicate")?, "predicate")?;
        form.finish()?;
        let evidence = predicate.array("evidence")?.into_iter().map(Evidence::read).collect::<Result<_, _>>()?;
        Ok(Self {
            predicate_type,
            artifact_id,
            chash,
            op: predicate.named("op", "an operation id", |op| id::split_operation(op).is_some())?,
            operation: Value::Object(predicate.object("operation")?),
            identity: predicate.named("identity", "an identity", name::is_identity)?,
            runtime: predicate.named("runtime", "a runtime's name", name::is_runtime)?,
            environment: predicate.sha3("environment")?,
            workload: predicate.sha3("workload")?,
            policy: PolicyId::read(predicate.take("policy")?)?,
            started: predicate.millis("started")?,
            finished: predicate.millis("finished")?,
            outcome: Outcome::parse(&predicate.string("outcome")?)
                .ok_or_else(|| predicate.wrong("outcome", "none of completed, failed, interrupted"))?,
            result: StatementResult::read(predicate.take("result")?)?,
            materials: predicate.opt("materials"),
            evidence,
        })
    }

    /// The statement as a value; its canonical bytes are what is signed.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let digest = Object::new().with("sha3_512", self.chash.hex());
        let subject = Object::new().with("name", &self.artifact_id).with("digest", digest);
        let statement = Object::new()
            .with("_type", STATEMENT_TYPE)
            .with("subject", vec![Value::Object(subject)])
            .with("predicateType", &self.predicate_type)
            .with("predicate", self.predicate());
        Value::Object(statement)
    }

    fn predicate(&self) -> Object {
        Object::new()
            .with("op", &self.op)
            .with("operation", self.operation.clone())
            .with("identity", &self.identity)
            .with("runtime", &self.runtime)
            .with("environment", self.environment)
            .with("workload", self.workload)
            .with("policy", self.policy.to_value())
            .with("started", self.started.to_millis_value())
            .with("finished", self.finished.to_millis_value())
            .with("outcome", self.outcome.name())
            .with("result", self.result.to_value())
            .with_some("materials", self.materials.clone())
            .with("evidence", self.evidence.iter().map(Evidence::to_value).collect::<Vec<_>>())
    }

    /// Signs the statement with the point's attestation key.
    #[must_use]
    pub fn sign(&self, signer: &dyn Signer) -> Envelope {
        let payload = self.to_value().canonical();
        let sig = signer.sign(&pae(PAYLOAD_TYPE, &payload));
        Envelope { payload, kid: signer.kid().to_owned(), sig }
    }

    /// Signs the statement into the value that stands in `attestation.signed`.
    #[must_use]
    pub fn to_envelope(&self, signer: &dyn Signer) -> Value {
        self.sign(signer).to_value()
    }
}

fn read_subject(subjects: Vec<Value>) -> Result<(String, Sha3), FormError> {
    let [subject] = <[Value; 1]>::try_from(subjects)
        .map_err(|_| FormError("statement: `subject` is not exactly one".to_owned()))?;
    let mut form = Form::of(subject, "subject")?;
    let artifact_id = form.named("name", "an artifact id", is_artifact_id)?;
    let mut digest = Form::of(form.take("digest")?, "subject's digest")?;
    form.finish()?;
    let hex = digest.string("sha3_512")?;
    digest.finish()?;
    let chash = Sha3::parse(&format!("{}{hex}", Sha3::PREFIX));
    Ok((artifact_id, chash.ok_or_else(|| FormError("subject: `sha3_512` is not 128 hex digits".to_owned()))?))
}

/// A signed statement: a DSSE envelope with exactly one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The statement's bytes.
    pub payload: Vec<u8>,
    /// The attestation key that signed.
    pub kid: String,
    /// R and S, over [`pae`] of the payload.
    pub sig: [u8; 64],
}

impl Envelope {
    /// Reads an envelope; the statement inside is [`Envelope::statement`].
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form, the payload type is another, or there is not exactly one
    /// signature.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "envelope")?;
        form.named("payloadType", PAYLOAD_TYPE, |text| text == PAYLOAD_TYPE)?;
        let payload = hash::unbase64(&form.string("payload")?);
        let payload = payload.ok_or_else(|| form.wrong("payload", "not base64"))?;
        let [signature] = <[Value; 1]>::try_from(form.array("signatures")?)
            .map_err(|_| form.wrong("signatures", "not exactly one"))?;
        form.finish()?;
        let mut signature = Form::of(signature, "envelope's signature")?;
        let kid = signature.named("keyid", "a key's name", name::is_key)?;
        let sig = hash::unbase64(&signature.string("sig")?).and_then(|bytes| bytes.try_into().ok());
        let sig = sig.ok_or_else(|| signature.wrong("sig", "not 64 bytes in base64"))?;
        signature.finish()?;
        Ok(Self { payload, kid, sig })
    }

    /// The value that stands in `attestation.signed`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let signature = Object::new().with("keyid", &self.kid).with("sig", hash::base64(&self.sig));
        let envelope = Object::new()
            .with("payloadType", PAYLOAD_TYPE)
            .with("payload", hash::base64(&self.payload))
            .with("signatures", vec![Value::Object(signature)]);
        Value::Object(envelope)
    }

    /// The digest that `evidence.committed` names (PROTOCOL 5.1).
    #[must_use]
    pub fn digest(&self) -> Sha3 {
        Sha3::of_value(&self.to_value())
    }

    /// What the signature is over.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &self.payload)
    }

    /// Whether the signature is `key`'s. Whether that is an attestation key of the point that ran it, and counts when the
    /// ledger committed it, the registry says.
    #[must_use]
    pub fn verify(&self, key: &VerifyingKey) -> bool {
        key.verifies(&self.signed_bytes(), &self.sig)
    }

    /// The statement inside.
    ///
    /// # Errors
    /// As [`Statement::parse`].
    pub fn statement(&self) -> Result<Statement, FormError> {
        Statement::parse(&self.payload)
    }
}

/// DSSE's pre-authentication encoding: what is signed binds the payload's type and both lengths.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests;
