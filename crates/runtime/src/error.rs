//! Why an enforcement point ends: in the words of its process's last line.

use crate::forward::OutboxError;
use eleven_api::tasks::Ended;
use eleven_store::{OpenError, Stop};
use std::fmt;

/// Why an enforcement point could not start, or had to stop.
#[derive(Debug)]
pub enum RuntimeError {
    /// The journal can't be opened or is damaged.
    Journal(String),
    /// The versions of the trust root that the folder keeps can't be used.
    Root(String),
    /// The store of disclosures can't be used.
    Disclosures(String),
    /// The upstream's key can't be sent.
    UpstreamKey,
    /// The ledger knows records of this point's key that its journal does not hold: the journal was lost.
    JournalLost {
        /// The number the ledger expects next.
        expected: u64,
        /// The number the journal would give next.
        held: u64,
    },
    /// The journal is not the stream that the ledger has of this point's key, or can't be held against it.
    Stream(OutboxError),
    /// The journal is empty, and the ledger does not know this point by its signature: whether the journal was lost is not told.
    Unknown {
        /// The ledger's refusal.
        refusal: String,
        /// What to do.
        advice: &'static str,
    },
    /// The journal failed while running: what is durable is not known, so the process stops.
    Stopped(String),
    /// A task ended that this point can't do without.
    Task(Ended),
}

impl RuntimeError {
    /// Whether it is so at every start until a person has helped: the journal is not the stream of its key.
    #[must_use]
    pub const fn stays(&self) -> bool {
        matches!(self, Self::JournalLost { .. } | Self::Stream(OutboxError::Foreign { .. }))
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(what) => write!(f, "the journal cannot be used: {what}"),
            Self::Root(what) => f.write_str(what),
            Self::Disclosures(what) => write!(f, "the store of disclosures cannot be used: {what}"),
            Self::UpstreamKey => f.write_str(
                "the upstream's key holds what cannot stand in a header: let the file that upstream_key_file names hold the \
                 key and nothing else",
            ),
            Self::JournalLost { expected, held } => write!(
                f,
                "the ledger expects record {expected} of this point, its journal stands at {held}: the journal was lost or \
                 replaced; the point returns under new keys only: `eleven runtime key replace`"
            ),
            Self::Stream(error) => error.fmt(f),
            Self::Unknown { refusal, advice } => write!(
                f,
                "the journal is empty, and the ledger does not tell this point whether it always was ({refusal}){advice}"
            ),
            Self::Stopped(what) => write!(f, "the journal failed: {what}; the next start recovers"),
            Self::Task(ended) => ended.fmt(f),
        }
    }
}

impl std::error::Error for RuntimeError {}

/// A journal that can't be opened. Of one that is damaged only a copy of the last stop helps: what the ledger has of this key beyond an
/// older one, that does not hold.
pub(crate) fn unopened(error: &OpenError) -> RuntimeError {
    let advice = match error {
        OpenError::Damaged(_) | OpenError::Missing { .. } => {
            "; a copy helps only where the point did not run since. Without one it returns under new keys, by `eleven runtime key \
             replace` while ledger and authority run and it does not"
        }
        OpenError::Io { .. } | OpenError::Version { .. } | OpenError::Stray { .. } => "",
    };
    RuntimeError::Journal(format!("{error}{advice}"))
}

/// Why the journal's writer stopped, where it was not asked to: the process ends with that as its last line.
pub(crate) fn failure(why: &Stop) -> Option<String> {
    match why {
        Stop::Closed => None,
        Stop::Failed(error) => Some(error.to_string()),
        Stop::Panicked => Some("its writer broke off: start the process again".to_owned()),
    }
}

#[cfg(test)]
mod tests;
