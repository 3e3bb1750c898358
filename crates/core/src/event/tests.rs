use super::*;
use crate::encoding::parse;
use crate::policy::PolicyId;
use crate::signature::{SeedSigner, VerifyingKey, bytes32};
use alloc::{format, vec};

fn records() -> Vec<Value> {
    let file = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let entries = file.get("entries").and_then(Value::as_array).expect("entries");
    entries.iter().map(|entry| entry.get("record").expect("record").clone()).collect()
}

fn seed(record: &Record) -> [u8; 32] {
    let file = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let role = record.kid.split('/').nth(1).expect("a role").to_owned();
    let seeds = file.get("seeds").expect("seeds");
    bytes32(seeds.get(&role).and_then(Value::as_str).expect("a seed")).expect("32 bytes")
}

use alloc::borrow::ToOwned;

#[test]
fn every_record_of_the_vectors_reads_follows_and_verifies() {
    for value in records() {
        let record = Record::read(value.clone()).unwrap_or_else(|e| panic!("{value}: {e}"));
        assert!(record.hashes_follow(), "{}", record.event);
        let kind = record.kind().expect("in the catalogue");
        assert!(kind.producers.contains(&Producer::of(&record.by).expect("a producer")));
        let signer = SeedSigner::new(record.kid.clone(), &seed(&record));
        assert!(VerifyingKey::new(&signer.public()).expect("a key").verifies(record.body(), &record.sig.val));
    }
}

#[test]
fn each_record_has_the_digest_of_its_own_envelope_whoever_takes_it() {
    // The records of the vectors twice, and one attestation among them with another envelope.
    let records: Vec<Record> = records().into_iter().map(|value| Record::read(value).expect("of its form")).collect();
    let mut more: Vec<Record> = records.iter().chain(&records).cloned().collect();
    let changed = more.iter_mut().rev().find(|record| record.event == "attestation.signed").expect("one");
    let text =
        String::from_utf8(changed.canonical().to_vec()).expect("text").replace("\"payloadType\"", "\"payloadTypf\"");
    *changed = Record::read_canonical(text.as_bytes()).expect("of its form, whatever its hashes are");
    let alone: Vec<Option<Sha3>> = more.iter().map(Record::envelope_digest).collect();
    for (record, digest) in more.iter().zip(&alone) {
        let envelope = record.data.get("envelope").filter(|_| record.event == "attestation.signed");
        assert_eq!(*digest, envelope.map(Sha3::of_value), "{}", record.event);
    }
    assert!(alone.iter().flatten().collect::<alloc::collections::BTreeSet<_>>().len() > 1, "two envelopes at least");
    Record::digest_envelopes(&mut more);
    assert!(more.iter().all(|record| !matches!(record.envelope, Envelope::Bytes(_))), "each was taken");
    assert_eq!(more.iter().map(Record::envelope_digest).collect::<Vec<_>>(), alone);
}

#[test]
fn a_draft_signs_to_the_same_record() {
    for value in records() {
        let record = Record::read(value).expect("of its form");
        let alone = record.op_is_content();
        let place = match &record.prev {
            _ if alone => Place::Alone,
            None => Place::First { op: record.op.clone() },
            Some((hash, hash_alt)) => {
                Place::After { op: record.op.clone(), tip: Tip { n: record.n - 1, hash: *hash, hash_alt: *hash_alt } }
            }
        };
        let draft = Draft {
            event: record.kind().expect("in the catalogue").name,
            place,
            ts: record.ts,
            by: record.by.clone(),
            src_seq: record.src_seq,
            data: record.data.clone(),
            about: record.about.clone(),
        };
        let signer = SeedSigner::new(record.kid.clone(), &seed(&record));
        let signed = draft.sign(&signer).expect("signs");
        assert_eq!(signed, record);
        assert_eq!(signed.envelope_digest(), record.envelope_digest());
        assert_eq!((signed.body(), &signed.data, &signed.about), (record.body(), &record.data, &record.about));
    }
}

/// As the object of all its members is encoded, whatever an event may have.
#[test]
fn a_draft_is_encoded_as_the_object_that_it_is() {
    let text = |text: &str| Some(text.to_owned());
    let about = About {
        identity: text("svc:inference-gateway:prod"),
        operation: text("model.\"invoke\""),
        artifact_id: Some(format!("auth_{}", "0".repeat(32))),
        issuer: text("governance://11-11/authority/prod"),
        runtime: text("k8s://cluster-east-1/ns/inference"),
        policy: Some(PolicyId { reference: "policy://a/v1".to_owned(), hash: Sha3([1; 64]) }),
        policy_required: text("policy://a/v2"),
        reason: Some(crate::reason::Reason::PolicyDenied),
        fingerprint: Some(Sha3([2; 64])),
    };
    let data = Object::new().with("a", vec![Value::Object(Object::new().with("b", "\u{1f600}\n"))]).with("c", 7u64);
    let (ts, by) = (Time(1_778_605_451_012), "k8s://cluster-east-1/ns/inference#gw-0");
    let signer = SeedSigner::new("key:11-11/gw-0/2026-q2", &[1; 32]);
    let tip = Tip { n: 6, hash: Sha3([3; 64]), hash_alt: Blake2b([4; 64]) };
    let op = "0".repeat(32);
    let places = [Place::Alone, Place::First { op: op.clone() }, Place::After { op: op.clone(), tip: tip.clone() }];
    let abouts = [about, About::default()];
    let cases = places.iter().flat_map(|place| abouts.iter().map(move |about| (place, about)));
    for (place, about) in cases {
        let draft = Draft {
            event: "execution.denied",
            place: place.clone(),
            ts,
            by: by.to_owned(),
            src_seq: 9,
            data: data.clone(),
            about: about.clone(),
        };
        let signed = draft.sign(&signer).expect("of its form");
        let tip = if matches!(place, Place::After { .. }) { Some(&tip) } else { None };
        let mut object = Object::new()
            .with("v", "1")
            .with("event", "execution.denied")
            .with("n", tip.map_or(1, |tip| tip.n + 1))
            .with("prev_hash", tip.map(|tip| Value::from(tip.hash)))
            .with("prev_hash_alt", tip.map(|tip| Value::from(tip.hash_alt)))
            .with("ts", ts.millis())
            .with("by", by)
            .with("src_seq", 9u64)
            .with("kid", signer.kid())
            .with("data", data.clone())
            .with_some("identity", about.identity.as_ref())
            .with_some("operation", about.operation.as_ref())
            .with_some("artifact_id", about.artifact_id.as_ref())
            .with_some("issuer", about.issuer.as_ref())
            .with_some("runtime", about.runtime.as_ref())
            .with_some("policy", about.policy.as_ref().map(PolicyId::to_value))
            .with_some("policy_required", about.policy_required.as_ref())
            .with_some("reason", about.reason.map(|reason| reason.code()))
            .with_some("fingerprint", about.fingerprint);
        let alone = matches!(place, Place::Alone);
        let content = id::of_canonical(&object.canonical());
        object.insert("op", if alone { &content } else { &op });
        assert_eq!(signed.body(), object.canonical());
        let sealed = object.with("event_hash", signed.hash).with("event_hash_alt", signed.hash_alt);
        assert_eq!(signed.canonical(), sealed.with("sig", signed.sig.to_value()).canonical());
        assert!(signed.hashes_follow() && signed.op_is_content() == alone);
    }
}

/// Its producer would have a record that no ledger takes, and nothing after it.
#[test]
fn a_draft_with_a_name_of_another_form_is_not_signed() {
    type Change = fn(&mut Draft);
    fn other() -> Option<String> {
        Some("alice@example.com".to_owned())
    }
    let draft = || Draft {
        event: "execution.denied",
        place: Place::Alone,
        ts: Time(1_778_605_451_000),
        by: "k8s://cluster-east-1/ns/inference#gw-0".to_owned(),
        src_seq: 0,
        data: Object::new(),
        about: About { identity: Some("svc:inference-gateway:prod".to_owned()), ..About::default() },
    };
    let signer = SeedSigner::new("key:11-11/gw-0/2026-q2", &[1; 32]);
    draft().sign(&signer).expect("of its form");
    let changes: [(&str, Change); 8] = [
        ("by", |draft| draft.by = "gw-0".to_owned()),
        ("identity", |draft| draft.about.identity = other()),
        ("operation", |draft| draft.about.operation = Some("a call".to_owned())),
        ("artifact_id", |draft| draft.about.artifact_id = other()),
        ("issuer", |draft| draft.about.issuer = other()),
        ("runtime", |draft| draft.about.runtime = other()),
        ("policy", |draft| {
            draft.about.policy = Some(PolicyId { reference: "v1".to_owned(), hash: Sha3([0; 64]) });
        }),
        ("policy_required", |draft| draft.about.policy_required = other()),
    ];
    for (member, change) in changes {
        let mut draft = draft();
        change(&mut draft);
        let error = draft.sign(&signer).expect_err(member);
        assert_eq!(error.0, format!("event: `{member}` is not of its form"));
    }
    let error = draft().sign(&SeedSigner::new("gw-0", &[1; 32])).expect_err("no key's name");
    assert_eq!(error.0, "event: `kid` is not of its form");
}

#[test]
fn what_a_record_must_not_be() {
    let good = records().into_iter().nth(9).expect("an entry");
    let object = good.as_object().expect("an object");
    let refused = |name: &str, value: Value| Record::read(Value::Object(object.clone().with(name, value))).is_err();
    assert!(refused("note", "x".into()));
    assert!(refused("v", "2".into()));
    assert!(refused("n", Value::Int(0)));
    assert!(refused("n", Value::Int(2)));
    assert!(refused("reason", "because".into()));
    assert!(refused("kid", "key:11-11/other/2026-q2".into()));
    assert!(refused("prev_hash", Value::from(Sha3([0; 64]))));
    assert!(refused("data", Value::Object(Object::new().with("x", format!("{:>20000}", 1)))));
}

#[test]
fn a_record_is_taken_up_to_its_limit_and_its_first_continues_nothing() {
    let good = records().into_iter().nth(9).expect("an entry");
    let object = good.as_object().expect("an object");
    let why = |record: Object| Record::read(Value::Object(record)).err().map(|error| error.0).unwrap_or_default();
    let filled = |fill: usize| object.clone().with("data", Object::new().with("x", "x".repeat(fill)));
    for (bytes, says) in [(16_384, ""), (16_385, "the event record is larger than 16 KiB")] {
        assert_eq!(why(filled(bytes - filled(0).canonical().len())), says, "{bytes}");
    }
    let (prev, prev_alt) = (Sha3([0; 64]), Blake2b([0; 64]));
    let first = "event: `prev_hash` is null at n = 1 and only there";
    let one = "event: only one of `prev_hash` and `prev_hash_alt` is null";
    let whole = || object.clone().with("prev_hash", prev).with("prev_hash_alt", prev_alt);
    assert_eq!(why(whole().with("n", 2u64)), "");
    for (record, says) in [
        (whole(), first),
        (object.clone().with("n", 2u64), first),
        (whole().with("n", 2u64).with("prev_hash", Value::Null), one),
        (whole().with("n", 2u64).with("prev_hash_alt", Value::Null), one),
    ] {
        assert_eq!(why(record), says);
    }
}

/// A record that could not be sent, or not be shown, would hold up its producer's journal for good.
#[test]
fn a_record_is_refused_that_is_too_deep_for_where_it_has_to_stand() {
    let good = records().into_iter().nth(9).expect("an entry");
    let deep = |inside: usize| {
        let data = (0..inside).fold(Value::Int(1), |inner, _| Value::Array(vec![inner]));
        Value::Object(good.as_object().expect("an object").clone().with("data", Object::new().with("x", data)))
    };
    // Record and data are two of the 32 containers, a list in an object two more.
    let shown = |record: Value| Object::new().with("records", Value::Array(vec![record])).canonical();
    assert!(Record::read(deep(28)).is_ok() && parse(&shown(deep(28))).is_ok());
    assert!(Record::read(deep(29)).is_err() && parse(&shown(deep(29))).is_err());
}
