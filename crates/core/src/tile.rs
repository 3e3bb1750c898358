//! How a ledger's tree and its entries are cut into files that anybody may copy (PROTOCOL 6, C2SP tlog-tiles): 256 hashes
//! or entries each, under a path that says which.
//!
//! A tile that is full never changes. A partial one is named with its width, so its bytes never change either; as the tree
//! grows the next one has another name.

use crate::tree::Hashes;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

/// Hashes or entries of a full tile.
pub const TILE_WIDTH: u64 = 256;
/// Levels of the tree that one level of tiles stands for.
const TREE_LEVELS: u8 = 8;
/// The highest level that a path may name.
const MAX_LEVEL: u8 = 63;
/// The longest path that is read: more elements than any index has.
const MAX_PATH: usize = 64;

/// What is in a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Hashes of the tree: at level `l`, the roots of complete subtrees of 256^l leaves.
    Hashes {
        /// The level: 0 holds the leaves.
        level: u8,
    },
    /// Entries, in their bytes.
    Entries,
}

/// A tile by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What is in it.
    pub content: Content,
    /// Which of its level, from 0.
    pub index: u64,
    /// How many hashes or entries it has: 1 to 256.
    pub width: u64,
}

impl Tile {
    /// The tile of this index in a tree of `size` leaves, as wide as it is there; `None` where it would be empty.
    #[must_use]
    pub fn of(content: Content, index: u64, size: u64) -> Option<Self> {
        let there = items(content, size).checked_sub(index.checked_mul(TILE_WIDTH)?)?;
        (there > 0).then_some(Self { content, index, width: there.min(TILE_WIDTH) })
    }

    /// Reads what stands behind `/tile/`. Only the one way to write a name is read.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (content, rest) = path.split_once('/').filter(|_| path.len() <= MAX_PATH)?;
        let content = match content {
            "entries" => Content::Entries,
            level => Content::Hashes { level: level.parse().ok().filter(|level| *level <= MAX_LEVEL)? },
        };
        let (elements, width) = match rest.split_once(".p/") {
            Some((elements, width)) => (elements, width.parse().ok()?),
            None => (rest, TILE_WIDTH),
        };
        let mut index: u64 = 0;
        for element in elements.split('/') {
            let digits = element.strip_prefix('x').unwrap_or(element);
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self { content, index, width };
        // A sign, a missing or a needless zero, a width of 256: what is not written again as it was read is no name.
        ((1..=TILE_WIDTH).contains(&width) && tile.to_string() == path).then_some(tile)
    }

    /// Whether it is full.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Whether a tree of `size` leaves has all of it.
    #[must_use]
    pub fn is_within(&self, size: u64) -> bool {
        let end = self.index.checked_mul(TILE_WIDTH).and_then(|start| start.checked_add(self.width));
        end.is_some_and(|end| end <= items(self.content, size))
    }

    /// The number of the first leaf, node of its level, or entry in it.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.index.saturating_mul(TILE_WIDTH)
    }

    /// How many bytes it has at most.
    #[must_use]
    pub const fn most_bytes(&self) -> u64 {
        self.width.saturating_mul(match self.content {
            Content::Hashes { .. } => 32,
            Content::Entries => 2 + 65_535,
        })
    }

    /// The bytes of a tile of hashes; `None` where it is one of entries, or `hashes` lacks a node.
    #[must_use]
    pub fn hashes(&self, hashes: &impl Hashes) -> Option<Vec<u8>> {
        let Content::Hashes { level } = self.content else { return None };
        let level = level.checked_mul(TREE_LEVELS)?;
        let mut bytes = Vec::with_capacity(usize::try_from(self.width).ok()?.checked_mul(32)?);
        for at in 0..self.width {
            bytes.extend_from_slice(&hashes.node(level, self.first().checked_add(at)?)?.0);
        }
        Some(bytes)
    }
}

/// How many hashes or entries of its kind a tree of `size` leaves has.
fn items(content: Content, size: u64) -> u64 {
    match content {
        Content::Entries => size,
        Content::Hashes { level } => size.checked_shr(u32::from(level) * u32::from(TREE_LEVELS)).unwrap_or(0),
    }
}

/// Puts an entry behind others in a tile of entries; `false`, and nothing is put, where it is longer than 65,535 bytes.
#[must_use]
pub fn push_entry(tile: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    tile.extend_from_slice(&length.to_be_bytes());
    tile.extend_from_slice(entry);
    true
}

/// The entries in the bytes of a tile of entries; `None` where the last is cut short, or there are more than `most`: those are not
/// read, since empty ones would be eight times the bytes of the tile.
#[must_use]
pub fn read_entries(mut tile: &[u8], most: u64) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = tile.split_first_chunk::<2>() {
        if entries.len() as u64 >= most {
            return None;
        }
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        tile = rest;
    }
    tile.is_empty().then_some(entries)
}

impl fmt::Display for Tile {
    /// What stands behind `/tile/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Hashes { level } => write!(f, "{level}/")?,
            Content::Entries => f.write_str("entries/")?,
        }
        f.write_str(&elements(self.index))?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Three digits to an element of the path, an `x` before all but the last: 1234067 is `x001/x234/067`.
fn elements(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

#[cfg(test)]
mod tests;
