use super::*;

const NOW: Time = Time(1_778_605_451_250);

#[test]
fn a_flood_is_one_count_a_second_and_listener() {
    let denials = Denials::default();
    for _ in 0..20_000 {
        denials.count(NOW, "127.0.0.1:1112");
    }
    denials.count(NOW, "127.0.0.1:9");
    assert_eq!(denials.take_closed(NOW), None, "the second is not over");
    let later = NOW.plus_millis(750);
    let (window, count) = denials.take_closed(later).expect("a closed window");
    assert_eq!((window.0, window.1.as_str(), count), (Time(1_778_605_451_000), "127.0.0.1:1112", 20_000));
    assert_eq!(denials.take_closed(later).map(|(_, count)| count), Some(1));
    assert_eq!(denials.take_closed(later), None);
}

#[test]
fn what_was_counted_before_a_clock_was_set_back_does_not_wait_for_that_time() {
    let denials = Denials::default();
    for ahead in [3_600, 0, 1] {
        denials.count(NOW.plus_seconds(ahead), "l");
    }
    let taken = || denials.take_closed(NOW).map(|((start, _), count)| (start.since(NOW.whole_seconds()), count));
    assert_eq!(taken(), Some((3_600_000, 1)));
    assert_eq!(taken(), None, "this second runs, and the next may");
    // As when it stops.
    let last = || denials.take_closed(NOW.plus_seconds(1)).map(|(_, count)| count);
    assert_eq!((last(), last()), (Some(1), None));
}

#[test]
fn windows_are_bounded_while_the_ledger_is_gone() {
    let denials = Denials::default();
    for second in 0..2_000 {
        denials.count(NOW.plus_seconds(second), "l");
    }
    let mut windows = 0;
    while denials.take_closed(NOW.plus_seconds(5_000)).is_some() {
        windows += 1;
    }
    assert_eq!(windows, MAX_WINDOWS);
}

#[test]
fn the_event_is_of_the_form_of_a_counted_denial() {
    let draft = event(&(NOW.whole_seconds(), "127.0.0.1:1112".into()), 41, NOW);
    let signer = eleven_core::signature::SeedSigner::new("key:11-11/authority/dev", &[1; 32]);
    let draft = eleven_core::event::Draft {
        event: draft.event,
        place: draft.place,
        ts: draft.ts,
        by: "governance://11-11/authority/dev".into(),
        src_seq: 0,
        data: draft.data,
        about: draft.about,
    };
    let record = draft.sign(&signer).expect("a record");
    assert!(record.is_counted_denial() && record.op_is_content());
    assert_eq!(record.data_str("window"), Some("2026-05-12T17:04:11.000Z/PT1S"));
    assert_eq!(record.about, About { reason: Some(Reason::IdentityUnauthenticated), ..About::default() });
}
