//! When the ledger would date what is made now (step 3). Without IO, as the [outbox](super::Outbox).

use eleven_api::edge::Moment;
use eleven_core::time::Time;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the ledger said last of its time.
#[derive(Debug)]
pub(crate) struct Dated {
    /// When it would have dated an entry, and when it was asked, by the steady clock.
    word: Mutex<Option<(Time, i64)>>,
    /// When it was asked last, whether or not it answered, by the steady clock.
    asked: AtomicI64,
    /// Whether it answered last that it does not know who asks.
    unknown: AtomicBool,
}

impl Default for Dated {
    fn default() -> Self {
        Self { word: Mutex::default(), asked: AtomicI64::new(i64::MIN), unknown: AtomicBool::new(false) }
    }
}

impl Dated {
    /// Whether it was not asked for so long.
    pub(crate) fn is_due(&self, now: Moment, every: Duration) -> bool {
        let since = now.steady.saturating_sub(self.asked.load(Ordering::Acquire));
        u128::try_from(since).is_ok_and(|since| since >= every.as_millis())
    }

    /// It is asked now.
    pub(crate) fn ask(&self, now: Moment) {
        self.asked.store(now.steady, Ordering::Release);
    }

    /// It does not know who asks: it is asked again whatever is sent next.
    pub(crate) fn unheard(&self) {
        self.asked.store(i64::MIN, Ordering::Release);
        self.unknown.store(true, Ordering::Release);
    }

    /// Whether it answered last that it does not know who asks: what it said of its time before tells nothing then.
    pub(crate) fn is_unknown(&self) -> bool {
        self.unknown.load(Ordering::Acquire)
    }

    /// To a question of `asked` the ledger said that it would date an entry so; where it does not say, what it said before goes on
    /// to count.
    pub(crate) fn told(&self, at: Option<Time>, asked: Moment) {
        self.unknown.store(false, Ordering::Release);
        if let Some(at) = at {
            *self.word.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, asked.steady));
        }
    }

    /// Between which times it would date an entry that is made now. Its entries never go back; and no more time has passed since
    /// it said so than since it was asked, by the clock that nobody sets here.
    pub(crate) fn between(&self, now: Moment) -> Option<(Time, Time)> {
        let (at, asked) = (*self.word.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some((at, at.plus_millis(now.steady.saturating_sub(asked).max(0))))
    }
}
