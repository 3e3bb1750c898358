use super::*;
use crate::conformance;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::signature::{SeedSigner, bytes32};
use std::boxed::Box;
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
fn a_view_is_fresh_by_both_clocks_and_where_its_stamp_is_not_of_a_time_to_come() {
    let admitted = refused(|held| {
        let view = held.view.expect("a view");
        let (most, issued) = (view.fresh_ms(), view.stamp().issued);
        let fresh = |held_ms: i64, after: i64| is_fresh(view, held_ms, issued.plus_millis(after));
        assert!(fresh(0, 0) && fresh(most, most));
        assert!(!fresh(most + 1, 0) && !fresh(0, most + 1));
        assert!(fresh(0, -MAX_STAMP_AHEAD_MS) && !fresh(0, -MAX_STAMP_AHEAD_MS - 1));
    });
    assert_eq!(admitted, None);
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

#[test]
fn what_denies_every_operation_is_told_without_one_and_denies_the_vectors_too() {
    let file = file();
    let base = file.get("base").and_then(Value::as_object).expect("base");
    let moment = |known: &Value| known.get("now").and_then(Value::as_str).and_then(Time::parse_millis).expect("a time");
    let told = [
        ("the clock is behind what this point has seen", Reason::RuntimeClock),
        ("a stamp three seconds ahead of the clock", Reason::RuntimeClock),
        ("an older epoch than this point has seen", Reason::RuntimeContained),
        ("this runtime is contained", Reason::RuntimeContained),
        ("this point is contained", Reason::RuntimeContained),
        ("its cluster is contained", Reason::RuntimeContained),
        ("the domain is contained", Reason::RuntimeContained),
        ("the mesh is contained", Reason::RuntimeContained),
        ("audit backlog past its bound", Reason::AuditDiscontinuity),
    ];
    let mut found = Vec::new();
    let mut whys = Vec::new();
    for case in file.get("cases").and_then(Value::as_array).expect("cases") {
        let what = case.get("what").and_then(Value::as_str).expect("what");
        let known = changed(base, case.get("change").expect("change"));
        let (now, mut all) = (moment(&known), None);
        let admitted = conformance::admitted_where(known, |held| all = denies_all(held, now));
        let admitted = admitted.unwrap_or_else(|error| panic!("{what}: {error}"));
        if let Some((reason, why)) = all {
            assert!(admitted.is_err(), "{what}: {why}");
            found.push((what, reason));
            whys.push(why);
        }
    }
    let named = |what: &str| told.iter().find(|(told, _)| *told == what).copied();
    for (what, reason) in told {
        assert!(found.contains(&(what, reason)), "{what}: {found:?}");
    }
    for (what, reason) in &found {
        assert_eq!(named(what), Some((*what, *reason)), "what depends on the operation is left to it");
    }

    let lifts = "`eleven subject lift runtime k8s://cluster-east-1`";
    assert!(whys.iter().any(|why| why.contains(lifts)), "which of them, and what to do: {whys:?}");
    let again = |why: &String| why.contains("went back from epoch") && why.contains("do again what was done since");
    assert!(whys.iter().any(again), "there is nothing to be lifted: {whys:?}");

    // What no vector speaks of.
    let all = |change: &dyn Fn(&mut Held<'_>)| {
        let (known, mut all) = (Value::Object(base.clone()), None);
        let now = moment(&known);
        let admitted = conformance::admitted_where(known, |held| {
            change(held);
            all = denies_all(held, now);
        });
        let denied = admitted.expect("readable").err();
        assert_eq!(denied, all.as_ref().map(|(reason, _)| *reason));
        all
    };
    assert_eq!(all(&|_| {}), None);
    assert_eq!(all(&|held| held.unproven_ms = Some((2000, 2000))), None);
    let (reason, why) = all(&|held| held.unproven_ms = Some((2001, 2000))).expect("it denies");
    assert!(reason == Reason::AuditDiscontinuity && why.contains("2001 ms"), "{why}");
}

#[test]
fn a_registry_went_back_until_the_epoch_that_was_seen_is_reached() {
    let why = went_back(4, 7).expect("it went back");
    assert!(why.contains("from epoch 7 to 4") && why.ends_with("until epoch 7 is reached"), "{why}");
    assert!(went_back(6, 7).is_some());
    assert_eq!((went_back(7, 7), went_back(8, 7)), (None, None));
}

/// What a point signs with, by a key of the vectors.
fn signing(usage: KeyUse, kid: &str, label: &str) -> &'static [(KeyUse, &'static dyn Signer)] {
    let ledger = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let seed = ledger.get("seeds").and_then(|seeds| seeds.get(label)).and_then(Value::as_str).and_then(bytes32);
    let signer: &'static SeedSigner = Box::leak(Box::new(SeedSigner::new(kid, &seed.expect("a seed"))));
    Box::leak(Box::new([(usage, signer as &dyn Signer)]))
}

#[test]
fn a_point_whose_own_key_does_not_count_admits_nothing() {
    let (event, attestation) = ("key:11-11/gw-0/2026-q2", "key:11-11/attest-0/2026-q2");
    for (usage, kid, label, expected) in [
        (KeyUse::Event, event, "gw-0", None),
        (KeyUse::Attestation, attestation, "attest-0", None),
        (KeyUse::Attestation, event, "gw-0", Some(Reason::RuntimeIntegrity)),
        (KeyUse::Attestation, "key:11-11/attest-0/never", "attest-0", Some(Reason::RuntimeIntegrity)),
        (KeyUse::Attestation, attestation, "gw-0", Some(Reason::RuntimeIntegrity)),
        // The neighbour's, sound as it is.
        (KeyUse::Attestation, "key:11-11/attest-1/2026-q2", "attest-1", Some(Reason::RuntimeIntegrity)),
    ] {
        let signs = signing(usage, kid, label);
        assert_eq!(refused(|held| held.signs = signs), expected, "{} {kid} of {label}", usage.name());
    }
}
