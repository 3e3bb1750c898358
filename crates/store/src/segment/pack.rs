//! Packing closed segments, one after the other, beside the writer or, for tests that count operations, on its thread.

use std::{
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
    packed::{TEMPORARY, Writer},
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
    /// Whoever changes names of segments that have one holds this: packing and dropping must not cross.
    names: Mutex<()>,
    stop: AtomicBool,
}

impl Packer {
    /// A packer for the log of `shared`; `beside` the writer, in a thread of its own.
    pub(super) fn new(disk: Arc<dyn Disk>, shared: Arc<Shared>, metrics: Arc<Metrics>, beside: bool) -> Packer {
        let work = Work { disk, shared, metrics, names: Mutex::default(), stop: AtomicBool::new(false) };
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
        self.work.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Packer {
    /// Waits for the thread, which ends after the records it is reading.
    fn drop(&mut self) {
        self.work.stop.store(true, Relaxed);
        if let Some((wake, thread)) = self.thread.take() {
            drop(wake);
            // What it could not finish the next open begins again.
            let _ = thread.join();
        }
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
            match self.pack(first, next) {
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

    fn pack(&self, first: u64, next: u64) -> io::Result<()> {
        let mut writer = Writer::create(&*self.disk, first, next)?;
        let mut position = first;
        while position < next {
            if self.stop.load(Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = CHUNK_RECORDS.min(usize::try_from(next - position).unwrap_or(CHUNK_RECORDS));
            let records = self.shared.read_from(position, most, CHUNK_BYTES).map_err(io::Error::other)?;
            for (at, record) in &records {
                debug_assert_eq!(*at, position, "records come in order");
                writer.push(record)?;
                position += 1;
            }
        }
        let blocks = writer.finish()?;
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.shared.holds(first) {
            // It was dropped meanwhile; the next open removes what was written, or the next packing replaces it.
            return self.disk.remove(TEMPORARY);
        }
        let name = recover::packed_name_of(first);
        self.disk.rename(TEMPORARY, &name)?;
        self.disk.sync_dir()?;
        // From here on both are there and durable, so either may go.
        self.shared.replace(Segment::packed(name, blocks));
        self.disk.remove(&recover::name_of(first))
    }
}
