//! The bundles of the vectors: those that verify, with the status of each check, and those that must fail.

use super::{bytes, items, text, valid, vector};
use crate::{Caller, Keys, Kind, Pinned, Report, Status, Verdict, check_names, verify, verify_bytes};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use eleven_core::encoding::{Object, TOO_MUCH, Value};
use eleven_core::limits::MAX_BUNDLE;
use eleven_core::registry::KeyTables;
use eleven_core::root::KeyRecord;
use eleven_core::time::Time;

fn failures(report: &Report) -> Vec<&str> {
    report.failed().map(|check| check.name).collect()
}

/// Who makes the keys of each bundle anew, and who keeps them from one to the next.
fn callers<'a>(root: &'a Pinned, keys: &'a Keys<'a>) -> [Caller<'a>; 2] {
    let anew = Caller { root: Some(root), ..Caller::default() };
    [anew, Caller { keys: Some(keys), ..anew }]
}

#[test]
fn every_bundle_that_verifies_has_the_status_of_each_check() {
    let root = Pinned::new(vector("root.json"));
    let (tables, file) = (RefCell::new(KeyTables::new()), vector("bundles.json"));
    let keys = |record: &KeyRecord| tables.borrow_mut().key(record);
    for (case, caller) in items(&file).iter().flat_map(|case| callers(&root, &keys).map(|caller| (case, caller))) {
        let report = verify(case.get("bundle").expect("a bundle"), &caller);
        let expected = case.get("checks").and_then(Value::as_object).expect("checks");
        assert_eq!(report.checks.len(), expected.len());
        for check in &report.checks {
            let status = expected.get(check.name).and_then(Value::as_str);
            assert_eq!(Some(check.status.name()), status, "{}: {check:?}", text(case, "what"));
        }
        assert_eq!((report.verdict, report.exit_code()), (Verdict::Verified, 0));
    }
}

#[test]
fn every_bundle_that_must_fail_fails_in_exactly_the_checks_named() {
    let root = Pinned::new(vector("root.json"));
    let tables = RefCell::new(KeyTables::new());
    let keys = |record: &KeyRecord| tables.borrow_mut().key(record);
    let file = vector("bundles-that-fail.json");
    let mut others = Vec::new();
    let cases = items(file.get("cases").expect("cases")).iter();
    for (case, caller) in cases.flat_map(|case| callers(&root, &keys).map(|caller| (case, caller))) {
        let (what, base) = (text(case, "what"), text(case, "base"));
        let base = file.get("bases").and_then(|bases| bases.get(base)).cloned().unwrap_or_else(|| valid(base));
        let change = case.get("change").and_then(Value::as_object).expect("a change");
        let report = verify(&Value::Object(merged(base.as_object().expect("a bundle"), change)), &caller);
        let failed = failures(&report);
        assert!(failed.contains(&text(case, "must_fail")), "{what}: {failed:?}");
        assert_eq!((report.verdict, report.exit_code()), (Verdict::Failed, 1), "{what}");
        let named: Vec<&str> =
            items(case.get("all_failed").expect("all_failed")).iter().flat_map(Value::as_str).collect();
        if failed != named {
            others.push(format!("{what}: {failed:?} instead of {named:?}"));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

fn merged(base: &Object, change: &Object) -> Object {
    let mut bundle = base.clone();
    for (name, value) in change.iter() {
        match value {
            Value::Null => bundle.remove(name),
            value => bundle.insert(name, value.clone()),
        };
    }
    bundle
}

#[test]
fn the_file_verifies_under_its_root_and_is_unpinned_without() {
    let bytes = bytes("bundle.proof.json");
    let root = Pinned::new(vector("root.json"));
    let report = verify_bytes(&bytes, &Caller { root: Some(&root), ..Caller::default() }).expect("I-JSON");
    assert_eq!(report.verdict, Verdict::Verified);
    let unpinned = verify_bytes(&bytes, &Caller::default()).expect("I-JSON");
    assert_eq!((unpinned.verdict, unpinned.exit_code()), (Verdict::Unpinned, 1));
    assert_eq!(unpinned.status("root.pinned"), Some(Status::NotChecked));
    assert!(verify_bytes(b"{\"v\":1.5}", &Caller::default()).is_err());
    assert!(verify_bytes(b"", &Caller::default()).is_err());
}

#[test]
fn more_values_than_a_bundle_has_bytes_for_are_not_read() {
    let file = |values: usize| format!("[{}0]", "0,".repeat(values - 2)).into_bytes();
    let most = MAX_BUNDLE / 2 + 1;
    // What it refuses is past the limit of a bundle's bytes.
    assert!(file(most).len() > MAX_BUNDLE);
    let read = verify_bytes(&file(most), &Caller::default());
    assert_eq!(read.map(|report| report.verdict), Ok(Verdict::Failed));
    let refused = verify_bytes(&file(most + 1), &Caller::default());
    assert_eq!(refused.map_err(|error| error.what).map(drop), Err(TOO_MUCH));
}

/// What is past the limit of a bundle is looked at all the same, each check standing alone: what an event asks of the keys must
/// not grow with them. Each for each this would be twelve hundred million looks.
#[test]
fn many_keys_beside_many_events_are_verified() {
    const EVENTS: usize = 8_000;
    const KEYS: usize = 150_000;
    let Value::Object(bundle) = valid("execution") else { panic!("an object") };
    let second = |list: &str| items(bundle.get(list).expect("a list"))[1].clone();
    let (event, entry) = (second("events"), second("entries"));
    let Some(Value::Object(registry)) = bundle.get("registry").cloned() else { panic!("a registry") };
    let named = |n: usize| Object::new().with("kind", "key").with("record", named_key(n));
    let mut records: Vec<Value> = (0..KEYS).map(|n| Value::Object(named(n))).collect();
    records.extend_from_slice(items(registry.get("records").expect("records")));
    let bundle = bundle
        .with("events", vec![event; EVENTS])
        .with("entries", vec![entry; EVENTS])
        .with("registry", registry.with("records", records));
    let report = verify(&Value::Object(bundle), &Caller::default());
    assert_eq!(report.status("lineage.signatures"), Some(Status::Passed), "the one that signed is the last");
}

fn named_key(n: usize) -> Object {
    Object::new().with("kid", format!("key:11-11/point/{n:06}"))
}

#[test]
fn of_two_keys_of_one_name_the_first_counts() {
    let Value::Object(bundle) = valid("execution") else { panic!("an object") };
    let Some(Value::Object(registry)) = bundle.get("registry").cloned() else { panic!("a registry") };
    let records = items(registry.get("records").expect("records"));
    let signed = items(bundle.get("events").expect("events")).first().map(|event| text(event, "kid"));
    let of_signer =
        |record: &Value| record.get("record").and_then(|key| key.get("kid")).and_then(Value::as_str) == signed;
    let bare = Object::new().with("kind", "key").with("record", Object::new().with("kid", signed.expect("a name")));
    let bare = [Value::Object(bare)];
    let with = |records: Vec<Value>| {
        let registry = registry.clone().with("records", records);
        let report = verify(&Value::Object(bundle.clone().with("registry", registry)), &Caller::default());
        report.status("lineage.signatures")
    };
    assert!(records.iter().any(of_signer));
    assert_eq!(with([records, &bare[..]].concat()), Some(Status::Passed));
    assert_eq!(with([&bare[..], records].concat()), Some(Status::Failed));
}

#[test]
fn the_result_document_is_as_the_protocol_gives_it() {
    let root = Pinned::new(vector("root.json"));
    let report = verify(&valid("execution"), &Caller { root: Some(&root), ..Caller::default() }).to_value();
    let names: Vec<&str> = report.as_object().expect("an object").iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["at", "checks", "kind", "op", "size", "verdict"]);
    assert_eq!((text(&report, "verdict"), text(&report, "kind")), ("verified", "execution"));
    assert_eq!(report.get("size"), Some(&Value::Int(64)));
    let checks = items(report.get("checks").expect("checks"));
    assert!(checks.iter().map(|check| text(check, "name")).eq(check_names()));
    assert!(checks.iter().all(|check| check.as_object().expect("an object").len() <= 3));
}

#[test]
fn what_the_caller_asks_for_has_to_be_shown() {
    let bundle = valid("open");
    let op = text(&bundle, "op").to_owned();
    let at = Time::parse_millis(text(bundle.get("head").expect("a head"), "at")).expect("a time");
    let failed = |caller: Caller<'_>| failures(&verify(&bundle, &caller)).join(" ");
    assert_eq!(failed(Caller { kind: Some(Kind::Open), op: Some(&op), ..Caller::default() }), "");
    assert_eq!(failed(Caller { kind: Some(Kind::Execution), ..Caller::default() }), "bundle.form");
    assert_eq!(failed(Caller { op: Some("9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM41"), ..Caller::default() }), "bundle.form");
    let aged = |millis: i64| Caller { now: Some(at.plus_millis(millis)), max_age: Some(10), ..Caller::default() };
    assert_eq!(failed(aged(10_000)), "");
    assert_eq!(failed(aged(10_001)), "head.fresh");
    assert_eq!(failed(aged(-2_000)), "");
    assert_eq!(failed(aged(-2_001)), "head.fresh");
    assert_eq!(failed(Caller { max_age: Some(10), ..Caller::default() }), "head.fresh");
}
