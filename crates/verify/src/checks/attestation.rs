//! `attestation.*`: the point that ran it signed what it did, and that agrees with all the rest.

use super::{Judged, Signed, Stop, failed, hold};
use crate::shown::{Event, Shown};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::artifact::{Artifact, Environment};
use eleven_core::attestation::{Envelope, Evidence, Statement, StatementResult};
use eleven_core::encoding::Value;
use eleven_core::event::Producer;
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::policy::EvidenceLevel;
use eleven_core::registry::{Item, RuntimeRecord};
use eleven_core::root::KeyUse;

/// The events that a statement is held against, at the places that PROTOCOL 5.1 gives them.
const GRANTED: usize = 2;
const ATTESTED: usize = 4;
const ENDED: usize = 5;

/// An attestation key of the point signed the envelope, and it is the evidence that was committed.
pub(super) fn signature(shown: &Shown<'_>) -> Judged<Vec<Signed>> {
    let (position, attested) = attested(shown)?;
    let value = envelope(attested)?;
    let envelope = Envelope::read(value.clone())?;
    let at = shown.entry(position)?.header.at;
    let key = shown.key(KeyUse::Attestation, &envelope.kid, &attested.record.by, at)?;
    let signed =
        vec![Signed::by(key, envelope.signed_bytes(), &envelope.sig, "the attestation's signature does not verify")];
    let events = shown.events()?;
    let committed = events.iter().find(|event| event.record.event == "evidence.committed");
    match committed.map(|event| event.record.data_str("evidence").and_then(Sha3::parse)) {
        None if shown.kind() == "execution" => failed("no evidence was committed"),
        Some(digest) if digest != Some(Sha3::of_value(value)) => {
            failed("the evidence that was committed is another than this envelope")
        }
        _ => Ok(signed),
    }
}

/// What it states agrees with artifact, lineage and registration, and its evidence reaches the policy's level.
pub(super) fn binding(shown: &Shown<'_>) -> Judged {
    let (_, attested) = attested(shown)?;
    let artifact = shown.artifact()?;
    let record = &attested.record;
    let named = id::attestation_id(&artifact.id, &record.by, &record.op);
    hold(record.data_str("attestation") == Some(named.as_str()), "the attestation's id is not this operation's")?;
    hold(record.op == shown.op()?.whole, "the attestation is of another operation")?;
    let statement = Envelope::read(envelope(attested)?.clone())?.statement()?;
    states_the_artifact(&statement, artifact, &record.op)?;
    let ended = ended(shown)?;
    states_the_lineage(shown, &statement, ended)?;
    let point = registration(shown, &record.by)?;
    stands_there(&point, &artifact.env)?;
    let least = shown.policy()?.terms.attestation;
    reaches(&statement.evidence, least, &point)?;
    // Where no software was measured, only what hardware says of itself reached the level, whatever level that is.
    let measured = statement.evidence.iter().any(|item| matches!(item, Evidence::Software { .. }));
    if least > EvidenceLevel::Software || !measured {
        return Err(Stop::NotChecked("all agrees; that the evidence of hardware is genuine nothing here verifies"));
    }
    if ended.is_none() {
        return Err(Stop::NotChecked("all that is there agrees; the outcome is not in the ledger yet"));
    }
    match shown.value.get("registered") {
        None => Ok(()),
        Some(_) => Err(Stop::NotChecked(
            "all agrees with a registration that the registry does not hold any more, made before the consumption; that it was \
             still in force then no file proves",
        )),
    }
}

/// The registration of `point`: the registry's, unless an earlier one is shown, in the entry that made it.
fn registration(shown: &Shown<'_>, point: &str) -> Judged<RuntimeRecord> {
    if shown.value.get("registered").is_none() {
        return Ok(<RuntimeRecord as Item>::read(shown.record("runtime", "point", point)?.clone())?);
    }
    let (entry, event) = shown.shown_entry("registered")?;
    let (record, at) = (&event.record, entry.header.at);
    let by_authority = Producer::of(&record.by) == Some(Producer::Authority);
    hold(record.event == "runtime.registered" && by_authority, "what is shown as the registration is none")?;
    let registered = <RuntimeRecord as Item>::read(Value::Object(record.data.clone()))?;
    hold(registered.point == point, "the registration that is shown is another point's")?;
    event.hashes_follow()?;
    shown.included(&entry, &event)?;
    let key = shown.key(KeyUse::Event, &record.kid, &record.by, at)?;
    hold(key.verifies(event.body(), &record.sig.val), "the signature of the registration does not verify")?;
    let (seq, consumed) = (entry.header.seq, shown.entry(1)?.header.seq);
    hold(seq < consumed, "the registration that is shown came after the consumption")?;
    Ok(registered)
}

/// The point is registered where the artifact may be used (PROTOCOL 4.1, step 12).
fn stands_there(point: &RuntimeRecord, env: &Environment) -> Judged {
    hold(point.runtime == env.runtime, "the point is registered for another runtime")?;
    hold(point.region == env.region, "the point is registered in another region")?;
    hold(point.tenancy == env.tenancy, "the point is registered for another tenancy")
}

/// Position and event of `attestation.signed`.
fn attested<'a>(shown: &'a Shown<'_>) -> Judged<(usize, &'a Event)> {
    shown.not_of_denial()?;
    let events = shown.value.get("events").and_then(Value::as_array).unwrap_or_default();
    hold(!events.is_empty(), "the bundle has no events")?;
    let named = |event: &Value| event.get("event").and_then(Value::as_str) == Some("attestation.signed");
    let position = events.iter().position(named).ok_or(Stop::NotChecked("nothing was attested"))?;
    Ok((position, shown.event(position)?))
}

fn envelope(attested: &Event) -> Judged<&Value> {
    attested.record.data.get("envelope").map_or_else(|| failed("`attestation.signed` has no envelope"), Ok)
}

fn states_the_artifact(statement: &Statement, artifact: &Artifact, op: &str) -> Judged {
    let agreements = [
        (statement.artifact_id == artifact.id && statement.chash == artifact.chash, "artifact"),
        (statement.op == op, "op"),
        (statement.operation == *artifact.op.value(), "operation"),
        (statement.identity == artifact.sub, "identity"),
        (statement.runtime == artifact.env.runtime, "runtime"),
        (statement.policy == artifact.pol, "policy"),
    ];
    agree(&agreements)
}

/// The outcome. Of an open operation the ledger may have the attestation already and not what follows it.
fn ended<'a>(shown: &'a Shown<'_>) -> Judged<Option<&'a Event>> {
    let events = shown.value.get("events").and_then(Value::as_array).unwrap_or_default();
    if shown.kind() == "open" && events.len() == ENDED { Ok(None) } else { shown.event(ENDED).map(Some) }
}

fn states_the_lineage(shown: &Shown<'_>, statement: &Statement, ended: Option<&Event>) -> Judged {
    let granted = at(shown, GRANTED, "admission.granted")?;
    let attested = at(shown, ATTESTED, "attestation.signed")?;
    let workload = granted.record.data_str("workload").and_then(Sha3::parse);
    let times = [shown.event(1)?.record.ts, statement.started, statement.finished, attested.record.ts];
    agree(&[
        (workload == Some(statement.workload), "workload"),
        (granted.record.about.fingerprint == Some(statement.environment), "environment"),
        (times.is_sorted(), "started and finished, between consumption and attestation"),
    ])?;
    let Some(Event { record, .. }) = ended else { return Ok(()) };
    let result = record.data.get("result").cloned().map(StatementResult::read).transpose()?;
    agree(&[(record.event == statement.outcome.event(), "outcome"), (result == Some(statement.result), "result")])
}

/// The event at a position, which must be of that name.
fn at<'a>(shown: &'a Shown<'_>, position: usize, name: &str) -> Judged<&'a Event> {
    let event = shown.event(position)?;
    if event.record.event == name {
        return Ok(event);
    }
    failed(format!("event {} is `{}`, not `{name}`", position + 1, event.record.event))
}

fn agree(agreements: &[(bool, &str)]) -> Judged {
    match agreements.iter().find(|(agrees, _)| !agrees) {
        Some((_, what)) => failed(format!("the attestation does not agree on: {what}")),
        None => Ok(()),
    }
}

/// The best evidence is at least `least`; what the software measured of itself is what the point registered.
fn reaches(evidence: &[Evidence], least: EvidenceLevel, point: &RuntimeRecord) -> Judged {
    for item in evidence {
        if let Evidence::Software { binary, config } = item {
            let registered = *binary == point.binary && *config == point.config;
            hold(registered, "the software evidence names another binary or configuration than the point registered")?;
        }
    }
    let best = evidence.iter().filter_map(Evidence::level).max();
    hold(best >= Some(least), "the evidence does not reach the level that the policy asks for")
}
