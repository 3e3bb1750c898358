//! The conformance kit's way in: vectors run through the very rules that the ledger appends by.

use crate::rules::{Applied, Book, Candidate, Judgement, Refusal, Verified};
use eleven_core::chain::Entry;
use eleven_core::encoding::Value;
use eleven_core::root::KeyRecord;
use eleven_core::signature::VerifyingKey;
use eleven_core::time::Time;

/// Verifies a record with the key that the book, or for a genesis the record itself, has for it.
///
/// # Errors
/// Why it is nobody's record.
pub fn verified(book: &Book, record: Value) -> Result<Verified, Refusal> {
    let candidate = Candidate::read(&record.canonical())?;
    let key = match book.registry() {
        Some(registry) => registry.key(candidate.kid()).and_then(KeyRecord::verifying),
        None => genesis_key(&candidate),
    };
    candidate.verify(&key.ok_or(Refusal::UnknownKey)?)
}

/// The key that a genesis grants to the one who signed it. Whether it was granted, the rules say.
#[must_use]
pub fn genesis_key(candidate: &Candidate) -> Option<VerifyingKey> {
    let keys = candidate.record().ok()?.data.get("keys")?.as_array()?;
    let records = keys.iter().filter_map(|granted| KeyRecord::read(granted.get("key")?.clone()).ok());
    records.into_iter().find(|key| key.kid == candidate.kid())?.verifying()
}

/// Appends an entry of `ledger.json` to the book, as the ledger would have at the entry's `at`.
///
/// # Errors
/// Why it may not stand there.
pub fn replay(book: &mut Book, entry: &Value) -> Result<Applied, String> {
    let Entry { header, record } = Entry::read(entry.clone()).map_err(|error| error.to_string())?;
    if header.seq != book.size() || book.at().is_some_and(|at| header.at < at) {
        return Err("the entry's number or time does not follow".to_owned());
    }
    let verified = verified(book, record).map_err(|why| why.to_string())?;
    match (book.judge(&verified, header.at, None), verified.record()) {
        (Judgement::Accept(accepted), Ok(record)) => Ok(book.apply(accepted, record, verified.mark(), header.at, None)),
        (judgement, _) => Err(format!("the entry is not accepted: {judgement:?}")),
    }
}

/// The outcome of a record of `append.json` at `at`: `accept`, `repeat`, `equivocation`, `gap` or `refused`, and why.
#[must_use]
pub fn append(book: &Book, record: Value, at: Time) -> (&'static str, Option<Refusal>) {
    let verified = match verified(book, record) {
        Ok(verified) => verified,
        Err(why) => return ("refused", Some(why)),
    };
    match book.judge_new(&verified, at, None) {
        Judgement::Accept(_) => ("accept", None),
        Judgement::Repeat => ("repeat", None),
        Judgement::Equivocation => ("equivocation", None),
        Judgement::Gap { .. } => ("gap", None),
        Judgement::Refused { why, .. } => ("refused", Some(why)),
    }
}
