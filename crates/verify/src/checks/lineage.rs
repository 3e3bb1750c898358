//! `lineage.*`: the events are in order, chained twice, signed by whom they name, and all there are.

use super::{Judged, Signed, failed, hold};
use crate::shown::{Event, Operation, Shown};
use alloc::format;
use alloc::vec::Vec;
use eleven_core::artifact::{Artifact, UseMode};
use eleven_core::encoding::Value;
use eleven_core::event::{About, Producer, Record, Tip};
use eleven_core::hash::Sha3;
use eleven_core::index::{Proves, op_key, op_value};
use eleven_core::lineage::{Lineage, Stage, issued_data};
use eleven_core::root::KeyUse;
use eleven_core::time::Time;

/// The events are those of PROTOCOL 5.1, in its order, and name this artifact; a denial is one event.
pub(super) fn order(shown: &Shown<'_>) -> Judged {
    let events = shown.events()?;
    let op = shown.op()?;
    if shown.is_denial() {
        return match events.as_slice() {
            [event] => denial(event, &op),
            events => failed(format!("a denial is one event, and there are {}", events.len())),
        };
    }
    let artifact = shown.artifact()?;
    let records: Vec<&Record> = events.iter().map(|event| &event.record).collect();
    let Some((first, rest)) = records.split_first() else { return failed("the bundle has no events") };
    let lineage =
        rest.iter().try_fold(issuance(first, artifact, &op)?, |lineage, record| next(lineage, record, &op))?;
    if let Some(consumed) = rest.first() {
        consumption(consumed, artifact, &op)?;
    }
    let times: Vec<Time> = rest.iter().map(|record| record.ts).collect();
    hold(times.is_sorted(), "the point's clock went back between two events")?;
    ended_as(shown.kind(), lineage.stage)
}

/// A denial stands alone: its op is its content's.
fn denial(event: &Event, op: &Operation<'_>) -> Judged {
    let record = &event.record;
    if record.event != "execution.denied" || record.n != 1 {
        return failed(format!("event {} of a denial is `{}`", record.n, record.event));
    }
    let by = Producer::of(&record.by);
    hold(matches!(by, Some(Producer::Authority | Producer::Point)), "a ledger denies nothing")?;
    let alone = record.op == op.whole && event.content_id() == record.op;
    hold(alone, "the denial's `op` is not its content's id, or not the bundle's")?;
    let Some(reason) = record.about.reason else { return failed("the denial names no reason") };
    let counted = ["count", "window", "listener"].iter().any(|name| record.data.get(name).is_some());
    if counted { counted_denial(record, reason.is_counted()) } else { Ok(()) }
}

/// Denials of callers without identity, of missing and of malformed artifacts are counted by the second (PROTOCOL 5.3).
fn counted_denial(record: &Record, countable: bool) -> Judged {
    hold(countable, "denials for this reason are not counted")?;
    let About { identity, operation, artifact_id, issuer, policy, policy_required, .. } = &record.about;
    let named = identity.is_some() || operation.is_some() || artifact_id.is_some() || issuer.is_some();
    hold(!named && policy.is_none() && policy_required.is_none(), "a counted denial names a caller or an artifact")?;
    let count = record.data.get("count").and_then(Value::as_int).is_some_and(|count| count >= 1);
    let start = record.data_str("window").and_then(|window| window.strip_suffix("/PT1S"));
    let window = start.and_then(Time::parse_millis).is_some();
    let listener = record.data_str("listener").is_some_and(|listener| !listener.is_empty());
    let formed = record.data.len() == 3 && count && window && listener;
    hold(formed, "a counted denial is not exactly a count, a window of one second and a listener")
}

/// The first event issues this very artifact.
fn issuance(record: &Record, artifact: &Artifact, op: &Operation<'_>) -> Judged<Lineage> {
    let lineage = Lineage::begin(record).or_else(|error| failed(format!("event 1, `{}`: {error}", record.event)))?;
    let of_this = record.op == op.base && record.about == About::artifact(artifact);
    hold(of_this, "the first event does not name the artifact that is shown")?;
    let data = issued_data(&record.data);
    let issued = data.is_some_and(|data| data.chash == artifact.chash && data.exp == artifact.exp);
    hold(issued, "the first event issues another artifact: `chash` or `exp` differ")?;
    Ok(lineage)
}

/// The lineage after its next event, leaving to the other checks what is theirs: whether the hash before is the stated
/// one (`lineage.chain`), and whether the evidence is the envelope's (`attestation.signature`).
fn next(mut lineage: Lineage, record: &Record, op: &Operation<'_>) -> Judged<Lineage> {
    let n = lineage.tip.n + 1;
    if record.n != n || record.op != op.whole {
        return failed(format!("event {n} is number {} of `{}`", record.n, record.op));
    }
    if let Some((hash, hash_alt)) = record.prev {
        lineage.tip = Tip { n: lineage.tip.n, hash, hash_alt };
    }
    if let (Stage::Ended(Some(envelope)), Some(evidence)) = (&mut lineage.stage, record.data_str("evidence")) {
        *envelope = Sha3::parse(evidence).unwrap_or(*envelope);
    }
    lineage.advance(record).or_else(|error| failed(format!("event {n}, `{}`: {error}", record.event)))
}

/// A point consumed this artifact's nonce; uses are numbered where there may be many.
fn consumption(record: &Record, artifact: &Artifact, op: &Operation<'_>) -> Judged {
    hold(Producer::of(&record.by) == Some(Producer::Point), "what consumed the artifact is no enforcement point")?;
    hold(record.data_str("nonce") == Some(artifact.usage.nonce()), "another nonce was consumed than the artifact's")?;
    let mode = artifact.usage.mode();
    let numbered = op.number.is_some() == (mode != UseMode::Single);
    hold(numbered, "uses are numbered where there may be many, and only there")?;
    // What a rate artifact may do is a matter of time, which its point counts.
    match (op.number, artifact.usage.max()) {
        (Some(k), Some(max)) if mode == UseMode::Bounded && k > max => {
            failed(format!("this is use {k} of an artifact that has {max}"))
        }
        _ => Ok(()),
    }
}

fn ended_as(kind: &str, stage: Stage) -> Judged {
    let fits = match kind {
        "execution" => stage == Stage::Closed,
        "open" => !matches!(stage, Stage::Issued | Stage::Closed),
        "unused" => stage == Stage::Issued,
        _ => false,
    };
    if fits { Ok(()) } else { failed(format!("the events do not end as those of a bundle that is `{kind}` do")) }
}

/// Each event's `prev_hash` is the hash before, and its own follows.
pub(super) fn chain(shown: &Shown<'_>) -> Judged {
    let mut before = None;
    for event in shown.events()? {
        let record = &event.record;
        if record.prev.map(|(hash, _)| hash) != before {
            return failed(format!("`prev_hash` of event {} is not the hash before it", record.n));
        }
        if *event.hash() != record.hash {
            return failed(format!("`event_hash` of event {} does not follow from it", record.n));
        }
        before = Some(record.hash);
    }
    Ok(())
}

/// The same for the secondary chain.
pub(super) fn chain_alt(shown: &Shown<'_>) -> Judged {
    let mut before = None;
    for event in shown.events()? {
        let record = &event.record;
        if record.prev.map(|(_, hash_alt)| hash_alt) != before {
            return failed(format!("`prev_hash_alt` of event {} is not the hash before it", record.n));
        }
        if *event.hash_alt() != record.hash_alt {
            return failed(format!("`event_hash_alt` of event {} does not follow from it", record.n));
        }
        before = Some(record.hash_alt);
    }
    Ok(())
}

/// An event key of the producer signed each event, and counted when the ledger committed it.
pub(super) fn signatures(shown: &Shown<'_>) -> Judged<Vec<Signed>> {
    let events = shown.events()?;
    let mut signed = Vec::with_capacity(events.len());
    for (position, event) in events.iter().enumerate() {
        let record = &event.record;
        let key = shown.key(KeyUse::Event, &record.kid, &record.by, shown.entry(position)?.header.at)?;
        let otherwise = format!("the signature of event {} does not verify", record.n);
        signed.push(Signed::by(key, event.body(), &record.sig.val, otherwise));
    }
    Ok(signed)
}

/// The index ends this lineage with the last event that is shown: none was left out.
pub(super) fn complete(shown: &Shown<'_>) -> Judged {
    let (op, index) = (shown.op()?, &shown.head()?.commitment.index);
    let events = shown.events()?;
    let Some(last) = events.last().map(|event| &event.record) else { return failed("the bundle has no events") };
    if usize::try_from(last.n) != Ok(events.len()) || last.op != op.whole {
        return failed(format!("the last of {} events is number {} of `{}`", events.len(), last.n, last.op));
    }
    let value = op_value(&last.op, last.n, &last.hash, &last.hash_alt);
    if shown.index("op")?.proves(index, &op_key(op.whole)) != Proves::Present(value) {
        return failed(format!("the index does not end the lineage with this event {}", last.n));
    }
    let numbered = shown.kind() == "unused" && shown.artifact()?.usage.mode() != UseMode::Single;
    if numbered && shown.index("use")?.proves(index, &op_key(&format!("{}.1", op.whole))) != Proves::Absent {
        return failed("the index does not show that the first use is absent");
    }
    Ok(())
}
