use super::*;
use std::path::PathBuf;

fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name)
}

fn vector(name: &str) -> Value {
    parse(&read(&vectors(name)).expect("a file")).expect("I-JSON")
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
