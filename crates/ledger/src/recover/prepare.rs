//! What follows from a record of the log alone: parsed, hashed and its signatures verified, on whatever core is free.

use crate::keys::Keys;
use crate::receive::{Reading, SentArtifact, read_artifacts, verify_each};
use crate::recover::Depth;
use crate::rules::{Candidate, Hashed, Refusal, encoded};
use crate::stored::Stored;
use eleven_core::chain::{self, ChainValue, EntryHeader};
use eleven_core::encoding::parse_canonical;
use eleven_core::form::FormError;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::Header;
use eleven_core::signature::Signature;
use eleven_core::tree;

/// A record of the log, ready to be judged.
pub(crate) struct Prepared {
    /// Where it stands in the log.
    pub(crate) position: u64,
    pub(super) what: What,
}

/// What the record is.
pub(super) enum What {
    /// An entry.
    Entry(Box<Entry>),
    /// Content that an entry names.
    Content(Box<Content>),
    /// A registry header that the authority signed.
    Header(Box<(Header, Signature)>),
    /// Nothing that belongs there, and why.
    Wrong(String),
}

/// An entry, its own chain values and leaf computed from its bytes.
pub(super) struct Entry {
    pub(super) header: EntryHeader,
    pub(super) reading: Reading,
    /// Both chains after it, given that its `prev` and `prev_alt` are those before it; `None` where they are those that the next
    /// entry names.
    pub(super) chain: Option<ChainValue>,
    pub(super) leaf: Sha256,
    /// How many bytes it has.
    pub(super) bytes: u64,
}

/// Content and, where it is one of these, what it is.
pub(super) struct Content {
    pub(super) position: u64,
    pub(super) hash: Sha3,
    pub(super) artifact: Option<SentArtifact>,
    pub(super) policy: Option<PolicyBundle>,
    /// Whether only its hash is here: it was moved to an archive.
    pub(super) moved: bool,
}

/// Prepares records of the log, each by itself; what they share is said of [`Sha3::of_each`] and
/// [`VerifyingKey::verify_each`](eleven_core::signature::VerifyingKey::verify_each). `keys` are those that are known so
/// far: what is signed by another is verified when it is judged.
pub(crate) fn prepare_each(
    records: impl IntoIterator<Item = (u64, Vec<u8>)>,
    keys: &Keys,
    depth: Depth,
) -> Vec<Prepared> {
    let decode = |(position, bytes)| (position, Stored::decode(bytes));
    let stored: Vec<(u64, Option<Stored>)> = records.into_iter().map(decode).collect();
    let (mut entries, mut contents) = (Vec::new(), Vec::new());
    for (position, stored) in &stored {
        match stored {
            Some(Stored::Entry(bytes)) => entries.push(bytes.as_slice()),
            Some(Stored::Blob(bytes)) => contents.push((*position, bytes.as_slice())),
            _ => {}
        }
    }
    let entries = prepare_entries(&entries, keys, depth);
    let contents = prepare_contents(&contents, keys, depth);
    // There is one for each, in their order.
    let (mut entries, mut contents) = (entries.into_iter(), contents.into_iter());
    let prepared = |(position, stored)| {
        let what = match stored {
            Some(Stored::Entry(_)) => entries.next().unwrap_or_else(not_looked_at),
            Some(Stored::Blob(_)) => contents.next().unwrap_or_else(not_looked_at),
            Some(Stored::Header(bytes)) => read_header(&bytes),
            Some(Stored::Moved(hash)) => {
                What::Content(Box::new(Content { position, hash, artifact: None, policy: None, moved: true }))
            }
            None => What::Wrong("a record before it is of no kind that this build knows".to_owned()),
        };
        Prepared { position, what }
    };
    stored.into_iter().map(prepared).collect()
}

fn prepare_entries(entries: &[&[u8]], keys: &Keys, depth: Depth) -> Vec<What> {
    let split: Vec<Result<(EntryHeader, &[u8]), FormError>> =
        entries.iter().map(|entry| EntryHeader::split(entry)).collect();
    let hashed = |seq: u64| match depth {
        Depth::Resume { under } if seq < under => Hashed::Before,
        Depth::Resume { .. } | Depth::Everything => Hashed::Anew,
    };
    let records = split.iter().flatten().map(|(header, record)| (encoded(record), hashed(header.seq)));
    let candidates = Candidate::read_each(records);
    // Of those that were hashed before, the chains are computed after seals alone, which heads commit to, and after the last of
    // these entries, from which the next one goes on.
    let last = candidates.len().saturating_sub(1);
    let is_chained = |at: usize, header: &EntryHeader, candidate: &Result<Candidate, Refusal>| {
        let seals = candidate.as_ref().is_ok_and(|candidate| candidate.event() == Some("ledger.sealed"));
        hashed(header.seq) == Hashed::Anew || seals || at == last
    };
    let of_form = split.iter().zip(entries).filter_map(|(split, entry)| Some((&split.as_ref().ok()?.0, *entry)));
    let chained: Vec<bool> = of_form
        .clone()
        .zip(&candidates)
        .enumerate()
        .map(|(at, ((header, _), one))| is_chained(at, header, one))
        .collect();
    let advanced = of_form.zip(&chained).filter(|(_, chained)| **chained).map(|(one, _)| one);
    let mut advanced = chain::advance_each(&advanced.collect::<Vec<_>>()).into_iter();
    let chains = chained.into_iter().map(|chained| if chained { advanced.next() } else { None });
    let readings: Vec<Reading> = match depth {
        Depth::Everything => verify_each(candidates, keys),
        Depth::Resume { .. } => {
            candidates.into_iter().map(|one| one.map_or_else(Reading::Refused, Reading::Unknown)).collect()
        }
    };
    // There are both for each that is of an entry's form, in their order.
    let mut looked_at = chains.zip(readings);
    let what = |(split, entry): (Result<_, FormError>, &&[u8])| {
        let (header, _) = match split {
            Ok(split) => split,
            Err(error) => return What::Wrong(error.to_string()),
        };
        match looked_at.next() {
            Some((_, Reading::Refused(why @ Refusal::Unreadable))) => What::Wrong(why.to_string()),
            Some((chain, reading)) => {
                let (leaf, bytes) = (tree::leaf_hash(entry), entry.len() as u64);
                What::Entry(Box::new(Entry { header, reading, chain, leaf, bytes }))
            }
            None => not_looked_at(),
        }
    };
    split.into_iter().zip(entries).map(what).collect()
}

fn prepare_contents(contents: &[(u64, &[u8])], keys: &Keys, depth: Depth) -> Vec<What> {
    let bytes: Vec<&[u8]> = contents.iter().map(|(_, bytes)| *bytes).collect();
    let hashes = Sha3::of_each(&bytes.iter().map(|bytes| [*bytes]).collect::<Vec<_>>());
    let artifacts = read_artifacts(&bytes).into_iter().zip(&hashes);
    let mut artifacts: Vec<Option<SentArtifact>> =
        artifacts.map(|(artifact, hash)| Some(SentArtifact::new(artifact?, Vec::new(), *hash))).collect();
    if depth == Depth::Everything {
        SentArtifact::verify_each(artifacts.iter_mut().flatten(), keys);
    }
    let whole = artifacts.into_iter().zip(hashes).zip(contents);
    let prepared = whole.map(|((artifact, hash), (position, bytes))| {
        // The first member of a policy bundle's canonical encoding.
        let is_policy = depth == Depth::Everything && artifact.is_none() && bytes.starts_with(br#"{"cedar":"#);
        let read = |bytes| parse_canonical(bytes).map_err(FormError::from).and_then(PolicyBundle::read).ok();
        let policy = is_policy.then_some(*bytes).and_then(read);
        What::Content(Box::new(Content { position: *position, hash, artifact, policy, moved: false }))
    });
    prepared.collect()
}

fn read_header(bytes: &[u8]) -> What {
    let header = parse_canonical(bytes).map_err(FormError::from).and_then(Header::read);
    header.map_or_else(
        |error| What::Wrong(format!("the registry header before it is none: {error}")),
        |header| What::Header(Box::new(header)),
    )
}

fn not_looked_at() -> What {
    What::Wrong("it was not looked at".to_owned())
}
