//! Checking a ledger's folder from its bytes alone: every chain value, signature, rule, piece of content, index and head is
//! computed again, on all cores. Nothing is changed, but that a restore which a crash cut short is ended.

use crate::error::LedgerError;
use crate::follow;
use crate::heads::{self, HeadError};
use crate::home::{self, HEADS, LOG};
use crate::recover::{Depth, Met, Replayed};
use crate::state::Published;
use eleven_core::head::Commitment;
use eleven_core::head::checkpoint::{Checkpoint, Note};
use eleven_core::signature::VerifyingKey;
use eleven_core::time::Time;
use eleven_store::{Folder, FolderError, OpenError, Place, ReadLog, TornTail, read_only, read_whole};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// What a whole ledger turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// The ledger's name, `ledger://<domain>`.
    pub ledger: String,
    /// How many entries there are.
    pub entries: u64,
    /// How many lineages.
    pub lineages: u64,
    /// How many operations were begun and are not closed.
    pub running: u64,
    /// The registry's epoch.
    pub epoch: u64,
    /// How many entries the last signed head covers; 0 where none was signed yet.
    pub head: u64,
    /// How many signed heads were checked: as many as are kept.
    pub heads: u64,
    /// How much was read.
    pub met: Met,
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How much was checked.
    pub met: Met,
    /// How many records the log has, of every kind.
    pub records: u64,
}

/// Reads all of a ledger's folder, or a mirror's, which no other process may hold, and checks it: each entry's bytes, both
/// chains, the tree, every signature, the rules it was appended by, its content, the index that every seal names, every
/// registry header; that every signed head that is kept is over this very history; and that content was moved out only where
/// it might be when the last head was signed. Nothing has to be writable there. `progress` is told now and then.
///
/// # Errors
/// [`LedgerError::Replay`] names the first entry that is wrong, and how; [`LedgerError::Damaged`] the first that is lost where bytes
/// are not those that were written, the file and the byte; [`LedgerError::Head`] the head; [`LedgerError::Torn`] the file and the
/// byte.
pub fn fsck(folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Sound, LedgerError> {
    let (home, mirror) = match home::open_to_read(folder) {
        // A mirror, kept by whoever follows a ledger, is checked alike.
        Err(LedgerError::Folder(FolderError::Corner { found, .. })) if found == follow::CORNER => {
            (Folder::open_to_read(folder, &found)?, true)
        }
        home => (home?, false),
    };
    let place = |name: &'static str| -> Result<Place, FolderError> { home.place(name) };
    check(&place(LOG)?, &place(HEADS)?, mirror, progress)
}

/// Checks the two logs of a ledger, or of a `mirror` of one.
///
/// # Errors
/// As [`fsck`].
pub(crate) fn check(
    log: &Place,
    heads: &Place,
    mirror: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Sound, LedgerError> {
    let (log, log_end) = match open(LOG, log) {
        Err(LedgerError::Damaged { what, .. }) => return Err(first_lost(log, what, progress)),
        opened => opened?,
    };
    let (heads, heads_end) = open(HEADS, heads)?;
    let checked = check_records(log.as_ref(), heads.as_ref(), mirror, progress);
    let sound = checked.map_err(|error| match (error, &log_end) {
        // No crash leaves that: what a head covers was durable.
        (LedgerError::Head(HeadError::Back { last, next }), Some(torn)) => LedgerError::Damaged {
            log: LOG,
            entry: Some(next),
            what: format!(
                "{} has {} bytes from byte {} on that are no commit, and a head covers {last} entries: restore the folder \
                 from a copy",
                torn.segment, torn.bytes, torn.offset
            ),
        },
        (error, _) => error,
    })?;
    // After all else: what is wrong before it says more than a torn end does.
    match log_end.map(|torn| (LOG, torn)).or_else(|| heads_end.map(|torn| (HEADS, torn))) {
        Some((log, torn)) => Err(LedgerError::Torn { log, torn }),
        None => Ok(sound),
    }
}

/// Which entry is the first that is lost to damage of the log, `what`, where one is; or what is wrong with one before it, since all
/// that is whole is checked.
fn first_lost(log: &Place, what: String, progress: &mut dyn FnMut(Progress)) -> LedgerError {
    let (whole, ends) = match read_whole(log) {
        Ok(whole) => whole,
        Err(error) => return error.into(),
    };
    let records = whole.durable();
    let mut replayed = Replayed::new(Depth::Everything, BTreeSet::new());
    if let Err(wrong) = replayed.extend(whole.as_ref(), &mut |met| progress(Progress { met: *met, records })) {
        return wrong.into();
    }
    match ends {
        // A file that has no segment's name: none of the entries is in it.
        None => LedgerError::Damaged { log: LOG, entry: None, what },
        Some(error @ (OpenError::Damaged(_) | OpenError::Missing { .. })) => {
            LedgerError::Damaged { log: LOG, entry: Some(replayed.book.size()), what: error.to_string() }
        }
        Some(error) => error.into(),
    }
}

/// Checks what the two logs of a ledger hold.
fn check_records(
    log: &dyn ReadLog,
    heads: &dyn ReadLog,
    mirror: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Sound, LedgerError> {
    let heads = heads::all(heads).map_err(LedgerError::Head)?;
    let sizes = heads.iter().map(|published| published.head.commitment.size).collect();
    let mut replayed = Replayed::new(Depth::Everything, sizes);
    let records = log.durable();
    replayed.extend(log, &mut |met| progress(Progress { met: *met, records }))?;
    let mut replayed = replayed.finish()?;
    let head = check_heads(&replayed, &heads).map_err(LedgerError::Head)?;
    // By the ledger's own signed time, as whoever follows it. What a mirror copied past its last head is judged by the next.
    let judged = !mirror || head == replayed.book.size();
    let at = heads.last().map(|last| last.head.at).or(replayed.book.at());
    if let Some(at) = at.filter(|_| judged) {
        replayed.check_moved(at)?;
    }
    let registry = replayed.book.registry().ok_or(LedgerError::Genesis("there is no entry".to_owned()))?;
    Ok(Sound {
        ledger: replayed.resumed.name.clone(),
        entries: replayed.book.size(),
        lineages: replayed.book.lineages() as u64,
        running: replayed.book.running() as u64,
        epoch: registry.epoch(),
        head,
        heads: heads.len() as u64,
        met: replayed.met,
    })
}

fn open(log: &'static str, place: &Place) -> Result<(Arc<dyn ReadLog>, Option<TornTail>), LedgerError> {
    match read_only(place) {
        Ok((read, recovery)) => Ok((read, recovery.torn)),
        Err(error @ (OpenError::Damaged(_) | OpenError::Missing { .. } | OpenError::Stray { .. })) => {
            Err(LedgerError::Damaged { log, entry: None, what: error.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Every head is signed by a head key of a root that is not compromised by the entries under it, its checkpoint with it, and
/// commits to the entries that are here; none goes back. The size of the last.
fn check_heads(replayed: &Replayed, heads: &[Published]) -> Result<u64, HeadError> {
    let (mut last, mut at) = (0, None);
    for published in heads {
        let (head, size) = (&published.head, published.head.commitment.size);
        let wrong = |what: &str| HeadError::Wrong { size, what: what.to_owned() };
        // Before its key: that stands in what is missing, maybe.
        let there = replayed.book.size();
        if size > there {
            // The largest that is known, for a copy has to reach to that one.
            let last = heads.iter().map(|head| head.head.commitment.size).max().unwrap_or(size);
            return Err(HeadError::Back { last, next: there });
        }
        let key = replayed.key_of(head).ok_or_else(|| HeadError::Key(head.sig.kid.clone()))?;
        check_checkpoint(published, &key).map_err(|what| HeadError::Wrong { size, what })?;
        if size < last || at.is_some_and(|at| head.at < at) {
            return Err(wrong("the head before it is larger or later"));
        }
        (last, at) = (size, Some(head.at));
        check_commitment(replayed, &head.commitment, head.at)?;
    }
    Ok(last)
}

fn check_checkpoint(published: &Published, key: &VerifyingKey) -> Result<(), String> {
    let note = Note::parse(&published.checkpoint).map_err(|error| error.to_string())?;
    if note.checkpoint != Checkpoint::of(&published.head.commitment) {
        return Err("its checkpoint is of another size or root".to_owned());
    }
    if !note.signed_by(key) {
        return Err("its checkpoint is not signed by the head's key".to_owned());
    }
    Ok(())
}

fn check_commitment(replayed: &Replayed, commitment: &Commitment, at: Time) -> Result<(), HeadError> {
    let size = commitment.size;
    if replayed.tree.root_at(size) != Some(commitment.root) {
        return Err(HeadError::Fork { size });
    }
    let wrong = |what: &str| Err(HeadError::Wrong { size, what: what.to_owned() });
    match replayed.wanted.get(&size) {
        Some(Some((sealed, since))) if sealed == commitment => {
            if at < *since {
                wrong("it was signed before its seal was appended")
            } else {
                Ok(())
            }
        }
        Some(Some(_)) => wrong("its chain values, index or registry are not those of the entries"),
        _ => wrong("the last entry under it is no seal"),
    }
}

#[cfg(test)]
mod flips;
#[cfg(test)]
mod tests;
