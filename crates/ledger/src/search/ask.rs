//! Asking the index.

use super::rows::{By, Row, Term, first_of};
use super::{ROWS, Search, SearchError, failed};
use crate::lineage::{self, Standing};
use crate::proof::ProofError;
use crate::state::{LookError, Shared, read};
use eleven_core::encoding::{Object, Value};
use eleven_core::id;
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use redb::{ReadOnlyTable, ReadableDatabase as _};

/// The most lineages in one answer, and how many where nobody says.
const MOST: u64 = 500;
const USUAL: u64 = 50;
/// The most rows that are looked up for one answer. What is frequent and never comes together would otherwise be walked to
/// its beginning; the answer then says where to go on, with what was found so far, be it nothing.
const STEPS: usize = 20_000;

/// What is asked for: all of what is named has to hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) op: Option<String>,
    pub(crate) identity: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) artifact: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) reason: Option<Reason>,
    /// The lineage's first event.
    pub(crate) event: Option<String>,
    /// Begun at this time or later.
    pub(crate) from: Option<Time>,
    /// Begun before this time.
    pub(crate) until: Option<Time>,
    /// Begun before this entry: where the page before ended.
    pub(crate) before: Option<u64>,
    pub(crate) count: Option<u64>,
}

impl Ask {
    fn terms(&self) -> Vec<Term> {
        let named = [
            (By::Reason, self.reason.map(Reason::code)),
            (By::Artifact, self.artifact.as_deref()),
            (By::Identity, self.identity.as_deref()),
            (By::Runtime, self.runtime.as_deref()),
            (By::Operation, self.operation.as_deref()),
            (By::Event, self.event.as_deref()),
        ];
        let terms: Vec<Term> = named.into_iter().filter_map(|(by, value)| Some(Term::new(by, value?))).collect();
        if terms.is_empty() { vec![Term::new(By::Any, "")] } else { terms }
    }
}

/// The lineages that were asked for, the last one first.
pub(crate) fn answer(search: &Search, shared: &Shared, ask: &Ask) -> Result<Value, ProofError> {
    answer_within(search, shared, ask, STEPS)
}

/// The same, of which no more than so many rows are looked up.
pub(super) fn answer_within(search: &Search, shared: &Shared, ask: &Ask, steps: usize) -> Result<Value, ProofError> {
    let indexed = search.indexed();
    let lowest = ask.from.map_or(Ok(0), |at| entry_at(shared, at, indexed))?;
    let highest = ask.until.map_or(Ok(indexed), |at| entry_at(shared, at, indexed))?;
    let below = highest.min(ask.before.unwrap_or(u64::MAX));
    let count = usize::try_from(ask.count.unwrap_or(USUAL).min(MOST)).unwrap_or(usize::MAX);
    let (below, lowest) = match &ask.op {
        Some(op) => within(shared, op, lowest, below),
        None => (below, lowest),
    };
    let most = Most { count, steps };
    let Found { entries, next } = search.find(&ask.terms(), lowest, below, most).map_err(|error| match error {
        SearchError::Closed => ProofError::NotYet("the search index is not open at this moment: the log says why"),
        other => ProofError::Failed(other.to_string()),
    })?;
    let results: Result<Vec<Value>, LookError> = entries.into_iter().map(|seq| result(shared, seq)).collect();
    // Nothing that was asked for begins before the lowest.
    let next = next.filter(|next| *next > lowest);
    let object = Object::new().with("results", results?).with_some("next", next);
    Ok(Value::Object(object.with("indexed", indexed).with("size", shared.size())))
}

/// The bounds around an operation's own first entry, within the others.
fn within(shared: &Shared, op: &str, lowest: u64, below: u64) -> (u64, u64) {
    match lineage::entry_of(shared, op, Some(first_of(op))) {
        Ok(first) if (lowest..below).contains(&first) => (first + 1, first),
        _ => (0, 0),
    }
}

/// The first entry that is not before `at`.
fn entry_at(shared: &Shared, at: Time, size: u64) -> Result<u64, LookError> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        if shared.entry(middle)?.header.at < at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// What is shown of a lineage: what it is about, how it began, and how far it has come.
fn result(shared: &Shared, seq: u64) -> Result<Value, LookError> {
    let Standing { header, record } = lineage::standing(shared, seq)?;
    let last = read(&shared.book).last_of(&record.op).filter(|last| *last > seq && *last < shared.size());
    let last = last.map(|last| lineage::standing(shared, last)).transpose()?;
    let reason = record.about.reason.or_else(|| last.as_ref().and_then(|last| last.record.about.reason));
    let about = &record.about;
    let object = Object::new()
        .with("op", &record.op)
        .with("lineage", id::lineage_name(&record.op))
        .with("seq", header.seq)
        .with("at", header.at.to_millis_value())
        .with("event", &record.event)
        .with("last_event", last.map_or(record.event.clone(), |last| last.record.event))
        .with_some("identity", about.identity.as_ref())
        .with_some("operation", about.operation.as_ref())
        .with_some("artifact_id", about.artifact_id.as_ref())
        .with_some("runtime", about.runtime.as_ref())
        .with_some("reason", reason.map(Reason::code));
    Ok(Value::Object(object))
}

/// How much is looked for at once.
#[derive(Clone, Copy)]
struct Most {
    /// Lineages.
    count: usize,
    /// Rows that are looked up.
    steps: usize,
}

/// What was found, and before which entry to go on where there may be more.
struct Found {
    entries: Vec<u64>,
    next: Option<u64>,
}

impl Search {
    /// The first entries of the lineages that name all of `terms`, from `lowest` up to, not including, `below`; the last
    /// one first.
    fn find(&self, terms: &[Term], lowest: u64, below: u64, most: Most) -> Result<Found, SearchError> {
        let open = read(&self.database);
        let view = open.as_ref().ok_or(SearchError::Closed)?.begin_read().map_err(failed)?;
        let mut walk = Walk { rows: view.open_table(ROWS).map_err(failed)?, lowest, steps: most.steps };
        let (mut entries, mut before) = (Vec::new(), below);
        while entries.len() < most.count {
            match walk.meet(terms, before)? {
                Met::At(seq) => entries.push(seq),
                Met::Nowhere => return Ok(Found { entries, next: None }),
                Met::NotYet { before } => return Ok(Found { entries, next: Some(before) }),
            }
            before = entries.last().copied().unwrap_or(0);
        }
        Ok(Found { next: entries.last().copied(), entries })
    }
}

/// The rows of several terms, walked in step from the last entry to the first.
struct Walk {
    rows: ReadOnlyTable<&'static [u8; 25], ()>,
    lowest: u64,
    /// How many rows may still be looked up.
    steps: usize,
}

/// Where terms come together.
enum Met {
    At(u64),
    Nowhere,
    /// Not down to here, and no further was looked.
    NotYet {
        before: u64,
    },
}

impl Walk {
    /// The last entry before `before` that stands behind every term.
    fn meet(&mut self, terms: &[Term], before: u64) -> Result<Met, SearchError> {
        let Some(mut at) = before.checked_sub(1) else { return Ok(Met::Nowhere) };
        let mut agreed = 0;
        for term in terms.iter().cycle() {
            let Some(left) = self.steps.checked_sub(1) else { return Ok(Met::NotYet { before: at + 1 }) };
            self.steps = left;
            let Some(seq) = self.last(term, at)? else { break };
            agreed = if seq == at { agreed + 1 } else { 1 };
            at = seq;
            if agreed == terms.len() {
                return Ok(Met::At(at));
            }
        }
        Ok(Met::Nowhere)
    }

    fn last(&self, term: &Term, at: u64) -> Result<Option<u64>, SearchError> {
        if at < self.lowest {
            return Ok(None);
        }
        let (first, last) = (term.row(self.lowest), term.row(at));
        let mut range = self.rows.range::<&[u8; 25]>(first.bytes()..=last.bytes()).map_err(failed)?;
        let row = range.next_back().transpose().map_err(failed)?;
        Ok(row.map(|(row, _)| Row::seq_of(row.value())))
    }
}
