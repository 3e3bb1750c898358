use super::*;
use eleven_api::edge::ManualClock;
use eleven_core::time::Time;

const BEGAN: Time = Time(1_800_000_000_000);

#[test]
fn a_clock_that_is_set_back_gives_an_old_backlog_no_new_time() {
    let clock = ManualClock::new(BEGAN);
    let progress = Progress::new(Moment::now(&clock));
    let waits = || progress.backlog_ms(Moment::now(&clock));
    clock.advance(1_000);
    progress.advance(3, Acknowledged::All, Moment::now(&clock));
    assert_eq!(waits(), 0);
    clock.set(BEGAN.plus_millis(-60_000));
    clock.advance(5_001);
    assert_eq!(waits(), 5_001, "the ledger has been silent for that long, whatever the clock shows");
    // Up to a record of a time to come: it says nothing of how long ago that was.
    progress.advance(4, Acknowledged::Until(BEGAN), Moment::now(&clock));
    assert_eq!((waits(), progress.acknowledged()), (5_001, 4));
    progress.advance(5, Acknowledged::Until(clock.now().plus_millis(-700)), Moment::now(&clock));
    assert_eq!(waits(), 700);
    progress.advance(6, Acknowledged::All, Moment::now(&clock));
    assert_eq!(waits(), 0, "the ledger answers, and the clock that was set back halts nothing");
}

#[test]
fn a_backlog_counts_from_the_oldest_record_that_the_ledger_may_not_have() {
    let clock = ManualClock::new(BEGAN);
    let progress = Progress::new(Moment::now(&clock).back_to(BEGAN.plus_millis(-9_000)));
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 9_000);
    clock.set(BEGAN.plus_millis(-60_000));
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 9_000);
}
