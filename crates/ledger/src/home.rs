//! Where a ledger lies: its folder's mark, and the two logs in it.

use crate::backup;
use crate::error::LedgerError;
use eleven_store::{Folder, SegmentOptions};
use std::path::Path;

/// The corner's name, as its folder is marked.
pub(crate) const CORNER: &str = "ledger";
/// The places of the two logs in the folder: that of the entries and their content, and that of the signed heads.
pub(crate) const LOG: &str = "log";
pub(crate) const HEADS: &str = "heads";
/// Entries are packed once their segment is closed: a ledger is read seldom and kept for years. Who asks for a lineage or
/// a proof asks for records that lie near each other.
pub(crate) const LOG_OPTIONS: SegmentOptions =
    SegmentOptions { smallest: 1 << 20, largest: 32 << 20, ahead: true, pack: true, recent: 4 << 20 };

/// Opens the folder of a ledger that is there, a restore that a crash cut short being ended first: what is in between is
/// neither of the two ledgers.
///
/// # Errors
/// Where there is none, another process holds it, or a log can't be moved.
pub(crate) fn open_existing(folder: &Path) -> Result<Folder, LedgerError> {
    let home = Folder::open_existing(folder, CORNER)?;
    backup::finish(folder)?;
    Ok(home)
}

/// The same to read what is there, also where nothing can be written: a copy on a medium that is for reading alone. A restore that
/// was cut short is ended all the same, which needs a folder that can be written.
///
/// # Errors
/// As [`open_existing`].
pub(crate) fn open_to_read(folder: &Path) -> Result<Folder, LedgerError> {
    let home = Folder::open_to_read(folder, CORNER)?;
    backup::finish(folder)?;
    Ok(home)
}
