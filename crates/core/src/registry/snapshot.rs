//! What the authority serves of a registry (PROTOCOL 11): the signed header of an epoch, its lists, and the stamp that
//! says the epoch is still the last.

use super::lists::Lists;
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::{Sha3, Sha256};
use crate::limits::{MAX_FRESH, MIN_FRESH};
use crate::name;
use crate::signature::{Signature, Signer, VerifyingKey};
use crate::time::Time;
use alloc::string::String;
use alloc::vec::Vec;

/// The header of an epoch, without its signature: what the fold makes and what the registry's hash is taken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The domain.
    pub domain: String,
    /// The number of the epoch: 1 is the genesis'.
    pub epoch: u64,
    /// How old a stamp may be, in seconds.
    pub fresh: u64,
    /// The hash of the header before; none at epoch 1.
    pub prev: Option<Sha3>,
    /// The registry key that signs it.
    pub kid: String,
    /// The root of the tree of all records.
    pub items: Sha256,
}

impl Header {
    /// Reads a header with its signature.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form; where `fresh` is not within 1 to 60 s, `prev` does not fit
    /// the epoch, or the signature names another key.
    pub fn read(value: Value) -> Result<(Self, Signature), FormError> {
        let mut form = Form::of(value, "registry header")?;
        form.version()?;
        let header = Self {
            domain: form.named("domain", "a domain", name::is_domain)?,
            epoch: form.positive("epoch")?,
            fresh: form.positive("fresh")?,
            prev: form.sha3_or_null("prev")?,
            kid: form.named("kid", "a key's name", name::is_key)?,
            items: form.sha256("items")?,
        };
        let sig = Signature::take(&mut form, "sig")?;
        form.finish()?;
        require(is_fresh(header.fresh), "registry header: `fresh` is not within 1 to 60 seconds")?;
        let fits = (header.epoch == 1) == header.prev.is_none();
        require(fits, "registry header: `prev` is null at epoch 1 and only there")?;
        require(sig.kid == header.kid, "registry header: the signature names another key than the header")?;
        Ok((header, sig))
    }

    /// The header without its signature.
    #[must_use]
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("v", "1")
            .with("domain", &self.domain)
            .with("epoch", self.epoch)
            .with("fresh", self.fresh)
            .with("prev", self.prev.map(Value::from))
            .with("kid", &self.kid)
            .with("items", self.items)
    }

    /// What is signed.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        self.to_object().canonical()
    }

    /// The registry's hash: SHA3-512 of the header without its signature.
    #[must_use]
    pub fn hash(&self) -> Sha3 {
        Sha3::of(&[&self.payload()])
    }
}

/// Whether a registry may be given this age, in seconds.
#[must_use]
pub fn is_fresh(seconds: u64) -> bool {
    i64::try_from(seconds).is_ok_and(|seconds| (MIN_FRESH..=MAX_FRESH).contains(&seconds))
}

/// An epoch as it is served: header, signature and lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The header.
    pub header: Header,
    /// The registry key's signature over the header.
    pub sig: Signature,
    /// The lists.
    pub lists: Lists,
}

impl Snapshot {
    /// Reads a snapshot. The signature is not checked here; that is [`super::View::open`].
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form; where a list does not strictly ascend or a public key
    /// stands twice; where the header's `items` are not the lists'.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "registry snapshot")?;
        let (header, sig) = Header::read(form.take("header")?)?;
        let lists = Lists::read(&mut form)?;
        form.finish()?;
        require(
            header.items == lists.items(),
            "registry snapshot: the lists are not those that the header commits to",
        )?;
        Ok(Self { header, sig, lists })
    }

    /// The snapshot as it is served.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let header = self.header.to_object().with("sig", self.sig.to_value());
        Value::Object(self.lists.write(Object::new().with("header", header)))
    }

    /// Whether `key` signed the header.
    #[must_use]
    pub fn verifies(&self, key: &VerifyingKey) -> bool {
        key.verifies(&self.header.payload(), &self.sig.val)
    }
}

/// What the authority says every second: this epoch is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The domain.
    pub domain: String,
    /// The epoch.
    pub epoch: u64,
    /// The registry's hash at that epoch.
    pub hash: Sha3,
    /// When it was said.
    pub issued: Time,
    /// The registry key's signature, over all but itself.
    pub sig: Signature,
}

impl Stamp {
    /// Signs a stamp for an epoch.
    #[must_use]
    pub fn sign(header: &Header, issued: Time, signer: &dyn Signer) -> Self {
        let body = stamp_body(&header.domain, header.epoch, header.hash(), issued, signer.kid());
        let sig = signer.signature(&body.canonical());
        Self { domain: header.domain.clone(), epoch: header.epoch, hash: header.hash(), issued, sig }
    }

    /// Reads a stamp. The signature is not checked here; that is [`super::View::open`].
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form, or the signature names another key than the body.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "registry stamp")?;
        form.version()?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let stamp = Self {
            domain: form.named("domain", "a domain", name::is_domain)?,
            epoch: form.positive("epoch")?,
            hash: form.sha3("hash")?,
            issued: form.millis("issued")?,
            sig: Signature::take(&mut form, "sig")?,
        };
        form.finish()?;
        require(stamp.sig.kid == kid, "registry stamp: the signature names another key than the stamp")?;
        Ok(stamp)
    }

    /// The stamp as it is served.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.body().with("sig", self.sig.to_value()))
    }

    /// Whether `key` signed it.
    #[must_use]
    pub fn verifies(&self, key: &VerifyingKey) -> bool {
        key.verifies(&self.body().canonical(), &self.sig.val)
    }

    fn body(&self) -> Object {
        stamp_body(&self.domain, self.epoch, self.hash, self.issued, &self.sig.kid)
    }
}

fn stamp_body(domain: &str, epoch: u64, hash: Sha3, issued: Time, kid: &str) -> Object {
    Object::new()
        .with("v", "1")
        .with("domain", domain)
        .with("epoch", epoch)
        .with("hash", hash)
        .with("issued", issued.to_millis_value())
        .with("kid", kid)
}
