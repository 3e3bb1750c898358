use super::*;
use crate::fixtures::NOW;

#[test]
fn a_key_is_doubted_as_early_as_a_clock_that_is_ahead_may_end_it() {
    let end = NOW;
    let doubted = |before: i64| ends(end.plus_millis(-before), |at| at < end);
    assert!(doubted(0) && doubted(-1), "it is over here");
    assert!(doubted(1) && doubted(MAX_STAMP_AHEAD_MS), "it may be over at the ledger");
    assert!(!doubted(MAX_STAMP_AHEAD_MS + 1));
}

#[test]
fn a_key_that_does_not_count_yet_is_doubted() {
    assert!(ends(NOW, |at| at > NOW), "whatever it will do");
}
