//! Each refusal that no vector brings about.

use super::*;
use crate::world::{AUTHORITY, Bench, LEDGER, OTHER_POINT, POINT, RUNTIME, single};
use eleven_core::encoding::Object;
use eleven_core::event::{About, Place};
use eleven_core::limits::MAX_ISSUED_LATE_MS;
use eleven_core::lineage::LineageError;
use eleven_core::reason::Reason;

#[test]
fn a_malformed_record_takes_its_number() {
    let mut bench = Bench::new();
    let record = bench.producers.denial("fine").to_value();
    let Value::Object(mut object) = record else { panic!("an object") };
    object.insert("surprise", true);
    object.remove("sig");
    let body = object.canonical_without(&["event_hash", "event_hash_alt"]);
    let signer = crate::world::signer("gw-0");
    let sig = eleven_core::signature::Signer::signature(&signer, &body).to_value();
    let refused = bench.refusal_of("gw-0", Value::Object(object.with("sig", sig)));
    assert!(matches!(refused, Refusal::Form(_)), "{refused:?}");
}

#[test]
fn a_step_is_one_of_ten() {
    let mut bench = Bench::new();
    for data in [
        Object::new().with("step", 0u64).with("outcome", "passed"),
        Object::new().with("step", 11u64).with("outcome", "passed"),
        Object::new().with("step", 1u64),
        Object::new().with("step", 1u64).with("outcome", "passed").with("more", true),
    ] {
        let record = bench.producers.alone("gw-0", POINT, "runtime.step", data);
        assert!(matches!(bench.refusal("gw-0", &record), Refusal::Data(_)));
    }
    let right = Object::new().with("step", 10u64).with("outcome", "passed");
    let record = bench.producers.alone("gw-0", POINT, "runtime.step", right);
    bench.must(&record);
}

#[test]
fn a_denial_has_a_reason_and_a_counted_one_names_nobody() {
    let mut bench = Bench::new();
    let bare = bench.producers.alone("gw-0", POINT, "execution.denied", Object::new());
    assert_eq!(bench.refusal("gw-0", &bare), Refusal::Members);
    let counted = |bench: &mut Bench, reason, identity: Option<&str>, data: Object| {
        let about = About {
            reason: Some(reason),
            runtime: Some(RUNTIME.to_owned()),
            identity: identity.map(str::to_owned),
            ..About::default()
        };
        bench.producers.record("gw-0", POINT, "execution.denied", Place::Alone, data, about)
    };
    let data = || {
        let window = "2026-05-12T17:00:00.000Z/PT1S";
        Object::new().with("count", 3u64).with("listener", "127.0.0.1:1113").with("window", window)
    };
    let named = counted(&mut bench, Reason::ArtifactMissing, Some("svc:a"), data());
    assert_eq!(bench.refusal("gw-0", &named), Refusal::Members);
    let other = counted(&mut bench, Reason::PolicyDenied, None, data());
    assert_eq!(bench.refusal("gw-0", &other), Refusal::Members);
    let none = counted(&mut bench, Reason::ArtifactMissing, None, data().with("count", 0u64));
    assert!(matches!(bench.refusal("gw-0", &none), Refusal::Data(_)));
    let long =
        counted(&mut bench, Reason::ArtifactMissing, None, data().with("window", "2026-05-12T17:00:00.000Z/PT2S"));
    assert!(matches!(bench.refusal("gw-0", &long), Refusal::Data(_)));
    let nowhere = counted(&mut bench, Reason::ArtifactMissing, None, data().with("listener", ""));
    assert!(matches!(bench.refusal("gw-0", &nowhere), Refusal::Data(_)));
    let stood = bench.book.judge(&bench.verified(nowhere.to_value()).expect("verified"), bench.producers.now, None);
    assert!(matches!(stood, Judgement::Accept(_)), "a log that is may hold it: {stood:?}");
    let right = counted(&mut bench, Reason::ArtifactMissing, None, data());
    bench.must(&right);
}

#[test]
fn a_counted_denial_names_no_party_and_carries_its_count_alone() {
    let mut bench = Bench::new();
    let artifact = bench.issue(single(1), &[]).artifact;
    let about =
        || About { reason: Some(Reason::ArtifactMissing), runtime: Some(RUNTIME.to_owned()), ..About::default() };
    let counted = |bench: &mut Bench, data: Object, about: About| {
        let record = bench.producers.record("gw-0", POINT, "execution.denied", Place::Alone, data, about);
        bench.refusal("gw-0", &record)
    };
    let data = || {
        let window = "2026-05-12T17:00:00.000Z/PT1S";
        Object::new().with("count", 3u64).with("listener", "127.0.0.1:1113").with("window", window)
    };
    let of = About::artifact(&artifact);
    for named in [
        About { operation: of.operation.clone(), ..about() },
        About { artifact_id: of.artifact_id.clone(), ..about() },
        About { issuer: of.issuer.clone(), ..about() },
        About { policy: of.policy, ..about() },
        About { policy_required: Some("policy://medical/v1".to_owned()), ..about() },
    ] {
        assert_eq!(counted(&mut bench, data(), named.clone()), Refusal::Members, "{named:?}");
    }
    // Any of its members makes it one that counts, and it has them all then.
    let alone = |member: &str| Object::new().with(member, data().get(member).cloned());
    let more = data().with("details", "more");
    for less in ["count", "listener", "window"].map(alone).into_iter().chain([more]) {
        let refused = counted(&mut bench, less.clone(), about());
        assert!(matches!(refused, Refusal::Data(_)), "{less:?}: {refused:?}");
    }
}

#[test]
fn a_seal_names_where_it_stands() {
    let mut bench = Bench::new();
    let index = eleven_core::hash::Sha256::ZERO;
    let registry = bench.book.registry().expect("a registry").reference();
    let wrong = Object::new().with("size", 3u64).with("index", index).with("registry", registry.clone());
    let record = bench.producers.alone("audit", LEDGER, "ledger.sealed", wrong);
    assert!(matches!(bench.refusal("audit", &record), Refusal::Data(_)));
    let old = Object::new().with("epoch", 1u64).with("hash", eleven_core::hash::Sha3([0; 64]));
    let stale = Object::new().with("size", bench.book.size()).with("index", index).with("registry", old);
    let record = bench.producers.alone("audit", LEDGER, "ledger.sealed", stale);
    assert!(matches!(bench.refusal("audit", &record), Refusal::Data(_)));
    let right = Object::new().with("size", bench.book.size()).with("index", index).with("registry", registry);
    for other in [right.clone().with("index", "sha256:00"), right.clone().with("more", true)] {
        let record = bench.producers.alone("audit", LEDGER, "ledger.sealed", other);
        assert!(matches!(bench.refusal("audit", &record), Refusal::Data(_)));
    }
    let record = bench.producers.alone("audit", LEDGER, "ledger.sealed", right);
    bench.must(&record);
}

#[test]
fn a_refusal_names_hash_and_reason() {
    let mut bench = Bench::new();
    let bare = bench.producers.alone("audit", LEDGER, "ledger.refused", Object::new().with("reason", "x"));
    assert!(matches!(bench.refusal("audit", &bare), Refusal::Data(_)));
    let hash = eleven_core::hash::Sha3([1; 64]);
    let half = Object::new().with("hash", hash).with("reason", "x").with("src_seq", 1u64);
    let half = bench.producers.alone("audit", LEDGER, "ledger.refused", half);
    assert!(matches!(bench.refusal("audit", &half), Refusal::Data(_)));
    let unsaid =
        bench.producers.alone("audit", LEDGER, "ledger.refused", Object::new().with("hash", hash).with("reason", ""));
    assert!(matches!(bench.refusal("audit", &unsaid), Refusal::Data(_)));
    let right = Object::new().with("hash", hash).with("reason", "x");
    let record = bench.producers.alone("audit", LEDGER, "ledger.refused", right);
    bench.must(&record);
}

#[test]
fn a_refusal_is_under_a_number_that_has_come() {
    let mut bench = Bench::new();
    let first = bench.producers.denial("one");
    bench.must(&first);
    let next = bench.producers.number("gw-0");
    let under = |kid: Value, number: Value| {
        let data = Object::new().with("hash", eleven_core::hash::Sha3([1; 64])).with("reason", "x");
        data.with("kid", kid).with("src_seq", number)
    };
    let event_key = Value::from(first.kid.as_str());
    for (what, data) in [
        ("a number to come", under(event_key.clone(), (next + 1).into())),
        ("a number below none", under(event_key.clone(), Value::Int(-1))),
        ("no number", under(event_key.clone(), "x".into())),
        ("nobody's key", under("key:11-11/nobody/1".into(), 0u64.into())),
        ("no key", under(Value::Null, 0u64.into())),
    ] {
        let record = bench.producers.alone("audit", LEDGER, "ledger.refused", data);
        assert!(matches!(bench.refusal("audit", &record), Refusal::Data(_)), "{what}");
    }
    // Of other bytes under a number that has a record: it takes none.
    for number in [first.src_seq, next] {
        let data = under(event_key.clone(), number.into());
        let record = bench.producers.alone("audit", LEDGER, "ledger.refused", data);
        bench.must(&record);
    }
    assert_eq!(bench.book.cursor(&first.kid).map(|(next, _)| next), Some(next + 1));
}

#[test]
fn an_event_alone_stands_first_under_its_content() {
    let mut bench = Bench::new();
    let first = bench.producers.denial("one");
    bench.must(&first);
    let place = Place::After { op: first.op.clone(), tip: first.tip() };
    let about = About { reason: Some(Reason::PolicyDenied), ..About::default() };
    let second = bench.producers.record("gw-0", POINT, "execution.denied", place, Object::new(), about);
    assert_eq!(bench.refusal("gw-0", &second), Refusal::OpContent);
}

#[test]
fn another_point_does_not_go_on_with_a_lineage() {
    let mut bench = Bench::new();
    let mut operation = bench.issue(single(1), &[]);
    let record = bench.producers.consume(&mut operation, 1);
    bench.must(&record);
    let workload = Object::new().with("workload", eleven_core::hash::Sha3([2; 64]));
    let granted = bench.producers.next(&mut operation, "gw-1", OTHER_POINT, "admission.granted", workload);
    assert_eq!(bench.refusal("gw-1", &granted), Refusal::Lineage(LineageError::Producer));
}

#[test]
fn an_authority_of_another_domain_is_no_producer_here() {
    let mut bench = Bench::new();
    let stranger = "governance://elsewhere/authority/prod";
    let granted = crate::world::granted("stranger", eleven_core::root::KeyUse::Event, stranger);
    let record = bench.producers.by_authority("key.registered", granted.to_object());
    bench.must(&record);
    let data = Object::new().with("ref", "policy://medical/v1");
    let record = bench.producers.alone("stranger", stranger, "policy.retired", data);
    assert_eq!(bench.refusal("stranger", &record), Refusal::Producer);
}

#[test]
fn a_ledger_of_another_domain_is_no_producer_here() {
    let mut bench = Bench::new();
    let stranger = "ledger://elsewhere";
    let granted = crate::world::granted("stranger", eleven_core::root::KeyUse::Event, stranger);
    let record = bench.producers.by_authority("key.registered", granted.to_object());
    bench.must(&record);
    let data = Object::new().with("producer", POINT).with("from", 0u64).with("cause", "drift.audit");
    let record = bench.producers.alone("stranger", stranger, "audit.discontinuity", data.clone());
    assert_eq!(bench.refusal("stranger", &record), Refusal::Producer);
    let record = bench.producers.alone("audit", LEDGER, "audit.discontinuity", data);
    bench.must(&record);
}

#[test]
fn a_policy_that_does_not_cover_the_operation_issues_nothing() {
    let mut bench = Bench::new();
    let operation = bench.producers.issue(single(1), &[], &mut eleven_api::audit::Append::default());
    bench.producers.set_number("authority", bench.producers.number("authority") - 1);
    let about = About { runtime: Some("k8s://cluster/ns/other".to_owned()), ..About::artifact(&operation.artifact) };
    let place = Place::First { op: operation.op.clone() };
    let data = operation.issued.data;
    let record = bench.producers.record("authority", AUTHORITY, "authorization.issued", place, data, about);
    assert_eq!(bench.refusal("authority", &record), Refusal::Policy);
}

/// What was sent before a break between authority and ledger arrives after it.
#[test]
fn an_issuance_that_comes_late_begins_nothing_and_takes_its_number() {
    let mut bench = Bench::new();
    let issued = bench.producers.now;
    let (in_time, late) = (issued.plus_millis(MAX_ISSUED_LATE_MS), issued.plus_millis(MAX_ISSUED_LATE_MS + 1));
    let mut operation = bench.producers.issue(single(1), &[], &mut eleven_api::audit::Append::default());
    bench.artifacts.insert(operation.artifact.id.clone(), operation.artifact.clone());
    let verified = bench.verified(operation.issued.to_value()).expect("verified");
    let judged = bench.book.judge_new(&verified, late, Some(&operation.artifact));
    assert!(matches!(judged, Judgement::Refused { why: Refusal::Late, takes_number: true }), "{judged:?}");
    let judged = bench.book.judge(&verified, late, Some(&operation.artifact));
    assert!(matches!(judged, Judgement::Accept(_)), "a log that is may hold it: {judged:?}");
    // A record of another kind may be as old as it is: a point forwards what it ran while it reached nobody.
    bench.producers.now = in_time;
    bench.must(&operation.issued);
    bench.producers.now = issued;
    let consumed = bench.producers.consume(&mut operation, 1);
    bench.producers.now = late.plus_seconds(60);
    bench.must(&consumed);
    // By a clock that is ahead of the ledger's nothing comes late.
    bench.producers.now = late.plus_seconds(120);
    let ahead = bench.producers.issue(single(2), &[], &mut eleven_api::audit::Append::default());
    bench.producers.now = late.plus_seconds(60);
    bench.must(&ahead.issued);
}

#[test]
fn every_refusal_has_a_code_and_a_message_of_its_own() {
    let all = [
        Refusal::Unreadable,
        Refusal::UnknownKey,
        Refusal::Signature,
        Refusal::KeyStatus,
        Refusal::RefusedBefore,
        Refusal::Form(eleven_core::form::FormError("x".to_owned())),
        Refusal::Owner,
        Refusal::Hashes,
        Refusal::Event,
        Refusal::Producer,
        Refusal::Members,
        Refusal::Data("x"),
        Refusal::OpContent,
        Refusal::OpKnown,
        Refusal::OpUnknown,
        Refusal::Lineage(LineageError::Position),
        Refusal::Lineage(LineageError::Order),
        Refusal::Lineage(LineageError::Binding),
        Refusal::Lineage(LineageError::Data),
        Refusal::Lineage(LineageError::Producer),
        Refusal::UseOrder,
        Refusal::Use,
        Refusal::Revoked,
        Refusal::Policy,
        Refusal::Late,
        Refusal::Artifact,
        Refusal::ArtifactSignature,
        Refusal::Blob("x"),
        Refusal::Revocation,
        Refusal::SubjectRevoked,
        Refusal::Registry("x".to_owned()),
    ];
    let codes: std::collections::BTreeSet<&str> = all.iter().map(Refusal::code).collect();
    let messages: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!((codes.len(), messages.len()), (all.len(), all.len()));
    assert!(messages.iter().all(|message| !message.ends_with('.') && message.starts_with(char::is_lowercase)));
}
