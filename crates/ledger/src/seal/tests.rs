use super::*;

const EVERY: Duration = Duration::from_millis(500);
const BUSY: Duration = Duration::from_millis(250);

/// The ticks at which a seal is due while `rate` entries a second come, over three seconds.
fn due(rate: u64, held: bool) -> Vec<u64> {
    let mut pace = Pace::new(EVERY, BUSY, 100);
    let (mut unsealed, mut due) = (0, Vec::new());
    for tick in 1..=12 {
        unsealed += rate / 4;
        if pace.is_due(unsealed, held) {
            due.push(tick);
            pace.sealed();
            unsealed = 0;
        }
    }
    due
}

#[test]
fn seals_come_at_an_interval_and_more_often_under_load() {
    assert_eq!(due(8, false), [2, 4, 6, 8, 10, 12], "every 500 ms");
    assert_eq!(due(400, false), (1..=12).collect::<Vec<_>>(), "every 250 ms");
    assert_eq!(due(0, false), [] as [u64; 0], "never for nothing");
}

#[test]
fn a_seal_waits_for_the_witnesses_of_the_head_before_it_and_for_no_longer_than_a_second() {
    assert_eq!(due(8, true), [4, 8, 12]);
    assert_eq!(due(400, true), [4, 8, 12]);
}

#[test]
fn what_comes_after_a_quiet_time_is_sealed_at_the_next_tick() {
    let mut pace = Pace::new(EVERY, BUSY, 100);
    assert!(!(0..10).any(|_| pace.is_due(0, false)));
    assert!(pace.is_due(1, false));
}
