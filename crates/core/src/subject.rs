//! What a containment covers (PROTOCOL 14.2).
//!
//! A containment names a kind of subject and a subject; a [`Target`] is everything that one admission touches. A kind
//! that this version does not know covers everything: a point that is too old to understand a containment stops. So does
//! every containment of a model or a tool where the operation has one that can't be read.

use crate::encoding::Value;
use crate::hash::Sha3;
use crate::name;

/// The kinds of a governed subject that this version knows.
pub const KINDS: &[&str] = &["runtime", "identity", "operation", "model", "tool", "policy", "route", "domain", "mesh"];

/// A parameter of the operation that a containment may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Named<'a> {
    /// The operation has none.
    #[default]
    Absent,
    /// Its text.
    Text(&'a str),
    /// It is there and no text, as where the policy has it committed: it may be any.
    Unreadable,
}

impl<'a> Named<'a> {
    /// What stands in an operation.
    #[must_use]
    pub fn of(value: Option<&'a Value>) -> Self {
        match value {
            None => Self::Absent,
            Some(Value::Str(text)) => Self::Text(text),
            Some(_) => Self::Unreadable,
        }
    }

    /// Whether it is `subject`, or could be.
    fn may_be(self, subject: &str) -> bool {
        match self {
            Self::Absent => false,
            Self::Text(text) => text == subject,
            Self::Unreadable => true,
        }
    }
}

/// What one admission or exchange touches: each containment is held against all of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The enforcement point that decides.
    pub point: &'a str,
    /// The runtime that the artifact names.
    pub runtime: &'a str,
    /// Who asks.
    pub identity: &'a str,
    /// The operation's name.
    pub operation: &'a str,
    /// The operation's `model`.
    pub model: Named<'a>,
    /// The operation's `tool`.
    pub tool: Named<'a>,
    /// The policy's reference, with its version.
    pub policy: &'a str,
    /// The domain that decides.
    pub domain: &'a str,
    /// The domain that the operation comes from, where it is another.
    pub origin: Option<&'a str>,
    /// The digest of the route it came by, where it came by one.
    pub route: Option<Sha3>,
}

/// Whether a containment of `subject`, which is a `kind`, stops what `target` touches.
#[must_use]
pub fn covers(kind: &str, subject: &str, target: &Target<'_>) -> bool {
    match kind {
        "runtime" => holds(subject, target.point) || holds(subject, target.runtime),
        "identity" => subject == target.identity,
        "operation" => subject == target.operation,
        "model" => target.model.may_be(subject),
        "tool" => target.tool.may_be(subject),
        "policy" => subject == target.policy,
        "route" => target.route.is_some_and(|route| Sha3::parse(subject) == Some(route)),
        "domain" => {
            let home = target.identity.split_once('@').map(|(_, domain)| domain);
            subject == target.domain || target.origin == Some(subject) || home == Some(subject)
        }
        // `mesh` stops all there is, and so does what this version does not understand.
        _ => true,
    }
}

/// Whether the runtime path `above` is `below` or stands above it: `k8s://c` holds `k8s://c/ns/x` and `k8s://c#p`, and
/// not `k8s://c2`.
#[must_use]
pub fn holds(above: &str, below: &str) -> bool {
    below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '#']))
}

/// Whether `subject` is of the form that its kind asks for. A subject of another form would cover nothing and look as if
/// it did.
#[must_use]
pub fn is_subject(kind: &str, subject: &str) -> bool {
    match kind {
        "runtime" => name::is_runtime(subject) || name::is_point(subject),
        "identity" => name::is_identity(subject),
        "operation" => name::is_operation(subject),
        "model" | "tool" => !subject.is_empty(),
        "policy" => name::is_policy(subject),
        "route" => Sha3::parse(subject).is_some(),
        "domain" => name::is_domain(subject),
        "mesh" => subject == "*",
        _ => false,
    }
}

#[cfg(test)]
mod tests;
