use super::*;

#[test]
fn an_age_is_counted_by_whichever_clock_says_more() {
    let clock = ManualClock::new(Time(100_000));
    let began = Moment::now(&clock);
    clock.advance(3_000);
    assert_eq!(began.age_ms(Moment::now(&clock)), 3_000);
    // A time of day that is set back makes nothing younger.
    clock.set(Time(40_000));
    assert_eq!(began.age_ms(Moment::now(&clock)), 3_000);
    clock.advance(2_000);
    assert_eq!(began.age_ms(Moment::now(&clock)), 5_000);
    // One that is set forward makes it older, though not by the steady clock.
    clock.set(Time(190_000));
    assert_eq!(began.age_ms(Moment::now(&clock)), 90_000);
    assert_eq!(began.steady_ms(Moment::now(&clock)), 5_000);
    assert_eq!(Moment::now(&clock).steady_ms(began), 0, "nothing is younger than now");
    assert_eq!(Moment::now(&clock).age_ms(began), 0, "nothing is younger than now");
}

#[test]
fn a_moment_that_lies_back_is_as_old_by_both_clocks() {
    let clock = ManualClock::new(Time(100_000));
    let then = Moment::now(&clock).back_to(Time(93_000));
    assert_eq!(then.age_ms(Moment::now(&clock)), 7_000);
    clock.set(Time(0));
    assert_eq!(then.age_ms(Moment::now(&clock)), 7_000);
}

#[test]
fn the_machines_steady_clock_counts_since_its_start_and_its_sleep_with_it() {
    let awake = Duration::try_from(clock_gettime(ClockId::Monotonic)).expect("since the start");
    let first = SystemClock.steady();
    assert!(u128::from(first.unsigned_abs()) >= awake.as_millis(), "{first} ms, awake for {awake:?}");
    std::thread::sleep(Duration::from_millis(20));
    assert!(SystemClock.steady() - first >= 19, "it goes on");
}

/// Of one thread: what it was to run next is run, while the work waits for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn work_on_many_bytes_holds_up_nobody_else() {
    let (say, heard) = std::sync::mpsc::channel();
    let work = tokio::spawn(async move {
        let other = tokio::spawn(async move { say.send(()) });
        let said = at_length(LARGE + 1, || heard.recv_timeout(std::time::Duration::from_secs(20)));
        other.await.expect("it ran").expect("somebody listens");
        said
    });
    assert_eq!(work.await.expect("it ran"), Ok(()));
}
