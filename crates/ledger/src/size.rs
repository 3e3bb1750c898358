//! What a ledger takes on its disk, measured in its folder, so that what it will take can be foretold.

use crate::backup;
use crate::error::LedgerError;
use crate::home::{self, CORNER, HEADS, LOG};
use crate::rules::is_of_operation;
use crate::search;
use crate::stored::Stored;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Value, parse_canonical};
use eleven_store::Folder;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Read at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;
/// How often a folder is listed anew of which a file was gone before it was looked at: a segment that is packed gets another.
const ATTEMPTS: u32 = 5;
/// Events of a governed call.
const EVENTS_PER_CALL: u64 = 7;
/// Bytes of a search index of a hundred entries: nearly all of it is there from the beginning, and does not grow with each.
const EMPTY_INDEX: u64 = 152 << 10;

/// A part of a ledger's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Entries in it.
    pub entries: u64,
    /// Bytes of the records in it, entries and content, before any packing.
    pub records: u64,
    /// Bytes of its files on the disk.
    pub disk: u64,
}

/// What a ledger takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Closed segments that are packed.
    pub packed: Part,
    /// What is not packed: the segment that is written to and the one kept ready, and what waits to be packed.
    pub open: Part,
    /// Bytes of the log of heads.
    pub heads: u64,
    /// Bytes of the search index.
    pub search: u64,
    /// Calls: lineages that ended with their evidence.
    pub calls: u64,
    /// Denials, each of which is an entry alone.
    pub denials: u64,
    /// Seals that closed something of an operation, each an entry beside those that it closed.
    pub seals: u64,
}

impl Size {
    /// Bytes of the whole folder.
    #[must_use]
    pub const fn disk(&self) -> u64 {
        self.packed.disk + self.open.disk + self.heads + self.search
    }

    /// Bytes that a call of seven events takes once it is packed, and in the search index, a denial counting as a seventh of a
    /// call; before anything was packed, what its records have. `None` for a ledger without entries.
    #[must_use]
    pub fn per_call(&self) -> Option<u64> {
        let (bytes, entries) = match self.packed.entries {
            0 => (self.open.records, self.open.entries),
            entries => (self.packed.disk, entries),
        };
        let of_call = |bytes: u64, entries| bytes.checked_mul(EVENTS_PER_CALL)?.checked_div(entries);
        let index = self.search.saturating_sub(EMPTY_INDEX);
        of_call(bytes, entries)?.checked_add(of_call(index, self.packed.entries.checked_add(self.open.entries)?)?)
    }

    /// Bytes that the folder will have after so many more calls, as many denials and seals beside them as there were so far, and none
    /// where there was no call yet. `None` where nothing was measured yet, or the number is beyond all bounds.
    #[must_use]
    pub fn after(&self, calls: u64) -> Option<u64> {
        let beside = u128::from(self.denials) + u128::from(self.seals);
        let beside = (beside * u128::from(calls)).checked_div(u128::from(self.calls)).unwrap_or(0);
        let entries = u128::from(calls) * u128::from(EVENTS_PER_CALL) + beside;
        let more = entries * u128::from(self.per_call()?) / u128::from(EVENTS_PER_CALL);
        u64::try_from(u128::from(self.disk()) + more).ok()
    }
}

/// Measures the ledger in a folder, which may run. Reads all of it, and keeps nobody from the folder meanwhile.
///
/// # Errors
/// Where the folder is no ledger's or its log is damaged.
pub fn size(folder: &Path) -> Result<Size, LedgerError> {
    Folder::check(folder, CORNER)?;
    if backup::is_cut_short(folder) && Folder::holder(folder)?.is_none() {
        // Ended before it is measured, and let go of.
        home::open_existing(folder)?;
    }
    let mut size = Size::default();
    let files = files(&folder.join(LOG)).map_err(LedgerError::Io)?;
    // Packed segments are the oldest; a file's name begins with the position of its first record.
    let segments = files.iter().filter_map(|(name, _)| name.strip_suffix(".seg")?.parse::<u64>().ok());
    let boundary = segments.min().unwrap_or(u64::MAX);
    for (name, bytes) in &files {
        let part = if name.ends_with(".pack") { &mut size.packed } else { &mut size.open };
        part.disk += bytes;
    }
    size.heads = self::files(&folder.join(HEADS)).map_err(LedgerError::Io)?.iter().map(|(_, bytes)| bytes).sum();
    size.search = search::index_bytes(folder).map_err(LedgerError::Io)?;
    let log = backup::open(&folder.join(LOG))?;
    let (mut position, mut unsealed) = (log.first(), false);
    loop {
        let read = log.read_from(position, CHUNK_RECORDS, CHUNK_BYTES);
        let records = read.map_err(|error| LedgerError::Io(io::Error::other(error)))?;
        let Some((last, _)) = records.last() else { return Ok(size) };
        position = last + 1;
        for (at, bytes) in records {
            size.count(at < boundary, bytes, &mut unsealed);
        }
    }
}

impl Size {
    /// Counts what was read. `unsealed` says whether something of an operation came since the last seal: one that closes nothing
    /// of the kind comes of no call.
    fn count(&mut self, packed: bool, bytes: Vec<u8>, unsealed: &mut bool) {
        let part = if packed { &mut self.packed } else { &mut self.open };
        part.records += bytes.len() as u64;
        let Some(Stored::Entry(entry)) = Stored::decode(bytes) else { return };
        part.entries += 1;
        let record = EntryHeader::split(&entry).ok().and_then(|(_, record)| parse_canonical(record).ok());
        let Some(event) = record.as_ref().and_then(|record| record.get("event")).and_then(Value::as_str) else {
            return;
        };
        match event {
            "evidence.committed" => self.calls += 1,
            "execution.denied" => self.denials += 1,
            "ledger.sealed" => self.seals += u64::from(std::mem::take(unsealed)),
            _ => {}
        }
        *unsealed |= event == "execution.denied" || is_of_operation(event);
    }
}

/// The files of a folder with the bytes that each takes on the disk; none where there is no folder.
fn files(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut attempt = 1;
    loop {
        match list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => attempt += 1,
            listed => return listed,
        }
    }
}

fn list(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let file = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.blocks() * 512))
    };
    listed.map(file).collect()
}

#[cfg(test)]
mod tests;
