//! Why a record is not appended (PROTOCOL 6.1), each with a stable code and a message.

use eleven_core::form::FormError;
use eleven_core::lineage::LineageError;
use std::fmt;

/// Why a record is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No kid, number or signature can be read.
    Unreadable,
    /// No event key of that name is registered.
    UnknownKey,
    /// The signature is not that key's.
    Signature,
    /// The key does not count at this entry.
    KeyStatus,
    /// The same record was refused before, and took its number then.
    RefusedBefore,
    /// Not of an event's form, or past a limit.
    Form(FormError),
    /// The key belongs to another producer than `by` names.
    Owner,
    /// The event hashes do not follow.
    Hashes,
    /// The catalogue does not have the event.
    Event,
    /// The event is another producer's to make.
    Producer,
    /// A member stands in it that its event does not carry, or one is missing.
    Members,
    /// `data` is not what the event carries.
    Data(&'static str),
    /// An event that stands alone is not named by its content, or is not the first of its lineage.
    OpContent,
    /// The lineage exists already.
    OpKnown,
    /// The lineage does not exist.
    OpUnknown,
    /// The event does not continue its lineage.
    Lineage(LineageError),
    /// A use whose predecessor does not exist, or past the artifact's `max`.
    UseOrder,
    /// Nonce or kind of use are not the artifact's.
    Use,
    /// The artifact, or an ancestor, is revoked.
    Revoked,
    /// The policy is not in force for this operation and runtime at this entry.
    Policy,
    /// An issuance whose entry would be too long after its own time.
    Late,
    /// The artifact that came with it is another.
    Artifact,
    /// The artifact that came with it is not signed by its issuer's key.
    ArtifactSignature,
    /// Content that it names neither came with it nor is stored.
    Blob(&'static str),
    /// An `authorization.revoked` by another than the issuer, or with another expiry.
    Revocation,
    /// The subject was revoked: nothing follows.
    SubjectRevoked,
    /// The registry does not take it.
    Registry(String),
}

impl Refusal {
    /// The code that stands in `ledger.refused`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "record.unreadable",
            Self::UnknownKey => "key.unknown",
            Self::Signature => "signature.invalid",
            Self::KeyStatus => "key.status",
            Self::RefusedBefore => "record.refused_before",
            Self::Form(_) => "record.malformed",
            Self::Owner => "key.owner",
            Self::Hashes => "record.hash",
            Self::Event => "event.unknown",
            Self::Producer => "event.producer",
            Self::Members => "event.members",
            Self::Data(_) => "event.data",
            Self::OpContent => "op.content",
            Self::OpKnown => "op.known",
            Self::OpUnknown => "op.unknown",
            Self::Lineage(LineageError::Position) => "lineage.position",
            Self::Lineage(LineageError::Order) => "lineage.order",
            Self::Lineage(LineageError::Binding) => "lineage.binding",
            Self::Lineage(LineageError::Data) => "lineage.data",
            Self::Lineage(LineageError::Producer) => "lineage.producer",
            Self::UseOrder => "use.order",
            Self::Use => "use.mismatch",
            Self::Revoked => "artifact.revoked",
            Self::Policy => "policy.mismatch",
            Self::Late => "issuance.late",
            Self::Artifact => "artifact.mismatch",
            Self::ArtifactSignature => "artifact.signature.invalid",
            Self::Blob(_) => "blob.missing",
            Self::Revocation => "revocation.mismatch",
            Self::SubjectRevoked => "subject.revoked",
            Self::Registry(_) => "registry.refused",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unreadable => "the record names no key, number and signature: send it as the protocol has it",
            Self::UnknownKey => "no event key of that name is registered: register the producer's key first",
            Self::Signature => "the signature is not that of the key that the record names",
            Self::KeyStatus => "the key does not count any more, or not yet: sign with a key that does",
            Self::RefusedBefore => "the record was refused before: go on with the next number",
            Self::Form(error) => return write!(f, "the record is not an event: {error}"),
            Self::Owner => "the key belongs to another producer than the one that the record names",
            Self::Hashes => "the event hashes do not follow from the body and the hashes before",
            Self::Event => "the catalogue has no such event",
            Self::Producer => "the event is another producer's to make",
            Self::Members => "the event carries members that it must not, or lacks some that it must",
            Self::Data(what) => return write!(f, "the event's data is not what it carries: {what}"),
            Self::OpContent => "an event that stands alone is the first of the lineage that its content names",
            Self::OpKnown => "the lineage exists already",
            Self::OpUnknown => "the lineage does not exist",
            Self::Lineage(error) => return error.fmt(f),
            Self::UseOrder => "the use before it does not exist, or the artifact has no further use",
            Self::Use => "nonce or use are not those of the artifact",
            Self::Revoked => "the artifact, or an ancestor of it, is revoked",
            Self::Policy => "the policy is not the one in force for this operation and runtime",
            Self::Late => "the issuance is of more than 30 s before this entry: it came late, or the clocks are apart",
            Self::Artifact => "the artifact that came with the record is not the one that it issues",
            Self::ArtifactSignature => "the artifact is not signed by a key of its issuer that counts here",
            Self::Blob(what) => return write!(f, "{what} neither came with the record nor is stored: send it along"),
            Self::Revocation => "only the issuer revokes an artifact that exists, naming its expiry, and only once",
            Self::SubjectRevoked => "the subject was revoked: it returns under a new name with new keys",
            Self::Registry(what) => return write!(f, "the registry does not take it: {what}"),
        };
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}

impl From<LineageError> for Refusal {
    fn from(error: LineageError) -> Self {
        Self::Lineage(error)
    }
}
