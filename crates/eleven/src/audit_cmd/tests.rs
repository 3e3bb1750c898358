use super::*;

#[test]
fn a_head_is_old_when_a_ledger_that_runs_would_have_signed_another() {
    let at = Time(1_000_000);
    assert!(!is_old(at, Time(1_000_000)) && !is_old(at, at.plus_millis(30_000)));
    assert!(!is_old(at, at.plus_millis(-90_000)), "the clock here is behind");
    assert!(is_old(at, at.plus_millis(61_000)));
}

#[test]
fn what_was_verified_is_told_with_the_time_of_its_head() {
    let at = Time::parse_millis("2026-05-12T17:04:14.000Z").expect("a time");
    let audited = Audited { ledger: "ledger://11-11".to_owned(), size: 7, at: Some(at), ..Audited::default() };
    let document = verified(&audited);
    assert_eq!(document.get("at").and_then(Value::as_str), Some("2026-05-12T17:04:14.000Z"));
    assert!(verified_text(&audited, Output::new(false)).contains("7 entries by the head of 2026-05-12"));
    assert_eq!(verified(&Audited::default()).get("at"), None, "before the first head");
}
