//! The bytes of a segment file: one header, then frames, then zeros up to the file's fixed length.
//!
//! All integers are little-endian. A segment header has 64 bytes: magic, format version, its own length, position of
//! the first record, length of the file, salt, zeros, checksum. A frame is one commit and starts at a multiple of 8:
//!
//! ```text
//! 0   u32  magic
//! 4   u32  number of records
//! 8   u64  position of the first record
//! 16  u64  length of the body, without its padding
//! 24  u64  checksum of the padded body
//! 32  u64  checksum of the 32 bytes before it and of the frame's offset
//! 40  body: the length of each record (u32), then the records, then zeros to a multiple of 8
//! ```
//!
//! Both checksums start from the segment's salt and the header's also covers its place, so that bytes that look like a
//! frame inside a record, whoever put them there, are not taken for one.

use crate::checksum::Checksum;

#[cfg(test)]
mod tests;

/// The version of the bytes described here.
pub(crate) const FORMAT: u32 = 1;
/// Length of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 64;
/// Length of a frame's header.
pub(crate) const FRAME_HEADER: usize = 40;
/// Frames start at multiples of this.
pub(crate) const ALIGN: usize = 8;

const SEGMENT_MAGIC: [u8; 8] = *b"ELEVENLG";
const FRAME_MAGIC: [u8; 4] = *b"11FR";

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The position of its first record.
    pub(crate) first: u64,
    /// The length of the file, fixed when it was made.
    pub(crate) capacity: u64,
    /// Mixed into every checksum in the file.
    pub(crate) salt: u64,
}

/// Why the first bytes of a file are not a segment's header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Not one, or no longer.
    Damaged(&'static str),
    /// One of another version.
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        out[..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        out[12..16].copy_from_slice(&(SEGMENT_HEADER as u32).to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        out[32..40].copy_from_slice(&self.salt.to_le_bytes());
        let sum = Checksum::salted(0).add(&out[..56]).value();
        out[56..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// The version is looked at before the checksum: a later format may place that elsewhere.
    pub(crate) fn parse(bytes: &[u8]) -> Result<SegmentHeader, HeaderError> {
        let Some(bytes) = bytes.first_chunk::<SEGMENT_HEADER>() else {
            return Err(HeaderError::Damaged("the file is shorter than a segment's header"));
        };
        if bytes[..8] != SEGMENT_MAGIC {
            return Err(HeaderError::Damaged("this is not a segment's header"));
        }
        let version = word(&bytes[8..]);
        if version != FORMAT {
            return Err(HeaderError::Version(version));
        }
        if Checksum::salted(0).add(&bytes[..56]).value() != long(&bytes[56..]) {
            return Err(HeaderError::Damaged("the segment's header does not match its checksum"));
        }
        Ok(SegmentHeader { first: long(&bytes[16..]), capacity: long(&bytes[24..]), salt: long(&bytes[32..]) })
    }
}

/// A frame's header whose checksum was right for its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// The position of its first record.
    pub(crate) first: u64,
    /// How many records it has; at least one.
    pub(crate) count: u32,
    body: u64,
    body_sum: u64,
}

impl FrameHeader {
    /// The header at `offset` of a segment with `salt`, or none: then these bytes are not a frame that was written here.
    pub(crate) fn parse(bytes: &[u8], salt: u64, offset: u64) -> Option<FrameHeader> {
        let bytes = bytes.first_chunk::<FRAME_HEADER>()?;
        if bytes[..4] != FRAME_MAGIC || header_sum(salt, offset, &bytes[..32]) != long(&bytes[32..]) {
            return None;
        }
        let header = FrameHeader {
            count: word(&bytes[4..]),
            first: long(&bytes[8..]),
            body: long(&bytes[16..]),
            body_sum: long(&bytes[24..]),
        };
        let plausible = header.count > 0 && header.body >= 4 * u64::from(header.count) && header.body <= u64::MAX / 4;
        plausible.then_some(header)
    }

    /// The position after its last record.
    pub(crate) fn next(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    /// Length of the body with its padding.
    pub(crate) fn padded_body(&self) -> u64 {
        self.body.next_multiple_of(ALIGN as u64)
    }

    /// Length of the whole frame.
    pub(crate) fn extent(&self) -> u64 {
        FRAME_HEADER as u64 + self.padded_body()
    }

    /// The records in `body`, which is the padded body as it was read; none where it is not what was written.
    pub(crate) fn records<'a>(&self, body: &'a [u8], salt: u64) -> Option<Vec<&'a [u8]>> {
        let whole = body.len() as u64 == self.padded_body();
        if !whole || Checksum::salted(salt).add(body).value() != self.body_sum {
            return None;
        }
        self.split(body)
    }

    /// The records in `body`, which was checked before; none where the lengths don't fit.
    pub(crate) fn split<'a>(&self, body: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let (lengths, mut rest) = body.split_at_checked(4 * self.count as usize)?;
        let mut records = Vec::with_capacity(self.count as usize);
        for length in lengths.as_chunks::<4>().0 {
            let (record, after) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            records.push(record);
            rest = after;
        }
        Some(records)
    }
}

/// The length of the frame that `records` make.
pub(crate) fn extent(records: &[&[u8]]) -> u64 {
    let body: usize = records.iter().map(|record| 4 + record.len()).sum();
    (FRAME_HEADER + body.next_multiple_of(ALIGN)) as u64
}

/// Writes the frame of `records` into `out`, replacing what was there. The caller keeps their number and size within
/// [`crate::MAX_COMMIT_RECORDS`] and [`crate::MAX_COMMIT_BYTES`].
pub(crate) fn encode(out: &mut Vec<u8>, salt: u64, offset: u64, first: u64, records: &[&[u8]]) {
    out.clear();
    out.resize(FRAME_HEADER, 0);
    for record in records {
        out.extend_from_slice(&(record.len() as u32).to_le_bytes());
    }
    for record in records {
        out.extend_from_slice(record);
    }
    let body = (out.len() - FRAME_HEADER) as u64;
    out.resize(out.len().next_multiple_of(ALIGN), 0);

    let body_sum = Checksum::salted(salt).add(&out[FRAME_HEADER..]).value();
    out[..4].copy_from_slice(&FRAME_MAGIC);
    out[4..8].copy_from_slice(&(records.len() as u32).to_le_bytes());
    out[8..16].copy_from_slice(&first.to_le_bytes());
    out[16..24].copy_from_slice(&body.to_le_bytes());
    out[24..32].copy_from_slice(&body_sum.to_le_bytes());
    let sum = header_sum(salt, offset, &out[..32]);
    out[32..40].copy_from_slice(&sum.to_le_bytes());
}

fn header_sum(salt: u64, offset: u64, bytes: &[u8]) -> u64 {
    Checksum::salted(salt).add(&offset.to_le_bytes()).add(bytes).value()
}

/// The little-endian integer at the start of `bytes`. The callers' slices are long enough; of one that is not it is 0.
pub(crate) fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

/// The same of twice as many bytes.
pub(crate) fn long(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |long| u64::from_le_bytes(*long))
}
