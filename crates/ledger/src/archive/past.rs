//! What is past its retention: found by reading the log, so that nothing but the log says so.

use super::{Archived, Moves, each};
use crate::audit::hashes_named;
use crate::error::LedgerError;
use crate::retention::{Life, ends_some_day};
use crate::rules::OpKey;
use crate::stored::Stored;
use eleven_core::chain::EntryHeader;
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::registry::Fold;
use eleven_core::registry::retention::{Hold, Retention};
use eleven_core::time::Time;
use eleven_store::ReadLog;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// What may go by a retention and the holds that are placed.
pub(super) struct Past {
    /// The hashes of content that is named by nothing but lineages that are past.
    pub(super) going: HashSet<Sha3>,
    /// Of the artifacts among them, which lineage each began.
    began: HashMap<Sha3, OpKey>,
    /// The position up to which the log was read.
    end: u64,
    lineages: HashSet<String>,
    held: u64,
    rules: Rules,
}

/// What says how long content is kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Rules {
    retention: Retention,
    holds: BTreeSet<String>,
}

impl Rules {
    /// Those of a registry; `None` where no retention is set, and then all is kept.
    pub(super) fn of(registry: &Fold) -> Option<Self> {
        let lists = registry.lists();
        Some(Self { retention: Retention::in_force(lists)?, holds: Hold::all(lists) })
    }
}

impl Past {
    /// Reads `log` as of `now`.
    ///
    /// # Errors
    /// Where the log can't be read, or `stop` was set.
    pub(super) fn of(log: &dyn ReadLog, rules: Rules, now: Time, stop: &AtomicBool) -> Result<Self, LedgerError> {
        let read = log.first()..log.durable();
        let (lineages, held) = Lives::read(log, read.clone(), stop)?.past(&rules, now);
        let (going, began) = going(log, read.clone(), &lineages, stop)?;
        Ok(Self { going, began, end: read.end, lineages, held, rules })
    }

    /// The lineage that the artifact of this hash began; `None` where it is no artifact that is past.
    pub(super) fn began(&self, artifact: &Sha3) -> Option<&OpKey> {
        self.began.get(artifact)
    }

    /// Takes back what entries name that came since; all of it, where a lineage that was past goes on, or `rules` are
    /// others by now.
    ///
    /// # Errors
    /// As [`Past::of`].
    pub(super) fn reconsider(
        &mut self,
        log: &dyn ReadLog,
        rules: Option<&Rules>,
        stop: &AtomicBool,
    ) -> Result<(), LedgerError> {
        let mut still = rules == Some(&self.rules);
        let end = log.durable();
        each(log, self.end..end, stop, |_, stored| {
            if let Stored::Entry(bytes) = stored {
                let (_, record, canonical) = entry(&bytes)?;
                still &= !ends_some_day(&record).is_some_and(|content| self.lineages.contains(&content));
                for hash in hashes_named(&record, canonical) {
                    self.going.remove(&hash);
                }
            }
            Ok(())
        })?;
        self.end = end;
        if !still {
            self.going.clear();
        }
        Ok(())
    }

    /// What is done when `moves` are.
    pub(super) fn archived(&self, moves: &Moves) -> Archived {
        Archived {
            pieces: moves.0.len() as u64,
            bytes: moves.0.values().map(|piece| piece.bytes).sum(),
            lineages: self.lineages.len() as u64,
            held: self.held,
            days: self.rules.retention.days,
        }
    }
}

#[derive(Default)]
struct Lives(HashMap<String, Life>);

impl Lives {
    fn read(log: &dyn ReadLog, part: Range<u64>, stop: &AtomicBool) -> Result<Self, LedgerError> {
        let mut lives = Self::default();
        each(log, part, stop, |_, stored| {
            if let Stored::Entry(bytes) = stored {
                let (at, record, _) = entry(&bytes)?;
                if let Some(content) = ends_some_day(&record) {
                    lives.0.entry(content).or_insert(Life::new(at)).take(at, &record);
                }
            }
            Ok(())
        })?;
        Ok(lives)
    }

    /// The lineages that are past their retention at `now` and are not held, and how many are held.
    fn past(self, Rules { retention, holds }: &Rules, now: Time) -> (HashSet<String>, u64) {
        let (mut past, mut held) = (HashSet::new(), 0);
        for (content, life) in self.0 {
            if retention.ends(life.last) >= now || life.running != 0 {
                continue;
            }
            if life.holds(&content).any(|hold| hold.is_in(holds)) {
                held += 1;
            } else {
                past.insert(content);
            }
        }
        (past, held)
    }
}

/// The hashes of content that may go: named by lineages that are past, and by nothing else. And of the artifacts among
/// them, which lineage each began. In two passes, so that only what lineages name that are past is held in memory.
fn going(
    log: &dyn ReadLog,
    part: Range<u64>,
    may_go: &HashSet<String>,
    stop: &AtomicBool,
) -> Result<(HashSet<Sha3>, HashMap<Sha3, OpKey>), LedgerError> {
    let (mut going, mut began) = (HashSet::new(), HashMap::new());
    if may_go.is_empty() {
        return Ok((going, began));
    }
    let is_past = |record: &Record| ends_some_day(record).is_some_and(|content| may_go.contains(&content));
    each_naming(log, part.clone(), stop, |record, named, artifact| {
        if is_past(record) {
            going.extend(named);
            going.extend(artifact);
            began.extend(artifact.zip(OpKey::of(&record.op)));
        }
    })?;
    each_naming(log, part, stop, |record, named, artifact| {
        if !is_past(record) {
            named.chain(artifact).for_each(|hash| {
                going.remove(&hash);
            });
        }
    })?;
    began.retain(|artifact, _| going.contains(artifact));
    Ok((going, began))
}

/// Every entry of a part of the log with the hashes that it names and, of an issuance, that of its artifact: it stands right
/// before the issuance, which names its body and not its bytes.
fn each_naming(
    log: &dyn ReadLog,
    part: Range<u64>,
    stop: &AtomicBool,
    mut take: impl FnMut(&Record, &mut dyn Iterator<Item = Sha3>, Option<Sha3>),
) -> Result<(), LedgerError> {
    let mut last_blob = None;
    each(log, part, stop, |_, stored| {
        match stored {
            Stored::Blob(bytes) => last_blob = Some(bytes),
            Stored::Entry(bytes) => {
                let (_, record, canonical) = entry(&bytes)?;
                let artifact = last_blob.take().filter(|_| record.event == "authorization.issued");
                let artifact = artifact.map(|bytes| Sha3::of(&[&bytes]));
                take(&record, &mut hashes_named(&record, canonical), artifact);
            }
            Stored::Header(_) | Stored::Moved(_) => last_blob = None,
        }
        Ok(())
    })
}

fn entry(bytes: &[u8]) -> Result<(Time, Record, &[u8]), LedgerError> {
    let wrong = |error: &dyn std::fmt::Display| LedgerError::Restore(format!("an entry cannot be read: {error}"));
    let (header, canonical) = EntryHeader::split(bytes).map_err(|error| wrong(&error))?;
    Ok((header.at, Record::read_canonical(canonical).map_err(|error| wrong(&error))?, canonical))
}
