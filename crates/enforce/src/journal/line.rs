//! What stands in the journal's log: an event, with the artifact's expiry beside a consumption, or a registry epoch.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use eleven_core::encoding::parse_canonical;
use eleven_core::event::Record;
use eleven_core::time::Time;

/// One record of the journal's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An event that is to be forwarded.
    Event {
        /// The record.
        record: Record,
        /// The artifact's expiry, beside `authorization.consumed`: how long its use must be remembered.
        exp: Option<Time>,
    },
    /// The highest registry epoch that this point has seen.
    Epoch(u64),
}

/// Why bytes are no line of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError(pub String);

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal holds what is not a line of one: {}", self.0)
    }
}

impl core::error::Error for LineError {}

const EVENT: u8 = b'e';
const CONSUMED: u8 = b'c';
const EPOCH: u8 = b'n';

impl Line {
    /// A line for an event without an expiry beside it.
    #[must_use]
    pub const fn event(record: Record) -> Self {
        Self::Event { record, exp: None }
    }

    /// The bytes in the log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        match self {
            Self::Event { record, exp: None } => {
                out.push(EVENT);
                out.extend(record.canonical());
            }
            Self::Event { record, exp: Some(exp) } => {
                out.push(CONSUMED);
                out.extend(exp.0.to_be_bytes());
                out.extend(record.canonical());
            }
            Self::Epoch(epoch) => {
                out.push(EPOCH);
                out.extend(epoch.to_be_bytes());
            }
        }
        out
    }

    /// Reads a line.
    ///
    /// # Errors
    /// Where the bytes are no line.
    pub fn decode(bytes: &[u8]) -> Result<Self, LineError> {
        let wrong = |what: &str| LineError(what.to_string());
        let record = |bytes: &[u8]| {
            let value = parse_canonical(bytes).map_err(|error| LineError(error.to_string()))?;
            Record::read(value).map_err(|error| LineError(error.to_string()))
        };
        match bytes.split_first() {
            Some((&EVENT, rest)) => Ok(Self::event(record(rest)?)),
            Some((&CONSUMED, rest)) => {
                let (exp, rest) = rest.split_first_chunk::<8>().ok_or_else(|| wrong("a consumption without expiry"))?;
                Ok(Self::Event { record: record(rest)?, exp: Some(Time(i64::from_be_bytes(*exp))) })
            }
            Some((&EPOCH, rest)) => {
                let epoch = rest.try_into().map_err(|_| wrong("an epoch of another length"))?;
                Ok(Self::Epoch(u64::from_be_bytes(epoch)))
            }
            _ => Err(wrong("an unknown tag")),
        }
    }
}
