//! A file that is there whole or not at all: written under another name, synced, and only then named.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What a file's name ends in until it is whole.
pub(crate) const DRAFT: &str = ".draft";

/// Writes `bytes` as the file `name` of a folder, for its owner alone.
///
/// # Errors
/// Where it can't be written; what stood there stays.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!("{name}{DRAFT}"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&draft, folder.join(name))?;
    File::open(folder)?.sync_all()
}
