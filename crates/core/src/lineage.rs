//! The lineage of an operation (PROTOCOL 5.1): which event may follow which, by whom, with what members.
//!
//! The one place that knows the order. An enforcement point steps through it while it runs an operation, the ledger before
//! it appends, a verifier over a bundle.

use crate::artifact::is_nonce;
use crate::encoding::{Object, Value};
use crate::event::{About, Record, Tip};
use crate::hash::{Sha3, Sha256};
use crate::head::RegistryRef;
use crate::id;
use crate::name;
use crate::time::Time;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How far a lineage has come: its last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `authorization.issued`.
    Issued,
    /// `authorization.consumed`.
    Consumed,
    /// `admission.granted`.
    Granted,
    /// `execution.started`.
    Started,
    /// `attestation.signed`, with the digest of its envelope.
    Attested(Sha3),
    /// `execution.completed`, `failed` or `interrupted`; the envelope's digest, or `None` after a crash.
    Ended(Option<Sha3>),
    /// `evidence.committed`: nothing follows.
    Closed,
}

/// Why an event does not continue a lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineageError {
    /// Its number or its `prev_*` are not the tip's.
    Position,
    /// No event of this name may stand here.
    Order,
    /// A member names another identity, operation, artifact, issuer, runtime or policy.
    Binding,
    /// `data` is not what this event carries.
    Data,
    /// Another point than the one that consumed the artifact, or one of another runtime than the artifact's.
    Producer,
}

impl fmt::Display for LineageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Position => "the event does not continue the lineage's tip",
            Self::Order => "no event of this name may stand here",
            Self::Binding => "the event names another identity, operation, artifact, issuer, runtime or policy",
            Self::Data => "the event's data is not what this event carries",
            Self::Producer => "another point than the one that consumed the artifact, or one of another runtime",
        })
    }
}

impl core::error::Error for LineageError {}

/// The state of an operation's lineage after its last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// How far it has come.
    pub stage: Stage,
    /// Its tip.
    pub tip: Tip,
    /// The point that consumed the artifact.
    pub point: Option<String>,
    /// Digest of the members that stay alike.
    binding: Sha256,
}

impl Lineage {
    /// A lineage that was saved, from its parts and its [`binding`](Self::binding).
    #[must_use]
    pub const fn resumed(stage: Stage, tip: Tip, point: Option<String>, binding: Sha256) -> Self {
        Self { stage, tip, point, binding }
    }

    /// A digest of the members that stay the same through a lineage. It is for [`resumed`](Self::resumed) alone.
    #[must_use]
    pub const fn binding(&self) -> Sha256 {
        self.binding
    }

    /// Begins with `authorization.issued`.
    ///
    /// # Errors
    /// Where the record is no first event of an operation's lineage.
    pub fn begin(record: &Record) -> Result<Self, LineageError> {
        check(record.event == "authorization.issued", LineageError::Order)?;
        check(record.n == 1 && record.prev.is_none(), LineageError::Position)?;
        let about = &record.about;
        let complete = about.identity.is_some()
            && about.operation.is_some()
            && about.issuer.as_deref() == Some(record.by.as_str())
            && about.runtime.is_some()
            && about.policy.is_some();
        let artifact = about.artifact_id.as_deref().and_then(id::operation_of_artifact);
        check(complete && artifact == Some(record.op.as_str()), LineageError::Binding)?;
        let only = about.reason.is_none() && about.policy_required.is_none() && about.fingerprint.is_none();
        check(only, LineageError::Binding)?;
        check(issued_data(&record.data).is_some(), LineageError::Data)?;
        Ok(Self { stage: Stage::Issued, tip: record.tip(), point: None, binding: binding(about) })
    }

    /// The lineage after `record`.
    ///
    /// A use of a bounded or rate artifact continues the lineage of its `authorization.issued`: the caller passes that one
    /// (PROTOCOL 5.1).
    ///
    /// # Errors
    /// Where the record does not continue it.
    pub fn advance(&self, record: &Record) -> Result<Self, LineageError> {
        let continues = record.prev == Some((self.tip.hash, self.tip.hash_alt)) && record.n == self.tip.n + 1;
        check(continues, LineageError::Position)?;
        let stage = next_stage(self.stage, record)?;
        check(binding(&record.about) == self.binding, LineageError::Binding)?;
        let fingerprinted = record.event == "admission.granted";
        let only = record.about.reason.is_none() && record.about.policy_required.is_none();
        check(only && record.about.fingerprint.is_some() == fingerprinted, LineageError::Binding)?;
        let lawful = match &self.point {
            Some(point) => *point == record.by,
            // An artifact is for one runtime, and what consumes it is a point of that one (PROTOCOL 4.1, step 12).
            None => Some(name::runtime_of_point(&record.by)) == record.about.runtime.as_deref(),
        };
        check(lawful, LineageError::Producer)?;
        Ok(Self { stage, tip: record.tip(), point: Some(record.by.clone()), binding: self.binding })
    }
}

fn check(holds: bool, error: LineageError) -> Result<(), LineageError> {
    if holds { Ok(()) } else { Err(error) }
}

/// A digest of the members that stay alike through a lineage, of no meaning outside of this build: each behind its
/// length, or a mark that it is not there.
fn binding(about: &About) -> Sha256 {
    let policy = about.policy.as_ref();
    let texts = [
        about.identity.as_deref(),
        about.operation.as_deref(),
        about.artifact_id.as_deref(),
        about.issuer.as_deref(),
        about.runtime.as_deref(),
        policy.map(|policy| policy.reference.as_str()),
    ];
    let mut bytes = Vec::with_capacity(512);
    for text in texts {
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
    bytes.extend_from_slice(policy.map_or(&[][..], |policy| &policy.hash.0));
    Sha256::of(&[&bytes])
}

/// The order of PROTOCOL 5.1, and what each event's data must hold.
fn next_stage(stage: Stage, record: &Record) -> Result<Stage, LineageError> {
    let data = &record.data;
    let (next, data_holds) = match (stage, record.event.as_str()) {
        (Stage::Issued, "authorization.consumed") => (Stage::Consumed, consumed_data(record)),
        (Stage::Consumed, "admission.granted") => {
            (Stage::Granted, only(data, &["workload"]) && sha3(data, "workload").is_some())
        }
        (Stage::Granted, "execution.started") => (Stage::Started, data.is_empty()),
        (Stage::Started, "attestation.signed") => {
            let digest = record.envelope_digest().ok_or(LineageError::Data)?;
            (Stage::Attested(digest), attestation_data(record))
        }
        (Stage::Attested(envelope), "execution.completed" | "execution.failed" | "execution.interrupted") => {
            (Stage::Ended(Some(envelope)), only(data, &["result", "cause"]) && result_data(data) && caused(data, false))
        }
        (Stage::Consumed | Stage::Granted | Stage::Started, "execution.interrupted") => {
            (Stage::Ended(None), interrupted_data(data))
        }
        (Stage::Ended(envelope), "evidence.committed") => {
            let named = match data.get("evidence") {
                Some(Value::Null) => None,
                _ => Some(sha3(data, "evidence").ok_or(LineageError::Data)?),
            };
            let counted = data.get("events").and_then(Value::as_uint);
            (Stage::Closed, only(data, &["evidence", "events"]) && named == envelope && counted == Some(record.n))
        }
        _ => return Err(LineageError::Order),
    };
    check(data_holds, LineageError::Data)?;
    Ok(next)
}

fn only(data: &Object, names: &[&str]) -> bool {
    data.iter().all(|(name, _)| names.contains(&name))
}

fn sha3(data: &Object, name: &str) -> Option<Sha3> {
    data.get(name).and_then(Value::as_str).and_then(Sha3::parse)
}

/// What `authorization.issued` carries: exactly chash, exp and request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedData {
    /// The artifact's `chash`.
    pub chash: Sha3,
    /// The artifact's `exp`.
    pub exp: Time,
    /// SHA3-512 of the decision input.
    pub request: Sha3,
}

/// Reads the data of `authorization.issued`: those three members and no others.
#[must_use]
pub fn issued_data(data: &Object) -> Option<IssuedData> {
    let exp = data.get("exp").and_then(Value::as_str).and_then(Time::parse_seconds)?;
    let read = IssuedData { chash: sha3(data, "chash")?, exp, request: sha3(data, "request")? };
    (data.len() == 3).then_some(read)
}

fn consumed_data(record: &Record) -> bool {
    let data = &record.data;
    let Some((_, k)) = id::split_operation(&record.op) else { return false };
    let counted = data.get("use").and_then(Value::as_uint);
    let registry = data.get("registry").is_none_or(|registry| RegistryRef::read(registry.clone()).is_ok());
    only(data, &["nonce", "use", "registry"])
        && record.data_str("nonce").is_some_and(is_nonce)
        && counted == Some(k.unwrap_or(1))
        && registry
}

fn attestation_data(record: &Record) -> bool {
    let artifact = record.about.artifact_id.as_deref().unwrap_or_default();
    let named = id::attestation_id(artifact, &record.by, &record.op);
    only(&record.data, &["attestation", "envelope"]) && record.data_str("attestation") == Some(named.as_str())
}

fn result_data(data: &Object) -> bool {
    let Some(result) = data.get("result").and_then(Value::as_object) else { return false };
    let count = |name: &str| result.get(name).and_then(Value::as_int).is_some_and(|n| n >= 0);
    result.len() == 3 && sha3(result, "digest").is_some() && count("bytes") && count("status")
}

fn interrupted_data(data: &Object) -> bool {
    data.len() == 2 && caused(data, true) && data.get("effect").and_then(Value::as_str) == Some("unknown")
}

/// A cause is a text that says something.
fn caused(data: &Object, needed: bool) -> bool {
    let said = |cause: &Value| cause.as_str().is_some_and(|text| !text.is_empty());
    data.get("cause").map_or(!needed, said)
}

#[cfg(test)]
mod tests;
