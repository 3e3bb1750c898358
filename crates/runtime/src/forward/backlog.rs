//! Since when the ledger may lack records of a point (step 16). Without IO, as the [outbox](super::Outbox).

use super::Acknowledged;
use eleven_api::edge::Moment;
use std::sync::atomic::{AtomicI64, Ordering};

/// The last moment at which the ledger had acknowledged everything, by the steady clock: past the bound what runs is
/// interrupted, and a time of day that is set forward must not do that.
#[derive(Debug)]
pub struct Backlog(AtomicI64);

impl Backlog {
    /// At start, where the ledger had acknowledged everything up to `all_at`.
    #[must_use]
    pub const fn new(all_at: Moment) -> Self {
        Self(AtomicI64::new(all_at.steady))
    }

    /// Milliseconds since the ledger had acknowledged everything.
    #[must_use]
    pub fn ms(&self, now: Moment) -> i64 {
        now.steady.saturating_sub(self.0.load(Ordering::Acquire)).max(0)
    }

    /// Takes what the ledger answered to a question of `asked_at`.
    pub fn advance(&self, acknowledged: Acknowledged, asked_at: Moment) {
        let all_at = match acknowledged {
            Acknowledged::All => asked_at,
            Acknowledged::Until(ts) if ts <= asked_at.at => asked_at.back_to(ts),
            // A record of a time to come says nothing of how long ago it was made: the clock went back since.
            Acknowledged::Until(_) | Acknowledged::Open => return,
        };
        self.0.fetch_max(all_at.steady, Ordering::AcqRel);
    }
}
