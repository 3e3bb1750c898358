//! Starting: the journal is read back into its state, and what a crash left open is closed truthfully.

use eleven_core::time::Time;
use eleven_enforce::journal::{Journal, Line, Point};
use eleven_store::Log;

/// Read at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 8 << 20;

/// Reads a journal back, line by line, into its state.
///
/// # Errors
/// Where it can't be read or is none of this point's.
pub fn read_back(log: &impl Log, point: Point) -> Result<Journal, String> {
    let mut journal = Journal::new(point);
    let reader = log.reader();
    let mut position = reader.first();
    loop {
        let read = reader.read_from(position, CHUNK_RECORDS, CHUNK_BYTES).map_err(|error| error.to_string())?;
        if read.is_empty() {
            return Ok(journal);
        }
        for (at, bytes) in read {
            let line = Line::decode(&bytes).map_err(|error| error.to_string())?;
            journal.restore(&line)?;
            position = at + 1;
        }
    }
}

/// Closes truthfully what a crash left open, in one commit, before anything new is admitted (PROTOCOL 5.1).
///
/// # Errors
/// Where the records can't be made or committed: the point does not start.
pub fn close_open(log: &mut impl Log, journal: &mut Journal, now: Time) -> Result<(), String> {
    let records = journal.recover(now)?;
    if records.is_empty() {
        return Ok(());
    }
    tracing::warn!(lineages = records.len() / 2, "closing lineages that were open when this point stopped");
    let lines: Vec<Vec<u8>> = records.into_iter().map(|record| Line::event(record).encode()).collect();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let durable = log.append(log.next(), &lines).map_err(|error| error.to_string())?;
    debug_assert!(durable.count() == u64::try_from(lines.len()).unwrap_or(0), "one commit for all of them");
    Ok(())
}
