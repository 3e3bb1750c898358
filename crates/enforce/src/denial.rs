//! A refusal: its reason, what it was about, and what a person needs to know.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use eleven_core::encoding::Object;
use eleven_core::event::About;
use eleven_core::reason::Reason;
use eleven_core::time::Time;

/// Why an operation was not admitted. It becomes an `execution.denied` event, or part of a count (PROTOCOL 5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The first check that failed.
    pub reason: Reason,
    /// What was expected and found, for people; never in the event, and never a sensitive value.
    pub detail: String,
    /// What the token and the request claim to be about.
    pub about: About,
}

impl Denial {
    /// A denial that knows nothing but its reason.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), about: About::default() }
    }

    /// Whether it is counted per second instead of being one event of its own: nobody is authenticated, or there is no
    /// artifact of the form.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        self.reason.is_counted()
    }
}

/// Counts denials per second, reason and listener, so that a flood of bad requests is one event a second and not one each
/// (PROTOCOL 5.3).
#[derive(Debug, Default)]
pub struct Counter {
    second: Option<Time>,
    counts: BTreeMap<(Reason, String), u64>,
}

/// One aggregated denial, ready to become an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The reason that all of them share.
    pub reason: Reason,
    /// How many, since when, on which listener.
    pub data: Object,
}

impl Counter {
    /// Counts one denial at `now`; returns what the second before it came to, where one ended.
    pub fn count(&mut self, now: Time, reason: Reason, listener: &str) -> Vec<Counted> {
        let ended = self.ended(now);
        self.second.get_or_insert(now.whole_seconds());
        // Bounded: a few reasons times the listeners of this process.
        *self.counts.entry((reason, listener.to_string())).or_insert(0) += 1;
        ended
    }

    /// What the counted second came to, where it has ended by `now`.
    pub fn ended(&mut self, now: Time) -> Vec<Counted> {
        let Some(second) = self.second.filter(|second| *second != now.whole_seconds()) else { return Vec::new() };
        self.second = None;
        let counts = core::mem::take(&mut self.counts);
        let counted = |((reason, listener), count): ((Reason, String), u64)| {
            let window = format!("{}/PT1S", second.millis());
            let data = Object::new().with("count", count).with("window", window).with("listener", listener);
            Counted { reason, data }
        };
        counts.into_iter().map(counted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_event_a_second() {
        let mut counter = Counter::default();
        let start = Time(1_778_605_451_000);
        for i in 0..20_000 {
            assert!(counter.count(start.plus_millis(i % 1000), Reason::ArtifactMissing, "127.0.0.1:1113").is_empty());
        }
        let ended = counter.count(start.plus_millis(1000), Reason::ArtifactMalformed, "127.0.0.1:1113");
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].reason, Reason::ArtifactMissing);
        assert_eq!(ended[0].data.get("count"), Some(&20_000u64.into()));
        assert_eq!(ended[0].data.get("window"), Some(&"2026-05-12T17:04:11.000Z/PT1S".into()));
        assert!(counter.ended(start.plus_millis(1999)).is_empty());
        assert_eq!(counter.ended(start.plus_millis(2000)).len(), 1);
        assert!(counter.ended(start.plus_millis(9000)).is_empty());
    }
}
