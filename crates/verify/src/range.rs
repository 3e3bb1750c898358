//! A range of a ledger's entries, whole and without a gap, under one signed head: what shows that nothing was left out.
//!
//! Each entry follows from the one before by both chains, and the leaves of all of them, with the hashes beside the first
//! and the last, come to the root of the head's tree (PROTOCOL 6). One entry less, more or changed comes to another root.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use eleven_core::chain::{ChainValue, Entry, advance};
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::{Checkpoint, Note};
use eleven_core::head::{Commitment, Head};
use eleven_core::name;
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_core::time::Time;
use eleven_core::tree::{leaf_hash, node_hash};

/// The entries of a range, taken one after the other.
#[derive(Clone, Debug, Default)]
pub struct Range {
    first: u64,
    leaves: Vec<Sha256>,
    last: Option<(Time, ChainValue)>,
}

impl Range {
    /// A range without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: 0, leaves: Vec::new(), last: None }
    }

    /// Takes the next entry, of canonical bytes, and returns it with the hash of its leaf.
    ///
    /// # Errors
    /// Where it is not an entry's canonical bytes, or does not follow from the one before: its number, its time, or one of
    /// the chain values.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(Entry, Sha256), String> {
        let entry = Entry::parse(bytes).map_err(|error| format!("after entry {}: {error}", self.end()))?;
        let header = &entry.header;
        match &self.last {
            None => self.first = header.seq,
            Some((at, chain)) => {
                let expected = self.end();
                if header.seq != expected {
                    return Err(format!("entry {expected} is missing, the next one is {}", header.seq));
                }
                if header.prev.as_ref() != Some(chain) {
                    return Err(format!("entry {expected} does not follow from the one before it"));
                }
                if header.at < *at {
                    return Err(format!("entry {expected} is of {}, before the one before it", header.at));
                }
            }
        }
        let leaf = leaf_hash(bytes);
        self.last = Some((header.at, advance(header.prev.as_ref(), bytes)));
        self.leaves.push(leaf);
        Ok((entry, leaf))
    }

    /// The number of the first entry.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The number after the last entry.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.leaves.len()).unwrap_or(u64::MAX))
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The leaf of an entry, where the range has it.
    #[must_use]
    pub fn leaf(&self, seq: u64) -> Option<&Sha256> {
        self.leaves.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    /// Whether these entries, all of them and no others between them, stand in the ledger that `head` commits to:
    /// `before` and `after` are the inclusion proofs of the first and of the last.
    ///
    /// # Errors
    /// Where they don't.
    pub fn stands_under(&self, head: &Commitment, before: &[Sha256], after: &[Sha256]) -> Result<(), String> {
        let (first, end) = (self.first, self.end());
        let Some((_, chain)) = self.last.as_ref().filter(|_| end <= head.size) else {
            return Err(format!("there are no entries from {first} to {end} under a head of {}", head.size));
        };
        if end == head.size && *chain != head.chain {
            return Err("the head's chain values do not follow from its last entry".to_owned());
        }
        let mut known = BTreeMap::new();
        beside(first, head.size, before, &mut known)?;
        beside(end - 1, head.size, after, &mut known)?;
        match self.root(0, head.size, &known) {
            Some(root) if root == head.root => Ok(()),
            _ => Err(format!("the entries from {first} up to {end} are not those of the head's tree")),
        }
    }

    /// The root over the leaves from `start` up to, not including, `end`: of what lies outside the range, from `known`.
    fn root(&self, start: u64, end: u64, known: &BTreeMap<(u64, u64), Sha256>) -> Option<Sha256> {
        if end <= self.first || start >= self.end() {
            return known.get(&(start, end)).copied();
        }
        if end - start == 1 {
            return self.leaf(start).copied();
        }
        let middle = middle(start, end);
        Some(node_hash(&self.root(start, middle, known)?, &self.root(middle, end, known)?))
    }
}

/// The subtrees beside the path to leaf `seq`, by the leaves that they hold: what an inclusion proof gives.
fn beside(seq: u64, size: u64, proof: &[Sha256], known: &mut BTreeMap<(u64, u64), Sha256>) -> Result<(), String> {
    let (mut start, mut end) = (0, size);
    for hash in proof.iter().rev() {
        if end - start < 2 {
            return Err(format!("the proof of entry {seq} has more hashes than its path"));
        }
        let middle = middle(start, end);
        if seq < middle {
            known.insert((middle, end), *hash);
            end = middle;
        } else {
            known.insert((start, middle), *hash);
            start = middle;
        }
    }
    if end - start == 1 { Ok(()) } else { Err(format!("the proof of entry {seq} has fewer hashes than its path")) }
}

/// Where RFC 9162 splits two or more leaves: after the greatest power of two below their number.
fn middle(start: u64, end: u64) -> u64 {
    start + (1 << (end - start - 1).ilog2())
}

/// Whether a head counts under the root in force: its key's signature, the checkpoint beside it by the same key, and as many
/// witnesses as the root asks for (PROTOCOL 3, 7).
///
/// # Errors
/// What does not hold.
pub fn head_counts(root: &TrustRoot, head: &Head, note: &Note) -> Result<(), String> {
    let commitment = &head.commitment;
    if !root.in_force(head.at) {
        return Err(format!("root {} is in force from {} to {}, not at {}", root.version, root.nbf, root.exp, head.at));
    }
    if name::ledger_domain(&commitment.ledger) != Some(&root.domain) {
        return Err(format!("the head is of `{}`, the root of `{}`", commitment.ledger, root.domain));
    }
    let kid = &head.sig.kid;
    let Some(key) = root.role_key(KeyUse::Head, kid, head.at) else {
        return Err(format!("the root has no head key `{kid}` that counts at {}", head.at));
    };
    if !head.verify(&key) {
        return Err("the head's signature does not verify".to_owned());
    }
    if note.checkpoint != Checkpoint::of(commitment) || !note.signed_by(&key) {
        return Err("the checkpoint is not of this head, or its key did not sign it".to_owned());
    }
    let witnesses = &root.witnesses;
    let (all, auditors) = witnesses.cosigned(note);
    if all < witnesses.quorum || auditors < witnesses.auditors {
        let (quorum, of_them) = (witnesses.quorum, witnesses.auditors);
        return Err(format!(
            "{all} witnesses cosigned, {auditors} of them auditors; the root asks for {quorum}, {of_them} of them auditors"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
