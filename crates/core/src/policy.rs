//! Policy bundles (PROTOCOL 11): what a policy says, addressed by its hash. How its Cedar text decides is another crate's
//! matter; here is its form, what it covers and the terms that an artifact must keep.

use crate::artifact::{Artifact, Use, UseMode};
use crate::disclosure::in_clear;
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha3;
use crate::limits;
use crate::name;
use crate::registry::pattern::is_pattern;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// A policy by reference and hash: `{"ref","hash"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyId {
    /// `policy://<path>/v<N>`.
    pub reference: String,
    /// SHA3-512 of the bundle's canonical encoding.
    pub hash: Sha3,
}

impl PolicyId {
    /// Reads exactly `{"ref","hash"}`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        Self::of_form(Form::of(value, "policy")?)
    }

    /// Takes the member `name`, which is a policy's id, out of a structure.
    ///
    /// # Errors
    /// As [`PolicyId::read`], and where it is missing.
    pub fn take(form: &mut Form<'_>, name: &str) -> Result<Self, FormError> {
        Self::of_form(form.form(name, "policy")?)
    }

    fn of_form(mut form: Form<'_>) -> Result<Self, FormError> {
        let reference = form.named("ref", "a policy's reference", name::is_policy)?;
        let hash = form.sha3("hash")?;
        form.finish()?;
        Ok(Self { reference, hash })
    }

    /// The value that stands in a structure.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(Object::new().with("ref", &self.reference).with("hash", self.hash))
    }
}

/// Whether digests of requests and results are salted (PROTOCOL 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digests {
    /// With one random salt per operation.
    Salted,
    /// With the empty salt: whoever knows the bytes can recognise them in the ledger.
    Plain,
}

/// When the body of a response reaches the caller (PROTOCOL 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Held whole until `evidence.committed` is durable.
    Whole,
    /// Passed on as it comes, its end held back until then.
    Stream,
}

/// The least evidence an attestation must carry (PROTOCOL 10, 11.1), in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceLevel {
    /// `software`.
    Software,
    /// `tpm2-quote`.
    Tpm,
    /// `nitro`, `sev-snp` or `tdx`.
    Enclave,
}

impl EvidenceLevel {
    /// The level of an evidence type; `None` where it has none (`peer-lineage`, an unknown type).
    #[must_use]
    pub(crate) fn of_type(evidence: &str) -> Option<Self> {
        match evidence {
            "software" => Some(Self::Software),
            "tpm2-quote" => Some(Self::Tpm),
            "nitro" | "sev-snp" | "tdx" => Some(Self::Enclave),
            _ => None,
        }
    }
}

/// m of n approvals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// How many are needed, at least one.
    pub m: u64,
    /// Who may give them.
    pub from: Vec<String>,
}

/// What a policy asks of the artifact, the boundary and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The longest life of an artifact, in seconds.
    pub ttl: u64,
    /// The use modes that may be granted.
    pub uses: Vec<UseMode>,
    /// Whether the exact request is bound.
    pub bind_params: bool,
    /// How it is digested.
    pub digests: Digests,
    /// When the response is released.
    pub release: Release,
    /// The least evidence.
    pub attestation: EvidenceLevel,
    /// JSON pointers of what stands as a commitment.
    pub sensitive: Vec<String>,
    /// The greatest `max` of a bounded or rate artifact.
    pub max: Option<u64>,
    /// The least window of a rate artifact, in seconds.
    pub per: Option<u64>,
    /// How long an execution may run, in seconds.
    pub max_run: Option<u64>,
    /// Operations that may be delegated.
    pub delegates: Option<Vec<String>>,
    /// Approvals that are needed.
    pub approvals: Option<Approvals>,
    /// The least durability of the evidence, `D1` to `D5`.
    pub durability: Option<String>,
    /// What confines the workload.
    pub envelope: Option<Value>,
}

/// A policy bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyBundle {
    /// `policy://<path>/v<N>`.
    pub reference: String,
    /// The operations it covers.
    pub operations: Vec<String>,
    /// Patterns of the runtimes it covers.
    pub runtimes: Vec<String>,
    /// The Cedar text.
    pub cedar: String,
    /// The Cedar schema.
    pub schema: Option<String>,
    /// Cedar entities.
    pub entities: Option<Value>,
    /// The terms.
    pub terms: Terms,
    /// SHA3-512 of the canonical encoding.
    pub hash: Sha3,
}

impl PolicyBundle {
    /// Reads a bundle and computes its hash. A term that is not understood makes it invalid.
    ///
    /// # Errors
    /// Where it is larger than 4 MiB, or a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let canonical = value.canonical();
        require(canonical.len() <= limits::MAX_BUNDLE, "the policy bundle is larger than 4 MiB")?;
        let mut form = Form::of(value, "policy bundle")?;
        form.version()?;
        let reference = form.named("ref", "a policy's reference", name::is_policy)?;
        let operations = form.strings("operations")?;
        let runtimes = form.strings("runtimes")?;
        let named = !operations.is_empty() && operations.iter().all(|op| name::is_operation(op));
        require(named, "policy bundle: `operations` is not a list of operations' names")?;
        require(operations.is_sorted_by(|a, b| a < b), "policy bundle: `operations` is not sorted by byte, each once")?;
        let patterns = !runtimes.is_empty() && runtimes.iter().all(|text| is_pattern(text));
        require(patterns, "policy bundle: `runtimes` is not a list of patterns of runtimes")?;
        let cedar = form.string("cedar")?;
        let schema = match form.take("schema")? {
            Value::Null => None,
            Value::Str(schema) => Some(schema),
            _ => return Err(form.wrong("schema", "neither a text nor null")),
        };
        let entities = form.opt("entities");
        let listed = entities.as_ref().is_none_or(|entities| entities.as_array().is_some());
        require(listed, "policy bundle: `entities` is not a list of Cedar entities")?;
        let terms = Terms::read(form.take("terms")?)?;
        form.finish()?;
        let hash = Sha3::of(&[&canonical]);
        Ok(Self { reference, operations, runtimes, cedar, schema, entities, terms, hash })
    }

    /// Reference and hash.
    #[must_use]
    pub fn id(&self) -> PolicyId {
        PolicyId { reference: self.reference.clone(), hash: self.hash }
    }

    /// The first term that an artifact breaks, `None` where it keeps them all: covered operation, ttl, use, max, per,
    /// `bind_params`, sensitive (PROTOCOL 11.1, `policy.hash`). Whether the runtime is covered is the registry's pattern
    /// rule.
    #[must_use]
    pub fn broken_term(&self, artifact: &Artifact) -> Option<&'static str> {
        let terms = &self.terms;
        let life = artifact.exp.since(artifact.nbf);
        let within = |limit: Option<u64>, value: u64| limit.is_none_or(|limit| value <= limit);
        let checks = [
            (self.operations.contains(&artifact.op.name), "operations"),
            (i64::try_from(terms.ttl).is_ok_and(|ttl| life <= ttl.saturating_mul(1000)), "ttl"),
            (terms.uses.contains(&artifact.usage.mode()), "use"),
            (artifact.usage.max().is_none_or(|max| within(terms.max, max)), "max"),
            (!matches!(artifact.usage, Use::Rate { per, .. } if terms.per.is_some_and(|least| per < least)), "per"),
            (!terms.bind_params || artifact.op.params.is_some(), "bind_params"),
            (terms.sensitive.iter().all(|pointer| in_clear(artifact.op.value(), pointer).is_none()), "sensitive"),
        ];
        checks.into_iter().find(|(kept, _)| !kept).map(|(_, term)| term)
    }
}

/// Whether a value is exactly `{"_sd":"sha3-512:…"}` (PROTOCOL 5.2).
#[must_use]
pub fn is_commitment(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.len() == 1)
        && value.get("_sd").and_then(Value::as_str).is_some_and(|hash| Sha3::parse(hash).is_some())
}

/// The commitment to a value: `{"_sd"}` over JCS([salt, path, value]) (PROTOCOL 5.2). `salt` is padded base64 of 16
/// random bytes.
#[must_use]
pub fn commitment(salt: &str, path: &str, value: &Value) -> Value {
    let disclosed = Value::Array(alloc::vec![salt.into(), path.into(), value.clone()]);
    Value::Object(Object::new().with("_sd", Sha3::of_value(&disclosed)))
}

impl Terms {
    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "terms")?;
        let optional =
            |form: &mut Form<'_>, name: &str| if form.has(name) { form.positive(name).map(Some) } else { Ok(None) };
        let terms = Self {
            ttl: form.positive("ttl")?,
            uses: read_uses(&mut form)?,
            bind_params: form.boolean("bind_params")?,
            digests: match form.string("digests")?.as_str() {
                "salted" => Digests::Salted,
                "plain" => Digests::Plain,
                _ => return Err(form.wrong("digests", "neither \"salted\" nor \"plain\"")),
            },
            release: match form.string("release")?.as_str() {
                "whole" => Release::Whole,
                "stream" => Release::Stream,
                _ => return Err(form.wrong("release", "neither \"whole\" nor \"stream\"")),
            },
            attestation: EvidenceLevel::of_type(&form.string("attestation")?)
                .ok_or_else(|| form.wrong("attestation", "not a type of evidence"))?,
            sensitive: form.strings("sensitive")?,
            max: optional(&mut form, "max")?,
            per: optional(&mut form, "per")?,
            max_run: optional(&mut form, "max_run")?,
            delegates: if form.has("delegates") { Some(form.strings("delegates")?) } else { None },
            approvals: form.opt("approvals").map(read_approvals).transpose()?,
            durability: form.opt_named("durability", "D1 to D5", |d| matches!(d, "D1" | "D2" | "D3" | "D4" | "D5"))?,
            envelope: form.opt("envelope"),
        };
        let life = i64::try_from(terms.ttl).unwrap_or(i64::MAX);
        require(life <= limits::MAX_LIFE, "terms: `ttl` is more than an hour")?;
        let delegates = terms.delegates.iter().flatten().all(|name| name::is_operation(name));
        require(delegates, "terms: `delegates` is not a list of operations' names")?;
        require(terms.sensitive.iter().all(|p| p.starts_with("/op/")), "terms: `sensitive` names what is not in op")?;
        form.finish()?;
        Ok(terms)
    }
}

fn read_uses(form: &mut Form<'_>) -> Result<Vec<UseMode>, FormError> {
    let names = form.strings("use")?;
    let modes: Option<Vec<UseMode>> = names.iter().map(|name| UseMode::parse(name)).collect();
    modes.filter(|modes| !modes.is_empty()).ok_or_else(|| form.wrong("use", "not a list of use modes"))
}

fn read_approvals(value: Value) -> Result<Approvals, FormError> {
    let mut form = Form::of(value, "approvals")?;
    let (m, from) = (form.positive("m")?, form.strings("from")?);
    form.finish()?;
    let enough = usize::try_from(m).is_ok_and(|m| m <= from.len());
    require(enough, "approvals: `m` is more than `from` has")?;
    Ok(Approvals { m, from: from.iter().map(ToOwned::to_owned).collect() })
}
