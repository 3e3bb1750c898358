//! Archiving in a ledger that runs: by a thread that gives way to everything else.
//!
//! **Invariant**: content leaves the log only when it is durable in the archive and found there, and when no entry that
//! was taken meanwhile names it. From the moment at which it is marked as moved the writer stores it once more for whoever
//! sends it again; what was taken before that moment is read, and takes back what it names.

use super::past::{Past, Rules};
use super::{Archive, Archived, Moves, Piece, copy};
use crate::error::LedgerError;
use crate::state::{Counts, Shared, read, write};
use crate::stored::Stored;
use crate::thread_guard::ThreadGuard;
use eleven_api::edge::Clock;
use eleven_core::time::Time;
use eleven_store::{Rewriter, background};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Content is marked so many pieces at a time, so that the writer never waits long.
const MARKED_AT_ONCE: usize = 1000;
/// How long the first time waits at most where the archive lacks pieces: who starts a ledger more often than it moves content would
/// have it move none.
const NOTICE: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked whether what the writer has taken is durable.
const LOOK: Duration = Duration::from_millis(5);

/// Moves what is past its retention at the start and then every so often, each time as of the last head and the clock when it
/// did so before; at the start, as of the last head of an earlier process. So a clock that is ahead, which dates heads ahead
/// for good, takes content out early only where it stays ahead from one time to the next; and whoever copies or follows the
/// ledger by its newest head has that long before anything moves that this head keeps. Where the archive lacks pieces at the start,
/// the first time comes so much later, too, or a day: whoever named another one by mistake has that long to name the right one.
/// Dropping it waits for what it is doing.
pub(crate) struct Mover {
    stop: Arc<AtomicBool>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Mover {
    /// Starts its thread, which holds `guard` for as long as it works. A process before signed its last head at `signed`.
    ///
    /// # Errors
    /// Where there is none to be had.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        rewriter: Rewriter,
        clock: &Arc<dyn Clock>,
        signed: Option<Time>,
        every: Duration,
        guard: ThreadGuard,
    ) -> io::Result<Self> {
        let (shared, clock) = (Arc::clone(shared), Arc::clone(clock));
        let stop = Arc::new(AtomicBool::new(false));
        let (ends, ended) = channel();
        let stopping = Arc::clone(&stop);
        let work = move || {
            let _guard = guard;
            let mut before = signed;
            let ends = |after| !matches!(ended.recv_timeout(after), Err(RecvTimeoutError::Timeout));
            if let Some(after) = waits(shared.archive.as_ref(), every) {
                tracing::warn!(
                    seconds = after.as_secs(),
                    "nothing is moved before that, since the archive lacks pieces"
                );
                if ends(after) {
                    return;
                }
            }
            loop {
                let now = clock.now();
                let time = before.map(|before| before.min(now));
                before = signed_at(&shared).map(|signed| signed.min(now));
                let moved = time.map_or(Ok(None), |time| move_past(&shared, &rewriter, time, &stopping));
                told(&shared.counts, moved, &stopping);
                if ends(every) {
                    return;
                }
            }
        };
        Ok(Self { stop, thread: Some((ends, background("archive", work)?)) })
    }
}

/// How long the first time has to wait, where it does.
pub(super) fn waits(archive: Option<&Archive>, every: Duration) -> Option<Duration> {
    archive.filter(|archive| archive.lacks() > 0).map(|_| every.min(NOTICE))
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some((ends, thread)) = self.thread.take() {
            drop(ends);
            // A panic there was reported by the panic itself; nothing of it is needed here.
            let _ = thread.join();
        }
    }
}

/// When the last head was signed; `None` before the first.
pub(crate) fn signed_at(shared: &Shared) -> Option<Time> {
    shared.published().map(|published| published.head.at)
}

/// Says in log and metrics what was done.
pub(super) fn told(counts: &Counts, done: Result<Option<Archived>, LedgerError>, stop: &AtomicBool) {
    match done {
        Ok(Some(done)) if done.pieces > 0 => {
            counts.archived.fetch_add(done.pieces, Ordering::Relaxed);
            let Archived { pieces, bytes, lineages, held, days } = done;
            tracing::info!(pieces, bytes, lineages, held, days, "content past its retention was moved to the archive");
        }
        Ok(_) => {}
        Err(_) if stop.load(Ordering::Relaxed) => {}
        Err(error) => {
            Counts::add(&counts.failed_archivings);
            tracing::error!(%error, "content past its retention could not be moved; it is tried again");
        }
    }
}

/// Moves what is past its retention at `time` to the archive of `shared`; `None` where there is no retention, or no archive.
/// What stands in the segment that is written to stays until a later time.
///
/// # Errors
/// Where a log can't be read or written, or `stop` was set.
pub(super) fn move_past(
    shared: &Shared,
    rewriter: &Rewriter,
    time: Time,
    stop: &AtomicBool,
) -> Result<Option<Archived>, LedgerError> {
    let (Some(archive), Some(rules)) = (&shared.archive, rules(shared)) else { return Ok(None) };
    let log = &*shared.log;
    let mut past = Past::of(log, rules, time, stop)?;
    let mut moves = copy(log, rewriter.closed(), archive, &past.going, stop)?;
    mark(shared, &moves, &past);
    let moved = move_marked(shared, rewriter, &mut past, &mut moves, stop);
    if moved.is_err() {
        // What is still there stays, and what it allows stays allowed, until this is tried again.
        unmark(shared, &mut moves, &past, |position, _| matches!(shared.stored(position), Ok(Stored::Moved(_))));
    }
    moved.map(|()| Some(past.archived(&moves)))
}

fn move_marked(
    shared: &Shared,
    rewriter: &Rewriter,
    past: &mut Past,
    moves: &mut Moves,
    stop: &AtomicBool,
) -> Result<(), LedgerError> {
    until_durable(shared, stop)?;
    past.reconsider(&*shared.log, self::rules(shared).as_ref(), stop)?;
    unmark(shared, moves, past, |_, piece| past.going.contains(&piece.hash));
    rewriter.rewrite(&moves.changes(), stop).map_err(LedgerError::Io)?;
    Ok(())
}

fn rules(shared: &Shared) -> Option<Rules> {
    read(&shared.book).registry().and_then(Rules::of)
}

/// From here on whatever is sent again is stored again, and nothing is consumed by an artifact that goes.
fn mark(shared: &Shared, moves: &Moves, past: &Past) {
    let mut moves = moves.0.iter();
    while moves.len() > 0 {
        let (mut book, mut places) = (write(&shared.book), write(&shared.places));
        for (position, piece) in moves.by_ref().take(MARKED_AT_ONCE) {
            places.add_moved(&piece.hash, *position);
            if let Some(lineage) = past.began(&piece.hash) {
                book.set_moved(lineage, true);
            }
        }
    }
}

/// Waits until everything that was taken before is durable, and so can be read.
fn until_durable(shared: &Shared, stop: &AtomicBool) -> Result<(), LedgerError> {
    // One that was judged before the marks may not be among the entries yet.
    drop(shared.judging.lock().unwrap_or_else(PoisonError::into_inner));
    let taken = read(&shared.places).last_entry();
    while taken.is_some_and(|taken| shared.log.durable() <= taken) {
        if stop.load(Ordering::Relaxed) {
            return Err(LedgerError::Io(io::ErrorKind::Interrupted.into()));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Leaves what does not go after all where it is.
fn unmark(shared: &Shared, moves: &mut Moves, past: &Past, goes: impl Fn(u64, &Piece) -> bool) {
    moves.0.retain(|position, piece| {
        let goes = goes(*position, piece);
        if !goes {
            let (mut book, mut places) = (write(&shared.book), write(&shared.places));
            if let Some(lineage) = past.began(&piece.hash) {
                book.set_moved(lineage, false);
            }
            if places.blob(&piece.hash) == Some(*position) {
                places.add_blob(&piece.hash, *position);
            }
        }
        goes
    });
}
