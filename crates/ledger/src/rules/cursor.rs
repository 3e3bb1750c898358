//! Where each producer's stream stands: the next number of every key, and enough of what was sent to tell a repeat from
//! an equivocation.

use crate::chunked::Chunked;
use eleven_core::hash::Sha3;
use std::collections::BTreeSet;

/// Bytes of a record's digest that are kept: a repeat and another record under its number are told apart by them.
const KEPT: usize = 16;

/// How many equivocations of one key are kept as evidence: a proof needs one, a disk no flood.
const MAX_EVIDENCE: usize = 16;

/// The stream of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    sent: Chunked<[u8; KEPT]>,
    last: Option<Sha3>,
    refused: BTreeSet<u64>,
    equivocated: BTreeSet<u64>,
}

/// How a number relates to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the next.
    Next,
    /// Numbers before it are missing.
    Gap,
    /// This very record was taken under it.
    Repeat,
    /// This very record was refused under it.
    Refused,
    /// Another record was sent under it.
    Equivocation,
}

impl Cursor {
    /// The number that comes next.
    #[must_use]
    pub(super) fn next(&self) -> u64 {
        self.sent.len()
    }

    /// SHA3-512 of the last record sent, taken or refused.
    #[must_use]
    pub(super) const fn last(&self) -> Option<&Sha3> {
        self.last.as_ref()
    }

    /// How a record under `number` stands to what was sent.
    #[must_use]
    pub(super) fn standing(&self, number: u64, digest: &Sha3) -> Standing {
        match self.sent.get(number) {
            None if number == self.next() => Standing::Next,
            None => Standing::Gap,
            Some(kept) if *kept != short(digest) => Standing::Equivocation,
            Some(_) if self.refused.contains(&number) => Standing::Refused,
            Some(_) => Standing::Repeat,
        }
    }

    /// Whether an equivocation under `number` is still to be kept as evidence.
    #[must_use]
    pub(super) fn wants_evidence(&self, number: u64) -> bool {
        self.equivocated.len() < MAX_EVIDENCE && !self.equivocated.contains(&number)
    }

    /// Takes the next number.
    pub(super) fn take(&mut self, digest: &Sha3, refused: bool) {
        if refused {
            self.refused.insert(self.next());
        }
        self.sent.push(short(digest));
        self.last = Some(*digest);
    }

    /// Notes that another record was sent under `number`.
    pub(super) fn note_equivocation(&mut self, number: u64) {
        self.equivocated.insert(number);
    }
}

fn short(digest: &Sha3) -> [u8; KEPT] {
    let mut kept = [0; KEPT];
    kept.copy_from_slice(&digest.0[..KEPT]);
    kept
}
