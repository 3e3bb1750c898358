use super::*;
use crate::Ledger;
use crate::world::{Home, Operation, POINT, Producers, root, single};
use eleven_api::audit::Append;
use eleven_core::artifact::{self, Use};
use eleven_core::encoding::Value;
use eleven_core::index::Proves;
use eleven_core::time::Time;
use eleven_verify::{Caller, Pinned, Report, Status, Verdict};

async fn running(home: &Home) -> (Ledger, Producers) {
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    (ledger, producers)
}

/// A domain in which one operation ran.
async fn one_ran(home: &Home) -> (Ledger, Producers, Operation) {
    let (ledger, mut producers) = running(home).await;
    let mut append = Append::default();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    ledger.must_append(&append).await;
    (ledger, producers, operation)
}

/// The bundle of an operation, as verified by somebody who holds nothing but the root.
async fn verified(ledger: &Ledger, op: &str, kind: Kind) -> Report {
    ledger.sign_registry().await;
    ledger.sealed().await;
    let bundle = bundle(&ledger.inner.shared, op).expect("a bundle").to_value();
    let root = Pinned::new(root().to_value());
    let caller = Caller { root: Some(&root), kind: Some(kind), op: Some(op), ..Caller::default() };
    let report = eleven_verify::verify_bytes(&bundle.canonical(), &caller).expect("I-JSON");
    let failed: Vec<_> = report.checks.iter().filter(|check| check.status == Status::Failed).collect();
    assert!(failed.is_empty() && report.verdict == Verdict::Verified, "{failed:?}");
    report
}

fn status(report: &Report, name: &str) -> Status {
    report.checks.iter().find(|check| check.name == name).expect("a check").status
}

#[tokio::test]
async fn an_execution_verifies() {
    let home = Home::new();
    let (ledger, mut producers, operation) = one_ran(&home).await;
    let report = verified(&ledger, &operation.op, Kind::Execution).await;
    for name in ["attestation.binding", "lineage.complete", "artifact.unrevoked", "policy.published", "head.sealed"] {
        assert_eq!(status(&report, name), Status::Passed, "{name}");
    }
    // Revoked afterwards, it still ran while it counted.
    let mut append = Append::default();
    append.record(&producers.revoke(&operation.artifact));
    ledger.must_append(&append).await;
    let report = verified(&ledger, &operation.op, Kind::Execution).await;
    assert_eq!(status(&report, "artifact.unrevoked"), Status::Passed);
}

#[tokio::test]
async fn what_ran_verifies_after_its_point_was_registered_anew_and_removed() {
    let home = Home::new();
    let (ledger, mut producers, operation) = one_ran(&home).await;
    let registered_in = |bundle: &Value| bundle.pointer("/registered/seq").and_then(Value::as_int);
    let shown_now = || bundle(&ledger.inner.shared, &operation.op).expect("a bundle").to_value();
    verified(&ledger, &operation.op, Kind::Execution).await;
    assert_eq!(registered_in(&shown_now()), None, "the registry holds it");

    let removed = Object::new().with("point", POINT);
    let changes = [
        producers.registration("another configuration"),
        producers.registration("config"),
        producers.by_authority("runtime.removed", removed),
    ];
    let mut shown_as = Vec::new();
    for change in &changes {
        let mut append = Append::default();
        append.record(change);
        ledger.must_append(&append).await;
        let report = verified(&ledger, &operation.op, Kind::Execution).await;
        shown_as.push(registered_in(&shown_now()));
        // That an earlier one was still in force then the file does not prove, and no verifier says that it does.
        let expected = if shown_as.last() == Some(&None) { Status::Passed } else { Status::NotChecked };
        assert_eq!(status(&report, "attestation.binding"), expected, "{}", change.event);
    }
    let first = shown_as[0].expect("the registration that was");
    assert_eq!(shown_as, [Some(first), None, Some(first)], "shown only where the registry holds another, or none");

    // Without it, by a later one that says the same, or by an entry that is none, nothing is bound.
    let shared = &ledger.inner.shared;
    let standing = |seq: u64| lineage::standing(shared, seq).expect("an entry");
    let first = u64::try_from(first).expect("a number");
    let later = (first + 1..).find(|seq| standing(*seq).record.hash == changes[1].hash).expect("registered again");
    let with = |seq: Option<u64>| {
        let mut bundle = bundle(shared, &operation.op).expect("a bundle");
        let size = bundle.head.commitment.size;
        let shown = seq.map(|seq| shown(shared, standing(seq), size).expect("under the head"));
        let authorization = bundle.authorization.as_mut().expect("of an artifact");
        // Nothing was decided here that could be decided again.
        (authorization.registered, authorization.decision) = (shown, None);
        bundle
    };
    let mut moved = with(Some(first));
    let shown = moved.authorization.as_mut().and_then(|shown| shown.registered.as_mut());
    shown.expect("a registration").entry.header.seq -= 1;
    let cases = [
        ("removed since: the registration by which it ran", with(Some(first)), vec![]),
        ("no registration", with(None), vec!["attestation.binding"]),
        ("one that came later and says the same", with(Some(later)), vec!["attestation.binding"]),
        ("an entry that registers nothing", with(Some(first - 1)), vec!["attestation.binding"]),
        ("an entry that is not in the tree", moved, vec!["attestation.binding"]),
    ];
    let root = Pinned::new(root().to_value());
    for (what, bundle, expected) in &cases {
        let report = eleven_verify::verify(&bundle.to_value(), &Caller { root: Some(&root), ..Caller::default() });
        assert_eq!(report.failed().map(|check| check.name).collect::<Vec<_>>(), *expected, "{what}");
        let binding = if expected.is_empty() { Status::NotChecked } else { Status::Failed };
        assert_eq!(status(&report, "attestation.binding"), binding, "{what}");
    }
    // The file that other implementations are held against. What a ledger does by its own clock makes it another each time.
    if std::env::var_os("ELEVEN_WRITE_VECTORS").is_some() {
        let case = |(what, bundle, _): (&str, Bundle, Vec<&str>)| {
            let bundle = bundle.to_value();
            let report = eleven_verify::verify(&bundle, &Caller { root: Some(&root), ..Caller::default() });
            let checks = report.checks.iter().map(|check| (check.name, check.status.name()));
            let checks = checks.fold(Object::new(), |checks, (name, status)| checks.with(name, status));
            Value::Object(Object::new().with("what", what).with("bundle", bundle).with("checks", checks))
        };
        let cases: Vec<Value> = cases.into_iter().map(case).collect();
        let file = Object::new().with("root", root.value().clone()).with("cases", cases);
        let path = format!("{}/../../spec/vectors/registered.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, [file.canonical(), b"\n".to_vec()].concat()).expect("written");
    }
}

#[tokio::test]
async fn what_a_point_ran_after_it_was_removed_is_bound_to_nothing() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    let mut operation = producers.issue(single(1), &[], &mut append);
    append.record(&producers.by_authority("runtime.removed", Object::new().with("point", POINT)));
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    ledger.must_append(&append).await;
    ledger.sign_registry().await;
    ledger.sealed().await;
    let bundle = bundle(&ledger.inner.shared, &operation.op).expect("a bundle");
    assert!(bundle.authorization.as_ref().expect("of an artifact").registered.is_none());
    let report = eleven_verify::verify(&bundle.to_value(), &Caller::default());
    assert_eq!(status(&report, "attestation.binding"), Status::Failed);
}

#[tokio::test]
async fn an_open_operation_and_a_crashed_one_verify() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    ledger.must_append(&append).await;
    verified(&ledger, &operation.op, Kind::Open).await;
    let mut append = Append::default();
    let data = Object::new().with("cause", "restart").with("effect", "unknown");
    append.record(&producers.next(&mut operation, "gw-0", POINT, "execution.interrupted", data));
    let data = Object::new().with("evidence", Value::Null).with("events", 6u64);
    append.record(&producers.next(&mut operation, "gw-0", POINT, "evidence.committed", data));
    ledger.must_append(&append).await;
    let report = verified(&ledger, &operation.op, Kind::Execution).await;
    assert_eq!(status(&report, "attestation.binding"), Status::NotChecked);
}

#[tokio::test]
async fn unused_artifacts_verify_and_numbered_uses_have_bundles_of_their_own() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    let never = producers.issue(single(1), &[], &mut append);
    let mut bounded = producers.issue(Use::Bounded { nonce: artifact::nonce(&[2; 17]), max: 3 }, &[], &mut append);
    let base = bounded.op.clone();
    ledger.must_append(&append).await;
    verified(&ledger, &never.op, Kind::Unused).await;
    verified(&ledger, &base, Kind::Unused).await;
    for k in 1..=2 {
        let mut append = Append::default();
        producers.begin(&mut bounded, k, &mut append);
        producers.finish(&mut bounded, &mut append);
        ledger.must_append(&append).await;
        verified(&ledger, &format!("{base}.{k}"), Kind::Execution).await;
    }
    assert!(matches!(bundle(&ledger.inner.shared, &base), Err(ProofError::NoBundle(_))));
    let lineage = lineage::answer(&ledger.inner.shared, &base, None).expect("a lineage");
    assert_eq!(lineage.get("uses").and_then(Value::as_int), Some(2));
    let uses = |op: &str| lineage::why(&ledger.inner.shared, op).expect("why").get("uses").and_then(Value::as_int);
    assert_eq!((uses(&base), uses(&format!("{base}.1")), uses(&never.op)), (Some(2), None, None));
}

#[tokio::test]
async fn a_denial_verifies_and_says_why() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let denial = producers.denial("the model is not one of those that the policy names");
    let mut append = Append::default();
    append.record(&denial);
    ledger.must_append(&append).await;
    verified(&ledger, &denial.op, Kind::Denial).await;
    let why = lineage::why(&ledger.inner.shared, &denial.op).expect("why");
    assert_eq!(why.get("reason").and_then(Value::as_str), Some("policy.denied"));
    assert_eq!(why.get("sealed"), Some(&Value::Bool(true)));
    assert_eq!(why.pointer("/data/details").and_then(Value::as_str), denial.data_str("details"));
}

#[tokio::test]
async fn without_the_authoritys_signature_there_is_no_bundle_yet() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    append.record(&producers.denial("one"));
    ledger.must_append(&append).await;
    let head = ledger.sealed().await;
    let denial = lineage::standing(&ledger.inner.shared, head.commitment.size - 2).expect("the denial").record;
    assert_eq!(denial.event, "execution.denied");
    assert!(matches!(bundle(&ledger.inner.shared, &denial.op), Err(ProofError::NotYet(_))));
    let wait = Duration::from_millis(60);
    let covered = covered(&ledger.inner.shared, 0, wait, has_registry).await;
    assert!(matches!(covered, Err(ProofError::NotYet(_))));
}

#[tokio::test]
async fn what_is_no_operation_has_no_bundle() {
    let home = Home::new();
    let (ledger, _) = running(&home).await;
    ledger.sign_registry().await;
    ledger.sealed().await;
    let shared = &ledger.inner.shared;
    let registered = lineage::standing(shared, 1).expect("an entry").record;
    assert!(matches!(bundle(shared, &registered.op), Err(ProofError::NoBundle(_))));
    let nobody = "00000000000000000000000000000000";
    assert!(matches!(bundle(shared, nobody), Err(ProofError::Unknown(_))));
    assert_eq!(lineage::operation(&format!("lineage://op/{nobody}")), Some(nobody));
    assert_eq!(lineage::operation(&format!("auth_{nobody}.2")), Some("00000000000000000000000000000000.2"));
    assert_eq!(lineage::operation("nothing"), None);
}

#[tokio::test]
async fn plain_proofs_hold_under_the_head() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let first = ledger.sealed().await.commitment;
    let mut append = Append::default();
    let denial = producers.denial("one");
    append.record(&denial);
    ledger.must_append(&append).await;
    let head = ledger.sealed().await.commitment;
    let shared = &ledger.inner.shared;

    let proof = inclusion(shared, 3, None).expect("a proof");
    let hashes = tree::read_proof(proof.get("proof").expect("a proof")).expect("hashes");
    let leaf = tree::leaf_hash(&shared.entry_bytes(3).expect("an entry"));
    assert!(tree::verify_inclusion(&leaf, 3, head.size, &hashes, &head.root));

    // Of the tree as it was before, and of nothing that came since, nor of what nobody has signed for.
    let proof = inclusion(shared, 3, Some(first.size)).expect("a proof");
    let hashes = tree::read_proof(proof.get("proof").expect("a proof")).expect("hashes");
    assert!(tree::verify_inclusion(&leaf, 3, first.size, &hashes, &first.root));
    assert_eq!(proof.get("root"), Some(&Value::from(first.root)));
    for (seq, size) in [(first.size, first.size), (3, head.size + 1)] {
        let answer = inclusion(shared, seq, Some(size));
        assert!(matches!(answer, Err(ProofError::Unknown(_))), "{seq} of {size}: {answer:?}");
    }

    let proof = consistency(shared, first.size, None).expect("a proof");
    let hashes = tree::read_proof(proof.get("proof").expect("a proof")).expect("hashes");
    assert!(tree::verify_consistency(first.size, head.size, &first.root, &head.root, &hashes));
    assert!(matches!(consistency(shared, 1, Some(head.size + 1)), Err(ProofError::Unknown(_))));
    assert!(matches!(inclusion(shared, head.size, None), Err(ProofError::Unknown(_))));

    for (op, present) in [(denial.op.as_str(), true), ("00000000000000000000000000000000", false)] {
        let key = index::op_key(op);
        let answer = exclusion(shared, op, &key).expect("a proof");
        assert_eq!(answer.get("present"), Some(&Value::Bool(present)));
        let proof = Proof::read(answer.get("proof").expect("a proof").clone()).expect("a proof");
        let proves = proof.proves(&head.index, &key);
        assert_eq!(proves != Proves::Absent, present);
        assert_ne!(proves, Proves::Nothing);
    }
}

#[tokio::test]
async fn a_bundle_that_was_touched_does_not_verify() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    ledger.must_append(&append).await;
    verified(&ledger, &operation.op, Kind::Open).await;
    let mut bundle = bundle(&ledger.inner.shared, &operation.op).expect("a bundle");
    let entry = bundle.events.last_mut().expect("an event");
    entry.entry.header.at = Time(entry.entry.header.at.0 + 1);
    let root = Pinned::new(root().to_value());
    let report = eleven_verify::verify(&bundle.to_value(), &Caller { root: Some(&root), ..Caller::default() });
    assert_eq!((report.verdict, status(&report, "ledger.inclusion")), (Verdict::Failed, Status::Failed));
}
