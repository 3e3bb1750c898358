use super::*;
use clap::Parser as _;

fn args(more: &[&str]) -> Args {
    let typed = ["eleven", "ledger", "hammer"].iter().chain(more);
    let cli = crate::cli::Cli::try_parse_from(typed).expect("a command line");
    match cli.command {
        crate::cli::Command::Ledger(crate::cli::LedgerCommand::Hammer(args)) => args,
        other => panic!("not hammer: {other:?}"),
    }
}

#[test]
fn a_load_in_process_takes_every_event_and_measures_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = args(&["--entries", "100", "--lanes", "2", "--calls", "2", "--denials", "1"]);
    let domain = Domain::new(2, SystemClock.now()).expect("a domain");
    let spools = Spool::sign(dir.path(), &domain, &args, 400).expect("signed");
    let windows = [Window { from: 100, events: 300 }];
    let measured = process::run(&args, &domain, spools, &dir.path().join("ledger"), &windows).expect("it runs");
    assert_eq!(measured.first_failure, None);
    // 27 bodies of 15 events make 400 in two lanes: 14 each; before them come the policy, and of each lane three
    // keys and the point.
    assert_eq!(measured.events, 28 * 15 + 1 + 2 * 4);
    assert!(measured.windows.len() == 1 && measured.windows[0].per_second > 0.0);
    assert!(!measured.durable.is_empty() && !measured.headed.is_empty() && measured.syncs.0 > 0);
    assert!(measured.disk.is_some_and(|bytes| bytes > 400 * 500));
    // A machine is told of a failure in the same document.
    let machine = Machine::measure(dir.path()).expect("measured");
    let error = |measured: &Measured| report::document(&machine, &args, measured).get("error").cloned();
    assert_eq!(error(&measured), None);
    let failed = Measured { first_failure: Some("422".to_owned()), ..measured };
    assert_eq!(error(&failed), Some("not every event was taken: 422".into()));
}

#[test]
fn the_windows_lie_at_each_decade_on_the_way() {
    let from = |more: &[&str]| windows(&args(more)).iter().map(|window| window.from).collect::<Vec<_>>();
    assert_eq!(from(&["--entries", "1000000"]), [1_000, 10_000, 100_000, 1_000_000]);
    assert_eq!(from(&["--entries", "5000"]), [1_000, 5_000]);
    let at_a_rate = windows(&args(&["--entries", "5000", "--rate", "100", "--seconds", "3"]));
    assert_eq!(at_a_rate, [Window { from: 5000, events: 300 }]);
}

#[test]
fn at_a_rate_the_bodies_of_all_lanes_are_due_one_after_the_other() {
    let args = args(&["--rate", "1000", "--lanes", "4", "--calls", "1", "--denials", "3", "--entries", "0"]);
    let pace = Pace::new(&args);
    let since = |lane, body| pace.due(lane, body).saturating_duration_since(pace.begun).as_millis();
    assert_eq!([since(0, 0), since(1, 0), since(3, 0), since(0, 1), since(1, 2)], [0, 10, 30, 40, 90]);
    assert_eq!(pace.unpaced(), 0);
}
