//! The entries of the range, as they are taken one after the other: which operations they tell of, and that the range has
//! both its ends.

use super::facts::{Fact, Place};
use super::manifest::Query;
use eleven_core::chain::Entry;
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::recovery::Recovery;
use eleven_core::time::Time;
use eleven_verify::range::Range;
use std::collections::BTreeMap;

/// So many entries are told by their numbers.
const TOLD: usize = 16;

/// What the range tells of an operation.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The number of its first entry in the range.
    pub(crate) first: u64,
    /// The numbers of its entries in the range.
    pub(crate) entries: Vec<u64>,
    /// Whether the query asks for it.
    pub(crate) asked: bool,
    /// Whose it is.
    pub(crate) identity: Option<String>,
    /// What it is called.
    pub(crate) operation: Option<String>,
    /// Whether it was refused.
    pub(crate) denied: bool,
    /// Whether its authorization was issued in the range.
    pub(crate) issued: bool,
    /// When its execution was started, by the clock of the point.
    pub(crate) started: Option<Time>,
    /// When its execution ended.
    pub(crate) ended: Option<Time>,
    /// What ran, where it was admitted in the range.
    pub(crate) workload: Option<Sha3>,
}

/// The range: the entries of its time, and where there are any the one before and the one after, which show that it has
/// no others.
#[derive(Debug)]
pub(crate) struct Stretch {
    query: Query,
    /// All entries that are shown.
    pub(crate) range: Range,
    /// The first and the last entry of its time.
    pub(crate) ends: Option<(Place, Place)>,
    /// The entry before it, where there is one.
    pub(crate) before: Option<u64>,
    /// The entry after it, where there is one.
    pub(crate) after: Option<u64>,
    /// The operations, by their ids.
    pub(crate) operations: BTreeMap<String, Seen>,
    /// The events of no operation: the registry's, the ledger's, those of subjects.
    pub(crate) domain: Vec<Fact>,
    /// Refusals of callers without identity or artifact, which are counted.
    pub(crate) counted: u64,
    /// Where the ledger went back by the root's word, in the range or right behind it: what was given up may have been of the range.
    pub(crate) went_back: Vec<String>,
}

impl Stretch {
    /// The range of a query, before its first entry.
    pub(crate) fn new(query: &Query) -> Self {
        Self {
            query: query.clone(),
            range: Range::new(),
            ends: None,
            before: None,
            after: None,
            operations: BTreeMap::new(),
            domain: Vec::new(),
            counted: 0,
            went_back: Vec::new(),
        }
    }

    /// Takes the next entry, of canonical bytes, and returns it with its record.
    ///
    /// # Errors
    /// Where it does not follow from the one before, or lies where the range has ended.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(Entry, Record), String> {
        let (entry, leaf) = self.range.take(bytes)?;
        let (seq, at) = (entry.header.seq, entry.header.at);
        let record = Record::read(entry.record.clone()).map_err(|error| format!("entry {seq}: {error}"))?;
        if self.after.is_some() {
            return Err(format!("entry {seq} lies past the end of the range"));
        }
        if record.event == "ledger.recovered" && at >= self.query.from {
            self.went_back.push(went_back(seq, at, &record)?);
        }
        if at >= self.query.to {
            self.after = Some(seq);
        } else if at >= self.query.from {
            let place = Place { seq, at, leaf };
            self.ends = Some((self.ends.map_or(place, |(first, _)| first), place));
            self.note(place, &record);
        } else if self.before.replace(seq).is_some() {
            return Err(format!("entry {seq} lies before the range, and so does the one before it"));
        }
        Ok((entry, record))
    }

    fn note(&mut self, place: Place, record: &Record) {
        if record.is_counted_denial() {
            self.counted += record.data.get("count").and_then(Value::as_uint).unwrap_or(0);
        }
        if !is_operation(&record.event) {
            return self.domain.push(Fact::of(place, record));
        }
        let asked = self.query.asks_for(record);
        let seen =
            self.operations.entry(record.op.clone()).or_insert_with(|| Seen { first: place.seq, ..Seen::default() });
        seen.asked |= asked;
        seen.entries.push(place.seq);
        seen.identity = seen.identity.take().or_else(|| record.about.identity.clone());
        seen.operation = seen.operation.take().or_else(|| record.about.operation.clone());
        match record.event.as_str() {
            "execution.denied" => seen.denied = true,
            "authorization.issued" => seen.issued = true,
            "admission.granted" => seen.workload = record.data_str("workload").and_then(Sha3::parse),
            "execution.started" => seen.started = Some(record.ts),
            "execution.completed" | "execution.failed" | "execution.interrupted" => seen.ended = Some(record.ts),
            _ => {}
        }
    }

    /// The operations that the query asks for, in the order of their first entries.
    pub(crate) fn asked(&self) -> Vec<&str> {
        let mut asked: Vec<(u64, &str)> =
            self.operations.iter().filter(|(_, seen)| seen.asked).map(|(op, seen)| (seen.first, op.as_str())).collect();
        asked.sort_unstable();
        asked.into_iter().map(|(_, op)| op).collect()
    }

    /// The numbers of the entries of its time: from the first up to, not including, the second.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        let nothing = self.after.unwrap_or_else(|| self.range.end());
        self.ends.map_or((nothing, nothing), |(first, last)| (first.seq, last.seq + 1))
    }

    /// Where the ledger refused records in the range. What they said is in no lineage, so that by a refusal of what was to be taken a
    /// ledger could leave it out.
    pub(crate) fn refused(&self) -> Option<String> {
        let refused = self.domain.iter().filter(|fact| fact.event == "ledger.refused");
        let refused: Vec<u64> = refused.map(|fact| fact.place.seq).collect();
        (!refused.is_empty()).then(|| {
            format!(
                "what the ledger refused is in no lineage, and that it had to be is the ledger's word (`ledger.refused`): {}",
                named(&refused)
            )
        })
    }

    /// How many entries are of its time.
    pub(crate) fn len(&self) -> u64 {
        let (first, end) = self.numbers();
        end - first
    }

    /// The number of the first entry that is of its time, or would be.
    pub(crate) fn begins(&self) -> u64 {
        self.numbers().0
    }

    /// Whether the range has both its ends under a head of `size` entries: it begins with the ledger or after an entry
    /// before its time, and ends before an entry after its time or where the head does.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) fn has_both_ends(&self, size: u64, head: Time) -> Result<(), String> {
        let first = self.range.first();
        if self.before.is_none() && first != 0 {
            return Err(format!("what lies before entry {first} is not shown, and may be of the range"));
        }
        let end = self.range.end();
        if self.after.is_none() && end != size {
            return Err(format!("what lies from entry {end} on is not shown, and may be of the range"));
        }
        if self.after.is_none() && head < self.query.to {
            return Err(format!("the head is of {head}: what came after it may be of the range"));
        }
        Ok(())
    }
}

/// What an entry says by which the ledger went back.
fn went_back(seq: u64, at: Time, record: &Record) -> Result<String, String> {
    let recovery =
        Recovery::read(Value::Object(record.data.clone())).map_err(|error| format!("entry {seq}: {error}"))?;
    let (lost, restored) = (recovery.lost.size, recovery.restored.size);
    Ok(format!(
        "entry {seq} of {at} is the root's word that the ledger goes on from {restored} entries and gives up a head of {lost}: \
         what that alone held is not here"
    ))
}

/// Entries, the first of them by their numbers.
pub(crate) fn named(entries: &[u64]) -> String {
    let told: Vec<String> = entries.iter().take(TOLD).map(u64::to_string).collect();
    let more = match entries.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("entry {}{more}", told.join(", "))
}

/// Whether an event is one of an operation, which has a proof file of its own.
pub(crate) fn is_operation(event: &str) -> bool {
    const EVENTS: [&str; 10] = [
        "execution.denied",
        "authorization.issued",
        "authorization.consumed",
        "admission.granted",
        "execution.started",
        "attestation.signed",
        "execution.completed",
        "execution.failed",
        "execution.interrupted",
        "evidence.committed",
    ];
    EVENTS.contains(&event)
}
