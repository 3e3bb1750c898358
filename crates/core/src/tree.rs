//! The ledger's tree (PROTOCOL 6): the Merkle tree of RFC 6962 and RFC 9162 over SHA-256, the one authoritative commitment.
//!
//! [`Tree`] is what an appender or a replaying auditor needs: the peaks, and from them the root. [`MemoryTree`] keeps all
//! nodes and so can prove. Any other source of nodes, tiles on a disk say, proves through [`Hashes`].
//! A proof does not say for which size it holds: [`verify_inclusion`] and [`verify_consistency`] mean something only with
//! the root that a signed head gives for that very size.
//!
//! ```
//! use eleven_core::tree::{MemoryTree, inclusion_proof, leaf_hash, verify_inclusion};
//!
//! let mut tree = MemoryTree::new();
//! for entry in [&b"one"[..], b"two", b"three"] {
//!     tree.append(leaf_hash(entry));
//! }
//! let proof = inclusion_proof(&tree, 1, 3).expect("it is in the tree");
//! // For whoever checks, these two are of one head whose signature verified, and never of who brings the proof.
//! let (size, root) = (tree.size(), tree.root());
//! assert!(verify_inclusion(&leaf_hash(b"two"), 1, size, &proof, &root));
//! assert!(!verify_inclusion(&leaf_hash(b"two"), 0, size, &proof, &root));
//! ```

mod chunks;

use crate::encoding::Value;
use crate::form::{FormError, require};
use crate::hash::Sha256;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

pub(crate) use chunks::Chunks;

/// More hashes than this no proof over 2^53 leaves has: two for each level.
pub(crate) const MAX_PROOF: usize = 128;

/// The hash of a leaf: SHA-256(0x00 || the entry's bytes).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Sha256 {
    Sha256::of(&[&[0], entry])
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of(&[&[1], &left.0, &right.0])
}

/// The root of the tree without leaves: the SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Sha256 {
    Sha256::of(&[])
}

/// A tree reduced to its peaks, the roots of the complete subtrees it falls into: 32 bytes for each bit of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// One for each bit of `size`, the greatest first.
    peaks: Vec<Sha256>,
}

impl Tree {
    /// The tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// The tree of `size` leaves with these peaks, the greatest first; `None` where their number is not that of the bits
    /// of `size`.
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<Sha256>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The peaks, the greatest first: with the size all there is to keep.
    #[must_use]
    pub fn peaks(&self) -> &[Sha256] {
        &self.peaks
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: Sha256) {
        let mut peak = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            peak = node_hash(&left, &peak);
        }
        self.peaks.push(peak);
        self.size += 1;
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Sha256 {
        bag(self.peaks.iter().copied()).unwrap_or_else(empty_root)
    }
}

/// The root over peaks, the greatest first.
fn bag(peaks: impl DoubleEndedIterator<Item = Sha256>) -> Option<Sha256> {
    peaks.rev().reduce(|right, left| node_hash(&left, &right))
}

/// A source of the roots of complete subtrees.
pub trait Hashes {
    /// The root of the leaves `index * 2^level` up to, not including, `(index + 1) * 2^level`; `None` where the source
    /// does not have all of them.
    fn node(&self, level: u8, index: u64) -> Option<Sha256>;
}

/// A tree with all its nodes in memory, 64 bytes a leaf.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    /// The nodes of each level, the leaves first.
    levels: Vec<Chunks<Sha256>>,
}

impl MemoryTree {
    /// The tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Appends a leaf by its hash: two nodes on average.
    pub fn append(&mut self, leaf: Sha256) {
        let mut node = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Chunks::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else { return };
            let left = if nodes.len() % 2 == 1 { nodes.last().copied() } else { None };
            nodes.push(node);
            match left {
                Some(left) => node = node_hash(&left, &node),
                None => return,
            }
        }
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Sha256 {
        self.root_at(self.size()).unwrap_or_else(empty_root)
    }

    /// The root over the first `size` leaves; `None` where there are fewer.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Sha256> {
        root(self, size)
    }
}

impl Hashes for MemoryTree {
    fn node(&self, level: u8, index: u64) -> Option<Sha256> {
        self.levels.get(usize::from(level))?.get(usize::try_from(index).ok()?).copied()
    }
}

/// The root over the first `size` leaves; `None` where `hashes` lacks a node.
#[must_use]
pub fn root(hashes: &impl Hashes, size: u64) -> Option<Sha256> {
    if size == 0 { Some(empty_root()) } else { range_root(hashes, 0, size) }
}

/// The proof that leaf `seq` is in the tree of `size` leaves, the hash nearest to the leaf first (RFC 9162, 2.1.3.1).
/// `None` where `seq` is not below `size`, or `hashes` lacks a node.
#[must_use]
pub fn inclusion_proof(hashes: &impl Hashes, seq: u64, size: u64) -> Option<Vec<Sha256>> {
    if seq >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    // One for each level.
    let mut proof = Vec::with_capacity(size.ilog2() as usize + 1);
    while end - start > 1 {
        let middle = start + split(end - start);
        if seq < middle {
            proof.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(hashes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Some(proof)
}

/// The proof that the tree of `second` leaves begins with the tree of `first` (RFC 9162, 2.1.4.1); it is empty where both
/// are the same, and where the first has no leaf. `None` where `first` is beyond `second`, or `hashes` lacks a node.
#[must_use]
pub fn consistency_proof(hashes: &impl Hashes, first: u64, second: u64) -> Option<Vec<Sha256>> {
    if first > second {
        return None;
    }
    if first == 0 || first == second {
        return Some(Vec::new());
    }
    let (mut start, mut end) = (0, second);
    let mut proof = Vec::new();
    while end != first {
        let middle = start + split(end - start);
        if first <= middle {
            proof.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(hashes, start, middle)?);
            start = middle;
        }
    }
    // Where the first tree is a complete subtree of the second, its root is known to whoever checks.
    if start > 0 {
        proof.push(range_root(hashes, start, end)?);
    }
    proof.reverse();
    Some(proof)
}

/// The root over the leaves from `start` up to, not including, `end`, where `start` is a multiple of the greatest power of
/// two that the range holds: RFC 9162 asks for no other range.
fn range_root(hashes: &impl Hashes, start: u64, end: u64) -> Option<Sha256> {
    let node = |at: u64, level: u32| hashes.node(u8::try_from(level).ok()?, at >> level);
    // All ranges of a proof but those at the ragged end of the tree are one complete subtree each.
    if (end - start).is_power_of_two() {
        return node(start, (end - start).ilog2());
    }
    let mut peaks = Vec::with_capacity((end - start).count_ones() as usize);
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        peaks.push(node(at, level)?);
        at += 1 << level;
    }
    bag(peaks.into_iter())
}

/// The greatest power of two below `leaves`, which are two or more.
fn split(leaves: u64) -> u64 {
    debug_assert!(leaves > 1, "a leaf is not split");
    1 << (leaves - 1).ilog2()
}

/// Whether `proof` shows that `leaf` is the hash of leaf `seq` in the tree of `size` leaves with this root (RFC 9162,
/// 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Sha256, seq: u64, size: u64, proof: &[Sha256], root: &Sha256) -> bool {
    if seq >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (seq, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A node without a right sibling stands for itself on the levels up to where it becomes one.
            let up = if node % 2 == 1 { 0 } else { node.trailing_zeros() };
            (node, last) = (shifted(node, up), shifted(last, up));
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node / 2, last / 2);
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `second` leaves with `second_root` begins with the tree of `first` leaves with
/// `first_root` (RFC 9162, 2.1.4.2). The tree without leaves begins every other, with an empty proof.
#[must_use]
pub fn verify_consistency(
    first: u64,
    second: u64,
    first_root: &Sha256,
    second_root: &Sha256,
    proof: &[Sha256],
) -> bool {
    if first > second {
        return false;
    }
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    if first == 0 {
        return proof.is_empty() && *first_root == empty_root();
    }
    // Where the first tree is complete its root begins the path, otherwise the proof does.
    let (begin, proof) = if first.is_power_of_two() {
        (first_root, proof)
    } else {
        let Some((begin, rest)) = proof.split_first() else { return false };
        (begin, rest)
    };
    let up = (first - 1).trailing_ones();
    let (mut node, mut last) = (shifted(first - 1, up), shifted(second - 1, up));
    let (mut old, mut new) = (*begin, *begin);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            let up = if node % 2 == 1 { 0 } else { node.trailing_zeros() };
            (node, last) = (shifted(node, up), shifted(last, up));
        } else {
            new = node_hash(&new, sibling);
        }
        (node, last) = (node / 2, last / 2);
    }
    last == 0 && old == *first_root && new == *second_root
}

fn shifted(number: u64, by: u32) -> u64 {
    number.checked_shr(by).unwrap_or(0)
}

/// Reads a proof, an array of `sha256:` hashes.
///
/// # Errors
/// Where it is no array, something in it is no hash of exactly this form, or there are more than any proof has.
pub fn read_proof(value: &Value) -> Result<Vec<Sha256>, FormError> {
    let items = value.as_array().ok_or_else(|| FormError("a proof is not an array".to_owned()))?;
    require(items.len() <= MAX_PROOF, "a proof has more hashes than any tree has levels")?;
    let hashes: Option<Vec<Sha256>> = items.iter().map(|item| item.as_str().and_then(Sha256::parse)).collect();
    hashes.ok_or_else(|| FormError("a proof has a part that is not a sha256 hash".to_owned()))
}

/// The value of a proof.
#[must_use]
pub fn proof_value(proof: &[Sha256]) -> Value {
    Value::Array(proof.iter().map(|hash| Value::from(*hash)).collect())
}

#[cfg(test)]
mod tests;
