//! How far the records reach back: entries from the time that a regime demands up to the range, each shown whole and proven
//! to stand under the head. All of them would be another export; these are the first two that are due and a few between.

use super::facts::Place;
use super::folder::most_values;
use super::history::standing;
use eleven_core::chain::{Entry, EntryHeader};
use eleven_core::encoding::{Object, Value, parse_at_most};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::Sha256;
use eleven_core::head::Commitment;
use eleven_core::time::Time;
use eleven_core::tree::{proof_value, read_proof, verify_inclusion};
use std::collections::BTreeMap;

/// How many entries are shown between the first that is due and the range.
const BETWEEN: u64 = 16;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// An entry that is shown whole, and its inclusion.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The entry.
    pub(crate) entry: Entry,
    /// Its inclusion under the head.
    pub(crate) proof: Vec<Sha256>,
}

/// The entries that are shown, by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(pub(crate) BTreeMap<u64, Sample>);

/// Since when entries have to be there, by a regime's days; since ever where it names none.
pub(crate) fn due(days: Option<u64>, head: Time) -> Time {
    let days = days.and_then(|days| i64::try_from(days).ok()).unwrap_or(i64::MAX);
    Time(head.0.saturating_sub(days.saturating_mul(DAY)))
}

/// The numbers that have to be shown, where `first` is the first entry that is due and `range` the range's first.
pub(crate) fn numbers(first: u64, range: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = first.checked_sub(1).into_iter().chain([first]).collect();
    let between = range.saturating_sub(first);
    numbers.extend((1..=BETWEEN).map(|i| first + between * i / (BETWEEN + 1)).filter(|seq| *seq < range));
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

impl Samples {
    /// Reads `retention.json`.
    ///
    /// # Errors
    /// Where it is not of its form.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(parse_at_most(bytes, most_values(bytes))?, "retention")?;
        form.version()?;
        let samples = form.array("samples")?.into_iter().map(Sample::read).collect::<Result<Vec<_>, _>>()?;
        form.finish()?;
        Ok(Self(samples.into_iter().map(|sample| (sample.entry.header.seq, sample)).collect()))
    }

    /// The canonical bytes of `retention.json`.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let samples: Vec<Value> = self.0.values().map(Sample::to_value).collect();
        Object::new().with("v", "1").with("samples", samples).canonical()
    }

    /// Whether the ledger under `head` still showed its entries since the day that is due: says how, and gives the places.
    /// `range` is the range's first entry.
    ///
    /// # Errors
    /// Which of them is missing, or not the head's.
    pub(crate) fn reach(
        &self,
        days: Option<u64>,
        head: &Commitment,
        at: Time,
        range: u64,
    ) -> Result<(String, Vec<Place>), String> {
        let due = due(days, at);
        let places: Vec<Place> = self.0.values().map(|sample| sample.stands_under(head)).collect::<Result<_, _>>()?;
        let first = self.first_due(due, head.size)?;
        let missing = numbers(first, range).into_iter().find(|seq| *seq < head.size && !self.0.contains_key(seq));
        if let Some(seq) = missing {
            return Err(format!("entry {seq}, which is due since {due}, is not shown"));
        }
        let shown = places.len();
        let said = match (first, days) {
            (0, Some(days)) => format!(
                "the ledger is not older than {days} days: entries are there since its first, {shown} of them are shown"
            ),
            (0, None) => format!("entries are there since the ledger's first: {shown} of them are shown"),
            (..) => format!("entries are there since {due}: {shown} of them are shown"),
        };
        Ok((said, places))
    }

    /// The first entry that is not before `due`, known by the one before it; 0 where the ledger is younger.
    fn first_due(&self, due: Time, size: u64) -> Result<u64, String> {
        let genesis = self.0.get(&0).ok_or("the ledger's first entry is not shown")?;
        if genesis.entry.header.at >= due {
            return Ok(0);
        }
        let at = |seq: u64| self.0.get(&seq).map(|sample| sample.entry.header.at);
        let last_before = self.0.values().rev().find(|sample| sample.entry.header.at < due);
        let first = last_before.map_or(0, |sample| sample.entry.header.seq + 1);
        if first == size || at(first).is_some_and(|at| at >= due) {
            return Ok(first);
        }
        Err(format!("the entry at {due}, since when entries are due, is not shown with the one before it"))
    }
}

impl Sample {
    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "sample")?;
        let header = EntryHeader::take(&mut form)?;
        let record = Value::Object(form.object("record")?);
        let proof = read_proof(&form.take("proof")?)?;
        form.finish()?;
        Ok(Self { entry: Entry { header, record }, proof })
    }

    fn to_value(&self) -> Value {
        let entry = self.entry.header.to_object().with("record", self.entry.record.clone());
        Value::Object(entry.with("proof", proof_value(&self.proof)))
    }

    fn stands_under(&self, head: &Commitment) -> Result<Place, String> {
        let (place, _) = standing(&self.entry)?;
        let stands = verify_inclusion(&place.leaf, place.seq, head.size, &self.proof, &head.root);
        if stands { Ok(place) } else { Err(format!("entry {} is not in the head's tree as it is shown", place.seq)) }
    }
}

#[cfg(test)]
mod tests;
