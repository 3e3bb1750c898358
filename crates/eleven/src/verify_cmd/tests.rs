use super::*;
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
