//! What the vectors leave open: streams, uses and ancestors with the artifact at hand, subjects.

use super::*;
use crate::world::{AUTHORITY, Bench, LEDGER, POINT, genesis_keys, kid, root, signer, single, start};
use eleven_api::audit::Append;
use eleven_core::artifact::{self, Use};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Draft, Place, Record};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::signature::{SeedSigner, Signer, VerifyingKey};

fn run(bench: &mut Bench, operation: &mut crate::world::Operation, k: u64) {
    let mut append = Append::default();
    bench.producers.begin(operation, k, &mut append);
    bench.producers.finish(operation, &mut append);
    for record in append.records {
        bench.must(&Record::read_canonical(&record).expect("a record"));
    }
}

#[test]
fn an_operation_runs_from_issuance_to_evidence() {
    let mut bench = Bench::new();
    let mut operation = bench.issue(single(1), &[]);
    assert_eq!(bench.book.running(), 0);
    let record = bench.producers.consume(&mut operation, 1);
    bench.must(&record);
    assert_eq!(bench.book.running(), 1);
    let data = Object::new().with("cause", "restart").with("effect", "unknown");
    let record = bench.producers.next(&mut operation, "gw-0", POINT, "execution.interrupted", data);
    bench.must(&record);
    let data = Object::new().with("evidence", Value::Null).with("events", 4u64);
    let record = bench.producers.next(&mut operation, "gw-0", POINT, "evidence.committed", data);
    bench.must(&record);
    assert_eq!(bench.book.running(), 0);
}

#[test]
fn uses_come_one_after_the_other_up_to_the_artifacts_max() {
    let mut bench = Bench::new();
    let usage = Use::Bounded { nonce: artifact::nonce(&[2; 17]), max: 2 };
    let mut operation = bench.issue(usage, &[]);
    for k in 1..=2 {
        run(&mut bench, &mut operation, k);
    }
    let third = bench.producers.consume(&mut operation, 3);
    assert_eq!(bench.refusal("gw-0", &third), Refusal::UseOrder);
    let unnumbered = bench.producers.record(
        "gw-0",
        POINT,
        "authorization.consumed",
        Place::After { op: operation.artifact.content_id().to_owned(), tip: operation.issued.tip() },
        Object::new().with("nonce", operation.artifact.usage.nonce()).with("use", 1u64),
        About::artifact(&operation.artifact),
    );
    assert_eq!(bench.refusal("gw-0", &unnumbered), Refusal::Use);
}

#[test]
fn a_single_use_takes_no_number_and_no_other_nonce() {
    let mut bench = Bench::new();
    let operation = bench.issue(single(3), &[]);
    let consume = |bench: &mut Bench, op: String, nonce: &str| {
        let place = Place::After { op, tip: operation.issued.tip() };
        let data = Object::new().with("nonce", nonce).with("use", 1u64);
        let about = About::artifact(&operation.artifact);
        bench.producers.record("gw-0", POINT, "authorization.consumed", place, data, about)
    };
    let numbered = consume(&mut bench, format!("{}.1", operation.op), operation.artifact.usage.nonce());
    assert_eq!(bench.refusal("gw-0", &numbered), Refusal::Use);
    let other = consume(&mut bench, operation.op.clone(), &artifact::nonce(&[9; 17]));
    assert_eq!(bench.refusal("gw-0", &other), Refusal::Use);
    let right = consume(&mut bench, operation.op.clone(), operation.artifact.usage.nonce());
    bench.must(&right);
}

#[test]
fn nothing_runs_under_a_revoked_ancestor() {
    let mut bench = Bench::new();
    let ancestor = bench.issue(single(4), &[]);
    let mut child = bench.issue(single(5), std::slice::from_ref(&ancestor.artifact.id));
    let consumed = bench.producers.consume(&mut child, 1);
    bench.producers.set_number("gw-0", 0);
    let record = bench.producers.revoke(&ancestor.artifact);
    bench.must(&record);
    assert_eq!(bench.refusal("gw-0", &consumed), Refusal::Revoked);
    assert_eq!(bench.book.revocation_of(&ancestor.artifact.id), Some(bench.book.size() - 1));
    // Long after its row was dropped from the registry, a second revocation still does not count.
    bench.producers.now = bench.producers.now.plus_seconds(3 * 24 * 3600);
    let other = bench.producers.by_authority("policy.retired", Object::new().with("ref", "policy://medical/v1"));
    bench.must(&other);
    assert!(bench.book.registry().expect("a registry").lists().revoked.is_empty());
    let again = bench.producers.revoke(&ancestor.artifact);
    assert_eq!(bench.refusal("authority", &again), Refusal::Revocation);
}

#[test]
fn an_artifact_that_is_not_the_issued_one_is_refused() {
    let mut bench = Bench::new();
    let other = bench.issue(single(6), &[]);
    let operation = bench.producers.issue(single(7), &[], &mut Append::default());
    bench.artifacts.insert(operation.artifact.id.clone(), other.artifact);
    assert_eq!(bench.refusal("authority", &operation.issued), Refusal::Artifact);
    // The very one, of which its record says something else.
    let number = bench.producers.number("authority");
    let operation = bench.producers.issue(single(8), &[], &mut Append::default());
    bench.producers.set_number("authority", number);
    bench.artifacts.insert(operation.artifact.id.clone(), operation.artifact.clone());
    for (member, other) in [("chash", Value::from(Sha3([4; 64]))), ("exp", "2026-05-12T17:05:01Z".into())] {
        let data = operation.issued.data.clone().with(member, other);
        let (place, about) = (Place::First { op: operation.op.clone() }, About::artifact(&operation.artifact));
        let record = bench.producers.record("authority", AUTHORITY, "authorization.issued", place, data, about);
        assert_eq!(bench.refusal("authority", &record), Refusal::Artifact, "{member}");
    }
    bench.must(&operation.issued);
}

#[test]
fn a_subject_has_one_lineage_and_nothing_after_its_revocation() {
    let mut bench = Bench::new();
    let op = id::subject_op("identity", "svc:batch");
    let state = |bench: &mut Bench, event: &'static str, place: Place| {
        let data = Object::new().with("kind", "identity").with("subject", "svc:batch").with("cause", "operator");
        bench.producers.record("authority", AUTHORITY, event, place, data, About::default())
    };
    let stray = state(&mut bench, "lifecycle.contained", Place::First { op: id::subject_op("identity", "svc:other") });
    assert_eq!(bench.refusal("authority", &stray), Refusal::OpContent);
    let contained = state(&mut bench, "lifecycle.contained", Place::First { op: op.clone() });
    bench.must(&contained);
    let again = state(&mut bench, "lifecycle.revoked", Place::First { op: op.clone() });
    assert!(matches!(bench.refusal("authority", &again), Refusal::Lineage(_)));
    let revoked = state(&mut bench, "lifecycle.revoked", Place::After { op: op.clone(), tip: contained.tip() });
    bench.must(&revoked);
    let back = state(&mut bench, "lifecycle.baseline", Place::After { op, tip: revoked.tip() });
    assert_eq!(bench.refusal("authority", &back), Refusal::SubjectRevoked);
}

#[test]
fn a_stream_tells_gaps_repeats_and_equivocations_apart() {
    let mut bench = Bench::new();
    let first = bench.producers.denial("one");
    bench.producers.set_number("gw-0", 0);
    let other = bench.producers.denial("two");
    let second = bench.producers.denial("three");
    let third = bench.producers.denial("four");
    bench.must(&first);
    assert!(matches!(bench.take(&first), Err(Judgement::Repeat)));
    assert!(matches!(bench.take(&other), Err(Judgement::Equivocation)));
    assert!(matches!(bench.take(&third), Err(Judgement::Gap { expected: 1 })));
    bench.must(&second);
    assert_eq!(bench.book.cursor(&kid("gw-0")).map(|(next, _)| next), Some(2));
    assert_eq!(bench.book.cursor(&kid("gw-1")), Some((0, None)));
    assert_eq!(bench.book.cursor(&kid("nobody")), None);
}

#[test]
fn a_key_that_does_not_count_any_more_convicts_nobody_and_its_repeats_stay_repeats() {
    let gone = |event: &'static str, data: Object| {
        let mut bench = Bench::new();
        let first = bench.producers.denial("one");
        bench.producers.set_number("gw-0", 0);
        let (other, next) = (bench.producers.denial("two"), bench.producers.denial("three"));
        bench.must(&first);
        let record = bench.producers.by_authority(event, data);
        assert!(matches!(bench.take(&other), Err(Judgement::Equivocation)), "{event}: while it counts");
        bench.must(&record);
        let status =
            |judged| matches!(judged, Err(Judgement::Refused { why: Refusal::KeyStatus, takes_number: false }));
        assert!(status(bench.take(&other)), "{event}: other bytes");
        assert!(status(bench.take(&next)), "{event}: the next number");
        assert!(matches!(bench.take(&first), Err(Judgement::Repeat)), "{event}: the same bytes");
    };
    let lost = || Object::new().with("kid", kid("gw-0"));
    gone("key.retired", lost());
    gone("key.compromised", lost().with("since", crate::world::start().plus_seconds(-60).to_millis_value()));
}

#[test]
fn a_refused_number_stays_refused() {
    let mut bench = Bench::new();
    let refused =
        bench.producers.alone("gw-0", POINT, "policy.retired", Object::new().with("ref", "policy://medical/v1"));
    let verified = bench.verified(refused.to_value()).expect("verified");
    let judged = bench.book.judge(&verified, bench.producers.now, None);
    assert!(matches!(judged, Judgement::Refused { why: Refusal::Producer, takes_number: true }), "{judged:?}");
    let data = Object::new()
        .with("hash", *verified.digest())
        .with("kid", refused.kid.as_str())
        .with("reason", Refusal::Producer.code())
        .with("src_seq", refused.src_seq);
    let record = bench.producers.alone("audit", crate::world::LEDGER, "ledger.refused", data);
    bench.must(&record);
    assert!(matches!(
        bench.take(&refused),
        Err(Judgement::Refused { why: Refusal::RefusedBefore, takes_number: false })
    ));
    let record = bench.producers.denial("the next number");
    bench.must(&record);
}

#[test]
fn what_is_nobodys_takes_no_number() {
    let mut bench = Bench::new();
    let record = bench.producers.alone("gw-0", POINT, "runtime.step", Object::new());
    let other = eleven_core::signature::VerifyingKey::new(&eleven_core::signature::Signer::public(&signer("gw-1")))
        .expect("a key");
    assert_eq!(
        Candidate::read(record.canonical()).expect("a candidate").verify(&other).err(),
        Some(Refusal::Signature)
    );
    let unknown = bench.producers.alone("nobody", POINT, "runtime.step", Object::new());
    assert_eq!(bench.verified(unknown.to_value()).err(), Some(Refusal::UnknownKey));
    // An artifact's key does not sign events.
    let issuer = bench.producers.alone("issuer", AUTHORITY, "policy.retired", Object::new());
    let verified = bench.verified(issuer.to_value()).expect("its signature verifies");
    let judged = bench.book.judge(&verified, bench.producers.now, None);
    assert!(matches!(judged, Judgement::Refused { why: Refusal::UnknownKey, takes_number: false }));
    // By a key that is registered, and another than the one that it names.
    let draft = Draft {
        event: "runtime.step",
        place: Place::Alone,
        ts: bench.producers.now,
        by: POINT.to_owned(),
        src_seq: 0,
        data: Object::new(),
        about: About::default(),
    };
    let record = draft.sign(&impostor("gw-0")).expect("a record");
    let verified = Candidate::read(record.canonical()).expect("a candidate").verify(&other).expect("it verifies");
    let judged = bench.book.judge(&verified, bench.producers.now, None);
    assert!(matches!(judged, Judgement::Refused { why: Refusal::Signature, takes_number: false }), "{judged:?}");
    for nothing in [&br#""no record""#[..], b"{}", br#"{"kid": "key:x/y/1"}"#] {
        assert!(matches!(Candidate::read(nothing), Err(Refusal::Unreadable)));
    }
}

/// The key of `gw-1` under another's name.
fn impostor(label: &str) -> SeedSigner {
    SeedSigner::new(kid(label), &Sha256::of(&[b"seed of ", b"gw-1"]).0)
}

#[test]
fn a_genesis_is_the_first_record_of_the_ledgers_own_key_that_it_grants() {
    let judged = |signer: &SeedSigner, src_seq: u64, place: Place| {
        let data = eleven_core::registry::genesis(&root(), 10, &genesis_keys());
        let (event, ts, by, about) = ("ledger.genesis", start(), LEDGER.to_owned(), About::default());
        let record = Draft { event, place, ts, by, src_seq, data, about }.sign(signer).expect("a record");
        let key = VerifyingKey::new(&Signer::public(signer)).expect("a key");
        let verified = Candidate::read(record.canonical()).expect("a candidate").verify(&key).expect("it verifies");
        match Book::new().judge(&verified, start(), None) {
            Judgement::Accept(_) => None,
            Judgement::Refused { why, takes_number: false } => Some(why),
            other => panic!("{other:?}"),
        }
    };
    let audit = signer("audit");
    assert_eq!(judged(&audit, 0, Place::Alone), None);
    assert_eq!(judged(&audit, 1, Place::Alone), Some(Refusal::OpContent), "not the first");
    let elsewhere = Place::First { op: "0".repeat(32) };
    assert_eq!(judged(&audit, 0, elsewhere), Some(Refusal::OpContent), "not under its content");
    assert_eq!(judged(&signer("authority"), 0, Place::Alone), Some(Refusal::Owner));
    assert_eq!(judged(&signer("issuer"), 0, Place::Alone), Some(Refusal::UnknownKey), "a key for artifacts");
    assert_eq!(judged(&signer("gw-0"), 0, Place::Alone), Some(Refusal::UnknownKey), "it grants no such key");
    assert_eq!(judged(&impostor("audit"), 0, Place::Alone), Some(Refusal::Signature));
}

#[test]
fn records_that_are_read_together_are_each_read_by_itself() {
    let mut bench = Bench::new();
    let whole = ["one", "two", "three"].map(|details| bench.producers.denial(details));
    let changed = |name: &str, value: Value| {
        let Value::Object(record) = whole[0].to_value() else { panic!("no object") };
        Value::Object(record.with(name, value)).canonical()
    };
    // A hash that does not follow, what is of no event's form, what is nobody's, what is not canonical.
    let wrong = changed("event_hash", eleven_core::hash::Sha3([1; 64]).into());
    let malformed = changed("unknown", true.into());
    let canonical = whole.each_ref().map(Record::canonical);
    let spaced = [b" ", canonical[0]].concat();
    let records = [canonical[0], &wrong, b"{}", canonical[1], &malformed, &spaced, canonical[2]];
    let said = |read: &Result<Candidate, Refusal>| {
        let said = |one: &Candidate| {
            (one.hashes_follow(), one.op_is_content(), one.record().is_ok(), *one.digest(), one.mark())
        };
        read.as_ref().map(said).map_err(ToString::to_string)
    };
    let together = Candidate::read_each(records.map(|record| (encoded(record), Hashed::Anew)));
    for (read, record) in together.iter().zip(records) {
        assert_eq!(said(read), said(&Candidate::read(record)));
    }
    let follow: Vec<Option<bool>> = together.iter().map(|read| Some(read.as_ref().ok()?.hashes_follow())).collect();
    assert_eq!(follow, [Some(true), Some(false), None, Some(true), Some(false), None, Some(true)]);
    // What was hashed before is taken as it stands, beside what is not; by its mark it is the same record.
    let mixed = [(canonical[0], Hashed::Before), (canonical[1], Hashed::Anew), (&wrong, Hashed::Before)];
    let taken = Candidate::read_each(mixed.map(|(record, hashed)| (encoded(record), hashed)));
    assert_eq!(said(&taken[0]), said(&together[0]));
    assert_eq!(said(&taken[1]), said(&together[3]));
    assert!(taken[2].as_ref().is_ok_and(Candidate::hashes_follow), "nobody looked");
}

#[test]
fn operation_ids_have_distinct_keys() {
    let id = "9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM41";
    let keys = [id.to_owned(), format!("{id}.1"), format!("{id}.2"), id.replace('9', "8")].map(|op| OpKey::of(&op));
    assert!(keys.iter().all(Option::is_some));
    assert!((0..4).all(|a| (0..a).all(|b| keys[a] != keys[b])));
    assert_eq!(OpKey::of_artifact(&format!("auth_{id}")), keys[0]);
    assert_eq!(OpKey::of(&format!("{id}.01")), None);
}
