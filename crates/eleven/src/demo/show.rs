//! The demo's screen: one line a situation, and whether it went as it should.

use super::caller::{Answer, Caller};
use super::proofs::{self, Proof};
use super::system::{Part, System};
use crate::output::{Output, Paint};
use eleven_core::encoding::{Object, Value};
use eleven_verify::{Kind, Pinned};
use std::io::Write as _;
use std::time::Duration;

/// Widths of the columns: situation with its mark, expected, got, added, calls, proof.
const WIDTHS: [usize; 6] = [32, 26, 30, 9, 5, 13];

/// What a refusal's event needs to be found by.
enum Event {
    /// Its operation.
    Op(String),
    /// Counted by the second under this reason, at or after this entry.
    Counted(String, i64),
}

/// A refusal whose event could not be shown yet, because the ledger was down or its second had not ended.
struct Pending {
    what: String,
    event: Event,
}

/// A line for people; machines get a document at the end. Nobody reading it any more is no reason to stop.
pub(crate) fn say(output: Output, line: &str) {
    if !output.json {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// The domain, its callers, and what was shown of them.
pub(crate) struct Show {
    pub(crate) system: System,
    pub(crate) app: Caller,
    pub(crate) root: Pinned,
    pub(crate) output: Output,
    /// How many calls the upstream must have seen by now.
    calls: i64,
    /// What the model takes without a gateway before it.
    direct: Duration,
    pending: Vec<Pending>,
    rows: Vec<Value>,
    failures: u32,
}

impl Show {
    /// A show on a running domain. Asks the model directly a few times, to know what it takes by itself.
    pub(crate) fn new(system: System, app: Caller, root: Pinned, output: Output, bodies: &[bytes::Bytes]) -> Self {
        let mut took: Vec<Duration> = bodies.iter().map(|body| app.direct(&system.upstream, body).took).collect();
        took.sort_unstable();
        let direct = took.get(took.len() / 2).copied().unwrap_or_default();
        let (pending, rows) = (Vec::new(), Vec::new());
        let mut show = Self { system, app, root, output, calls: 0, direct, pending, rows, failures: 0 };
        show.calls = show.counted_calls();
        show
    }

    /// What the model takes without a gateway before it.
    pub(crate) const fn direct(&self) -> Duration {
        self.direct
    }

    /// The upstream's own count of the calls that reached it.
    fn counted_calls(&self) -> i64 {
        let answer = self.app.get(self.system.url(Part::Upstream), "/calls");
        answer.ok().and_then(|answer| answer.get("calls")?.as_int()).unwrap_or(-1)
    }

    /// The ledger's size; -1 where it is down.
    fn size(&self) -> i64 {
        let head = self.app.get(self.system.url(Part::Ledger), "/v1/proof/head");
        head.ok().and_then(|head| head.get("size")?.as_int()).unwrap_or(-1)
    }

    /// The heading of the table.
    pub(crate) fn heading(&self) {
        let line = self.cells(["  situation", "expected", "got", "added", "calls", "proof"]);
        say(self.output, &self.output.paint(Paint::Dim, &line));
    }

    /// The cells of a line in their columns.
    fn cells(&self, cells: [&str; 6]) -> String {
        let padded = |(at, (cell, width)): (usize, (&str, usize))| match at {
            0..=2 => format!("{cell:<width$}"),
            3 | 4 => format!("{cell:>width$}"),
            _ => format!(" {cell}"),
        };
        let cells: Vec<String> = cells.into_iter().zip(WIDTHS).enumerate().map(padded).collect();
        self.output.row(&cells, &WIDTHS, " ")
    }

    /// A line between parts of the table.
    pub(crate) fn part(&self, title: &str) {
        say(self.output, &format!("\n{}", self.output.paint(Paint::Bold, title)));
    }

    /// A remark below a line.
    pub(crate) fn remark(&self, text: &str) {
        say(self.output, &self.output.paint(Paint::Dim, &format!("    {text}")));
    }

    /// A call that must be allowed and reach the model once; its whole lineage must be proven.
    pub(crate) fn allowed(&mut self, what: &str, answer: &Answer) -> Option<Proof> {
        self.reached(what, answer, 1)
    }

    /// A call that must be allowed; `calls` of the model's own count are due for it.
    pub(crate) fn reached(&mut self, what: &str, answer: &Answer, calls: i64) -> Option<Proof> {
        self.calls += calls;
        let got = self.got(answer);
        let fine = answer.status == 200 && got.ends_with("allow");
        let proof = answer.op().ok_or_else(|| "it names no lineage".to_owned());
        let proof = proof.and_then(|op| proofs::of(&self.system, &self.app, &self.root, &op, Kind::Execution));
        let added = answer.took.saturating_sub(self.direct);
        self.row(what, "allow", &got, added, fine, &proof);
        proof.ok()
    }

    /// A call that must be allowed while the ledger is down; its lineage is proven later.
    pub(crate) fn allowed_for_now(&mut self, what: &str, answer: &Answer) {
        self.calls += 1;
        let got = self.got(answer);
        let fine = answer.status == 200 && got.ends_with("allow");
        let added = answer.took.saturating_sub(self.direct);
        self.row_for_now(what, "allow", &got, added, fine);
    }

    /// A call that must be refused for `reason` and not reach the model; the event of its refusal must be proven.
    pub(crate) fn refused(&mut self, what: &str, reason: &str, answer: &Answer) -> Option<Proof> {
        let (got, fine) = (self.got(answer), self.is_refusal(reason, answer));
        let proof = answer.op().ok_or_else(|| "it names no lineage".to_owned());
        let proof = proof.and_then(|op| proofs::of(&self.system, &self.app, &self.root, &op, Kind::Denial));
        self.row(what, reason, &got, answer.took, fine, &proof);
        proof.ok()
    }

    /// As [`Self::refused`], while the ledger is down: the event is proven later.
    pub(crate) fn refused_for_now(&mut self, what: &str, reason: &str, answer: &Answer) {
        let (got, fine) = (self.got(answer), self.is_refusal(reason, answer));
        match answer.op() {
            Some(op) => self.pending.push(Pending { what: what.to_owned(), event: Event::Op(op) }),
            None => self.failed(&format!("{what}: the refusal names no lineage")),
        }
        self.row_for_now(what, reason, &got, answer.took, fine);
    }

    /// A refusal without identity or artifact: counted by the second, and proven later.
    pub(crate) fn refused_and_counted(&mut self, what: &str, reason: &str, refuse: impl Fn(&Caller) -> Answer) {
        let from = self.size();
        let answer = refuse(&self.app);
        let (got, fine) = (self.got(&answer), self.is_refusal(reason, &answer));
        self.pending.push(Pending { what: what.to_owned(), event: Event::Counted(reason.to_owned(), from) });
        self.row_for_now(what, reason, &got, answer.took, fine);
    }

    /// Something that was done, and must have come out like this; `proof` says what it stands on.
    pub(crate) fn came_out(&mut self, what: &str, expected: &str, got: &str, took: Duration, proof: &str) {
        self.line(what, expected, got, took, expected == got, proof);
    }

    fn is_refusal(&self, reason: &str, answer: &Answer) -> bool {
        let status = eleven_core::reason::Reason::parse(reason).map(eleven_core::reason::Reason::status);
        Some(answer.status) == status && answer.reason().as_deref() == Some(reason)
    }

    fn got(&self, answer: &Answer) -> String {
        let decision = answer.headers.get("eleven-decision").and_then(|value| value.to_str().ok());
        match (answer.status, answer.reason(), decision) {
            (0, ..) => "no answer".to_owned(),
            (status, Some(reason), _) => format!("{status} {reason}"),
            (status, None, Some(decision)) => format!("{status} {decision}"),
            (status, None, None) => status.to_string(),
        }
    }

    fn row(
        &mut self,
        what: &str,
        expected: &str,
        got: &str,
        added: Duration,
        fine: bool,
        proof: &Result<Proof, String>,
    ) {
        let (proven, shown) = match proof {
            Ok(proof) => (true, format!("#{} in {}", proof.seq, proof.size)),
            Err(why) => (false, why.clone()),
        };
        self.line(what, expected, got, added, fine && proven, &shown);
    }

    fn row_for_now(&mut self, what: &str, expected: &str, got: &str, added: Duration, fine: bool) {
        self.line(what, expected, got, added, fine, "below");
    }

    fn line(&mut self, what: &str, expected: &str, got: &str, added: Duration, fine: bool, proof: &str) {
        let calls = self.counted_calls();
        let counted = calls == self.calls;
        let fine = fine && counted;
        if !fine {
            self.failures += 1;
        }
        let ms = added.as_secs_f64() * 1000.0;
        let (marked, ms, count) = (format!("  {what}"), format!("{ms:.1} ms"), calls.to_string());
        let text = self.cells([&marked, expected, got, &ms, &count, proof]);
        let mark = if fine { self.output.paint(Paint::Good, "✓") } else { self.output.paint(Paint::Bad, "✗") };
        say(self.output, &format!("{mark} {}", text.trim_start()));
        if !counted {
            let wanted = format!("    the model counts {calls} calls, {} were expected", self.calls);
            say(self.output, &self.output.paint(Paint::Bad, &wanted));
            self.calls = calls;
        }
        let row = Object::new().with("situation", what).with("expected", expected).with("got", got);
        let row = row.with("added_us", u64::try_from(added.as_micros()).unwrap_or(u64::MAX)).with("calls", calls);
        self.rows.push(row.with("proof", proof).with("as_expected", fine).into());
    }

    /// Shows the events of refusals that could not be shown yet.
    pub(crate) fn settle(&mut self) {
        for Pending { what, event } in std::mem::take(&mut self.pending) {
            let op = match event {
                Event::Op(op) => Ok(op),
                Event::Counted(reason, from) => proofs::counted(&self.system, &self.app, &reason, from.max(0)),
            };
            let proof = op.and_then(|op| proofs::of(&self.system, &self.app, &self.root, &op, Kind::Denial));
            match proof {
                Ok(Proof { bundle, seq, size, .. }) => {
                    let count = bundle.pointer("/events/0/data/count").and_then(Value::as_int);
                    let counted = count.map_or(String::new(), |count| format!(", counted: {count} in that second"));
                    self.remark(&format!("{what}: #{seq} in {size}{counted}"));
                }
                Err(why) => self.failed(&format!("{what}: {why}")),
            }
        }
    }

    /// Something that is not as expected and has no line of its own.
    pub(crate) fn failed(&mut self, what: &str) {
        self.failures += 1;
        say(self.output, &format!("{} {what}", self.output.paint(Paint::Bad, "✗")));
    }

    /// Something that is as expected and has no line of its own.
    pub(crate) fn fine(&self, what: &str) {
        say(self.output, &format!("{} {what}", self.output.paint(Paint::Good, "✓")));
    }

    /// How many outcomes were not as expected.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// How many situations were shown.
    pub(crate) fn situations(&self) -> usize {
        self.rows.len()
    }

    /// Every line, for machines.
    pub(crate) fn rows(&self) -> Value {
        Value::Array(self.rows.clone())
    }
}
