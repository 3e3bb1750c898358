//! The records of a registry's eight lists (PROTOCOL 11), each with the name that it is sorted and committed under.

use super::pattern;
use crate::artifact::is_artifact_id;
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::{Sha3, Sha256};
use crate::index::{item_key, item_value};
use crate::name;
use crate::policy::{PolicyBundle, PolicyId};
use crate::root::KeyRecord;
use crate::time::Time;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A record of one of the lists.
pub trait Item: Sized {
    /// What it is called in the name of its leaf.
    const KIND: &'static str;
    /// The list it stands in.
    const LIST: &'static str;

    /// Its name: the members that the list is sorted by, joined by a space. A list holds each name once.
    fn name(&self) -> String;

    /// Reads exactly the members of the record.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    fn read(value: Value) -> Result<Self, FormError>;

    /// The value that stands in the list.
    fn to_value(&self) -> Value;

    /// Key and value of its leaf.
    fn leaf(&self) -> (Sha256, Sha256) {
        (item_key(Self::KIND, &self.name()), item_value(&self.to_value()))
    }
}

impl Item for KeyRecord {
    const KIND: &'static str = "key";
    const LIST: &'static str = "keys";

    fn name(&self) -> String {
        self.kid.clone()
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let key = Self::read(value)?;
        if key.usage.stands_in_registry() {
            return Ok(key);
        }
        Err(FormError(format!("`{}` is a key for {}, which stands in no registry", key.kid, key.usage.name())))
    }

    fn to_value(&self) -> Value {
        self.to_value()
    }
}

/// A policy in force, and what it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its reference and the hash of its bundle.
    pub id: PolicyId,
    /// The operations it covers, sorted by byte.
    pub operations: Vec<String>,
    /// Patterns of the runtimes it covers.
    pub runtimes: Vec<String>,
}

impl PolicyRecord {
    /// What the registry lists of a bundle.
    #[must_use]
    pub fn of(bundle: &PolicyBundle) -> Self {
        Self { id: bundle.id(), operations: bundle.operations.clone(), runtimes: bundle.runtimes.clone() }
    }

    /// Whether it covers `operation` on `runtime`.
    #[must_use]
    pub fn covers(&self, operation: &str, runtime: &str) -> bool {
        self.operations.iter().any(|name| name == operation)
            && self.runtimes.iter().any(|pattern| pattern::matches(pattern, runtime))
    }

    /// Whether some operation on some runtime could be covered by both.
    #[must_use]
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.operations.iter().any(|name| other.operations.contains(name))
            && self.runtimes.iter().any(|a| other.runtimes.iter().any(|b| pattern::overlap(a, b)))
    }
}

impl Item for PolicyRecord {
    const KIND: &'static str = "policy";
    const LIST: &'static str = "policies";

    fn name(&self) -> String {
        self.id.reference.clone()
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "policy")?;
        let reference = form.named("ref", "a policy's reference", name::is_policy)?;
        let hash = form.sha3("hash")?;
        let (operations, runtimes) = (form.strings("operations")?, form.strings("runtimes")?);
        form.finish()?;
        let named = operations.iter().all(|name| name::is_operation(name)) && !operations.is_empty();
        require(named, "policy: `operations` is not a list of operations' names")?;
        require(operations.is_sorted_by(|a, b| a < b), "policy: `operations` is not sorted by byte, each once")?;
        let patterns = runtimes.iter().all(|text| pattern::is_pattern(text)) && !runtimes.is_empty();
        require(patterns, "policy: `runtimes` is not a list of patterns of runtimes")?;
        Ok(Self { id: PolicyId { reference, hash }, operations, runtimes })
    }

    fn to_value(&self) -> Value {
        let record = Object::new()
            .with("ref", &self.id.reference)
            .with("hash", self.id.hash)
            .with("operations", self.operations.as_slice())
            .with("runtimes", self.runtimes.as_slice());
        Value::Object(record)
    }
}

/// A registered enforcement point, as it was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeRecord {
    /// The point, `<runtime>#<point>`.
    pub point: String,
    /// Its runtime.
    pub runtime: String,
    /// Where it stands.
    pub region: String,
    /// Whom it serves.
    pub tenancy: String,
    /// How it enforces: `gateway`, `sidecar` and so on.
    pub mode: String,
    /// The digest of its binary.
    pub binary: Sha3,
    /// The digest of its effective configuration.
    pub config: Sha3,
    /// The key that signs its events.
    pub kid: String,
}

impl Item for RuntimeRecord {
    const KIND: &'static str = "runtime";
    const LIST: &'static str = "runtimes";

    fn name(&self) -> String {
        self.point.clone()
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "runtime")?;
        let record = Self {
            point: form.named("point", "an enforcement point", name::is_point)?,
            runtime: form.named("runtime", "a runtime's name", name::is_runtime)?,
            region: form.named("region", "a name", name::is_segment)?,
            tenancy: form.named("tenancy", "a name", name::is_segment)?,
            mode: form.named("mode", "a name", name::is_segment)?,
            binary: form.sha3("binary")?,
            config: form.sha3("config")?,
            kid: form.named("kid", "a key's name", name::is_key)?,
        };
        form.finish()?;
        let own = name::runtime_of_point(&record.point) == record.runtime;
        require(own, "runtime: `point` is a point of another runtime")?;
        Ok(record)
    }

    fn to_value(&self) -> Value {
        let record = Object::new()
            .with("point", &self.point)
            .with("runtime", &self.runtime)
            .with("region", &self.region)
            .with("tenancy", &self.tenancy)
            .with("mode", &self.mode)
            .with("binary", self.binary)
            .with("config", self.config)
            .with("kid", &self.kid);
        Value::Object(record)
    }
}

/// An approved version of a service's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceRecord {
    /// The service.
    pub service: String,
    /// The version.
    pub version: String,
    /// The hash of its description.
    pub hash: Sha3,
}

impl Item for InterfaceRecord {
    const KIND: &'static str = "interface";
    const LIST: &'static str = "interfaces";

    fn name(&self) -> String {
        format!("{} {}", self.service, self.version)
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "interface")?;
        let service = form.named("service", "a service's name", name::is_path)?;
        let version = form.named("version", "a name", name::is_segment)?;
        let hash = form.sha3("hash")?;
        form.finish()?;
        Ok(Self { service, version, hash })
    }

    fn to_value(&self) -> Value {
        let record = Object::new().with("service", &self.service).with("version", &self.version);
        Value::Object(record.with("hash", self.hash))
    }
}

/// A source of identities, and how its claims become identities here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// Its name in this domain.
    pub name: String,
    /// The issuer that its tokens name.
    pub source: String,
    /// How its claims map; the identity service reads it.
    pub mapping: Object,
}

impl Item for SourceRecord {
    const KIND: &'static str = "source";
    const LIST: &'static str = "sources";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "identity source")?;
        let name = form.named("name", "a name", name::is_segment)?;
        let source = form.named("source", "an issuer", |source| !source.is_empty())?;
        let mapping = form.object("mapping")?;
        form.finish()?;
        Ok(Self { name, source, mapping })
    }

    fn to_value(&self) -> Value {
        let record = Object::new().with("name", &self.name).with("source", &self.source);
        Value::Object(record.with("mapping", self.mapping.clone()))
    }
}

/// A revoked artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedRecord {
    /// The artifact.
    pub artifact: String,
    /// How long the row is kept: a day past the artifact's expiry.
    pub until: Time,
}

impl Item for RevokedRecord {
    const KIND: &'static str = "revoked";
    const LIST: &'static str = "revoked";

    fn name(&self) -> String {
        self.artifact.clone()
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "revocation")?;
        let artifact = form.named("artifact", "an artifact id", is_artifact_id)?;
        let until = form.seconds("until")?;
        form.finish()?;
        Ok(Self { artifact, until })
    }

    fn to_value(&self) -> Value {
        let until = self.until.to_seconds_value();
        Value::Object(Object::new().with("artifact", &self.artifact).with("until", until))
    }
}

/// Where a subject stands that is not simply governed. Every state contains; see [`crate::subject`] for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainmentState {
    /// Nothing passes through the subject.
    Contained,
    /// It is on its way back; nothing passes yet.
    Recovering,
    /// Nothing will ever pass again.
    Revoked,
}

impl ContainmentState {
    /// The name of the state.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contained => "contained",
            Self::Recovering => "recovering",
            Self::Revoked => "revoked",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Contained, Self::Recovering, Self::Revoked].into_iter().find(|state| state.name() == name)
    }
}

/// A contained subject. A kind that this version does not know is read all the same: it contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainmentRecord {
    /// The kind of the subject.
    pub kind: String,
    /// The subject.
    pub subject: String,
    /// Where it stands.
    pub state: ContainmentState,
    /// Since when: the `at` of the entry that brought it there.
    pub since: Time,
    /// Why.
    pub cause: String,
}

impl ContainmentRecord {
    /// The name of a subject's row.
    #[must_use]
    pub fn name_of(kind: &str, subject: &str) -> String {
        format!("{kind} {subject}")
    }
}

impl Item for ContainmentRecord {
    const KIND: &'static str = "containment";
    const LIST: &'static str = "containments";

    fn name(&self) -> String {
        Self::name_of(&self.kind, &self.subject)
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "containment")?;
        let kind = form.named("kind", "a name", name::is_segment)?;
        let subject = form.named("subject", "a subject", |subject| !subject.is_empty())?;
        let state = ContainmentState::parse(&form.string("state")?);
        let state = state.ok_or_else(|| form.wrong("state", "none of contained, recovering, revoked"))?;
        let since = form.millis("since")?;
        let cause = form.named("cause", "a name", name::is_segment)?;
        form.finish()?;
        Ok(Self { kind, subject, state, since, cause })
    }

    fn to_value(&self) -> Value {
        let record = Object::new()
            .with("kind", &self.kind)
            .with("subject", &self.subject)
            .with("state", self.state.name())
            .with("since", self.since.to_millis_value())
            .with("cause", &self.cause);
        Value::Object(record)
    }
}
