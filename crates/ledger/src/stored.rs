//! What the ledger's log holds: entries, the content that events name, and the registry headers that the authority
//! signed. One log, so that an event and its content are one commit.
//!
//! A record of the log is the bytes and behind them one tag, so that an entry's bytes are written as they are hashed.

use eleven_core::hash::Sha3;

const ENTRY: u8 = b'e';
const BLOB: u8 = b'b';
const HEADER: u8 = b'h';
const MOVED: u8 = b'm';

/// A record of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The bytes of an entry (PROTOCOL 6).
    Entry(Vec<u8>),
    /// Content that an event names by its hash.
    Blob(Vec<u8>),
    /// The canonical bytes of a registry header with its signature.
    Header(Vec<u8>),
    /// The hash of content that stood here and was moved to an archive.
    Moved(Sha3),
}

impl Stored {
    /// The record's bytes in the log.
    #[must_use]
    pub(crate) fn encode(self) -> Vec<u8> {
        let (mut bytes, tag) = match self {
            Self::Entry(bytes) => (bytes, ENTRY),
            Self::Blob(bytes) => (bytes, BLOB),
            Self::Header(bytes) => (bytes, HEADER),
            Self::Moved(hash) => (hash.0.to_vec(), MOVED),
        };
        bytes.push(tag);
        bytes
    }

    /// Whether the bytes of a record in the log are an entry's.
    #[must_use]
    pub(crate) fn is_entry(bytes: &[u8]) -> bool {
        bytes.last() == Some(&ENTRY)
    }

    /// Reads a record back; `None` where it is none of them.
    #[must_use]
    pub(crate) fn decode(mut bytes: Vec<u8>) -> Option<Self> {
        match bytes.pop()? {
            ENTRY => Some(Self::Entry(bytes)),
            BLOB => Some(Self::Blob(bytes)),
            HEADER => Some(Self::Header(bytes)),
            MOVED => bytes.try_into().ok().map(|hash| Self::Moved(Sha3(hash))),
            _ => None,
        }
    }
}
