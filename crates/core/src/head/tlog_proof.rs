//! A proof that one entry is in the ledger, as a file of its own that any tool of the C2SP specifications reads
//! (tlog-proof): the entry's number, the hashes up to the root, and the checkpoint with all its signature lines.
//!
//! It proves that the bytes are in the tree. What they mean, and that nothing follows them in their lineage, only a bundle
//! shows. Whose tree it is, and that witnesses saw it, whoever verifies asks of the trust root:
//!
//! ```
//! use eleven_core::head::tlog_proof::TlogProof;
//! use eleven_core::root::{KeyRecord, KeyUse, TrustRoot};
//! use eleven_core::time::Time;
//!
//! /// Whether a file shows that the ledger of a root that was pinned, and that counts at `now`, has this entry.
//! fn has(root: &TrustRoot, now: Time, entry: &[u8], file: &str) -> bool {
//!     let Ok(proof) = TlogProof::parse(file) else { return false };
//!     let mut keys = root.roles_at(KeyUse::Head, now).filter_map(KeyRecord::verifying);
//!     let (all, auditors) = root.witnesses.cosigned(&proof.note);
//!     root.verify_own().is_ok()
//!         && root.in_force(now)
//!         && proof.note.checkpoint.origin == root.origin()
//!         && keys.any(|key| proof.verifies(entry, &key))
//!         && all >= root.witnesses.quorum
//!         && auditors >= root.witnesses.auditors
//! }
//! # use eleven_core::encoding::{Value, parse};
//! # let read = |name: &str| std::fs::read(format!("{}/../../spec/vectors/{name}", env!("CARGO_MANIFEST_DIR")));
//! # let root = TrustRoot::read(parse(&read("root.json")?)?)?;
//! # let head = parse(&read("head.json")?)?;
//! # let checkpoint = head.get("checkpoint").and_then(Value::as_str).expect("a checkpoint");
//! # let now = Time::parse_millis("2026-05-12T17:04:14.000Z").expect("a time");
//! # let file = format!("c2sp.org/tlog-proof@v1\nindex 0\n\n{checkpoint}");
//! # assert!(TlogProof::parse(&file).is_ok() && !has(&root, now, b"another entry", &file));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::checkpoint::Note;
use crate::form::{FormError, require};
use crate::hash::{self, Sha256};
use crate::signature::VerifyingKey;
use crate::tree::{self, MAX_PROOF};
use alloc::borrow::ToOwned as _;
use alloc::vec::Vec;
use core::fmt;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof for one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data that stands beside the proof and that nothing vouches for by itself: here the bytes of the entry, which count once
    /// they [verify](Self::verifies).
    pub extra: Option<Vec<u8>>,
    /// The entry's number, from 0.
    pub index: u64,
    /// The hashes beside the path, the one nearest to the leaf first.
    pub proof: Vec<Sha256>,
    /// The checkpoint.
    pub note: Note,
}

impl TlogProof {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it is not exactly what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Result<Self, FormError> {
        let wrong = || FormError("a tlog-proof is not its first line, index, hashes and a checkpoint".to_owned());
        let (head, note) = text.split_once("\n\n").ok_or_else(wrong)?;
        let note = Note::parse(note)?;
        let mut lines = head.split('\n');
        require(lines.next() == Some(FIRST_LINE), "a tlog-proof begins with another line than c2sp.org/tlog-proof@v1")?;
        let mut line = lines.next().ok_or_else(wrong)?;
        let mut extra = None;
        if let Some(data) = line.strip_prefix("extra ") {
            extra = Some(hash::unbase64(data).ok_or_else(wrong)?);
            line = lines.next().ok_or_else(wrong)?;
        }
        let index = line.strip_prefix("index ").and_then(|index| index.parse().ok()).ok_or_else(wrong)?;
        let proof: Option<Vec<Sha256>> =
            lines.map(|line| hash::unbase64(line)?.try_into().ok().map(Sha256)).take(MAX_PROOF + 1).collect();
        let proof = proof.ok_or_else(wrong)?;
        require(proof.len() <= MAX_PROOF, "a tlog-proof has more hashes than any tree has levels")?;
        let read = Self { extra, index, proof, note };
        // A sign, a leading zero, another way to write base64: what is not written again as it was read is refused.
        if alloc::format!("{read}") == text { Ok(read) } else { Err(wrong()) }
    }

    /// Whether it shows that `entry`, an entry's canonical bytes, is in the ledger that signs with `key`. What the key counts for, and
    /// how many witnesses have to have cosigned, the trust root says.
    #[must_use]
    pub fn verifies(&self, entry: &[u8], key: &VerifyingKey) -> bool {
        let checkpoint = &self.note.checkpoint;
        let leaf = tree::leaf_hash(entry);
        self.note.signed_by(key)
            && tree::verify_inclusion(&leaf, self.index, checkpoint.size, &self.proof, &checkpoint.root)
    }
}

impl fmt::Display for TlogProof {
    /// The file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", hash::base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.proof.iter().try_for_each(|node| writeln!(f, "{}", hash::base64(&node.0)))?;
        write!(f, "\n{}", self.note)
    }
}

#[cfg(test)]
mod tests;
