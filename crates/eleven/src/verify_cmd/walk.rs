//! `eleven verify lineage://op/… --from URL`: the doctrine's verify_lineage, walked over a ledger's public surfaces alone,
//! and then every check of the proof file that the same surfaces give.
//!
//! ```text
//! events = fetch_lineage(operation_id)
//! for e in events: both hashes over the one before, the signature by e.kid
//! head = fetch_signed_chain_head(), its signature
//! operation_id is provably in the chain referenced by head
//! ```
//!
//! Three heads are met on the way: the one that is published, that of the index's answer, and the proof file's own. A ledger that
//! tells two histories could show one under each, so each is held against the published one.

use super::{replay, table};
use crate::call::{self, At};
use crate::output::{Failure, Output, Paint, shown};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::head::{Commitment, Head};
use eleven_core::index::{self, Proof, Proves};
use eleven_core::registry::Item as _;
use eleven_core::root::{KeyRecord, KeyUse, TrustRoot};
use eleven_core::tree;
use eleven_verify::{Caller, Kind, Pinned, Report, Status, Verdict, parse_file, verify_bytes};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// How often the index is asked until it answers under the published head or a later one, and the pause between: a cache on the
/// way may answer with what was a second ago.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_millis(300);

/// One step, and whether it holds.
struct Step {
    what: String,
    holds: bool,
    detail: String,
}

/// What was fetched.
struct Surfaces {
    events: Vec<Record>,
    bundle: Vec<u8>,
    /// What those bytes are, and the head in them, where there is one.
    proof: Value,
    own: Option<Head>,
    /// The head that is published, and the head and index proof of the operation.
    head: Head,
    indexed: (Head, Proof),
    /// That of the published head and the index's, and of that and the proof file's, the smaller begins the larger.
    consistent: bool,
    consistent_own: bool,
}

/// Walks the algorithm for an operation, says each step, then every check, and gives the exit status.
///
/// # Errors
/// Where a surface does not answer, or answers what is not of its form.
pub(super) fn run(
    at: &At,
    op: &str,
    (root, kind, max_age): (Option<&Pinned>, Option<Kind>, Option<u64>),
    output: Output,
) -> Result<ExitCode, Failure> {
    let fetched = fetch(at, op)?;
    let now = Some(SystemClock.now());
    let caller = Caller { root, now, max_age, kind, op: Some(op), replay: Some(&replay), keys: None };
    let report = verify_bytes(&fetched.bundle, &caller).map_err(Failure::new)?;
    let mut steps = walk(op, &fetched, &fetched.proof, root.map(Pinned::value));
    steps.extend(heads(&fetched, &report));
    let report = judged(report, &steps);
    output.either(|| value(&steps, &report), || text(&steps, &report, output));
    Ok(ExitCode::from(report.exit_code()))
}

/// The verdict over the walk: a proof file that holds together does not make up for a step that does not hold.
fn judged(report: Report, steps: &[Step]) -> Report {
    let walked = steps.iter().all(|step| step.holds);
    Report { verdict: if walked { report.verdict } else { Verdict::Failed }, ..report }
}

fn fetch(at: &At, op: &str) -> Result<Surfaces, Failure> {
    let lineage = call::get(at, &format!("{}{op}", routes::PROOF_LINEAGE))?;
    let events = lineage.get("events").and_then(Value::as_array).unwrap_or_default();
    let events = events.iter().cloned().map(Record::read).collect::<Result<Vec<_>, _>>()?;
    let bundle = call::get_bytes(at, &format!("{}{op}", routes::PROOF_BUNDLE))?;
    let proof = parse_file(&bundle).map_err(|error| Failure::new(format!("the ledger's bundle: {error}")))?;
    let own = proof.get("head").cloned().and_then(|head| Head::read(head).ok());
    let head = Head::read(call::get(at, routes::PROOF_HEAD)?)?;
    let mut indexed = index_of(at, op)?;
    for _ in 1..ATTEMPTS {
        if indexed.0.commitment.size >= head.commitment.size {
            break;
        }
        std::thread::sleep(PAUSE);
        indexed = index_of(at, op)?;
    }
    let consistent_own = own.as_ref().map(|own| consistent(at, own, &head)).transpose()?.unwrap_or(false);
    let consistent = consistent(at, &indexed.0, &head)?;
    Ok(Surfaces { events, bundle, proof, own, head, indexed, consistent, consistent_own })
}

/// What the index says of the operation, and the head that names the index.
fn index_of(at: &At, op: &str) -> Result<(Head, Proof), Failure> {
    let indexed = call::get(at, &format!("{}?op={op}", routes::PROOF_EXCLUSION))?;
    let member = |name: &str| {
        indexed.get(name).cloned().ok_or_else(|| Failure::new(format!("the ledger's index proof lacks `{name}`")))
    };
    Ok((Head::read(member("head")?)?, Proof::read(member("proof")?)?))
}

/// Whether the larger of two heads' trees begins with the other. Which one that is, nobody says: a cache on the way may
/// answer with a head of a second ago.
fn consistent(at: &At, one: &Head, other: &Head) -> Result<bool, Failure> {
    if contradict(one, other) {
        return Ok(false);
    }
    let (first, second) = by_size(&one.commitment, &other.commitment);
    let path = format!("{}?first={}&second={}", routes::PROOF_CONSISTENCY, first.size, second.size);
    let proof = call::get(at, &path)?;
    let proof = proof.get("proof").ok_or_else(|| Failure::new("the ledger's consistency proof lacks `proof`"))?;
    let proof = tree::read_proof(proof)?;
    Ok(tree::verify_consistency(first.size, second.size, &first.root, &second.root, &proof))
}

/// Whether two heads by themselves, whatever their trees, are no heads of one history: of one size and not the same, or the younger
/// one the smaller.
fn contradict(one: &Head, other: &Head) -> bool {
    let (older, younger) = if one.at <= other.at { (one, other) } else { (other, one) };
    let back = older.at < younger.at && younger.commitment.size < older.commitment.size;
    one.commitment.ledger != other.commitment.ledger || one.equivocates(other) || back
}

fn by_size<'a>(one: &'a Commitment, other: &'a Commitment) -> (&'a Commitment, &'a Commitment) {
    if other.size < one.size { (other, one) } else { (one, other) }
}

fn walk(op: &str, fetched: &Surfaces, bundle: &Value, root: Option<&Value>) -> Vec<Step> {
    let Surfaces { events, head, indexed, consistent, .. } = fetched;
    let keys = registered(bundle);
    let mut steps = vec![step("fetch_lineage(operation_id)", !events.is_empty(), format!("{} events", events.len()))];
    let mut before: Option<&Record> = None;
    for event in events {
        steps.push(event_step(event, before, &keys));
        before = Some(event);
    }
    let of_bundle = bundle.get("events").and_then(Value::as_array).unwrap_or_default();
    let same = of_bundle.len() == events.len() && events.iter().zip(of_bundle).all(|(e, b)| e.to_value() == *b);
    steps.push(step("the proof file holds these very events", same, String::new()));
    let roots = roots(bundle, root);
    for (what, head) in [("fetch_signed_chain_head()", head), ("the head that the proof is under", &indexed.0)] {
        let signed = signs(&roots, head);
        let Head { commitment, at, sig } = head;
        steps.push(step(
            what,
            signed,
            format!("{} entries at {}, ed25519 by {}", commitment.size, at.millis(), sig.kid),
        ));
    }
    steps.push(step("the published head and that one are of one history", *consistent, String::new()));
    let value = before.map(|last| index::op_value(op, last.n, &last.hash, &last.hash_alt));
    let proven = indexed.1.proves(&indexed.0.commitment.index, &index::op_key(op));
    let there = value.is_some_and(|value| proven == Proves::Present(value));
    steps.push(step(
        "operation_id is provably in the chain referenced by head",
        there,
        "its last event is this one".into(),
    ));
    steps
}

/// Whether a head key of the newest of `roots` that was in force then signed a head.
fn signs(roots: &[TrustRoot], head: &Head) -> bool {
    let in_force = TrustRoot::in_force_among(roots, head.at);
    let key = in_force.and_then(|root| root.role_key(KeyUse::Head, &head.sig.kid, head.at));
    key.is_some_and(|key| head.verify(&key))
}

/// That the proof file and the index are of the history that is published, and the index is none of before.
fn heads(fetched: &Surfaces, report: &Report) -> [Step; 3] {
    let Surfaces { own, head, indexed, consistent_own, .. } = fetched;
    // By which key that is, the check of the proof file finds.
    let signed = report.checks.iter().any(|check| check.name == "head.signed" && check.status == Status::Passed);
    let of = own.as_ref().map_or_else(String::new, |own| {
        let Head { commitment, at, sig } = own;
        format!("{} entries at {}, ed25519 by {}", commitment.size, at.millis(), sig.kid)
    });
    let (size, published) = (indexed.0.commitment.size, head.commitment.size);
    let index = format!("{size} entries, {published} are published");
    [
        step("the head in the proof file", own.is_some() && signed, of),
        step("the published head and that of the proof file are of one history", *consistent_own, String::new()),
        step("the index is that of the published head, or of a later one", size >= published, index),
    ]
}

fn step(what: &str, holds: bool, detail: String) -> Step {
    Step { what: what.to_owned(), holds, detail }
}

/// Both hashes over the event before, and the signature by a key of whoever says it.
fn event_step(event: &Record, before: Option<&Record>, keys: &BTreeMap<String, KeyRecord>) -> Step {
    // A use of a bounded or rate artifact continues the lineage that it shares event 1 with.
    let follows = match before {
        None => event.prev.is_none(),
        Some(before) => event.prev == Some((before.hash, before.hash_alt)),
    };
    let key = keys.get(&event.kid).filter(|key| key.owner == event.by && key.usage == KeyUse::Event);
    let signed = key.and_then(KeyRecord::verifying).is_some_and(|key| key.verifies(event.body(), &event.sig.val));
    let said = |name: &str, holds: bool| format!("{name} {}", if holds { "ok" } else { "WRONG" });
    let (sha3, blake2b) = (follows && event.hash_follows(), follows && event.hash_alt_follows());
    let detail = [said("sha3-512", sha3), said("blake2b-512", blake2b), said("ed25519", signed)].join(", ");
    Step {
        what: format!("{:02} {}", event.n, event.event),
        holds: sha3 && blake2b && signed,
        detail: format!("{detail} by {}", event.kid),
    }
}

/// The registered keys that the proof file shows. That they are the registry's is one of its checks.
fn registered(bundle: &Value) -> BTreeMap<String, KeyRecord> {
    let records = bundle.pointer("/registry/records").and_then(Value::as_array).unwrap_or_default();
    let of_keys = records.iter().filter(|row| row.get("kind").and_then(Value::as_str) == Some(KeyRecord::KIND));
    let keys = of_keys.filter_map(|row| KeyRecord::read(row.get("record")?.clone()).ok());
    keys.map(|key| (key.kid.clone(), key)).collect()
}

/// The roots that head keys stand in: the one that is trusted, and those that followed it. That they do is a check.
fn roots(bundle: &Value, trusted: Option<&Value>) -> Vec<TrustRoot> {
    let shown = bundle.get("roots").and_then(Value::as_array).unwrap_or_default();
    trusted.into_iter().chain(shown).filter_map(|root| TrustRoot::read(root.clone()).ok()).collect()
}

fn value(steps: &[Step], report: &Report) -> Value {
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| {
            let object = Object::new().with("step", &step.what).with("holds", step.holds);
            Value::Object(object.with("detail", &step.detail))
        })
        .collect();
    Value::Object(Object::new().with("steps", steps).with("report", report.to_value()))
}

fn text(steps: &[Step], report: &Report, output: Output) -> String {
    // What the ledger calls its events and keys is its own word.
    let told: Vec<(bool, String, String)> =
        steps.iter().map(|step| (step.holds, shown(&step.what), shown(&step.detail))).collect();
    let width = told.iter().map(|(_, what, _)| what.chars().count()).max().unwrap_or(0);
    let lines = told.iter().map(|(holds, what, detail)| {
        let (mark, paint) = if *holds { ("ok   ", Paint::Good) } else { ("WRONG", Paint::Bad) };
        let padding = " ".repeat(width.saturating_sub(what.chars().count()));
        format!("{}  {}{padding}  {}", output.paint(paint, mark), what, detail).trim_end().to_owned()
    });
    let wrong = steps.iter().filter(|step| !step.holds).count();
    let why = match wrong {
        0 => String::new(),
        wrong => format!("\n{wrong} of {} steps of the walk do not hold, whatever its proof file proves.", steps.len()),
    };
    format!("{}\n\n{}{why}", lines.collect::<Vec<_>>().join("\n"), table(report, output))
}

#[cfg(test)]
mod tests;
