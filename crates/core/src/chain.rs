//! The ledger's entries and the two chains over them (PROTOCOL 6).
//!
//! An entry is JCS({"at","prev","prev_alt","record","seq"}). Its bytes are what both chains and the tree commit to, so
//! they are put together around the record's canonical bytes and never encoded a second time.

use crate::encoding::{Object, Value, parse_canonical};
use crate::form::{Form, FormError, require};
use crate::hash::{Blake2b, Sha3};
use crate::limits::MAX_INTEGER;
use crate::time::Time;
use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec::Vec;

/// The value of both chains after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainValue {
    /// SHA3-512(entry || the raw value before).
    pub hash: Sha3,
    /// BLAKE2b-512(entry || the raw value before).
    pub hash_alt: Blake2b,
}

/// What stands beside the record in an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHeader {
    /// The entry's number, from 0.
    pub seq: u64,
    /// The audit service's clock when it appended the entry.
    pub at: Time,
    /// The chain values of the entry before; `None` exactly at 0.
    pub prev: Option<ChainValue>,
}

/// An entry: its header and its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What stands beside the record.
    pub header: EntryHeader,
    /// The record, not looked into.
    pub record: Value,
}

/// The bytes of entry `seq` around `record_canonical`, which must be the record's canonical encoding.
#[must_use]
pub fn entry_bytes(seq: u64, at: Time, prev: Option<&ChainValue>, record_canonical: &[u8]) -> Vec<u8> {
    // The fixed text, both hashes, the time and the longest number come to less than this.
    let mut entry = Vec::with_capacity(record_canonical.len() + 416);
    entry.extend_from_slice(br#"{"at":""#);
    entry.extend_from_slice(at.millis().as_bytes());
    match prev {
        Some(prev) => {
            entry.extend_from_slice(br#"","prev":""#);
            prev.hash.write(&mut entry);
            entry.extend_from_slice(br#"","prev_alt":""#);
            prev.hash_alt.write(&mut entry);
            entry.extend_from_slice(br#"","record":"#);
        }
        None => entry.extend_from_slice(br#"","prev":null,"prev_alt":null,"record":"#),
    }
    entry.extend_from_slice(record_canonical);
    entry.extend_from_slice(br#","seq":"#);
    entry.extend_from_slice(seq.to_string().as_bytes());
    entry.push(b'}');
    entry
}

/// The chain values after `entry`, whose `prev` and `prev_alt` are `prev`.
#[must_use]
pub fn advance(prev: Option<&ChainValue>, entry: &[u8]) -> ChainValue {
    match prev {
        Some(prev) => {
            ChainValue { hash: Sha3::of(&[entry, &prev.hash.0]), hash_alt: Blake2b::of(&[entry, &prev.hash_alt.0]) }
        }
        None => ChainValue { hash: Sha3::of(&[entry]), hash_alt: Blake2b::of(&[entry]) },
    }
}

/// [`advance`] for each of these entries, by the `prev` and `prev_alt` that its header gives and not by what comes out for
/// the one before: so several are hashed at a time, and whether they follow each other is for whoever asks to compare.
#[must_use]
pub fn advance_each(entries: &[(&EntryHeader, &[u8])]) -> Vec<ChainValue> {
    let before = entries.iter().map(|(header, entry)| (*entry, header.prev.as_ref()));
    let primary = before.clone().map(|(entry, prev)| [entry, prev.map_or(&[], |prev| &prev.hash.0)]);
    let secondary = before.map(|(entry, prev)| [entry, prev.map_or(&[], |prev| &prev.hash_alt.0)]);
    let (primary, secondary): (Vec<_>, Vec<_>) = (primary.collect(), secondary.collect());
    let both = Sha3::of_each(&primary).into_iter().zip(Blake2b::of_each(&secondary));
    both.map(|(hash, hash_alt)| ChainValue { hash, hash_alt }).collect()
}

impl EntryHeader {
    /// Takes `seq`, `at`, `prev` and `prev_alt` out of a structure that has more members, as an entry in a bundle does.
    ///
    /// # Errors
    /// Where one of them is missing or of another form, or the two `prev` are not null exactly at 0.
    pub fn take(form: &mut Form<'_>) -> Result<Self, FormError> {
        let seq = form.uint("seq")?;
        let at = form.millis("at")?;
        let prev = match (form.sha3_or_null("prev")?, form.blake2b_or_null("prev_alt")?) {
            (Some(hash), Some(hash_alt)) => Some(ChainValue { hash, hash_alt }),
            (None, None) => None,
            _ => return Err(FormError("one of `prev` and `prev_alt` is null and the other is not".to_owned())),
        };
        let header = Self { seq, at, prev };
        header.checked()
    }

    /// Splits the bytes of an entry into its header and the record's bytes, without looking into the record: where those
    /// are canonical, `entry` is. For replaying a log, where the record is parsed once, by whoever reads it.
    ///
    /// # Errors
    /// Where the bytes around the record are not exactly those that [`entry_bytes`] writes.
    pub fn split(entry: &[u8]) -> Result<(Self, &[u8]), FormError> {
        split(entry)
            .ok_or_else(|| FormError("an entry's bytes are not around its record".to_owned()))
            .and_then(|(header, record)| header.checked().map(|header| (header, record)))
    }

    /// The bytes of the entry with this header around a record's canonical bytes.
    #[must_use]
    pub fn bytes(&self, record_canonical: &[u8]) -> Vec<u8> {
        entry_bytes(self.seq, self.at, self.prev.as_ref(), record_canonical)
    }

    /// The members of this header: what an entry in a bundle begins with.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let prev = self.prev.map_or(Value::Null, |prev| prev.hash.into());
        let prev_alt = self.prev.map_or(Value::Null, |prev| prev.hash_alt.into());
        Object::new()
            .with("seq", self.seq)
            .with("at", self.at.to_millis_value())
            .with("prev", prev)
            .with("prev_alt", prev_alt)
    }

    fn checked(self) -> Result<Self, FormError> {
        require((self.seq == 0) == self.prev.is_none(), "an entry's `prev` and `prev_alt` are null exactly at 0")?;
        Ok(self)
    }
}

impl Entry {
    /// Reads the canonical bytes of an entry.
    ///
    /// # Errors
    /// Where they are not canonical, or not of an entry's form.
    pub fn parse(entry: &[u8]) -> Result<Self, FormError> {
        Self::read(parse_canonical(entry)?)
    }

    /// Reads exactly the members of an entry.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "entry")?;
        let header = EntryHeader::take(&mut form)?;
        let record = Value::Object(form.object("record")?);
        form.finish()?;
        Ok(Self { header, record })
    }

    /// The value whose canonical bytes are the entry.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.header.to_object().with("record", self.record.clone()))
    }
}

fn split(entry: &[u8]) -> Option<(EntryHeader, &[u8])> {
    let (at, rest) = entry.strip_prefix(br#"{"at":""#)?.split_at_checked(24)?;
    let at = Time::parse_millis(core::str::from_utf8(at).ok()?)?;
    let rest = rest.strip_prefix(br#"","prev":"#)?;
    let (prev, rest) = match rest.strip_prefix(br#"null,"prev_alt":null,"record":"#) {
        Some(rest) => (None, rest),
        None => {
            let (hash, rest) = rest.strip_prefix(b"\"")?.split_at_checked(Sha3::PREFIX.len() + 128)?;
            let rest = rest.strip_prefix(br#"","prev_alt":""#)?;
            let (hash_alt, rest) = rest.split_at_checked(Blake2b::PREFIX.len() + 128)?;
            let hash = Sha3::parse(core::str::from_utf8(hash).ok()?)?;
            let hash_alt = Blake2b::parse(core::str::from_utf8(hash_alt).ok()?)?;
            (Some(ChainValue { hash, hash_alt }), rest.strip_prefix(br#"","record":"#)?)
        }
    };
    let (record, seq) = split_number(rest.strip_suffix(b"}")?)?;
    let record = record.strip_suffix(br#","seq":"#)?;
    Some((EntryHeader { seq, at, prev }, record))
}

/// Splits off the number at the end, written without leading zeros.
fn split_number(bytes: &[u8]) -> Option<(&[u8], u64)> {
    let digits = bytes.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (rest, digits) = bytes.split_at_checked(bytes.len().checked_sub(digits)?)?;
    let number: u64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    let plain = digits.first() != Some(&b'0') || digits.len() == 1;
    (plain && number <= MAX_INTEGER).then_some((rest, number))
}

#[cfg(test)]
mod tests;
