//! Packing closed segments, one after the other, beside the writer or, for tests that count operations, on its thread; and
//! packing them once more with other records in the place of some.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
};

use crate::{background, disk::Disk, log::ReadLog, metrics::Metrics};

use super::{
    packed::{Blocks, TEMPORARY, Writer},
    reader::{Segment, Shared},
    recover,
};

/// Read at a time.
const CHUNK_RECORDS: usize = 1024;
const CHUNK_BYTES: usize = 1 << 20;

/// Packs closed segments of one log.
pub(super) struct Packer {
    work: Arc<Work>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
    beside: bool,
}

struct Work {
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    /// Whoever writes a packed segment holds this: [`TEMPORARY`] is one name.
    writing: Mutex<()>,
    /// Whoever changes names of segments that have one holds this: packing and dropping must not cross.
    names: Mutex<()>,
    stop: AtomicBool,
}

impl Packer {
    /// A packer for the log of `shared`; `beside` the writer, in a thread of its own.
    pub(super) fn new(disk: Arc<dyn Disk>, shared: Arc<Shared>, metrics: Arc<Metrics>, beside: bool) -> Packer {
        let (writing, names, stop) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        let work = Work { disk, shared, metrics, writing, names, stop };
        Packer { work: Arc::new(work), thread: None, beside }
    }

    /// Packs what is closed and is not packed. A failure leaves all as it was, is counted, and tried again with the next
    /// segment: nothing depends on it but room.
    pub(super) fn catch_up(&mut self) {
        if self.work.shared.oldest_unpacked().is_none() {
            return;
        }
        self.work.metrics.to_pack.store(self.work.shared.unpacked(), Relaxed);
        if !self.beside {
            self.work.catch_up();
            return;
        }
        if self.thread.is_none() {
            self.thread = start(&self.work).ok();
        }
        if let Some((wake, _)) = &self.thread {
            // The thread ends only where it is told to.
            let _ = wake.send(());
        }
    }

    /// Keeps names of segments from changing until the guard goes.
    pub(super) fn hold_names(&self) -> MutexGuard<'_, ()> {
        hold(&self.work.names)
    }

    /// What changes records of closed segments, for as long as the log is open.
    pub(super) fn rewriter(&self) -> Rewriter {
        Rewriter { work: Arc::clone(&self.work) }
    }
}

/// Puts other records in the place of some that are closed already, while the log is written to and read.
///
/// This is for what a record holds beside its meaning: content of which the hash is kept. Positions stay, and so does
/// every other record, byte by byte. A segment is written anew whole, read back, and then takes the name of the one before:
/// a crash leaves the one or the other.
pub struct Rewriter {
    work: Arc<Work>,
}

impl Rewriter {
    /// The position after the last record that a closed segment holds: up to here records can be replaced.
    pub fn closed(&self) -> u64 {
        self.work.shared.closed().last().map_or(0, |(_, next)| *next)
    }

    /// Writes each closed segment anew that holds a position of `changes`, with what stands there as that position's
    /// record, and packed. Positions that no closed segment holds are left for another time; says how many were changed.
    ///
    /// # Errors
    /// Where the disk refuses, or `stop` is set or the log closed before it is done ([`io::ErrorKind::Interrupted`]): then a
    /// part of the segments is as it was, and the same call goes on from there.
    pub fn rewrite(&self, changes: &BTreeMap<u64, Vec<u8>>, stop: &AtomicBool) -> io::Result<u64> {
        let mut changed = 0;
        for (first, next) in self.work.shared.closed() {
            let here = changes.range(first..next).count() as u64;
            if here > 0 {
                self.work.pack(first, next, changes, stop)?;
                changed += here;
            }
        }
        Ok(changed)
    }
}

impl Drop for Packer {
    /// Waits for the thread, which ends after the records it is reading, and for whoever rewrites.
    fn drop(&mut self) {
        self.work.stop.store(true, Relaxed);
        if let Some((wake, thread)) = self.thread.take() {
            drop(wake);
            // What it could not finish the next open begins again.
            let _ = thread.join();
        }
        drop(hold(&self.work.writing));
    }
}

fn start(work: &Arc<Work>) -> io::Result<(Sender<()>, JoinHandle<()>)> {
    let (wake, woken) = channel();
    let work = Arc::clone(work);
    let run = move || {
        while woken.recv().is_ok() {
            work.catch_up();
        }
    };
    Ok((wake, background("pack", run)?))
}

impl Work {
    fn catch_up(&self) {
        while let Some((first, next)) = self.shared.oldest_unpacked() {
            if self.stop.load(Relaxed) {
                return;
            }
            self.metrics.to_pack.store(self.shared.unpacked(), Relaxed);
            match self.pack(first, next, &BTreeMap::new(), &self.stop) {
                Ok(()) => {}
                Err(_) if self.stop.load(Relaxed) => return,
                // It was dropped while it was read.
                Err(_) if !self.shared.holds(first) => {}
                Err(_) => {
                    self.metrics.failed_packs.fetch_add(1, Relaxed);
                    return;
                }
            }
        }
        self.metrics.to_pack.store(0, Relaxed);
    }

    /// Packs the closed segment of `first..next`, which may be packed already, with `changes` in the place of what it holds.
    /// Ends early where `stop` is set, or the log is closed.
    fn pack(&self, first: u64, next: u64, changes: &BTreeMap<u64, Vec<u8>>, stop: &AtomicBool) -> io::Result<()> {
        let _writing = hold(&self.writing);
        if self.stop.load(Relaxed) {
            // The folder may be another's by now.
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut writer = Writer::create(&*self.disk, first, next)?;
        let mut position = first;
        while position < next {
            if self.stop.load(Relaxed) || stop.load(Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = CHUNK_RECORDS.min(usize::try_from(next - position).unwrap_or(CHUNK_RECORDS));
            let records = self.shared.read_from(position, most, CHUNK_BYTES).map_err(io::Error::other)?;
            for (at, record) in &records {
                debug_assert_eq!(*at, position, "records come in order");
                writer.push(changes.get(at).unwrap_or(record))?;
                position += 1;
            }
        }
        let segment = Segment::packed(recover::packed_name_of(first), writer.finish()?);
        let _names = hold(&self.names);
        if !self.shared.holds(first) {
            // It was dropped meanwhile; the next open removes what was written, or the next packing replaces it.
            return self.disk.remove(TEMPORARY);
        }
        self.put_in_place(segment)?;
        self.disk.sync_dir()?;
        // From here on what it was made from may go, where it is still there.
        match self.disk.remove(&recover::name_of(first)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) if changes.is_empty() => Ok(()),
            // Opening takes it instead where it is there: what was replaced must not come back with it.
            Ok(()) => self.disk.sync_dir(),
        }
    }

    /// Gives what was written its name, in the place of what has it, and shows it.
    fn put_in_place(&self, segment: Segment) -> io::Result<()> {
        let name = segment.name().to_owned();
        let first = segment.first();
        self.shared.replace(segment, |name| self.disk.rename(TEMPORARY, name)).inspect_err(|_| {
            // A disk that refused may have done it all the same: what is shown is what has the name.
            let there = self.disk.open(&name).ok().and_then(|file| Blocks::open(&*file).ok());
            if let Some(blocks) = there.filter(|blocks| blocks.first() == first) {
                let _ = self.shared.replace(Segment::packed(name.clone(), blocks), |_| Ok(()));
            }
        })
    }
}

fn hold(lock: &Mutex<()>) -> MutexGuard<'_, ()> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
