//! Signed records that leave together, and those who wait for them.

use super::{Answer, Committed, SubmitError};
use bytes::Bytes;
use eleven_api::audit::{Append, Durability};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use std::collections::VecDeque;

/// Records of one append.
const MAX_RECORDS: usize = 256;
/// Bytes of content that one append carries, besides the last record's.
const MAX_BLOBS: usize = 4 * 1024 * 1024;

/// A record with its number, the content that goes with it, and who waits for it.
pub(super) struct Signed {
    pub(super) record: Record,
    pub(super) blobs: Vec<Vec<u8>>,
    /// Taken when the caller has been answered; the record is sent on all the same.
    pub(super) answer: Option<Answer>,
}

/// Records in the order of their numbers.
#[derive(Default)]
pub(super) struct Batch {
    records: VecDeque<Signed>,
    blobs: usize,
}

impl Signed {
    pub(super) fn acknowledge(self, durability: Durability) {
        if let Some(answer) = self.answer {
            drop(answer.send(Ok(Committed { record: self.record, durability })));
        }
    }

    pub(super) fn fail(&mut self, error: SubmitError) {
        if let Some(answer) = self.answer.take() {
            drop(answer.send(Err(error)));
        }
    }

    /// Tells the caller that the fate of the record is open.
    pub(super) fn abandon(&mut self) {
        self.fail(SubmitError::Unavailable { sent: true });
    }

    /// The body of an append of this record alone.
    pub(super) fn body(&self) -> Bytes {
        body(std::iter::once(self))
    }
}

impl Batch {
    pub(super) fn push(&mut self, signed: Signed) {
        self.blobs += signed.blobs.iter().map(Vec::len).sum::<usize>();
        self.records.push_back(signed);
    }

    pub(super) fn pop_front(&mut self) -> Option<Signed> {
        self.records.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= MAX_RECORDS || self.blobs >= MAX_BLOBS
    }

    /// The body of one append of all of them.
    pub(super) fn body(&self) -> Bytes {
        body(self.records.iter())
    }

    pub(super) fn acknowledge(self, durability: Durability) {
        self.records.into_iter().for_each(|signed| signed.acknowledge(durability));
    }

    pub(super) fn abandon(&mut self) {
        self.records.iter_mut().for_each(Signed::abandon);
    }

    /// Gives up records that were never sent.
    pub(super) fn discard(&mut self) {
        for signed in &mut core::mem::take(self).records {
            signed.fail(SubmitError::Unavailable { sent: false });
        }
    }
}

/// The body of one append of records and their content, of which several pieces are hashed at a time.
fn body<'a>(signed: impl Iterator<Item = &'a Signed> + Clone) -> Bytes {
    let records: Vec<&[u8]> = signed.clone().map(|one| one.record.canonical()).collect();
    let blobs: Vec<[&[u8]; 1]> = signed.flat_map(|one| &one.blobs).map(|blob| [blob.as_slice()]).collect();
    let hashes = Sha3::of_each(&blobs);
    Append::body(&records, &hashes.into_iter().zip(blobs.into_iter().map(|[blob]| blob)).collect()).into()
}
