//! Checking a ledger's folder from its bytes alone: every chain value, signature, rule, index and head is computed again.

use crate::heads::Heads;
use crate::ledger::LedgerError;
use crate::recover::{self, Depth, Replayed};
use eleven_core::root::KeyUse;
use eleven_store::{Folder, Log as _, SegmentLog, SegmentOptions};
use std::path::Path;

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
}

/// Reads all of a ledger's folder, which no other process may hold, and checks it. Each entry's bytes, both chains,
/// every signature, the rules it was appended by, its content, the index that every seal names; and that the last head
/// is signed, and over this very history. Takes about 60 us an entry.
///
/// # Errors
/// [`LedgerError::Replay`] names the first entry that is wrong, and how; [`LedgerError::Head`] the head.
pub fn fsck(folder: &Path) -> Result<Sound, LedgerError> {
    let home = Folder::open(folder, "ledger")?;
    let log = SegmentLog::open(home.place("log")?, SegmentOptions::default())?;
    let replayed = recover::replay(log.reader().as_ref(), Depth::Everything)?;
    let heads = Heads::new(SegmentLog::open(home.place("heads")?, SegmentOptions::default())?);
    let head = check_head(&replayed, &heads)?;
    let registry = replayed.book.registry().ok_or_else(|| LedgerError::Empty(folder.to_owned()))?;
    Ok(Sound {
        ledger: replayed.resumed.name.clone(),
        entries: replayed.book.size(),
        lineages: replayed.book.lineages() as u64,
        running: replayed.book.running() as u64,
        epoch: registry.epoch(),
        head,
    })
}

/// The last head is signed by a head key of a root, and commits to the entries that are here.
fn check_head(replayed: &Replayed, heads: &Heads) -> Result<u64, LedgerError> {
    use crate::heads::HeadError;
    let Some(last) = heads.last().map_err(LedgerError::Head)? else { return Ok(0) };
    let (head, size) = (&last.head, last.head.commitment.size);
    let signed = replayed.book.registry().is_some_and(|registry| {
        let keys = registry.roots().filter_map(|root| root.role_key(KeyUse::Head, &head.sig.kid, head.at));
        keys.into_iter().any(|key| head.verify(&key))
    });
    if !signed {
        return Err(LedgerError::Head(HeadError::Key(head.sig.kid.clone())));
    }
    let there = replayed.book.size();
    if size > there {
        return Err(LedgerError::Head(HeadError::Back { last: size, next: there }));
    }
    if replayed.tree.root_at(size) != Some(head.commitment.root) {
        return Err(LedgerError::Head(HeadError::Fork { size }));
    }
    Ok(size)
}

#[cfg(test)]
mod tests;
