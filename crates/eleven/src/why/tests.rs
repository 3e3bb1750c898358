use super::{explain, words};
use crate::output::Output;
use eleven_core::encoding::parse;
use eleven_core::reason::Reason;

#[test]
fn every_reason_has_words_of_its_own() {
    for reason in Reason::ALL {
        let (meaning, would_pass) = (words::meaning(*reason), words::would_pass(*reason));
        assert!(meaning.len() > 20 && meaning.ends_with('.'), "{reason}");
        assert!(would_pass.len() > 10 && !would_pass.ends_with('.'), "{reason}");
        let same = Reason::ALL.iter().filter(|other| words::meaning(**other) == meaning).count();
        assert_eq!(same, 1, "{reason}");
    }
}

#[test]
fn who_finds_no_containment_is_told_of_a_ledger_that_went_back() {
    let would_pass = words::would_pass(Reason::RuntimeContained);
    for part in ["`eleven subject lift KIND SUBJECT`", "the ledger went back", "until the epoch is reached"] {
        assert!(would_pass.contains(part), "{part}: {would_pass}");
    }
}

#[test]
fn a_reason_is_told_with_each_cause_for_which_it_is_given() {
    for (reason, told, helps) in [
        (Reason::RuntimeClock, "ten seconds away from the authority's clock", "same source"),
        (Reason::IssuerUnavailable, "no issuer key that counts", "renew the key"),
        (Reason::RuntimeUnregistered, "the runtime that was asked for has no point", "`eleven runtime register`"),
        (Reason::RuntimeIntegrity, "the policy asks for hardware evidence", "`attestation` is `software`"),
        (Reason::OperationMismatch, "without the request that the policy binds", "with `request`"),
        (Reason::EnvironmentMismatch, "stand in several places", "through the point that is to run it"),
        (Reason::AuditDiscontinuity, "no head of the durability", "its witnesses"),
        (Reason::ArtifactReplayed, "the journal of a point that lost one", "a new artifact"),
        (Reason::AuditUnavailable, "the point was about to end", "where it was told to stop"),
        (Reason::PolicyError, "none by its schema", "what its schema asks for"),
        (Reason::LimitsExceeded, "there is more of it", "spec/limits.md lists every limit"),
    ] {
        assert!(words::meaning(reason).contains(told), "{reason}: {}", words::meaning(reason));
        assert!(words::would_pass(reason).contains(helps), "{reason}: {}", words::would_pass(reason));
    }
}

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
}

#[test]
fn what_was_not_refused_is_not_called_a_refusal() {
    let said = br#"{"event":"execution.completed","closed":true,"op":"X","by":"host://a/b#c","data":{}}"#;
    let text = explain(&parse(said).expect("a document"), Output::new(true));
    assert!(text.starts_with("not refused: it ran to its end, and its evidence is committed"), "{text}");
    assert!(!text.contains("would pass") && !text.contains("refused by"), "{text}");
}

#[test]
fn an_artifact_whose_uses_have_numbers_is_not_said_to_be_unused() {
    let told = |uses: &str| {
        let said = format!(
            r#"{{"event":"authorization.issued",{uses}"op":"X","by":"governance://a/authority/b","data":{{}}}}"#
        );
        explain(&parse(said.as_bytes()).expect("a document"), Output::new(true))
    };
    for (uses, words) in [
        ("", "not refused: the artifact was issued and has not been used yet (authorization.issued)"),
        (r#""uses":1,"#, "not refused: the artifact was issued and has been used: ask for X.1 (authorization.issued)"),
        (
            r#""uses":3,"#,
            "not refused: the artifact was issued and has been used: ask for X.1 to X.3 (authorization.issued)",
        ),
    ] {
        assert!(told(uses).starts_with(words), "{}", told(uses));
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
    for part in
        ["what to do: the runtime's log", "`the upstream failed op=\"X\"`", "`eleven doctor` tries the connection"]
    {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let cut_off = told("execution.interrupted", "caller.left", "");
    assert!(cut_off.starts_with("not refused: it was cut off, and its evidence is not committed yet"), "{cut_off}");
    assert!(cut_off.contains("cause      caller.left") && !cut_off.contains("what to do"), "{cut_off}");
}
