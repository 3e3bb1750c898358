use super::*;
use crate::event::{About, Draft, Place, Record, Tip};
use crate::hash::{Blake2b, Sha256};
use crate::limits::{MAX_INLINE_EVIDENCE, MAX_INTEGER, MAX_OP, MAX_POLICY, MAX_PREDICATE_TYPE, MAX_RUNTIME, MAX_USE};
use crate::signature::{SeedSigner, bytes32};

/// The attestations in the ledger of the vectors, each with its event.
fn attested() -> Vec<(Record, Value)> {
    let file = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let entries = file.get("entries").and_then(Value::as_array).expect("entries").to_vec();
    let records =
        entries.iter().map(|entry| Record::read(entry.get("record").expect("record").clone()).expect("reads"));
    let signed = records.filter(|record| record.event == "attestation.signed");
    signed.map(|record| (record.clone(), record.data.get("envelope").expect("envelope").clone())).collect()
}

/// The signer of a key of the vectors.
fn signer(kid: &str) -> SeedSigner {
    let file = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let role = kid.split('/').nth(1).expect("a role");
    let seed = file.get("seeds").and_then(|seeds| seeds.get(role)).and_then(Value::as_str).expect("a seed");
    SeedSigner::new(kid, &bytes32(seed).expect("32 bytes"))
}

#[test]
fn attestations_of_the_vectors_are_read_verified_and_made_again() {
    assert!(!attested().is_empty());
    for (record, value) in attested() {
        let envelope = Envelope::read(value.clone()).expect("an envelope");
        let statement = envelope.statement().expect("a statement");
        assert_eq!(Some(&statement.artifact_id), record.about.artifact_id.as_ref());
        assert_eq!(statement.op, record.op);
        assert_eq!(statement.evidence.iter().filter_map(Evidence::level).max(), Some(EvidenceLevel::Software));
        let signer = signer(&envelope.kid);
        let key = VerifyingKey::new(&signer.public()).expect("a key");
        assert!(envelope.verify(&key));
        let again = statement.sign(&signer);
        assert_eq!(again, envelope);
        assert_eq!(again.to_value(), value);
        assert_eq!(again.digest(), Sha3::of_value(&value));
    }
}

#[test]
fn what_is_signed_binds_the_type_and_the_lengths() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    let (_, value) = attested().remove(0);
    let mut envelope = Envelope::read(value).expect("an envelope");
    let key = VerifyingKey::new(&signer(&envelope.kid).public()).expect("a key");
    envelope.payload.push(b' ');
    assert!(!envelope.verify(&key));
}

#[test]
fn an_envelope_has_one_signature_and_nothing_unknown() {
    let (_, value) = attested().remove(0);
    let object = value.as_object().expect("an object");
    let refused = |name: &str, value: Value| Envelope::read(Value::Object(object.clone().with(name, value))).is_err();
    let one = object.get("signatures").and_then(Value::as_array).expect("signatures")[0].clone();
    assert!(refused("signatures", Value::Array(Vec::new())));
    assert!(refused("signatures", Value::Array(vec![one.clone(), one])));
    assert!(refused("payloadType", "text/plain".into()));
    assert!(refused("note", "x".into()));
}

#[test]
fn a_predicate_may_hold_more_and_must_not_lack_anything() {
    let (_, value) = attested().remove(0);
    let statement = Envelope::read(value).expect("an envelope").statement().expect("a statement");
    let whole = statement.to_value();
    let predicate = whole.get("predicate").and_then(Value::as_object).expect("a predicate");
    let parsed = |predicate: Object| {
        let changed = whole.as_object().expect("an object").clone().with("predicate", predicate);
        Statement::parse(&changed.canonical())
    };
    assert_eq!(parsed(predicate.clone().with("note", "x")), Ok(statement));
    for (name, _) in predicate.iter() {
        let mut lacking = predicate.clone();
        lacking.remove(name);
        assert!(parsed(lacking).is_err(), "{name}");
    }
    let odd = Object::new().with("type", "hearsay");
    assert!(parsed(predicate.clone().with("evidence", vec![Value::Object(odd)])).is_err());
    // `{"quote":"…","type":"tpm2-quote"}` has 32 bytes beside the quote.
    for (bytes, taken) in [(MAX_INLINE_EVIDENCE, true), (MAX_INLINE_EVIDENCE + 1, false)] {
        let quote = Object::new().with("type", "tpm2-quote").with("quote", "q".repeat(bytes - 32));
        assert_eq!(quote.canonical().len(), bytes);
        assert_eq!(parsed(predicate.clone().with("evidence", vec![Value::Object(quote)])).is_ok(), taken, "{bytes}");
        // So does what the software says of itself, whatever stands beside it.
        let digest = Sha3::of(&[b"measured"]);
        let software = Object::new().with("type", "software").with("binary", digest).with("config", digest);
        let noted = |note: usize| software.clone().with("note", "n".repeat(note));
        let noted = noted(bytes - noted(0).canonical().len());
        assert_eq!(noted.canonical().len(), bytes);
        assert_eq!(parsed(predicate.clone().with("evidence", vec![Value::Object(noted)])).is_ok(), taken, "{bytes}");
    }
}

/// A name of so many bytes, of short segments between its head and its tail.
fn long(head: &str, tail: &str, bytes: usize) -> String {
    let mut path = "a/".repeat(bytes);
    path.truncate(bytes - head.len() - tail.len() - 1);
    format!("{head}{path}a{tail}")
}

/// The event of an attestation in which every name is as long as one may be, under a policy's reference of so many bytes.
fn longest(policy: usize) -> Result<Record, FormError> {
    let (domain, segment) = ("d".repeat(64), "s".repeat(64));
    let signer = |seed: &[u8]| SeedSigner::new(format!("key:{domain}/{segment}/{segment}"), &Sha256::of(&[seed]).0);
    let (_, value) = attested().remove(0);
    let statement = Envelope::read(value).expect("an envelope").statement().expect("a statement");
    let operation = |note: usize| {
        let object = Object::new().with("name", "o".repeat(64)).with("scope", Vec::<Value>::new());
        Value::Object(object.with("note", "n".repeat(note)))
    };
    let operation = operation(MAX_OP - operation(0).canonical().len());
    assert_eq!(operation.canonical().len(), MAX_OP);
    let content = statement.artifact_id.strip_prefix("auth_").expect("an artifact's id");
    let statement = Statement {
        predicate_type: long("https://eu.example/", "", MAX_PREDICATE_TYPE),
        op: format!("{content}.{}", MAX_USE),
        operation,
        identity: format!("workload:{segment}:{segment}"),
        runtime: long("host://", "", MAX_RUNTIME),
        policy: PolicyId { reference: long("policy://", "/v999999999999999", policy), ..statement.policy.clone() },
        outcome: Outcome::Interrupted,
        result: StatementResult { bytes: MAX_INTEGER, status: u64::from(u16::MAX), ..statement.result },
        ..statement
    };
    let Statement { artifact_id, op, identity, runtime, policy, .. } = statement.clone();
    let by = format!("{runtime}#{segment}");
    let about = About {
        identity: Some(identity),
        operation: Some("o".repeat(64)),
        artifact_id: Some(artifact_id.clone()),
        issuer: Some(format!("governance://{domain}/authority/{segment}")),
        runtime: Some(runtime),
        policy: Some(policy),
        ..About::default()
    };
    let attestation = id::attestation_id(&artifact_id, &by, &op);
    let data = Object::new().with("attestation", attestation).with("envelope", statement.to_envelope(&signer(b"a")));
    let tip = Tip { n: MAX_INTEGER - 1, hash: Sha3::of(&[b"tip"]), hash_alt: Blake2b::of(&[b"tip"]) };
    let (event, ts) = ("attestation.signed", statement.finished);
    Draft { event, place: Place::After { op, tip }, ts, by, src_seq: MAX_INTEGER, data, about }.sign(&signer(b"e"))
}

#[test]
fn the_longest_names_that_are_taken_leave_an_attestation_room_in_its_record() {
    longest(MAX_POLICY).expect("an execution that ran can be closed");
    longest(4 * MAX_POLICY).expect_err("more than a record holds");
}
