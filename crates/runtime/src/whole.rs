//! A file that is there whole or not at all: written under another name, synced, and only then named.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What a file's name ends in until it is whole.
pub(crate) const DRAFT: &str = ".draft";

/// Writes `bytes` as the file `name` of a folder, for its owner alone.
///
/// # Errors
/// Where it can't be written; what stood there stays, and of what was begun nothing does.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(folder, name);
    let written = drafted(&draft, bytes).and_then(|()| std::fs::rename(&draft, folder.join(name)));
    if let Err(error) = written {
        // Why it can't be written is what is told.
        let _ = remove(&draft);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// Removes what was begun of the file `name` and never named, where there is such.
///
/// # Errors
/// Where it is there and can't be removed.
pub(crate) fn remove_draft(folder: &Path, name: &str) -> io::Result<()> {
    if remove(&draft_of(folder, name))? { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn draft_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{DRAFT}"))
}

fn drafted(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Whether there was such a file.
fn remove(file: &Path) -> io::Result<bool> {
    match std::fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
