//! What an entry adds to the index.

use crate::places::Places;
use crate::state::read;
use eleven_core::encoding::Encoded;
use eleven_core::event::Record;
use eleven_core::hash::Sha256;
use eleven_core::id;
use std::sync::RwLock;

/// Bytes of a hash that stand for a value.
const HASHED: usize = 16;
/// The most events that are gone back to a lineage's first.
const MAX_BACK: u64 = 4096;

/// What a lineage can be found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum By {
    /// Every lineage, for asking by time alone.
    Any = 0,
    Identity = 1,
    Operation = 2,
    Artifact = 3,
    Runtime = 4,
    Reason = 5,
    /// The first event.
    Event = 6,
}

/// A value that lineages are found by: the kind, and 16 bytes of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term([u8; 1 + HASHED]);

/// A value and the first entry of a lineage that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row([u8; 25]);

impl Term {
    pub(crate) fn new(by: By, value: &str) -> Self {
        let hash = Sha256::of(&[value.as_bytes()]).0;
        let mut term = [by as u8; 1 + HASHED];
        term[1..].copy_from_slice(&hash[..HASHED]);
        Self(term)
    }

    pub(crate) fn row(&self, seq: u64) -> Row {
        let mut row = [0; 25];
        row[..=HASHED].copy_from_slice(&self.0);
        row[1 + HASHED..].copy_from_slice(&seq.to_be_bytes());
        Row(row)
    }
}

impl Row {
    pub(crate) fn bytes(&self) -> &[u8; 25] {
        &self.0
    }

    /// The entry that a row names.
    pub(crate) fn seq_of(bytes: &[u8; 25]) -> u64 {
        let mut seq = [0; 8];
        seq.copy_from_slice(&bytes[1 + HASHED..]);
        u64::from_be_bytes(seq)
    }
}

/// Whether a record adds any rows: most don't, and need not be read.
pub(super) fn adds(encoded: &Encoded<'_>) -> bool {
    let first = encoded.text("op").map(|op| first_of(&op));
    encoded.get("reason").is_some() || encoded.int("n").and_then(|n| u64::try_from(n).ok()) == first
}

/// Adds the rows of the record in entry `seq`. A lineage's first event says what it is about; of the later ones only why
/// something ended is new. The lock on `places` is held for no longer than it takes to go back there: whoever appends waits
/// for it.
pub(super) fn push(record: &Record, seq: u64, places: &RwLock<Places>, rows: &mut Vec<Row>) {
    if record.event.starts_with("ledger.") {
        return;
    }
    let about = &record.about;
    let mut add = |by, value: Option<&str>, seq| rows.extend(value.map(|value| Term::new(by, value).row(seq)));
    if record.n == first_of(&record.op) {
        add(By::Any, Some(""), seq);
        add(By::Event, Some(&record.event), seq);
        add(By::Identity, about.identity.as_deref(), seq);
        add(By::Operation, about.operation.as_deref(), seq);
        add(By::Artifact, about.artifact_id.as_deref(), seq);
        add(By::Runtime, about.runtime.as_deref(), seq);
    }
    if let Some(reason) = about.reason {
        let first = first_entry(record, seq, &read(places));
        add(By::Reason, Some(reason.code()), first);
    }
}

/// The number of a lineage's own first event: a use of a bounded or rate artifact shares the one before it with all others.
pub(crate) fn first_of(op: &str) -> u64 {
    if matches!(id::split_operation(op), Some((_, Some(_)))) { 2 } else { 1 }
}

fn first_entry(record: &Record, seq: u64, places: &Places) -> u64 {
    let back = record.n.saturating_sub(first_of(&record.op)).min(MAX_BACK);
    let mut first = seq;
    for _ in 0..back {
        let Some(before) = places.before(first) else { break };
        first = before;
    }
    first
}
