//! What the operator is told of an upstream that fails: each reason once a minute, and not at each call. Whoever may call writes no more of
//! the log than that by calling while it is gone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often a reason is told at most.
const EVERY: Duration = Duration::from_secs(60);
/// Reasons that are told in that time. An upstream that fails in more ways at once is broken enough by these.
const REASONS: usize = 32;

/// What was told.
#[derive(Default)]
pub(crate) struct Failing(Mutex<HashMap<String, Told>>);

/// When a reason was told last, and of how many calls it was not since.
struct Told {
    at: Instant,
    others: u64,
}

impl Failing {
    /// Tells that `what` became of an operation, and why. What is not told is there where somebody asks for more.
    pub(super) fn tell(&self, op: &str, what: &'static str, why: &str) {
        let Some(others) = self.is_news(why, Instant::now()) else {
            return tracing::debug!(op, why, "{what}");
        };
        let others = Some(others).filter(|others| *others > 0);
        tracing::warn!(op, why, others, "{what}");
    }

    /// Whether this is to be told now; and of how many calls it was not told since it was last.
    fn is_news(&self, why: &str, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |known: &Told| now.saturating_duration_since(known.at) >= EVERY;
        if let Some(known) = told.get_mut(why) {
            if !is_over(known) {
                known.others += 1;
                return None;
            }
            known.at = now;
            return Some(std::mem::take(&mut known.others));
        }
        if told.len() >= REASONS {
            told.retain(|_, known| !is_over(known));
        }
        if told.len() >= REASONS {
            return None;
        }
        told.insert(why.to_owned(), Told { at: now, others: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_at_once_and_then_once_a_minute_with_how_many_calls_it_was_not_told_of() {
        let (failing, began) = (Failing::default(), Instant::now());
        let told = |why: &str, seconds: u64| failing.is_news(why, began + Duration::from_secs(seconds));
        assert_eq!((told("refused", 0), told("refused", 1), told("refused", 59)), (Some(0), None, None));
        assert_eq!(told("it answered 500", 59), Some(0), "another reason is told at once");
        assert_eq!((told("refused", 60), told("refused", 61)), (Some(2), None));
        assert_eq!(told("refused", 120), Some(1));
    }

    #[test]
    fn an_upstream_that_fails_by_ever_other_reasons_makes_no_flood_of_lines() {
        let (failing, began) = (Failing::default(), Instant::now());
        let told = |seconds: u64| {
            let now = began + Duration::from_secs(seconds);
            (0..1000).filter(|n| failing.is_news(&format!("{seconds}: {n}"), now).is_some()).count()
        };
        assert_eq!((told(0), told(1), told(60)), (REASONS, 0, REASONS));
    }
}
