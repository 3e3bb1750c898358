//! Callers without identity are counted, not recorded one by one (PROTOCOL 5.3): a flood of them costs one event a second
//! and listener.

use crate::sequencer::{Draft, Sequencer, SubmitError};
use eleven_api::edge::Clock;
use eleven_api::serve::stopped;
use eleven_core::encoding::Object;
use eleven_core::event::{About, Place};
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Windows that are kept while the ledger does not answer: ten minutes of one listener.
const MAX_WINDOWS: usize = 600;

/// Counts by the second they fall into and the listener.
#[derive(Default)]
pub struct Denials {
    counts: Mutex<BTreeMap<(Time, String), u64>>,
}

impl Denials {
    /// Counts a caller without identity at `now`.
    pub fn count(&self, now: Time, listener: &str) {
        self.add((now.whole_seconds(), listener.to_owned()), 1);
    }

    fn add(&self, window: (Time, String), count: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counts.contains_key(&window);
        if !known
            && counts.len() >= MAX_WINDOWS
            && let Some((dropped, lost)) = counts.pop_first()
        {
            tracing::warn!(window = %dropped.0, count = lost, "counts of callers without identity were lost");
        }
        *counts.entry(window).or_insert(0) += count;
    }

    /// Takes the oldest window that is over at `now`. So is one of a time to come: the clock was set back since.
    fn take_closed(&self, now: Time) -> Option<((Time, String), u64)> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let open = now.whole_seconds();
        // The next second may have begun since `now` was read.
        let next = open.plus_seconds(1);
        let closed = counts.keys().find(|(start, _)| *start < open || *start > next).cloned()?;
        counts.remove_entry(&closed)
    }
}

/// Records closed windows every second until told to stop.
pub(crate) async fn record(
    denials: Arc<Denials>,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let stopping = tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => false,
            () = stopped(&mut stop) => true,
        };
        let until = if stopping { clock.now().plus_seconds(1) } else { clock.now() };
        while let Some((window, count)) = denials.take_closed(until) {
            match sequencer.submit(event(&window, count, clock.now())).await {
                Ok(_) | Err(SubmitError::Unavailable { sent: true }) => {}
                Err(SubmitError::Unavailable { sent: false }) => {
                    denials.add(window, count);
                    break;
                }
                Err(error) => tracing::error!(%error, count, "callers without identity could not be recorded"),
            }
        }
        if stopping {
            return;
        }
    }
}

/// The counted denial of one window: it names nobody.
fn event((start, listener): &(Time, String), count: u64, ts: Time) -> Draft {
    let window = format!("{}/PT1S", start.millis());
    Draft {
        event: "execution.denied",
        place: Place::Alone,
        ts,
        data: Object::new().with("count", count).with("window", window).with("listener", listener),
        about: About { reason: Some(Reason::IdentityUnauthenticated), ..About::default() },
        blobs: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
