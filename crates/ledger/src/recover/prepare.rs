//! What follows from a record of the log alone: parsed, hashed and its signatures verified, on whatever core is free.

use crate::keys::Keys;
use crate::receive::{Reading, SentArtifact, read_artifact, verify_each};
use crate::recover::Depth;
use crate::rules::Candidate;
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
    /// Both chains after it, given that its `prev` and `prev_alt` are those before it.
    pub(super) chain: ChainValue,
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

/// Prepares records of the log, each by itself. `keys` are those that are known so far: what is signed by another is
/// verified when it is judged.
pub(crate) fn prepare_each(
    records: impl IntoIterator<Item = (u64, Vec<u8>)>,
    keys: &Keys,
    depth: Depth,
) -> Vec<Prepared> {
    let mut candidates = Vec::new();
    let read = |(position, bytes)| (position, read(position, bytes, depth, &mut candidates));
    let mut read: Vec<(u64, Read)> = records.into_iter().map(read).collect();
    let readings: Vec<Reading> = match depth {
        Depth::Everything => verify_each(candidates.into_iter().map(Ok).collect(), keys),
        Depth::Resume => candidates.into_iter().map(Reading::Unknown).collect(),
    };
    if depth == Depth::Everything {
        let artifacts = read.iter_mut().filter_map(|(_, read)| match read {
            Read::Whole(What::Content(content)) => content.artifact.as_mut(),
            _ => None,
        });
        SentArtifact::verify_each(artifacts, keys);
    }
    let mut readings = readings.into_iter();
    let whole = |(position, read)| {
        let what = match read {
            Read::Whole(what) => what,
            // There is one for each, in their order.
            Read::Entry(entry) => match readings.next() {
                Some(reading) => What::Entry(Box::new(entry.with(reading))),
                None => What::Wrong("its signature was not looked at".to_owned()),
            },
        };
        Prepared { position, what }
    };
    read.into_iter().map(whole).collect()
}

/// A record before signatures are looked at.
enum Read {
    Whole(What),
    /// Its candidate went with the others.
    Entry(Around),
}

/// What is known of an entry without its signature.
struct Around {
    header: EntryHeader,
    chain: ChainValue,
    leaf: Sha256,
    bytes: u64,
}

impl Around {
    fn with(self, reading: Reading) -> Entry {
        let Self { header, chain, leaf, bytes } = self;
        Entry { header, reading, chain, leaf, bytes }
    }
}

fn read(position: u64, bytes: Vec<u8>, depth: Depth, candidates: &mut Vec<Candidate>) -> Read {
    Read::Whole(match Stored::decode(bytes) {
        Some(Stored::Entry(bytes)) => match entry(&bytes) {
            Ok((around, candidate)) => {
                candidates.push(candidate);
                return Read::Entry(around);
            }
            Err(why) => What::Wrong(why),
        },
        Some(Stored::Blob(bytes)) => What::Content(content(position, bytes, depth)),
        Some(Stored::Header(bytes)) => {
            let header = parse_canonical(&bytes).map_err(FormError::from).and_then(Header::read);
            header.map_or_else(
                |error| What::Wrong(format!("the registry header before it is none: {error}")),
                |header| What::Header(Box::new(header)),
            )
        }
        Some(Stored::Moved(hash)) => {
            What::Content(Box::new(Content { position, hash, artifact: None, policy: None, moved: true }))
        }
        None => What::Wrong("a record before it is of no kind that this build knows".to_owned()),
    })
}

fn entry(bytes: &[u8]) -> Result<(Around, Candidate), String> {
    let (header, record) = EntryHeader::split(bytes).map_err(|error| error.to_string())?;
    let candidate = Candidate::read(record).map_err(|why| why.to_string())?;
    let chain = chain::advance(header.prev.as_ref(), bytes);
    let leaf = tree::leaf_hash(bytes);
    Ok((Around { header, chain, leaf, bytes: bytes.len() as u64 }, candidate))
}

fn content(position: u64, bytes: Vec<u8>, depth: Depth) -> Box<Content> {
    let hash = Sha3::of(&[&bytes]);
    let artifact = read_artifact(&bytes).map(|artifact| SentArtifact::new(artifact, Vec::new(), hash));
    // The first member of a policy bundle's canonical encoding.
    let policy = (depth == Depth::Everything && artifact.is_none() && bytes.starts_with(br#"{"cedar":"#))
        .then(|| parse_canonical(&bytes).map_err(FormError::from).and_then(PolicyBundle::read).ok());
    Box::new(Content { position, hash, artifact, policy: policy.flatten(), moved: false })
}
