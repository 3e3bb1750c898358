//! A record as it arrives: read once, canonicalised once, hashed and verified away from the one writer.

use super::refusal::Refusal;
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::form::FormError;
use eleven_core::hash::{Blake2b, Sha3};
use eleven_core::id;
use eleven_core::signature::{Signature, VerifyingKey};

/// What a producer sent under one of its numbers. It has a kid, a number and a signature; whether the rest is of an
/// event's form is part of it, because a record that is not takes its number all the same (PROTOCOL 6.1).
#[derive(Debug)]
pub struct Candidate {
    kid: String,
    src_seq: u64,
    sig: Signature,
    by: Option<String>,
    canonical: Vec<u8>,
    body: Vec<u8>,
    digest: Sha3,
    record: Result<Record, FormError>,
    derived: Derived,
}

/// What follows from a record's bytes alone, computed where there is a core to spare.
#[derive(Clone, Copy, Debug, Default)]
struct Derived {
    hashes_follow: bool,
    op_is_content: bool,
}

/// A candidate whose signature is that of the key it names. Only [`Candidate::verify`] makes one, and the rules take
/// nothing else: a record that was not verified cannot be judged.
#[derive(Debug)]
pub struct Verified {
    candidate: Candidate,
    public: [u8; 32],
}

impl Candidate {
    /// Reads a value as far as kid, number and signature, and hashes it.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] where one of the three is missing: such a record is nobody's.
    pub fn read(value: Value) -> Result<Self, Refusal> {
        let member = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let kid = member("kid").ok_or(Refusal::Unreadable)?;
        let by = member("by");
        let number = value.get("src_seq").and_then(Value::as_int);
        let src_seq = number.and_then(|n| u64::try_from(n).ok()).ok_or(Refusal::Unreadable)?;
        let sig = value.get("sig").cloned().ok_or(Refusal::Unreadable)?;
        let sig = Signature::read(sig).map_err(|_| Refusal::Unreadable)?;
        let object = value.as_object().filter(|_| sig.kid == kid).ok_or(Refusal::Unreadable)?;
        let body = object.canonical_without(&["event_hash", "event_hash_alt", "sig"]);
        let canonical = object.canonical();
        let digest = Sha3::of(&[&canonical]);
        let record = Record::read(value);
        let derived = record.as_ref().map(|record| Derived::of(record, &body)).unwrap_or_default();
        Ok(Self { kid, src_seq, sig, by, canonical, body, digest, record, derived })
    }

    /// The key it names.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its number under that key.
    #[must_use]
    pub const fn src_seq(&self) -> u64 {
        self.src_seq
    }

    /// SHA3-512 of its canonical bytes.
    #[must_use]
    pub const fn digest(&self) -> &Sha3 {
        &self.digest
    }

    /// Its canonical bytes: what an entry is put around.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The producer it names, also where the rest of it is not of an event's form.
    #[must_use]
    pub fn by(&self) -> Option<&str> {
        self.by.as_deref()
    }

    /// The record, where it is of an event's form.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub const fn record(&self) -> Result<&Record, &FormError> {
        self.record.as_ref()
    }

    /// Whether both event hashes follow from body and `prev_*`.
    #[must_use]
    pub const fn hashes_follow(&self) -> bool {
        self.derived.hashes_follow
    }

    /// Whether the op is the content's, for an event that stands alone.
    #[must_use]
    pub const fn op_is_content(&self) -> bool {
        self.derived.op_is_content
    }

    /// The candidate as verified by `key`, which must be the key of [`Candidate::kid`].
    ///
    /// # Errors
    /// [`Refusal::Signature`] where the signature is not that key's.
    pub fn verify(self, key: &VerifyingKey) -> Result<Verified, Refusal> {
        if key.verifies(&self.body, &self.sig.val) {
            Ok(Verified { candidate: self, public: *key.as_bytes() })
        } else {
            Err(Refusal::Signature)
        }
    }
}

impl Candidate {
    /// The candidate as read back from this ledger's own log, where it stands because it was verified.
    #[must_use]
    pub(crate) const fn stored(self, public: [u8; 32]) -> Verified {
        Verified { candidate: self, public }
    }
}

impl Derived {
    fn of(record: &Record, body: &[u8]) -> Self {
        let hashes_follow = match &record.prev {
            None => Sha3::of(&[body]) == record.hash && Blake2b::of(&[body]) == record.hash_alt,
            Some((hash, hash_alt)) => {
                Sha3::of(&[body, &hash.0]) == record.hash && Blake2b::of(&[body, &hash_alt.0]) == record.hash_alt
            }
        };
        // Only an event that stands alone is named by its content; those of 5.1 and 14.2 need no third hash.
        let shared = super::is_of_operation(&record.event) || record.event.starts_with("lifecycle.");
        Self { hashes_follow, op_is_content: !shared && record.op_is_content() }
    }
}

impl std::ops::Deref for Verified {
    type Target = Candidate;

    fn deref(&self) -> &Candidate {
        &self.candidate
    }
}

impl Verified {
    /// The public key that verified it.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

/// The bytes of an operation id: 20 of the content id and 8 of the use's number, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpKey([u8; 28]);

impl OpKey {
    /// The key of an operation id; `None` where it is none.
    #[must_use]
    pub fn of(op: &str) -> Option<Self> {
        let (content, k) = id::split_operation(op)?;
        let mut key = [0; 28];
        let (bytes, number) = key.split_at_mut(20);
        for (five, digits) in bytes.chunks_exact_mut(5).zip(content.as_bytes().chunks_exact(8)) {
            let bits = digits.iter().fold(0u64, |bits, digit| bits << 5 | u64::from(value_of(*digit)));
            five.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        number.copy_from_slice(&k.unwrap_or(0).to_be_bytes());
        Some(Self(key))
    }

    /// The key of an artifact's first event.
    #[must_use]
    pub fn of_artifact(artifact: &str) -> Option<Self> {
        Self::of(id::operation_of_artifact(artifact)?)
    }
}

/// The value of a Crockford digit that `split_operation` has let through.
fn value_of(digit: u8) -> u8 {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    ALPHABET.iter().position(|other| *other == digit).map_or(0, |at| at as u8)
}
