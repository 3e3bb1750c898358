//! The archive's folder: content by its hash.

use super::{CHUNK_BYTES, CHUNK_RECORDS};
use crate::backup::open;
use crate::error::LedgerError;
use eleven_core::hash::Sha3;
use eleven_store::{Folder, Log as _, ReadLog, SegmentLog, SegmentOptions};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// How an archive's folder is marked.
const MARK: &str = "archive";
/// The log in it.
const CONTENT: &str = "content";

/// An archive that is at hand.
pub(crate) struct Archive {
    log: Arc<dyn ReadLog>,
    at: Mutex<HashMap<Sha3, u64>>,
    /// Where it may be added to.
    writer: Option<Mutex<SegmentLog>>,
}

impl Archive {
    /// Opens an archive for reading; whoever writes to it may.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(crate) fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::of(open(&path.join(CONTENT))?, None)
    }

    /// Opens an archive to add to it, a new one where there is none.
    ///
    /// # Errors
    /// Where it is another's, somebody else adds to it, or it can't be read or written.
    pub(crate) fn writing(path: &Path) -> Result<Self, LedgerError> {
        let folder = Folder::open(path, MARK)?;
        let log = SegmentLog::open(folder.place(CONTENT)?, SegmentOptions::default())?;
        Self::of(log.reader(), Some(log))
    }

    pub(super) fn of(log: Arc<dyn ReadLog>, writer: Option<SegmentLog>) -> Result<Self, LedgerError> {
        let (mut position, mut at) = (log.first(), HashMap::new());
        loop {
            let read = log.read_from(position, CHUNK_RECORDS, CHUNK_BYTES);
            let read = read.map_err(|error| LedgerError::Restore(error.to_string()))?;
            let Some((last, _)) = read.last() else {
                return Ok(Self { log, at: Mutex::new(at), writer: writer.map(Mutex::new) });
            };
            position = last + 1;
            at.extend(read.into_iter().map(|(position, bytes)| (Sha3::of(&[&bytes]), position)));
        }
    }

    /// Adds what is not there yet. It is durable, and found, when this returns.
    ///
    /// # Errors
    /// Where the archive was opened for reading, or can't be written.
    pub(super) fn add(&self, content: Vec<(Sha3, Vec<u8>)>) -> Result<(), LedgerError> {
        let failed = |error: &dyn std::fmt::Display| LedgerError::Commit(format!("the archive: {error}"));
        let writer = self.writer.as_ref().ok_or_else(|| failed(&"it was opened for reading"))?;
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new: HashMap<Sha3, Vec<u8>> = content.into_iter().collect();
        new.retain(|hash, _| self.position(hash).is_none());
        let (hashes, bytes): (Vec<&Sha3>, Vec<&[u8]>) =
            new.iter().map(|(hash, bytes)| (hash, bytes.as_slice())).unzip();
        let next = writer.next();
        let durable = writer.append(next, &bytes).map_err(|error| failed(&error))?;
        let positions = durable.first()..durable.next();
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.extend(hashes.into_iter().copied().zip(positions));
        Ok(())
    }

    /// Content by its hash, checked against it.
    pub(crate) fn content(&self, hash: &Sha3) -> Option<Vec<u8>> {
        let found = self.log.read_from(self.position(hash)?, 1, 1).ok()?;
        let (_, bytes) = found.into_iter().next()?;
        (Sha3::of(&[&bytes]) == *hash).then_some(bytes)
    }

    fn position(&self, hash: &Sha3) -> Option<u64> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).get(hash).copied()
    }
}
