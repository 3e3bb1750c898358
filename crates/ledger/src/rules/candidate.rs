//! A record as it arrives: read once, hashed and verified away from the one writer.

use super::refusal::Refusal;
use crate::saved::saved_inner;
use eleven_core::encoding::Encoded;
use eleven_core::event::{Record, SEAL};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::id;
use eleven_core::signature::{Signature, VerifyingKey};
use std::borrow::Cow;
use std::sync::OnceLock;

/// What a producer sent under one of its numbers. It has a kid, a number and a signature; whether the rest is of an
/// event's form is part of it, because a record that is not takes its number all the same (PROTOCOL 6.1).
#[derive(Debug)]
pub struct Candidate {
    content: Content,
    /// Computed where somebody asks, which is where a record is refused.
    digest: OnceLock<Sha3>,
    mark: Mark,
    derived: Derived,
}

/// A record, which is large, stays where it was read while what holds it is handed from one to the next.
type Content = Result<Box<Record>, Box<Malformed>>;

/// What is not of an event's form, and is somebody's all the same.
#[derive(Debug)]
struct Malformed {
    kid: String,
    src_seq: u64,
    sig: [u8; 64],
    by: Option<String>,
    canonical: Vec<u8>,
    body: Vec<u8>,
    why: FormError,
}

/// What follows from a record's bytes alone, computed where there is a core to spare.
#[derive(Clone, Copy, Debug)]
struct Derived {
    hashes_follow: bool,
    op_is_content: bool,
}

/// What tells a record from any other that was sent under its number: 16 bytes that follow from all of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u8; 16]);

saved_inner!(Mark, OpKey);

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
    /// Reads a record in its canonical encoding, at least as far as kid, number and signature, and hashes it.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] where one of the three is missing, or it is not canonically encoded: such a record is
    /// nobody's.
    pub fn read(canonical: &[u8]) -> Result<Self, Refusal> {
        Self::read_each([(encoded(canonical), Hashed::Anew)]).pop().unwrap_or(Err(Refusal::Unreadable))
    }

    /// [`Candidate::read`] of each, which is none where it is not the canonical encoding of an object, in their order: several
    /// are hashed at a time, and what was hashed before is not.
    #[must_use]
    pub fn read_each<'a>(
        records: impl IntoIterator<Item = (Option<Cow<'a, Encoded<'a>>>, Hashed)>,
    ) -> Vec<Result<Self, Refusal>> {
        let read = |(encoded, hashed): (Option<Cow<'a, Encoded<'a>>>, _)| {
            Unhashed::read(encoded.ok_or(Refusal::Unreadable)?.as_ref(), hashed)
        };
        let mut read: Vec<Result<Unhashed, Refusal>> = records.into_iter().map(read).collect();
        Record::digest_envelopes(read.iter_mut().flatten().filter_map(|read| read.content.as_deref_mut().ok()));
        let anew = |read: &'_ &Unhashed| read.hashed == Hashed::Anew;
        let of_form = read.iter().flatten().filter(anew).filter_map(|read| read.content.as_deref().ok());
        let mut follow = Record::hashes_follow_each(&of_form.collect::<Vec<_>>()).into_iter();
        let candidate = |read: Result<Unhashed, Refusal>| {
            let Unhashed { content, op_is_content, hashed } = read?;
            // There is an answer for each that is of an event's form and hashed anew, in their order.
            let hashes_follow = content.is_ok() && (hashed == Hashed::Before || follow.next() == Some(true));
            let digest = OnceLock::new();
            let mark = match &content {
                Ok(record) if hashes_follow => Mark::of_hashed(record),
                _ => Mark::of_digest(digest.get_or_init(|| Sha3::of(&[canonical(&content)]))),
            };
            Ok(Self { content, digest, mark, derived: Derived { hashes_follow, op_is_content } })
        };
        read.into_iter().map(candidate).collect()
    }

    /// The event it says to be; `None` where it is not of an event's form.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.content.as_ref().ok().map(|record| record.event.as_str())
    }

    /// The key it names.
    #[must_use]
    pub fn kid(&self) -> &str {
        match &self.content {
            Ok(record) => &record.kid,
            Err(malformed) => &malformed.kid,
        }
    }

    /// Its number under that key.
    #[must_use]
    pub const fn src_seq(&self) -> u64 {
        match &self.content {
            Ok(record) => record.src_seq,
            Err(malformed) => malformed.src_seq,
        }
    }

    /// SHA3-512 of its canonical bytes.
    #[must_use]
    pub fn digest(&self) -> &Sha3 {
        self.digest.get_or_init(|| Sha3::of(&[self.canonical()]))
    }

    /// What tells it from any other record under its number.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    /// Its canonical bytes: what an entry is put around.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        canonical(&self.content)
    }

    /// What its key signs.
    fn signed(&self) -> (&[u8], &[u8; 64]) {
        match &self.content {
            Ok(record) => (record.body(), &record.sig.val),
            Err(malformed) => (&malformed.body, &malformed.sig),
        }
    }

    /// The producer it names, also where the rest of it is not of an event's form.
    #[must_use]
    pub fn by(&self) -> Option<&str> {
        match &self.content {
            Ok(record) => Some(&record.by),
            Err(malformed) => malformed.by.as_deref(),
        }
    }

    /// The record, where it is of an event's form.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn record(&self) -> Result<&Record, &FormError> {
        self.content.as_deref().map_err(|malformed| &malformed.why)
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
        let (body, sig) = self.signed();
        if key.verifies(body, sig) {
            Ok(Verified { candidate: self, public: *key.as_bytes() })
        } else {
            Err(Refusal::Signature)
        }
    }

    /// [`Candidate::verify`] of each with its key, in their order.
    #[must_use]
    pub fn verify_each(candidates: Vec<(Self, &VerifyingKey)>) -> Vec<Result<Verified, Refusal>> {
        let signed = candidates.iter().map(|(one, key)| {
            let (body, sig) = one.signed();
            (*key, body, sig)
        });
        let signed: Vec<(&VerifyingKey, &[u8], &[u8; 64])> = signed.collect();
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

impl Malformed {
    fn read(encoded: &Encoded<'_>, why: FormError) -> Result<Self, Refusal> {
        let mut form = Form::of_encoded(encoded, "record");
        let unreadable = |_| Refusal::Unreadable;
        let kid = form.string("kid").map_err(unreadable)?;
        let src_seq = form.uint("src_seq").map_err(unreadable)?;
        let sig = Signature::take(&mut form, "sig").map_err(unreadable)?;
        if sig.kid != kid {
            return Err(Refusal::Unreadable);
        }
        let (canonical, body) = (encoded.bytes().to_vec(), encoded.without(&SEAL));
        Ok(Self { kid, src_seq, sig: sig.val, by: form.string("by").ok(), canonical, body, why })
    }
}

/// A record taken apart, for [`Candidate::read_each`].
#[must_use]
pub fn encoded(canonical: &[u8]) -> Option<Cow<'_, Encoded<'_>>> {
    Encoded::of(canonical).ok().map(Cow::Owned)
}

fn canonical(content: &Content) -> &[u8] {
    match content {
        Ok(record) => record.canonical(),
        Err(malformed) => &malformed.canonical,
    }
}

/// Whether a record's hashes are computed when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashed {
    /// They are.
    Anew,
    /// They are not: they were computed when it was appended, and its bytes are known to be the same. The hashes and the op that it
    /// states are taken to be right.
    Before,
}

/// A record as far as it follows from its bytes without their hashes.
struct Unhashed {
    content: Content,
    op_is_content: bool,
    hashed: Hashed,
}

impl Unhashed {
    fn read(encoded: &Encoded<'_>, hashed: Hashed) -> Result<Self, Refusal> {
        Ok(match Record::read_encoded(encoded) {
            Ok(record) => {
                let op_is_content = hashed == Hashed::Before || op_is_content(&record, encoded);
                Self { op_is_content, content: Ok(Box::new(record)), hashed }
            }
            Err(why) => Self { content: Err(Box::new(Malformed::read(encoded, why)?)), op_is_content: false, hashed },
        })
    }
}

/// Whether the op of an event that stands alone is its content's. Those of 5.1 and 14.2 are named otherwise, and need no
/// third hash.
fn op_is_content(record: &Record, encoded: &Encoded<'_>) -> bool {
    let shared = super::is_of_operation(&record.event) || record.event.starts_with("lifecycle.");
    let [hash, hash_alt, sig] = SEAL;
    let content = || id::of_canonical(&encoded.without(&["op", hash, hash_alt, sig]));
    !shared && content() == record.op
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
            let bits =
                digits.iter().fold(0u64, |bits, digit| bits << 5 | u64::from(id::digit_value(*digit).unwrap_or(0)));
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
