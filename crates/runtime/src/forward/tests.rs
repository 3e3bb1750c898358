use super::*;
use crate::running::Running;
use crate::serve::Halt;
use eleven_core::time::Time;

/// The moment so many milliseconds after the start.
fn after(ms: i64) -> Moment {
    Moment { at: Time(1_778_605_451_000).plus_millis(ms), steady: ms }
}

/// The events of a point that is idle for four bounds before a ledger that answers after `answer`, by a clock of its own; and
/// the longest that it was unacknowledged.
fn idles(audit_bound: Duration, answer: Duration) -> (Vec<&'static str>, i64) {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).expect("short");
    let (bound, answer, every) = (millis(audit_bound), millis(answer), millis(idle(audit_bound)));
    let (progress, running) = (Progress::new(after(0)), Running::new("host://test/inference#gw-0".into()));
    let (mut halt, mut events, mut longest) = (Halt::default(), Vec::new(), 0);
    let (mut asks, mut asked_at) = (0, None);
    for now in 0..4 * bound {
        match asked_at {
            Some(at) if now == at + answer => {
                progress.advance(0, Acknowledged::All, after(at));
                (asks, asked_at) = (now + every, None);
            }
            None if now == asks => asked_at = Some(now),
            Some(_) | None => {}
        }
        let backlog = progress.backlog_ms(after(now));
        longest = longest.max(backlog);
        events.extend(halt.look(backlog > bound, 0, &running).map(|(event, _)| event));
    }
    (events, longest)
}

#[test]
fn an_idle_point_never_comes_to_its_bound_by_waiting() {
    for seconds in 1..=60 {
        let bound = Duration::from_secs(seconds);
        let (events, longest) = idles(bound, Duration::from_millis(300));
        assert_eq!(events, Vec::<&str>::new(), "{seconds} s");
        assert!(longest <= (idle(bound) + Duration::from_millis(600)).as_millis() as i64, "{seconds} s: {longest} ms");
    }
    assert_eq!(idle(Duration::from_secs(60)), IDLE, "and never less often than that");
    // One that answers too late for the bound is what the bound is for.
    let (events, _) = idles(Duration::from_secs(1), Duration::from_millis(700));
    assert_eq!(events.first(), Some(&"audit.discontinuity"));
}
