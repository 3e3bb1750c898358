use super::*;
use crate::world::{AUTHORITY, Home, POINT, Producers, single};
use eleven_api::audit::Append;
use eleven_core::event::{About, Place};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Read without a pause while it is written, one event after the other.
#[tokio::test]
async fn a_lineage_that_goes_on_is_never_gone_meanwhile() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    for n in 1..=60 {
        let mut append = Append::default();
        let mut operation = producers.issue(single(n), &[], &mut append);
        ledger.must_append(&append).await;
        let mut rest = Append::default();
        producers.begin(&mut operation, 1, &mut rest);
        producers.finish(&mut operation, &mut rest);
        let whole = 1 + rest.records.len();
        let ended = Arc::new(AtomicBool::new(false));
        let reader = {
            let (shared, op, ended) = (Arc::clone(&ledger.inner.shared), operation.op.clone(), Arc::clone(&ended));
            std::thread::spawn(move || {
                let (mut seen, mut last) = (0, false);
                while !last {
                    last = ended.load(Ordering::Acquire);
                    let events = events_of(&shared, &op, shared.size()).map(|events| events.len());
                    let events = events.unwrap_or_else(|error| panic!("after {seen} events: {error}"));
                    assert!(events >= seen, "{events} events after {seen}");
                    seen = events;
                }
                seen
            })
        };
        for record in rest.records {
            ledger.must_append(&Append { records: vec![record], blobs: rest.blobs.clone() }).await;
        }
        ended.store(true, Ordering::Release);
        assert_eq!(reader.join().expect("it was there all the time"), whole);
    }
}

#[tokio::test]
async fn why_names_how_an_operation_ended_and_not_that_its_evidence_was_committed() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let shared = &ledger.inner.shared;
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    let mut append = Append::default();
    let mut whole = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut whole, 1, &mut append);
    producers.finish(&mut whole, &mut append);
    let mut cut_off = producers.issue(single(2), &[], &mut append);
    producers.begin(&mut cut_off, 1, &mut append);
    ledger.must_append(&append).await;
    let told = |op: &str| why(shared, op).expect("a lineage");
    let text = |said: &Value, name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
    let closed = |said: &Value| said.get("closed") == Some(&Value::Bool(true));
    let said = told(&whole.op);
    assert!(text(&said, "event").as_deref() == Some("execution.completed") && closed(&said), "{said}");
    let said = told(&cut_off.op);
    assert!(text(&said, "event").as_deref() == Some("execution.started") && !closed(&said), "{said}");

    let mut append = Append::default();
    let data = Object::new().with("cause", "restart").with("effect", "unknown");
    append.record(&producers.next(&mut cut_off, "gw-0", POINT, "execution.interrupted", data));
    ledger.must_append(&append).await;
    assert!(!closed(&told(&cut_off.op)), "its evidence is still to come");
    let mut append = Append::default();
    let data = Object::new().with("evidence", Value::Null).with("events", 6u64);
    append.record(&producers.next(&mut cut_off, "gw-0", POINT, "evidence.committed", data));
    ledger.must_append(&append).await;
    let said = told(&cut_off.op);
    assert!(text(&said, "event").as_deref() == Some("execution.interrupted") && closed(&said), "{said}");
    assert_eq!(said.pointer("/data/cause").and_then(Value::as_str), Some("restart"), "{said}");
}

#[tokio::test]
async fn why_says_of_an_artifact_that_it_is_revoked_where_nothing_else_tells() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let shared = &ledger.inner.shared;
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    let mut append = Append::default();
    let unused = producers.issue(single(1), &[], &mut append);
    let mut used = producers.issue(single(2), &[], &mut append);
    producers.begin(&mut used, 1, &mut append);
    ledger.must_append(&append).await;
    let revoked = |op: &str| why(shared, op).expect("a lineage").get("revoked").cloned();
    assert_eq!((revoked(&unused.op), revoked(&used.op)), (None, None));
    let mut append = Append::default();
    append.record(&producers.revoke(&unused.artifact));
    append.record(&producers.revoke(&used.artifact));
    ledger.must_append(&append).await;
    assert_eq!(revoked(&unused.op), Some(Value::Bool(true)));
    assert_eq!(revoked(&used.op), None, "it was used before, and how that ends is told by its own events");
}

#[tokio::test]
async fn of_a_long_lineage_the_end_is_shown_and_each_event_is_found_by_its_number() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let shared = &ledger.inner.shared;
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    let op = id::subject_op("model", "m");
    let all = MAX_EVENTS as u64 + 4;
    let (mut append, mut tip) = (Append::default(), None);
    for n in 1..=all {
        let op = op.clone();
        let place =
            tip.take().map_or_else(|| Place::First { op: op.clone() }, |tip| Place::After { op: op.clone(), tip });
        let data = Object::new().with("cause", "operator").with("kind", "model").with("subject", "m");
        let record = producers.record("authority", AUTHORITY, "lifecycle.contained", place, data, About::default());
        tip = Some(record.tip());
        append.record(&record);
        if n == all || append.records.len() == 500 {
            ledger.must_append(&std::mem::take(&mut append)).await;
        }
    }
    for n in [1, 4, 5, all - 1, all] {
        let seq = entry_of(shared, &op, Some(n)).expect("an entry");
        assert_eq!(standing(shared, seq).expect("a record").record.n, n);
    }
    assert_eq!(entry_of(shared, &op, None).expect("the last"), entry_of(shared, &op, Some(all)).expect("the last"));
    assert!([0, all + 1].iter().all(|n| entry_of(shared, &op, Some(*n)).is_err()));
    // Where they are large, fewer are shown at once, and never none.
    let entries = entries_of(shared, &op, shared.size());
    let one = standing(shared, *entries.last().expect("one")).expect("a record").record.canonical().len();
    let within = |room: usize| -> Vec<u64> {
        last_within(shared, &entries, room).expect("events").iter().map(|event| event.record.n).collect()
    };
    assert_eq!((within(0), within(2 * one), within(3 * one - 1)), (vec![all], vec![all - 1, all], vec![all - 1, all]));
    let shown = |before: Option<u64>| {
        let said = answer(shared, &op, before).expect("a lineage");
        let events = said.get("events").and_then(Value::as_array).expect("events");
        let number = |event: Option<&Value>| event.and_then(|event| event.get("n")).and_then(Value::as_int);
        let earlier = said.get("earlier").and_then(Value::as_int);
        (number(events.first()), number(events.last()), earlier)
    };
    let last = i64::try_from(all).expect("few");
    assert_eq!(shown(None), (Some(5), Some(last), Some(4)));
    assert_eq!(shown(Some(5)), (Some(1), Some(4), None));
    assert!(answer(shared, &op, Some(1)).is_err() && answer(shared, &op, Some(all + 2)).is_err());
}

#[test]
fn uses_are_counted_to_the_last_one_and_few_are_looked_up() {
    for all in [0, 1, 2, 3, 4, 5, 999, 1000, 1001, 1023, 1024, 1025, 65_537, MAX_USE - 1, MAX_USE] {
        let looked = Cell::new(0);
        let known = |k: u64| {
            looked.set(looked.get() + 1);
            assert!((1..=MAX_USE).contains(&k), "{k} is no number of a use");
            k <= all
        };
        assert_eq!(counted(known), all);
        assert!(looked.get() <= 101, "{} looked up for {all}", looked.get());
    }
}
