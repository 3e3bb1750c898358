//! The nodes of an index and where they lie: leaves and branches in slots, each link to one four bytes.

use crate::hash::Sha256;
use crate::tree::Chunks;
use alloc::vec::Vec;

/// All nodes of an index, 64 bytes a leaf and 44 a branch; what was removed leaves its slot to what comes.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    leaves: Chunks<Leaf>,
    branches: Chunks<Branch>,
    free_leaves: Vec<u32>,
    free_branches: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) key: Sha256,
    pub(super) value: Sha256,
}

/// An inner node with leaves on both sides.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// The hash at its own depth; of no meaning while `stale`.
    pub(super) hash: Sha256,
    pub(super) left: Link,
    pub(super) right: Link,
    /// The depth of the bit at which the keys below part.
    pub(super) depth: u8,
    /// Something below changed since `hash` was computed. Then all branches above are stale too.
    pub(super) stale: bool,
}

/// A subtree: nothing, a leaf or a branch by its slot, in four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link(u32);

pub(super) enum Subtree {
    Empty,
    Leaf(u32),
    Branch(u32),
}

impl Link {
    pub(super) const EMPTY: Self = Self(u32::MAX);
    const LEAF: u32 = 1 << 31;

    pub(super) const fn leaf(slot: u32) -> Self {
        Self(slot | Self::LEAF)
    }

    pub(super) const fn branch(slot: u32) -> Self {
        Self(slot)
    }

    pub(super) const fn subtree(self) -> Subtree {
        match self.0 {
            u32::MAX => Subtree::Empty,
            link if link & Self::LEAF != 0 => Subtree::Leaf(link & !Self::LEAF),
            slot => Subtree::Branch(slot),
        }
    }
}

impl Branch {
    pub(super) const fn child(&self, right: bool) -> Link {
        if right { self.right } else { self.left }
    }

    pub(super) const fn child_mut(&mut self, right: bool) -> &mut Link {
        if right { &mut self.right } else { &mut self.left }
    }
}

#[expect(clippy::indexing_slicing, reason = "a link points at a slot that was filled, and no slot is taken away")]
impl Nodes {
    pub(super) const fn new() -> Self {
        Self { leaves: Chunks::new(), branches: Chunks::new(), free_leaves: Vec::new(), free_branches: Vec::new() }
    }

    pub(super) fn leaf(&self, at: u32) -> &Leaf {
        &self.leaves[at as usize]
    }

    pub(super) fn leaf_mut(&mut self, at: u32) -> &mut Leaf {
        &mut self.leaves[at as usize]
    }

    pub(super) fn branch(&self, at: u32) -> &Branch {
        &self.branches[at as usize]
    }

    pub(super) fn branch_mut(&mut self, at: u32) -> &mut Branch {
        &mut self.branches[at as usize]
    }

    pub(super) fn add_leaf(&mut self, leaf: Leaf) -> Link {
        Link::leaf(put(&mut self.leaves, &mut self.free_leaves, leaf))
    }

    pub(super) fn add_branch(&mut self, branch: Branch) -> Link {
        Link::branch(put(&mut self.branches, &mut self.free_branches, branch))
    }

    pub(super) fn free_leaf(&mut self, at: u32) {
        self.free_leaves.push(at);
    }

    pub(super) fn free_branch(&mut self, at: u32) {
        self.free_branches.push(at);
    }
}

fn put<T>(items: &mut Chunks<T>, free: &mut Vec<u32>, item: T) -> u32 {
    if let Some(at) = free.pop() {
        items[at as usize] = item;
        return at;
    }
    // The last slot's leaf would read as the empty link. Two hundred gigabytes of leaves come before it.
    let at = u32::try_from(items.len()).unwrap_or(u32::MAX);
    assert!(at < Link::LEAF - 1, "an index holds fewer than 2^31 keys");
    items.push(item);
    at
}
