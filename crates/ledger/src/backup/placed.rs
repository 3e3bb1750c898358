//! How a copy that is whole takes the place of what a folder holds: behind a mark, so that a crash leaves the one or the
//! other, and whoever opens the folder next ends what was begun.

use crate::error::LedgerError;
use crate::home::{HEADS, LOG};
use crate::saved;
use eleven_core::encoding::parse;
use eleven_core::recovery::Recovery;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The document that the ledger puts into an entry when it starts next.
const RECOVERY: &str = "recovery.json";
/// What it is while the restored logs are not in their place: empty where nothing is to be recorded of them.
const RESTORED_RECOVERY: &str = "recovery.restored";
/// Says that the restored logs are whole and are being put into their place, and where what stood there before goes.
pub(super) const RESTORING: &str = "restoring";

/// Where a log lies before it is in its place.
pub(super) fn restored(name: &str) -> String {
    format!("{name}.restored")
}

/// Says that the restored logs are whole. From when that is durable a crash leaves it to whoever opens the folder next to
/// put them into their place.
pub(super) fn mark(folder: &Path) -> Result<(), LedgerError> {
    let there = [LOG, HEADS].iter().any(|name| folder.join(name).exists());
    let free = |n: u64| Some(format!("before-{n}")).filter(|name| !folder.join(name).exists());
    let before = if there { (1..).find_map(free).unwrap_or_default() } else { String::new() };
    write_whole(&folder.join(RESTORING), before.as_bytes())?;
    sync(folder)
}

/// Takes back what a restore had begun when it failed, up to its mark: the mark first, for under it a log that is left would
/// be put into its place alone.
pub(super) fn undo(folder: &Path) -> Result<(), LedgerError> {
    remove_file(&folder.join(RESTORING))?;
    sync(folder)?;
    for name in [LOG, HEADS] {
        remove_all(&folder.join(restored(name)))?;
    }
    remove_file(&folder.join(RESTORED_RECOVERY))?;
    sync(folder)
}

/// Whether a restore was begun here, and not ended, whose copies are whole.
pub(crate) fn is_cut_short(folder: &Path) -> bool {
    folder.join(RESTORING).exists()
}

/// Ends a restore whose copies are whole, also one that a crash cut short in the middle of moving logs: what stands in the
/// folder is moved aside and the restored logs into its place. Says where what stood there before is kept.
///
/// # Errors
/// Where a log can't be moved.
pub(crate) fn finish(folder: &Path) -> Result<Option<PathBuf>, LedgerError> {
    let before = match std::fs::read_to_string(folder.join(RESTORING)) {
        Ok(name) => Some(name).filter(|name| !name.is_empty()).map(|name| folder.join(name)),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LedgerError::Io(error)),
    };
    if let Some(before) = &before {
        std::fs::create_dir_all(before).map_err(LedgerError::Io)?;
    }
    for name in [LOG, HEADS] {
        let (next, place) = (folder.join(restored(name)), folder.join(name));
        if !next.try_exists().map_err(LedgerError::Io)? {
            continue;
        }
        if let Some(before) = before.as_ref().filter(|_| place.exists()) {
            std::fs::rename(&place, before.join(name)).map_err(LedgerError::Io)?;
        }
        std::fs::rename(&next, &place).map_err(LedgerError::Io)?;
    }
    // What is to be recorded goes with the logs, and so does that there is nothing.
    match read(&folder.join(RESTORED_RECOVERY))? {
        Some(word) if word.is_empty() => {
            remove_file(&folder.join(RECOVERY))?;
            remove_file(&folder.join(RESTORED_RECOVERY))?;
        }
        Some(_) => {
            std::fs::rename(folder.join(RESTORED_RECOVERY), folder.join(RECOVERY)).map_err(LedgerError::Io)?;
        }
        None => {}
    }
    // It is of the ledger that stood there before.
    saved::forget(folder).map_err(LedgerError::Io)?;
    sync(folder)?;
    std::fs::remove_file(folder.join(RESTORING)).map_err(LedgerError::Io)?;
    sync(folder)?;
    Ok(before)
}

/// The recovery that a restored ledger has to put into an entry, where there is one.
pub(crate) fn pending(folder: &Path) -> Result<Option<Recovery>, LedgerError> {
    let Some(bytes) = read(&folder.join(RECOVERY))? else { return Ok(None) };
    let word = parse(&bytes).map_err(Into::into).and_then(Recovery::read);
    word.map(Some).map_err(|error| LedgerError::Restore(format!("{RECOVERY}: {error}")))
}

/// A file's bytes; `None` where there is none.
fn read(file: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::Io(error)),
    }
}

/// Sets what the ledger has to put into an entry once the restored logs are in their place, or that there is nothing. It is
/// durable when this returns: the mark comes after it.
pub(super) fn set_word(folder: &Path, word: Option<&[u8]>) -> Result<(), LedgerError> {
    write_whole(&folder.join(RESTORED_RECOVERY), word.unwrap_or_default())?;
    sync(folder)
}

/// The entry is durable: what asked for it may go.
pub(crate) fn settled(folder: &Path) -> Result<(), LedgerError> {
    remove_file(&folder.join(RECOVERY))?;
    sync(folder)
}

/// Whole or not at all.
fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    use std::io::Write as _;
    let draft = file.with_extension("draft");
    let write = || -> std::io::Result<()> {
        let mut out = File::create(&draft)?;
        out.write_all(bytes).and_then(|()| out.sync_all())?;
        std::fs::rename(&draft, file)
    };
    write().map_err(|error| {
        // What it left says nothing to anybody.
        let _ = std::fs::remove_file(&draft);
        LedgerError::Io(error)
    })
}

pub(super) fn remove_all(path: &Path) -> Result<(), LedgerError> {
    gone(std::fs::remove_dir_all(path))
}

fn remove_file(path: &Path) -> Result<(), LedgerError> {
    gone(std::fs::remove_file(path))
}

/// What was not there is gone as well.
fn gone(removed: std::io::Result<()>) -> Result<(), LedgerError> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(LedgerError::Io(error)),
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> Result<(), LedgerError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(LedgerError::Io)
}
