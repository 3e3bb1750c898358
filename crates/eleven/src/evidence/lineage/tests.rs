use super::*;
use eleven_core::chain::Entry;
use eleven_core::encoding::{Object, parse};
use eleven_core::event::Event;
use std::path::Path;

fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name);
    parse(&std::fs::read(path).expect("a file")).expect("I-JSON")
}

/// The execution of the vectors: consumed in entry 12, by a point that entry 7 registered.
fn bundle() -> Object {
    let file = vectors("bundles.json");
    let mut cases = file.as_array().expect("cases").iter();
    let named = cases.find(|case| case.get("what").and_then(Value::as_str) == Some("execution"));
    named.and_then(|case| case.get("bundle")).and_then(Value::as_object).expect("a bundle").clone()
}

fn entries() -> Vec<Entry> {
    let file = vectors("ledger.json");
    let entries = file.get("entries").and_then(Value::as_array).expect("entries").iter();
    let entries = entries.map(|entry| Entry::read(entry.clone()).expect("an entry"));
    entries.filter(|entry| event(entry).is_some_and(|event| event.registry)).collect()
}

fn event(entry: &Entry) -> Option<&'static Event> {
    entry.record.get("event").and_then(Value::as_str).and_then(Event::parse)
}

const REGISTERED: u64 = 7;

/// The registry's history with further entries about the point: under these numbers, of these names, with these data.
fn history(more: &[(u64, &str, &Value)]) -> History {
    let mut entries = entries();
    for (seq, name, data) in more {
        let registered = entries.iter().find(|entry| entry.header.seq == REGISTERED).expect("a registration").clone();
        let at = entries.partition_point(|entry| entry.header.seq < *seq);
        let before = entries[at - 1].header.at;
        let record = registered.record.as_object().expect("a record").clone();
        let record = Value::Object(record.with("event", *name).with("data", (*data).clone()));
        entries.insert(at, Entry { header: EntryHeader { seq: *seq, at: before, ..registered.header }, record });
    }
    History::of(&entries).expect("a history")
}

fn registration() -> Object {
    let entry = entries().into_iter().find(|entry| entry.header.seq == REGISTERED).expect("a registration");
    entry.record.get("data").and_then(Value::as_object).expect("data").clone()
}

fn misbound(bundle: &Object, history: &History) -> Option<String> {
    Lineage::of(&Value::Object(bundle.clone())).expect("a lineage").0.misbound(history, u64::MAX)
}

#[test]
fn a_binding_is_held_against_the_registration_that_was_in_force() {
    let first = Value::Object(registration());
    let other = Value::Object(registration().with("config", Sha3::of(&[b"another configuration"])));
    let removed = Value::Object(Object::new().with("point", first.get("point").cloned().expect("a point")));
    let (registered, out) = ("runtime.registered", "runtime.removed");
    let shows = |data: &Value| {
        let record = Value::Object(Object::new().with("data", data.clone()));
        bundle().with("registered", Object::new().with("record", record))
    };
    let says = |bundle: &Object, more: &[(u64, &str, &Value)]| misbound(bundle, &history(more)).unwrap_or_default();
    assert_eq!(says(&bundle(), &[]), "", "the registry's own row, which it was");
    // Replaced after the consumption: the file shows the one before, and the history agrees.
    assert_eq!(says(&shows(&first), &[(20, registered, &other)]), "");
    assert_eq!(says(&shows(&first), &[(20, out, &removed)]), "");
    // Replaced before it: whoever hands on the older one is refuted, and so is who shows today's row for that of then.
    assert!(
        says(&shows(&first), &[(9, registered, &other)]).contains("registered by entry 9, which says something else")
    );
    assert_eq!(says(&shows(&other), &[(9, registered, &other), (20, registered, &first)]), "");
    assert!(says(&bundle(), &[(9, registered, &other), (20, registered, &first)]).contains("registered by entry 9"));
    assert!(says(&shows(&first), &[(9, out, &removed)]).contains("was not registered"));
    assert_eq!(says(&bundle(), &[(9, out, &removed), (10, registered, &first)]), "", "and registered again");
    assert!(says(&shows(&other), &[]).contains("registered by entry 7"), "one that was never made");
}

#[test]
fn of_what_was_consumed_while_it_was_exported_the_history_before_it_tells_nothing() {
    let other = Value::Object(registration().with("config", Sha3::of(&[b"another configuration"])));
    let record = Value::Object(Object::new().with("data", other));
    let shows = bundle().with("registered", Object::new().with("record", record));
    let of = |bundle: Object| Lineage::of(&Value::Object(bundle)).expect("a lineage").0;
    let (own, lineage) = (of(bundle()), of(shows));
    // Under that head the history ends before the new registration and the consumption.
    assert!(lineage.misbound(&history(&[]), 11).is_none() && !lineage.is_told(11), "its binding stays open");
    assert!(lineage.misbound(&history(&[]), 1000).is_some() && lineage.is_told(1000));
    assert!(!own.is_told(1000), "the registry's own row needs no telling");
}

#[test]
fn where_nothing_was_attested_nothing_is_bound() {
    let mut open = bundle();
    for name in ["events", "entries"] {
        let first = open.get(name).and_then(Value::as_array).expect("a list")[..4].to_vec();
        open.insert(name, first);
    }
    let removed = Value::Object(Object::new().with("point", "k8s://cluster-east-1/ns/inference#gw-0"));
    assert_eq!(misbound(&open, &history(&[(9, "runtime.removed", &removed)])), None);
}

#[test]
fn an_artifact_that_was_revoked_unused_is_proven_under_whichever_head() {
    let file = vectors("bundles.json");
    let mut cases = file.as_array().expect("cases").iter();
    let named = cases.find(|case| case.get("what").and_then(Value::as_str) == Some("interrupted-after-revocation"));
    let bundle = named.and_then(|case| case.get("bundle")).and_then(Value::as_object).expect("a bundle").clone();
    let speak_against = |bundle: Object| {
        let report = eleven_verify::verify(&Value::Object(bundle), &eleven_verify::Caller::default());
        assert!(report.failed().any(|check| check.name == "artifact.unrevoked"), "it is told of");
        against(&report).any(|check| check.name == "artifact.unrevoked")
    };
    let unused = bundle.with("kind", "unused");
    assert!(!speak_against(unused.clone()), "no registry's history is asked, which may end before the revocation");
    let revocation = unused.get("revocation").and_then(Value::as_object).expect("a revocation").clone();
    let seq = revocation.get("seq").and_then(Value::as_uint).expect("a number");
    assert!(speak_against(unused.with("revocation", revocation.with("seq", seq + 1))), "one that is not in the ledger");
}
