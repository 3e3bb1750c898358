//! What readers and the writer share: which segments there are, how far each is durable, where positions lie.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    disk::{Disk, DiskFile, read_exact},
    frame::{FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader},
    log::{Damage, ReadError, ReadLog},
};

use super::{
    files::{self, Files},
    packed::{self, Blocks},
    recent::Recent,
    recover,
};

/// A position is noted once in so many bytes of a segment: 8 bytes of memory for each 4 KiB of log.
const MARK_EVERY: u64 = 4096;
/// How much a reader fetches at once, at least, where there is so much.
const READ_AHEAD: u64 = 32 << 10;
/// The same for who asks for few records: twice what a mark lies before one of them at most, but for large commits.
const READ_AHEAD_FEW: u64 = 2 * MARK_EVERY;
/// Who asks for at most so many records at once reads here and there, and comes back to the same parts.
const FEW: usize = 16;

/// The durable part of a log.
pub(super) struct Shared {
    disk: Arc<dyn Disk>,
    segments: RwLock<VecDeque<Segment>>,
    first: AtomicU64,
    durable: AtomicU64,
    recent: Recent,
    files: Files,
}

/// The durable part of one segment.
pub(super) struct Segment {
    name: String,
    first: u64,
    next: u64,
    /// The offset after its last durable frame; 0 for a packed one.
    end: u64,
    content: Content,
}

/// How a segment holds its records.
enum Content {
    /// As they were committed.
    Frames {
        salt: u64,
        marks: Vec<Mark>,
        /// Open for the segment that is written to; readers open the others themselves and keep few of them open, so
        /// that the number of open files does not grow with the log.
        file: Option<Arc<dyn DiskFile>>,
    },
    /// In compressed blocks.
    Packed(Arc<Blocks>),
}

/// Where the frame lies that begins at a position; the position counts from the segment's first.
struct Mark {
    position: u32,
    offset: u32,
}

/// From where to read to come to a position.
enum Spot {
    Frames(FrameSpot),
    Packed { name: String, file: Arc<dyn DiskFile>, blocks: Arc<Blocks> },
}

struct FrameSpot {
    first: u64,
    name: String,
    file: Arc<dyn DiskFile>,
    salt: u64,
    /// The frame at `offset` begins with this position.
    position: u64,
    offset: u64,
    end: u64,
}

impl Segment {
    pub(super) fn new(name: String, header: SegmentHeader, file: Arc<dyn DiskFile>) -> Segment {
        let first = header.first;
        let content = Content::Frames { salt: header.salt, marks: Vec::new(), file: Some(file) };
        Segment { name, first, next: first, end: SEGMENT_HEADER as u64, content }
    }

    /// A segment whose records lie in `blocks`.
    pub(super) fn packed(name: String, blocks: Blocks) -> Segment {
        let (first, next) = (blocks.first(), blocks.next());
        Segment { name, first, next, end: 0, content: Content::Packed(Arc::new(blocks)) }
    }

    /// Whether it is packed.
    pub(super) fn is_packed(&self) -> bool {
        matches!(self.content, Content::Packed(_))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The frame at `offset` begins with `position`; after it the segment is at `next` and `end`.
    pub(super) fn extend(&mut self, position: u64, offset: u64, next: u64, end: u64) {
        let Content::Frames { marks, .. } = &mut self.content else { return };
        let last = marks.last().map_or(0, |mark| u64::from(mark.offset));
        if marks.is_empty() || offset - last >= MARK_EVERY {
            // A segment is far below 4 GiB, and each record takes at least 4 bytes of it.
            if let (Ok(position), Ok(offset)) = (u32::try_from(position - self.first), u32::try_from(offset)) {
                marks.push(Mark { position, offset });
            }
        }
        self.next = next;
        self.end = end;
    }

    pub(super) fn close(&mut self) {
        if let Content::Frames { marks, file, .. } = &mut self.content {
            *file = None;
            marks.shrink_to_fit();
        }
    }

    /// Where to read from, `open` opening the file where the segment holds none.
    fn spot(
        &self,
        position: u64,
        open: impl FnOnce(&str, files::Key) -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Spot> {
        let (first, name) = (self.first, self.name.clone());
        match &self.content {
            Content::Packed(blocks) => {
                let file = open(&name, (first, blocks.salt()))?;
                Ok(Spot::Packed { file, name, blocks: Arc::clone(blocks) })
            }
            Content::Frames { salt, marks, file } => {
                let after = marks.partition_point(|mark| first + u64::from(mark.position) <= position);
                let mark = after.checked_sub(1).and_then(|mark| marks.get(mark));
                Ok(Spot::Frames(FrameSpot {
                    first,
                    file: match file {
                        Some(file) => Arc::clone(file),
                        None => open(&name, (first, *salt))?,
                    },
                    name,
                    salt: *salt,
                    position: first + mark.map_or(0, |mark| u64::from(mark.position)),
                    offset: mark.map_or(SEGMENT_HEADER as u64, |mark| u64::from(mark.offset)),
                    end: self.end,
                }))
            }
        }
    }
}

impl FrameSpot {
    fn damaged(&self, offset: u64, what: &str) -> ReadError {
        ReadError::Damaged(Damage { segment: self.name.clone(), offset, what: what.to_owned() })
    }
}

impl Shared {
    /// `segments` in order; `next` is the position after the last durable record; of what was read last, `recent` bytes
    /// are kept.
    pub(super) fn new(disk: Arc<dyn Disk>, segments: Vec<Segment>, next: u64, recent: usize) -> Shared {
        let first = segments.first().map_or(next, Segment::first);
        Shared {
            disk,
            segments: RwLock::new(segments.into()),
            first: AtomicU64::new(first),
            durable: AtomicU64::new(next),
            recent: Recent::new(recent),
            files: Files::default(),
        }
    }

    /// The writer goes on in `segment`.
    pub(super) fn add(&self, segment: Segment) {
        let mut segments = self.write();
        // One without records made way for one that is large enough: their names are one name.
        if segments.back().is_some_and(|last| last.first == segment.first) {
            segments.pop_back();
        }
        if let Some(last) = segments.back_mut() {
            last.close();
        }
        segments.push_back(segment);
    }

    /// Shows a frame to readers. It is durable.
    pub(super) fn publish(&self, position: u64, offset: u64, next: u64, end: u64) {
        let mut segments = self.write();
        if let Some(last) = segments.back_mut() {
            last.extend(position, offset, next, end);
        }
        // While the lock is held: who finds a record finds it durable as well.
        self.durable.store(next, Ordering::Release);
    }

    /// Stops showing the segments that lie wholly below `position`, save the last; their first positions, oldest first.
    pub(super) fn forget_before(&self, position: u64) -> Vec<u64> {
        let mut segments = self.write();
        let mut forgotten = Vec::new();
        while segments.len() > 1 && segments.front().is_some_and(|oldest| oldest.next <= position) {
            forgotten.extend(segments.pop_front().map(|oldest| oldest.first));
        }
        forgotten.iter().for_each(|first| self.files.forget(*first));
        if let Some(oldest) = segments.front() {
            self.first.store(oldest.first, Ordering::Release);
        }
        forgotten
    }

    /// The oldest segment that is closed and not packed: its first position and the one after its last.
    pub(super) fn oldest_unpacked(&self) -> Option<(u64, u64)> {
        let segments = self.read();
        let mut closed = segments.iter().take(segments.len().saturating_sub(1));
        let oldest = closed.find(|segment| !segment.is_packed() && segment.first < segment.next);
        oldest.map(|segment| (segment.first, segment.next))
    }

    /// How many segments are closed and not packed.
    pub(super) fn unpacked(&self) -> u64 {
        let segments = self.read();
        let closed = segments.iter().take(segments.len().saturating_sub(1));
        closed.filter(|segment| !segment.is_packed()).count() as u64
    }

    /// Whether the segment that begins at `first` is still held.
    pub(super) fn holds(&self, first: u64) -> bool {
        self.read().iter().any(|segment| segment.first == first)
    }

    /// The closed segments, oldest first: of each its first position and the one after its last.
    pub(super) fn closed(&self) -> Vec<(u64, u64)> {
        let segments = self.read();
        let closed = segments.iter().take(segments.len().saturating_sub(1));
        closed.map(|segment| (segment.first, segment.next)).collect()
    }

    /// Shows `segment` in place of the one that holds the same positions, as soon as `named` has given its file the name
    /// that it is given. No reader opens a file of that name meanwhile.
    pub(super) fn replace(&self, segment: Segment, named: impl FnOnce(&str) -> io::Result<()>) -> io::Result<()> {
        let mut segments = self.write();
        self.files.forget(segment.first);
        named(&segment.name)?;
        if let Some(place) =
            segments.iter_mut().find(|other| (other.first, other.next) == (segment.first, segment.next))
        {
            *place = segment;
        }
        Ok(())
    }

    /// Whether the segment of `position` lies in another file by now, which is shown from here on: where another process
    /// writes the log, it is that process that packs segments and writes them anew.
    fn is_renewed(&self, position: u64) -> bool {
        let (first, next, salt) = {
            let segments = self.read();
            let Some(held) = segments.iter().find(|held| (held.first..held.next).contains(&position)) else {
                return false;
            };
            let salt = if let Content::Packed(blocks) = &held.content { Some(blocks.salt()) } else { None };
            (held.first, held.next, salt)
        };
        let name = recover::packed_name_of(first);
        let there = self.disk.open(&name).ok().and_then(|file| Blocks::open(&*file).ok());
        let there =
            there.filter(|blocks| (blocks.first(), blocks.next()) == (first, next) && Some(blocks.salt()) != salt);
        there.is_some_and(|blocks| self.replace(Segment::packed(name, blocks), |_| Ok(())).is_ok())
    }

    fn locate(&self, position: u64) -> Result<Option<Spot>, ReadError> {
        let segments = self.read();
        let first = segments.front().map_or(0, Segment::first);
        if position < first {
            return Err(ReadError::Dropped { first });
        }
        let after = segments.partition_point(|segment| segment.first <= position);
        let holding = after.checked_sub(1).and_then(|at| segments.get(at)).filter(|segment| position < segment.next);
        // While the lock is held the name is still there.
        let open = |name: &str, key| match self.recent.serves() {
            true => self.files.get(key, || self.disk.open(name)),
            false => self.disk.open(name),
        };
        holding.map(|segment| segment.spot(position, open)).transpose().map_err(ReadError::Io)
    }

    /// Reads what is `wanted` and lies in the segment of `spot`.
    fn read_segment(&self, spot: &Spot, wanted: &mut Wanted) -> Result<(), ReadError> {
        match spot {
            Spot::Frames(spot) => self.read_frames(spot, wanted),
            Spot::Packed { name, file, blocks } => self.read_blocks(name, &**file, blocks, wanted),
        }
    }

    fn read_blocks(
        &self,
        name: &str,
        file: &dyn DiskFile,
        blocks: &Blocks,
        wanted: &mut Wanted,
    ) -> Result<(), ReadError> {
        while !wanted.full && wanted.position < blocks.next() {
            let (number, position) = blocks.holding(wanted.position);
            let key = (blocks.salt(), true, number as u64);
            let block = match self.recent.get(key).filter(|_| wanted.few) {
                Some(block) => block,
                None => {
                    let block = Arc::new(blocks.unpack(file, name, number)?);
                    if wanted.few {
                        self.recent.put(key, &block);
                    }
                    block
                }
            };
            let damaged = |what: &str| {
                ReadError::Damaged(Damage {
                    segment: name.to_owned(),
                    offset: 0,
                    what: format!("block {number} {what}"),
                })
            };
            let before = wanted.position;
            wanted.take(position, &packed::records(&block).ok_or_else(|| damaged("does not split into records"))?);
            // Without progress the caller would ask again for ever.
            if !wanted.full && wanted.position == before {
                return Err(damaged("lacks a record that the index says it has"));
            }
        }
        Ok(())
    }

    fn read_frames(&self, spot: &FrameSpot, wanted: &mut Wanted) -> Result<(), ReadError> {
        let ahead = if wanted.few { READ_AHEAD_FEW } else { READ_AHEAD };
        let mut window = Window { spot, ahead, start: 0, bytes: Vec::new() };
        let (mut offset, mut position) = (spot.offset, spot.position);
        while offset < spot.end && !wanted.full {
            let header = FrameHeader::parse(window.get(offset, FRAME_HEADER as u64)?, spot.salt, offset)
                .filter(|header| header.first == position)
                .ok_or_else(|| spot.damaged(offset, "a frame was here and is no more"))?;
            if header.next() > wanted.position {
                let wrong = || spot.damaged(offset, "the frame does not match its checksum");
                let key = (spot.first, false, offset);
                if let Some(body) = self.recent.get(key).filter(|_| wanted.few) {
                    wanted.take(position, &header.split(&body).ok_or_else(wrong)?);
                } else {
                    let body = window.get(offset + FRAME_HEADER as u64, header.padded_body())?;
                    wanted.take(position, &header.records(body, spot.salt).ok_or_else(wrong)?);
                    if wanted.few && self.recent.serves() {
                        self.recent.put(key, &Arc::new(body.to_vec()));
                    }
                }
            }
            position = header.next();
            offset += header.extent();
        }
        // The caller found the position in this segment; without progress it would ask again for ever.
        if wanted.full || wanted.position >= position {
            Ok(())
        } else {
            Err(spot.damaged(offset, "the frames end here"))
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, VecDeque<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, VecDeque<Segment>> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadLog for Shared {
    fn read_from(&self, position: u64, max_records: usize, max_bytes: usize) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut wanted = Wanted {
            position,
            records: max_records,
            bytes: max_bytes,
            few: max_records <= FEW,
            full: max_records == 0,
            found: vec![],
        };
        while !wanted.full {
            // The writer may drop a segment while we read: what was found before stays true.
            let outcome = match self.locate(wanted.position) {
                Ok(None) => break,
                Ok(Some(spot)) => self.read_segment(&spot, &mut wanted),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => {}
                Err(_) if wanted.position < self.first() => {
                    if wanted.found.is_empty() {
                        return Err(ReadError::Dropped { first: self.first() });
                    }
                    break;
                }
                Err(_) if self.is_renewed(wanted.position) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(wanted.found)
    }

    fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    fn first(&self) -> u64 {
        self.first.load(Ordering::Acquire)
    }
}

/// What a reader asked for and has so far.
struct Wanted {
    /// The next position wanted.
    position: u64,
    records: usize,
    bytes: usize,
    few: bool,
    full: bool,
    found: Vec<(u64, Vec<u8>)>,
}

impl Wanted {
    /// Takes from `records`, which begin at `first`, what is still wanted.
    fn take(&mut self, first: u64, records: &[&[u8]]) {
        for (record, position) in records.iter().zip(first..) {
            if position < self.position {
                continue;
            }
            if self.records == 0 || (record.len() > self.bytes && !self.found.is_empty()) {
                self.full = true;
                return;
            }
            self.records -= 1;
            self.bytes = self.bytes.saturating_sub(record.len());
            self.position = position + 1;
            self.found.push((position, record.to_vec()));
        }
        self.full = self.records == 0;
    }
}

/// The part of a file that was fetched last.
struct Window<'a> {
    spot: &'a FrameSpot,
    /// How much is fetched at once, at least.
    ahead: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// `length` bytes at `offset`, fetched with what follows them in the durable part of the segment.
    fn get(&mut self, offset: u64, length: u64) -> Result<&[u8], ReadError> {
        let left = self.spot.end.saturating_sub(offset);
        if length > left {
            return Err(self.spot.damaged(offset, "a frame reaches beyond the durable end"));
        }
        let held = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + length > held {
            self.start = offset;
            self.bytes.resize(length.max(self.ahead.min(left)) as usize, 0);
            read_exact(&*self.spot.file, offset, &mut self.bytes).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.spot.damaged(offset, "the file ends after this"),
                _ => ReadError::Io(error),
            })?;
        }
        let from = (offset - self.start) as usize;
        Ok(self.bytes.get(from..from + length as usize).unwrap_or_default())
    }
}
