//! Moving content that is past its retention out of the ledger, and reading it from where it went.
//!
//! What moves is content: artifacts, decision inputs, large evidence. Entries never do: the log keeps each, and with them
//! both chains, the tree, the index and every head are what they were. In the place of content that moved stands its hash.
//! While the archive is named in the settings the ledger serves from it; without it, it says where the content went.
//!
//! It moves in three steps, each whole before the next: what may go is found ([`past`]), it is copied and durable in the
//! archive ([`kept`]), and only then its hash takes its place in the log. A ledger that runs does it by itself
//! ([`running`]); [`archive`] does it for one that does not.
//!
//! **Invariant**: nothing moves before a head that the ledger has signed lets it go by its time, and the clock does. Whoever
//! follows the ledger judges by its heads, and no later one has an earlier time.

use crate::backup;
use crate::error::LedgerError;
use crate::home::{self, HEADS, LOG, LOG_OPTIONS};
use crate::recover::{self, Depth, Replayed};
use crate::saved;
use crate::stored::Stored;
use eleven_core::hash::Sha3;
use eleven_core::time::Time;
use eleven_store::{Folder, Log as _, ReadLog, SegmentLog, read_only};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

mod kept;
mod past;
mod running;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use kept::Archive;
use past::{Past, Rules};
pub(crate) use running::{Mover, signed_at};

/// Read and written at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 8 << 20;

/// What was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Pieces of content.
    pub pieces: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lineages that are past the retention and not held.
    pub lineages: u64,
    /// Lineages that are past the retention and held.
    pub held: u64,
    /// The retention in force, in days.
    pub days: u64,
}

/// Moves the content of every lineage that ended longer than the retention ago, and is not held, from the ledger in
/// `folder`, which must not run, to the archive `to`: as of its last head, or of `now` where that is earlier.
///
/// # Errors
/// Where no retention is set, no head was signed, the ledger is not whole, or a log can't be read or written. Then what was
/// not moved is where it was, and the same call goes on from there.
pub fn archive(folder: &Path, to: &Path, now: Time) -> Result<Archived, LedgerError> {
    archive_by(folder, to, |home, replayed| {
        let (heads, _) = read_only(&home.place(HEADS)?)?;
        let signed = backup::signed_at(&*heads, replayed)?.ok_or_else(|| {
            LedgerError::Restore("no head was signed yet, and content goes by its time: let the ledger run".to_owned())
        })?;
        Ok(signed.min(now))
    })
}

/// The same, as of the time that `time` finds for the ledger.
///
/// # Errors
/// Those of `time`, and as [`archive`].
pub(crate) fn archive_by(
    folder: &Path,
    to: &Path,
    time: impl FnOnce(&Folder, &Replayed) -> Result<Time, LedgerError>,
) -> Result<Archived, LedgerError> {
    let home = home::open_existing(folder)?;
    saved::forget(folder).map_err(LedgerError::Io)?;
    let mut log = SegmentLog::open(home.place(LOG)?, LOG_OPTIONS)?;
    let reader = log.reader();
    let replayed = recover::replay(&*reader, Depth::RESUME)?;
    let registry = replayed.book.registry().ok_or_else(|| LedgerError::Empty(folder.to_owned()))?;
    let rules = Rules::of(registry).ok_or_else(|| {
        LedgerError::Restore(
            "no retention is set, so all content is kept: set one with `eleven retention set`".to_owned(),
        )
    })?;
    let time = time(&home, &replayed)?;
    // Here an archive that is not there is made: whoever names a folder means it.
    let archive = Archive::writing(to)?;
    let never = AtomicBool::new(false);
    let past = Past::of(&*reader, rules, time, &never)?;
    if past.going.is_empty() {
        return Ok(past.archived(&Moves::default()));
    }
    // What is in the segment that is written to can't be replaced there.
    log.close_segment().map_err(|error| LedgerError::Commit(error.to_string()))?;
    let moves = copy(&*reader, reader.durable(), &archive, &past.going, &never)?;
    log.rewriter().rewrite(&moves.changes(), &never).map_err(LedgerError::Io)?;
    Ok(past.archived(&moves))
}

/// What is in the archive and is to leave the log, by where it stands there.
#[derive(Default)]
struct Moves(BTreeMap<u64, Piece>);

/// A piece of content.
struct Piece {
    hash: Sha3,
    bytes: u64,
}

impl Moves {
    /// What is to stand in the log's positions.
    fn changes(&self) -> BTreeMap<u64, Vec<u8>> {
        self.0.iter().map(|(position, piece)| (*position, Stored::Moved(piece.hash).encode())).collect()
    }
}

/// Copies what goes and stands before position `end` to the archive, and says where it stood. All of it is durable there
/// when this returns.
fn copy(
    log: &dyn ReadLog,
    end: u64,
    archive: &Archive,
    going: &HashSet<Sha3>,
    stop: &AtomicBool,
) -> Result<Moves, LedgerError> {
    let (mut moves, mut batch, mut size) = (Moves::default(), Vec::new(), 0);
    each(log, log.first()..end, stop, |position, stored| {
        let Stored::Blob(bytes) = stored else { return Ok(()) };
        let hash = Sha3::of(&[&bytes]);
        if going.contains(&hash) {
            moves.0.insert(position, Piece { hash, bytes: bytes.len() as u64 });
            size += bytes.len();
            batch.push((hash, bytes));
        }
        if batch.len() >= CHUNK_RECORDS || size >= CHUNK_BYTES {
            archive.add(std::mem::take(&mut batch))?;
            size = 0;
        }
        Ok(())
    })?;
    archive.add(batch)?;
    Ok(moves)
}

/// Every record of a part of a ledger's log, in order, until `stop` is set.
fn each(
    log: &dyn ReadLog,
    part: Range<u64>,
    stop: &AtomicBool,
    mut take: impl FnMut(u64, Stored) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let mut position = part.start;
    while position < part.end {
        if stop.load(Ordering::Relaxed) {
            return Err(LedgerError::Io(std::io::ErrorKind::Interrupted.into()));
        }
        let most = CHUNK_RECORDS.min(usize::try_from(part.end - position).unwrap_or(CHUNK_RECORDS));
        let read = log.read_from(position, most, CHUNK_BYTES);
        let read = read.map_err(|error| LedgerError::Restore(error.to_string()))?;
        let Some((last, _)) = read.last() else { return Ok(()) };
        position = last + 1;
        for (at, bytes) in read {
            let stored = Stored::decode(bytes);
            let what = || LedgerError::Restore(format!("record {at} of the log is of no known kind"));
            take(at, stored.ok_or_else(what)?)?;
        }
    }
    Ok(())
}
