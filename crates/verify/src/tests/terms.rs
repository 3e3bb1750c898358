//! What was used, where and by whom is what was authorised; and what no file shows is not said to hold. Each check stands
//! alone, so one member that is another is enough to ask it, whatever the hashes say.

use super::{items, text, valid};
use crate::{Caller, Status, verify};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::{Sha3, base64, unbase64};

/// The value with the member that the path leads to as `change` leaves it; a place in a list is its number.
fn with(value: &Value, path: &[&str], change: &dyn Fn(&Value) -> Value) -> Value {
    let Some((name, rest)) = path.split_first() else { return change(value) };
    match value {
        Value::Object(object) => {
            let inner = object.get(name).cloned().unwrap_or(Value::Null);
            Value::Object(object.clone().with(*name, with(&inner, rest, change)))
        }
        Value::Array(items) => {
            let at: usize = name.parse().expect("a place in a list");
            let each = items.iter().enumerate();
            Value::Array(each.map(|(i, item)| if i == at { with(item, rest, change) } else { item.clone() }).collect())
        }
        _ => panic!("there is nothing at {name}"),
    }
}

fn put(value: &Value, path: &str, to: impl Into<Value>) -> Value {
    let (path, to): (Vec<&str>, Value) = (path.split('/').collect(), to.into());
    with(value, &path, &|_| to.clone())
}

fn check(bundle: &Value, name: &str) -> (Status, String) {
    let report = verify(bundle, &Caller::default());
    let found = report.checks.into_iter().find(|check| check.name == name).expect("a check");
    (found.status, found.detail.unwrap_or_default())
}

/// The execution under a policy in which these members are others, which its artifact names.
fn under(members: &[(&str, Value)]) -> Value {
    let changed = members
        .iter()
        .fold(valid("execution"), |bundle, (path, value)| put(&bundle, &format!("policy/{path}"), value.clone()));
    let hash = Sha3::of_value(changed.get("policy").expect("a policy"));
    put(&changed, "artifact/pol/hash", hash)
}

#[test]
fn a_bounded_artifact_has_as_many_uses_as_it_says() {
    let bundle = valid("bounded-use");
    let k: i64 = text(&bundle, "op").split_once('.').and_then(|(_, k)| k.parse().ok()).expect("a number");
    let order = |bundle: &Value| check(bundle, "lineage.order");
    assert_eq!(order(&put(&bundle, "artifact/use/max", Value::Int(k))).0, Status::Passed);
    let with_fewer = put(&bundle, "artifact/use/max", Value::Int(k - 1));
    let more = if k > 1 { with_fewer } else { panic!("the vectors show a second use") };
    assert_eq!(order(&more), (Status::Failed, format!("this is use {k} of an artifact that has {}", k - 1)));
    let rate = Object::new().with("mode", "rate").with("max", 1u64).with("per", 60u64);
    let nonce = bundle.pointer("/artifact/use/nonce").cloned().expect("a nonce");
    assert_eq!(order(&put(&bundle, "artifact/use", rate.with("nonce", nonce))).0, Status::Passed, "a matter of time");
}

#[test]
fn a_point_of_another_runtime_is_no_producer_of_a_lineage() {
    let bundle = valid("open");
    let by = |point: &str| {
        let events = items(bundle.get("events").expect("events")).len();
        let moved = (1..events).fold(bundle.clone(), |bundle, n| put(&bundle, &format!("events/{n}/by"), point));
        check(&moved, "lineage.order")
    };
    assert_eq!(by("k8s://cluster-east-1/ns/inference#gw-9").0, Status::Passed);
    let (status, why) = by("k8s://lab-cluster/ns/sandbox#p-0");
    assert!(status == Status::Failed && why.contains("another runtime"), "{why}");
}

#[test]
fn a_point_is_registered_where_the_artifact_may_be_used() {
    let bundle = valid("execution");
    assert_eq!(check(&bundle, "attestation.binding").0, Status::Passed);
    for (member, what) in [("region", "in another region"), ("tenancy", "for another tenancy")] {
        let (status, why) = check(&put(&bundle, &format!("artifact/env/{member}"), "another"), "attestation.binding");
        assert!(status == Status::Failed && why.contains(what), "{member}: {why}");
    }
}

#[test]
fn what_no_file_shows_is_not_said_to_be_kept() {
    assert_eq!(check(&under(&[]), "policy.hash").0, Status::Passed);
    let approvals = Object::new().with("m", 1u64).with("from", vec![Value::from("human:a")]);
    for (term, value) in [("approvals", Value::Object(approvals)), ("envelope", Value::Object(Object::new()))] {
        let (status, why) = check(&under(&[(&format!("terms/{term}"), value)]), "policy.hash");
        assert!(status == Status::NotChecked && why.contains(term), "{term}: {why}");
    }
    let more = under(&[("terms/envelope", Value::Object(Object::new())), ("terms/ttl", Value::Int(1))]);
    assert_eq!(check(&more, "policy.hash").0, Status::Failed, "what is shown is judged all the same");
}

#[test]
fn the_word_of_hardware_is_not_evidence_of_it() {
    let attested = |least: &str, evidence: &str| {
        let bundle = under(&[("terms/attestation", least.into())]);
        let payload = |payload: &Value| {
            let bytes = unbase64(payload.as_str().expect("a payload")).expect("in base64");
            let statement = parse(&bytes).expect("a statement");
            let evidence = vec![Value::Object(Object::new().with("type", evidence))];
            let claimed = put(&statement, "predicate/evidence", evidence);
            let policy = bundle.pointer("/artifact/pol").cloned().expect("a policy");
            Value::from(base64(&put(&claimed, "predicate/policy", policy).canonical()))
        };
        let path = ["events", "4", "data", "envelope", "payload"];
        check(&with(&bundle, &path, &payload), "attestation.binding")
    };
    let (status, why) = attested("tdx", "tdx");
    assert!(status == Status::NotChecked && why.contains("hardware"), "{why}");
    assert_eq!(attested("tpm2-quote", "tpm2-quote").0, Status::NotChecked);
    assert_eq!(attested("tdx", "tpm2-quote").0, Status::Failed, "that a level is not reached shows");
    assert_eq!(attested("software", "peer-lineage").0, Status::Failed);
}

#[test]
fn cedar_is_a_text_and_its_entities_are_a_list() {
    let of = |name: &str, value: Value| check(&under(&[(name, value)]), "policy.hash").0;
    assert_eq!(of("cedar", "".into()), Status::Passed, "a text that permits nothing");
    assert_eq!(of("cedar", Value::Null), Status::Failed);
    assert_eq!(of("entities", Value::Array(Vec::new())), Status::Passed);
    assert_eq!(of("entities", Value::Object(Object::new())), Status::Failed);
    assert_eq!(of("entities", Value::Null), Status::Failed);
}
