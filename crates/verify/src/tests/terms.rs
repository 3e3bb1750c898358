//! What was used, where and by whom is what was authorised; and what no file shows is not said to hold. Each check stands
//! alone, so one member that is another is enough to ask it, whatever the hashes say.

use super::{items, text, valid};
use crate::{Caller, Status, verify};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::{Sha3, Sha256, base64, unbase64};
use eleven_core::id;
use eleven_core::index::{OperationIndex, revoked_key, revoked_value};
use eleven_core::time::Time;

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

pub(super) fn put(value: &Value, path: &str, to: impl Into<Value>) -> Value {
    let (path, to): (Vec<&str>, Value) = (path.split('/').collect(), to.into());
    with(value, &path, &|_| to.clone())
}

pub(super) fn check(bundle: &Value, name: &str) -> (Status, String) {
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

/// The bundle whose attestation states something else there, by nobody's signature.
fn stating(bundle: &Value, path: &str, to: impl Into<Value>) -> Value {
    let to: Value = to.into();
    let payload = |payload: &Value| {
        let bytes = unbase64(payload.as_str().expect("a payload")).expect("in base64");
        let statement = parse(&bytes).expect("a statement");
        Value::from(base64(&put(&statement, path, to.clone()).canonical()))
    };
    with(bundle, &["events", "4", "data", "envelope", "payload"], &payload)
}

/// What the order of a denial comes to once its event is another; its op, and the bundle's, are that one's.
fn denied(bundle: &Value, change: impl Fn(Object) -> Object) -> (Status, String) {
    let event = change(bundle.pointer("/events/0").and_then(Value::as_object).expect("an event").clone());
    let op = id::of_canonical(&event.canonical_without(&["op", "event_hash", "event_hash_alt", "sig"]));
    let bundle = put(bundle, "op", op.as_str());
    check(&put(&bundle, "events/0", event.with("op", op)), "lineage.order")
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
        let evidence = vec![Value::Object(Object::new().with("type", evidence))];
        let claimed = stating(&bundle, "predicate/evidence", evidence);
        let policy = bundle.pointer("/artifact/pol").cloned().expect("a policy");
        check(&stating(&claimed, "predicate/policy", policy), "attestation.binding")
    };
    let (status, why) = attested("tdx", "tdx");
    assert!(status == Status::NotChecked && why.contains("hardware"), "{why}");
    assert_eq!(attested("tpm2-quote", "tpm2-quote").0, Status::NotChecked);
    assert_eq!(attested("tdx", "tpm2-quote").0, Status::Failed, "that a level is not reached shows");
    assert_eq!(attested("software", "peer-lineage").0, Status::Failed);
    let (status, why) = attested("software", "tdx");
    assert!(status == Status::NotChecked && why.contains("hardware"), "in the place of software: {why}");
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

/// The number of the entry that is shown whole under that name.
fn entry_of(bundle: &Value, name: &str) -> i64 {
    bundle.pointer(&format!("/{name}/seq")).and_then(Value::as_int).expect("a number")
}

#[test]
fn what_was_revoked_before_it_was_consumed_is_revoked() {
    let bundle = valid("interrupted-after-revocation");
    let revoked = entry_of(&bundle, "revocation");
    let consumed_in = |seq: i64| check(&put(&bundle, "entries/1/seq", Value::Int(seq)), "artifact.unrevoked");
    assert_eq!(consumed_in(revoked - 1).0, Status::Passed);
    for seq in [revoked, revoked + 1] {
        let why = format!("revoked in entry {revoked}, consumed only in entry {seq}");
        assert_eq!(consumed_in(seq), (Status::Failed, why));
    }
}

/// The bundle under a head whose index has this of its artifact's revocation, and nothing else.
fn indexed(bundle: &Value, revoked: Option<Sha256>) -> Value {
    let key = revoked_key(text(bundle.get("artifact").expect("an artifact"), "id"));
    let mut index = OperationIndex::new();
    if let Some(value) = revoked {
        index.insert(key, value);
    }
    let root = index.rehash();
    put(&put(bundle, "index/revoked", index.prove(&key).to_value()), "head/index", root)
}

#[test]
fn a_revocation_is_of_this_artifact_and_the_one_that_the_index_has() {
    let bundle = valid("interrupted-after-revocation");
    let unrevoked = |bundle: &Value| check(bundle, "artifact.unrevoked");
    let failed = |why: &str| (Status::Failed, String::from(why));
    let hash = bundle.pointer("/revocation/record/event_hash").and_then(Value::as_str).and_then(Sha3::parse);
    let own = Some(revoked_value(&hash.expect("a hash")));
    assert_eq!(unrevoked(&indexed(&bundle, own)), (Status::Passed, String::new()));
    let none = failed("a revocation is shown that the index does not have");
    assert_eq!(unrevoked(&indexed(&bundle, None)), none);
    let other = Some(revoked_value(&Sha3::of(&[b"another"])));
    let why = "the index has another revocation than the one that is shown";
    assert_eq!(unrevoked(&indexed(&bundle, other)), failed(why));
    let why = "the proof shows neither that the artifact is revoked nor that it is not";
    assert_eq!(unrevoked(&put(&bundle, "head/index", Sha256::ZERO)), failed(why));
    let another = format!("auth_{}", text(&valid("execution"), "op"));
    for (path, value) in [("event", "policy.retired"), ("data/artifact", another.as_str())] {
        let why = "what is shown as the revocation is not one of this artifact";
        assert_eq!(unrevoked(&put(&bundle, &format!("revocation/record/{path}"), value)), failed(why));
    }
    let why = "the hashes of `authorization.revoked` do not follow from it";
    assert_eq!(unrevoked(&put(&bundle, "revocation/record/data/why", "another")), failed(why));
    let seq = entry_of(&bundle, "revocation") + 1;
    let why = format!("entry {seq} is not in the head's tree with what is shown of it");
    assert_eq!(unrevoked(&put(&bundle, "revocation/seq", Value::Int(seq))), failed(&why));
    let why = "the artifact was revoked, and the ledger has no use of it";
    assert_eq!(unrevoked(&put(&bundle, "kind", "unused")), failed(why));
}

#[test]
fn an_artifact_is_this_operation_s_and_an_authority_s_of_this_domain() {
    let bundle = valid("execution");
    let (id, other) = (format!("auth_{}", text(&bundle, "op")), String::from(text(&valid("open"), "op")));
    let why = format!("`{id}` is the artifact of another operation than `{other}`");
    assert_eq!(check(&put(&bundle, "op", other.as_str()), "artifact.digest"), (Status::Failed, why));
    let why = "`governance://elsewhere/authority/prod` is not an authority of `11-11`";
    let elsewhere = put(&bundle, "artifact/iss", "governance://elsewhere/authority/prod");
    assert_eq!(check(&elsewhere, "artifact.signature"), (Status::Failed, why.into()));
}

#[test]
fn the_first_event_issues_the_artifact_that_is_shown_and_a_use_is_of_its_mode() {
    let bundle = valid("execution");
    let order = |bundle: &Value| check(bundle, "lineage.order");
    assert_eq!(order(&bundle), (Status::Passed, String::new()));
    for (member, other) in [("chash", Value::from(Sha3::of(&[b"another"]))), ("exp", "2026-05-12T18:00:00Z".into())] {
        let why = "the first event issues another artifact: `chash` or `exp` differ";
        assert_eq!(order(&put(&bundle, &format!("events/0/data/{member}"), other)), (Status::Failed, why.into()));
    }
    let numbered = (Status::Failed, String::from("uses are numbered where there may be many, and only there"));
    let usage = |bundle: &Value, mode: &str| {
        let nonce = bundle.pointer("/artifact/use/nonce").cloned();
        Object::new().with("mode", mode).with("nonce", nonce)
    };
    let many = usage(&bundle, "bounded").with("max", 2u64);
    assert_eq!(order(&put(&bundle, "artifact/use", many)), numbered);
    let bounded = valid("bounded-use");
    assert_eq!(order(&put(&bounded, "artifact/use", usage(&bounded, "single"))), numbered);
    let back = put(&bundle, "events/3/ts", "2026-05-12T17:04:11.000Z");
    assert_eq!(order(&back), (Status::Failed, "the point's clock went back between two events".into()));
}

#[test]
fn what_was_published_is_the_policy_that_is_shown() {
    let bundle = valid("execution");
    let published =
        |path: &str, value: Value| check(&put(&bundle, &format!("published/{path}"), value), "policy.published");
    assert_eq!(check(&bundle, "policy.published"), (Status::Passed, String::new()));
    let list = |name: &str| Value::Array(vec![Value::from(name)]);
    for (member, other) in [
        ("ref", Value::from("policy://medical/inference/v4")),
        ("hash", Sha3::of(&[b"another"]).into()),
        ("operations", list("tool.call")),
        ("runtimes", list("k8s://*/ns/other")),
    ] {
        let why = "what was published is another policy, or covers something else";
        assert_eq!(published(&format!("record/data/{member}"), other), (Status::Failed, why.into()), "{member}");
    }
    let why = "the publication is an event `policy.retired`";
    assert_eq!(published("record/event", "policy.retired".into()), (Status::Failed, why.into()));
    let why = "the hashes of `policy.published` do not follow from it";
    assert_eq!(published("record/ts", "2026-05-12T16:00:00.000Z".into()), (Status::Failed, why.into()));
}

#[test]
fn an_attestation_agrees_with_all_that_it_names() {
    let bundle = valid("execution");
    let binding = |bundle: &Value| check(bundle, "attestation.binding");
    let another = || Sha3::of(&[b"another"]);
    let artifact = format!("auth_{}", text(&valid("open"), "op"));
    for (path, other, what) in [
        ("subject/0/name", Value::from(artifact.as_str()), "artifact"),
        ("subject/0/digest/sha3_512", another().hex().into(), "artifact"),
        ("predicate/operation/model", "another".into(), "operation"),
        ("predicate/policy/ref", "policy://medical/inference/v4".into(), "policy"),
        ("predicate/policy/hash", another().into(), "policy"),
    ] {
        let why = format!("the attestation does not agree on: {what}");
        assert_eq!(binding(&stating(&bundle, path, other)), (Status::Failed, why), "{path}");
    }
    for measured in ["binary", "config"] {
        let why = "the software evidence names another binary or configuration than the point registered";
        let other = stating(&bundle, &format!("predicate/evidence/0/{measured}"), another());
        assert_eq!(binding(&other), (Status::Failed, why.into()), "{measured}");
    }
    let (id, by) = (format!("auth_{}", text(&bundle, "op")), bundle.pointer("/events/4/by").and_then(Value::as_str));
    let by = by.expect("a producer");
    let other = id::attestation_id(&artifact, by, text(&bundle, "op"));
    let why = "the attestation's id is not this operation's";
    assert_eq!(binding(&put(&bundle, "events/4/data/attestation", other)), (Status::Failed, why.into()));
    let elsewhere = put(&bundle, "events/4/op", text(&valid("open"), "op"));
    let named = id::attestation_id(&id, by, text(&valid("open"), "op"));
    let why = "the attestation is of another operation";
    assert_eq!(binding(&put(&elsewhere, "events/4/data/attestation", named)), (Status::Failed, why.into()));
}

#[test]
fn a_policy_is_published_before_anything_is_issued_under_it() {
    let bundle = valid("execution");
    let published = entry_of(&bundle, "published");
    let issued_in = |seq: i64| check(&put(&bundle, "entries/0/seq", Value::Int(seq)), "policy.published");
    assert_eq!(issued_in(published + 1).0, Status::Passed);
    for seq in [published, published - 1] {
        let why = format!("published in entry {published}, issued in entry {seq} already");
        assert_eq!(issued_in(seq), (Status::Failed, why));
    }
}

#[test]
fn a_policy_says_nothing_of_a_runtime_that_it_does_not_cover() {
    let covering = |patterns: &[&str]| {
        let patterns = patterns.iter().map(|pattern| Value::from(*pattern)).collect();
        check(&under(&[("runtimes", Value::Array(patterns))]), "policy.hash")
    };
    assert_eq!(covering(&["k8s://lab/*", "k8s://*/ns/inference"]).0, Status::Passed);
    let why = "the policy does not cover the runtime `k8s://cluster-east-1/ns/inference`";
    assert_eq!(covering(&["k8s://lab/*"]), (Status::Failed, why.into()));
}

#[test]
fn a_consumption_lies_within_its_window_and_is_seen_when_it_happens() {
    let bundle = valid("execution");
    let consumed = |ts: Time, after: i64| {
        let seen = put(&bundle, "entries/1/at", ts.plus_millis(after).to_millis_value());
        check(&put(&seen, "events/1/ts", ts.to_millis_value()), "artifact.window")
    };
    let at = |member: &str| {
        let text = bundle.get("artifact").and_then(|artifact| artifact.get(member)).and_then(Value::as_str);
        text.and_then(Time::parse_seconds).expect("a time")
    };
    let (nbf, exp) = (at("nbf"), at("exp"));
    for ts in [nbf, exp.plus_millis(-1)] {
        assert_eq!(consumed(ts, 1).0, Status::Passed, "{ts}");
    }
    for ts in [nbf.plus_millis(-1), exp] {
        let why = format!("consumed at {ts}, and valid from {nbf} to {exp}");
        assert_eq!(consumed(ts, 1), (Status::Failed, why));
    }
    for after in [-2_000, 60_000] {
        assert_eq!(consumed(nbf, after).0, Status::Passed, "{after}");
    }
    for after in [-2_001, 60_001] {
        let why = format!("the ledger saw the consumption {after} ms after it; -2000 to 60000 ms are allowed");
        assert_eq!(consumed(nbf, after), (Status::Failed, why));
    }
}

#[test]
fn the_evidence_that_was_committed_is_the_envelope_that_is_shown() {
    let bundle = valid("execution");
    let signature = |bundle: &Value| check(bundle, "attestation.signature");
    assert_eq!(signature(&bundle).0, Status::Passed);
    for other in [Value::from(Sha3::of(&[b"another"])), Value::Null] {
        let why = "the evidence that was committed is another than this envelope";
        assert_eq!(signature(&put(&bundle, "events/6/data/evidence", other)), (Status::Failed, why.into()));
    }
    let none = put(&bundle, "events/6/event", "evidence.kept");
    assert_eq!(signature(&none), (Status::Failed, "no evidence was committed".into()));
}

#[test]
fn what_is_attested_ran_between_its_consumption_and_its_attestation() {
    let bundle = valid("execution");
    let binding = |bundle: &Value| check(bundle, "attestation.binding");
    // Consumed at .095, started at .143, finished at .183, attested at .190.
    let at = |millis: u32| format!("2026-05-12T17:04:11.{millis}Z");
    for (path, at_once, too_far) in [("events/1/ts", 143, 144), ("events/4/ts", 183, 182)] {
        assert_eq!(binding(&put(&bundle, path, at(at_once))).0, Status::Passed, "{path}");
        let why = "the attestation does not agree on: started and finished, between consumption and attestation";
        assert_eq!(binding(&put(&bundle, path, at(too_far))), (Status::Failed, why.into()), "{path}");
    }
    assert_eq!(binding(&stating(&bundle, "predicate/finished", at(143))).0, Status::Passed);
    assert_eq!(binding(&stating(&bundle, "predicate/finished", at(142))).0, Status::Failed, "finished, then started");
}

#[test]
fn a_denial_is_a_point_s_or_an_authority_s_and_says_why() {
    let bundle = valid("denial");
    let by = |by: &str| denied(&bundle, |event| event.with("by", by));
    for denies in ["k8s://cluster-east-1/ns/inference#gw-0", "governance://11-11/authority/prod"] {
        assert_eq!(by(denies), (Status::Passed, String::new()), "{denies}");
    }
    assert_eq!(by("ledger://11-11"), (Status::Failed, "a ledger denies nothing".into()));
    let unreasoned = denied(&bundle, |mut event| {
        event.remove("reason");
        event
    });
    assert_eq!(unreasoned, (Status::Failed, "the denial names no reason".into()));
    let another = put(&bundle, "events/0/data/details", "another");
    let why = "the denial's `op` is not its content's id, or not the bundle's";
    assert_eq!(check(&another, "lineage.order"), (Status::Failed, why.into()));
}

#[test]
fn a_counted_denial_is_a_count_of_a_second_at_a_listener_and_names_nobody() {
    let bundle = valid("counted-denial");
    assert_eq!(denied(&bundle, |event| event), (Status::Passed, String::new()));
    let data = || bundle.pointer("/events/0/data").and_then(Value::as_object).expect("data");
    let formless = "a counted denial is not exactly a count, a window of one second and a listener";
    for (name, value) in [
        ("count", Value::Int(0)),
        ("count", "41".into()),
        ("window", "2026-05-12T17:04:11.000Z/PT2S".into()),
        ("window", "2026-05-12T17:04:11Z/PT1S".into()),
        ("window", "2026-05-12T17:04:11.000Z".into()),
        ("listener", "".into()),
        ("listener", Value::Int(1113)),
        ("details", "more".into()),
    ] {
        let other = data().clone().with(name, value);
        let judged = denied(&bundle, |event| event.with("data", other.clone()));
        assert_eq!(judged, (Status::Failed, formless.into()), "{name}: {other:?}");
    }
    for name in ["count", "window", "listener"] {
        let alone = Object::new().with(name, data().get(name).cloned());
        let judged = denied(&bundle, |event| event.with("data", alone.clone()));
        assert_eq!(judged, (Status::Failed, formless.into()), "{name} alone");
    }
    let execution = valid("execution");
    let about = |name: &str| execution.pointer(&format!("/events/0/{name}")).cloned().expect("a member");
    for (name, value) in [
        ("identity", about("identity")),
        ("operation", about("operation")),
        ("artifact_id", about("artifact_id")),
        ("issuer", about("issuer")),
        ("policy", about("policy")),
        ("policy_required", "policy://medical/inference/v3".into()),
    ] {
        let judged = denied(&bundle, |event| event.with(name, value.clone()));
        let why = "a counted denial names a caller or an artifact";
        assert_eq!(judged, (Status::Failed, why.into()), "{name}");
    }
    let denied_by_policy = denied(&bundle, |event| event.with("reason", "policy.denied"));
    assert_eq!(denied_by_policy, (Status::Failed, "denials for this reason are not counted".into()));
}
