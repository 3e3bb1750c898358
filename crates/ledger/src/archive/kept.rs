//! The archive's folder: content by its hash.

use super::{CHUNK_BYTES, CHUNK_RECORDS};
use crate::backup::open;
use crate::error::LedgerError;
use crate::home::LOG_OPTIONS;
use crate::places::Places;
use crate::state::{read, write};
use eleven_core::hash::Sha3;
use eleven_store::{Folder, Log as _, ReadLog, SegmentLog};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// How an archive's folder is marked.
const MARK: &str = "archive";
/// The log in it.
const CONTENT: &str = "content";

/// An archive that is at hand.
pub(crate) struct Archive {
    content: RwLock<Content>,
    /// Where it may be added to.
    writer: Option<Mutex<Writer>>,
    /// How many pieces were moved from the ledger that named it and were not in it then.
    lacks: u64,
}

/// What is in an archive, and where.
struct Content {
    log: Arc<dyn ReadLog>,
    at: HashMap<Sha3, u64>,
}

/// Finds out whether what was opened is what stands in its place.
pub(super) type Stands = Box<dyn Fn() -> Result<(), LedgerError> + Send>;

/// Whoever adds to an archive.
struct Writer {
    /// Opens its log, which nobody has open then.
    open: Box<dyn Fn() -> Result<(SegmentLog, Stands), LedgerError> + Send>,
    /// None where something could not be written: such a log takes nothing any more, and what it holds by then is found
    /// by opening it again.
    log: Option<(SegmentLog, Stands)>,
}

impl Content {
    fn of(log: Arc<dyn ReadLog>) -> Result<Self, LedgerError> {
        let (mut position, mut at) = (log.first(), HashMap::new());
        loop {
            let read = log.read_from(position, CHUNK_RECORDS, CHUNK_BYTES);
            let read = read.map_err(|error| LedgerError::Restore(error.to_string()))?;
            let Some((last, _)) = read.last() else { return Ok(Self { log, at }) };
            position = last + 1;
            at.extend(read.into_iter().map(|(position, bytes)| (Sha3::of(&[&bytes]), position)));
        }
    }
}

impl Archive {
    /// The archive that a ledger's settings name, to add to it where content is to be moved. From its log so many pieces
    /// were moved before, as `places` has them. One that would only be read and can't be is gone without. What it lacks of them is
    /// counted and said, and refuses nothing: part of it may have been deleted.
    ///
    /// # Errors
    /// Where content is to be moved and no archive is named, it can't be written, or there is none and what was moved
    /// before has to be in one: where a folder was to be mounted an empty archive would take the place of the full one.
    pub(crate) fn named(
        path: Option<&Path>,
        moving: bool,
        moved: u64,
        places: &Places,
    ) -> Result<Option<Self>, LedgerError> {
        let Some(archive) = Self::at(path, moving, moved)? else { return Ok(None) };
        let lacks = archive.lacking(places);
        if lacks > 0 {
            tracing::error!(lacks, "pieces of content that were moved are not in the archive, and are not served");
        }
        Ok(Some(Self { lacks, ..archive }))
    }

    fn at(path: Option<&Path>, moving: bool, moved: u64) -> Result<Option<Self>, LedgerError> {
        match (path, moving) {
            (None, true) => {
                Err(LedgerError::Setting("content is moved to an archive every so often: name the archive"))
            }
            (None, false) => Ok(None),
            (Some(path), false) => {
                let said = "the archive can't be read: what was moved to it is not served until a start that finds it";
                Ok(Self::open(path).inspect_err(|error| tracing::error!(path = %path.display(), %error, said)).ok())
            }
            (Some(path), true) if moved > 0 && !path.join(CONTENT).is_dir() => Err(LedgerError::Restore(format!(
                "{moved} pieces of content were moved to an archive, and {} holds none: mount it; where it was deleted, \
                 begin another by `eleven ledger archive --to`",
                path.display()
            ))),
            (Some(path), true) => Self::writing(path).map(Some),
        }
    }

    /// Opens an archive for reading; whoever writes to it may.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(crate) fn open(path: &Path) -> Result<Self, LedgerError> {
        let content = Content::of(open(&path.join(CONTENT))?)?;
        Ok(Self { content: RwLock::new(content), writer: None, lacks: 0 })
    }

    /// How many pieces were moved from the ledger that were not here when it started.
    pub(crate) const fn lacks(&self) -> u64 {
        self.lacks
    }

    /// How many pieces of which a ledger has the hash alone are not here.
    fn lacking(&self, places: &Places) -> u64 {
        let content = read(&self.content);
        let moved = |hash: &&Sha3| places.blob(hash).is_some() && !places.keeps_blob(hash);
        places.moved().saturating_sub(content.at.keys().filter(moved).count() as u64)
    }

    /// Opens an archive to add to it, a new one where there is none or an empty folder: what else is there is somebody's, or of a
    /// format that nothing says any more. One that can't be written once is opened again for what is added next, and is not begun
    /// anew for that.
    ///
    /// # Errors
    /// Where it is another's, somebody else adds to it, or it can't be read or written.
    pub(crate) fn writing(path: &Path) -> Result<Self, LedgerError> {
        let folder = Folder::open_or_begin(path, MARK)?;
        // Here alone it is made: where the folder was taken away since, or its disk, nothing is begun in its place.
        drop(folder.place(CONTENT)?);
        let begun = AtomicBool::new(false);
        let opened = Self::adding(move || {
            let stands = stands(folder.path())?;
            // Nor is its log, for that would lie beside what is put back.
            if begun.swap(true, Ordering::Relaxed) && is_empty(&folder.path().join(CONTENT))? {
                let gone = format!("all files of {} are gone: put them back", folder.path().display());
                return Err(LedgerError::Restore(gone));
            }
            // Packed as it was in the ledger's log: often it lies on the same disk, and would take more than what went.
            Ok((SegmentLog::open(folder.place(CONTENT)?, LOG_OPTIONS)?, stands))
        });
        // A file of it has a name that one of the ledger's has, too.
        opened.map_err(|error| match error {
            LedgerError::Open(_) | LedgerError::Restore(_) => {
                LedgerError::Restore(format!("the archive {}: {error}", path.display()))
            }
            error => error,
        })
    }

    /// An archive to add to, in the log that this opens, each time anew, and with it what finds out whether it stands there yet.
    ///
    /// # Errors
    /// Where that can't be opened or read.
    pub(super) fn adding(
        open: impl Fn() -> Result<(SegmentLog, Stands), LedgerError> + Send + 'static,
    ) -> Result<Self, LedgerError> {
        let (log, stands) = open()?;
        let content = Content::of(log.reader())?;
        let writer = Writer { open: Box::new(open), log: Some((log, stands)) };
        Ok(Self { content: RwLock::new(content), writer: Some(Mutex::new(writer)), lacks: 0 })
    }

    /// Adds what is not there yet. It is durable, and found, when this returns.
    ///
    /// # Errors
    /// Where the archive was opened for reading, can't be written, or was taken away or deleted, it or a file of it, also where
    /// nothing is new. The next call opens it again.
    pub(super) fn add(&self, content: Vec<(Sha3, Vec<u8>)>) -> Result<(), LedgerError> {
        let failed = |error: &dyn std::fmt::Display| LedgerError::Commit(format!("the archive: {error}"));
        let writer = self.writer.as_ref().ok_or_else(|| failed(&"it was opened for reading"))?;
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut log, stands) = match writer.log.take() {
            Some(opened) => opened,
            None => self.open_again(&writer).map_err(|error| failed(&error))?,
        };
        let mut new: HashMap<Sha3, Vec<u8>> = content.into_iter().collect();
        new.retain(|hash, _| !read(&self.content).at.contains_key(hash));
        let (hashes, bytes): (Vec<&Sha3>, Vec<&[u8]>) =
            new.iter().map(|(hash, bytes)| (hash, bytes.as_slice())).unzip();
        let durable = log.append(log.next(), &bytes).map_err(|error| failed(&error))?;
        // A file that was deleted takes all that its disk has room for, and nobody finds it there any more.
        stands().map_err(|error| failed(&error))?;
        if let Some(first) = log.missing().map_err(|error| failed(&error))? {
            return Err(failed(&format!("its file that begins at position {first} was deleted: put it back")));
        }
        let positions = durable.first()..durable.next();
        write(&self.content).at.extend(hashes.into_iter().copied().zip(positions));
        writer.log = Some((log, stands));
        Ok(())
    }

    /// Opens its log once more, which has to be the one that it was.
    fn open_again(&self, writer: &Writer) -> Result<(SegmentLog, Stands), LedgerError> {
        let (log, stands) = (writer.open)()?;
        let found = Content::of(log.reader())?;
        let lost = read(&self.content).at.keys().filter(|hash| !found.at.contains_key(*hash)).count();
        if lost > 0 {
            return Err(LedgerError::Restore(format!(
                "{lost} pieces of content that were in it are not: mount it; where they were deleted, restart"
            )));
        }
        *write(&self.content) = found;
        Ok((log, stands))
    }

    /// Content by its hash, checked against it.
    pub(crate) fn content(&self, hash: &Sha3) -> Option<Vec<u8>> {
        let (log, position) = {
            let content = read(&self.content);
            (Arc::clone(&content.log), *content.at.get(hash)?)
        };
        let (_, bytes) = log.read_from(position, 1, 1).ok()?.into_iter().next()?;
        (Sha3::of(&[&bytes]) == *hash).then_some(bytes)
    }
}

/// Finds out whether the archive at `path` is the one that stands there now.
///
/// # Errors
/// Where none does now.
fn stands(path: &Path) -> Result<Stands, LedgerError> {
    let path = path.to_owned();
    let now = numbers(&path)?;
    Ok(Box::new(move || {
        if numbers(&path)? == now {
            return Ok(());
        }
        Err(LedgerError::Restore(format!("{} is another than the one that was opened", path.display())))
    }))
}

/// Whether nothing is in a folder but what a log prepares.
fn is_empty(folder: &Path) -> Result<bool, LedgerError> {
    let files = std::fs::read_dir(folder).map_err(LedgerError::Io)?;
    let is_kept = |path: &Path| path.extension().is_none_or(|of| of != "tmp");
    Ok(!files.flatten().any(|file| is_kept(&file.path())))
}

/// The device and the number of the folder in which an archive's log is.
fn numbers(path: &Path) -> Result<(u64, u64), LedgerError> {
    Folder::check(path, MARK)?;
    let content = path.join(CONTENT);
    let found = std::fs::metadata(&content).ok().filter(std::fs::Metadata::is_dir);
    let gone = || LedgerError::Restore(format!("{} is gone: mount it", content.display()));
    found.map(|found| (found.dev(), found.ino())).ok_or_else(gone)
}
