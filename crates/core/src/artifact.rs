//! Authorization artifacts (PROTOCOL 4): the signed statement, issued beforehand, that one identity may run one operation
//! under one policy in one environment for a while.

mod digests;
mod draft;
mod operation;
mod token;

use crate::encoding::{Encoded, Object, Value, parse_canonical};
use crate::form::{Form, FormError, require};
use crate::hash::{Sha3, Sha256};
use crate::id;
use crate::limits;
use crate::name;
use crate::policy::PolicyId;
use crate::signature::Signature;
use crate::time::Time;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use draft::Draft;
pub use operation::Operation;
pub use token::Token;

/// Where it may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The runtime.
    pub runtime: String,
    /// The region.
    pub region: String,
    /// The tenancy.
    pub tenancy: String,
}

impl Environment {
    /// Reads exactly `runtime`, `region`, `tenancy`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        Self::of_form(Form::of(value, "env")?)
    }

    fn of_form(mut form: Form<'_>) -> Result<Self, FormError> {
        let runtime = form.named("runtime", "a runtime's name", name::is_runtime)?;
        let region = form.named("region", "a name", name::is_segment)?;
        let tenancy = form.named("tenancy", "a name", name::is_segment)?;
        form.finish()?;
        Ok(Self { runtime, region, tenancy })
    }

    /// The value that stands in a structure.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("runtime", &self.runtime).with("region", &self.region);
        Value::Object(object.with("tenancy", &self.tenancy))
    }
}

/// The kinds of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseMode {
    /// Once.
    Single,
    /// Up to `max` times.
    Bounded,
    /// Up to `max` times in any `per` seconds.
    Rate,
}

impl UseMode {
    /// The mode of a written name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "single" => Some(Self::Single),
            "bounded" => Some(Self::Bounded),
            "rate" => Some(Self::Rate),
            _ => None,
        }
    }

    /// The written name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Bounded => "bounded",
            Self::Rate => "rate",
        }
    }
}

/// How often an artifact may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Once.
    Single {
        /// Freshness: `n_` and 26 base32 characters.
        nonce: String,
    },
    /// Up to `max` times.
    Bounded {
        /// Freshness.
        nonce: String,
        /// How often, at least once.
        max: u64,
    },
    /// Up to `max` times in any `per` seconds.
    Rate {
        /// Freshness.
        nonce: String,
        /// How often, at least once.
        max: u64,
        /// The window in seconds, at least one.
        per: u64,
    },
}

impl Use {
    fn of_form(mut form: Form<'_>) -> Result<Self, FormError> {
        let mode = form.string("mode")?;
        let nonce = form.named("nonce", "a nonce", is_nonce)?;
        let usage = match UseMode::parse(&mode) {
            Some(UseMode::Single) => Self::Single { nonce },
            Some(UseMode::Bounded) => Self::Bounded { nonce, max: form.positive("max")? },
            Some(UseMode::Rate) => Self::Rate { nonce, max: form.positive("max")?, per: form.positive("per")? },
            None => return Err(form.wrong("mode", "not a use mode")),
        };
        form.finish()?;
        Ok(usage)
    }

    /// The value that stands in an artifact.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("mode", self.mode().name()).with("nonce", self.nonce());
        let object = object.with_some("max", self.max());
        Value::Object(if let Self::Rate { per, .. } = self { object.with("per", *per) } else { object })
    }

    /// Its mode.
    #[must_use]
    pub const fn mode(&self) -> UseMode {
        match self {
            Self::Single { .. } => UseMode::Single,
            Self::Bounded { .. } => UseMode::Bounded,
            Self::Rate { .. } => UseMode::Rate,
        }
    }

    /// Its nonce.
    #[must_use]
    pub fn nonce(&self) -> &str {
        match self {
            Self::Single { nonce } | Self::Bounded { nonce, .. } | Self::Rate { nonce, .. } => nonce,
        }
    }

    /// How often, for bounded and rate.
    #[must_use]
    pub const fn max(&self) -> Option<u64> {
        match self {
            Self::Single { .. } => None,
            Self::Bounded { max, .. } | Self::Rate { max, .. } => Some(*max),
        }
    }

    /// The operation id of use `k` (from 1) of the artifact with content id `id`: the id itself for single use, `<id>.<k>`
    /// otherwise (PROTOCOL 2).
    #[must_use]
    pub fn operation_id(&self, id: &str, k: u64) -> String {
        match self {
            Self::Single { .. } => id.into(),
            _ => format!("{id}.{k}"),
        }
    }
}

/// `n_` and 26 characters of Crockford base32.
pub(crate) fn is_nonce(text: &str) -> bool {
    let digits = |rest: &str| rest.len() == 26 && rest.bytes().all(id::is_digit);
    text.strip_prefix("n_").is_some_and(digits)
}

/// The nonce that 17 random bytes make: 26 base32 characters hold 130 of their 136 bits.
#[must_use]
pub fn nonce(random: &[u8; 17]) -> String {
    let digits = id::base32(random);
    format!("n_{}", digits.get(..26).unwrap_or_default())
}

/// The artifact under which a child was delegated (PROTOCOL 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its operation: of this very artifact.
    pub op: String,
    /// Its id.
    pub artifact: String,
    /// All ancestors, each once, the root first, the parent last.
    pub ancestors: Vec<String>,
}

/// The foreign operation for which a domain issued its own artifact (PROTOCOL 14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The origin's domain.
    pub domain: String,
    /// Its operation.
    pub op: String,
    /// Its artifact.
    pub artifact: String,
    /// The digest of the route.
    pub route: Sha3,
}

/// An authorization artifact, of its form but not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// `auth_` and the content id of the body.
    pub id: String,
    /// The authority.
    pub iss: String,
    /// The identity it is bound to.
    pub sub: String,
    /// The operation.
    pub op: Operation,
    /// The policy.
    pub pol: PolicyId,
    /// The environment.
    pub env: Environment,
    /// From when.
    pub nbf: Time,
    /// Until just before when.
    pub exp: Time,
    /// How often.
    pub usage: Use,
    /// Its parent, where it was delegated.
    pub parent: Option<Parent>,
    /// Its origin, where it stands for a foreign one.
    pub origin: Option<Origin>,
    /// SHA-256 of the caller's key, where it is bound to one.
    pub holder: Option<Sha256>,
    /// SHA3-512 of the payload.
    pub chash: Sha3,
    /// Over the payload.
    pub sig: Signature,
    canonical: Vec<u8>,
    payload: Vec<u8>,
}

impl Parent {
    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "parent")?;
        let op = form.named("op", "an operation id", |op| id::split_operation(op).is_some())?;
        let artifact = form.named("artifact", "an artifact id", is_artifact_id)?;
        let ancestors = form.strings("ancestors")?;
        form.finish()?;
        require(ancestors.len() <= limits::MAX_DELEGATION, "parent: more than 16 ancestors")?;
        require(ancestors.iter().all(|a| is_artifact_id(a)), "parent: an ancestor is not an artifact id")?;
        require(ancestors.last() == Some(&artifact), "parent: the last ancestor is not the parent")?;
        let distinct: BTreeSet<&String> = ancestors.iter().collect();
        require(distinct.len() == ancestors.len(), "parent: an ancestor stands twice")?;
        let own = id::split_operation(&op).map(|(id, _)| id) == id::operation_of_artifact(&artifact);
        require(own, "parent: `op` is not an operation of `artifact`")?;
        Ok(Self { op, artifact, ancestors })
    }

    /// The value that stands in an artifact.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("op", &self.op).with("artifact", &self.artifact);
        Value::Object(object.with("ancestors", self.ancestors.as_slice()))
    }
}

fn read_origin(value: Value) -> Result<Origin, FormError> {
    let mut form = Form::of(value, "origin")?;
    let domain = form.named("domain", "a domain", name::is_domain)?;
    let op = form.named("op", "an operation id", |op| id::split_operation(op).is_some())?;
    let artifact = form.named("artifact", "an artifact id", is_artifact_id)?;
    let route = form.sha3("route")?;
    form.finish()?;
    Ok(Origin { domain, op, artifact, route })
}

fn require_size(canonical: &[u8]) -> Result<(), FormError> {
    require(canonical.len() <= limits::MAX_ARTIFACT, "the artifact is larger than 8 KiB")
}

fn require_life(nbf: Time, exp: Time) -> Result<(), FormError> {
    let life = exp.since(nbf);
    require(life > 0 && life <= limits::MAX_LIFE * 1000, "the artifact's life is not between 1 s and 1 h")
}

/// Whether `text` is `auth_` and a content id.
#[must_use]
pub fn is_artifact_id(text: &str) -> bool {
    id::operation_of_artifact(text).is_some()
}

impl Artifact {
    /// Reads an artifact: every member of its form, none missing, none unknown, within the limits of PROTOCOL 13.
    /// Digests and signature are not checked here.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        match value {
            Value::Object(object) => Self::read_canonical(&object.canonical()),
            _ => Err(FormError("the artifact is not an object".into())),
        }
    }

    /// Reads an artifact from its canonical encoding.
    ///
    /// # Errors
    /// As [`Artifact::read`], and where it is not canonically encoded.
    pub fn read_canonical(canonical: &[u8]) -> Result<Self, FormError> {
        require_size(canonical)?;
        let encoded = Encoded::of(canonical)?;
        let mut form = Form::of_encoded(&encoded, "artifact");
        form.version()?;
        let artifact = Self {
            id: form.named("id", "an artifact id", is_artifact_id)?,
            iss: form.named("iss", "an authority's name", name::is_authority)?,
            sub: form.named("sub", "an identity", name::is_identity)?,
            op: Operation::read(form.take("op")?)?,
            pol: PolicyId::take(&mut form, "pol")?,
            env: Environment::of_form(form.form("env", "env")?)?,
            nbf: form.seconds("nbf")?,
            exp: form.seconds("exp")?,
            usage: Use::of_form(form.form("use", "use")?)?,
            parent: form.opt("parent").map(Parent::read).transpose()?,
            origin: form.opt("origin").map(read_origin).transpose()?,
            holder: if form.has("holder") { Some(form.sha256("holder")?) } else { None },
            chash: form.sha3("chash")?,
            sig: Signature::take(&mut form, "sig")?,
            payload: encoded.without(&["chash", "sig"]),
            canonical: canonical.to_vec(),
        };
        form.finish()?;
        require_life(artifact.nbf, artifact.exp)?;
        Ok(artifact)
    }

    /// What is signed and what `chash` digests: all but `chash` and `sig`.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The operation id of its lineage, without a use number.
    #[must_use]
    pub fn content_id(&self) -> &str {
        self.id.strip_prefix("auth_").unwrap_or_default()
    }

    /// The canonical bytes of the whole artifact.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The artifact as a value: it is read anew from its encoding.
    #[must_use]
    pub fn to_value(&self) -> Value {
        parse_canonical(&self.canonical).unwrap_or(Value::Null)
    }
}

/// The exact request that an artifact's `params` binds (PROTOCOL 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestBinding {
    /// SHA3-512 of the very bytes that are forwarded.
    pub body: Sha3,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
}

impl RequestBinding {
    /// The digest that stands as `params`. `salt` is "" or padded base64 of 16 bytes.
    #[must_use]
    pub fn digest(&self, salt: &str) -> Sha3 {
        let request = Object::new().with("body", self.body).with("method", &self.method).with("path", &self.path);
        salted(salt, "/op/params", Value::Object(request))
    }
}

/// The digest of a result: SHA3-512(JCS([salt,"/result",{"body","status"}])) (PROTOCOL 4).
#[must_use]
pub fn result_digest(salt: &str, body: Sha3, status: u16) -> Sha3 {
    salted(salt, "/result", Value::Object(Object::new().with("body", body).with("status", u32::from(status))))
}

fn salted(salt: &str, path: &str, value: Value) -> Sha3 {
    Sha3::of_value(&Value::Array(alloc::vec![salt.into(), path.into(), value]))
}

#[cfg(test)]
mod tests;
