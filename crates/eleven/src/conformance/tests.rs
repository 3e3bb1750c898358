use super::*;
use std::fs;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors")
}

/// Passed and failed of each file, without printing.
fn counts(dir: &Path) -> Vec<(&'static str, u64, u64)> {
    let folder = Folder(dir.to_owned());
    let count = |(name, cases): &(&'static str, Cases)| {
        let mut report = Report::new(Output::new(true));
        report.begin(name);
        if let Err(wrong) = cases(&folder, &mut report) {
            report.case("the file", Err(wrong));
        }
        let (passed, failed) = report.counts();
        (*name, passed, failed)
    };
    FILES.iter().map(count).collect()
}

#[test]
fn every_case_of_our_vectors_passes() {
    for (name, passed, failed) in counts(&vectors()) {
        assert!(passed > 0 && failed == 0, "{name}: {passed} passed, {failed} failed");
    }
}

#[test]
fn a_file_that_is_missing_or_no_json_is_a_failure() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("jcs.json"), "{").expect("written");
    for (name, passed, failed) in counts(dir.path()) {
        // The protocol's own kit has none of these: a folder without them is whole.
        let missed = u64::from(!["append-own.json", "equivocation.json", "registered.json"].contains(&name));
        assert_eq!((passed, failed), (0, missed), "{name}");
    }
    assert_eq!(run(dir.path(), Output::new(true)).expect("a folder"), ExitCode::FAILURE);
    let nothing = run(&dir.path().join("nothing"), Output::new(false)).expect_err("no folder");
    assert_eq!(nothing.report(false), ExitCode::from(2));
}

/// Each file with one expectation turned into another must fail: the kit reads what it claims to.
#[test]
fn an_expectation_that_is_wrong_is_a_failure() {
    let turned = [
        ("jcs.json", r#""out": "{}""#, r#""out": "[]""#),
        ("ed25519.json", r#""valid": true"#, r#""valid": false"#),
        ("artifacts.json", r#""method": "POST""#, r#""method": "PUT""#),
        ("append.json", r#""expect": "accept""#, r#""expect": "repeat""#),
        ("append-own.json", r#""expect":"refused""#, r#""expect":"accept""#),
        ("admission.json", r#""expect": "permit""#, r#""expect": "artifact.expired""#),
        ("bundles.json", r#""policy.hash": "passed""#, r#""policy.hash": "not_checked""#),
        ("bundles-that-fail.json", r#""must_fail": "artifact.signature""#, r#""must_fail": "policy.replay""#),
        ("registered.json", r#""attestation.binding":"not_checked""#, r#""attestation.binding":"passed""#),
        ("index.json", r#""proves": "absent""#, r#""proves": "present""#),
        ("head.json", r#""size": 64"#, r#""size": 65"#),
    ];
    let dir = tempfile::tempdir().expect("a folder");
    for (name, _) in FILES {
        let text = fs::read_to_string(vectors().join(name)).expect("a vector");
        let text = match turned.iter().find(|(turned, ..)| turned == name) {
            Some((_, from, to)) => {
                assert!(text.contains(from), "{name} has {from}");
                text.replacen(from, to, 1)
            }
            None => text,
        };
        fs::write(dir.path().join(name), text).expect("written");
    }
    for (name, _, failed) in counts(dir.path()) {
        let expected = turned.iter().any(|(turned, ..)| *turned == name);
        assert_eq!(failed > 0, expected, "{name}");
    }
}

/// A folder of another's may say so of a proof that has no form: a part that is not 32 bytes.
#[test]
fn a_proof_without_its_form_proves_nothing() {
    const NOTHING: &str = r#""proves": "nothing""#;
    let index = fs::read_to_string(vectors().join("index.json")).expect("a vector");
    let (before, after) = index.split_once(NOTHING).expect("a proof that proves nothing");
    let (before, hash) = before.rsplit_once("sha256:").expect("a part of it");
    let shortened = |proves: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        let index = format!("{before}sha256:{}{proves}{after}", &hash[1..]);
        fs::write(dir.path().join("index.json"), index).expect("written");
        let counts = counts(dir.path());
        counts.into_iter().find(|(name, ..)| *name == "index.json").expect("the file").2
    };
    assert_eq!(shortened(NOTHING), 0);
    assert_eq!(shortened(r#""proves": "absent""#), 1);
}

#[test]
fn files_that_are_not_the_kits_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["own.json", "jcs.json", "README.md"] {
        fs::write(dir.path().join(name), "{}").expect("written");
    }
    assert_eq!(Folder(dir.path().to_owned()).unknown(), ["own.json"]);
}
