//! What the export says, as far as it was shown: made of the same bytes by whoever exports and by whoever verifies, so that
//! counts and gaps can be made again.

use super::folder;
use super::history::History;
use super::lineage::Lineage;
use super::retention::Samples;
use super::stretch::Stretch;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::hash::Sha256;
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The event by which the ledger says that it refused a record: that takes its number, and proves nothing of what it says.
const REFUSED: &str = "ledger.refused";

/// Where the ledger holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The entry's number.
    pub(crate) seq: u64,
    /// When the ledger took it.
    pub(crate) at: Time,
    /// The hash of the entry's leaf.
    pub(crate) leaf: Sha256,
}

/// An event, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    /// Where.
    pub(crate) place: Place,
    /// Its name.
    pub(crate) event: String,
    /// Why something was refused.
    pub(crate) reason: Option<Reason>,
}

/// All that the export shows.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The range.
    pub(crate) stretch: Stretch,
    /// The lineages that the query asks for, in the order of their first entries.
    pub(crate) lineages: Vec<Lineage>,
    /// The registry's history up to the head.
    pub(crate) history: History,
    /// What shows how far the records reach back.
    pub(crate) samples: Samples,
    /// The range.
    pub(crate) from: Time,
    /// Its end.
    pub(crate) to: Time,
}

impl Place {
    /// The members that name it.
    pub(crate) fn to_object(self) -> Object {
        Object::new().with("seq", self.seq).with("at", self.at.to_millis_value()).with("leaf", self.leaf)
    }
}

impl Fact {
    /// Of a record in its place.
    pub(crate) fn of(place: Place, record: &Record) -> Self {
        Self { place, event: record.event.clone(), reason: record.about.reason }
    }
}

impl Facts {
    /// Whether the ledger took this in the range. A lineage is shown whole, so that some of it may lie before or after.
    fn holds(&self, place: Place) -> bool {
        (self.from..self.to).contains(&place.at)
    }

    /// Every event of the range that counts as evidence: those of the lineages and those of no operation, with the file that
    /// proves it.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&Fact, String)> {
        let lineages = self.of_lineages().map(|(lineage, fact)| (fact, folder::proof(&lineage.op)));
        lineages.chain(self.stretch.domain.iter().map(|fact| (fact, folder::RANGE_PROOF.to_owned())))
    }

    /// The events of the lineages that lie in the range, each once, with the first lineage that shows it: every use of an
    /// artifact whose uses are numbered shows its issuance, which is one event.
    fn of_lineages(&self) -> impl Iterator<Item = (&Lineage, &Fact)> {
        let all = self.lineages.iter().flat_map(|lineage| lineage.events.iter().map(move |fact| (lineage, fact)));
        let mut seen = BTreeSet::new();
        all.filter(move |(_, fact)| self.holds(fact.place) && seen.insert(fact.place.seq))
    }

    /// The lineages whose last event lies in the range, with that event: of those that go on after it the range does not tell
    /// what became of them.
    pub(crate) fn came_to(&self) -> impl Iterator<Item = (&Lineage, &Fact)> {
        let lineages = self.lineages.iter().filter_map(|lineage| Some((lineage, lineage.events.last()?)));
        lineages.filter(move |(_, last)| self.holds(last.place))
    }

    /// How many there are of what.
    pub(crate) fn counts(&self) -> Object {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let kinds = |kind: &str| number(self.came_to().filter(|(lineage, _)| lineage.kind == kind).count());
        let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
        for (lineage, _) in self.came_to() {
            if let Some(reason) = lineage.reason {
                *refusals.entry(reason.code()).or_default() += 1;
            }
        }
        let refusals = refusals.into_iter().fold(Object::new(), |object, (reason, n)| object.with(reason, n));
        Object::new()
            .with("entries", self.stretch.len())
            .with("operations_in_range", number(self.stretch.operations.len()))
            .with("lineages", number(self.lineages.len()))
            .with("execution", kinds("execution"))
            .with("open", kinds("open"))
            .with("unused", kinds("unused"))
            .with("denial", kinds("denial"))
            .with("later", number(self.lineages.len().saturating_sub(self.came_to().count())))
            .with("events", number(self.of_lineages().count()))
            .with("domain_events", number(self.stretch.domain.len()))
            .with("counted_refusals", self.stretch.counted)
            .with("refused_records", number(self.stretch.domain.iter().filter(|fact| fact.event == REFUSED).count()))
            .with("policies", number(self.history.policies_in(self.from, self.to).count()))
            .with("keys", number(self.history.keys.len()))
            .with(
                "legal_holds",
                number(self.history.holds.iter().filter(|life| life.in_force(self.from, self.to)).count()),
            )
            .with("refusals", Value::Object(refusals))
    }

    /// The policies that were in force in the range, and those that a lineage names.
    pub(crate) fn policies(&self) -> Vec<&super::history::PolicyLife> {
        let named = |hash| self.lineages.iter().any(|l| l.policy.as_ref().is_some_and(|(_, other)| *other == hash));
        let lives = self.history.policies.iter();
        lives.filter(|life| life.in_force(self.from, self.to) || named(life.id.hash)).collect()
    }
}
