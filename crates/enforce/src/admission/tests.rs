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
        let reason = conformance::admitted_where(known, |held| held.uses_since = since).expect("readable").err();
        assert_eq!(reason, (!admitted).then_some(Reason::ArtifactReplayed), "{since:?}");
    }
}

/// The reason for which the case in which everything is in order is refused where the point holds something else.
fn refused(change: impl FnOnce(&mut Held<'_>)) -> Option<Reason> {
    let base = file().get("base").expect("base").clone();
    conformance::admitted_where(base, change).expect("readable").err()
}

#[test]
fn a_view_from_before_the_clock_went_back_is_no_fresh_one() {
    let now = Time::parse_millis(file().pointer("/base/now").and_then(Value::as_str).expect("a time")).expect("a time");
    let issued = |held: &Held<'_>| held.view.expect("a view").stamp().issued;
    let ahead = |held: &mut Held<'_>| held.stamped = Some(now.plus_millis(MAX_STAMP_AHEAD_MS + 1));
    assert_eq!(refused(ahead), Some(Reason::RuntimeClock), "the stamp that was heard last");
    assert_eq!(refused(|held| held.stamped = None), None, "the stamp that is held is not ahead");
    assert_eq!(refused(|held| held.stamped = Some(issued(held).plus_seconds(-70))), None);
    // As old as it may be by the clock that nobody sets, and a millisecond older.
    assert_eq!(refused(|held| held.held_ms = held.view.expect("a view").fresh_ms()), None);
    let older = |held: &mut Held<'_>| held.held_ms = held.view.expect("a view").fresh_ms() + 1;
    assert_eq!(refused(older), Some(Reason::IssuerUnavailable));
}

#[test]
fn the_stamp_that_is_held_counts_where_an_older_one_was_heard_since() {
    let mut base = file().get("base").and_then(Value::as_object).expect("base").clone();
    let now = Time::parse_millis(base.get("now").and_then(Value::as_str).expect("a time")).expect("a time");
    let back = now.plus_seconds(-70);
    base.insert("now", back.to_millis_value());
    base.insert("last_now", back.to_millis_value());
    let known = Value::Object(base);
    let reason = conformance::admitted_where(known, |held| held.stamped = Some(back)).expect("readable").err();
    assert_eq!(reason, Some(Reason::RuntimeClock));
}
