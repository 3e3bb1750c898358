//! The decision input (PROTOCOL 11): all that a decision depends on. It is durable before the artifact leaves, and its
//! digest stands in `authorization.issued` as `data.request`. How a policy decides by it is another crate's matter.

use crate::artifact::{Environment, Operation};
use crate::encoding::{Members, Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha3;
use crate::limits::MAX_DECISION;
use crate::name;
use crate::policy::PolicyId;
use crate::time::Time;
use alloc::string::String;
use alloc::vec::Vec;

/// `{"identity","op","env","facts","policy","at"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionInput {
    /// Who asks: the authenticated identity.
    pub identity: String,
    /// For what: name, scope and the parameters that policy reads. Sensitive ones stand as commitments.
    pub op: Operation,
    /// Where it is to run.
    pub env: Environment,
    /// What the authority itself established beside the request. Never what a caller said.
    pub facts: Object,
    /// The policy that decides.
    pub policy: PolicyId,
    /// When it was asked, to the millisecond: the only time that a policy sees.
    pub at: Time,
}

impl DecisionInput {
    /// Reads exactly the six members. A policy goes over what they say again and again, so they have a bound all together.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form, or all are more than [`MAX_DECISION`].
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "decision input")?;
        let input = Self {
            identity: form.named("identity", "an identity", name::is_identity)?,
            op: Operation::read(form.take("op")?)?,
            env: Environment::read(form.take("env")?)?,
            facts: form.object("facts")?,
            policy: PolicyId::take(&mut form, "policy")?,
            at: form.millis("at")?,
        };
        form.finish()?;
        require(input.canonical().len() <= MAX_DECISION, "decision input is larger than 16 KiB")?;
        Ok(input)
    }

    /// The value whose canonical bytes are kept.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let input = Object::new()
            .with("identity", &self.identity)
            .with("op", self.op.value().clone())
            .with("env", self.env.to_value())
            .with("facts", self.facts.clone())
            .with("policy", self.policy.to_value())
            .with("at", self.at.to_millis_value());
        Value::Object(input)
    }

    /// The canonical bytes of that value, which need no value.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let at = self.at.millis();
        let mut members = Members::new();
        members.insert("at", at.as_str());
        members.insert("env", &self.env.to_value());
        members.insert("facts", &self.facts);
        members.insert("identity", self.identity.as_str());
        members.insert("op", self.op.value());
        members.insert("policy", &self.policy.to_value());
        members.canonical()
    }

    /// SHA3-512 of the canonical bytes: `data.request` of `authorization.issued`.
    #[must_use]
    pub fn digest(&self) -> Sha3 {
        Sha3::of(&[&self.canonical()])
    }
}

#[cfg(test)]
mod tests;
