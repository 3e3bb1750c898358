use super::explain;
use crate::output::Output;
use eleven_core::encoding::parse;

#[test]
fn a_refusal_names_rule_and_what_would_pass_in_its_authors_words() {
    let said = br#"{"at":"2026-05-12T17:00:00.000Z","by":"governance://11-11/authority/dev",
        "data":{"rule":"demo-app-may-summarize","would_pass":"call the model demo-summarizer"},"event":"execution.denied",
        "identity":"svc:other:dev","lineage":"lineage://op/X","op":"X","policy_required":"policy://starter/v1",
        "reason":"policy.denied"}"#;
    let text = explain(&parse(said).expect("a document"), Output::new(true));
    for part in ["denied: policy.denied", "svc:other:dev", "policy://starter/v1", "demo-app-may-summarize"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("what would pass: call the model demo-summarizer"), "{text}");
    assert!(
        text.contains("eleven lineage show lineage://op/X\neleven lineage bundle lineage://op/X --out FILE"),
        "{text}"
    );
}

#[test]
fn a_rule_that_forbids_is_not_said_to_lack_a_permit() {
    let told = |forbids: &str| {
        let said = format!(
            r#"{{"event":"execution.denied","op":"X","reason":"policy.denied","data":{{{forbids}"rule":"no_night"}}}}"#
        );
        explain(&parse(said.as_bytes()).expect("a document"), Output::new(true))
    };
    assert!(told("").contains("does not permit this") && !told("").contains("a `forbid` rule of it holds"));
    let forbidden = told(r#""forbids":true,"#);
    assert!(forbidden.contains("a `forbid` rule of it holds for this") && !forbidden.contains("does not permit"));
}

#[test]
fn what_was_not_refused_is_not_called_a_refusal() {
    let said = br#"{"event":"execution.completed","closed":true,"op":"X","by":"host://a/b#c","data":{}}"#;
    let text = explain(&parse(said).expect("a document"), Output::new(true));
    assert!(text.starts_with("not refused: it ran to its end, and its evidence is committed"), "{text}");
    assert!(!text.contains("would pass") && !text.contains("refused by"), "{text}");
}

#[test]
fn what_was_answered_is_said_by_its_status() {
    let told = |data: &str| {
        let said = format!(r#"{{"event":"execution.completed","closed":true,"op":"X","data":{data}}}"#);
        explain(&parse(said.as_bytes()).expect("a document"), Output::new(true))
    };
    let text = told(r#"{"result":{"bytes":7,"digest":"sha3-512:00","status":429}}"#);
    assert!(text.contains("  status     429\n") && !text.contains("what to do"), "{text}");
    let text = told(r#"{"result":{"bytes":7,"digest":"sha3-512:00","status":401}}"#);
    assert!(text.contains("what to do: the upstream wants another key than it is called with"), "{text}");
    assert!(
        text.contains("but a workload that was admitted, the status is the word of whoever completed it"),
        "{text}"
    );
    assert!(!told("{}").contains("status"));
}

#[test]
fn an_artifact_is_said_to_be_used_and_revoked_as_far_as_the_ledger_knows_and_until_when_it_was_good() {
    let told = |more: &str| {
        let said = format!(
            r#"{{"event":"authorization.issued",{more}"op":"X","by":"governance://a/authority/b",
            "data":{{"exp":"2026-05-12T17:09:00Z"}}}}"#
        );
        explain(&parse(said.as_bytes()).expect("a document"), Output::new(true))
    };
    for (more, words) in [
        ("", "not refused: the artifact was issued; the ledger has no use of it yet (authorization.issued)"),
        (r#""uses":1,"#, "not refused: the artifact was issued; it has been used: ask for X.1 (authorization.issued)"),
        (
            r#""uses":3,"#,
            "not refused: the artifact was issued; it has been used: ask for X.1 to X.3 (authorization.issued)",
        ),
        (
            r#""revoked":true,"#,
            "not refused: the artifact was issued, and is revoked; the ledger has no use of it yet (authorization.issued)",
        ),
        (
            r#""revoked":true,"uses":1,"#,
            "not refused: the artifact was issued, and is revoked; it has been used: ask for X.1 (authorization.issued)",
        ),
    ] {
        let text = told(more);
        assert!(text.starts_with(words) && text.contains("  until      2026-05-12T17:09:00Z\n"), "{text}");
    }
}

#[test]
fn what_failed_or_was_cut_off_did_not_run_to_its_end_and_says_its_cause() {
    let told = |event: &str, cause: &str, closed: &str| {
        let said =
            format!(r#"{{"event":"{event}",{closed}"op":"X","by":"host://a/b#c","data":{{"cause":"{cause}"}}}}"#);
        explain(&parse(said.as_bytes()).expect("a document"), Output::new(true))
    };
    let failed = told("execution.failed", "upstream.failed", r#""closed":true,"#);
    assert!(failed.starts_with("not refused: it ran and failed, and its evidence is committed (execution.failed)"));
    assert!(failed.contains("cause      upstream.failed"), "{failed}");
    for part in [
        "what to do: the runtime's log",
        "`the upstream failed op=\"X\"`, or in one of the minute before",
        "`eleven doctor` tries the connection",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let cut_off = told("execution.interrupted", "caller.left", "");
    assert!(cut_off.starts_with("not refused: it was cut off, and its evidence is not committed yet"), "{cut_off}");
    assert!(cut_off.contains("cause      caller.left"), "{cut_off}");
    for (event, cause, next) in [
        ("execution.interrupted", "caller.left", "what to do: look whether the client's own timeout is shorter"),
        ("execution.interrupted", "max_run", "what to do: let the policy's term `max_run` be greater"),
        ("execution.failed", "limits.exceeded", "what to do: set a greater runtime.gateway.max_response"),
    ] {
        let text = told(event, cause, "");
        assert!(text.contains(next), "{cause}: {text}");
    }
    assert!(!told("execution.interrupted", "artifact.revoked", "").contains("what to do"));
}
