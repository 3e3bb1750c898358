//! Lineages as the ledger holds them: all events of an operation, a subject or a single event, in order.

use crate::rules::OpKey;
use crate::state::{LookError, Shared, read};
use eleven_api::audit::LeftOpen;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::id;
use eleven_core::limits::MAX_USE;
use eleven_core::time::Time;
use std::iter::successors;

/// A record in its entry.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) header: EntryHeader,
    pub(crate) record: Record,
}

/// What closes the lineage of an operation that ran.
const EVIDENCE: &str = "evidence.committed";
/// The most events that a lineage is shown with at once; those of a subject may be many.
const MAX_EVENTS: usize = 4096;
/// The most bytes of records that a lineage is shown with at once, but for a last one that is larger alone: a client takes an answer of
/// 64 MiB at most, and records may have 16 KiB.
const MAX_BYTES: usize = 16 << 20;
/// The most open lineages that are shown at once: half a megabyte.
const MAX_OPEN: usize = 64;
/// How many open lineages are looked at, at a time, for those that are shown.
const LOOK: usize = 256;

/// The operation id in whatever a person has at hand: the id, the lineage's name, or the artifact's id.
#[must_use]
pub(crate) fn operation(text: &str) -> Option<&str> {
    let text = id::operation_at_hand(text);
    id::split_operation(text).map(|_| text)
}

/// Reads the record in an entry.
pub(crate) fn standing(shared: &Shared, seq: u64) -> Result<Standing, LookError> {
    let entry = shared.entry(seq)?;
    let record = Record::read_canonical(&entry.record);
    Ok(Standing { header: entry.header, record: record.map_err(|_| LookError::Other("record"))? })
}

/// The number of a lineage's last entry below `size`.
fn last_of(shared: &Shared, op: &str, size: u64) -> Option<u64> {
    let last = read(&shared.book).last_of(op);
    let places = read(&shared.places);
    successors(last, |seq| places.before(*seq)).find(|seq| *seq < size)
}

/// The numbers of a lineage's entries up to this one, in order, the last [`MAX_EVENTS`] of them.
fn up_to(shared: &Shared, last: Option<u64>) -> Vec<u64> {
    let places = read(&shared.places);
    let mut entries: Vec<u64> = successors(last, |seq| places.before(*seq)).take(MAX_EVENTS).collect();
    entries.reverse();
    entries
}

/// The numbers of a lineage's entries below `size`, in order, the last [`MAX_EVENTS`] of them; empty where there is none.
pub(crate) fn entries_of(shared: &Shared, op: &str, size: u64) -> Vec<u64> {
    up_to(shared, last_of(shared, op, size))
}

/// The entry of a durable event by its number in the lineage, the last where none is named.
pub(crate) fn entry_of(shared: &Shared, op: &str, n: Option<u64>) -> Result<u64, LookError> {
    let last = last_of(shared, op, shared.size()).ok_or(LookError::Absent)?;
    let record = standing(shared, last)?.record;
    // A use that is not durable yet has event 1 behind it, which alone is another lineage.
    let n = n.unwrap_or(record.n);
    let back = record.n.checked_sub(n).filter(|_| n > 0 && record.op == op).ok_or(LookError::Absent)?;
    let places = read(&shared.places);
    let back = usize::try_from(back).ok();
    back.and_then(|back| successors(Some(last), |seq| places.before(*seq)).nth(back)).ok_or(LookError::Absent)
}

/// The records of these entries, the last of them where all have more bytes than there is room for; of one at least.
fn last_within(shared: &Shared, entries: &[u64], mut room: usize) -> Result<Vec<Standing>, LookError> {
    let mut events = Vec::new();
    for seq in entries.iter().rev() {
        let event = standing(shared, *seq)?;
        let size = event.record.canonical().len();
        if size > room && !events.is_empty() {
            break;
        }
        room = room.saturating_sub(size);
        events.push(event);
    }
    events.reverse();
    Ok(events)
}

/// The events of a lineage that are below `size`, the last [`MAX_EVENTS`] of them, or of [`MAX_BYTES`].
pub(crate) fn events_of(shared: &Shared, op: &str, size: u64) -> Result<Vec<Standing>, LookError> {
    let events = last_within(shared, &entries_of(shared, op, size), MAX_BYTES)?;
    // A use that was staged and is not durable yet has event 1 behind it, which alone is another lineage.
    match events.last() {
        Some(last) if last.record.op == op => Ok(events),
        _ => Err(LookError::Absent),
    }
}

/// What `/v1/proof/lineage/{op}` answers: the durable events, or those before event `before`, their entries, and how far the last
/// head reaches. Where these are not all, it says how many come before.
pub(crate) fn answer(shared: &Shared, op: &str, before: Option<u64>) -> Result<Value, LookError> {
    let events = match before {
        None => events_of(shared, op, shared.size())?,
        Some(n) => {
            let last = entry_of(shared, op, Some(n.saturating_sub(1)))?;
            last_within(shared, &up_to(shared, Some(last)), MAX_BYTES)?
        }
    };
    let earlier = events.first().map_or(0, |first| first.record.n.saturating_sub(1));
    let head = shared.published().map_or(0, |published| published.head.commitment.size);
    let durability = shared.durability(events.last().map_or(0, |last| last.header.seq + 1));
    let entry = |standing: &Standing| {
        let at = standing.header.at.to_millis_value();
        Value::Object(Object::new().with("seq", standing.header.seq).with("at", at))
    };
    let entries: Vec<Value> = events.iter().map(entry).collect();
    let sealed = events.iter().all(|standing| standing.header.seq < head);
    let records: Vec<Value> = events.iter().map(|standing| standing.record.to_value()).collect();
    let uses = uses_of(shared, op);
    let object = Object::new()
        .with("op", op)
        .with("lineage", id::lineage_name(op))
        .with("events", records)
        .with("entries", entries)
        .with("durability", durability.name())
        .with("sealed", sealed)
        .with("size", shared.size())
        .with_some("earlier", (earlier > 0).then_some(earlier));
    Ok(Value::Object(if uses > 0 { object.with("uses", uses) } else { object }))
}

/// What `/v1/audit/open` answers to a point: what it left open under keys that do not count at `now`, behind the operation
/// `after`. What it began under a key that counts it is running, or will close by its journal.
pub(crate) fn left_open(shared: &Shared, point: &str, after: Option<&str>, now: Time) -> Result<LeftOpen, LookError> {
    let size = shared.size();
    let (mut after, mut ops) = (after.and_then(OpKey::of), Vec::new());
    while ops.len() <= MAX_OPEN {
        // Nothing is read while the book is held: its writer waits.
        let open = read(&shared.book).open_of(point, after.as_ref(), LOOK);
        let Some((last, _)) = open.last() else { break };
        after = Some(*last);
        for (_, seq) in open.into_iter().filter(|(_, seq)| *seq < size) {
            let record = standing(shared, seq)?.record;
            let book = read(&shared.book);
            let key = book.registry().and_then(|registry| registry.key(&record.kid));
            if !key.is_some_and(|key| key.counts_at(now)) {
                ops.push(record.op);
            }
        }
    }
    let more = ops.len() > MAX_OPEN;
    ops.truncate(MAX_OPEN);
    let records = |op: &String| -> Result<Vec<Record>, LookError> {
        Ok(events_of(shared, op, size)?.into_iter().map(|standing| standing.record).collect())
    };
    let lineages = ops.iter().map(records).collect::<Result<_, _>>()?;
    Ok(LeftOpen { lineages, after: ops.pop().filter(|_| more) })
}

/// How many numbered uses of an artifact there are.
fn uses_of(shared: &Shared, op: &str) -> u64 {
    if !matches!(id::split_operation(op), Some((_, None))) {
        return 0;
    }
    let book = read(&shared.book);
    counted(|k| book.last_of(&format!("{op}.{k}")).is_some())
}

/// How many numbers from 1 on are known, none behind one that is not, as those of uses: an artifact may have very many, and who
/// appends waits for the book.
fn counted(known: impl Fn(u64) -> bool) -> u64 {
    let (mut last, mut beyond) = (0, 1);
    while beyond <= MAX_USE && known(beyond) {
        (last, beyond) = (beyond, beyond * 2);
    }
    beyond = beyond.min(MAX_USE + 1);
    while beyond - last > 1 {
        let middle = last + (beyond - last) / 2;
        if known(middle) {
            last = middle;
        } else {
            beyond = middle;
        }
    }
    last
}

/// What `/v1/proof/why/{op}` answers: the event in which an operation was refused or ended, with all that it says;
/// whether its evidence is committed; of an artifact with numbered uses, which are lineages of their own, how many there are; and of
/// one that is told by its issuance whether it is revoked.
pub(crate) fn why(shared: &Shared, op: &str) -> Result<Value, LookError> {
    let size = shared.size();
    let events = events_of(shared, op, size)?;
    let evidence = |standing: &Standing| standing.record.event == EVIDENCE;
    let closed = events.last().is_some_and(evidence);
    // The evidence counts what came before it; how it ended, and by which cause, the outcome says.
    let outcome = || events.iter().rev().find(|standing| !evidence(standing));
    let said = events.iter().rev().find(|standing| standing.record.about.reason.is_some()).or_else(outcome);
    let said = said.ok_or(LookError::Absent)?;
    let record = &said.record;
    let head = shared.published().map_or(0, |published| published.head.commitment.size);
    let about = &record.about;
    let uses = uses_of(shared, op);
    let issued = about.artifact_id.as_deref().filter(|_| record.event == "authorization.issued");
    let revoked = issued.and_then(|artifact| read(&shared.book).revocation_of(artifact)).is_some_and(|seq| seq < size);
    let object = Object::new()
        .with("op", op)
        .with("lineage", id::lineage_name(op))
        .with("event", &record.event)
        .with("by", &record.by)
        .with("at", said.header.at.to_millis_value())
        .with("seq", said.header.seq)
        .with("durability", shared.durability(said.header.seq + 1).name())
        .with("sealed", said.header.seq < head)
        .with("data", record.data.clone())
        .with_some("closed", closed.then_some(true))
        .with_some("uses", (uses > 0).then_some(uses))
        .with_some("revoked", revoked.then_some(true))
        .with_some("reason", about.reason.map(eleven_core::reason::Reason::code))
        .with_some("identity", about.identity.as_ref())
        .with_some("operation", about.operation.as_ref())
        .with_some("artifact_id", about.artifact_id.as_ref())
        .with_some("runtime", about.runtime.as_ref())
        .with_some("policy", about.policy.as_ref().map(eleven_core::policy::PolicyId::to_value))
        .with_some("policy_required", about.policy_required.as_ref());
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests;
