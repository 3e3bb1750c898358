//! Starting: the journal is read back into its state, and what a crash left open is closed truthfully.

use crate::forward::{Outbox, OutboxError};
use eleven_api::audit::Cursor;
use eleven_core::event::Record;
use eleven_core::time::Time;
use eleven_enforce::journal::{Forward, Journal, Line, Point, Reading};
use eleven_store::{Log, ReadError};
use std::fmt;

/// Read at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 8 << 20;
/// Lineages that are closed in one commit: two records each of at most 16 KiB, so that they take 32 MiB of the 64 MiB that one
/// carries, however many are open.
const AT_ONCE: usize = 1024;

/// Why a journal is not read back.
#[derive(Debug)]
pub enum ReadBackError {
    /// The disk refused: what the journal holds is not known.
    Disk(ReadError),
    /// It has a line of a kind that this build does not know. Segments have checksums: another build wrote it.
    Unknown,
    /// What is there is damaged, or no journal of this point's.
    Unusable(String),
}

impl fmt::Display for ReadBackError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(out, "{error}"),
            Self::Unknown => out.write_str(
                "the journal holds a line of a kind that this build does not know: start the build that wrote it",
            ),
            Self::Unusable(what) => out.write_str(what),
        }
    }
}

impl std::error::Error for ReadBackError {}

impl From<ReadError> for ReadBackError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(_) => Self::Disk(error),
            ReadError::Damaged(_) | ReadError::Dropped { .. } => Self::Unusable(error.to_string()),
        }
    }
}

/// Reads a journal back, line by line, into its state.
///
/// # Errors
/// Where it can't be read or is none of this point's.
pub fn read_back(log: &impl Log, point: Point) -> Result<Journal, ReadBackError> {
    let mut reading = Reading::new(point);
    let reader = log.reader();
    let mut position = reader.first();
    loop {
        let read = reader.read_from(position, CHUNK_RECORDS, CHUNK_BYTES)?;
        if read.is_empty() {
            return reading.end().map_err(ReadBackError::Unusable);
        }
        for (at, bytes) in read {
            if !Line::is_known(&bytes) {
                return Err(ReadBackError::Unknown);
            }
            reading.line(&bytes).map_err(ReadBackError::Unusable)?;
            position = at + 1;
        }
    }
}

/// Makes sure that a journal is the stream that the ledger tells of, as far as both have it.
///
/// # Errors
/// [`OutboxError::Foreign`] where it is another, [`OutboxError::Journal`] where it can't be read.
pub fn agree(log: &impl Log, cursor: &Cursor) -> Result<(), OutboxError> {
    Outbox::agree(log.reader().as_ref(), cursor)
}

/// The oldest event of number `from` or later that a journal holds: its number, and when it was made.
///
/// # Errors
/// Where it can't be read.
pub fn oldest_from(log: &impl Log, from: u64) -> Result<Option<(u64, Time)>, String> {
    let reader = log.reader();
    let mut position = reader.first();
    loop {
        let read = reader.read_from(position, CHUNK_RECORDS, CHUNK_BYTES).map_err(|error| error.to_string())?;
        let Some((last, _)) = read.last() else { return Ok(None) };
        position = last + 1;
        for (_, bytes) in &read {
            let event = Forward::of(bytes).map_err(|error| error.to_string())?;
            if let Some(event) = event.filter(|event| event.src_seq >= from) {
                return Ok(Some((event.src_seq, event.ts)));
            }
        }
    }
}

/// Closes truthfully what a crash left open, before anything new is admitted (PROTOCOL 5.1). A lineage is closed in one commit;
/// what another crash leaves of them is closed by the next start.
///
/// # Errors
/// Where the records can't be made or committed: the point does not start.
pub fn close_open(log: &mut impl Log, journal: &mut Journal, now: Time) -> Result<(), String> {
    let lineages = journal.open_lineages();
    if lineages > 0 {
        tracing::warn!(lineages, "closing lineages that were open when this point stopped");
    }
    while journal.open_lineages() > 0 {
        let records = journal.recover(now, AT_ONCE)?;
        commit(log, records)?;
    }
    Ok(())
}

/// Closes truthfully what was begun under a key whose journal is lost, as far as the ledger knows of it, in one commit.
///
/// # Errors
/// As [`close_open`]. What is no lineage of this point's stays open, and is named in the log.
pub(crate) fn close_lost(
    log: &mut impl Log,
    journal: &mut Journal,
    lineages: &[Vec<Record>],
    now: Time,
) -> Result<(), String> {
    let mut records = Vec::new();
    for lineage in lineages {
        match journal.recover_lost(lineage, now) {
            Ok(closing) => records.extend(closing),
            Err(error) => {
                let op = lineage.last().map(|record| record.op.as_str());
                tracing::error!(op, %error, "a lineage that the ledger says is this point's can't be closed");
            }
        }
    }
    if !records.is_empty() {
        tracing::warn!(
            lineages = lineages.len(),
            "closing lineages of the journal that was lost, as the ledger has them"
        );
    }
    commit(log, records)
}

fn commit(log: &mut impl Log, records: Vec<Record>) -> Result<(), String> {
    if records.is_empty() {
        return Ok(());
    }
    let lines: Vec<Vec<u8>> = records.into_iter().map(|record| Line::event(record).encode()).collect();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let durable = log.append(log.next(), &lines).map_err(|error| error.to_string())?;
    debug_assert!(durable.count() == u64::try_from(lines.len()).unwrap_or(0), "one commit for all of them");
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
