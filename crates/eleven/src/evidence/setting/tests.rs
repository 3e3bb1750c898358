use super::*;
use eleven_core::hash::Sha256;

const HEAD: Time = Time(1_800_000_000_000);

/// A retention that was set so many days before the head.
fn set(days: u64, regime: &str, ago: u64) -> Set {
    let retention = Retention::new(days, regime).expect("a retention");
    Set { retention, place: Place { seq: 7, at: before(HEAD, ago), leaf: Sha256::ZERO } }
}

fn judged(set: &[Set], floor: u64, age: u64) -> Result<String, String> {
    keeps(set, Some(floor), before(HEAD, age), HEAD)
}

#[test]
fn a_retention_meets_a_floor_from_the_floor_on() {
    assert!(judged(&[], 2192, 3000).expect("nothing may go").contains("no retention is set"));
    let meets = judged(&[set(2192, "hipaa", 10)], 2192, 3000).expect("it is the floor");
    assert!(meets.starts_with("retention of 2192 days (hipaa), set in entry 7"), "{meets}");
    let below = judged(&[set(2191, "own", 10)], 2192, 3000).expect_err("a day short");
    assert!(below.contains("is below the 2192 days of the regime"), "{below}");
    assert!(keeps(&[set(1, "own", 10)], None, HEAD, HEAD).is_ok(), "a regime without a time asks for none");
}

#[test]
fn a_retention_that_was_too_short_for_too_long_is_held_against_it() {
    // 30 days until ten days ago: what ended more than 40 days ago may have gone.
    let raised = [set(30, "own", 300), set(183, "eu-ai-act", 10)];
    let gone = judged(&raised, 183, 41).expect_err("a day of it is due");
    assert!(gone.contains("may have been moved out"), "{gone}");
    assert!(judged(&raised, 183, 40).is_ok(), "the ledger is not older");
    assert!(
        judged(&[set(30, "own", 400), set(183, "eu-ai-act", 153)], 183, 1000).is_ok(),
        "what may have gone is past it"
    );
    assert!(judged(&raised, 30, 1000).is_ok(), "it was never below thirty");
}
