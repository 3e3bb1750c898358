//! The fold over the ledger's entries that append needs.

use super::candidate::{Mark, OpKey};
use super::cursor::{Cursor, Last};
use super::judge::{Accepted, Path};
use super::operations::Operations;
use super::subjects::Subjects;
use crate::saved::saved_fields;
use eleven_core::artifact::Artifact;
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::index;
use eleven_core::registry::Fold;
use eleven_core::time::Time;
use std::collections::{BTreeSet, HashMap};

/// All that the rules of append remember. It grows by [`Book::apply`] and by nothing else.
#[derive(Debug, Default)]
pub struct Book {
    pub(super) registry: Option<Fold>,
    pub(super) cursors: HashMap<String, Cursor>,
    pub(super) operations: Operations,
    pub(super) subjects: Subjects,
    /// Every artifact that was ever revoked, and the entry that did: only the first counts, also after its row was
    /// dropped.
    pub(super) revoked: HashMap<OpKey, u64>,
    /// The event keys under which enforcement points return after they lost a journal: keys that were registered when every other
    /// event key of the point was closed, or was itself one to return under.
    pub(super) returned: BTreeSet<String>,
    size: u64,
    at: Option<Time>,
}

// The registry follows from the entries that made its epochs.
saved_fields!(Book { cursors, operations, subjects, revoked, returned, size, at } but registry);

/// What an entry changed, for those who keep other folds.
#[derive(Debug, Default)]
pub struct Applied {
    /// What the operation index holds from now on (PROTOCOL 9); nothing for the ledger's own events.
    pub index: Vec<(Sha256, Sha256)>,
    /// The entry of the event before it in its lineage.
    pub before: Option<u64>,
    /// Whether it made the registry's next epoch.
    pub registry: bool,
}

impl Book {
    /// The book of a ledger without entries: it takes a genesis and nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The last entry's `at`: no later entry has an earlier one.
    #[must_use]
    pub const fn at(&self) -> Option<Time> {
        self.at
    }

    /// The registry; none before the genesis.
    #[must_use]
    pub const fn registry(&self) -> Option<&Fold> {
        self.registry.as_ref()
    }

    /// Takes the registry that its entries come to, for a book that was loaded without it.
    pub(crate) fn set_registry(&mut self, registry: Fold) {
        self.registry = Some(registry);
    }

    /// The number that comes next under a key, and the last record sent under it; `None` for a key that is not
    /// registered.
    #[must_use]
    pub fn cursor(&self, kid: &str) -> Option<(u64, Option<Last>)> {
        if let Some(cursor) = self.cursors.get(kid) {
            return Some((cursor.next(), cursor.last()));
        }
        self.registry.as_ref()?.key(kid).map(|_| (0, None))
    }

    /// The entry of a lineage's last event.
    #[must_use]
    pub fn last_of(&self, op: &str) -> Option<u64> {
        self.operations.last(&OpKey::of(op)?)
    }

    /// How many lineages there are.
    #[must_use]
    pub fn lineages(&self) -> usize {
        self.operations.len()
    }

    /// How many operations were admitted and have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.operations.running()
    }

    /// Operations that this point began and nobody closed, with the entries of their last events: at most so many of those
    /// behind `after`, in their order.
    #[must_use]
    pub fn open_of(&self, point: &str, after: Option<&OpKey>, most: usize) -> Vec<(OpKey, u64)> {
        self.operations.open_of(point, after, most)
    }

    /// The entry that revoked an artifact.
    #[must_use]
    pub fn revocation_of(&self, artifact: &str) -> Option<u64> {
        self.revoked.get(&OpKey::of_artifact(artifact)?).copied()
    }

    /// Notes that the artifact of this lineage is moved to an archive, or that it stays after all. While it is gone nothing is consumed
    /// by it: its terms are not here to hold a use against.
    pub fn set_moved(&mut self, issued: &OpKey, moved: bool) {
        self.operations.set_moved(issued, moved);
    }

    /// Ends a replay after which records are appended: the lineages whose artifacts were moved are closed, as [`Book::set_moved`]
    /// closed them. Not before the end of the replay: its entries hold what was consumed while the artifact was there.
    pub fn close_moved(&mut self) {
        self.operations.close_moved();
    }

    /// Takes an accepted record as the next entry. `accepted` is this book's own judgement of it, unchanged since.
    pub fn apply(
        &mut self,
        accepted: Accepted,
        record: &Record,
        mark: Mark,
        at: Time,
        artifact: Option<&Artifact>,
    ) -> Applied {
        let seq = self.size;
        self.size += 1;
        self.at = Some(at);
        match self.cursors.get_mut(&record.kid) {
            Some(cursor) => cursor.take(mark, seq),
            None => self.cursors.entry(record.kid.clone()).or_default().take(mark, seq),
        }
        let Accepted { key, path } = accepted;
        let before = match path {
            Path::Issued(begun) => {
                self.operations.issued(key, seq, &record.by, begun, artifact);
                None
            }
            Path::Lineage(advanced) => self.operations.advanced(key, seq, record, advanced),
            Path::Subject => {
                self.subjects.apply(key, record);
                self.operations.noted_after(key, seq)
            }
            Path::Alone => self.operations.noted_after(key, seq),
            Path::Genesis(registry) => {
                self.registry = Some(*registry);
                self.operations.noted_after(key, seq)
            }
        };
        let mut index = Vec::new();
        if record.event.starts_with("ledger.") {
            self.note_refused(record);
        } else {
            let value = index::op_value(&record.op, record.n, &record.hash, &record.hash_alt);
            index.push((index::op_key(&record.op), value));
        }
        if record.event == "authorization.revoked"
            && let Some((artifact, revoked)) =
                record.data_str("artifact").and_then(|id| Some((id, OpKey::of_artifact(id)?)))
        {
            self.revoked.insert(revoked, seq);
            index.push((index::revoked_key(artifact), index::revoked_value(&record.hash)));
        }
        self.note_return(record);
        Applied { index, before, registry: self.fold(record, at) || seq == 0 }
    }

    fn fold(&mut self, record: &Record, at: Time) -> bool {
        if record.event == "ledger.genesis" {
            return false;
        }
        let registry = self.registry.as_mut();
        registry.is_some_and(|fold| fold.apply(at, &record.event, &record.by, &record.data).unwrap_or(false))
    }

    /// A refused record takes its number; another one under a number already taken is evidence of equivocation.
    fn note_refused(&mut self, record: &Record) {
        let number = record.data.get("src_seq").and_then(Value::as_uint);
        let digest = record.data_str("hash").and_then(Sha3::parse);
        let (Some(kid), Some(number), Some(digest)) = (record.data_str("kid"), number, digest) else { return };
        if record.event != "ledger.refused" {
            return;
        }
        let cursor = self.cursors.entry(kid.to_owned()).or_default();
        if number == cursor.next() {
            cursor.refuse(&digest);
        } else {
            cursor.note_equivocation(number);
        }
    }

    /// Whether an equivocation under this key and number is still to be kept.
    #[must_use]
    pub fn wants_evidence(&self, kid: &str, number: u64) -> bool {
        self.cursors.get(kid).is_some_and(|cursor| cursor.wants_evidence(number))
    }
}
