//! Where each producer's stream stands: the next number of every key, and enough of what was sent to tell a repeat from
//! an equivocation.

use super::candidate::Mark;
use crate::chunked::Chunked;
use crate::saved::{In, Out, Save, invalid, saved_fields};
use eleven_core::hash::Sha3;
use std::collections::BTreeSet;
use std::io;

/// How many equivocations of one key are kept as evidence: a proof needs one, a disk no flood.
const MAX_EVIDENCE: usize = 16;

/// The stream of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    sent: Chunked<Mark>,
    last: Option<Last>,
    refused: BTreeSet<u64>,
    equivocated: BTreeSet<u64>,
}

/// The last record sent under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// It was taken, as this entry.
    Entry(u64),
    /// It was refused, and this is the hash of its canonical bytes.
    Refused(Sha3),
}

saved_fields!(Cursor { sent, last, refused, equivocated });

impl Save for Last {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        match self {
            Self::Entry(seq) => (0u8, *seq).save(out),
            Self::Refused(hash) => (1u8, *hash).save(out),
        }
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        match u8::load(from)? {
            0 => Save::load(from).map(Self::Entry),
            1 => Save::load(from).map(Self::Refused),
            _ => Err(invalid()),
        }
    }
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

    /// The last record sent, taken or refused.
    #[must_use]
    pub(super) const fn last(&self) -> Option<Last> {
        self.last
    }

    /// How a record under `number` stands to what was sent. `digest` is asked where one was refused under it: of that the
    /// ledger keeps no more than the hash of its bytes.
    #[must_use]
    pub(super) fn standing<'a>(&self, number: u64, mark: Mark, digest: impl FnOnce() -> &'a Sha3) -> Standing {
        let Some(kept) = self.sent.get(number) else {
            return if number == self.next() { Standing::Next } else { Standing::Gap };
        };
        match self.refused.contains(&number) {
            true if *kept == Mark::of_digest(digest()) => Standing::Refused,
            false if *kept == mark => Standing::Repeat,
            _ => Standing::Equivocation,
        }
    }

    /// Whether an equivocation under `number` is still to be kept as evidence.
    #[must_use]
    pub(super) fn wants_evidence(&self, number: u64) -> bool {
        self.equivocated.len() < MAX_EVIDENCE && !self.equivocated.contains(&number)
    }

    /// Takes the next number for a record that became entry `seq`.
    pub(super) fn take(&mut self, mark: Mark, seq: u64) {
        self.sent.push(mark);
        self.last = Some(Last::Entry(seq));
    }

    /// Takes the next number for a record that was refused.
    pub(super) fn refuse(&mut self, digest: &Sha3) {
        self.refused.insert(self.next());
        self.sent.push(Mark::of_digest(digest));
        self.last = Some(Last::Refused(*digest));
    }

    /// Notes that another record was sent under `number`.
    pub(super) fn note_equivocation(&mut self, number: u64) {
        self.equivocated.insert(number);
    }
}
