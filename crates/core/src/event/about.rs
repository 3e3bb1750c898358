//! What an event is about: the members of its body that say whom and what it concerns.

use crate::artifact::{Artifact, is_artifact_id};
use crate::encoding::Members;
use crate::form::{Form, FormError};
use crate::hash::Sha3;
use crate::name;
use crate::policy::PolicyId;
use crate::reason::Reason;
use alloc::format;
use alloc::string::String;

/// What an event is about: the optional members of its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The caller.
    pub identity: Option<String>,
    /// The operation's name.
    pub operation: Option<String>,
    /// The artifact.
    pub artifact_id: Option<String>,
    /// The authority that issued it.
    pub issuer: Option<String>,
    /// The runtime.
    pub runtime: Option<String>,
    /// The policy.
    pub policy: Option<PolicyId>,
    /// The policy that would have been required.
    pub policy_required: Option<String>,
    /// Why it was refused.
    pub reason: Option<Reason>,
    /// The point's measured environment.
    pub fingerprint: Option<Sha3>,
}

impl About {
    /// The members that name an artifact's identity, operation, issuer, runtime and policy: what every event of its
    /// lineage carries alike.
    #[must_use]
    pub fn artifact(artifact: &Artifact) -> Self {
        Self {
            identity: Some(artifact.sub.clone()),
            operation: Some(artifact.op.name.clone()),
            artifact_id: Some(artifact.id.clone()),
            issuer: Some(artifact.iss.clone()),
            runtime: Some(artifact.env.runtime.clone()),
            policy: Some(artifact.pol.clone()),
            ..Self::default()
        }
    }

    /// Whether each name is of its form: nobody has read what stands here.
    pub(super) fn check(&self) -> Result<(), FormError> {
        let policy = self.policy.as_ref().map(|policy| &policy.reference);
        type Form = fn(&str) -> bool;
        let named = [
            ("identity", self.identity.as_ref(), name::is_identity as Form),
            ("operation", self.operation.as_ref(), name::is_operation),
            ("artifact_id", self.artifact_id.as_ref(), is_artifact_id),
            ("issuer", self.issuer.as_ref(), name::is_authority),
            ("runtime", self.runtime.as_ref(), name::is_runtime),
            ("policy", policy, name::is_policy),
            ("policy_required", self.policy_required.as_ref(), name::is_policy),
        ];
        match named.iter().find(|(_, text, formed)| text.is_some_and(|text| !formed(text))) {
            Some((member, ..)) => Err(FormError(format!("event: `{member}` is not of its form"))),
            None => Ok(()),
        }
    }

    /// Adds its members to an event's body.
    pub(super) fn write(&self, body: &mut Members<'_>) {
        let texts = [
            ("identity", &self.identity),
            ("operation", &self.operation),
            ("artifact_id", &self.artifact_id),
            ("issuer", &self.issuer),
            ("runtime", &self.runtime),
            ("policy_required", &self.policy_required),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body.insert(name, text.as_str());
            }
        }
        if let Some(policy) = &self.policy {
            body.insert("policy", &policy.to_value());
        }
        if let Some(reason) = self.reason {
            body.insert("reason", reason.code());
        }
        if let Some(fingerprint) = &self.fingerprint {
            body.insert("fingerprint", fingerprint);
        }
    }

    /// The same without what only some events carry: the part that stays alike through a lineage.
    #[must_use]
    pub fn binding(&self) -> Self {
        Self { policy_required: None, reason: None, fingerprint: None, ..self.clone() }
    }

    /// Takes its members out of an event's.
    pub(super) fn take(form: &mut Form<'_>) -> Result<Self, FormError> {
        let reason = form.opt_named("reason", "a reason code", |code| Reason::parse(code).is_some())?;
        Ok(Self {
            identity: form.opt_named("identity", "an identity", name::is_identity)?,
            operation: form.opt_named("operation", "an operation's name", name::is_operation)?,
            artifact_id: form.opt_named("artifact_id", "an artifact id", is_artifact_id)?,
            issuer: form.opt_named("issuer", "an authority's name", name::is_authority)?,
            runtime: form.opt_named("runtime", "a runtime's name", name::is_runtime)?,
            policy: if form.has("policy") { Some(PolicyId::take(form, "policy")?) } else { None },
            policy_required: form.opt_named("policy_required", "a policy's reference", name::is_policy)?,
            reason: reason.as_deref().and_then(Reason::parse),
            fingerprint: if form.has("fingerprint") { Some(form.sha3("fingerprint")?) } else { None },
        })
    }
}
