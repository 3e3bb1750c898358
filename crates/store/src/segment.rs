//! The embedded log: append-only segment files, written with zeros beforehand so that a commit is one write and one
//! fdatasync that changes no metadata.
//!
//! A segment is made whole under the name [`spare::NAME`], at its final length and synced; only then does it get the
//! name of its first position. So a file with a segment's name always has a good header and its full length, and
//! anything else is damage, not a crash. The bytes inside are `frame.rs`.
//!
//! Assumed of the disk, as most databases do: a write that a crash interrupts changes no byte outside its own range.

use std::{
    collections::HashSet,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    disk::{Disk, DiskFile, read_exact, write_all},
    folder::{Claim, Place},
    frame::{self, FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader},
    log::{AppendError, DropError, Durable, Log, MAX_COMMIT_BYTES, MAX_COMMIT_RECORDS, ReadLog},
    metrics::Metrics,
};

mod files;
mod pack;
mod packed;
mod reader;
mod recent;
mod recover;
mod spare;
#[cfg(test)]
mod tests;

use pack::Packer;
use reader::{Segment, Shared};
use spare::Spare;

pub use pack::Rewriter;
pub use recover::{OpenError, Recovery, TornTail, inspect, peek, read_only, read_whole};

/// A buffer that one large commit blew up is given back when it is above this.
const KEPT_BUFFER: usize = 4 << 20;

/// Offsets are noted in 32 bits, and opening holds a segment in memory.
const LARGEST_SEGMENT: u64 = 1 << 30;

/// How a segment log lays itself out. None of it changes what is promised.
#[derive(Clone, Copy, Debug)]
pub struct SegmentOptions {
    /// Length of the first segment of a new log, in bytes; each next one is twice as long, up to `largest`. A demo's
    /// folder stays small, a busy ledger seldom changes files.
    pub smallest: u64,
    /// Length of the longest segment, save one for a commit that needs more.
    pub largest: u64,
    /// Whether threads write the zeros of the next segment while the current one fills, and pack what is closed. Without
    /// them, the append that finds its segment full waits for that; tests want it so, because then every operation has
    /// its number.
    pub ahead: bool,
    /// Whether closed segments are packed: compressed in blocks.
    pub pack: bool,
    /// Bytes of what was read last that readers of single records find in memory, or what one commit wrote where that is more; 0 has
    /// every read go to the disk.
    pub recent: usize,
}

impl Default for SegmentOptions {
    fn default() -> SegmentOptions {
        SegmentOptions { smallest: 1 << 20, largest: 32 << 20, ahead: true, pack: false, recent: 0 }
    }
}

impl SegmentOptions {
    /// The length of the segment that follows one of `before` bytes (0 for the first) and must take `need` bytes of
    /// frames.
    fn capacity(&self, before: u64, need: u64) -> u64 {
        let usual = before.saturating_mul(2).min(self.largest).max(self.smallest).min(LARGEST_SEGMENT);
        usual.max(SEGMENT_HEADER as u64 + need).next_multiple_of(frame::ALIGN as u64)
    }
}

/// The writer of a log in segment files. Dropping it syncs nothing: all that was acknowledged is durable already.
pub struct SegmentLog {
    disk: Arc<dyn Disk>,
    options: SegmentOptions,
    shared: Arc<Shared>,
    active: Active,
    next: u64,
    /// Set before anything is written and cleared when it is durable: whatever ends an append early leaves it set.
    poisoned: bool,
    /// First positions of segments whose records are no longer shown and whose files are still to be removed, oldest
    /// first.
    doomed: Vec<u64>,
    buffer: Vec<u8>,
    metrics: Arc<Metrics>,
    recovery: Recovery,
    // In this order: the threads have ended before the place is free for another writer.
    packer: Packer,
    spare: Spare,
    _claim: Option<Claim>,
}

/// The segment that takes the next frame.
struct Active {
    file: Arc<dyn DiskFile>,
    salt: u64,
    /// Where its last frame begins, where it has one.
    last: Option<u64>,
    end: u64,
    capacity: u64,
}

impl SegmentLog {
    /// Opens the log at `place`, an empty one where there is none. Reads all of it (about a second per GiB), so that
    /// everything it goes on to serve was whole at that time, ends the last commit truthfully if a crash tore it, and
    /// makes the end durable before it is shown.
    ///
    /// # Errors
    /// [`OpenError`]: damage that no crash leaves, a format of another version, or the disk. Nothing is changed then,
    /// save that a torn end may already have been cleared.
    pub fn open(place: Place, options: SegmentOptions) -> Result<SegmentLog, OpenError> {
        let Place { disk, claim } = place;
        let found = recover::recover(&*disk)?;
        let next = found.recovery.next;
        let shared = Arc::new(Shared::new(Arc::clone(&disk), found.segments, next, options.recent));
        let metrics: Arc<Metrics> = Arc::default();
        let packer = Packer::new(Arc::clone(&disk), Arc::clone(&shared), Arc::clone(&metrics), options.ahead);
        let mut spare = Spare::default();
        let active = match found.active {
            Some(active) => active,
            None => add_segment(&*disk, &shared, &mut spare, next, options.capacity(0, 0))
                .map_err(|cause| OpenError::io("make the first segment", cause))?,
        };
        let mut log = SegmentLog {
            disk,
            options,
            shared,
            active,
            next,
            poisoned: false,
            doomed: Vec::new(),
            buffer: Vec::new(),
            metrics,
            recovery: found.recovery,
            packer,
            spare,
            _claim: claim,
        };
        log.look_ahead();
        if options.ahead {
            log.pack_closed();
        }
        Ok(log)
    }

    /// Closes the segment that is written to, where it holds a record: the next append begins another one.
    ///
    /// # Errors
    /// As an append that could not be written.
    pub fn close_segment(&mut self) -> Result<(), AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        if self.active.end > SEGMENT_HEADER as u64 {
            self.poisoned = true;
            self.add_segment(0).map_err(AppendError::NotWritten)?;
            self.poisoned = false;
        }
        Ok(())
    }

    /// What puts other records in the place of some in closed segments. It works while this log is open.
    pub fn rewriter(&self) -> Rewriter {
        self.packer.rewriter()
    }

    /// What opening found.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The first position of a segment whose file is not in its place any more, where there is one, or of the last segment where
    /// what was committed last is not in the file that lies there. Whoever has a file open that was deleted reads it, writes it
    /// and syncs it as before, and nobody finds it again.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn missing(&self) -> io::Result<Option<u64>> {
        // Packing gives a segment another name.
        let _names = self.packer.hold_names();
        let there: HashSet<String> = self.disk.list()?.into_iter().collect();
        let closed = self.shared.closed();
        let stands =
            |first| [recover::name_of(first), recover::packed_name_of(first)].iter().any(|name| there.contains(name));
        if let Some((first, _)) = closed.iter().find(|(first, _)| !stands(*first)) {
            return Ok(Some(*first));
        }
        let first = closed.last().map_or(self.shared.first(), |(_, next)| *next);
        Ok((!self.holds_last(&recover::name_of(first))?).then_some(first))
    }

    /// Whether what was committed last is found in the file of this name.
    fn holds_last(&self, name: &str) -> io::Result<bool> {
        let Active { salt, last, .. } = self.active;
        let mut header = vec![0; if last.is_some() { FRAME_HEADER } else { SEGMENT_HEADER }];
        let read = self.disk.open(name).and_then(|file| read_exact(&*file, last.unwrap_or(0), &mut header));
        match read {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => Ok(false),
            Err(error) => Err(error),
            Ok(()) => Ok(match last {
                None => SegmentHeader::parse(&header).is_ok_and(|header| header.salt == salt),
                Some(at) => FrameHeader::parse(&header, salt, at).is_some_and(|header| header.next() == self.next),
            }),
        }
    }

    /// Makes room for a frame of `extent` bytes. The log itself is untouched until the new segment has its name.
    fn make_room(&mut self, extent: u64) -> io::Result<()> {
        if self.active.end + extent <= self.active.capacity {
            return Ok(());
        }
        self.add_segment(extent)
    }

    /// Goes on in another segment, which takes at least `extent` bytes of frames.
    fn add_segment(&mut self, extent: u64) -> io::Result<()> {
        let capacity = self.options.capacity(self.active.capacity, extent);
        self.active = add_segment(&*self.disk, &self.shared, &mut self.spare, self.next, capacity)?;
        Ok(())
    }

    /// Writes and syncs the frame in the buffer, and says how long the sync took.
    fn commit_buffer(&self) -> io::Result<Duration> {
        write_all(&*self.active.file, self.active.end, &self.buffer)?;
        let start = Instant::now();
        self.active.file.sync_data()?;
        Ok(start.elapsed())
    }

    /// Has the next segment written in time: from when this one is half full.
    fn look_ahead(&mut self) {
        if self.options.ahead && self.active.end > self.active.capacity / 2 {
            self.spare.prepare(&self.disk, self.options.capacity(self.active.capacity, 0), &self.metrics);
        }
    }

    /// Has closed segments packed.
    fn pack_closed(&mut self) {
        if self.options.pack {
            self.packer.catch_up();
        }
    }

    fn measure(&mut self, records: usize, sync: Duration) {
        self.metrics.sync.record(sync.as_micros() as u64);
        self.metrics.records.record(records as u64);
        self.metrics.bytes.record(self.buffer.len() as u64);
        if self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
    }
}

impl Log for SegmentLog {
    fn first(&self) -> u64 {
        self.shared.first()
    }

    fn next(&self) -> u64 {
        self.next
    }

    fn append(&mut self, expected: u64, records: &[&[u8]]) -> Result<Durable, AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        if expected != self.next {
            return Err(AppendError::Conflict { next: self.next });
        }
        if records.is_empty() {
            return Ok(Durable::on_one_machine(expected, expected));
        }
        let bytes = records.iter().map(|record| record.len()).sum();
        if bytes > MAX_COMMIT_BYTES || records.len() > MAX_COMMIT_RECORDS {
            return Err(AppendError::TooLarge { records: records.len(), bytes });
        }

        self.poisoned = true;
        self.make_room(frame::extent(records)).map_err(AppendError::NotWritten)?;
        let offset = self.active.end;
        frame::encode(&mut self.buffer, self.active.salt, offset, expected, records);
        let sync = self.commit_buffer().map_err(AppendError::Unknown)?;
        self.poisoned = false;

        self.next += records.len() as u64;
        self.active.last = Some(offset);
        self.active.end += self.buffer.len() as u64;
        self.shared.publish(expected, offset, self.next, self.active.end);
        self.measure(records.len(), sync);
        self.look_ahead();
        if offset == SEGMENT_HEADER as u64 {
            self.pack_closed();
        }
        Ok(Durable::on_one_machine(expected, self.next))
    }

    /// Only whole segments are removed, and never the one that takes the next frame.
    fn drop_before(&mut self, position: u64) -> Result<(), DropError> {
        if self.poisoned {
            return Err(DropError::Poisoned);
        }
        if position > self.next {
            return Err(DropError::Beyond { next: self.next });
        }
        let _names = self.packer.hold_names();
        self.doomed.extend(self.shared.forget_before(position));
        while let Some(first) = self.doomed.first() {
            // Where a packing failed half-way both may be there, and neither may be left.
            for name in [recover::name_of(*first), recover::packed_name_of(*first)] {
                match self.disk.remove(&name) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(DropError::Failed(error)),
                }
            }
            // One at a time: a crash must not leave an older segment where a younger one is gone.
            self.disk.sync_dir().map_err(DropError::Failed)?;
            self.doomed.remove(0);
        }
        Ok(())
    }

    fn reader(&self) -> Arc<dyn ReadLog> {
        Arc::clone(&self.shared) as Arc<dyn ReadLog>
    }

    fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }
}

/// Makes the segment that begins at `first`, of at least `capacity` bytes, and shows it to readers. It is durable,
/// name and all, before anything is written into it.
fn add_segment(disk: &dyn Disk, shared: &Shared, spare: &mut Spare, first: u64, capacity: u64) -> io::Result<Active> {
    let (file, capacity) = spare.take(disk, capacity)?;
    let header = SegmentHeader { first, capacity, salt: disk.nonce() };
    write_all(&*file, 0, &header.encode())?;
    file.sync_data()?;
    let name = recover::name_of(first);
    disk.rename(spare::NAME, &name)?;
    disk.sync_dir()?;
    let end = SEGMENT_HEADER as u64;
    shared.add(Segment::new(name, header, Arc::clone(&file)));
    Ok(Active { file, salt: header.salt, last: None, end, capacity })
}
