//! The body of `add-checkpoint`: the size that the witness is believed to know, the proof that the new tree begins with
//! that one, and the checkpoint.

use eleven_core::form::{FormError, require};
use eleven_core::hash::{self, Sha256};
use eleven_core::head::checkpoint::Note;
use eleven_core::limits::{MAX_CONSISTENCY, MAX_INTEGER};
use std::fmt;

/// A request for a cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the last checkpoint that the witness cosigned, as far as whoever asks knows.
    pub old: u64,
    /// The consistency proof from there (RFC 6962, 2.1.2); empty where `old` is 0 or the checkpoint's size.
    pub proof: Vec<Sha256>,
    /// The checkpoint with the log's signature.
    pub note: Note,
}

impl AddCheckpoint {
    /// Reads a body. No signature is verified.
    ///
    /// # Errors
    /// Where it is not exactly of its form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let wrong = |what: &str| FormError(what.to_owned());
        let text = std::str::from_utf8(body).map_err(|_| wrong("the request is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or_else(|| wrong("the request has no empty line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(size);
        let old = old.ok_or_else(|| wrong("the first line is not `old` and a size"))?;
        let proof: Option<Vec<Sha256>> = lines.map(hash_line).collect();
        let proof = proof.ok_or_else(|| wrong("a line of the proof is not a hash in base64"))?;
        require(proof.len() <= MAX_CONSISTENCY, "the proof has more than 63 lines")?;
        Ok(Self { old, proof, note: Note::parse(note)? })
    }
}

impl fmt::Display for AddCheckpoint {
    /// The body as it is sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash::base64(&hash.0)))?;
        write!(f, "\n{}", self.note)
    }
}

/// A size in decimal digits without leading zeroes, as it stands in the first line and in the body of a 409.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|size| digits && *size <= MAX_INTEGER)
}

fn hash_line(line: &str) -> Option<Sha256> {
    hash::unbase64(line).and_then(|bytes| bytes.try_into().ok()).map(Sha256)
}
