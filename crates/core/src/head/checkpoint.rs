//! The C2SP checkpoint of a head: a signed note with the ledger's Ed25519 line and witnesses' `cosignature/v1` lines.
//!
//! Lines by keys that nobody asks for say nothing, but every line has to be of its form.

use super::Commitment;
use crate::form::{FormError, require};
use crate::hash::{self, Sha256};
use crate::limits::{MAX_INTEGER, MAX_NOTE_LINES};
use crate::name;
use crate::signature::{Signer, VerifyingKey};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What stands before a key's bytes in what its id hashes: which algorithm the key is for.
const ED25519: u8 = 0x01;
const COSIGNATURE_V1: u8 = 0x04;

/// The body of a checkpoint: origin, size and root, no extension lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// `<domain>/ledger`.
    pub origin: String,
    /// How many entries there are.
    pub size: u64,
    /// The root of the tree.
    pub root: Sha256,
}

/// A signature line: `— <name> <base64 of key id and signature>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The key's name.
    pub name: String,
    /// The key's id, which binds name, algorithm and public key.
    pub key_id: [u8; 4],
    /// What follows the id; its form depends on the algorithm.
    pub signature: Vec<u8>,
}

/// A checkpoint and its signature lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The body.
    pub checkpoint: Checkpoint,
    /// The lines in the order in which they stand.
    pub lines: Vec<Line>,
}

/// The id of a ledger's key: the first 4 bytes of SHA-256(name || LF || 0x01 || public key).
#[must_use]
fn ledger_key_id(origin: &str, public: &[u8; 32]) -> [u8; 4] {
    key_id(origin, ED25519, public)
}

/// The id of a witness's key: the first 4 bytes of SHA-256(name || LF || 0x04 || public key).
#[must_use]
pub fn cosignature_key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    key_id(name, COSIGNATURE_V1, public)
}

fn key_id(name: &str, algorithm: u8, public: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = Sha256::of(&[name.as_bytes(), b"\n", &[algorithm], public]).0;
    [a, b, c, d]
}

/// The origin of a ledger, `ledger://<domain>` or the domain alone: the first line of its checkpoints.
#[must_use]
pub fn origin(ledger: &str) -> String {
    format!("{}/ledger", name::ledger_domain(ledger).unwrap_or(ledger))
}

/// The verifier key of a ledger as others configure it: `<origin>+<key id>+<base64 of 0x01 || public key>`.
#[must_use]
pub fn vkey(origin: &str, public: &[u8; 32]) -> String {
    let id = hash::hex(&ledger_key_id(origin, public));
    format!("{origin}+{id}+{}", hash::base64(&[&[ED25519], public.as_slice()].concat()))
}

/// The verifier key of a witness as others configure it: `<name>+<key id>+<base64 of 0x04 || public key>`.
#[must_use]
pub fn witness_vkey(name: &str, public: &[u8; 32]) -> String {
    let id = hash::hex(&cosignature_key_id(name, public));
    format!("{name}+{id}+{}", hash::base64(&[&[COSIGNATURE_V1], public.as_slice()].concat()))
}

/// Reads a ledger's verifier key: its origin and public key. `None` where it is none, or its id is another's.
#[must_use]
pub fn read_vkey(text: &str) -> Option<(String, [u8; 32])> {
    read_verifier(text, ED25519)
}

/// Reads a witness's verifier key: its name and public key. `None` where it is none, or its id is another's.
#[must_use]
pub fn read_witness_vkey(text: &str) -> Option<(String, [u8; 32])> {
    read_verifier(text, COSIGNATURE_V1)
}

fn read_verifier(text: &str, algorithm: u8) -> Option<(String, [u8; 32])> {
    // The base64 may hold a plus, a name and an id may not.
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let key = hash::unbase64(key)?;
    let (found, public) = key.split_first()?;
    let public = <[u8; 32]>::try_from(public).ok()?;
    let same = *found == algorithm && id == hash::hex(&key_id(name, algorithm, &public));
    (same && is_key_name(name)).then(|| (name.to_owned(), public))
}

impl Checkpoint {
    /// The checkpoint of what a head commits to.
    #[must_use]
    pub fn of(commitment: &Commitment) -> Self {
        Self { origin: origin(&commitment.ledger), size: commitment.size, root: commitment.root }
    }

    /// The text that is signed, its last line feed included.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, hash::base64(&self.root.0))
    }

    /// Reads the text that is signed.
    ///
    /// # Errors
    /// Where it is not exactly the three lines that [`body`](Self::body) writes.
    pub fn parse(body: &str) -> Result<Self, FormError> {
        let wrong = || FormError("a checkpoint's text is not origin, size and root in three lines".to_owned());
        let mut lines = body.split('\n');
        let mut line = || lines.next().ok_or_else(wrong);
        let (origin, size, root) = (line()?, line()?, line()?);
        require(is_key_name(origin), "a checkpoint's origin is not a key's name")?;
        let size = size.parse().ok().filter(|size| *size <= MAX_INTEGER).ok_or_else(wrong)?;
        let root = hash::unbase64(root).and_then(|root| root.try_into().ok()).ok_or_else(wrong)?;
        let checkpoint = Self { origin: origin.to_owned(), size, root: Sha256(root) };
        // A sign, a leading zero, a fourth line: what is not written again as it was read is refused.
        if checkpoint.body() == body { Ok(checkpoint) } else { Err(wrong()) }
    }

    /// What a witness signs, having seen this checkpoint at `time` (seconds since 1970).
    fn cosigned_text(&self, time: u64) -> String {
        format!("cosignature/v1\ntime {time}\n{}", self.body())
    }

    /// The ledger's line, by the key that signs its head.
    #[must_use]
    pub fn sign(&self, signer: &dyn Signer) -> Line {
        let signature = signer.sign(self.body().as_bytes()).to_vec();
        Line { name: self.origin.clone(), key_id: ledger_key_id(&self.origin, &signer.public()), signature }
    }

    /// A witness's line: `name` saw this checkpoint, consistent with all before it, at `time` (seconds since 1970).
    #[must_use]
    pub fn cosign(&self, name: &str, time: u64, signer: &dyn Signer) -> Line {
        let signed = signer.sign(self.cosigned_text(time).as_bytes());
        let signature = [time.to_be_bytes().as_slice(), &signed].concat();
        Line { name: name.to_owned(), key_id: cosignature_key_id(name, &signer.public()), signature }
    }
}

impl Note {
    /// Reads a checkpoint with its signature lines. No signature is verified.
    ///
    /// # Errors
    /// Where the body is not that of a checkpoint, there is no signature line or more than [`MAX_NOTE_LINES`], or a line is
    /// not of its form.
    pub fn parse(note: &str) -> Result<Self, FormError> {
        let wrong = || FormError("a checkpoint has no signature lines behind an empty one".to_owned());
        let at = note.find("\n\n").ok_or_else(wrong)?;
        let (body, lines) = note.split_at_checked(at + 1).ok_or_else(wrong)?;
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n')).ok_or_else(wrong)?;
        require(lines.split('\n').nth(MAX_NOTE_LINES).is_none(), "a checkpoint has more than 128 signature lines")?;
        let lines: Option<Vec<Line>> = lines.split('\n').map(Line::parse).collect();
        let lines = lines.ok_or_else(|| FormError("a checkpoint has a malformed signature line".to_owned()))?;
        Ok(Self { checkpoint: Checkpoint::parse(body)?, lines })
    }

    /// Whether the ledger's own line is there: by the origin's name, and this key's.
    #[must_use]
    pub fn signed_by(&self, key: &VerifyingKey) -> bool {
        let origin = &self.checkpoint.origin;
        let body = self.checkpoint.body();
        self.lines_of(origin, ledger_key_id(origin, key.as_bytes())).any(|line| {
            <[u8; 64]>::try_from(line.signature.as_slice()).is_ok_and(|sig| key.verifies(body.as_bytes(), &sig))
        })
    }

    /// The ledger's own lines by this key, which verify.
    #[must_use]
    pub fn lines_by(&self, key: &VerifyingKey) -> Vec<Line> {
        let (origin, body) = (&self.checkpoint.origin, self.checkpoint.body());
        let verifies = |line: &&Line| {
            <[u8; 64]>::try_from(line.signature.as_slice()).is_ok_and(|sig| key.verifies(body.as_bytes(), &sig))
        };
        self.lines_of(origin, ledger_key_id(origin, key.as_bytes())).filter(verifies).cloned().collect()
    }

    /// When the witness `name` with this key cosigned, in seconds since 1970; `None` where it did not. A time of its own
    /// that nobody judges.
    #[must_use]
    pub fn cosigned_by(&self, name: &str, key: &VerifyingKey) -> Option<u64> {
        self.lines_of(name, cosignature_key_id(name, key.as_bytes())).find_map(|line| {
            let (time, sig) = line.signature.split_first_chunk::<8>()?;
            let (time, sig) = (u64::from_be_bytes(*time), <[u8; 64]>::try_from(sig).ok()?);
            key.verifies(self.checkpoint.cosigned_text(time).as_bytes(), &sig).then_some(time)
        })
    }

    /// Which of these witnesses, each a name and a public key, cosigned. A public key counts once, whatever its names and
    /// its lines. Compare their number with the root's `quorum`, and of those that audit with its `auditors`.
    #[must_use]
    pub fn cosigners<'a>(&self, witnesses: impl IntoIterator<Item = (&'a str, &'a [u8; 32])>) -> Vec<&'a [u8; 32]> {
        let mut counted: Vec<&[u8; 32]> = Vec::new();
        for (name, public) in witnesses {
            let fresh = !counted.contains(&public);
            if fresh && VerifyingKey::new(public).is_some_and(|key| self.cosigned_by(name, &key).is_some()) {
                counted.push(public);
            }
        }
        counted
    }

    fn lines_of(&self, name: &str, key_id: [u8; 4]) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.name == name && line.key_id == key_id)
    }
}

impl Line {
    /// Reads a line without its line feed; `None` where it is not of its form.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix("— ")?.split_once(' ')?;
        let blob = hash::unbase64(blob)?;
        let (key_id, signature) = blob.split_first_chunk::<4>()?;
        let formed = is_key_name(name) && !signature.is_empty();
        formed.then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

/// A key's name in a signed note: not empty, without white space, control characters and `+`.
fn is_key_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '+')
}

impl fmt::Display for Note {
    /// The text that is served at `/checkpoint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.checkpoint.body())?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [self.key_id.as_slice(), &self.signature].concat();
        write!(f, "— {} {}", self.name, hash::base64(&blob))
    }
}

#[cfg(test)]
mod tests;
