//! Packed segments: what a closed segment holds, compressed in blocks, so that a read fetches and unpacks one block.
//!
//! All integers are little-endian. A header of 64 bytes: magic, format version, its own length, position of the first
//! record, position after the last, salt, offset of the index, number of blocks, zeros, checksum. Then the blocks, each
//! compressed by itself: the records, each behind its length (u32). Then the index, 24 bytes a block (position of its
//! first record counted from the segment's, length unpacked, length packed, zeros, checksum of the packed bytes), and a
//! checksum of the index. The checksums start from the salt.
//!
//! A packed segment is written whole under [`TEMPORARY`], synced and read back before it has its name; the segment that
//! it was made from goes only when the name is durable. Where both are there the other one counts and this one goes.

use std::{io, sync::Arc};

use crate::{
    checksum::Checksum,
    disk::{Disk, DiskFile, read_exact, write_all},
    frame::{HeaderError, long, word},
    log::{Damage, ReadError},
};

/// The name of a packed segment that is not one yet; opening a log removes it.
pub(super) const TEMPORARY: &str = "pack.tmp";

/// The version of the bytes described here.
pub(super) const FORMAT: u32 = 1;

const HEADER: usize = 64;
const MAGIC: [u8; 8] = *b"ELEVENPK";
const ROW: usize = 24;

/// A block ends with the record that brings it to so many bytes.
const BLOCK: usize = 48 << 10;
/// No block is larger than what a commit carries and the lengths before it.
const LARGEST_BLOCK: u64 = 2 * crate::log::MAX_COMMIT_BYTES as u64;
/// Bytes are written and synced in pieces of about this size, so that a commit that syncs meanwhile waits for no more.
const PIECE: usize = 1 << 20;
/// Higher levels take half as much time again, or more, for a percent or two.
const ZSTD_LEVEL: i32 = 1;

/// Where the blocks of a packed segment lie.
#[derive(Debug)]
pub(super) struct Blocks {
    first: u64,
    next: u64,
    salt: u64,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// The position of its first record, counted from the segment's.
    position: u32,
    unpacked: u32,
    packed: u32,
    offset: u64,
    sum: u64,
}

impl Blocks {
    /// The position of the first record.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The position after the last record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// A number that no other packed segment has, nor this one when it is written anew.
    pub(super) fn salt(&self) -> u64 {
        self.salt
    }

    /// The number of the block that holds `position`, which lies within the segment, and the position it begins with.
    pub(super) fn holding(&self, position: u64) -> (usize, u64) {
        let after = self.rows.partition_point(|row| self.first + u64::from(row.position) <= position);
        let block = after.saturating_sub(1);
        (block, self.rows.get(block).map_or(self.first, |row| self.first + u64::from(row.position)))
    }

    /// The records of a block, unpacked: each behind its length.
    pub(super) fn unpack(&self, file: &dyn DiskFile, name: &str, block: usize) -> Result<Vec<u8>, ReadError> {
        let damaged =
            |offset, what: &str| ReadError::Damaged(Damage { segment: name.to_owned(), offset, what: what.to_owned() });
        let row = self.rows.get(block).ok_or_else(|| damaged(0, "the block is not in the index"))?;
        let mut packed = vec![0; row.packed as usize];
        read_exact(file, row.offset, &mut packed).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(row.offset, "the file ends after this"),
            _ => ReadError::Io(error),
        })?;
        if Checksum::salted(self.salt).add(&packed).value() != row.sum {
            return Err(damaged(row.offset, "the block does not match its checksum"));
        }
        let unpacked = zstd::bulk::decompress(&packed, row.unpacked as usize).ok();
        let whole = unpacked.filter(|bytes| bytes.len() == row.unpacked as usize);
        whole.ok_or_else(|| damaged(row.offset, "the block can't be unpacked"))
    }

    /// Reads the index of the packed segment in `file` and checks every byte of it.
    ///
    /// # Errors
    /// What is wrong with it, and at which byte.
    pub(super) fn open(file: &dyn DiskFile) -> Result<Blocks, PackedError> {
        let (mut blocks, table, index) = Blocks::indexed(file)?;
        blocks.take_rows(&table, index, file)?;
        Ok(blocks)
    }

    /// The blocks before the first that is damaged; none where there are none, or the index is damaged as well.
    pub(super) fn before_damage(file: &dyn DiskFile) -> Option<Blocks> {
        let (mut blocks, table, index) = Blocks::indexed(file).ok()?;
        let damaged = blocks.take_rows(&table, index, file).is_err();
        let last = blocks.rows.last()?.position;
        // Where every block is whole, what is wrong lies behind them.
        if let Some(row) = table.chunks_exact(ROW).nth(blocks.rows.len()).filter(|_| damaged) {
            let position = word(row);
            let next = blocks.first + u64::from(position);
            if position <= last || next >= blocks.next {
                return None;
            }
            blocks.next = next;
        }
        Some(blocks)
    }

    /// A packed segment without its rows, the bytes of those, and where they begin.
    fn indexed(file: &dyn DiskFile) -> Result<(Blocks, Vec<u8>, u64), PackedError> {
        let length = file.length()?;
        let mut head = [0; HEADER];
        if length < HEADER as u64 {
            return Err(PackedError::Header(HeaderError::Damaged(
                "the file is shorter than a packed segment's header",
            )));
        }
        read_exact(file, 0, &mut head)?;
        let (blocks, index, count) = parse_header(&head).map_err(PackedError::Header)?;
        let damaged = |offset, what| PackedError::Damaged(offset, what);
        let rows = count as u64 * ROW as u64;
        if index < HEADER as u64 || index.checked_add(rows + 8) != Some(length) {
            return Err(damaged(length, "the file is not as long as its header says"));
        }
        let mut bytes = vec![0; rows as usize + 8];
        read_exact(file, index, &mut bytes)?;
        let (table, sum) = bytes.split_at(rows as usize);
        if Checksum::salted(blocks.salt).add(table).value() != long(sum) {
            return Err(damaged(index, "the index does not match its checksum"));
        }
        bytes.truncate(rows as usize);
        Ok((blocks, bytes, index))
    }

    /// Takes the rows of the index and checks the blocks against them.
    fn take_rows(&mut self, table: &[u8], index: u64, file: &dyn DiskFile) -> Result<(), PackedError> {
        let mut offset = HEADER as u64;
        for bytes in table.chunks_exact(ROW) {
            let row = Row {
                position: word(bytes),
                unpacked: word(bytes.get(4..).unwrap_or_default()),
                packed: word(bytes.get(8..).unwrap_or_default()),
                offset,
                sum: long(bytes.get(16..).unwrap_or_default()),
            };
            let follows = self.rows.last().map_or(row.position == 0, |last| last.position < row.position);
            let inside = self.first + u64::from(row.position) < self.next && u64::from(row.unpacked) <= LARGEST_BLOCK;
            if !follows || !inside || offset + u64::from(row.packed) > index {
                return Err(PackedError::Damaged(offset, "the index is not that of the blocks here"));
            }
            let mut packed = vec![0; row.packed as usize];
            read_exact(file, offset, &mut packed)?;
            if Checksum::salted(self.salt).add(&packed).value() != row.sum {
                return Err(PackedError::Damaged(offset, "the block does not match its checksum"));
            }
            offset += u64::from(row.packed);
            self.rows.push(row);
        }
        if offset == index { Ok(()) } else { Err(PackedError::Damaged(offset, "bytes here are in no block")) }
    }
}

/// Why a file is no packed segment.
#[derive(Debug)]
pub(super) enum PackedError {
    /// Its header is none, or of another version.
    Header(HeaderError),
    /// What is wrong from a byte on.
    Damaged(u64, &'static str),
    /// The disk refused.
    Io(io::Error),
}

impl From<io::Error> for PackedError {
    fn from(error: io::Error) -> PackedError {
        PackedError::Io(error)
    }
}

/// The records of a block, each behind its length; none where the lengths don't fit.
pub(super) fn records(block: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut records, mut rest) = (Vec::new(), block);
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (record, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        records.push(record);
        rest = behind;
    }
    Some(records)
}

/// A packed segment being written.
pub(super) struct Writer {
    file: Arc<dyn DiskFile>,
    blocks: Blocks,
    block: Vec<u8>,
    /// The position that the block begins with, counted from the segment's.
    position: u32,
    /// How many records there are.
    count: u32,
    /// Packed and not yet written.
    pending: Vec<u8>,
    written: u64,
    compressor: zstd::bulk::Compressor<'static>,
    decompressor: zstd::bulk::Decompressor<'static>,
}

impl Writer {
    /// Begins a packed segment of the records `first..next` under [`TEMPORARY`].
    pub(super) fn create(disk: &dyn Disk, first: u64, next: u64) -> io::Result<Writer> {
        let blocks = Blocks { first, next, salt: disk.nonce(), rows: Vec::new() };
        let (compressor, decompressor) = (zstd::bulk::Compressor::new(ZSTD_LEVEL)?, zstd::bulk::Decompressor::new()?);
        let file = disk.create(TEMPORARY)?;
        // The header is written last.
        Ok(Writer {
            file,
            blocks,
            block: Vec::with_capacity(BLOCK),
            position: 0,
            count: 0,
            pending: Vec::with_capacity(PIECE),
            written: HEADER as u64,
            compressor,
            decompressor,
        })
    }

    /// Adds the next record.
    pub(super) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        self.block.extend_from_slice(&length.to_le_bytes());
        self.block.extend_from_slice(record);
        self.count += 1;
        if self.block.len() >= BLOCK { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = self.compressor.compress(&self.block)?;
        // The segment that this is made from will go: what is kept has to be what it held.
        if self.decompressor.decompress(&packed, self.block.len())? != self.block {
            return Err(io::Error::other("a block did not unpack to what it was"));
        }
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(io::Error::other);
        self.blocks.rows.push(Row {
            position: self.position,
            unpacked: length(&self.block)?,
            packed: length(&packed)?,
            offset: self.written + self.pending.len() as u64,
            sum: Checksum::salted(self.blocks.salt).add(&packed).value(),
        });
        self.pending.extend_from_slice(&packed);
        self.block.clear();
        self.position = self.count;
        if self.pending.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        write_all(&*self.file, self.written, &self.pending)?;
        self.file.sync_data()?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Ends it, makes it durable, and reads it back.
    pub(super) fn finish(mut self) -> io::Result<Blocks> {
        self.end_block()?;
        if u64::from(self.count) != self.blocks.next - self.blocks.first {
            return Err(io::Error::other("the segment has another number of records than was written"));
        }
        let index = self.written + self.pending.len() as u64;
        let mut table = Vec::with_capacity(self.blocks.rows.len() * ROW);
        for row in &self.blocks.rows {
            for number in [row.position, row.unpacked, row.packed, 0] {
                table.extend_from_slice(&number.to_le_bytes());
            }
            table.extend_from_slice(&row.sum.to_le_bytes());
        }
        let sum = Checksum::salted(self.blocks.salt).add(&table).value();
        self.pending.extend_from_slice(&table);
        self.pending.extend_from_slice(&sum.to_le_bytes());
        write_all(&*self.file, 0, &encode_header(&self.blocks, index))?;
        self.flush()?;
        Blocks::open(&*self.file).map_err(|error| io::Error::other(format!("what was packed reads as {error:?}")))
    }
}

fn encode_header(blocks: &Blocks, index: u64) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    out[12..16].copy_from_slice(&(HEADER as u32).to_le_bytes());
    out[16..24].copy_from_slice(&blocks.first.to_le_bytes());
    out[24..32].copy_from_slice(&blocks.next.to_le_bytes());
    out[32..40].copy_from_slice(&blocks.salt.to_le_bytes());
    out[40..48].copy_from_slice(&index.to_le_bytes());
    out[48..52].copy_from_slice(&(blocks.rows.len() as u32).to_le_bytes());
    let sum = Checksum::salted(0).add(&out[..56]).value();
    out[56..].copy_from_slice(&sum.to_le_bytes());
    out
}

/// The blocks without their rows, the index's offset and the number of rows.
fn parse_header(bytes: &[u8; HEADER]) -> Result<(Blocks, u64, u32), HeaderError> {
    if bytes[..8] != MAGIC {
        return Err(HeaderError::Damaged("this is not a packed segment's header"));
    }
    let version = word(&bytes[8..]);
    if version != FORMAT {
        return Err(HeaderError::Version(version));
    }
    if Checksum::salted(0).add(&bytes[..56]).value() != long(&bytes[56..]) {
        return Err(HeaderError::Damaged("the packed segment's header does not match its checksum"));
    }
    let (first, next) = (long(&bytes[16..]), long(&bytes[24..]));
    if first >= next || next - first > u64::from(u32::MAX) {
        return Err(HeaderError::Damaged("the packed segment's header names no records"));
    }
    let blocks = Blocks { first, next, salt: long(&bytes[32..]), rows: Vec::new() };
    Ok((blocks, long(&bytes[40..]), word(&bytes[48..])))
}

#[cfg(test)]
mod tests;
