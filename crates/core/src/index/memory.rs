//! The index in memory: the leaves, and only those inner nodes that have leaves on both sides. What lies between them, one
//! node for each bit that all keys below share, is hashed when it is needed: for random keys that is less than one a node.

use super::nodes::{Branch, Leaf, Link, Nodes, Subtree};
use super::{Proof, above, bit, leaf_hash, node_hash, shared_bits};
use crate::hash::Sha256;
use alloc::vec::Vec;
use core::mem;

/// A sparse Merkle tree in memory, about 110 bytes a key.
///
/// Inserting and removing hash nothing. They mark the nodes above; [`rehash`](Self::rehash) hashes each of those once, so
/// that a batch costs one way up for all its keys. Reading is right at any moment, and fast after `rehash`.
#[derive(Clone, Debug)]
pub struct OperationIndex {
    nodes: Nodes,
    root: Link,
    len: usize,
}

impl Default for OperationIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl OperationIndex {
    /// The index without keys.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Nodes::new(), root: Link::EMPTY, len: 0 }
    }

    /// How many keys there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &Sha256) -> Option<Sha256> {
        let leaf = self.nodes.leaf(self.nearest(key)?);
        (leaf.key == *key).then_some(leaf.value)
    }

    /// All keys and their values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Sha256, &Sha256)> {
        let mut next = Vec::from([self.root]);
        core::iter::from_fn(move || {
            loop {
                match next.pop()?.subtree() {
                    Subtree::Empty => {}
                    Subtree::Leaf(at) => {
                        let leaf = self.nodes.leaf(at);
                        return Some((&leaf.key, &leaf.value));
                    }
                    Subtree::Branch(at) => {
                        let branch = self.nodes.branch(at);
                        next.extend([branch.right, branch.left]);
                    }
                }
            }
        })
    }

    /// Sets the value of `key`, and returns the one it had.
    pub fn insert(&mut self, key: Sha256, value: Sha256) -> Option<Sha256> {
        let Some(nearest) = self.nearest(&key) else {
            self.root = self.nodes.add_leaf(Leaf { key, value });
            self.len = 1;
            return None;
        };
        let shared = shared_bits(&key, &self.nodes.leaf(nearest).key);
        let slot = self.stale_down_to(&key, shared);
        // Only the same key shares 256 bits.
        let Ok(depth) = u8::try_from(shared) else {
            return Some(mem::replace(&mut self.nodes.leaf_mut(nearest).value, value));
        };
        let (leaf, other) = (self.nodes.add_leaf(Leaf { key, value }), self.link(slot));
        let (left, right) = if bit(&key, shared) { (other, leaf) } else { (leaf, other) };
        let branch = self.nodes.add_branch(Branch { hash: Sha256::ZERO, left, right, depth, stale: true });
        self.set_link(slot, branch);
        self.len += 1;
        None
    }

    /// Takes `key` out, and returns the value it had.
    pub fn remove(&mut self, key: &Sha256) -> Option<Sha256> {
        let removed = self.nearest(key).filter(|leaf| self.nodes.leaf(*leaf).key == *key)?;
        match self.stale_down_to(key, 256) {
            None => self.root = Link::EMPTY,
            Some((parent, side)) => {
                // The branch above has a leaf on one side only from now on: the other side takes its place.
                let (depth, other) = (self.nodes.branch(parent).depth, self.nodes.branch(parent).child(!side));
                let slot = self.stale_down_to(key, usize::from(depth));
                self.set_link(slot, other);
                self.nodes.free_branch(parent);
            }
        }
        self.nodes.free_leaf(removed);
        self.len -= 1;
        Some(self.nodes.leaf(removed).value)
    }

    /// Hashes what changed since the last time, each node once, and returns the root.
    pub fn rehash(&mut self) -> Sha256 {
        self.settle(self.root);
        self.root()
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Sha256 {
        self.hash_at(self.root, 0)
    }

    /// The proof that `key` is here, or that it is not.
    #[must_use]
    pub fn prove(&self, key: &Sha256) -> Proof {
        let mut siblings = Vec::new();
        let Some(nearest) = self.nearest(key) else { return Proof { siblings, end: None } };
        // Every branch that the way down to `nearest` passes has keys that begin as this one does.
        let like = &self.nodes.leaf(nearest).key;
        let shared = shared_bits(key, like);
        let mut link = self.root;
        while let Subtree::Branch(at) = link.subtree() {
            let branch = self.nodes.branch(at);
            let depth = usize::from(branch.depth);
            if shared < depth {
                // The way parts above this branch: beside it is all that is here, on it nothing.
                siblings.resize(shared, Sha256::ZERO);
                siblings.push(self.hash_at(link, shared + 1));
                return Proof { siblings, end: None };
            }
            let right = bit(key, depth);
            siblings.resize(depth, Sha256::ZERO);
            siblings.push(self.hash_at(branch.child(!right), depth + 1));
            link = branch.child(right);
        }
        let end = self.nodes.leaf(nearest);
        Proof { siblings, end: Some((end.key, end.value)) }
    }

    /// The leaf to which the bits of `key` lead: the one with this key, or one that shares as many bits with it as any.
    fn nearest(&self, key: &Sha256) -> Option<u32> {
        let mut link = self.root;
        loop {
            match link.subtree() {
                Subtree::Empty => return None,
                Subtree::Leaf(at) => return Some(at),
                Subtree::Branch(at) => {
                    let branch = self.nodes.branch(at);
                    link = branch.child(bit(key, usize::from(branch.depth)));
                }
            }
        }
    }

    /// Marks the branches above `depth` on the way of `key`, and returns where the way was left: at a side of a branch, or
    /// at the root.
    fn stale_down_to(&mut self, key: &Sha256, depth: usize) -> Option<(u32, bool)> {
        let mut slot = None;
        while let Subtree::Branch(at) = self.link(slot).subtree() {
            let branch = self.nodes.branch_mut(at);
            if usize::from(branch.depth) >= depth {
                break;
            }
            branch.stale = true;
            slot = Some((at, bit(key, usize::from(branch.depth))));
        }
        slot
    }

    /// What is at a side of a branch, or at the root.
    fn link(&self, slot: Option<(u32, bool)>) -> Link {
        slot.map_or(self.root, |(branch, right)| self.nodes.branch(branch).child(right))
    }

    fn set_link(&mut self, slot: Option<(u32, bool)>, link: Link) {
        match slot {
            None => self.root = link,
            Some((branch, right)) => *self.nodes.branch_mut(branch).child_mut(right) = link,
        }
    }

    /// Hashes the stale branches of a subtree, the deepest first. A way down has at most 256 branches, so that deep this
    /// calls itself.
    fn settle(&mut self, link: Link) {
        let Subtree::Branch(at) = link.subtree() else { return };
        let Branch { left, right, stale, .. } = *self.nodes.branch(at);
        if stale {
            self.settle(left);
            self.settle(right);
            let hash = self.branch_hash(at);
            let branch = self.nodes.branch_mut(at);
            (branch.hash, branch.stale) = (hash, false);
        }
    }

    /// The hash of a branch at its own depth.
    fn branch_hash(&self, at: u32) -> Sha256 {
        let branch = self.nodes.branch(at);
        if !branch.stale {
            return branch.hash;
        }
        let below = usize::from(branch.depth) + 1;
        node_hash(&self.hash_at(branch.left, below), &self.hash_at(branch.right, below))
    }

    /// The hash of a subtree that begins at `depth`: that of its first branch, lifted over the bits that all keys share.
    fn hash_at(&self, link: Link, depth: usize) -> Sha256 {
        match link.subtree() {
            Subtree::Empty => Sha256::ZERO,
            Subtree::Leaf(at) => leaf_hash(&self.nodes.leaf(at).key, &self.nodes.leaf(at).value),
            Subtree::Branch(at) => {
                let own = usize::from(self.nodes.branch(at).depth);
                let hash = self.branch_hash(at);
                if own == depth {
                    return hash;
                }
                let key = self.any_key(at);
                (depth..own).rev().fold(hash, |subtree, depth| above(&subtree, &Sha256::ZERO, bit(key, depth)))
            }
        }
    }

    /// The first key below a branch.
    fn any_key(&self, at: u32) -> &Sha256 {
        let mut link = self.nodes.branch(at).left;
        loop {
            match link.subtree() {
                Subtree::Branch(at) => link = self.nodes.branch(at).left,
                Subtree::Leaf(at) => return &self.nodes.leaf(at).key,
                // A branch has leaves on both sides; were it not so, any key would lift it as wrongly as another.
                Subtree::Empty => return &Sha256::ZERO,
            }
        }
    }
}
