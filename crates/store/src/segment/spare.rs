//! The next segment, written with zeros before it is needed.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    disk::{Disk, DiskFile, write_all},
    metrics::Metrics,
};

#[cfg(test)]
mod tests;

/// The name of a segment that is not one yet; opening a log removes it.
pub(super) const NAME: &str = "spare.tmp";

/// Zeros are written and synced in pieces of this size, so that a commit that syncs meanwhile never waits for more.
const PIECE: usize = 256 << 10;
/// The pause after each where nobody waits for the segment: commits go between.
const PAUSE: Duration = Duration::from_millis(1);

/// A segment being made, or none.
#[derive(Default)]
pub(super) struct Spare {
    job: Option<Job>,
    stop: Arc<AtomicBool>,
}

struct Job {
    capacity: u64,
    thread: JoinHandle<io::Result<Arc<dyn DiskFile>>>,
}

impl Spare {
    /// Starts to make one of `capacity` bytes in a thread of its own, unless one was started. Where no thread is to be
    /// had nothing happens, and where the disk refuses that is counted and nothing is left of it; then [`Spare::take`] does
    /// the work.
    pub(super) fn prepare(&mut self, disk: &Arc<dyn Disk>, capacity: u64, metrics: &Arc<Metrics>) {
        if self.job.is_some() {
            return;
        }
        let (disk, stop, metrics) = (Arc::clone(disk), Arc::clone(&self.stop), Arc::clone(metrics));
        let work = move || {
            prewrite(&*disk, capacity, PAUSE, &stop).inspect_err(|_| {
                if !stop.load(Relaxed) {
                    metrics.failed_spares.fetch_add(1, Relaxed);
                }
            })
        };
        if let Ok(thread) = std::thread::Builder::new().name("prewrite".into()).spawn(work) {
            self.job = Some(Job { capacity, thread });
        }
    }

    /// A synced file of zeros under [`NAME`], of at least `capacity` bytes, and its length: the one that was prepared,
    /// if it serves, or one made now.
    pub(super) fn take(&mut self, disk: &dyn Disk, capacity: u64) -> io::Result<(Arc<dyn DiskFile>, u64)> {
        if let Some(job) = self.job.take() {
            let made = job.thread.join();
            if let Ok(Ok(file)) = made
                && job.capacity >= capacity
            {
                return Ok((file, job.capacity));
            }
        }
        Ok((prewrite(disk, capacity, Duration::ZERO, &self.stop)?, capacity))
    }
}

impl Drop for Spare {
    /// Waits for the thread, which ends after its current piece.
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(job) = self.job.take() {
            // Its outcome is of no use to anyone any more.
            let _ = job.thread.join();
        }
    }
}

/// Makes the file, or leaves none: what a disk without room has taken of it would be room that commits need.
fn prewrite(disk: &dyn Disk, capacity: u64, pause: Duration, stop: &AtomicBool) -> io::Result<Arc<dyn DiskFile>> {
    write_zeros(disk, capacity, pause, stop).inspect_err(|_| {
        // Where not even this is to be had, opening the log removes it.
        let _ = disk.remove(NAME);
    })
}

fn write_zeros(disk: &dyn Disk, capacity: u64, pause: Duration, stop: &AtomicBool) -> io::Result<Arc<dyn DiskFile>> {
    let file = disk.create(NAME)?;
    let zeros = vec![0; PIECE.min(capacity as usize)];
    let mut offset = 0;
    while offset < capacity {
        if stop.load(Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let piece = zeros.get(..(capacity - offset) as usize).unwrap_or(&zeros);
        write_all(&*file, offset, piece)?;
        file.sync_data()?;
        offset += piece.len() as u64;
        std::thread::sleep(pause);
    }
    Ok(file)
}
