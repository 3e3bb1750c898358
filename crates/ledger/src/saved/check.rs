//! After a start from a saved state: the log is read as a replay would read it, by a thread that gives way, and each entry is
//! held against the tree.

use crate::state::{Shared, read};
use crate::stored::Stored;
use eleven_core::tree::{self, Hashes as _};
use eleven_store::{ReadError, ReadLog, background};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Read at a time.
const PIECE_RECORDS: usize = 512;
const PIECE_BYTES: usize = 1 << 20;
/// How often a disk that refuses is asked again, and after how long.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// The thread. Dropping it ends it.
pub(crate) struct Checker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    /// Starts it on the log as it stands. `on_failure` is told what is wrong with it: the process must end then, and the next
    /// start, which replays, says more.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub(crate) fn start(shared: &Arc<Shared>, on_failure: impl FnOnce(String) + Send + 'static) -> io::Result<Self> {
        let (shared, stop) = (Arc::clone(shared), Arc::new(AtomicBool::new(false)));
        let (end, stopping) = (shared.log.durable(), Arc::clone(&stop));
        let work = move || match check(&shared, end, &stopping) {
            Ok(()) => {}
            Err(why) => {
                tracing::error!(%why, "the log is not what was saved of it");
                on_failure(why);
            }
        };
        Ok(Self { stop, thread: Some(background("check", work)?) })
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic there was reported by the panic itself; nothing of it is needed here.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Every entry before the position `end` is the leaf that it should be, and content is there that is said to be.
pub(super) fn check(shared: &Shared, end: u64, stop: &AtomicBool) -> Result<(), String> {
    let (mut position, mut seq) = (0, 0);
    while position < end && !stop.load(Ordering::Relaxed) {
        let records = piece(shared.log.as_ref(), position, stop)?;
        let Some((last, _)) = records.last() else { break };
        position = last + 1;
        // What is behind the end comes now, and is in the tree a moment later.
        for (at, bytes) in records.into_iter().take_while(|(at, _)| *at < end) {
            match Stored::decode(bytes) {
                Some(Stored::Entry(bytes)) => {
                    if read(&shared.tree).node(0, seq) != Some(tree::leaf_hash(&bytes)) {
                        return Err(format!(
                            "entry {seq} of the ledger is wrong: it is not the one that its head commits to"
                        ));
                    }
                    seq += 1;
                }
                // What is moved while this runs is marked before it goes.
                Some(Stored::Moved(hash)) => {
                    let places = read(&shared.places);
                    if places.blob(&hash) == Some(at) && places.keeps_blob(&hash) {
                        return Err(format!(
                            "content before entry {seq} of the ledger is gone, and was saved as there"
                        ));
                    }
                }
                Some(Stored::Blob(_) | Stored::Header(_)) => {}
                None => return Err(format!("a record before entry {seq} is of no kind that this build knows")),
            }
        }
    }
    Ok(())
}

/// Records from `position` on. What the disk refuses now and then is asked again.
pub(super) fn piece(log: &dyn ReadLog, position: u64, stop: &AtomicBool) -> Result<Vec<(u64, Vec<u8>)>, String> {
    let mut tries = 0;
    loop {
        match log.read_from(position, PIECE_RECORDS, PIECE_BYTES) {
            Err(ReadError::Io(error)) if tries < TRIES && !stop.load(Ordering::Relaxed) => {
                tracing::warn!(%error, "the log could not be read: once more");
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            records => return records.map_err(|error| error.to_string()),
        }
    }
}
