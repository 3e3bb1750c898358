//! Why the corner could not start, or had to stop.

use crate::heads::HeadError;
use crate::recover::ReplayError;
use eleven_api::tasks::Ended;
use eleven_store::{FolderError, OpenError, TornTail};
use std::fmt;
use std::path::PathBuf;

/// Why the corner could not start, or had to stop.
#[derive(Debug)]
pub enum LedgerError {
    /// The folder can't be used.
    Folder(FolderError),
    /// A log can't be opened.
    Open(OpenError),
    /// What the log holds is no ledger of this build.
    Replay(ReplayError),
    /// Bytes of a log are not those that were written, and no crash leaves that.
    Damaged {
        /// Which of the two logs.
        log: &'static str,
        /// The first entry that is lost, where that is known.
        entry: Option<u64>,
        /// Where, and what is wrong there.
        what: String,
    },
    /// There are bytes behind the last commit: what a crash in the middle of one leaves, or damage to the last.
    Torn {
        /// Which of the two logs.
        log: &'static str,
        /// Where.
        torn: TornTail,
    },
    /// The folder holds no ledger yet.
    Empty(PathBuf),
    /// The folder holds a ledger already.
    NotEmpty(PathBuf),
    /// The genesis is not one.
    Genesis(String),
    /// The heads that were signed are not this ledger's.
    Head(HeadError),
    /// A copy can't be made, or may not be put in the ledger's place.
    Restore(String),
    /// A setting is out of its range.
    Setting(&'static str),
    /// The search index can't be made.
    Search(String),
    /// A thread or a file could not be had.
    Io(std::io::Error),
    /// A commit failed: the state of this process is ahead of its log, so it must stop (invariant 4).
    Commit(String),
    /// A task ended that the ledger can't do without.
    Task(Ended),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Replay(error) => error.fmt(f),
            Self::Damaged { log, entry: Some(entry), what } => {
                write!(f, "entry {entry} of the ledger is the first that is lost: {log}/{what}")
            }
            Self::Damaged { log, entry: None, what } => write!(f, "{log}/{what}"),
            Self::Torn { log, torn } => write!(
                f,
                "{log}/{} has {} bytes from byte {} on that are no commit: all before them is sound; where the process \
                 ended in the middle of a commit nobody was told of it and the next start clears it, else the last \
                 commit is damaged: compare with a mirror",
                torn.segment, torn.bytes, torn.offset
            ),
            Self::Empty(path) => {
                write!(f, "{} holds no ledger yet: make its genesis with `eleven init`", path.display())
            }
            Self::NotEmpty(path) => write!(f, "{} holds a ledger already: name another folder", path.display()),
            Self::Genesis(why) => write!(f, "this is no genesis: {why}"),
            Self::Head(error) => error.fmt(f),
            Self::Restore(what) => f.write_str(what),
            Self::Setting(what) => f.write_str(what),
            Self::Search(why) => f.write_str(why),
            Self::Io(error) => write!(f, "the ledger cannot go on: {error}"),
            Self::Commit(why) => write!(f, "the ledger stops: {why}"),
            Self::Task(ended) => ended.fmt(f),
        }
    }
}

impl std::error::Error for LedgerError {}

impl From<FolderError> for LedgerError {
    fn from(error: FolderError) -> Self {
        Self::Folder(error)
    }
}

impl From<OpenError> for LedgerError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<ReplayError> for LedgerError {
    fn from(error: ReplayError) -> Self {
        Self::Replay(error)
    }
}
