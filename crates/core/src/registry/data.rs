//! The data of registry events that carry a signature of their own (PROTOCOL 5.3): granted keys, published policies,
//! approved interfaces.

use super::records::{InterfaceRecord, Item as _, PolicyRecord};
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError};
use crate::hash::Sha3;
use crate::root::{KeyRecord, KeyUse, TrustRoot};
use crate::signature::{Signature, Signer};
use crate::time::Time;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A key and the registry key's word for it: the data of `key.registered`, and each of the keys of `ledger.genesis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedKey {
    /// The key's record.
    pub key: KeyRecord,
    /// The registry key's signature over the canonical record.
    pub grant: Signature,
}

impl GrantedKey {
    /// Grants a key: `signer` holds the registry key.
    #[must_use]
    pub fn sign(key: KeyRecord, signer: &dyn Signer) -> Self {
        let grant = signer.signature(&key.to_value().canonical());
        Self { key, grant }
    }

    /// Reads exactly `{"key","grant"}`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "granted key")?;
        let key = KeyRecord::read(form.take("key")?)?;
        let grant = Signature::take(&mut form, "grant")?;
        form.finish()?;
        Ok(Self { key, grant })
    }

    /// The data of the event.
    #[must_use]
    pub fn to_object(&self) -> Object {
        Object::new().with("key", self.key.to_value()).with("grant", self.grant.to_value())
    }

    /// Whether a registry key of `root` that counts at `at` granted it.
    #[must_use]
    pub fn verifies(&self, root: &TrustRoot, at: Time) -> bool {
        let key = root.role_key(KeyUse::Registry, &self.grant.kid, at);
        key.is_some_and(|key| key.verifies(&self.key.to_value().canonical(), &self.grant.val))
    }
}

/// A policy as it is published: what the registry lists of it, and the policy key's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPolicy {
    /// What the registry lists.
    pub record: PolicyRecord,
    /// The policy key's signature over domain, hash and reference.
    pub sig: Signature,
}

impl PublishedPolicy {
    /// Signs a policy for a domain: `signer` holds the policy key.
    #[must_use]
    pub fn sign(domain: &str, record: PolicyRecord, signer: &dyn Signer) -> Self {
        let sig = signer.signature(&statement(domain, &record.id.reference, record.id.hash));
        Self { record, sig }
    }

    /// Reads exactly `{"ref","hash","operations","runtimes","sig"}`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let (record, sig) = split_signature(value, "published policy")?;
        Ok(Self { record: PolicyRecord::read(record)?, sig })
    }

    /// The data of the event.
    #[must_use]
    pub fn to_object(&self) -> Object {
        self.record.to_value().into_object().with("sig", self.sig.to_value())
    }

    /// Whether a policy key of `root` that counts at `at` signed it for the root's domain.
    #[must_use]
    pub fn verifies(&self, root: &TrustRoot, at: Time) -> bool {
        verifies(root, at, &self.signed_bytes(&root.domain), &self.sig)
    }

    /// What the signature is over, for a domain.
    #[must_use]
    pub fn signed_bytes(&self, domain: &str) -> Vec<u8> {
        statement(domain, &self.record.id.reference, self.record.id.hash)
    }
}

/// An interface as it is approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedInterface {
    /// What the registry lists.
    pub record: InterfaceRecord,
    /// The policy key's signature over domain, hash and `service/version`.
    pub sig: Signature,
}

impl ApprovedInterface {
    /// Approves an interface for a domain: `signer` holds the policy key.
    #[must_use]
    pub fn sign(domain: &str, record: InterfaceRecord, signer: &dyn Signer) -> Self {
        let reference = format!("{}/{}", record.service, record.version);
        let sig = signer.signature(&statement(domain, &reference, record.hash));
        Self { record, sig }
    }

    /// The data of the event.
    #[must_use]
    pub fn to_object(&self) -> Object {
        self.record.to_value().into_object().with("sig", self.sig.to_value())
    }

    /// Reads exactly `{"service","version","hash","sig"}`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let (record, sig) = split_signature(value, "approved interface")?;
        Ok(Self { record: InterfaceRecord::read(record)?, sig })
    }

    /// Whether a policy key of `root` that counts at `at` signed it for the root's domain.
    #[must_use]
    pub fn verifies(&self, root: &TrustRoot, at: Time) -> bool {
        let reference = format!("{}/{}", self.record.service, self.record.version);
        verifies(root, at, &statement(&root.domain, &reference, self.record.hash), &self.sig)
    }
}

/// What the policy key signs of a policy or an interface: the canonical `{"domain","hash","ref"}`.
#[must_use]
pub fn statement(domain: &str, reference: &str, hash: Sha3) -> Vec<u8> {
    Object::new().with("domain", domain).with("hash", hash).with("ref", reference).canonical()
}

/// The data of `ledger.genesis`: the first root, the age that a registry view may have, the first keys.
#[must_use]
pub fn genesis(root: &TrustRoot, fresh: u64, keys: &[GrantedKey]) -> Object {
    let keys: Vec<Value> = keys.iter().map(|key| Value::Object(key.to_object())).collect();
    Object::new().with("root", root.to_value()).with("fresh", fresh).with("keys", keys)
}

fn verifies(root: &TrustRoot, at: Time, signed: &[u8], sig: &Signature) -> bool {
    let key = root.role_key(KeyUse::Policy, &sig.kid, at);
    key.is_some_and(|key| key.verifies(signed, &sig.val))
}

fn split_signature(value: Value, what: &'static str) -> Result<(Value, Signature), FormError> {
    let Value::Object(mut record) = value else { return Err(FormError(String::from(what) + " is not an object")) };
    let sig = record.remove("sig").ok_or_else(|| FormError(String::from(what) + " lacks the member `sig`"))?;
    Ok((Value::Object(record), Signature::read(sig)?))
}
