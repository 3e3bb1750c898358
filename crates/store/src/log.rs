//! The port: what a log promises, and the words in which it answers.

use std::{fmt, io, sync::Arc};

use rustix::io::Errno;

use crate::metrics::Metrics;

/// The most bytes of records that one append may carry (64 MiB). Far above the largest request body a listener takes
/// by default (PROTOCOL 13), so that an event and its blobs always fit one commit.
pub const MAX_COMMIT_BYTES: usize = 64 << 20;

/// The most records that one append may carry.
pub const MAX_COMMIT_RECORDS: usize = 1 << 20;

/// An append-only sequence of records with one writer. Positions count records from 0 and are never used twice, also where
/// everything was dropped and the log is opened again.
///
/// Whoever owns the value is the writer; an implementation keeps a second one out (PROTOCOL 8, one writer per ledger).
pub trait Log: Send {
    /// The position of the oldest record still held; equal to [`Log::next`] where none is.
    fn first(&self) -> u64;

    /// The position that the next record will take.
    fn next(&self) -> u64;

    /// Adds `records` at `expected`, which must be [`Log::next`], as one atomic commit: after a crash all of them are
    /// there or none. Returns after they are durable. No records at the right position is a success that does nothing.
    ///
    /// # Errors
    /// See [`AppendError`]: each variant says whether the records may exist and whether the log can go on.
    fn append(&mut self, expected: u64, records: &[&[u8]]) -> Result<Durable, AppendError>;

    /// Lets go of records below `position`. An implementation may keep some of them (it frees space in its own units),
    /// so that `first() <= position` afterwards; every record at or above `position` stays.
    ///
    /// # Errors
    /// See [`DropError`]. No record at or above `position` is ever touched.
    fn drop_before(&mut self, position: u64) -> Result<(), DropError>;

    /// A reader for other threads, usable while this writer appends and after it is gone.
    fn reader(&self) -> Arc<dyn ReadLog>;

    /// What was measured on this log; shared, and readable from other threads.
    fn metrics(&self) -> Arc<Metrics>;
}

/// The reading side of a log. It never shows a record before that record is durable.
pub trait ReadLog: Send + Sync {
    /// Durable records from `position` on, in order, each with its position: at most `max_records`, and no more once
    /// `max_bytes` would be passed, save that the first record comes whatever its size. Empty at the durable end, and nowhere else
    /// where a record is asked for: whoever reads all takes that for the end.
    ///
    /// # Errors
    /// [`ReadError`]; what is returned was checked against its checksum on this read.
    fn read_from(&self, position: u64, max_records: usize, max_bytes: usize) -> Result<Vec<(u64, Vec<u8>)>, ReadError>;

    /// The position after the last durable record. Never goes back.
    fn durable(&self) -> u64;

    /// The position of the oldest record still held. Never goes back.
    fn first(&self) -> u64;
}

/// The durability of a commit, by its name in PROTOCOL 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Durable on one machine: fdatasync returned.
    D1,
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::D1 => out.write_str("D1"),
        }
    }
}

/// Proof that the records `first..next` of a log are durable. Only this crate can make one, it cannot be copied, and
/// it is made after the sync returned: what demands a `Durable` cannot run before its records are safe.
///
/// A receipt of no records (`first == next`) proves nothing about any record; who needs a record checks
/// [`Durable::count`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the receipt is the only proof that the records are durable"]
pub struct Durable {
    first: u64,
    next: u64,
    level: Level,
}

impl Durable {
    pub(crate) fn on_one_machine(first: u64, next: u64) -> Durable {
        debug_assert!(first <= next, "a receipt covers a forward range");
        Durable { first, next, level: Level::D1 }
    }

    /// The receipt for `first..next`, a part of what this one covers; none for anything outside it.
    pub(crate) fn part(&self, first: u64, next: u64) -> Option<Durable> {
        let inside = self.first <= first && first <= next && next <= self.next;
        inside.then_some(Durable { first, next, level: self.level })
    }

    /// The position of the first record covered.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The position after the last record covered.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How many records are covered.
    pub fn count(&self) -> u64 {
        self.next - self.first
    }

    /// How durable they are, as an answer that reports the commit must name it (PROTOCOL 8).
    pub fn level(&self) -> Level {
        self.level
    }
}

/// Why an append gave no receipt.
#[derive(Debug)]
pub enum AppendError {
    /// The caller's position is not the log's. Nothing was written; the log goes on at `next`.
    Conflict {
        /// The position at which the log would append.
        next: u64,
    },
    /// More than one commit may carry. Nothing was written; the log goes on.
    TooLarge {
        /// How many records were given.
        records: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// Failed before any byte of these records was written: they do not exist and never will. The log is poisoned.
    NotWritten(io::Error),
    /// Failed while writing or syncing: all of the records exist or none, and only opening the log again tells. The
    /// log is poisoned.
    Unknown(io::Error),
    /// An earlier append failed; nothing was tried. The process must stop and open the log again.
    Poisoned,
}

impl AppendError {
    /// Whether the records of this append may be found when the log is opened again.
    pub fn may_exist(&self) -> bool {
        matches!(self, AppendError::Unknown(_))
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::Conflict { next } => write!(out, "the log is at position {next}: read on to it and try again"),
            AppendError::TooLarge { records, bytes } => write!(
                out,
                "{records} records of {bytes} bytes are more than one commit carries \
                 ({MAX_COMMIT_RECORDS} records, {MAX_COMMIT_BYTES} bytes): split them"
            ),
            AppendError::NotWritten(cause) => {
                let advice = match Errno::from_io_error(cause) {
                    Some(Errno::MFILE | Errno::NFILE) => {
                        "too many connections, or too low a limit on open files: raise LimitNOFILE, or `ulimit -n`"
                    }
                    _ => "free or repair the disk",
                };
                write!(out, "nothing was written ({cause}): {advice}, then start the process again")
            }
            AppendError::Unknown(cause) => write!(
                out,
                "it is unknown whether the records are durable ({cause}): stop the process, check the disk, start \
                 again; recovery keeps all of them or none"
            ),
            AppendError::Poisoned => {
                out.write_str("an earlier commit failed: stop the process, check the disk, start again")
            }
        }
    }
}

impl std::error::Error for AppendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AppendError::NotWritten(cause) | AppendError::Unknown(cause) => Some(cause),
            AppendError::Conflict { .. } | AppendError::TooLarge { .. } | AppendError::Poisoned => None,
        }
    }
}

/// Why records could not be let go of.
#[derive(Debug)]
pub enum DropError {
    /// The position lies beyond the end of the log. Nothing was dropped.
    Beyond {
        /// The position after the last record.
        next: u64,
    },
    /// An earlier append failed, so that this writer may change nothing any more.
    Poisoned,
    /// The records are no longer shown, but their space may not be free, and they may show again after the next open.
    /// The log can still append; dropping again tries again.
    Failed(io::Error),
}

impl fmt::Display for DropError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DropError::Beyond { next } => write!(out, "the log ends at position {next}: drop at most up to there"),
            DropError::Poisoned => {
                out.write_str("an earlier commit failed: stop the process, check the disk, start again")
            }
            DropError::Failed(cause) => {
                write!(out, "old records were let go of but their space is not free ({cause}): drop again later")
            }
        }
    }
}

impl std::error::Error for DropError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DropError::Failed(cause) => Some(cause),
            DropError::Beyond { .. } | DropError::Poisoned => None,
        }
    }
}

/// Why records could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// The position was dropped.
    Dropped {
        /// The oldest position still held.
        first: u64,
    },
    /// What is stored is not what was written.
    Damaged(Damage),
    /// The disk refused.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Dropped { first } => write!(out, "the position was dropped: read from {first} on"),
            ReadError::Damaged(damage) => write!(out, "{damage}"),
            ReadError::Io(cause) => write!(out, "the log could not be read ({cause}): check the disk"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Io(cause) => Some(cause),
            ReadError::Dropped { .. } | ReadError::Damaged(_) => None,
        }
    }
}

/// A place in a log that does not hold what was written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub segment: String,
    /// The byte in it at which the first thing wrong begins.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} is damaged at byte {}: {}: restore the folder from a copy, nothing was changed",
            self.segment, self.offset, self.what
        )
    }
}
