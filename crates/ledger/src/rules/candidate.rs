//! A record as it arrives: read once, canonicalised once, hashed and verified away from the one writer.

use super::refusal::Refusal;
use eleven_core::encoding::{Object, Value, without};
use eleven_core::event::{Record, SEAL};
use eleven_core::form::FormError;
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::id;
use eleven_core::signature::{Signature, VerifyingKey};
use std::sync::OnceLock;

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
    /// Computed where somebody asks, which is where a record is refused.
    digest: OnceLock<Sha3>,
    mark: Mark,
    record: Result<Record, FormError>,
    derived: Derived,
}

/// What follows from a record's bytes alone, computed where there is a core to spare.
#[derive(Clone, Copy, Debug, Default)]
struct Derived {
    hashes_follow: bool,
    op_is_content: bool,
}

/// What tells a record from any other that was sent under its number: 16 bytes that follow from all of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u8; 16]);

impl Mark {
    /// The mark of a record by the hash of its canonical bytes.
    #[must_use]
    pub fn of_digest(digest: &Sha3) -> Self {
        Self::of(&[&digest.0])
    }

    /// The mark of a record whose event hashes follow. Its bytes are then its body's, which the event hash covers with
    /// all that `prev_*` names, the hashes themselves, and the signature: so those two stand for all of them, and the
    /// record need not be hashed once more.
    fn of_hashed(record: &Record) -> Self {
        Self::of(&[&record.hash.0, &record.sig.val])
    }

    fn of(parts: &[&[u8]]) -> Self {
        Self(Sha256::of(parts).0.first_chunk().copied().unwrap_or_default())
    }
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
        let canonical = value.canonical();
        Self::read_encoded(value, canonical)
    }

    /// The same where its canonical encoding is there already.
    ///
    /// # Errors
    /// As [`Candidate::read`].
    pub fn read_encoded(value: Value, canonical: Vec<u8>) -> Result<Self, Refusal> {
        let member = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let kid = member("kid").ok_or(Refusal::Unreadable)?;
        let by = member("by");
        let number = value.get("src_seq").and_then(Value::as_int);
        let src_seq = number.and_then(|n| u64::try_from(n).ok()).ok_or(Refusal::Unreadable)?;
        let sig = value.get("sig").cloned().ok_or(Refusal::Unreadable)?;
        let sig = Signature::read(sig).map_err(|_| Refusal::Unreadable)?;
        let Value::Object(object) = value else { return Err(Refusal::Unreadable) };
        if sig.kid != kid {
            return Err(Refusal::Unreadable);
        }
        let body = without(&canonical, &SEAL);
        let content = Derived::content_id(&object, &body);
        let record = Record::read_detached(object, canonical.len());
        let derived = record.as_ref().map(|record| Derived::of(record, &body, content)).unwrap_or_default();
        let digest = OnceLock::new();
        let mark = match &record {
            Ok(record) if derived.hashes_follow => Mark::of_hashed(record),
            _ => Mark::of_digest(digest.get_or_init(|| Sha3::of(&[&canonical]))),
        };
        Ok(Self { kid, src_seq, sig, by, canonical, body, digest, mark, record, derived })
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
    pub fn digest(&self) -> &Sha3 {
        self.digest.get_or_init(|| Sha3::of(&[&self.canonical]))
    }

    /// What tells it from any other record under its number.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
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

    /// The record, where it is of an event's form; its canonical bytes are [`Candidate::canonical`] and not the record's
    /// own.
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

    /// [`Candidate::verify`] of each with its key, in their order.
    #[must_use]
    pub fn verify_each(candidates: Vec<(Self, &VerifyingKey)>) -> Vec<Result<Verified, Refusal>> {
        let signed: Vec<(&VerifyingKey, &[u8], &[u8; 64])> =
            candidates.iter().map(|(one, key)| (*key, one.body.as_slice(), &one.sig.val)).collect();
        let judged = VerifyingKey::verify_each(&signed);
        let verified = |((candidate, key), holds): ((Self, &VerifyingKey), bool)| {
            if holds { Ok(Verified { candidate, public: *key.as_bytes() }) } else { Err(Refusal::Signature) }
        };
        candidates.into_iter().zip(judged).map(verified).collect()
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
    /// The op of an event that stands alone. Those of 5.1 and 14.2 are named otherwise, and need no third hash.
    fn content_id(object: &Object, body: &[u8]) -> Option<String> {
        let event = object.get("event").and_then(Value::as_str)?;
        let shared = super::is_of_operation(event) || event.starts_with("lifecycle.");
        let content = || id::of_canonical(&without(body, &["op"]));
        (!shared).then(content)
    }

    fn of(record: &Record, body: &[u8], content: Option<String>) -> Self {
        let hashes_follow = match &record.prev {
            None => Sha3::of(&[body]) == record.hash && Blake2b::of(&[body]) == record.hash_alt,
            Some((hash, hash_alt)) => {
                Sha3::of(&[body, &hash.0]) == record.hash && Blake2b::of(&[body, &hash_alt.0]) == record.hash_alt
            }
        };
        Self { hashes_follow, op_is_content: content.is_some_and(|content| content == record.op) }
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
