//! What follows from a record of the log alone: parsed, hashed and its signatures verified, on whatever core is free.

use crate::keys::Keys;
use crate::receive::{Reading, SentArtifact, read_artifact};
use crate::recover::Depth;
use crate::rules::{Candidate, Refusal};
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

/// Prepares the record at a position. `keys` are those that are known so far: what is signed by another is verified when
/// it is judged.
pub(crate) fn prepare(position: u64, bytes: Vec<u8>, keys: &Keys, depth: Depth) -> Prepared {
    let what = match Stored::decode(bytes) {
        Some(Stored::Entry(bytes)) => entry(&bytes, keys, depth).map_or_else(What::Wrong, What::Entry),
        Some(Stored::Blob(bytes)) => What::Content(content(position, bytes, keys, depth)),
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
    };
    Prepared { position, what }
}

fn entry(bytes: &[u8], keys: &Keys, depth: Depth) -> Result<Box<Entry>, String> {
    let (header, record) = EntryHeader::split(bytes).map_err(|error| error.to_string())?;
    let candidate = Candidate::read(record).map_err(|why| why.to_string())?;
    let reading = match keys.get(candidate.kid()).filter(|_| depth == Depth::Everything) {
        None => Reading::Unknown(candidate),
        Some(key) => {
            let verified = key.verifying().ok_or(Refusal::UnknownKey).and_then(|key| candidate.verify(key));
            verified.map_or_else(Reading::Refused, Reading::Verified)
        }
    };
    let chain = chain::advance(header.prev.as_ref(), bytes);
    let leaf = tree::leaf_hash(bytes);
    Ok(Box::new(Entry { header, reading, chain, leaf, bytes: bytes.len() as u64 }))
}

fn content(position: u64, bytes: Vec<u8>, keys: &Keys, depth: Depth) -> Box<Content> {
    let hash = Sha3::of(&[&bytes]);
    let mut artifact = read_artifact(&bytes).map(|artifact| SentArtifact::new(artifact, Vec::new(), hash));
    let mut policy = None;
    if depth == Depth::Everything {
        if let Some(artifact) = &mut artifact {
            artifact.verify(keys);
        } else if bytes.starts_with(br#"{"cedar":"#) {
            // The first member of a policy bundle's canonical encoding.
            policy = parse_canonical(&bytes).map_err(FormError::from).and_then(PolicyBundle::read).ok();
        }
    }
    Box::new(Content { position, hash, artifact, policy, moved: false })
}
