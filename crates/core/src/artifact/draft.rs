//! An artifact as its authority makes it: each part is held against its form, the whole is encoded once, and what it is digested and
//! signed to is put in.

use super::{Artifact, Environment, Operation, Parent, Use, is_nonce, require_life, require_size};
use crate::encoding::Members;
use crate::form::FormError;
use crate::hash::{Sha3, Sha256};
use crate::id;
use crate::limits;
use crate::name;
use crate::policy::PolicyId;
use crate::signature::Signer;
use crate::time::Time;
use alloc::format;
use alloc::string::String;

/// What an authority puts into an artifact; [`Draft::issue`] adds `id`, `chash` and `sig`.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The authority.
    pub iss: String,
    /// The identity.
    pub sub: String,
    /// The operation.
    pub op: Operation,
    /// The policy.
    pub pol: PolicyId,
    /// The environment.
    pub env: Environment,
    /// From when, whole seconds.
    pub nbf: Time,
    /// Until when, whole seconds.
    pub exp: Time,
    /// How often.
    pub usage: Use,
    /// The parent of a delegated one.
    pub parent: Option<Parent>,
    /// The caller's key.
    pub holder: Option<Sha256>,
}

impl Draft {
    /// Signs the artifact.
    ///
    /// # Errors
    /// Where what was put in is not of an artifact's form or past a limit.
    pub fn issue(self, signer: &dyn Signer) -> Result<Artifact, FormError> {
        self.issue_by(signer, |content| Sha3::of(&[content]))
    }

    /// The same, and the SHA3-512 of the decision input, which is taken at once with that of the artifact's content: two messages
    /// take about as long as one.
    ///
    /// # Errors
    /// As [`Draft::issue`].
    pub fn issue_beside(self, signer: &dyn Signer, input: &[u8]) -> Result<(Artifact, Sha3), FormError> {
        let mut of_input = Sha3([0; 64]);
        let artifact = self.issue_by(signer, |content| {
            let (of_content, beside) = Sha3::of_both([content], [input]);
            of_input = beside;
            of_content
        })?;
        Ok((artifact, of_input))
    }

    /// Signs the artifact, whose id is of the hash of its content.
    fn issue_by(self, signer: &dyn Signer, hash: impl FnOnce(&[u8]) -> Sha3) -> Result<Artifact, FormError> {
        self.check(signer.kid())?;
        let Self { iss, sub, op, pol, env, nbf, exp, usage, parent, holder } = self;
        let ((nbf, from), (exp, until)) = (to_the_second(nbf, "nbf")?, to_the_second(exp, "exp")?);
        require_life(nbf, exp)?;
        let mut members = Members::new();
        members.insert("v", "1");
        members.insert("iss", iss.as_str());
        members.insert("sub", sub.as_str());
        members.insert("op", &op.value);
        members.insert("pol", &pol.to_value());
        members.insert("env", &env.to_value());
        members.insert("nbf", from.as_str());
        members.insert("exp", until.as_str());
        members.insert("use", &usage.to_value());
        if let Some(parent) = &parent {
            members.insert("parent", &parent.to_value());
        }
        if let Some(holder) = &holder {
            members.insert("holder", holder);
        }
        let id = format!("auth_{}", id::of_hash(&hash(&members.canonical())));
        members.insert("id", id.as_str());
        let payload = members.canonical();
        let chash = Sha3::of(&[&payload]);
        let sig = signer.signature(&payload);
        members.insert("chash", &chash);
        members.insert("sig", &sig.to_value());
        let canonical = members.canonical();
        require_size(&canonical)?;
        let artifact = Artifact {
            id,
            iss,
            sub,
            op,
            pol,
            env,
            nbf,
            exp,
            usage,
            parent,
            origin: None,
            holder,
            chash,
            sig,
            canonical,
            payload,
        };
        debug_assert!(Artifact::read_canonical(&artifact.canonical).as_ref() == Ok(&artifact), "it is read as another");
        Ok(artifact)
    }

    /// Whether each part is of the form that reading asks for, so that nothing is issued that nobody can read. An operation was read as
    /// one.
    fn check(&self, kid: &str) -> Result<(), FormError> {
        let Self { iss, sub, pol, env, usage, parent, .. } = self;
        let named: [(&str, &str, &str, &str, Formed); 8] = [
            ("artifact", "iss", iss, "an authority's name", name::is_authority),
            ("artifact", "sub", sub, "an identity", name::is_identity),
            ("policy", "ref", &pol.reference, "a policy's reference", name::is_policy),
            ("env", "runtime", &env.runtime, "a runtime's name", name::is_runtime),
            ("env", "region", &env.region, "a name", name::is_segment),
            ("env", "tenancy", &env.tenancy, "a name", name::is_segment),
            ("use", "nonce", usage.nonce(), "a nonce", is_nonce),
            ("signature", "kid", kid, "a key's name", name::is_key),
        ];
        if let Some((what, member, _, form, _)) = named.iter().find(|(.., text, _, formed)| !formed(text)) {
            return Err(FormError(format!("{what}: `{member}` is not {form}")));
        }
        let per = if let Use::Rate { per, .. } = usage { Some(*per) } else { None };
        for (member, number) in [("max", usage.max()), ("per", per)] {
            if number.is_some_and(|number| !(1..=limits::MAX_INTEGER).contains(&number)) {
                return Err(FormError(format!("use: `{member}` is not an integer >= 1")));
            }
        }
        parent.as_ref().map_or(Ok(()), |parent| Parent::read(parent.to_value()).map(drop))
    }
}

/// Whether a text is of a form.
type Formed = fn(&str) -> bool;

/// A time as it is read of an artifact, and as it is written there.
fn to_the_second(time: Time, member: &str) -> Result<(Time, String), FormError> {
    let text = time.seconds();
    match Time::parse_seconds(&text) {
        Some(time) => Ok((time, text)),
        None => Err(FormError(format!("artifact: `{member}` is not a time to the second"))),
    }
}
