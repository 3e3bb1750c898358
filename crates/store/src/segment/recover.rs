//! Opening: every segment is read, the torn end told from damage, and the end made durable before it is shown.
//!
//! An append syncs before the next begins, so a crash can tear the last frame and nothing else. Hence: what follows
//! the last good frame of the last segment is a torn end, unless a later frame's header is found behind it; and every
//! other segment must reach to the position at which the next begins.

use std::{fmt, io, path::Path, sync::Arc};

use crate::{
    disk::{Directory, Disk, DiskFile, read_exact, write_all},
    folder::Place,
    frame::{ALIGN, FORMAT, FRAME_HEADER, FrameHeader, HeaderError, SEGMENT_HEADER, SegmentHeader},
    log::{Damage, ReadLog},
};

use super::{
    Active,
    packed::{self, Blocks, PackedError},
    reader::{Segment, Shared},
    spare,
};

const SUFFIX: &str = ".seg";
const PACKED_SUFFIX: &str = ".pack";
const ZEROS: [u8; 4096] = [0; 4096];

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How many segments there were.
    pub segments: usize,
    /// How many of them are packed.
    pub packed: usize,
    /// The oldest position held.
    pub first: u64,
    /// The position after the last record.
    pub next: u64,
    /// The commit that a crash cut short, if one did. It was never acknowledged, and none of it remains.
    pub torn: Option<TornTail>,
}

/// Where a commit was cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file.
    pub segment: String,
    /// Where in it the commit began.
    pub offset: u64,
    /// From there to the last byte that had been written.
    pub bytes: u64,
}

/// Why a log can't be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The disk refused.
    Io {
        /// What was tried.
        doing: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// Damage that no crash leaves. Nothing was changed.
    Damaged(Damage),
    /// Records are missing between two segments. Nothing was changed.
    Missing {
        /// The segment after the gap.
        segment: String,
        /// The position at which it should begin.
        expected: u64,
        /// The position at which it does.
        found: u64,
    },
    /// A segment was written by a build with another format. Nothing was changed.
    Version {
        /// The file.
        segment: String,
        /// Its format.
        found: u32,
    },
    /// A file ends as segments do and has no segment's name, so that the log has nothing in it. Nothing was changed.
    Stray {
        /// The file.
        name: String,
    },
}

impl OpenError {
    pub(super) fn io(doing: impl Into<String>, cause: io::Error) -> OpenError {
        OpenError::Io { doing: doing.into(), cause }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Io { doing, cause } => write!(out, "can't {doing} ({cause}): check the disk"),
            OpenError::Damaged(damage) => write!(out, "{damage}"),
            OpenError::Missing { segment, expected, found } => write!(
                out,
                "{segment} begins at position {found}, but {expected} comes next: the segment before it is missing, \
                 restore it from a copy"
            ),
            OpenError::Version { segment, found } => write!(
                out,
                "{segment} has format {found}, this build knows {FORMAT}: open it with the build that wrote it"
            ),
            OpenError::Stray { name } => write!(
                out,
                "{name} is not the name of a segment: move that file out of the folder, or where it is a segment that was renamed \
                 give it its own name again; nothing was changed"
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io { cause, .. } => Some(cause),
            OpenError::Damaged(_) | OpenError::Missing { .. } | OpenError::Version { .. } | OpenError::Stray { .. } => {
                None
            }
        }
    }
}

/// Reads all of the log at `place` and changes nothing: what [`super::SegmentLog::open`] would find.
///
/// # Errors
/// As opening.
pub fn inspect(place: &Place) -> Result<Recovery, OpenError> {
    Ok(scan(&*place.disk)?.recovery())
}

/// Opens the log at `place` for reading alone and changes nothing: a torn end is told, not cleared.
///
/// # Errors
/// As opening.
pub fn read_only(place: &Place) -> Result<(Arc<dyn ReadLog>, Recovery), OpenError> {
    let scan = scan(&*place.disk)?;
    let recovery = scan.recovery();
    Ok((Arc::new(Shared::new(Arc::clone(&place.disk), scan.segments, recovery.next, 0)), recovery))
}

/// Reads what is whole of the log at `place`, which [`read_only`] refuses as damaged: the records before the first that is lost,
/// and what is wrong there; `None` where none is, since all that was wrong is a file that has no segment's name.
///
/// # Errors
/// Where the folder can't be listed.
pub fn read_whole(place: &Place) -> Result<(Arc<dyn ReadLog>, Option<OpenError>), OpenError> {
    // A file of another name holds nothing of it, whatever it is.
    let names = list(&*place.disk)?.into_iter().filter(|name| position_of(name).is_some()).collect();
    let mut segments = Vec::new();
    let ends = scan_into(&*place.disk, names, &mut segments).err();
    let next = segments.last().map_or(0, Segment::next);
    Ok((Arc::new(Shared::new(Arc::clone(&place.disk), segments, next, 0)), ends))
}

/// Reads the log in the folder `path` as [`read_only`] does, whoever holds and writes to it: what was whole at this moment
/// is shown, and nothing that is added later. Nothing has to be writable there.
///
/// # Errors
/// As opening. Where another process writes to the log at this moment it may seem damaged: try again.
pub fn peek(path: &Path) -> Result<Arc<dyn ReadLog>, OpenError> {
    let disk = Directory::to_read(path).map_err(|cause| OpenError::io(format!("open {}", path.display()), cause))?;
    Ok(read_only(&Place::on(disk))?.0)
}

/// A log ready to go on: its segments, and the last of them to append to, if there is one.
pub(super) struct Found {
    pub(super) segments: Vec<Segment>,
    pub(super) active: Option<Active>,
    pub(super) recovery: Recovery,
}

pub(super) fn recover(disk: &dyn Disk) -> Result<Found, OpenError> {
    let scan = scan(disk)?;
    for name in &scan.leftovers {
        disk.remove(name).map_err(|cause| OpenError::io(format!("remove {name}"), cause))?;
    }
    // The process before may have ended between a change of names and its sync.
    disk.sync_dir().map_err(|cause| OpenError::io("sync the folder", cause))?;
    let recovery = scan.recovery();
    if let Some(last) = &scan.last {
        let name = scan.segments.last().map_or("", Segment::name);
        last.make_durable().map_err(|cause| OpenError::io(format!("make the end of {name} durable"), cause))?;
    }
    let end = scan.segments.last().map_or(0, Segment::end);
    let active = scan.last.map(|Last { file, salt, capacity, frame, .. }| {
        let last = frame.map(|(offset, _)| offset);
        Active { file, salt, last, end, capacity }
    });
    Ok(Found { segments: scan.segments, active, recovery })
}

/// The file of the segment that begins at `first`.
pub(super) fn name_of(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The file of the packed segment that begins at `first`.
pub(super) fn packed_name_of(first: u64) -> String {
    format!("{first:020}{PACKED_SUFFIX}")
}

/// The first position of the segment that a file's name names, and whether it is a packed one.
fn position_of(name: &str) -> Option<(u64, bool)> {
    let packed = name.ends_with(PACKED_SUFFIX);
    let suffix = if packed { PACKED_SUFFIX } else { SUFFIX };
    let first = name.strip_suffix(suffix)?.parse().ok()?;
    let own = if packed { packed_name_of(first) } else { name_of(first) };
    (own == name).then_some((first, packed))
}

/// A log as it lies on the disk.
struct Scan {
    segments: Vec<Segment>,
    last: Option<Last>,
    /// Files of work that a process before did not finish: a segment that was never used, a packed one that is not known
    /// to be durable and whose original is there.
    leftovers: Vec<String>,
}

/// The segment that may have a torn end.
struct Last {
    file: Arc<dyn DiskFile>,
    salt: u64,
    capacity: u64,
    /// Its last good frame.
    frame: Option<(u64, Vec<u8>)>,
    torn: Option<(u64, u64)>,
}

/// What follows a segment's last good frame.
enum Tail {
    Zeros,
    /// From the first offset to the second; a crash can leave this.
    Torn(u64, u64),
    /// A crash can't.
    Damaged(u64, &'static str),
}

fn list(disk: &dyn Disk) -> Result<Vec<String>, OpenError> {
    disk.list().map_err(|cause| OpenError::io("list the folder", cause))
}

fn scan(disk: &dyn Disk) -> Result<Scan, OpenError> {
    let mut segments = Vec::new();
    let (last, leftovers) = scan_into(disk, list(disk)?, &mut segments)?;
    Ok(Scan { segments, last, leftovers })
}

/// Reads the segments among the files of these names into `segments`, as far as they are whole. Gives the one that may have a
/// torn end, and what was left over.
fn scan_into(
    disk: &dyn Disk,
    names: Vec<String>,
    segments: &mut Vec<Segment>,
) -> Result<(Option<Last>, Vec<String>), OpenError> {
    let unfinished = |name: &&String| [spare::NAME, packed::TEMPORARY].contains(&name.as_str());
    let mut leftovers: Vec<String> = names.iter().filter(unfinished).cloned().collect();
    let mut files = Vec::new();
    for name in names.into_iter().filter(|name| name.ends_with(SUFFIX) || name.ends_with(PACKED_SUFFIX)) {
        let Some((first, packed)) = position_of(&name) else {
            return Err(OpenError::Stray { name });
        };
        files.push((first, packed, name));
    }
    // Of two that begin alike the original comes first, and counts.
    files.sort_unstable();
    let mut before = None;
    files.retain(|(first, _, name)| {
        let again = before.replace(*first) == Some(*first);
        if again {
            leftovers.push(name.clone());
        }
        !again
    });

    segments.reserve(files.len());
    let mut last = None;
    for (at, (first, packed, name)) in files.iter().enumerate() {
        let opened = open_segment(disk, name, *first, *packed);
        if *packed && matches!(opened, Err(OpenError::Damaged(_))) {
            segments.extend(before_damage(disk, name, *first));
        }
        let (mut segment, end, tail) = opened?;
        if segment.is_packed() {
            leftovers.retain(|left| left != segment.name());
        }
        let follows = match files.get(at + 1) {
            Some((next_first, _, next_name)) => {
                segment.close();
                check_joint(&segment, &tail, *next_first, next_name)
            }
            None => end.map(|end| end.judge(tail, name)).transpose().map(|end| last = end),
        };
        segments.push(segment);
        follows?;
    }
    Ok((last, leftovers))
}

/// What is whole of a packed segment that is damaged: its blocks before the first that is not.
fn before_damage(disk: &dyn Disk, name: &str, first: u64) -> Option<Segment> {
    let file = disk.open(name).ok()?;
    let blocks = Blocks::before_damage(&*file).filter(|blocks| blocks.first() == first)?;
    Some(Segment::packed(name.to_owned(), blocks))
}

/// Reads a segment that was listed as `name`. Where another process writes the log, one that was not packed when it was listed
/// may be by now, and its original gone: what counts is what is there.
fn open_segment(
    disk: &dyn Disk,
    name: &str,
    first: u64,
    packed: bool,
) -> Result<(Segment, Option<Last>, Tail), OpenError> {
    let of_packed = |name: &str| Ok((open_packed(disk, name, first)?, None, Tail::Zeros));
    if packed {
        return of_packed(name);
    }
    let packed_since = packed_name_of(first);
    match walk(disk, name, first) {
        Err(OpenError::Io { cause, .. })
            if cause.kind() == io::ErrorKind::NotFound && disk.open(&packed_since).is_ok() =>
        {
            of_packed(&packed_since)
        }
        read => read,
    }
}

/// Reads a packed segment and checks every byte of it against its checksums.
fn open_packed(disk: &dyn Disk, name: &str, first: u64) -> Result<Segment, OpenError> {
    let failed = |cause| OpenError::io(format!("read {name}"), cause);
    let file = disk.open(name).map_err(failed)?;
    let blocks = Blocks::open(&*file).map_err(|error| match error {
        PackedError::Header(HeaderError::Damaged(what)) => damaged(name, 0, what),
        PackedError::Header(HeaderError::Version(found)) => OpenError::Version { segment: name.to_owned(), found },
        PackedError::Damaged(offset, what) => damaged(name, offset, what),
        PackedError::Io(cause) => failed(cause),
    })?;
    if blocks.first() != first {
        return Err(damaged(name, 16, format!("the header says that it begins at position {}", blocks.first())));
    }
    Ok(Segment::packed(name.to_owned(), blocks))
}

/// Reads one segment, frame by frame, as far as the frames are good.
fn walk(disk: &dyn Disk, name: &str, first: u64) -> Result<(Segment, Option<Last>, Tail), OpenError> {
    let failed = |cause| OpenError::io(format!("read {name}"), cause);
    let file = disk.open(name).map_err(failed)?;
    let length = file.length().map_err(failed)?;
    let mut data = vec![0; length as usize];
    read_exact(&*file, 0, &mut data).map_err(failed)?;

    let header = SegmentHeader::parse(&data).map_err(|error| match error {
        HeaderError::Damaged(what) => damaged(name, 0, what),
        HeaderError::Version(found) => OpenError::Version { segment: name.to_owned(), found },
    })?;
    if header.first != first {
        return Err(damaged(name, 16, format!("the header says that it begins at position {}", header.first)));
    }
    if header.capacity != length {
        return Err(damaged(name, length, format!("the file should have {} bytes", header.capacity)));
    }

    let mut segment = Segment::new(name.to_owned(), header, Arc::clone(&file));
    let mut frame = None;
    while let Some(found) = good_frame(&data, &segment, header.salt) {
        let offset = segment.end();
        segment.extend(found.first, offset, found.next(), offset + found.extent());
        frame = Some((offset, found.extent()));
    }
    let tail = tail_of(&data, &segment, header.salt);
    let bytes = |(offset, extent): (u64, u64)| {
        data.get(offset as usize..(offset + extent) as usize).map(|bytes| (offset, bytes.to_vec()))
    };
    let last = Last { file, salt: header.salt, capacity: header.capacity, frame: frame.and_then(bytes), torn: None };
    Ok((segment, Some(last), tail))
}

/// The frame that continues `segment`, if it is whole and has the next position.
fn good_frame(data: &[u8], segment: &Segment, salt: u64) -> Option<FrameHeader> {
    let rest = data.get(segment.end() as usize..)?;
    let header = FrameHeader::parse(rest, salt, segment.end()).filter(|header| header.first == segment.next())?;
    let body = rest.get(FRAME_HEADER..header.extent().try_into().ok()?)?;
    header.records(body, salt).map(|_| header)
}

fn tail_of(data: &[u8], segment: &Segment, salt: u64) -> Tail {
    let end = segment.end();
    let rest = data.get(end as usize..).unwrap_or_default();
    let Some(last_byte) = last_written(rest) else {
        return Tail::Zeros;
    };
    let written = end + last_byte as u64 + 1;
    if let Some(header) = FrameHeader::parse(rest, salt, end) {
        if header.first != segment.next() {
            return Tail::Damaged(end, "the frame here is not of the position that comes next");
        }
        if header.extent() > rest.len() as u64 {
            return Tail::Damaged(end, "the frame here is longer than the file");
        }
    }
    // A frame's header is good only at its own place, so one that is found further on was written there, after
    // whatever should have been here.
    for offset in (end..written).step_by(ALIGN).skip(1) {
        let found = data.get(offset as usize..).and_then(|bytes| FrameHeader::parse(bytes, salt, offset));
        if found.is_some() {
            return Tail::Damaged(end, "the frame here is bad, but later ones are good");
        }
    }
    Tail::Torn(end, written)
}

/// Where the last byte is that is not zero. Most of a segment may be zeros: they are compared by the block.
fn last_written(bytes: &[u8]) -> Option<usize> {
    let zeros = bytes.rchunks(ZEROS.len()).take_while(|block| ZEROS.get(..block.len()) == Some(*block));
    let rest = bytes.len() - zeros.map(<[u8]>::len).sum::<usize>();
    bytes.get(..rest)?.iter().rposition(|byte| *byte != 0)
}

/// A segment that is not the last must reach to where the next begins. Leftovers behind that do no harm.
fn check_joint(segment: &Segment, tail: &Tail, next_first: u64, next_name: &str) -> Result<(), OpenError> {
    if segment.next() == next_first {
        return Ok(());
    }
    if segment.next() > next_first {
        let what = format!("it begins at position {next_first}, inside the segment before it");
        return Err(damaged(next_name, SEGMENT_HEADER as u64, what));
    }
    match tail {
        Tail::Zeros => {
            let (segment, expected) = (next_name.to_owned(), segment.next());
            Err(OpenError::Missing { segment, expected, found: next_first })
        }
        Tail::Torn(offset, _) | Tail::Damaged(offset, _) => {
            Err(damaged(segment.name(), *offset, "the frame here is bad, but later segments are there"))
        }
    }
}

fn damaged(segment: &str, offset: u64, what: impl Into<String>) -> OpenError {
    OpenError::Damaged(Damage { segment: segment.to_owned(), offset, what: what.into() })
}

impl Scan {
    fn recovery(&self) -> Recovery {
        let name = self.segments.last().map_or("", Segment::name);
        let torn = self.last.as_ref().and_then(|last| last.torn);
        Recovery {
            segments: self.segments.len(),
            packed: self.segments.iter().filter(|segment| segment.is_packed()).count(),
            first: self.segments.first().map_or(0, Segment::first),
            next: self.segments.last().map_or(0, Segment::next),
            torn: torn.map(|(from, to)| TornTail { segment: name.to_owned(), offset: from, bytes: to - from }),
        }
    }
}

impl Last {
    fn judge(mut self, tail: Tail, name: &str) -> Result<Last, OpenError> {
        match tail {
            Tail::Zeros => Ok(self),
            Tail::Torn(from, to) => {
                self.torn = Some((from, to));
                Ok(self)
            }
            Tail::Damaged(offset, what) => Err(damaged(name, offset, what)),
        }
    }

    /// Clears a torn end and writes the last good frame again, with the same bytes. The latter because its sync may
    /// have failed in the process before: then it is only in the kernel's cache, which believes it to be on the disk,
    /// and a sync without a write would do nothing.
    fn make_durable(&self) -> io::Result<()> {
        let mut written = false;
        if let Some((from, to)) = self.torn {
            let mut offset = from;
            while offset < to {
                let piece = ZEROS.get(..(to - offset) as usize).unwrap_or(&ZEROS);
                write_all(&*self.file, offset, piece)?;
                offset += piece.len() as u64;
            }
            written = true;
        }
        if let Some((offset, bytes)) = &self.frame {
            write_all(&*self.file, *offset, bytes)?;
            written = true;
        }
        if written { self.file.sync_data() } else { Ok(()) }
    }
}
