//! Selective disclosure end to end: a sensitive value is nowhere in clear but in its owner's store; opening it is a
//! governed act; erasing it leaves every proof valid.

use crate::domain::{Domain, text};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::base64;
use http::StatusCode;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What the caller says about whom the call is for. Nobody else is to read it.
const SECRET: &str = "patient-7391-juniper";

/// The files beneath a folder that hold one of `needles`.
fn holding(folder: &Path, needles: &[Vec<u8>]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, needles));
        } else {
            let bytes = std::fs::read(&path).expect("readable");
            let holds = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == &needle[..]);
            if needles.iter().any(holds) {
                found.push(path);
            }
        }
    }
    found
}

/// A text as it stands, and as base64 shows it at each of the three places it can begin at.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![text.as_bytes().to_vec()];
    for lead in 0..3 {
        let coded = base64(&[&vec![b'x'; lead][..], text.as_bytes()].concat());
        forms.push(coded.as_bytes()[4 * usize::from(lead > 0)..coded.len() - 4].to_vec());
    }
    forms
}

fn published(domain: &Domain) {
    let starter = domain.dir().join("policies/starter.json");
    let bundle = std::fs::read_to_string(&starter).expect("the starter policy");
    std::fs::write(&starter, bundle.replace(r#""sensitive": []"#, r#""sensitive": ["/op/user"]"#)).expect("written");
    domain.done(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
}

/// A call for somebody, which passes; its operation id.
fn called(domain: &Domain, bearer: &str) -> String {
    let body = format!(
        r#"{{"model":"demo-summarizer","user":"{SECRET}","messages":[{{"role":"user","content":"Rain fell."}}]}}"#
    );
    passed(domain, bearer, &body)
}

/// A call that passes in the end; its operation id.
fn passed(domain: &Domain, bearer: &str, body: &str) -> String {
    // The point knows the new policy within its freshness; until then the authority refuses what is in clear.
    let until = std::time::Instant::now() + crate::domain::PATIENCE;
    loop {
        let (status, lineage, answer) =
            domain.post("runtime", "/v1/chat/completions", bearer, body.to_owned().into_bytes());
        assert!(!answer.to_string().contains(SECRET), "an answer repeats it: {answer}");
        if status == StatusCode::OK {
            domain.ended(&lineage);
            return lineage.trim_start_matches("lineage://op/").to_owned();
        }
        assert!(std::time::Instant::now() < until, "no call passes: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn verdict(domain: &Domain, file: &str) -> (Option<i32>, String) {
    let output = domain.run(&["verify", file, "--root", &domain.file("root.json"), "--json"]);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_sensitive_value_is_committed_opened_for_a_purpose_and_erased() {
    let mut domain = Domain::make(&["runtime.gateway.parameters=[\"user\"]"]);
    domain.up(&[]);
    let (secret, token) =
        (domain.client("app", "svc:demo-app:dev"), domain.done(&["identity", "issue", "svc:demo-app:dev"]));
    let token = token.trim().to_owned();
    published(&domain);
    // So that a stranger may look through all that the ledger serves.
    domain.done(&["registry", "expose", "open"]);
    let op = called(&domain, &secret);
    let other = called(&domain, &token);
    let (plain, shown) = (domain.file(&format!("../{op}.plain.json")), domain.file(&format!("../{op}.shown.json")));
    domain.done(&["lineage", "bundle", &op, "--out", &plain]);
    assert!(!std::fs::read_to_string(&plain).expect("a bundle").contains(SECRET));
    assert_eq!(verdict(&domain, &plain).0, Some(0), "{}", verdict(&domain, &plain).1);

    let open = ["lineage", "disclose", &op, "--purpose", "the ward asked", "--bundle", &plain, "--out", &shown];
    let into = |out: &str| domain.run(&[&open[..7], &["--out", out]].concat());
    let refused = domain.run(&open);
    assert_eq!(refused.status.code(), Some(1), "no policy permits it yet");
    assert!(text(&refused).contains("policy.none"), "{}", text(&refused));
    domain.done(&["policy", "publish", &domain.file("policies/disclosure.json")]);
    let refused = domain.run(&[&open[..], &["--as", "svc:demo-app:dev"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("policy.denied"), "{}", text(&refused));
    assert!(!text(&refused).contains(SECRET));

    let said = domain.json(&open);
    assert_eq!(said.get("paths"), Some(&Value::Array(vec!["/op/user".into()])), "{said}");
    assert_eq!(verdict(&domain, &shown).0, Some(0), "{}", verdict(&domain, &shown).1);
    let bundle = parse(&std::fs::read(&shown).expect("a bundle")).expect("I-JSON");
    assert_eq!(bundle.pointer("/disclosures/0/2"), Some(&SECRET.into()));
    let mode = std::fs::metadata(&shown).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "in clear it is its owner's alone");
    for (out, why) in [(shown.as_str(), "is there already"), ("/proc/nowhere/shown.json", "lies in no folder")] {
        let refused = into(out);
        assert_eq!(refused.status.code(), Some(2), "{out}");
        let said = text(&refused);
        assert!(said.contains(why) && said.contains("nothing was opened"), "what is opened is recorded: {said}");
    }
    a_changed_disclosure_fails(&domain, &bundle);

    a_private_ledger_shows_the_proof_file_by_an_auditors_secret(&domain, &op);

    // Opening it is an operation of its own, with its purpose and its proof.
    let act = said.get("lineage").and_then(Value::as_str).expect("a lineage").to_owned();
    domain.ended(&act);
    let proof = domain.file("../act.json");
    domain.done(&["lineage", "bundle", &act, "--out", &proof]);
    assert_eq!(verdict(&domain, &proof).0, Some(0), "{}", verdict(&domain, &proof).1);
    let proof = parse(&std::fs::read(&proof).expect("a bundle")).expect("I-JSON");
    let stands = |pointer: &str| proof.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(stands("/artifact/op/name").as_deref(), Some("disclosure.open"));
    assert_eq!(stands("/artifact/op/purpose").as_deref(), Some("the ward asked"));
    assert_eq!(stands("/artifact/op/lineage").as_deref(), Some(op.as_str()));
    assert_eq!(stands("/artifact/sub").as_deref(), Some("human:operator:dev"));

    nowhere_else(&domain, &op, &other, &[&secret, &token]);
    a_hold_keeps_it(&domain, &op);
    let erase = domain.json(&["disclosure", "erase", &op, "--purpose", "the retention is over"]);
    assert_eq!(erase.get("count").and_then(Value::as_int), Some(1), "{erase}");
    let again = into(&domain.file("../again.json"));
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again).contains("nothing is kept"), "{}", text(&again));
    for file in [&plain, &shown] {
        assert_eq!(verdict(&domain, file).0, Some(0), "what was proven stays proven");
    }
    let after = domain.file("../after.json");
    domain.done(&["lineage", "bundle", &op, "--out", &after]);
    assert_eq!(verdict(&domain, &after).0, Some(0), "and is still proven by the ledger");
    domain.done(&["disclosure", "erase", &other, "--purpose", "the retention is over"]);
    let said = domain.supervisor().all_said();
    assert_eq!(holding(&domain.dir(), &forms(SECRET)), Vec::<PathBuf>::new(), "erased is erased");
    for needle in [SECRET, &secret, &token] {
        assert!(!said.contains(needle), "a log repeats {needle}");
    }
    domain.json(&["ledger", "fsck"]);
}

#[test]
fn a_parameter_that_stands_as_its_text_is_committed_whole_where_a_part_of_it_is_sensitive() {
    let mut domain = Domain::make(&["runtime.gateway.parameters=[\"metadata\"]"]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let starter = domain.dir().join("policies/starter.json");
    let bundle = std::fs::read_to_string(&starter).expect("the starter policy");
    let bundle = bundle.replace(r#""sensitive": []"#, r#""sensitive": ["/op/metadata/mrn"]"#);
    std::fs::write(&starter, bundle).expect("written");
    domain.done(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
    domain.done(&["policy", "publish", &domain.file("policies/disclosure.json")]);
    domain.done(&["registry", "expose", "open"]);
    // No integer, a member twice, and past 2^53: each makes a text of the whole parameter.
    for other in [r#""score":0.5"#, r#""ward":1,"ward":2"#, r#""score":9007199254740993"#] {
        let metadata = format!(r#"{{"mrn":"{SECRET}",{other}}}"#);
        let body = format!(
            r#"{{"model":"demo-summarizer","metadata":{metadata},"messages":[{{"role":"user","content":"Rain fell."}}]}}"#
        );
        let op = passed(&domain, &secret, &body);
        nowhere_in_clear(&domain, &[&op]);
        let (plain, shown) = (domain.file(&format!("../{op}.plain.json")), domain.file(&format!("../{op}.shown.json")));
        domain.done(&["lineage", "bundle", &op, "--out", &plain]);
        assert_eq!(verdict(&domain, &plain).0, Some(0), "{}", verdict(&domain, &plain).1);
        let said = domain.json(&[
            "lineage",
            "disclose",
            &op,
            "--purpose",
            "the ward asked",
            "--bundle",
            &plain,
            "--out",
            &shown,
        ]);
        assert_eq!(said.get("paths"), Some(&Value::Array(vec!["/op/metadata".into()])), "{said}");
        assert_eq!(verdict(&domain, &shown).0, Some(0), "{}", verdict(&domain, &shown).1);
        // By the path that the policy names nothing is erased, and nobody is told that it is gone.
        let erase = ["disclosure", "erase", &op, "--purpose", "the retention is over"];
        let refused = domain.run(&[&erase[..], &["--path", "/op/metadata/mrn"]].concat());
        assert_eq!(refused.status.code(), Some(1));
        let said = text(&refused);
        assert!(said.contains("what is kept of it stands at /op/metadata:") && !said.contains("was erased"), "{said}");
        nowhere_in_clear(&domain, &[&op]);
        let said = domain.done(&[&erase[..], &["--path", "/op/metadata", "--path", "/op/metadata/mrn"]].concat());
        assert!(said.contains("are erased, and at 1 of the paths nothing was kept;"), "{said}");
        assert_eq!(holding(&domain.dir(), &forms(SECRET)), Vec::<PathBuf>::new(), "erased is erased");
        let again = domain.run(&erase);
        assert!(text(&again).contains("those paths: it was erased"), "{}", text(&again));
    }
}

/// The proof file that has no disclosures yet is read as `lineage bundle` reads it.
fn a_private_ledger_shows_the_proof_file_by_an_auditors_secret(domain: &Domain, op: &str) {
    let added = domain.json(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    let secret = added.get("secret").and_then(Value::as_str).expect("a secret").to_owned();
    let (file, out) = (domain.file("../examiner.secret"), domain.file("../private.json"));
    std::fs::write(&file, secret).expect("written");
    domain.done(&["registry", "expose", "private"]);
    let until = std::time::Instant::now() + crate::domain::PATIENCE;
    while domain.status("ledger", "/v1/proof/head") == StatusCode::OK {
        assert!(std::time::Instant::now() < until, "it stays open");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let open = ["lineage", "disclose", op, "--purpose", "the ward asked", "--out", &out];
    let refused = domain.run(&open);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("--secret-file FILE"), "{}", text(&refused));
    domain.done(&[&open[..], &["--secret-file", &file]].concat());
    assert_eq!(verdict(domain, &out).0, Some(0), "{}", verdict(domain, &out).1);
    domain.done(&["registry", "expose", "open"]);
    while domain.status("ledger", "/v1/proof/head") != StatusCode::OK {
        assert!(std::time::Instant::now() < until, "it stays private");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// What is under a legal hold is not erased until that is lifted.
fn a_hold_keeps_it(domain: &Domain, op: &str) {
    let changed = |args: &[&str]| {
        let epoch = domain.json(args).get("epoch").and_then(Value::as_int).expect("an epoch");
        let until = std::time::Instant::now() + crate::domain::PATIENCE;
        while domain.get("runtime", "/health").get("epoch").and_then(Value::as_int) < Some(epoch) {
            assert!(std::time::Instant::now() < until, "the point learns nothing of {args:?}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    for on in [["--operation", op], ["--identity", "svc:demo-app:dev"]] {
        changed(&[&["hold", "place"][..], &on[..]].concat());
        let refused = domain.run(&["disclosure", "erase", op, "--purpose", "the retention is over"]);
        assert_eq!(refused.status.code(), Some(1), "{on:?}");
        assert!(text(&refused).contains("under a legal hold"), "{}", text(&refused));
        assert!(domain.dir().join(format!("runtime/disclosures/{op}.json")).exists());
        changed(&[&["hold", "lift"][..], &on[..]].concat());
    }
}

/// The value of a disclosure can't be another than was committed.
fn a_changed_disclosure_fails(domain: &Domain, bundle: &Value) {
    let mut changed = bundle.as_object().expect("an object").clone();
    let mut disclosure = bundle.pointer("/disclosures/0").and_then(Value::as_array).expect("one").to_vec();
    disclosure[2] = "somebody else".into();
    changed.insert("disclosures", vec![Value::Array(disclosure)]);
    let file = domain.file("../changed.json");
    std::fs::write(&file, Object::canonical(&changed)).expect("written");
    let (code, said) = verdict(domain, &file);
    assert_eq!(code, Some(1));
    assert!(said.contains("the artifact commits to another value at `/op/user`"), "{said}");
}

/// In clear it stands in the owner's store alone.
fn nowhere_in_clear(domain: &Domain, ops: &[&str]) {
    let mut kept: Vec<PathBuf> =
        ops.iter().map(|op| domain.dir().join(format!("runtime/disclosures/{op}.json"))).collect();
    kept.sort();
    let mut found = holding(&domain.dir(), &forms(SECRET));
    found.sort();
    assert_eq!(found, kept);
}

/// The same, and bearer credentials stand nowhere.
fn nowhere_else(domain: &Domain, op: &str, other: &str, bearers: &[&str]) {
    nowhere_in_clear(domain, &[op, other]);
    for bearer in bearers {
        assert_eq!(holding(&domain.dir(), &forms(bearer)), Vec::<PathBuf>::new(), "a credential is written somewhere");
    }
    // What the ledger serves is searched as well: its files may be compressed.
    let mut from = 0;
    loop {
        let page = domain.get("ledger", &format!("/v1/audit/entries?from={from}"));
        let entries = page.get("entries").and_then(Value::as_array).expect("entries");
        let Some(last) = entries.last() else { break };
        from = last.get("seq").and_then(Value::as_int).expect("a number") + 1;
        let page = page.to_string();
        assert!(!page.contains(SECRET) && bearers.iter().all(|bearer| !page.contains(bearer)));
    }
    let replay = domain.json(&["lineage", "replay", op]);
    assert!(!replay.to_string().contains(SECRET), "the decision's input: {replay}");
    assert!(replay.pointer("/input/op/user/_sd").is_some(), "{replay}");
}
