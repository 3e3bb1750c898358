//! Whether the calls that an upstream logged are all among the records: each names a lineage that ran then, and none
//! shares one.

use super::super::facts::Facts;
use super::super::lineage::Lineage;
use super::Verdict;
use super::access_log::{Call, Log};
use super::case::Case;
use eleven_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const NAME: &str = "coverage";

/// How far the upstream's clock and the point's may be apart, in milliseconds.
const SKEW: i64 = 5_000;
/// How long a point may keep its events before the ledger has them (the greatest audit bound), in milliseconds.
const FORWARD: i64 = eleven_core::limits::MAX_AUDIT_BOUND_MS + SKEW;

/// When an operation ran, by the clock of its point.
struct Ran<'a> {
    started: Time,
    ended: Option<Time>,
    /// Its lineage, where it was asked for.
    lineage: Option<&'a Lineage>,
}

/// What the calls came to.
#[derive(Default)]
struct Tally {
    calls: usize,
    matched: BTreeSet<String>,
    by_digest: usize,
    outside: usize,
    at_the_edge: usize,
    unmatched: Vec<String>,
}

/// Judges.
pub(super) fn judge(case: &Case, logs: &[Log]) -> Verdict {
    if logs.is_empty() {
        return Verdict::not_checked(NAME, "no upstream's access log was given: name one with --access-log");
    }
    let facts = match &case.facts {
        Ok(facts) => facts,
        Err(error) => return Verdict::of(NAME, vec![error.clone()], Vec::new()),
    };
    let ran = ran(facts);
    let mut tally = Tally::default();
    for log in logs {
        for call in &log.calls {
            tally.take(facts, &ran, call).unwrap_or_else(|why| {
                tally.unmatched.push(format!("{}:{}: {why}: {}", log.name, call.line, call.text));
            });
        }
    }
    let silent = ran.keys().filter(|op| !tally.matched.contains(*op)).count();
    let said = format!(
        "{} calls in {} logs: {} matched ({} of them by the request's digest too), {} outside of the range, {} at its edge; {silent} executions are in no log that was given",
        tally.calls,
        logs.len(),
        tally.matched.len(),
        tally.by_digest,
        tally.outside,
        tally.at_the_edge
    );
    if tally.unmatched.is_empty() && tally.matched.is_empty() && tally.calls == tally.outside {
        return Verdict::not_checked(NAME, &format!("the logs have no call of the range: {said}"));
    }
    Verdict::of(NAME, tally.unmatched, vec![said])
}

/// The operations that ran: of the lineages that were asked for by their proof files, of all others by the range.
fn ran(facts: &Facts) -> BTreeMap<String, Ran<'_>> {
    let seen = facts.stretch.operations.iter();
    let seen = seen
        .filter_map(|(op, seen)| Some((op.clone(), Ran { started: seen.started?, ended: seen.ended, lineage: None })));
    let lineages = facts.lineages.iter().filter_map(|lineage| {
        Some((lineage.op.clone(), Ran { started: lineage.started?, ended: lineage.ended, lineage: Some(lineage) }))
    });
    seen.chain(lineages).collect()
}

impl Tally {
    /// Takes a call.
    fn take(&mut self, facts: &Facts, ran: &BTreeMap<String, Ran<'_>>, call: &Call) -> Result<(), String> {
        self.calls += 1;
        let known = call.op.as_ref().and_then(|op| ran.get_key_value(op));
        let Some((op, ran)) = known else { return self.unknown(facts, call) };
        if let Some(at) = call.at {
            let late = ran.ended.is_some_and(|ended| at > ended.plus_millis(SKEW));
            if at < ran.started.plus_millis(-SKEW) || late {
                return Err(format!("at {at} lineage {op} did not run"));
            }
        }
        if let Some(request) = &call.request {
            match ran.lineage.and_then(|lineage| lineage.is_request(request)) {
                Some(true) => self.by_digest += 1,
                Some(false) => return Err(format!("lineage {op} was authorised for another request")),
                None => {}
            }
        }
        if !self.matched.insert(op.clone()) {
            return Err(format!("a second call under lineage {op}"));
        }
        Ok(())
    }

    /// A call of no operation that ran in the range. One that names a lineage may be of a time that the range only
    /// touches; one that names none can't be explained, whenever it was in the range.
    fn unknown(&mut self, facts: &Facts, call: &Call) -> Result<(), String> {
        let Some(at) = call.at else {
            return Err("it names neither a lineage of the range nor a time".to_owned());
        };
        if at < facts.from || at >= facts.to {
            self.outside += 1;
            return Ok(());
        }
        let Some(op) = &call.op else { return Err("no lineage is named".to_owned()) };
        let touches = at < facts.from.plus_millis(FORWARD) || at >= facts.to.plus_millis(-FORWARD);
        if touches && eleven_core::id::split_operation(op).is_some() && !facts.stretch.operations.contains_key(op) {
            self.at_the_edge += 1;
            return Ok(());
        }
        Err(format!("lineage {op} did not run in the range"))
    }
}
