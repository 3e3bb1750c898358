use super::*;
use eleven_core::hash::Sha3;
use std::path::PathBuf;

fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name)
}

fn vector(name: &str) -> Value {
    parse_file(&read(&vectors(name)).expect("a file")).expect("I-JSON")
}

/// What is said in the end of a file, without a root.
fn said(file: &Value) -> String {
    verdict(&verify_bytes(&file.canonical(), &Caller::default()).expect("I-JSON"), Output::new(true))
}

#[test]
fn a_bundle_that_calls_itself_a_fork_is_a_bundle() {
    let Value::Object(bundle) = vector("bundle.proof.json") else { panic!("an object") };
    for kind in ["fork", "back", "omission"] {
        let said = said(&Value::Object(bundle.clone().with("kind", kind)));
        assert!(said.starts_with("FAILED ") && !said.contains("PROVEN"), "{said}");
    }
}

#[test]
fn evidence_is_spoken_of_as_evidence_whatever_it_calls_itself() {
    let file = vector("equivocation.json");
    let evidence = file.pointer("/cases/0/evidence").and_then(Value::as_object).expect("evidence").clone();
    assert!(said(&Value::Object(evidence.clone())).starts_with("UNPINNED the ledger signed"));
    let renamed = said(&Value::Object(evidence.with("kind", "execution")));
    assert!(renamed.starts_with("NOT PROVEN that the ledger told two histories"), "{renamed}");
}

#[test]
fn a_file_may_be_written_with_more_white_space_than_a_bundle_is_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("padded.proof.json");
    let root = read_root(&vectors("root.json")).expect("a root");
    let mut bytes = std::fs::read(vectors("bundle.proof.json")).expect("a proof");
    bytes.resize(5 * 1024 * 1024, b' ');
    std::fs::write(&path, &bytes).expect("written");
    let caller = Caller { root: Some(&root), ..Caller::default() };
    let report = verify_bytes(&read(&path).expect("within the limit"), &caller).expect("I-JSON");
    assert_eq!(report.verdict, Verdict::Verified);
    bytes.resize(MAX_PROOF_FILE, b' ');
    std::fs::write(&path, &bytes).expect("written");
    assert!(read(&path).is_ok());
    bytes.push(b' ');
    std::fs::write(&path, &bytes).expect("written");
    assert!(read(&path).is_err(), "one byte past the limit");
}

/// The proof file of the vectors with another policy, and with all rewritten by which the policy is known: what is left to tell
/// are signatures and hashes.
fn forged(cedar: &str) -> Value {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).expect("an object").clone();
    let bundle = object(Some(&vector("bundle.proof.json")));
    let policy = object(bundle.get("policy")).with("cedar", cedar);
    let id = PolicyBundle::read(Value::Object(policy.clone())).expect("a policy").id();
    let artifact = object(bundle.get("artifact")).with("pol", id.to_value());
    let of_artifact = |name: &str| artifact.get(name).expect("a member").clone();
    let decision = Object::new()
        .with("identity", of_artifact("sub"))
        .with("op", of_artifact("op"))
        .with("env", of_artifact("env"))
        .with("facts", Object::new())
        .with("policy", id.to_value())
        .with("at", "2026-05-12T17:00:00.000Z");
    let decision = Value::Object(decision);
    let mut events = bundle.get("events").and_then(Value::as_array).expect("events").to_vec();
    let issued = object(events.first());
    let data = object(issued.get("data")).with("request", Sha3::of_value(&decision));
    events[0] = Value::Object(issued.with("data", data));
    Value::Object(
        bundle.with("artifact", artifact).with("decision", decision).with("events", events).with("policy", policy),
    )
}

#[test]
fn a_policy_that_was_made_to_break_its_reader_fails_and_the_report_is_told() {
    let root = read_root(&vectors("root.json")).expect("a root");
    let caller = Caller { root: Some(&root), replay: Some(&replay), ..Caller::default() };
    let replayed = |cedar: &str| {
        let report = verify_bytes(&forged(cedar).canonical(), &caller).expect("I-JSON");
        assert_eq!(report.exit_code(), 1, "the file is forged");
        report.checks.iter().find(|check| check.name == "policy.replay").expect("the check").status
    };
    assert_eq!(replayed("permit(principal, action, resource);"), Status::Passed, "it is replayed");
    let deep = |open: &str, close: &str| {
        format!("permit(principal, action, resource) when {{ {}true{} }};", open.repeat(100_000), close.repeat(100_000))
    };
    for cedar in [deep("(", ")"), deep("[", "]"), deep("", " || true")] {
        assert_eq!(replayed(&cedar), Status::Failed);
    }
}
