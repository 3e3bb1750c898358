//! A ledger that lost one of its tasks or threads.

use super::anywhere;
use crate::world::Home;
use crate::{Ledger, LedgerError, Settings};
use eleven_api::edge::{Clock, ManualClock};
use eleven_api::serve::Listener;
use eleven_core::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

/// A clock that panics once from when it is told to: on the thread of this name, or without one on any of the tasks.
struct Failing {
    clock: ManualClock,
    on: Option<&'static str>,
    fails: AtomicBool,
}

impl Clock for Failing {
    fn now(&self) -> Time {
        let here = match thread::current().name() {
            Some(name @ ("heads" | "archive")) => self.on == Some(name),
            Some("commit") => false,
            _ => self.on.is_none(),
        };
        assert!(!(here && self.fails.swap(false, Ordering::SeqCst)), "a clock that fails");
        self.clock.now()
    }

    fn steady(&self) -> i64 {
        self.clock.steady()
    }
}

/// How a ledger ends where its clock fails.
async fn ended(on: Option<&'static str>) -> Result<(), LedgerError> {
    let (home, archive) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let (clock, fails) = (ManualClock::new(home.clock.now()), AtomicBool::new(false));
    let clock = Arc::new(Failing { clock, on, fails });
    let settings = Settings {
        // Nobody is there, and is asked all the same.
        authority: Some("http://127.0.0.1:9".to_owned()),
        resign_every: Duration::from_millis(50),
        archive: Some(archive.path().to_owned()),
        archive_every: Some(Duration::from_millis(50)),
        ..home.settings()
    };
    let ledger = Ledger::open(settings, Home::signers(), clock.clone()).expect("opens");
    let (_running, stop) = watch::channel(false);
    let listener = Listener::bind(anywhere(), None).await.expect("a listener");
    let serving = tokio::spawn(ledger.serve(listener, stop));
    clock.fails.store(true, Ordering::SeqCst);
    serving.await.expect("it ends by itself")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_ends_the_ledger() {
    let ended = ended(None).await;
    assert!(matches!(ended, Err(LedgerError::Task(_))), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_whose_heads_are_signed_by_nobody_ends() {
    let ended = ended(Some("heads")).await;
    let why = ended.expect_err("it ends").to_string();
    assert!(why.contains("`heads` panicked"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_whose_content_is_archived_by_nobody_ends() {
    let ended = ended(Some("archive")).await;
    let why = ended.expect_err("it ends").to_string();
    assert!(why.contains("`archive` panicked"), "{why}");
}
