use super::*;
use crate::Settings;
use eleven_api::edge::ManualClock;
use std::sync::Arc;
use std::sync::mpsc::channel;

#[test]
fn every_event_of_a_load_is_taken_and_its_calls_are_whole() {
    let now = Time::parse_millis("2026-05-12T17:00:00.000Z").expect("a time");
    let folder = tempfile::tempdir().expect("a folder");
    let domain = Domain::new(2, now).expect("a domain");
    domain.genesis(folder.path()).expect("a genesis");
    let clock = Arc::new(ManualClock::new(now));
    let ledger = Ledger::open(Settings::new(folder.path()), domain.signers(), Arc::clone(&clock) as _).expect("open");
    let (mut first, mut second) = (domain.lane(0), domain.lane(1));
    // A load is signed before it runs, and runs for long.
    clock.advance(3_600_000);
    let bodies = [
        domain.set_up().expect("events"),
        first.body(3, 2).expect("events"),
        second.body(2, 1).expect("events"),
        first.body(1, 0).expect("events"),
    ];
    let (send, receive) = channel();
    for body in &bodies {
        let send = send.clone();
        ledger.submit(&body.bytes, move |outcome| send.send(outcome).expect("the test listens")).expect("a body");
    }
    let sizes: Vec<u64> = bodies.iter().map(|_| receive.recv().expect("an answer").expect("taken").size).collect();
    let events: u64 = bodies.iter().map(|body| body.events).sum();
    assert_eq!(bodies.each_ref().map(|body| body.events), [9, 23, 15, 7]);
    assert!(sizes.last().is_some_and(|size| *size > events), "{sizes:?}");
    let costs = proof_costs(&ledger, &domain, 4).expect("proofs that verify");
    assert!(costs.bundle > 0 && costs.bundle_verified > 0 && costs.bundle_bytes > 10_000, "{costs:?}");
    assert!(costs.inclusion > 0 && costs.exclusion_verified > 0 && costs.exclusion_bytes > 20, "{costs:?}");
    drop(ledger);
    let sound = crate::fsck(folder.path(), &mut |_| {}).expect("sound");
    // The genesis, the set-up, the seals and the denials are lineages of one event; six calls are closed.
    assert_eq!((sound.running, sound.ledger.as_str()), (0, LEDGER));
    assert!(sound.entries > events && sound.lineages > 6 + 3 + 3);
}

#[test]
fn a_load_has_as_many_lanes_as_it_is_told() {
    let now = Time::parse_millis("2026-05-12T17:00:00.000Z").expect("a time");
    let folder = tempfile::tempdir().expect("a folder");
    let domain = Domain::new(256, now).expect("a domain");
    domain.genesis(folder.path()).expect("a genesis");
    let clock = Arc::new(ManualClock::new(now));
    let ledger = Ledger::open(Settings::new(folder.path()), domain.signers(), clock).expect("open");
    let bodies = [domain.set_up().expect("events"), domain.lane(255).body(1, 1).expect("events")];
    let (send, receive) = channel();
    for body in &bodies {
        let send = send.clone();
        ledger.submit(&body.bytes, move |outcome| send.send(outcome).expect("the test listens")).expect("a body");
        receive.recv().expect("an answer").expect("taken");
    }
}
