//! The clock as this point has seen it: no admission may come before the last moment that it showed (PROTOCOL 4.1, step 3).
//!
//! The journal knows the time of its last record and nothing of the time since; a point without calls makes no records. So
//! whatever reads the time here, for a refresh, an admission or a question to the ledger, leaves it behind in memory.

use eleven_api::edge::Clock;
use eleven_core::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that remembers the highest time it showed.
pub(crate) struct Seen {
    clock: Arc<dyn Clock>,
    highest: AtomicI64,
}

impl Seen {
    /// Over the clock of the machine, which showed nothing yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, highest: AtomicI64::new(i64::MIN) }
    }

    /// The highest time that was read since this process began; `None` before the first reading.
    pub(crate) fn highest(&self) -> Option<Time> {
        Some(self.highest.load(Ordering::Acquire)).filter(|ms| *ms != i64::MIN).map(Time)
    }
}

impl Clock for Seen {
    fn now(&self) -> Time {
        let now = self.clock.now();
        self.highest.fetch_max(now.0, Ordering::AcqRel);
        now
    }

    fn steady(&self) -> i64 {
        self.clock.steady()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eleven_api::edge::ManualClock;

    #[test]
    fn a_clock_that_goes_back_was_seen_where_it_stood() {
        let manual = Arc::new(ManualClock::new(Time(5_000)));
        let seen = Seen::new(manual.clone());
        assert_eq!(seen.highest(), None);
        assert_eq!((seen.now(), seen.highest()), (Time(5_000), Some(Time(5_000))));
        manual.set(Time(1_000));
        assert_eq!((seen.now(), seen.highest()), (Time(1_000), Some(Time(5_000))));
        manual.set(Time(5_001));
        assert_eq!((seen.now(), seen.highest()), (Time(5_001), Some(Time(5_001))));
    }
}
