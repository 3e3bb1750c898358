//! The operation index (PROTOCOL 9): a sparse Merkle tree over 256-bit keys, which proves what is not in it as well as what
//! is. The registry's `items` (PROTOCOL 11) are a tree of the same kind.
//!
//! leaf = SHA-256(0x00 || key || value), node = SHA-256(0x01 || left || right), an empty subtree 32 zero bytes, a subtree
//! with one leaf that leaf itself. Bit d of the key, most significant first, chooses at depth d; 0 is left.

mod memory;
mod nodes;
mod proof;

use crate::encoding::Value;
use crate::hash::{Blake2b, Sha3, Sha256};
use alloc::string::ToString as _;
use alloc::vec::Vec;

pub use memory::OperationIndex;
pub use proof::{Proof, Proves};

/// The key of an operation's lineage.
#[must_use]
pub fn op_key(op: &str) -> Sha256 {
    Sha256::of(&[b"op:", op.as_bytes()])
}

/// The value of an operation's lineage: its last event's number and hashes.
#[must_use]
pub fn op_value(op: &str, n: u64, tip: &Sha3, tip_alt: &Blake2b) -> Sha256 {
    // Canonical as it stands: an operation id needs no escapes.
    let mut value = Vec::with_capacity(384);
    value.extend_from_slice(br#"{"n":"#);
    value.extend_from_slice(n.to_string().as_bytes());
    value.extend_from_slice(br#","op":""#);
    value.extend_from_slice(op.as_bytes());
    value.extend_from_slice(br#"","tip":""#);
    tip.write(&mut value);
    value.extend_from_slice(br#"","tip_alt":""#);
    tip_alt.write(&mut value);
    value.extend_from_slice(br#""}"#);
    debug_assert!(crate::encoding::parse_canonical(&value).is_ok(), "an operation id needs no escapes");
    Sha256::of(&[&value])
}

/// The key of an artifact's revocation.
#[must_use]
pub fn revoked_key(artifact: &str) -> Sha256 {
    Sha256::of(&[b"revoked:", artifact.as_bytes()])
}

/// The value of an artifact's revocation: the hash of its first `authorization.revoked`.
#[must_use]
pub fn revoked_value(event_hash: &Sha3) -> Sha256 {
    Sha256::of(&[&event_hash.0])
}

/// The key of a registry record (PROTOCOL 11): its kind, and its sorting members joined by a space.
#[must_use]
pub fn item_key(kind: &str, name: &str) -> Sha256 {
    Sha256::of(&[kind.as_bytes(), b":", name.as_bytes()])
}

/// The value of a registry record (PROTOCOL 11).
#[must_use]
pub fn item_value(record: &Value) -> Sha256 {
    Sha256::of(&[&record.canonical()])
}

fn leaf_hash(key: &Sha256, value: &Sha256) -> Sha256 {
    Sha256::of(&[&[0], &key.0, &value.0])
}

fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of(&[&[1], &left.0, &right.0])
}

/// The node above a subtree and its sibling, where `right` says which side the subtree is on.
fn above(subtree: &Sha256, sibling: &Sha256, right: bool) -> Sha256 {
    if right { node_hash(sibling, subtree) } else { node_hash(subtree, sibling) }
}

/// Bit `depth` of a key, most significant first; a key has no bit beyond 255, and none is asked for.
fn bit(key: &Sha256, depth: usize) -> bool {
    debug_assert!(depth < 256, "a key has 256 bits");
    key.0.get(depth / 8).is_some_and(|byte| byte & (0x80 >> (depth % 8)) != 0)
}

/// How many leading bits two keys share: 256 where they are the same.
fn shared_bits(a: &Sha256, b: &Sha256) -> usize {
    let differing = a.0.iter().zip(&b.0).enumerate().find(|(_, (a, b))| a != b);
    differing.map_or(256, |(at, (a, b))| 8 * at + (a ^ b).leading_zeros() as usize)
}

#[cfg(test)]
mod tests;
