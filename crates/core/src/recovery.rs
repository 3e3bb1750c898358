//! The document by which the root lets a ledger go back behind a head that was published (PROTOCOL 5.3,
//! `ledger.recovered`): what is restored, what is given up, and why.

use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha256;
use crate::name;
use crate::root::{RootSignature, TrustRoot};
use crate::signature::Signer;
use crate::time::Time;
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// What the document says it is.
const TYPE: &str = "11-11/recovery";

/// A tree of the ledger: how many entries, under which root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeAt {
    /// The number of its entries.
    pub size: u64,
    /// Its root.
    pub root: Sha256,
}

/// The root's word that a ledger goes on from an older state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// `ledger://<domain>`.
    pub ledger: String,
    /// What is restored.
    pub restored: TreeAt,
    /// The newest head that was published, which is given up.
    pub lost: TreeAt,
    /// Why, in words.
    pub cause: String,
    /// When it was signed; the root's keys are judged then.
    pub at: Time,
    /// By keys of the root.
    pub sigs: Vec<RootSignature>,
}

impl TreeAt {
    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "tree")?;
        let tree = Self { size: form.positive("size")?, root: form.sha256("root")? };
        form.finish()?;
        Ok(tree)
    }

    fn to_value(&self) -> Value {
        Value::Object(Object::new().with("root", self.root).with("size", self.size))
    }
}

impl Recovery {
    /// Reads exactly `{"v","type","ledger","restored","lost","cause","at","sigs"}`.
    ///
    /// # Errors
    /// Where it is not of that form, or gives up less than it restores.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "recovery")?;
        form.version()?;
        form.named("type", "\"11-11/recovery\"", |kind| kind == TYPE)?;
        let recovery = Self {
            ledger: form.named("ledger", "a ledger's name", name::is_ledger)?,
            restored: TreeAt::read(form.take("restored")?)?,
            lost: TreeAt::read(form.take("lost")?)?,
            cause: form.string("cause")?,
            at: form.millis("at")?,
            sigs: form.array("sigs")?.into_iter().map(RootSignature::read).collect::<Result<_, _>>()?,
        };
        form.finish()?;
        require(!recovery.cause.trim().is_empty(), "recovery: `cause` is empty: say why")?;
        require(recovery.lost != recovery.restored, "recovery: nothing is given up, so it needs no recovery")?;
        Ok(recovery)
    }

    fn body(&self) -> Object {
        Object::new()
            .with("v", "1")
            .with("type", TYPE)
            .with("ledger", &self.ledger)
            .with("restored", self.restored.to_value())
            .with("lost", self.lost.to_value())
            .with("cause", &self.cause)
            .with("at", self.at.to_millis_value())
    }

    /// What is signed: all but `sigs`.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        self.body().canonical()
    }

    /// The document's members, which are also the `data` of `ledger.recovered`.
    #[must_use]
    pub fn to_object(&self) -> Object {
        self.body().with("sigs", self.sigs.iter().map(RootSignature::to_value).collect::<Vec<_>>())
    }

    /// This document with one more signature.
    #[must_use]
    pub fn signed(mut self, signer: &dyn Signer) -> Self {
        let val = signer.sign(&self.payload());
        self.sigs.retain(|sig| sig.kid != signer.kid());
        self.sigs.push(RootSignature { kid: signer.kid().into(), val });
        self
    }

    /// Whether a threshold of a root's keys signed it, each judged at its `at`.
    #[must_use]
    pub fn is_signed_by(&self, root: &TrustRoot) -> bool {
        root.signers_of(&self.payload(), &self.sigs, self.at) >= root.threshold
    }
}
