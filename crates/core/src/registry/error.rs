//! Why the registry does not take an event.

use crate::form::FormError;
use crate::root::RootError;
use alloc::string::String;
use core::fmt;

/// Why an event is not taken into the registry: what append refuses (PROTOCOL 6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoldError {
    /// Its data is not of its form.
    Form(FormError),
    /// The root may not follow the one in force.
    Root(RootError),
    /// The root is not in force at the entry's time.
    RootNotInForce,
    /// Another party made it than may.
    Producer,
    /// Keys of this use stand in the trust root.
    KeyUse,
    /// A key enters the registry active.
    KeyNotActive,
    /// The public key is not one that a key generation gives.
    KeyUnsound,
    /// The public key is known, under whatever name.
    PublicKnown,
    /// The registry key did not grant the key.
    Grant,
    /// A key's status goes from active to retired or compromised, from retired to compromised no later.
    KeyStatus,
    /// A key is compromised from a moment that is still to come.
    SinceAhead,
    /// Something of that name stands there already.
    Known(&'static str),
    /// There is nothing of that name.
    Unknown(&'static str),
    /// The policy key did not sign it.
    PolicySignature,
    /// A root would end this policy key before a policy that it published, under a version that had begun by then.
    PolicyKeyEnded(String),
    /// Not the version that follows the last published one of its path: this is.
    PolicyVersion(String),
    /// Another policy could cover the same operation on the same runtime.
    PolicyOverlap(String),
    /// The key that a point names is another party's.
    RuntimeKey,
    /// The subject is not of its kind's form, or the kind is not known.
    Subject,
    /// The subject was revoked: that is final.
    SubjectRevoked,
    /// The subject does not stand where this transition begins.
    SubjectState,
    /// A point speaks for itself only, and does not lift what the authority raised.
    SubjectProducer,
    /// A retention or a legal hold that may not be set so.
    Retention(&'static str),
    /// A peer statement does not follow the one before.
    StatementOrder,
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form(error) => return error.fmt(f),
            Self::Root(error) => return error.fmt(f),
            Self::Known(what) => return write!(f, "the {what} is known already: take another name"),
            Self::Unknown(what) => return write!(f, "there is no such {what}: look at the registry's list"),
            Self::PolicyOverlap(other) => {
                return write!(f, "{other} could cover the same operation and runtime: narrow one, or retire it first");
            }
            Self::PolicyVersion(next) => {
                return write!(f, "a policy is published one version above the last of its path: the next is {next}");
            }
            Self::PolicyKeyEnded(kid) => {
                return write!(
                    f,
                    "a policy was published by `{kid}` since this version begins, and it ends that key before that, so that no \
                     proof under that policy would verify: make the version anew"
                );
            }
            Self::Retention(why) => why,
            Self::RootNotInForce => "the trust root is not in force: publish the next version",
            Self::Producer => "this producer may not make this event",
            Self::KeyUse => "keys of this use stand in no registry: those of the trust root come with a root, the others with their owners",
            Self::KeyNotActive => "a key is registered as active: set its status by an event of its own",
            Self::KeyUnsound => "the public key is not one that a key generation gives: make a new one",
            Self::PublicKnown => "the public key is known already: a key has one name and one use",
            Self::Grant => "the registry key did not grant this key: sign the record with the registry key in force",
            Self::KeyStatus => "a key goes from active to retired or compromised, from retired to compromised no later",
            Self::SinceAhead => {
                "a key is compromised from a moment that has passed: name a `since` that is not to come"
            }
            Self::PolicySignature => "the policy key did not sign this: sign it with the policy key in force",
            Self::RuntimeKey => "the key that signs for the point is not an event key that the point owns",
            Self::Subject => "the subject is not of its kind's form",
            Self::SubjectRevoked => "the subject was revoked for good: return under a new name with new keys",
            Self::SubjectState => "the subject does not stand where this transition begins",
            Self::SubjectProducer => "a point speaks for itself only, and does not lift what the authority raised",
            Self::StatementOrder => "the statement does not follow the last one about this peer",
        })
    }
}

impl core::error::Error for FoldError {}

impl From<FormError> for FoldError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<RootError> for FoldError {
    fn from(error: RootError) -> Self {
        Self::Root(error)
    }
}
