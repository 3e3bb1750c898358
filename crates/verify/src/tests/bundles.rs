//! Bundles as they are made: put together from their parts, with disclosures, decisions and further roots.

use super::{items, text, valid, valid_bundles, vector};
use crate::bundle::{Authorization, EntryProof, RegistryPart, RegistryRecord, ShownEntry, check_form};
use crate::{Bundle, Caller, Kind, Pinned, Replay, ReplayResult, Status, Verdict, verify};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::artifact::{Artifact, Draft, Operation};
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::form::Form;
use eleven_core::hash::{Sha3, base64};
use eleven_core::head::Head;
use eleven_core::index::Proof;
use eleven_core::policy::{PolicyBundle, commitment};
use eleven_core::reason::Reason;
use eleven_core::registry::{Header, Item, RuntimeRecord};
use eleven_core::root::{KeyRecord, TrustRoot, Witnesses};
use eleven_core::signature::{SeedSigner, bytes32};
use eleven_core::tree::read_proof;

fn entry(value: &Value) -> EntryProof {
    let mut form = Form::of(value.clone(), "entry").expect("an object");
    let header = EntryHeader::take(&mut form).expect("a header");
    EntryProof { header, proof: read_proof(&form.take("proof").expect("a proof")).expect("of its form") }
}

fn shown(value: &Value, record: &Value) -> ShownEntry {
    ShownEntry { entry: entry(value), record: Record::read(record.clone()).expect("a record") }
}

fn whole(value: &Value) -> ShownEntry {
    shown(value, value.get("record").expect("a record"))
}

fn proof(value: &Value) -> Proof {
    Proof::read(value.clone()).expect("a proof")
}

fn record(value: &Value) -> RegistryRecord {
    let (record, proven) =
        (value.get("record").expect("a record").clone(), proof(value.get("proof").expect("a proof")));
    match text(value, "kind") {
        "key" => RegistryRecord::new(&KeyRecord::read(record).expect("a key"), proven),
        "runtime" => RegistryRecord::new(&<RuntimeRecord as Item>::read(record).expect("a runtime"), proven),
        other => panic!("the vectors show no {other}"),
    }
}

/// The parts of a bundle of the vectors.
fn parts(value: &Value) -> Bundle {
    let at = |name: &str| value.get(name).expect("a member");
    let index = at("index");
    let (header, sig) = Header::read(at("registry").get("header").expect("a header").clone()).expect("of its form");
    let records = items(at("registry").get("records").expect("records")).iter().map(record).collect();
    Bundle {
        kind: Kind::parse(text(value, "kind")).expect("a kind"),
        op: text(value, "op").into(),
        roots: items(at("roots")).iter().map(|root| TrustRoot::read(root.clone()).expect("a root")).collect(),
        registry: RegistryPart { header, sig, records },
        events: items(at("entries"))
            .iter()
            .zip(items(at("events")))
            .map(|(entry, event)| shown(entry, event))
            .collect(),
        seal: whole(at("seal")),
        head: Head::read(at("head").clone()).expect("a head"),
        checkpoint: text(value, "checkpoint").into(),
        last_event: proof(index.get("op").expect("a proof")),
        authorization: value.get("artifact").map(|artifact| Authorization {
            artifact: Artifact::read(artifact.clone()).expect("an artifact"),
            policy: at("policy").clone(),
            published: whole(at("published")),
            revoked: proof(index.get("revoked").expect("a proof")),
            revocation: value.get("revocation").map(whole),
            registered: value.get("registered").map(whole),
            first_use: index.get("use").map(proof),
            decision: None,
            disclosures: Vec::new(),
        }),
    }
}

#[test]
fn bundles_put_together_from_their_parts_are_those_of_the_vectors() {
    for (name, value) in valid_bundles() {
        let made = parts(&value).to_value();
        assert_eq!(made, value, "{name}");
        assert_eq!(check_form(&made), Ok(()), "{name}");
    }
}

#[test]
fn a_disclosure_stands_where_the_artifact_committed_to_it() {
    let root = Pinned::new(vector("root.json"));
    let caller = Caller { root: Some(&root), ..Caller::default() };
    let file = vector("artifacts.json");
    let disclosure = items(file.get("disclosure").and_then(|d| d.get("disclosure")).expect("a disclosure")).to_vec();
    let with = |disclosure: Vec<Value>| {
        let mut bundle = parts(&valid("execution"));
        bundle.authorization.as_mut().expect("an artifact").disclosures = vec![Value::Array(disclosure)];
        verify(&bundle.to_value(), &caller)
    };
    assert_eq!(with(disclosure.clone()).verdict, Verdict::Verified);
    for (i, other) in ["TifZlO+XYopWgMCkNm9QPg==", "/op/model", "p-4711"].into_iter().enumerate() {
        let mut changed = disclosure.clone();
        changed[i] = other.into();
        assert_eq!(with(changed).status("artifact.digest"), Some(Status::Failed), "{other}");
    }
    assert_eq!(with(disclosure[..2].to_vec()).status("artifact.digest"), Some(Status::Failed));
}

/// What `artifact.digest` says of an artifact whose operation is changed before it is issued, and of what is disclosed of it.
fn disclosing(change: impl FnOnce(Object) -> Object, disclosures: Vec<Value>) -> (Status, String) {
    let mut bundle = parts(&valid("execution"));
    let shown = bundle.authorization.as_mut().expect("an artifact");
    let Artifact { iss, sub, op, pol, env, nbf, exp, usage, parent, holder, sig, .. } = shown.artifact.clone();
    let op = Value::Object(change(op.value().as_object().expect("an op").clone()));
    let op = Operation::read(op).expect("of its form");
    let draft = Draft { iss, sub, op, pol, env, nbf, exp, usage, parent, holder };
    shown.artifact = draft.issue(&SeedSigner::new(sig.kid, &[1; 32])).expect("an artifact");
    shown.disclosures = disclosures;
    bundle.op = shown.artifact.content_id().into();
    let report = verify(&bundle.to_value(), &Caller::default());
    let check = report.checks.into_iter().find(|check| check.name == "artifact.digest").expect("the check");
    (check.status, check.detail.unwrap_or_default())
}

/// By a salt that can be tried out, whoever has the artifact finds what it commits to.
#[test]
fn a_salt_is_as_long_as_nobody_guesses() {
    let (path, value) = ("/op/patient", Value::from("p-4711"));
    let salted = |bytes: &[u8]| {
        let salt = base64(bytes);
        let committed = commitment(&salt, path, &value);
        let disclosure = Value::Array(vec![salt.into(), path.into(), value.clone()]);
        disclosing(|op| op.with("patient", committed), vec![disclosure])
    };
    assert_eq!(salted(&[7; 16]), (Status::Passed, "".into()));
    for length in [0, 1, 15, 17] {
        let why = "a disclosure's salt is not 16 bytes in base64";
        assert_eq!(salted(&vec![7; length]), (Status::Failed, why.into()), "{length} bytes");
    }
}

/// The artifact is read once, however many of its values are disclosed.
#[test]
fn many_disclosures_are_opened() {
    let (salt, path) = (base64(&[7; 16]), "/op/patient");
    let committed = commitment(&salt, path, &Value::Null);
    let opened = Value::Array(vec![salt.into(), path.into(), Value::Null]);
    let others = vec![Value::Int(0); 1_600];
    let said = disclosing(|op| op.with("patient", committed).with("others", others), vec![opened; 200_000]);
    assert_eq!(said, (Status::Passed, "".into()));
}

/// An execution whose issuance recorded this decision input. Only `policy.replay` still reads it as it should be.
fn decided(decision: &Value) -> Value {
    let bundle = valid("execution");
    let mut events = items(bundle.get("events").expect("events")).to_vec();
    let issued = events[0].as_object().expect("an event").clone();
    let data = issued.get("data").and_then(Value::as_object).expect("data").clone();
    events[0] = Value::Object(issued.with("data", data.with("request", Sha3::of_value(decision))));
    let bundle = bundle.as_object().expect("a bundle").clone();
    Value::Object(bundle.with("events", events).with("decision", decision.clone()))
}

fn decision() -> Object {
    let bundle = valid("execution");
    let artifact = bundle.get("artifact").expect("an artifact");
    let at = |name: &str| artifact.get(name).expect("a member").clone();
    let mut op = at("op").as_object().expect("an op").clone();
    op.remove("params");
    Object::new()
        .with("identity", at("sub"))
        .with("op", op)
        .with("env", at("env"))
        .with("policy", at("pol"))
        .with("facts", Object::new())
        .with("at", "2026-05-12T17:04:11.000Z")
}

#[test]
fn a_decision_is_put_to_the_policy_again() {
    let status = |decision: Object, replay: Option<&Replay<'_>>| {
        let bundle = decided(&Value::Object(decision));
        verify(&bundle, &Caller { replay, ..Caller::default() }).status("policy.replay").expect("the check")
    };
    let permits = |policy: &PolicyBundle, decision: &Value| {
        let named = decision.get("policy").and_then(|policy| policy.get("ref")).and_then(Value::as_str);
        if named == Some(&policy.reference) { ReplayResult::Permits } else { ReplayResult::Unreadable }
    };
    assert_eq!(status(decision(), None), Status::NotChecked);
    assert_eq!(status(decision(), Some(&permits)), Status::Passed);
    assert_eq!(status(decision(), Some(&|_, _| ReplayResult::Denies(Reason::PolicyDenied))), Status::Failed);
    assert_eq!(status(decision(), Some(&|_, _| ReplayResult::Unreadable)), Status::Failed);
    assert_eq!(status(decision().with("identity", "svc:another:prod"), Some(&permits)), Status::Failed);
    let other = Object::new().with("name", "model.train");
    assert_eq!(status(decision().with("op", other), Some(&permits)), Status::Failed);
}

#[test]
fn what_was_decided_is_what_was_authorised_also_where_no_policy_is_evaluated() {
    let status = |decision: Object| {
        let bundle = decided(&Value::Object(decision));
        verify(&bundle, &Caller::default()).status("policy.replay").expect("the check")
    };
    assert_eq!(status(decision()), Status::NotChecked);
    for (name, other) in [
        ("identity", Value::from("svc:another:prod")),
        ("op", Value::Object(Object::new().with("name", "model.train"))),
        ("env", Value::Null),
        ("policy", Value::Null),
    ] {
        assert_eq!(status(decision().with(name, other)), Status::Failed, "{name}");
        let mut less = decision();
        less.remove(name);
        assert_eq!(status(less), Status::Failed, "without {name}");
    }
    let about = |request: Value| {
        let decision = decision();
        let op = decision.get("op").and_then(Value::as_object).expect("an op").clone();
        decision.with("op", op.with("params", request))
    };
    let artifact = valid("execution").get("artifact").expect("an artifact").clone();
    let bound = artifact.pointer("/op/params").expect("a bound request");
    assert_eq!(status(about(bound.clone())), Status::NotChecked);
    assert_eq!(status(about(Sha3::of(&[b"another request"]).into())), Status::Failed);
}

#[test]
fn what_is_no_decision_input_can_not_be_decided_again_also_where_no_policy_is_evaluated() {
    let check = |decision: Object| {
        let bundle = decided(&Value::Object(decision));
        let report = verify(&bundle, &Caller::default());
        report.checks.into_iter().find(|check| check.name == "policy.replay").expect("the check")
    };
    assert_eq!(check(decision()).status, Status::NotChecked);
    for (name, other) in [
        ("facts", Value::Null),
        ("at", Value::Null),
        ("at", Value::from("2026-05-12T17:04:11Z")),
        ("note", Value::from("")),
    ] {
        let failed = check(decision().with(name, other));
        assert_eq!(failed.status, Status::Failed, "{name}");
        let detail = failed.detail.unwrap_or_default();
        assert!(detail.starts_with("decision input"), "{name}: {detail}");
    }
    let mut less = decision();
    less.remove("at");
    assert_eq!(check(less).status, Status::Failed, "at no time");
}

#[test]
fn an_attestation_without_its_outcome_is_held_against_all_the_rest() {
    let bundle = valid("execution");
    let events = items(bundle.get("events").expect("events"));
    let status = |kind: &str, events: &[Value]| {
        let bundle = bundle.as_object().expect("a bundle").clone();
        let bundle = Value::Object(bundle.with("kind", kind).with("events", events.to_vec()));
        verify(&bundle, &Caller::default()).status("attestation.binding").expect("the check")
    };
    assert_eq!(status("execution", events), Status::Passed);
    assert_eq!(status("open", &events[..6]), Status::Passed);
    assert_eq!(status("open", &events[..5]), Status::NotChecked, "its end is not in the ledger yet");
    assert_eq!(status("execution", &events[..5]), Status::Failed, "and belongs there");
    let mut others = events[..5].to_vec();
    let granted = others[2].as_object().expect("an event").clone();
    others[2] = Value::Object(granted.with("data", Object::new().with("workload", Sha3::of(&[b"another"]))));
    assert_eq!(status("open", &others), Status::Failed);
}

/// The key of the root of the vectors.
fn root_signer(root: &TrustRoot) -> SeedSigner {
    let file = vector("ledger.json");
    let seed = text(file.get("seeds").expect("seeds"), "root");
    SeedSigner::new(root.keys[0].kid.clone(), &bytes32(seed).expect("32 bytes"))
}

fn next(root: &TrustRoot, change: impl Fn(&mut TrustRoot)) -> TrustRoot {
    let mut next = TrustRoot { version: root.version + 1, prev: Some(root.hash_for_prev()), ..root.clone() };
    next.sigs = Vec::new();
    change(&mut next);
    next.signed(&[&root_signer(root)]).expect("a root")
}

#[test]
fn a_chain_of_roots_leads_from_the_pinned_one_to_the_one_in_force() {
    let pinned = Pinned::new(vector("root.json"));
    let caller = Caller { root: Some(&pinned), ..Caller::default() };
    let mut bundle = parts(&valid("execution"));
    let first = bundle.roots[0].clone();
    let with = |bundle: &mut Bundle, roots: Vec<TrustRoot>| {
        bundle.roots = roots;
        verify(&bundle.to_value(), &caller)
    };
    let second = next(&first, |_| ());
    let third = next(&second, |_| ());
    let chain = vec![first.clone(), second.clone(), third.clone()];
    assert_eq!(with(&mut bundle, chain).verdict, Verdict::Verified);
    let gap = with(&mut bundle, vec![first.clone(), third.clone()]);
    assert_eq!(gap.status("root.signed"), Some(Status::Failed));
    let without = with(&mut bundle, vec![second.clone(), third]);
    let failed: Vec<&str> = without.failed().map(|check| check.name).collect();
    assert_eq!(failed, ["root.pinned"]);
    let expired = next(&first, |root| root.exp = bundle.head.at.whole_seconds());
    let failed = with(&mut bundle, vec![first.clone(), expired]);
    assert_eq!(failed.status("root.signed"), Some(Status::Failed));
    let alone = next(&first, |root| root.witnesses = Witnesses::default());
    let unwitnessed = with(&mut bundle, vec![first, alone]);
    assert_eq!(unwitnessed.status("witness.quorum"), Some(Status::NotChecked));
    assert_eq!(unwitnessed.verdict, Verdict::Verified);
}

#[test]
fn a_root_that_is_not_sound_is_pinned_in_vain() {
    let sound = vector("root.json");
    let with = |change: fn(&mut Object)| {
        let Value::Object(mut root) = sound.clone() else { panic!("no object") };
        change(&mut root);
        Value::Object(root)
    };
    let unsigned = with(|root| drop(root.insert("sigs", Vec::<Value>::new())));
    let malformed = with(|root| drop(root.insert("threshold", 0u64)));
    // Pinned as it should be, and shown otherwise: what was looked at before is not what the bundle shows.
    for (pinned, shown, failing) in [
        (&unsigned, &unsigned, &["root.signed"][..]),
        (&malformed, &malformed, &["root.signed"]),
        (&sound, &unsigned, &["root.signed"]),
        (&sound, &sound, &[]),
        // One that is unsigned is the same version as one that is signed: the bundle's own is judged.
        (&unsigned, &sound, &[]),
    ] {
        let pinned = Pinned::new(pinned.clone());
        let Value::Object(mut bundle) = valid("execution") else { panic!("no object") };
        bundle.insert("roots", vec![shown.clone()]);
        let report = verify(&Value::Object(bundle), &Caller { root: Some(&pinned), ..Caller::default() });
        for name in failing {
            assert_eq!(report.status(name), Some(Status::Failed), "{shown}");
        }
        assert_eq!(report.verdict == Verdict::Verified, failing.is_empty(), "{shown}");
    }
}
