//! PROTOCOL 6.1, clause by clause: each violation is refused with its reason, recorded by a `ledger.refused` that names the
//! record's hash, and raised by an `audit.discontinuity` for its producer; what is nobody's leaves no trace.

use super::*;
use crate::world::{LEDGER, OTHER_POINT, granted};
use eleven_core::artifact::Use;
use eleven_core::event::Draft;
use eleven_core::hash::Blake2b;
use eleven_core::id;
use eleven_core::registry::GrantedKey;
use eleven_core::root::KeyUse;

/// A ledger with two issued operations, the first of them begun.
struct Scene {
    ledger: Ledger,
    producers: Producers,
    begun: crate::world::Operation,
    issued: crate::world::Operation,
}

impl Scene {
    async fn make(home: &Home) -> Scene {
        let (ledger, mut producers) = running(home).await;
        let mut append = Append::default();
        let mut begun = producers.issue(single(1), &[], &mut append);
        let issued = producers.issue(single(2), &[], &mut append);
        producers.begin(&mut begun, 1, &mut append);
        ledger.must_append(&append).await;
        Scene { ledger, producers, begun, issued }
    }

    /// The record is refused with this code under its number, and that is recorded and raised.
    async fn refuses(&self, append: &Append, code: &str) {
        let size = self.ledger.inner.shared.size();
        let answer = self.ledger.append(append).await;
        let (refused, before) = answer.outcomes.split_last().expect("an outcome");
        assert!(before.iter().all(|outcome| *outcome == Outcome::Taken), "{code}: {before:?}");
        let Outcome::Refused { why, numbered: true } = refused else { panic!("{code}: {refused:?}") };
        assert_eq!(why.code(), code);
        let sent = append.records.last().expect("a record");
        let record = parse_canonical(sent).expect("canonical");
        let text = |name: &str| record.get(name).and_then(Value::as_str).expect("a member").to_owned();
        let later: Vec<Value> = records(&self.ledger).into_iter().skip(size as usize).collect();
        let of = |event: &str| later.iter().rfind(|later| later.get("event") == Some(&Value::from(event)));
        let data = |event: &str, member: &str| {
            of(event).and_then(|event| event.pointer(&format!("/data/{member}"))).cloned().unwrap_or(Value::Null)
        };
        let hash = Sha3::of(&[sent]);
        assert_eq!(data("ledger.refused", "hash"), Value::from(hash), "{code}");
        assert_eq!(data("ledger.refused", "reason"), Value::from(code));
        assert_eq!(data("ledger.refused", "kid"), Value::from(text("kid")), "{code}");
        assert_eq!(data("ledger.refused", "src_seq"), record.get("src_seq").cloned().expect("a number"), "{code}");
        let owner = read(&self.ledger.inner.shared.book).registry().and_then(|fold| fold.key(&text("kid")).cloned());
        assert_eq!(data("audit.discontinuity", "producer"), Value::from(owner.expect("a key").owner), "{code}");
        assert_eq!(self.ledger.inner.shared.blob(&hash).expect("the evidence"), *sent, "{code}");
    }

    /// The record is nobody's, or of a key that does not count: nothing is written.
    async fn ignores(&self, record: Value, code: &str) {
        let entries = events(&self.ledger);
        let append = Append { records: vec![record.canonical()], ..Append::default() };
        let answer = self.ledger.append(&append).await;
        let Outcome::Refused { why, numbered: false } = &answer.outcomes[0] else { panic!("{:?}", answer.outcomes) };
        assert_eq!((why.code(), events(&self.ledger)), (code, entries));
    }

    async fn refuses_record(&self, record: &Record, code: &str) {
        let mut append = Append::default();
        append.record(record);
        self.refuses(&append, code).await;
    }

    /// A record of the point, in the lineage of an operation behind `tip`.
    fn after(&mut self, op: &str, tip: eleven_core::event::Tip, event: &'static str, data: Object) -> Record {
        let place = Place::After { op: op.to_owned(), tip };
        let about = About::artifact(&self.begun.artifact);
        self.producers.record("gw-0", POINT, event, place, data, about)
    }

    fn by_authority(&mut self, event: &'static str, data: Object) -> Record {
        self.producers.by_authority(event, data)
    }
}

/// A record signed by a key over a body that the crate itself would not make.
fn signed(label: &str, object: &Object) -> Value {
    let body = object.canonical_without(&["event_hash", "event_hash_alt", "sig"]);
    let (hash, hash_alt) = (Sha3::of(&[&body]), Blake2b::of(&[&body]));
    let object = object.clone().with("event_hash", hash).with("event_hash_alt", hash_alt);
    Value::Object(object.with("sig", Signer::signature(&signer(label), &body).to_value()))
}

fn object(record: &Record) -> Object {
    record.to_value().as_object().cloned().expect("an object")
}

fn result() -> Object {
    let result = Object::new().with("digest", Sha3([1; 64])).with("bytes", 1u64).with("status", 200u64);
    Object::new().with("result", result)
}

#[tokio::test]
async fn form_limits_signature_use_owner_and_window() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let surprise = object(&scene.producers.denial("one")).with("surprise", true);
    scene
        .refuses(
            &Append { records: vec![signed("gw-0", &surprise).canonical()], ..Append::default() },
            "record.malformed",
        )
        .await;
    let denial = object(&scene.producers.denial("two"));
    let large = denial.with("data", Object::new().with("details", "x".repeat(17 * 1024)));
    scene
        .refuses(&Append { records: vec![signed("gw-0", &large).canonical()], ..Append::default() }, "record.malformed")
        .await;
    let other = scene.producers.record("gw-0", OTHER_POINT, "runtime.step", Place::Alone, step(), About::default());
    scene.refuses_record(&other, "key.owner").await;

    let good = object(&scene.producers.denial("three"));
    scene.producers.set_number("gw-0", scene.producers.number("gw-0") - 1);
    let forged = good.clone().with("ts", "2026-05-12T17:00:01.000Z");
    scene.ignores(Value::Object(forged), "signature.invalid").await;
    let stranger = scene.producers.alone("nobody", POINT, "runtime.step", step());
    scene.ignores(stranger.to_value(), "key.unknown").await;
    let issuer = scene.producers.alone("issuer", AUTHORITY, "policy.retired", Object::new());
    scene.ignores(issuer.to_value(), "key.unknown").await;
    let nameless = good.clone();
    scene.ignores(Value::Object(nameless.with("kid", 7u64)), "record.unreadable").await;
    // The key's window ends in July.
    let now = scene.producers.now;
    home.clock.advance(90 * 86_400 * 1000);
    scene.ignores(Value::Object(good), "key.status").await;
    assert_eq!(scene.producers.now, now);
}

fn step() -> Object {
    Object::new().with("step", 1u64).with("outcome", "passed")
}

#[tokio::test]
async fn hashes_names_and_places_in_a_lineage() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let others = [("event_hash", Value::from(Sha3([7; 64]))), ("event_hash_alt", Value::from(Blake2b([7; 64])))];
    for (member, other) in others {
        let wrong = object(&scene.producers.denial("one")).with(member, other);
        let body = wrong.canonical_without(&["event_hash", "event_hash_alt", "sig"]);
        let sig = Signer::signature(&signer("gw-0"), &body).to_value();
        let wrong = Append { records: vec![wrong.with("sig", sig).canonical()], ..Append::default() };
        scene.refuses(&wrong, "record.hash").await;
    }

    let op = scene.begun.op.clone();
    let tip = scene.begun.tip.clone();
    let later = eleven_core::event::Tip { n: tip.n + 1, ..tip.clone() };
    let gap = scene.after(&op, later, "attestation.signed", Object::new());
    scene.refuses_record(&gap, "lineage.position").await;
    let other = eleven_core::event::Tip { hash: Sha3([9; 64]), ..tip.clone() };
    let other_alt = eleven_core::event::Tip { hash_alt: Blake2b([9; 64]), ..tip.clone() };
    for other in [other, other_alt] {
        let fork = scene.after(&op, other, "execution.completed", result());
        scene.refuses_record(&fork, "lineage.position").await;
    }
    let order = scene.after(&op, tip.clone(), "execution.completed", result());
    scene.refuses_record(&order, "lineage.order").await;
    let data = Object::new().with("attestation", "att_00000000000000000000000000000000");
    let data = scene.after(&op, tip, "attestation.signed", data);
    scene.refuses_record(&data, "lineage.data").await;
    let unknown = "0".repeat(32);
    let unknown_tip = scene.issued.tip.clone();
    let nothing = scene.after(&unknown, unknown_tip.clone(), "authorization.consumed", Object::new());
    scene.refuses_record(&nothing, "op.unknown").await;
    let place = Place::First { op: unknown };
    let about = About { reason: Some(eleven_core::reason::Reason::PolicyDenied), ..About::default() };
    let renamed = scene.producers.record("gw-0", POINT, "execution.denied", place, Object::new(), about);
    scene.refuses_record(&renamed, "op.content").await;
    let mut about = About::artifact(&scene.issued.artifact);
    about.identity = Some("svc:another:prod".to_owned());
    let place = Place::After { op: scene.issued.op.clone(), tip: unknown_tip };
    let data = Object::new().with("nonce", scene.issued.artifact.usage.nonce()).with("use", 1u64);
    let bound = scene.producers.record("gw-0", POINT, "authorization.consumed", place, data, about);
    scene.refuses_record(&bound, "lineage.binding").await;
}

#[tokio::test]
async fn the_uses_of_an_artifact() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let mut append = Append::default();
    let usage = Use::Bounded { nonce: eleven_core::artifact::nonce(&[8; 17]), max: 3 };
    let mut bounded = scene.producers.issue(usage, &[], &mut append);
    scene.ledger.must_append(&append).await;
    let second = scene.producers.consume(&mut bounded, 2);
    scene.refuses_record(&second, "use.order").await;
    let first = scene.producers.consume(&mut bounded, 1);
    let mut append = Append::default();
    append.record(&first);
    scene.ledger.must_append(&append).await;
    let again = scene.producers.consume(&mut bounded, 1);
    scene.refuses_record(&again, "lineage.position").await;
    let data = Object::new().with("nonce", eleven_core::artifact::nonce(&[5; 17])).with("use", 1u64);
    let place = Place::After { op: scene.issued.op.clone(), tip: scene.issued.issued.tip() };
    let about = About::artifact(&scene.issued.artifact);
    let nonce = scene.producers.record("gw-0", POINT, "authorization.consumed", place, data, about);
    scene.refuses_record(&nonce, "use.mismatch").await;
}

#[tokio::test]
async fn events_and_their_producers_and_content() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let unknown = object(&scene.producers.denial("one")).with("event", "execution.dreamt");
    scene
        .refuses(&Append { records: vec![signed("gw-0", &unknown).canonical()], ..Append::default() }, "event.unknown")
        .await;
    let not_a_points = scene.producers.alone("gw-0", POINT, "policy.retired", Object::new());
    scene.refuses_record(&not_a_points, "event.producer").await;
    let without = scene.producers.alone("gw-0", POINT, "execution.denied", Object::new());
    scene.refuses_record(&without, "event.members").await;
    let eleventh = scene.producers.alone("gw-0", POINT, "runtime.step", step().with("step", 11u64));
    scene.refuses_record(&eleventh, "event.data").await;
    let mut append = Append::default();
    scene.producers.issue(single(3), &[], &mut append);
    append.blobs.clear();
    scene.refuses(&append, "blob.missing").await;
    // The same op a second time.
    let again = scene.issued.issued.clone();
    let draft = Draft {
        event: "authorization.issued",
        place: Place::First { op: again.op.clone() },
        ts: again.ts,
        by: AUTHORITY.to_owned(),
        src_seq: scene.producers.number("authority"),
        data: again.data.clone(),
        about: again.about.clone(),
    };
    scene.producers.set_number("authority", scene.producers.number("authority") + 1);
    scene.refuses_record(&draft.sign(&signer("authority")).expect("a record"), "op.known").await;
    let mut append = Append::default();
    let record = scene.by_authority("policy.retired", Object::new().with("ref", "policy://medical/v1"));
    append.record(&record);
    scene.ledger.must_append(&append).await;
    let mut append = Append::default();
    scene.producers.issue(single(4), &[], &mut append);
    scene.refuses(&append, "policy.mismatch").await;
}

#[tokio::test]
async fn an_issuance_that_comes_late_leaves_no_artifact() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let mut append = Append::default();
    let issued = scene.producers.issue(single(7), &[], &mut append);
    let late = scene.producers.now.plus_millis(eleven_core::limits::MAX_ISSUED_LATE_MS + 1);
    home.clock.set(late);
    scene.refuses(&append, "issuance.late").await;
    assert_eq!(append.blobs.len(), 2, "artifact and input");
    assert!(append.blobs.keys().all(|hash| scene.ledger.inner.shared.blob(hash).is_err()));
    scene.ledger.sealed().await;
    assert!(
        crate::proof::bundle(&scene.ledger.inner.shared, &issued.op).is_err(),
        "nobody is shown what was not begun"
    );
    // The same operation, decided anew.
    scene.producers.now = late;
    let mut append = Append::default();
    scene.producers.issue(single(7), &[], &mut append);
    scene.ledger.must_append(&append).await;
}

#[tokio::test]
async fn an_issuance_of_an_artifact_that_its_issuer_did_not_sign() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let mut append = Append::default();
    let issued = scene.producers.issue(single(7), &[], &mut append);
    let good = issued.artifact.to_value();
    let mut sig = issued.artifact.sig.clone();
    sig.val[3] ^= 1;
    let forged = good.as_object().cloned().expect("an object").with("sig", sig.to_value());
    assert!(append.blobs.remove(&Sha3::of_value(&good)).is_some());
    append.blob(forged.canonical());
    scene.refuses(&append, "artifact.signature.invalid").await;
    // The operation was not begun by it: the same artifact, rightly signed, is issued under the next number.
    let mut append = Append::default();
    let again = scene.producers.issue(single(7), &[], &mut append);
    assert_eq!(again.op, issued.op);
    scene.ledger.must_append(&append).await;
    drop(scene.ledger);
    crate::fsck(home.path(), &mut |_| {}).expect("sound");
}

#[tokio::test]
async fn an_issuance_of_an_artifact_by_another_key_than_its_issuers_that_counts() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let stage = granted("stage", KeyUse::Issuer, "governance://11-11/authority/stage");
    let mut append = Append::default();
    append.record(&scene.by_authority("key.registered", stage.to_object()));
    scene.ledger.must_append(&append).await;
    // Its issuer's key for events, and another authority's for artifacts: both sign, and count.
    for label in ["authority", "stage"] {
        let mut append = Append::default();
        let issued = scene.producers.issue(single(7), &[], &mut append);
        let good = issued.artifact.to_value();
        let sig = Signer::signature(&signer(label), issued.artifact.payload());
        assert!(append.blobs.remove(&Sha3::of_value(&good)).is_some());
        append.blob(good.as_object().cloned().expect("an object").with("sig", sig.to_value()).canonical());
        scene.refuses(&append, "artifact.signature.invalid").await;
    }
    // Its own, from the very moment on in which it was retired.
    let mut append = Append::default();
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("issuer"))));
    scene.ledger.must_append(&append).await;
    let mut append = Append::default();
    scene.producers.issue(single(7), &[], &mut append);
    scene.refuses(&append, "artifact.signature.invalid").await;
}

#[tokio::test]
async fn revocations_and_what_comes_after_them() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let artifact = scene.issued.artifact.clone();
    let revoked = |artifact: &Artifact, exp: Time| {
        let data = Object::new().with("artifact", &artifact.id).with("exp", exp.to_seconds_value());
        data.with("why", "operator")
    };
    let other_exp = scene.by_authority("authorization.revoked", revoked(&artifact, artifact.exp.plus_seconds(1)));
    scene.refuses_record(&other_exp, "revocation.mismatch").await;
    let stranger = "governance://11-11/authority/stage";
    let mut append = Append::default();
    append.record(&scene.by_authority("key.registered", granted("stage", KeyUse::Event, stranger).to_object()));
    let data = revoked(&artifact, artifact.exp);
    append.record(&scene.producers.alone("stage", stranger, "authorization.revoked", data));
    scene.refuses(&append, "revocation.mismatch").await;
    let of_another = About { artifact_id: Some(scene.begun.artifact.id.clone()), ..About::default() };
    let of_the_stranger = About { issuer: Some(stranger.to_owned()), ..About::default() };
    for about in [of_another, of_the_stranger] {
        let data = revoked(&artifact, artifact.exp);
        let named = scene.producers.record("authority", AUTHORITY, "authorization.revoked", Place::Alone, data, about);
        scene.refuses_record(&named, "revocation.mismatch").await;
    }
    let mut append = Append::default();
    append.record(&scene.producers.revoke(&artifact));
    scene.ledger.must_append(&append).await;
    let again = scene.producers.revoke(&artifact);
    scene.refuses_record(&again, "revocation.mismatch").await;
    let mut issued = scene.issued;
    let consumed = scene.producers.consume(&mut issued, 1);
    scene.issued = issued;
    scene.refuses_record(&consumed, "artifact.revoked").await;
    let mut append = Append::default();
    let mut child = scene.producers.issue(single(6), std::slice::from_ref(&artifact.id), &mut append);
    append.record(&scene.producers.consume(&mut child, 1));
    scene.refuses(&append, "artifact.revoked").await;
}

#[tokio::test]
async fn another_point_does_not_continue_what_one_consumed() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let place = Place::After { op: scene.begun.op.clone(), tip: scene.begun.tip.clone() };
    let data = Object::new().with("cause", "restart").with("effect", "unknown");
    let about = About::artifact(&scene.begun.artifact);
    let other = scene.producers.record("gw-1", OTHER_POINT, "execution.interrupted", place, data, about);
    scene.refuses_record(&other, "lineage.producer").await;
}

#[tokio::test]
async fn keys_grants_policies_and_what_is_not_there() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let known = granted("gw-0", KeyUse::Event, POINT);
    let fresh = granted("gw-9", KeyUse::Event, POINT);
    let mut same_public = fresh.key.clone();
    same_public.public = signer("gw-0").public();
    let mut forged = fresh.clone();
    forged.grant.val[3] ^= 1;
    for granted in [known, GrantedKey::sign(same_public, &signer("registry")), forged] {
        let record = scene.by_authority("key.registered", granted.to_object());
        scene.refuses_record(&record, "registry.refused").await;
    }
    let absent: [(&'static str, Object); 6] = [
        ("key.retired", Object::new().with("kid", kid("gw-9"))),
        ("policy.retired", Object::new().with("ref", "policy://medical/v7")),
        ("runtime.removed", Object::new().with("point", OTHER_POINT)),
        ("source.removed", Object::new().with("name", "nobody")),
        ("policy.retired", Object::new()),
        ("key.compromised", Object::new().with("kid", kid("gw-0"))),
    ];
    for (event, data) in absent {
        let record = scene.by_authority(event, data);
        scene.refuses_record(&record, "registry.refused").await;
    }
    let record = eleven_core::registry::PolicyRecord {
        id: crate::world::policy_id(2),
        operations: vec!["model.invoke".to_owned()],
        runtimes: vec!["k8s://*/ns/inference".to_owned()],
    };
    let mut published = eleven_core::registry::PublishedPolicy::sign(crate::world::DOMAIN, record, &signer("policy"));
    published.sig.val[3] ^= 1;
    let mut append = Append::default();
    append.record(&scene.by_authority("policy.published", published.to_object()));
    append.blob(crate::world::policy_bundle(2).canonical());
    scene.refuses(&append, "registry.refused").await;
    // Active to retired, retired to compromised, and never back or twice.
    let since = Object::new().with("kid", kid("gw-1")).with("since", start().to_millis_value());
    let mut append = Append::default();
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-1"))));
    scene.ledger.must_append(&append).await;
    let twice = scene.by_authority("key.retired", Object::new().with("kid", kid("gw-1")));
    scene.refuses_record(&twice, "registry.refused").await;
    let mut append = Append::default();
    append.record(&scene.by_authority("key.compromised", since.clone()));
    scene.ledger.must_append(&append).await;
    let again = scene.by_authority("key.compromised", since);
    scene.refuses_record(&again, "registry.refused").await;
}

#[tokio::test]
async fn nothing_follows_a_subjects_revocation() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let op = id::subject_op("identity", "svc:batch");
    let data = || Object::new().with("kind", "identity").with("subject", "svc:batch").with("cause", "operator");
    let mut append = Append::default();
    let mut tip = None;
    for event in ["lifecycle.contained", "lifecycle.revoked"] {
        let op = op.clone();
        let place = tip.take().map_or(Place::First { op: op.clone() }, |tip| Place::After { op, tip });
        let record = scene.producers.record("authority", AUTHORITY, event, place, data(), About::default());
        tip = Some(record.tip());
        append.record(&record);
    }
    scene.ledger.must_append(&append).await;
    let place = Place::After { op, tip: tip.expect("a tip") };
    let after = scene.producers.record("authority", AUTHORITY, "lifecycle.governed", place, data(), About::default());
    scene.refuses_record(&after, "subject.revoked").await;
}

#[tokio::test]
async fn nothing_is_said_of_a_point_whose_old_key_is_retired_once_the_new_one_is_registered() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let mut append = Append::default();
    append.record(&scene.by_authority("key.registered", granted("gw-0b", KeyUse::Event, POINT).to_object()));
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0"))));
    append.record(&scene.producers.alone("gw-0b", POINT, "runtime.step", step()));
    scene.ledger.must_append(&append).await;
    let kinds = events(&scene.ledger);
    assert!(!kinds.iter().any(|kind| kind.starts_with("audit.")), "{kinds:?}");
}

#[tokio::test]
async fn a_point_that_lost_its_journal_returns_under_a_new_key_and_the_break_is_recorded() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let number = scene.producers.number("gw-0");
    let breaks = |ledger: &Ledger| {
        let all = records(ledger).into_iter();
        let breaks = all.filter(|record| {
            let event = record.get("event").and_then(Value::as_str).unwrap_or_default();
            event.starts_with("audit.") && record.get("by") == Some(&Value::from(LEDGER))
        });
        breaks.map(|record| record.get("data").cloned().expect("data")).collect::<Vec<_>>()
    };
    // In order: the new key first, then the old one is retired. Nothing is missing.
    let mut append = Append::default();
    append.record(&scene.by_authority("key.registered", granted("gw-0b", KeyUse::Event, POINT).to_object()));
    append.record(&scene.producers.alone("gw-0b", POINT, "runtime.step", step()));
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0b"))));
    scene.ledger.must_append(&append).await;
    assert_eq!(breaks(&scene.ledger), []);
    // The journal of the other is lost: its key is retired, and only then there is a new one.
    home.clock.advance(10);
    let mut append = Append::default();
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0"))));
    append.record(&scene.by_authority("key.registered", granted("gw-0c", KeyUse::Event, POINT).to_object()));
    scene.ledger.must_append(&append).await;
    let broken = Object::new().with("cause", "drift.audit").with("from", number).with("producer", POINT);
    let broken = Value::Object(broken.with("to", Value::Null));
    assert_eq!(breaks(&scene.ledger), std::slice::from_ref(&broken));
    let mut append = Append::default();
    append.record(&scene.producers.alone("gw-0c", POINT, "runtime.step", step()));
    append.record(&scene.producers.alone("gw-0c", POINT, "runtime.step", step()));
    scene.ledger.must_append(&append).await;
    assert_eq!(breaks(&scene.ledger), [broken.clone(), broken], "discontinuity, and resumed with the first record");
    let kinds = events(&scene.ledger);
    let count = |name: &str| kinds.iter().filter(|kind| *kind == name).count();
    assert_eq!((count("audit.discontinuity"), count("audit.resumed")), (1, 1));
    // Under the old key nothing more is taken.
    let late = scene.producers.denial("late");
    scene.ignores(late.to_value(), "key.status").await;
    drop(scene.ledger);
    crate::fsck(home.path(), &mut |_| {}).expect("sound");
}

/// What the ledger said of streams that broke off, and from which number on.
fn said(ledger: &Ledger) -> Vec<(String, i64)> {
    let said = |record: &Value| {
        let event = record.get("event").and_then(Value::as_str).filter(|event| event.starts_with("audit."))?;
        let from = record.pointer("/data/from").and_then(Value::as_int)?;
        (record.get("by") == Some(&Value::from(LEDGER))).then(|| (event.to_owned(), from))
    };
    records(ledger).iter().filter_map(said).collect()
}

/// What it is to have said.
fn expected(said: &[(&str, i64)]) -> Vec<(String, i64)> {
    said.iter().map(|(event, from)| (format!("audit.{event}"), *from)).collect()
}

#[tokio::test]
async fn a_point_that_is_given_another_key_before_it_returned_is_said_once_to_have_broken_off() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let number = i64::try_from(scene.producers.number("gw-0")).expect("a small one");
    // Its journal is lost, and so is each keystore that it was to return with.
    for (old, new) in [("gw-0", "gw-0b"), ("gw-0b", "gw-0c"), ("gw-0c", "gw-0d")] {
        home.clock.advance(10);
        let mut append = Append::default();
        append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid(old))));
        append.record(&scene.by_authority("key.registered", granted(new, KeyUse::Event, POINT).to_object()));
        scene.ledger.must_append(&append).await;
        let once = expected(&[("discontinuity", number)]);
        assert_eq!(said(&scene.ledger), once, "{new}");
    }
    let mut append = Append::default();
    append.record(&scene.producers.alone("gw-0d", POINT, "runtime.step", step()));
    scene.ledger.must_append(&append).await;
    let resumed = [("discontinuity", number), ("resumed", number)];
    let both = expected(&resumed);
    assert_eq!(said(&scene.ledger), both, "of the stream that broke off");

    // It breaks off anew, and does not return under the key for that, but by one that took its place in order, and is lost, too.
    home.clock.advance(10);
    let mut append = Append::default();
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0d"))));
    append.record(&scene.by_authority("key.registered", granted("gw-0e", KeyUse::Event, POINT).to_object()));
    append.record(&scene.by_authority("key.registered", granted("gw-0f", KeyUse::Event, POINT).to_object()));
    append.record(&scene.producers.alone("gw-0f", POINT, "runtime.step", step()));
    append.record(&scene.producers.alone("gw-0f", POINT, "runtime.step", step()));
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0e"))));
    scene.ledger.must_append(&append).await;
    let again = [&resumed[..], &[("discontinuity", 1), ("resumed", 1)]].concat();
    assert_eq!(said(&scene.ledger), expected(&again), "with the first record that comes");
    home.clock.advance(10);
    let mut append = Append::default();
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0f"))));
    append.record(&scene.by_authority("key.registered", granted("gw-0g", KeyUse::Event, POINT).to_object()));
    scene.ledger.must_append(&append).await;
    let last = expected(&[&again[..], &[("discontinuity", 2)]].concat());
    assert_eq!(said(&scene.ledger), last, "it had gone on");
    drop(scene.ledger);
    crate::fsck(home.path(), &mut |_| {}).expect("sound");
}

#[tokio::test]
async fn a_point_goes_on_also_by_a_key_that_took_the_place_of_an_unused_one_in_order() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let number = i64::try_from(scene.producers.number("gw-0")).expect("a small one");
    let mut append = Append::default();
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0"))));
    append.record(&scene.by_authority("key.registered", granted("gw-0b", KeyUse::Event, POINT).to_object()));
    // The one that it was to return by counts, and signed nothing.
    append.record(&scene.by_authority("key.registered", granted("gw-0c", KeyUse::Event, POINT).to_object()));
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0b"))));
    scene.ledger.must_append(&append).await;
    let mut broken = vec![("discontinuity", number)];
    assert_eq!(said(&scene.ledger), expected(&broken));
    let mut append = Append::default();
    append.record(&scene.producers.alone("gw-0c", POINT, "runtime.step", step()));
    append.record(&scene.producers.alone("gw-0c", POINT, "runtime.step", step()));
    scene.ledger.must_append(&append).await;
    broken.push(("resumed", number));
    assert_eq!(said(&scene.ledger), expected(&broken));
    // From then on the one takes over from the other.
    let mut append = Append::default();
    append.record(&scene.by_authority("key.registered", granted("gw-0d", KeyUse::Event, POINT).to_object()));
    append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid("gw-0c"))));
    append.record(&scene.producers.alone("gw-0d", POINT, "runtime.step", step()));
    scene.ledger.must_append(&append).await;
    assert_eq!(said(&scene.ledger), expected(&broken));
    drop(scene.ledger);
    crate::fsck(home.path(), &mut |_| {}).expect("sound");
}

#[tokio::test]
async fn a_point_whose_first_record_is_refused_is_awaited_no_more_and_not_said_to_go_on() {
    let home = Home::new();
    let mut scene = Scene::make(&home).await;
    let number = i64::try_from(scene.producers.number("gw-0")).expect("a small one");
    let mut broken = Vec::new();
    for (old, new, from) in [("gw-0", "gw-0b", number), ("gw-0b", "gw-0c", 1)] {
        home.clock.advance(10);
        let mut append = Append::default();
        append.record(&scene.by_authority("key.retired", Object::new().with("kid", kid(old))));
        append.record(&scene.by_authority("key.registered", granted(new, KeyUse::Event, POINT).to_object()));
        scene.ledger.must_append(&append).await;
        broken.push(("discontinuity", from));
        assert_eq!(said(&scene.ledger), expected(&broken), "{new}");
        // Nobody but the authority retires a policy: it has its number, and that is said.
        let refused = scene.producers.alone(new, POINT, "policy.retired", Object::new());
        scene.refuses_record(&refused, "event.producer").await;
        broken.push(("discontinuity", 0));
    }
    let mut append = Append::default();
    append.record(&scene.producers.alone("gw-0c", POINT, "runtime.step", step()));
    scene.ledger.must_append(&append).await;
    assert_eq!(said(&scene.ledger), expected(&broken));
    drop(scene.ledger);
    crate::fsck(home.path(), &mut |_| {}).expect("sound");
}
