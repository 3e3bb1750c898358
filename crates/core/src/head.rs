//! The head of a ledger (PROTOCOL 7): what it commits to, signed, and beside it the same as a C2SP checkpoint that
//! witnesses cosign.

pub mod checkpoint;
pub mod tlog_proof;

use crate::chain::ChainValue;
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::{Sha3, Sha256};
use crate::name;
use crate::signature::{Signature, Signer, VerifyingKey};
use crate::time::Time;
use alloc::string::String;
use alloc::vec::Vec;

/// A registry's epoch and the hash of its header: `{"epoch","hash"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryRef {
    /// The epoch, from 1.
    pub epoch: u64,
    /// The SHA3-512 of the header without its signature.
    pub hash: Sha3,
}

/// What a head commits to: everything in it but `at`, `kid` and `sig`. For one size there is only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// The ledger's name.
    pub ledger: String,
    /// How many entries there are, from 1.
    pub size: u64,
    /// Both chains after the last entry: `hash`, `hash_alt`.
    pub chain: ChainValue,
    /// The root of the tree.
    pub root: Sha256,
    /// The root of the operation index over the entries before the last one, the `ledger.sealed` that names it.
    pub index: Sha256,
    /// The registry in force.
    pub registry: RegistryRef,
}

/// A signed head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it commits to.
    pub commitment: Commitment,
    /// When it was signed, by the ledger's clock.
    pub at: Time,
    /// The signature, over all but itself; its `kid` is the head's.
    pub sig: Signature,
}

impl RegistryRef {
    /// Reads exactly the members `epoch` and `hash`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "registry reference")?;
        let reference = Self { epoch: form.positive("epoch")?, hash: form.sha3("hash")? };
        form.finish()?;
        Ok(reference)
    }

    /// The value that stands in a head, in `ledger.sealed` and in `authorization.consumed`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(Object::new().with("epoch", self.epoch).with("hash", self.hash))
    }
}

impl Commitment {
    fn payload(&self, at: Time, kid: &str) -> Object {
        Object::new()
            .with("v", "1")
            .with("ledger", &self.ledger)
            .with("size", self.size)
            .with("hash", self.chain.hash)
            .with("hash_alt", self.chain.hash_alt)
            .with("root", self.root)
            .with("index", self.index)
            .with("registry", self.registry.to_value())
            .with("at", at.to_millis_value())
            .with("kid", kid)
    }
}

impl Head {
    /// Reads exactly the members of a head. The signature is not verified.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form, or `kid` is not that of `sig`.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "head")?;
        form.version()?;
        let commitment = Commitment {
            ledger: form.named("ledger", "a ledger's name", name::is_ledger)?,
            size: form.positive("size")?,
            chain: ChainValue { hash: form.sha3("hash")?, hash_alt: form.blake2b("hash_alt")? },
            root: form.sha256("root")?,
            index: form.sha256("index")?,
            registry: RegistryRef::read(form.take("registry")?)?,
        };
        let at = form.millis("at")?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let sig = Signature::take(&mut form, "sig")?;
        form.finish()?;
        require(kid == sig.kid, "a head's `kid` is not that of its signature")?;
        Ok(Self { commitment, at, sig })
    }

    /// Signs what the ledger commits to at `at`. Whoever calls this has read its last head back from durable storage and
    /// holds that the new one neither goes back nor [equivocates](Self::equivocates).
    #[must_use]
    pub fn sign(commitment: Commitment, at: Time, signer: &dyn Signer) -> Self {
        let sig = signer.signature(&commitment.payload(at, signer.kid()).canonical());
        Self { commitment, at, sig }
    }

    /// The bytes that are signed: the canonical encoding of all but `sig`.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        self.commitment.payload(self.at, &self.sig.kid).canonical()
    }

    /// The value that is served.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.commitment.payload(self.at, &self.sig.kid).with("sig", self.sig.to_value()))
    }

    /// Whether the signature is `key`'s. Whether that is the ledger's head key at `at`, the trust root says.
    #[must_use]
    pub fn verify(&self, key: &VerifyingKey) -> bool {
        key.verifies(&self.payload(), &self.sig.val)
    }

    /// Whether these two heads, both signed, prove that the ledger told two histories: one size, and not the same in all
    /// but `at`, `kid`, `sig`.
    #[must_use]
    pub fn equivocates(&self, other: &Self) -> bool {
        let (one, two) = (&self.commitment, &other.commitment);
        one.ledger == two.ledger && one.size == two.size && one != two
    }
}

#[cfg(test)]
mod tests;
