//! Files and answers of somebody hostile: what they say stays on its line, and the screen is ours.

use crate::domain::{eleven, text};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

/// Wipes the screen and says what is not so; as it stands in JSON.
const FORGED: &str = r"\u001b[2J\u001b[H\u001b[32mVERIFIED\u001b[0m execution\r\nVERIFIED \u009b2J\u202e";

/// All that a command said, which holds no byte that moves a cursor, and no line that others began.
fn harmless(output: &Output) -> String {
    let said = text(output);
    let acts = said.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    assert_eq!(acts, None, "{said:?}");
    assert!(!said.lines().any(|line| line.trim_start().starts_with("VERIFIED")), "{said}");
    said
}

fn verify(dir: &Path, file: &str, args: &[&str]) -> Output {
    std::fs::write(dir.join("p.json"), file).expect("written");
    eleven().current_dir(dir).args(["verify", "p.json"]).args(args).output().expect("it runs")
}

/// Answers one request like this, and gives its address.
fn answering(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().expect("a caller");
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            caller.read_exact(&mut byte).expect("a request");
            asked.extend(byte);
        }
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        caller.write_all(head.as_bytes()).and_then(|()| caller.write_all(body.as_bytes())).expect("an answer");
    });
    format!("http://{at}")
}

#[test]
fn a_proof_file_forges_no_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        format!(r#"{{"v":"1","type":"11-11/proof","kind":"{FORGED}","op":"{FORGED}","head":{{"at":"{FORGED}"}}}}"#);
    let output = verify(folder.path(), &file, &[]);
    let said = harmless(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("FAILED ? of ?, in a ledger of ? entries, as of ?"), "{said}");
    // A whole bundle with one member more, which the check of its form quotes.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/bundle.proof.json");
    let bundle = std::fs::read_to_string(path).expect("the vector");
    let output = verify(folder.path(), &bundle.replacen('{', &format!("{{\"{FORGED}\":1,"), 1), &[]);
    let said = harmless(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(r"\u{1b}[2J"), "the detail that quotes it shows what it is: {said}");
}

#[test]
fn a_failed_bundle_is_no_evidence_of_equivocation_by_its_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["fork", "back", "omission"] {
        let output = verify(folder.path(), &format!(r#"{{"v":"1","type":"11-11/proof","kind":"{kind}"}}"#), &[]);
        let said = harmless(&output);
        assert!(said.contains("FAILED ? of ?") && !said.contains("PROVEN"), "{kind}: {said}");
    }
}

#[test]
fn a_folder_of_evidence_forges_no_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = format!(r#"{{"v":"1","type":"11-11/evidence","{FORGED}":1}}"#);
    std::fs::write(folder.path().join("manifest.json"), manifest).expect("written");
    let output = eleven().args(["evidence", "verify"]).arg(folder.path()).output().expect("it runs");
    let said = harmless(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("FAILED"), "{said}");
}

#[test]
fn a_ledger_forges_no_verdict_by_what_it_answers_or_refuses() {
    let why = |url: &str| eleven().args(["why", "X", "--ledger", url]).output().expect("it runs");
    let refused = why(&answering("403 Forbidden", format!(r#"{{"detail":"{FORGED}","lineage":"{FORGED}"}}"#)));
    let said = harmless(&refused);
    assert!(refused.status.code() == Some(1) && said.starts_with(r"eleven: \u{1b}[2J"), "{said}");
    let answer = format!(
        r#"{{"event":"{FORGED}","identity":"{FORGED}","lineage":"{FORGED}","data":{{"rule":"{FORGED}"}},"reason":"policy.denied"}}"#
    );
    let said = harmless(&why(&answering("200 OK", answer)));
    assert!(said.contains(r"identity   \u{1b}[2J"), "{said}");
}

#[test]
fn what_no_address_holds_is_asked_for_as_it_is() {
    for command in ["why", "lineage show", "lineage replay", "lineage bundle", "lineage tlog-proof"] {
        let url = answering("400 Bad Request", r#"{"detail":"that is no operation's id"}"#.to_owned());
        let output = eleven().args(command.split(' ')).args(["A B\n", "--ledger", &url]).output().expect("it runs");
        let said = harmless(&output);
        assert!(output.status.code() == Some(1) && said.contains("that is no operation's id"), "{command}: {said}");
    }
}

#[test]
fn whoever_else_answers_is_no_ledger_and_no_witness() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("p.json").display().to_string();
    // An upstream of the OpenAI kind answers any GET.
    let models = || answering("200 OK", r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#.to_owned());
    let taken = |args: &[&str], url: &str, service: &str| {
        let output = eleven().args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", text(&output));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(url) && said.contains(&format!("not as a {service} does")), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}: {}", text(&output));
    };
    let commands: [&[&str]; 6] = [
        &["why", "X"],
        &["lineage", "show", "X"],
        &["lineage", "replay", "X"],
        &["lineage", "bundle", "X"],
        &["lineage", "bundle", "X", "--out", &out],
        &["ledger", "search"],
    ];
    for command in commands {
        let url = models();
        taken(&[command, &["--ledger", &url]].concat(), &url, "ledger");
    }
    assert!(!Path::new(&out).exists(), "no proof was written");
    for command in ["show", "evidence"] {
        let url = models();
        taken(&["witness", command, &url], &url, "witness");
    }
}

#[test]
fn whoever_else_answers_is_no_authority_and_has_no_registry() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("eleven.toml");
    let commands: [&[&str]; 4] = [&["registry", "show"], &["client", "list"], &["policy", "list"], &["key", "list"]];
    for command in commands {
        let url = answering("200 OK", r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#.to_owned());
        let text = format!(
            "[domain]\nname = \"11-11\"\n[authority]\nurl = \"{url}\"\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n\
             [runtime.gateway]\nupstream = \"http://127.0.0.1:8000\"\n"
        );
        std::fs::write(&file, text).expect("written");
        let output = eleven().args(command).arg("--config").arg(&file).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains(&url) && said.contains("not as an authority does"), "{command:?}: {said}");
        assert!(output.stdout.is_empty(), "{command:?}: a list of none is a statement");
    }
}
