//! Which lineages name an identity, an operation, an artifact, a runtime or a reason: a fold over the entries that
//! anybody may throw away. It is behind the ledger by a moment, is never synced on the way of a commit, and is made again
//! where it is not this ledger's.
//!
//! A row is 25 bytes: what is named and its value, hashed, and the entry of the lineage's first event. Rows of one value
//! therefore stand in the order of time, and all rows of a lineage have the same number, so that asking for several things
//! at once is walking several ranges in step.

mod ask;
mod rows;
#[cfg(test)]
mod tests;

use crate::error::LedgerError;
use crate::home::{self, LOG};
use crate::places::Places;
use crate::recover::{self, Depth, Pass};
use crate::state::{read, write};
use crate::stored::Stored;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::Encoded;
use eleven_core::event::Record;
use eleven_core::hash::Sha256;
use eleven_core::tree::{Hashes, MemoryTree};
use eleven_store::{ReadLog, read_only};
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use ask::{Ask, answer};
pub(crate) use rows::Row;

/// Its file in the ledger's folder.
const FILE: &str = "search.redb";
/// What the database may keep in memory.
const CACHE: usize = 16 << 20;
/// The form of rows; another one is made again.
const FORM: u64 = 1;
/// Entries that become durable in the database at once when much is to be done, and so many a ledger that ends waits for.
const BATCH: u64 = 8192;
/// Read from the log at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;

const ROWS: TableDefinition<'_, &[u8; 25], ()> = TableDefinition::new("rows");
const MARKS: TableDefinition<'_, &str, u64> = TableDefinition::new("marks");
const LEAVES: TableDefinition<'_, &str, &[u8; 32]> = TableDefinition::new("leaves");

/// Why the index can't be read or written. Nothing of the ledger is lost by it.
#[derive(Debug)]
pub(crate) enum SearchError {
    /// The file holds no index that this build can read: it is to be made again.
    Spoiled(String),
    /// Something refused that may not refuse later: the disk, the log, another process.
    Failed(String),
    /// It is not open: what refused before is tried again in a while.
    Closed,
}

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spoiled(why) => write!(f, "the search index: {why}: run `eleven ledger reindex`"),
            Self::Failed(why) => write!(f, "the search index: {why}"),
            Self::Closed => f.write_str("the search index is not open at this moment: the log says why"),
        }
    }
}

/// Any of the database's errors.
fn failed(error: impl Into<redb::Error>) -> SearchError {
    use redb::Error;
    let error = error.into();
    let said = error.to_string();
    let of_the_file = |error: &io::Error| matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
    match error {
        Error::Corrupted(_)
        | Error::RepairAborted
        | Error::UpgradeRequired(_)
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TypeDefinitionChanged { .. }
        | Error::TableDoesNotExist(_) => SearchError::Spoiled(said),
        Error::Io(error) if of_the_file(&error) => SearchError::Spoiled(said),
        _ => SearchError::Failed(said),
    }
}

/// What else went wrong.
fn other(error: impl fmt::Display) -> SearchError {
    SearchError::Failed(error.to_string())
}

/// The index.
pub(crate) struct Search {
    file: PathBuf,
    /// None while it can't be opened or written: after an error of the disk a database takes nothing until it is opened
    /// anew.
    database: RwLock<Option<Database>>,
    /// How many entries it knows.
    indexed: AtomicU64,
}

/// What the fold is made of.
pub(crate) struct Source<'a> {
    pub(crate) log: &'a dyn ReadLog,
    pub(crate) places: &'a RwLock<Places>,
    pub(crate) tree: &'a RwLock<MemoryTree>,
}

/// What a new index turned out to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reindexed {
    /// The entries that were gone through.
    pub entries: u64,
    /// The rows that came of them.
    pub rows: u64,
}

impl Search {
    /// The index of a folder, which is not open yet.
    pub(crate) fn of(folder: &Path) -> Self {
        Self { file: folder.join(FILE), database: RwLock::default(), indexed: AtomicU64::new(0) }
    }

    /// Opens it, where it is not open. One that is spoiled, of another form or of another ledger begins anew; one that can't be
    /// opened at this moment is left as it is.
    ///
    /// # Errors
    /// Where it is not open then.
    pub(crate) fn begin(&self, source: &Source<'_>) -> Result<(), SearchError> {
        let mut open = write(&self.database);
        if open.is_some() {
            return Ok(());
        }
        let same = self.at().and_then(|database| self.is_of(&database, source).map(|same| same.then_some(database)));
        let database = match same {
            Ok(Some(database)) => database,
            Ok(None) => {
                tracing::warn!("the search index is not this ledger's: it is made again");
                self.anew()?
            }
            Err(SearchError::Spoiled(why)) => {
                tracing::warn!(why, "the search index cannot be read: it is made again");
                self.anew()?
            }
            Err(error) => return Err(error),
        };
        *open = Some(database);
        Ok(())
    }

    /// Closes it after an error: the next [`begin`](Self::begin) opens it anew, or makes it again where it is spoiled.
    pub(crate) fn end(&self, error: &SearchError) {
        let mut open = write(&self.database);
        *open = None;
        if matches!(error, SearchError::Spoiled(_)) {
            // Where it can't be removed it is found spoiled again.
            let _ = std::fs::remove_file(&self.file);
        }
    }

    fn anew(&self) -> Result<Database, SearchError> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(other(error)),
            _ => self.at(),
        }
    }

    fn at(&self) -> Result<Database, SearchError> {
        let database = Database::builder().set_cache_size(CACHE).create(&self.file).map_err(failed)?;
        let write = database.begin_write().map_err(failed)?;
        {
            write.open_table(ROWS).map_err(failed)?;
            let mut marks = write.open_table(MARKS).map_err(failed)?;
            let indexed = marks.get("indexed").map_err(failed)?.map(|mark| mark.value());
            self.indexed.store(indexed.unwrap_or(0), Ordering::Release);
            if indexed.is_none() {
                marks.insert("form", FORM).map_err(failed)?;
            }
            write.open_table(LEAVES).map_err(failed)?;
        }
        write.commit().map_err(failed)?;
        Ok(database)
    }

    /// Whether it was made of these entries, as far as it goes.
    fn is_of(&self, database: &Database, source: &Source<'_>) -> Result<bool, SearchError> {
        let view = database.begin_read().map_err(failed)?;
        let form = view.open_table(MARKS).map_err(failed)?.get("form").map_err(failed)?.map(|form| form.value());
        let Some(last) = self.indexed().checked_sub(1) else { return Ok(form == Some(FORM)) };
        let leaf =
            view.open_table(LEAVES).map_err(failed)?.get("last").map_err(failed)?.map(|leaf| Sha256(*leaf.value()));
        let known = read(source.tree).node(0, last);
        Ok(form == Some(FORM) && known.is_some() && leaf == known)
    }

    /// How many entries it knows.
    pub(crate) fn indexed(&self) -> u64 {
        self.indexed.load(Ordering::Acquire)
    }

    /// Takes what came up to `size`; `lasting` makes it outlive this process. Once it `ends` it takes no more than one batch: an
    /// index that is made again takes as long as its entries are many, and goes on with the next process.
    pub(crate) fn follow(
        &self,
        source: &Source<'_>,
        size: u64,
        lasting: bool,
        ends: impl FnMut() -> bool,
    ) -> Result<u64, SearchError> {
        self.follow_by(BATCH, source, size, lasting, ends)
    }

    /// The same in batches of so many entries.
    fn follow_by(
        &self,
        batch: u64,
        source: &Source<'_>,
        size: u64,
        lasting: bool,
        mut ends: impl FnMut() -> bool,
    ) -> Result<u64, SearchError> {
        let mut added = 0;
        while self.indexed() < size {
            let until = size.min(self.indexed() + batch);
            if until < size && ends() {
                break;
            }
            added += self.batch(source, until, lasting || until < size)?;
        }
        Ok(added)
    }

    /// Makes what was taken outlive this process.
    pub(crate) fn keep(&self) -> Result<(), SearchError> {
        let open = read(&self.database);
        let mut write = open.as_ref().ok_or(SearchError::Closed)?.begin_write().map_err(failed)?;
        write.set_quick_repair(true);
        write.commit().map_err(failed)
    }

    fn batch(&self, source: &Source<'_>, until: u64, lasting: bool) -> Result<u64, SearchError> {
        let from = self.indexed();
        let mut rows = rows_of(source, from, until)?;
        rows.sort_unstable();
        let open = read(&self.database);
        let mut write = open.as_ref().ok_or(SearchError::Closed)?.begin_write().map_err(failed)?;
        if lasting {
            write.set_quick_repair(true);
        } else {
            write.set_durability(Durability::None).map_err(other)?;
        }
        {
            let mut table = write.open_table(ROWS).map_err(failed)?;
            for row in &rows {
                table.insert(row.bytes(), ()).map_err(failed)?;
            }
            write.open_table(MARKS).map_err(failed)?.insert("indexed", until).map_err(failed)?;
            let leaf = read(source.tree).node(0, until - 1).ok_or_else(|| other("the tree has no such leaf"))?;
            write.open_table(LEAVES).map_err(failed)?.insert("last", &leaf.0).map_err(failed)?;
        }
        write.commit().map_err(failed)?;
        self.indexed.store(until, Ordering::Release);
        Ok(rows.len() as u64)
    }
}

/// The rows of the entries from `from` up to `until`.
fn rows_of(source: &Source<'_>, from: u64, until: u64) -> Result<Vec<Row>, SearchError> {
    let mut rows = Vec::new();
    let (mut position, mut seq) = match read(source.places).entry(from) {
        Some(position) => (position, from),
        None => return Err(other("an entry has no place in the log")),
    };
    while seq < until {
        let records = source.log.read_from(position, CHUNK_RECORDS, CHUNK_BYTES);
        let records = records.map_err(other)?;
        let Some((last, _)) = records.last() else { return Err(other("the log ends before its entries")) };
        position = last + 1;
        for (_, bytes) in records {
            let Some(Stored::Entry(bytes)) = Stored::decode(bytes) else { continue };
            if seq >= until {
                break;
            }
            let (_, record) = EntryHeader::split(&bytes).map_err(other)?;
            let record = Encoded::of(record).map_err(other)?;
            if rows::adds(&record) {
                let record = Record::read_encoded(&record).map_err(other)?;
                rows::push(&record, seq, source.places, &mut rows);
            }
            seq += 1;
        }
    }
    Ok(rows)
}

/// Bytes that the index of a folder takes on the disk; 0 where there is none.
pub(crate) fn index_bytes(folder: &Path) -> io::Result<u64> {
    match std::fs::metadata(folder.join(FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        found => Ok(found?.blocks() * 512),
    }
}

/// Makes the index of a folder again. No other process may hold the folder. `far` is told now and then how far that is.
///
/// # Errors
/// [`LedgerError`] where the folder can't be used or its log is no ledger.
pub fn reindex(folder: &Path, far: &mut dyn FnMut(Pass)) -> Result<Reindexed, LedgerError> {
    let home = home::open_existing(folder)?;
    let (log, _) = read_only(&home.place(LOG)?)?;
    let replayed = recover::replay_telling(log.as_ref(), Depth::RESUME, "reading the log", far)?;
    let entries = replayed.book.size();
    let (places, tree) = (RwLock::new(replayed.places), RwLock::new(replayed.tree));
    let source = Source { log: log.as_ref(), places: &places, tree: &tree };
    let search = Search::of(folder);
    let made = search.anew().and_then(|database| {
        *write(&search.database) = Some(database);
        search.follow(&source, entries, true, || {
            far(Pass { doing: "indexing", done: search.indexed(), of: entries });
            false
        })
    });
    made.map(|rows| Reindexed { entries, rows }).map_err(|error| LedgerError::Search(error.to_string()))
}
