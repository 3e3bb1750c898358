//! Statements about other domains (PROTOCOL 14.1): what this domain lets through from a peer, and what it pins of it.

use super::records::Item;
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha3;
use crate::name;
use crate::signature::{Signature, VerifyingKey};
use crate::time::Time;
use alloc::format;
use alloc::string::String;

/// The constraints that a statement may set. An absent one lets nothing through; an unknown one makes the statement
/// invalid.
pub const CONSTRAINTS: &[&str] = &[
    "operations",
    "identities",
    "runtimes",
    "regions",
    "policies",
    "max_path_length",
    "max_life",
    "durability",
    "attestation",
];

/// A statement about a peer, signed by the stating domain's policy key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatement {
    /// The domain that states.
    pub iss: String,
    /// The peer.
    pub sub: String,
    /// Version and hash of the peer's trust root.
    pub root: (u64, Sha3),
    /// The origin of the peer's ledger.
    pub ledger: String,
    /// What is let through.
    pub constraints: Object,
    /// Its number: each statement about a peer is one above the one before.
    pub seq: u64,
    /// The hash of the statement before; none for the first.
    pub prev: Option<Sha3>,
    /// It counts from this second on.
    pub nbf: Time,
    /// It counts before this second.
    pub exp: Time,
    /// By the policy key, over all but itself.
    pub sig: Signature,
    object: Object,
}

impl PeerStatement {
    /// What is signed: all but `sig`.
    #[must_use]
    pub fn payload(&self) -> alloc::vec::Vec<u8> {
        self.object.canonical_without(&["sig"])
    }

    /// The hash that the next statement's `prev` holds: the signature apart.
    #[must_use]
    pub fn hash(&self) -> Sha3 {
        Sha3::of(&[&self.payload()])
    }

    /// Whether `key` signed it.
    #[must_use]
    pub fn verifies(&self, key: &VerifyingKey) -> bool {
        key.verifies(&self.payload(), &self.sig.val)
    }
}

impl Item for PeerStatement {
    const KIND: &'static str = "peer";
    const LIST: &'static str = "peers";

    fn name(&self) -> String {
        format!("{} {}", self.iss, self.sub)
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let Value::Object(object) = value else { return Err(FormError("peer statement is not an object".into())) };
        let mut form = Form::of_object(object.clone(), "peer statement");
        form.version()?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let statement = Self {
            iss: form.named("iss", "a domain", name::is_domain)?,
            sub: form.named("sub", "a domain", name::is_domain)?,
            root: read_root(form.take("root")?)?,
            ledger: form.named("ledger", "a ledger's origin", |origin| !origin.is_empty())?,
            constraints: form.object("constraints")?,
            seq: form.positive("seq")?,
            prev: form.sha3_or_null("prev")?,
            nbf: form.seconds("nbf")?,
            exp: form.seconds("exp")?,
            sig: Signature::take(&mut form, "sig")?,
            object,
        };
        form.finish()?;
        require(statement.sig.kid == kid, "peer statement: the signature names another key than the body")?;
        require(statement.iss != statement.sub, "peer statement: a domain states nothing about itself")?;
        require(statement.nbf < statement.exp, "peer statement: `nbf` is not before `exp`")?;
        let first = statement.seq == 1;
        require(first == statement.prev.is_none(), "peer statement: `prev` is null at seq 1 and only there")?;
        let known = statement.constraints.iter().all(|(name, _)| CONSTRAINTS.contains(&name));
        require(known, "peer statement: a constraint is unknown")?;
        Ok(statement)
    }

    fn to_value(&self) -> Value {
        Value::Object(self.object.clone())
    }
}

fn read_root(value: Value) -> Result<(u64, Sha3), FormError> {
    let mut form = Form::of(value, "peer's root")?;
    let root = (form.positive("version")?, form.sha3("hash")?);
    form.finish()?;
    Ok(root)
}
