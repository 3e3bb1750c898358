//! Where things stand in the log: entries, their content, registry headers, and what is looked for by number or name.

use crate::chunked::Chunked;
use crate::rules::Applied;
use crate::saved::saved_fields;
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::registry::history::{History, Moment};
use std::collections::{BTreeMap, HashMap};

/// Where an entry stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: u64,
    /// The entry of the event before it in its lineage, `NONE` where there is none.
    before: u64,
}

const NONE: u64 = u64::MAX;

/// Set in the position of content that was moved to the archive: only its hash stands there.
const MOVED: u64 = 1 << 63;

/// Bytes of a blob's hash that are kept. Who reads one by its hash compares all of it.
const BLOB_KEY: usize = 20;

/// Positions in the log.
#[derive(Default)]
pub(crate) struct Places {
    entries: Chunked<Place>,
    blobs: HashMap<[u8; BLOB_KEY], u64>,
    /// Signed registry headers by epoch.
    headers: BTreeMap<u64, u64>,
    /// The entries that made an epoch, in order: the first is epoch 1's.
    epochs: Vec<(u64, Sha3)>,
    /// Every `ledger.sealed`, in order.
    seals: Chunked<u64>,
    /// Every `audit.discontinuity`, in order.
    discontinuities: Vec<u64>,
    /// What the registry was.
    history: History,
    /// The entry that published a policy, by reference.
    policies: HashMap<String, u64>,
}

saved_fields!(Place { position, before });

// What the registry was follows from the entries that made its epochs.
saved_fields!(Places { entries, blobs, headers, epochs, seals, discontinuities } but history, policies);

impl Places {
    /// Notes all that an entry says about where things stand. `epoch` is the registry's hash where it made an epoch.
    pub(crate) fn note(
        &mut self,
        Moment { seq, at }: Moment,
        position: u64,
        applied: &Applied,
        epoch: Option<Sha3>,
        record: &Record,
    ) {
        debug_assert_eq!(self.entries.len(), seq, "entries are noted in order");
        self.entries.push(Place { position, before: applied.before.unwrap_or(NONE) });
        if let Some(hash) = epoch {
            self.epochs.push((seq, hash));
            self.note_epoch(Moment { seq, at }, record);
        }
        match record.event.as_str() {
            "ledger.sealed" => self.seals.push(seq),
            "audit.discontinuity" => self.discontinuities.push(seq),
            _ => {}
        }
    }

    /// Notes what an entry that made an epoch says of the registry's past.
    pub(crate) fn note_epoch(&mut self, moment: Moment, record: &Record) {
        self.history.note(moment, &record.event, &record.data);
        if record.event == "policy.published" {
            self.policies.extend(record.data_str("ref").map(|name| (name.to_owned(), moment.seq)));
        }
    }

    pub(crate) fn add_blob(&mut self, hash: &Sha3, position: u64) {
        self.blobs.insert(blob_key(hash), position);
    }

    /// Notes that of the content at `position` only the hash is here, or is about to be. Whoever sends it again sends it to
    /// stay, so it is stored once more.
    pub(crate) fn add_moved(&mut self, hash: &Sha3, position: u64) {
        // Content that was stored once more stands further on.
        if self.blob(hash).is_none_or(|known| known <= position) {
            self.blobs.insert(blob_key(hash), position | MOVED);
        }
    }

    /// How many pieces of content there are of which only the hash is here.
    pub(crate) fn moved(&self) -> u64 {
        self.blobs.values().filter(|position| **position & MOVED != 0).count() as u64
    }

    /// How many entries have a place.
    pub(crate) fn len(&self) -> u64 {
        self.entries.len()
    }

    /// The position of the last entry, the staged ones among them.
    pub(crate) fn last_entry(&self) -> Option<u64> {
        self.entry(self.entries.len().checked_sub(1)?)
    }

    pub(crate) fn add_header(&mut self, epoch: u64, position: u64) {
        self.headers.insert(epoch, position);
    }

    pub(crate) fn entry(&self, seq: u64) -> Option<u64> {
        self.entries.get(seq).map(|place| place.position)
    }

    pub(crate) fn before(&self, seq: u64) -> Option<u64> {
        self.entries.get(seq).map(|place| place.before).filter(|before| *before != NONE)
    }

    /// Where content stands, or its hash where it was moved.
    pub(crate) fn blob(&self, hash: &Sha3) -> Option<u64> {
        self.blobs.get(&blob_key(hash)).map(|position| position & !MOVED)
    }

    /// Whether content is kept here itself.
    pub(crate) fn keeps_blob(&self, hash: &Sha3) -> bool {
        self.blobs.get(&blob_key(hash)).is_some_and(|position| position & MOVED == 0)
    }

    pub(crate) fn header(&self, epoch: u64) -> Option<u64> {
        self.headers.get(&epoch).copied()
    }

    pub(crate) fn policy(&self, reference: &str) -> Option<u64> {
        self.policies.get(reference).copied()
    }

    /// What the registry was, the staged entries among it.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// How many seals there are among the first `size` entries.
    pub(crate) fn seals_below(&self, size: u64) -> u64 {
        self.seals.partition_point(|seq| *seq < size)
    }

    /// The entry of a seal, the first being number 0.
    pub(crate) fn seal(&self, number: u64) -> Option<u64> {
        self.seals.get(number).copied()
    }

    /// The hash of the registry that was folded here at an epoch.
    pub(crate) fn registry_hash(&self, epoch: u64) -> Option<Sha3> {
        self.epochs.get(usize::try_from(epoch.checked_sub(1)?).ok()?).map(|(_, hash)| *hash)
    }

    /// The entries that made an epoch, from entry `from` on.
    pub(crate) fn registry_entries(&self, from: u64) -> impl Iterator<Item = u64> {
        let start = self.epochs.partition_point(|(seq, _)| *seq < from);
        self.epochs.iter().skip(start).map(|(seq, _)| *seq)
    }

    /// The entries that say that a stream is broken, from entry `from` on.
    pub(crate) fn discontinuities(&self, from: u64) -> impl Iterator<Item = u64> {
        self.discontinuities.iter().copied().skip(self.discontinuities.partition_point(|seq| *seq < from))
    }
}

fn blob_key(hash: &Sha3) -> [u8; BLOB_KEY] {
    let mut key = [0; BLOB_KEY];
    key.copy_from_slice(&hash.0[..BLOB_KEY]);
    key
}
