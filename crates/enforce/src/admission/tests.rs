use super::*;
use crate::conformance;
use eleven_core::encoding::{Object, Value, parse};
use std::string::ToString as _;

extern crate std;

fn file() -> Value {
    parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON")
}

fn changed(base: &Object, change: &Value) -> Value {
    let mut case = base.clone();
    for (name, value) in change.as_object().expect("a change").iter() {
        case.insert(name, value.clone());
    }
    Value::Object(case)
}

#[test]
fn every_boundary_of_admission_is_where_the_vectors_put_it() {
    let file = file();
    let base = file.get("base").and_then(Value::as_object).expect("base");
    let cases = file.get("cases").and_then(Value::as_array).expect("cases");
    assert!(cases.len() > 100);
    for case in cases {
        let what = case.get("what").and_then(Value::as_str).expect("what");
        let expected = case.get("expect").and_then(Value::as_str).expect("expect");
        let known = changed(base, case.get("change").expect("change"));
        let outcome = conformance::admission(known).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(conformance::outcome(outcome).to_string(), expected, "{what}");
    }
}

#[test]
fn what_was_issued_before_the_journal_began_may_have_been_used() {
    let file = file();
    let base = file.get("base").and_then(Value::as_object).expect("base").clone();
    let token = base.get("token").and_then(Value::as_str).expect("a token");
    let issued = Token::read(token).expect("a token").issued.ts;
    for (since, admitted) in [(None, true), (Some(issued), true), (Some(issued.plus_millis(1)), false)] {
        let known = Value::Object(base.clone());
        let reason = conformance::admitted_since(known, since).expect("readable").err();
        assert_eq!(reason, (!admitted).then_some(Reason::ArtifactReplayed), "{since:?}");
    }
}
