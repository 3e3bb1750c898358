//! From a call to a proof that a stranger checks with nothing but the root.

use crate::domain::{Domain, eleven, text};
use eleven_core::encoding::{Value, parse};
use eleven_core::limits::MAX_BUNDLE;
use http::StatusCode;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

#[test]
fn a_call_is_proven_to_whoever_has_the_root_and_one_changed_byte_shows() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let (status, lineage, body) = domain.call(&secret, "demo-summarizer");
    assert_eq!(status, StatusCode::OK, "{body}");
    domain.ended(&lineage);
    let shown = domain.done(&["lineage", "show", &lineage]);
    // As the doctrine's example in its section 6.4: the events in their order, each by number, name and hash.
    let names = [
        "authorization.issued",
        "authorization.consumed",
        "admission.granted",
        "execution.started",
        "attestation.signed",
        "execution.completed",
        "evidence.committed",
    ];
    assert!(shown.starts_with(&format!("{lineage}\n")), "{shown}");
    let told = domain.json(&["lineage", "show", &lineage]);
    let events = told.get("events").and_then(Value::as_array).expect("events");
    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with('0')).collect();
    assert_eq!((lines.len(), events.len()), (names.len(), names.len()), "{shown}");
    for (at, (line, event)) in lines.iter().zip(events).enumerate() {
        let hash = event.get("event_hash").and_then(Value::as_str).expect("a hash");
        let digits = hash.strip_prefix("sha3-512:").expect("its form");
        let cells: Vec<&str> = line.split_whitespace().take(3).collect();
        let (number, ends) = (format!("{:02}", at + 1), format!("{}...{}", &digits[..4], &digits[124..]));
        assert_eq!(cells, [number.as_str(), names[at], ends.as_str()], "{shown}");
    }
    let replayed = domain.json(&["lineage", "replay", &lineage]);
    assert_eq!(replayed.get("same"), Some(&Value::Bool(true)), "{replayed}");
    let proof = domain.file("lineage.proof.json");
    domain.done(&["lineage", "bundle", &lineage, "--out", &proof]);
    domain.supervisor().interrupt();

    // Somewhere else: no configuration, no network, only the two files.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (copy, root) = (elsewhere.path().join("p.json"), elsewhere.path().join("root.json"));
    std::fs::copy(&proof, &copy).expect("copied");
    std::fs::copy(domain.file("root.json"), &root).expect("copied");
    let verify = |args: &[&str]| {
        eleven().current_dir(elsewhere.path()).args(["verify", "p.json"]).args(args).output().expect("it runs")
    };
    let output = verify(&["--root", "root.json", "--kind", "execution", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report = parse(&output.stdout).expect("a report");
    assert_eq!(report.get("verdict").and_then(Value::as_str), Some("verified"));
    assert_eq!(report.get("checks").and_then(Value::as_array).map(<[Value]>::len), Some(26));
    let replay = report.get("checks").and_then(Value::as_array).unwrap_or_default().iter();
    let replay = replay.filter(|check| check.get("name").and_then(Value::as_str) == Some("policy.replay"));
    assert!(replay.clone().any(|check| check.get("status").and_then(Value::as_str) == Some("passed")));

    assert_eq!(verify(&[]).status.code(), Some(1), "without a root it is unpinned");
    assert!(text(&verify(&[])).contains("UNPINNED"));
    assert_eq!(verify(&["--root", "root.json", "--kind", "denial"]).status.code(), Some(1), "it shows no denial");
    assert_eq!(verify(&["--root", "root.json", "--kind", "dinner"]).status.code(), Some(2));
    assert_eq!(verify(&["--root", "absent.json"]).status.code(), Some(2));

    let whole = std::fs::read_to_string(&copy).expect("the proof");
    std::fs::write(&copy, whole.replacen("demo-summarizer", "demo-summarizes", 1)).expect("written");
    let output = verify(&["--root", "root.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("failed") && text(&output).contains("FAILED"), "{}", text(&output));
    std::fs::write(&copy, &whole[..whole.len() - 2]).expect("written");
    assert_eq!(verify(&["--root", "root.json"]).status.code(), Some(3), "not I-JSON");
}

#[test]
fn a_file_of_more_values_than_any_bundle_has_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    // Two bytes a value, the array's own among them: the shorter one is past a bundle's 4 MiB by a byte, and fails for that.
    for (values, status) in [(MAX_BUNDLE / 2 + 1, 1), (MAX_BUNDLE / 2 + 2, 2)] {
        std::fs::write(folder.path().join("p.json"), format!("[{}0]", "0,".repeat(values - 2))).expect("written");
        let output = eleven().current_dir(folder.path()).args(["verify", "p.json"]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(status), "{values}: {}", text(&output));
    }
}

#[test]
fn a_denial_is_explained_replayed_and_proven() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let (status, lineage, body) = domain.call(&secret, "another-model");
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    // Whoever was refused may be on another machine, with no more than the ledger's address.
    let asked = eleven().args(["why", &lineage, "--ledger", &domain.url("ledger")]).output().expect("it runs");
    let why = text(&asked);
    for part in ["denied: policy.denied", "demo-app-may-summarize", "what would pass: call as svc:demo-app:dev"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let replayed = domain.done(&["lineage", "replay", &lineage]);
    assert!(replayed.contains("deny (policy.denied)") && replayed.contains("the same decision"), "{replayed}");
    a_ledger_that_tells_another_decision_is_found_out(&domain, &lineage);
    let proof = domain.file("denial.proof.json");
    domain.done(&["lineage", "bundle", &lineage, "--out", &proof]);
    let output = domain.run(&["verify", &proof, "--root", &domain.file("root.json"), "--kind", "denial"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

/// Of a decision for another reason than its input and its policy come to the replay says so, and fails.
fn a_ledger_that_tells_another_decision_is_found_out(domain: &Domain, lineage: &str) {
    let told = domain.json(&["lineage", "show", lineage]);
    let blob = |of: &str| {
        let hash = told.pointer(of).and_then(Value::as_str).expect("a hash");
        let path = format!("/v1/audit/blobs/{hash}");
        let content = domain.get("ledger", &path).to_string();
        (path, content)
    };
    let mut answers = vec![blob("/events/0/data/request"), blob("/events/0/policy/hash")];
    let another = told.to_string().replace("policy.denied", "policy.error");
    answers.push((format!("/v1/proof/lineage/{}", lineage.trim_start_matches("lineage://op/")), another));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 4096];
            let read = stream.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
            let of = |path: &str| asked.starts_with(&format!("GET {path} "));
            let body = answers.iter().find(|(path, _)| of(path)).map_or("{}", |(_, body)| body.as_str());
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // Who asked may have left.
            let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        }
    });
    let replayed = domain.run(&["lineage", "replay", lineage, "--ledger", &url]);
    let said = text(&replayed);
    assert_eq!(replayed.status.code(), Some(1), "{said}");
    for part in ["then: deny (policy.error)", "now:  deny (policy.denied)", "ANOTHER decision"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_is_no_operation_is_a_wrong_command_line_and_nobody_is_asked() {
    // Where nobody is.
    let at = "http://127.0.0.1:9";
    let commands: [(&[&str], &str); 5] = [
        (&["verify", "lineage://op/AAAA", "--from", at], "lineage://op/AAAA is no operation"),
        (&["ledger", "search", "--op", "foo", "--ledger", at], "give an operation's id"),
        (&["ledger", "search", "--op", "auth_foo", "--ledger", at], "give an operation's id"),
        (&["ledger", "search", "--count", "0", "--ledger", at], "0 is not in 1.."),
        (&["ledger", "search", "--count", "many", "--ledger", at], "'many'"),
    ];
    for (args, why) in commands {
        let output = eleven().args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
    }
    for op in ["0".repeat(32), format!("lineage://op/{}.1", "0".repeat(32)), format!("auth_{}", "0".repeat(32))] {
        let asked = eleven().args(["ledger", "search", "--op", &op, "--ledger", at]).output().expect("it runs");
        assert_eq!(asked.status.code(), Some(1), "{op}: {}", text(&asked));
    }
}

#[test]
fn a_wrong_file_is_told_as_one_and_not_as_a_forgery() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("manifest.json"), "{}").expect("written");
    let dir = folder.path().display().to_string();
    let run = |args: &[&str]| eleven().current_dir(&vectors).args(args).output().expect("it runs");
    let (nobody, mirror) = ("http://127.0.0.1:9", folder.path().join("mirror").display().to_string());
    let commands: [&[&str]; 4] = [
        &["verify", "bundle.proof.json", "--root"],
        &["evidence", "verify", &dir, "--root"],
        &["ledger", "follow", nobody, "--once", "--data", &mirror, "--root"],
        &["ledger", "compare", nobody, nobody, "--root"],
    ];
    for args in commands {
        for root in ["bundle.proof.json", "bundles.json"] {
            let output = run(&[args, &[root]].concat());
            assert_eq!(output.status.code(), Some(2), "{args:?} {root}: {}", text(&output));
            assert!(text(&output).contains(&format!("{root} is no trust root")), "{}", text(&output));
            assert!(!text(&output).contains("FAILED"), "nothing was verified: {}", text(&output));
        }
    }
    let output = run(&["verify", "root.json", "--root", "root.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(text(&output).trim_end(), "FAILED root.json is no proof file: it has neither `kind` nor `type`");
    let output = run(&["verify", "root.json", "--root", "root.json", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let report = parse(&output.stdout).expect("a report");
    assert_eq!(report.get("verdict").and_then(Value::as_str), Some("failed"), "{report}");

    let output = run(&["verify", &dir, "--root", "root.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains(&format!("`eleven evidence verify {dir}`")), "{}", text(&output));
    let file = folder.path().join("event.tlog-proof");
    std::fs::write(&file, "c2sp.org/tlog-proof@v1\nindex 0\n").expect("written");
    let output = run(&["verify", &file.display().to_string(), "--root", "root.json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("it is a tlog-proof"), "{}", text(&output));
}
