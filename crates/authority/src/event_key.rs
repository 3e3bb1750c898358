//! The end of an event key while nothing is signed by it. The ledger is read by that key, too: where nobody noticed, it would not be
//! heard any more, everything would be refused before it came to an event, and no event would have another key used.

use crate::Authority;
use eleven_api::serve::stopped;
use eleven_core::limits::MAX_STAMP_AHEAD_MS;
use eleven_core::time::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked: well below the least `fresh`.
const LOOK: Duration = Duration::from_millis(250);

/// Looks whether the event key counts until told to stop.
pub(crate) async fn watch(authority: Arc<Authority>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stopped(&mut stop) => return,
        }
        let now = authority.clock.now();
        if authority.registry.current().is_some_and(|current| ends(now, |at| authority.event_counts(&current, at))) {
            authority.sequencer.doubt_key();
        }
    }
}

/// Whether what counts as told may have ended `now`: the ledger judges its reader by its own clock, which may be as far ahead as clocks
/// may differ. A key that is doubted early is asked for and stays in use.
fn ends(now: Time, counts: impl Fn(Time) -> bool) -> bool {
    !counts(now) || !counts(now.plus_millis(MAX_STAMP_AHEAD_MS))
}

#[cfg(test)]
mod tests;
