//! Whether the calls that an upstream logged are all among the records: each names a lineage that ran then, and none
//! shares one.

use super::super::facts::Facts;
use super::super::lineage::Lineage;
use super::Verdict;
use super::access_log::{Call, Log};
use super::case::Case;
use eleven_api::disclosure::Asking;
use eleven_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const NAME: &str = "coverage";

/// How far the upstream's clock and the point's may be apart, in milliseconds.
const SKEW: i64 = 5_000;
/// How long before the end of the range a call may have been whose events the ledger got after it, in milliseconds: as long
/// as a point may keep them (the greatest audit bound).
const LATE: i64 = eleven_core::limits::MAX_AUDIT_BOUND_MS + SKEW;
/// How long after the beginning of the range a call may have been whose last event the ledger had before it, in
/// milliseconds: only clocks can make it seem so, the upstream's to the point's and the point's to the ledger's.
const EARLY: i64 = 2 * SKEW;

/// The operations of a point's own store, which call no upstream: a call that names one of them went past the gateway.
const OWN: [&str; 2] = [Asking::Open.operation(), Asking::Erase.operation()];

/// When an operation ran, by the clock of its point, as far as it is shown.
struct Ran<'a> {
    started: Option<Time>,
    ended: Option<Time>,
    /// Whether it is one of the point's own.
    own: bool,
    /// Its lineage, where it was asked for.
    lineage: Option<&'a Lineage>,
}

/// What the calls came to.
#[derive(Default)]
struct Tally {
    /// Whether the head is so late that a lineage under it tells of all that ran in the range.
    told: bool,
    calls: usize,
    matched: BTreeSet<String>,
    /// Of what the matched calls ran, as far as the range tells it, how many ran it.
    workloads: BTreeMap<String, usize>,
    by_digest: usize,
    outside: usize,
    /// The calls that the range can't tell: the lineage that each names, and the line.
    at_the_edge: BTreeMap<String, String>,
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
    let told = case.manifest.head.at >= facts.to.plus_millis(LATE);
    let mut tally = Tally { told, ..Tally::default() };
    for log in logs {
        for call in &log.calls {
            let line = format!("{}:{}", log.name, call.line);
            tally.take(facts, &ran, call, &line).unwrap_or_else(|why| {
                tally.unmatched.push(format!("{line}: {why}: {}", call.text));
            });
        }
    }
    let silent = ran.iter().filter(|(op, ran)| !ran.own && !tally.matched.contains(*op)).count();
    let said = format!(
        "{} calls in {} logs: {} matched ({} of them by the request's digest too), {} outside of the range, {} at its edge; {silent} executions are in no log that was given",
        tally.calls,
        logs.len(),
        tally.matched.len(),
        tally.by_digest,
        tally.outside,
        tally.at_the_edge.len()
    );
    if tally.unmatched.is_empty() && tally.matched.is_empty() {
        return Verdict::not_checked(NAME, &format!("no call of the logs could be held against a lineage: {said}"));
    }
    let undecided = tally.at_the_edge.iter().map(|(op, line)| {
        format!(
            "{line}: undecided: lineage {op} may stand before or after the range; an export of a longer one can tell"
        )
    });
    let rests_on = std::iter::once(said).chain(ran_by(&tally.workloads)).chain(undecided).collect();
    Verdict::of(NAME, tally.unmatched, rests_on)
}

/// What the matched calls ran. Which of it is a gateway's upstream only its URL tells: under another workload no gateway called, and
/// whoever was admitted for it may have named its lineage in a call of his own.
fn ran_by(workloads: &BTreeMap<String, usize>) -> Option<String> {
    let each: Vec<String> = workloads.iter().map(|(workload, calls)| format!("{workload} in {calls}")).collect();
    let all = each.join(", ");
    (!workloads.is_empty()).then(|| {
        format!(
            "the matched calls ran {all}; behind a gateway that is the SHA3-512 of {{\"upstream\":\"URL\"}}, and under another no \
             gateway called"
        )
    })
}

/// The operations that ran: of the lineages that were asked for by their proof files, of all others by the range.
fn ran(facts: &Facts) -> BTreeMap<String, Ran<'_>> {
    let seen = facts.stretch.operations.iter().map(|(op, seen)| {
        let own = is_own(seen.operation.as_deref());
        (op, Ran { started: seen.started, ended: seen.ended, own, lineage: None })
    });
    let lineages = facts.lineages.iter().map(|lineage| {
        let own = is_own(lineage.operation.as_deref());
        (&lineage.op, Ran { started: lineage.started, ended: lineage.ended, own, lineage: Some(lineage) })
    });
    // One that began before the range is told by its end.
    let ran = seen.chain(lineages).filter(|(_, ran)| ran.started.is_some() || ran.ended.is_some());
    ran.map(|(op, ran)| (op.clone(), ran)).collect()
}

fn is_own(operation: Option<&str>) -> bool {
    operation.is_some_and(|operation| OWN.contains(&operation))
}

impl Tally {
    /// Takes a call, which stands in this line.
    fn take(&mut self, facts: &Facts, ran: &BTreeMap<String, Ran<'_>>, call: &Call, line: &str) -> Result<(), String> {
        self.calls += 1;
        let known = call.op.as_ref().and_then(|op| ran.get_key_value(op));
        let Some((op, ran)) = known else { return self.unknown(facts, call, line) };
        if ran.own {
            return Err(format!("lineage {op} is of what a point keeps itself, and called no upstream"));
        }
        // A moment that whoever called may have written says nothing of when the call was.
        if let Some(at) = call.at.filter(|_| !call.theirs) {
            let early = ran.started.is_some_and(|started| at < started.plus_millis(-SKEW));
            let late = ran.ended.is_some_and(|ended| at > ended.plus_millis(SKEW));
            if early || late {
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
        if let Some(workload) = facts.stretch.operations.get(op).and_then(|seen| seen.workload) {
            *self.workloads.entry(workload.to_string()).or_default() += 1;
        }
        Ok(())
    }

    /// A call of no operation that ran in the range. One that names a lineage may be of a time that the range only
    /// touches; one that names none can't be explained, whenever it was in the range. Whoever called may have written a moment
    /// into the line: so it is out of the range by its log's own moment, and with all that it tells.
    fn unknown(&mut self, facts: &Facts, call: &Call, line: &str) -> Result<(), String> {
        let several = call.several.then(|| "it names more than one lineage".to_owned());
        if call.at.is_none() || call.theirs {
            let why = match call.theirs {
                true => "its only time may be the caller's: put the log's time before the request",
                false => "it names neither a lineage of the range nor a time",
            };
            return Err(several.unwrap_or_else(|| why.to_owned()));
        }
        let mut within = call.moments.iter().filter(|at| (facts.from..facts.to).contains(*at)).peekable();
        if within.peek().is_none() {
            self.outside += 1;
            return Ok(());
        }
        let Some(op) = &call.op else { return Err(several.unwrap_or_else(|| "no lineage is named".to_owned())) };
        // What was authorised in the range may have run in it all the same: its point's records came after its end, and nothing
        // here tells of them, of another identity's never and of those that were asked for unless the head is late enough.
        let seen = facts.stretch.operations.get(op);
        let is_told = seen.is_some_and(|seen| seen.denied || (seen.asked && self.told));
        let issued = seen.is_some_and(|seen| seen.issued);
        let begins = if issued { facts.from } else { facts.from.plus_millis(EARLY) };
        let touches = |at: &Time| *at < begins || *at >= facts.to.plus_millis(-LATE);
        if is_told || !within.all(touches) || eleven_core::id::split_operation(op).is_none() {
            return Err(format!("lineage {op} did not run in the range"));
        }
        match self.at_the_edge.insert(op.clone(), line.to_owned()) {
            Some(_) => Err(format!("a second call under lineage {op}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
