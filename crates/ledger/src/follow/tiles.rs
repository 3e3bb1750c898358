//! Proofs out of tiles of hashes: a ledger need serve nothing but files, and whoever reads them proves to himself.

use super::FollowError;
use super::source::{Source, fetch_tile};
use eleven_core::hash::Sha256;
use eleven_core::tile::{Content, TILE_WIDTH, Tile};
use eleven_core::tree::{self, Hashes, MemoryTree, node_hash};
use std::cell::RefCell;
use std::collections::HashMap;

/// Entries, or hashes, of a full tile.
pub(super) const WIDTH: u64 = TILE_WIDTH;
/// Levels of the tree in one level of tiles.
const LEVELS: u8 = 8;
/// So many tiles are held before all are let go of: a proof needs a few dozen.
const HELD: usize = 256;

/// The tiles of hashes of a tree of one size, as they were fetched.
pub(super) struct HashTiles {
    size: u64,
    tiles: HashMap<(u8, u64), Vec<Sha256>>,
}

/// Notes which nodes a proof would need.
#[derive(Default)]
struct Asked(RefCell<Vec<(u8, u64)>>);

/// Either of them, for a proof that is run over both.
struct Nodes<'a>(&'a dyn Hashes);

impl Hashes for Nodes<'_> {
    fn node(&self, level: u8, index: u64) -> Option<Sha256> {
        self.0.node(level, index)
    }
}

impl Hashes for Asked {
    fn node(&self, level: u8, index: u64) -> Option<Sha256> {
        self.0.borrow_mut().push((level, index));
        Some(Sha256::ZERO)
    }
}

impl Hashes for HashTiles {
    fn node(&self, level: u8, index: u64) -> Option<Sha256> {
        let (tile_level, above) = (level / LEVELS, level % LEVELS);
        let first = index.checked_shl(u32::from(above))?;
        let tile = self.tiles.get(&(tile_level, first / WIDTH))?;
        let start = usize::try_from(first % WIDTH).ok()?;
        let mut hashes = tile.get(start..start + (1 << above))?.to_vec();
        while hashes.len() > 1 {
            hashes = hashes.chunks(2).map(|pair| node_hash(&pair[0], &pair[pair.len() - 1])).collect();
        }
        hashes.pop()
    }
}

impl HashTiles {
    /// The tiles of a tree of `size` leaves; none was fetched yet.
    pub(super) fn new(size: u64) -> Self {
        Self { size, tiles: HashMap::new() }
    }

    /// Whether the tree with `root` begins with the tree of `first` leaves and `first_root`.
    pub(super) async fn begins_with(
        &mut self,
        source: &dyn Source,
        first: u64,
        first_root: &Sha256,
        root: &Sha256,
    ) -> Result<bool, FollowError> {
        let beginning = self.beginning(source, first).await?;
        Ok(beginning.is_of(first_root, root))
    }

    /// What it takes to judge whether the tree begins with another of `first` leaves, whichever that will be.
    pub(super) async fn beginning(&mut self, source: &dyn Source, first: u64) -> Result<Beginning, FollowError> {
        let size = self.size;
        let proof = match first == size {
            true => None,
            false => self.prove(source, |hashes| tree::consistency_proof(hashes, first, size)).await?,
        };
        Ok(Beginning { first, size, proof: proof.unwrap_or_default() })
    }

    /// The proof that leaf `seq` is in the tree.
    pub(super) async fn inclusion(
        &mut self,
        source: &dyn Source,
        seq: u64,
    ) -> Result<Option<Vec<Sha256>>, FollowError> {
        let size = self.size;
        self.prove(source, |hashes| tree::inclusion_proof(hashes, seq, size)).await
    }

    /// The hash of leaf `seq`.
    pub(super) async fn leaf(&mut self, source: &dyn Source, seq: u64) -> Result<Option<Sha256>, FollowError> {
        let leaf = self.prove(source, |hashes| hashes.node(0, seq).map(|leaf| vec![leaf])).await?;
        Ok(leaf.and_then(|leaf| leaf.first().copied()))
    }

    /// The first leaf, of those from `from` up to `to`, that another tree holds otherwise; none where they are alike.
    pub(super) async fn first_other(
        &mut self,
        source: &dyn Source,
        from: u64,
        to: u64,
        other: &MemoryTree,
    ) -> Result<Option<u64>, FollowError> {
        if self.root_at(source, to).await? == other.root_at(to) {
            return Ok(None);
        }
        let mut between = Between { alike: from, differ: to };
        while let Some(middle) = between.middle() {
            let alike = self.root_at(source, middle).await? == other.root_at(middle);
            between.learn(middle, alike);
        }
        Ok(Some(between.alike))
    }

    /// The same of two trees in tiles, of which it is known that they differ below `to`.
    pub(super) async fn first_other_of(
        &mut self,
        source: &dyn Source,
        other: &mut Self,
        other_source: &dyn Source,
        to: u64,
    ) -> Result<u64, FollowError> {
        let mut between = Between { alike: 0, differ: to };
        while let Some(middle) = between.middle() {
            let alike = self.root_at(source, middle).await? == other.root_at(other_source, middle).await?;
            between.learn(middle, alike);
        }
        Ok(between.alike)
    }

    async fn root_at(&mut self, source: &dyn Source, size: u64) -> Result<Option<Sha256>, FollowError> {
        let root = self.prove(source, |hashes| tree::root(hashes, size).map(|root| vec![root])).await?;
        Ok(root.and_then(|root| root.first().copied()))
    }

    /// Runs a proof twice: to learn which nodes it needs, and with them.
    async fn prove(
        &mut self,
        source: &dyn Source,
        proof: impl Fn(&Nodes<'_>) -> Option<Vec<Sha256>>,
    ) -> Result<Option<Vec<Sha256>>, FollowError> {
        let asked = Asked::default();
        if proof(&Nodes(&asked)).is_none() {
            return Ok(None);
        }
        if self.tiles.len() > HELD {
            self.tiles.clear();
        }
        for (level, index) in asked.0.into_inner() {
            self.fetch(source, level, index).await?;
        }
        Ok(proof(&Nodes(self)))
    }

    async fn fetch(&mut self, source: &dyn Source, level: u8, index: u64) -> Result<(), FollowError> {
        let tile_level = level / LEVELS;
        let at = index.checked_shl(u32::from(level % LEVELS)).unwrap_or(u64::MAX) / WIDTH;
        if self.tiles.contains_key(&(tile_level, at)) {
            return Ok(());
        }
        let Some(tile) = Tile::of(Content::Hashes { level: tile_level }, at, self.size) else { return Ok(()) };
        let bytes = fetch_tile(source, tile).await?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() as u64 != tile.width {
            return Err(FollowError::Malformed(format!("tile {tile} is not {} hashes", tile.width)));
        }
        self.tiles.insert((tile_level, at), hashes.iter().map(|hash| Sha256(*hash)).collect());
        Ok(())
    }
}

/// The proof that a tree begins with a smaller one.
pub(super) struct Beginning {
    first: u64,
    size: u64,
    proof: Vec<Sha256>,
}

impl Beginning {
    /// Whether the tree with `root` begins with the one with `first_root`.
    pub(super) fn is_of(&self, first_root: &Sha256, root: &Sha256) -> bool {
        if self.first == self.size {
            return first_root == root;
        }
        tree::verify_consistency(self.first, self.size, first_root, root, &self.proof)
    }
}

/// Two trees are alike up to one size and not up to another: the leaf at which they part lies between.
struct Between {
    alike: u64,
    differ: u64,
}

impl Between {
    /// The next size to look at; none when the leaf is `alike`.
    fn middle(&self) -> Option<u64> {
        let apart = self.differ.saturating_sub(self.alike);
        (apart > 1).then_some(self.alike + apart / 2)
    }

    fn learn(&mut self, size: u64, alike: bool) {
        if alike {
            self.alike = size;
        } else {
            self.differ = size;
        }
    }
}
