//! What stands in the journal's log: an event, with the artifact's expiry beside a consumption; or again what must not go with
//! old lines, a registry epoch and how far an open lineage has come.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
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
    /// The last event of a lineage that is open, once more: it is not forwarded again.
    Open(Record),
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
const OPEN: u8 = b'o';

/// What forwarding needs of an event's line, without reading the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward<'a> {
    /// The record's number under the point's key.
    pub src_seq: u64,
    /// The record's time.
    pub ts: Time,
    /// The artifact's expiry, beside a consumption.
    pub exp: Option<Time>,
    /// The record's canonical bytes.
    pub record: &'a [u8],
}

impl<'a> Forward<'a> {
    /// The event of a line; `None` where it is none that is forwarded.
    ///
    /// # Errors
    /// Where the bytes are no line.
    pub fn of(bytes: &'a [u8]) -> Result<Option<Self>, LineError> {
        let short = || LineError("a line that ends early".to_string());
        let (tag, rest) = bytes.split_first().ok_or_else(short)?;
        if matches!(*tag, EPOCH | OPEN) {
            return Ok(None);
        }
        let (src_seq, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let (ts, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let (exp, record) = match *tag {
            EVENT => (None, rest),
            CONSUMED => {
                let (exp, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
                (Some(Time(i64::from_be_bytes(*exp))), rest)
            }
            _ => return Err(LineError("an unknown tag".to_string())),
        };
        Ok(Some(Self { src_seq: u64::from_be_bytes(*src_seq), ts: Time(i64::from_be_bytes(*ts)), exp, record }))
    }
}

/// The bytes of an event's line: tag, number, time, expiry beside a consumption, the canonical record. A consumption without the
/// artifact's expiry is not read back; [`Opened::lines`](crate::permit::Opened::lines) puts it there.
#[must_use]
pub fn encode_event(record: &Record, exp: Option<Time>) -> Vec<u8> {
    // Tag, and at most three numbers.
    let mut out = Vec::with_capacity(1 + 3 * 8 + record.canonical().len());
    out.push(if exp.is_some() { CONSUMED } else { EVENT });
    out.extend(record.src_seq.to_be_bytes());
    out.extend(record.ts.0.to_be_bytes());
    if let Some(exp) = exp {
        out.extend(exp.0.to_be_bytes());
    }
    out.extend(record.canonical());
    out
}

impl Line {
    /// A line for an event without an expiry beside it: any but `authorization.consumed`, which is not read back without one.
    #[must_use]
    pub const fn event(record: Record) -> Self {
        Self::Event { record, exp: None }
    }

    /// Whether these are the bytes of a registry epoch's line.
    #[must_use]
    pub fn is_epoch(bytes: &[u8]) -> bool {
        bytes.first() == Some(&EPOCH)
    }

    /// Whether these are of a kind of line that there is here. Bytes that end before their kind are of none at all, and no other
    /// build's.
    #[must_use]
    pub fn is_known(bytes: &[u8]) -> bool {
        bytes.first().is_none_or(|kind| matches!(*kind, EVENT | CONSUMED | EPOCH | OPEN))
    }

    /// The bytes in the log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Event { record, exp } => encode_event(record, *exp),
            Self::Epoch(epoch) => {
                let mut out = Vec::with_capacity(9);
                out.push(EPOCH);
                out.extend(epoch.to_be_bytes());
                out
            }
            Self::Open(record) => [&[OPEN], record.canonical()].concat(),
        }
    }

    /// Reads a line.
    ///
    /// # Errors
    /// Where the bytes are no line.
    pub fn decode(bytes: &[u8]) -> Result<Self, LineError> {
        let record = |bytes: &[u8]| Record::read_canonical(bytes).map_err(|error| LineError(error.to_string()));
        if let Some((&OPEN, rest)) = bytes.split_first() {
            return record(rest).map(Self::Open);
        }
        let Some(line) = Forward::of(bytes)? else {
            let epoch = bytes.get(1..).and_then(|rest| rest.try_into().ok());
            let epoch = epoch.ok_or_else(|| LineError("an epoch of another length".to_string()))?;
            return Ok(Self::Epoch(u64::from_be_bytes(epoch)));
        };
        let record = record(line.record)?;
        if (record.src_seq, record.ts) != (line.src_seq, line.ts) {
            return Err(LineError("a number or a time that is not the record's".to_string()));
        }
        Ok(Self::Event { record, exp: line.exp })
    }
}
