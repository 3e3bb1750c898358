//! A refusal: its reason, what it was about, and what a person needs to know.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use eleven_core::artifact::Artifact;
use eleven_core::encoding::Object;
use eleven_core::event::About;
use eleven_core::limits::MAX_POLICY;
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

    /// A denial of what was admitted already, by its use or by what this point has room for.
    #[must_use]
    pub fn of_admitted(reason: Reason, detail: impl Into<String>, artifact: &Artifact) -> Self {
        Self { reason, detail: detail.into(), about: about_admitted(artifact) }
    }

    /// Whether it is counted per second instead of being one event of its own: nobody is authenticated, or there is no
    /// artifact of the form.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        self.reason.is_counted()
    }
}

/// What a denial names of an artifact that was admitted: its policy is the one in force (step 13), and so the one that was required.
/// A reference of before they were held to a length is named once, for a denial has to be a record.
pub(crate) fn about_admitted(artifact: &Artifact) -> About {
    let reference = &artifact.pol.reference;
    let policy_required = (reference.len() <= MAX_POLICY).then(|| reference.clone());
    About { policy_required, ..About::artifact(artifact) }
}

/// Counts denials per second, reason and listener, so that a flood of bad requests is one event a second and not one each
/// (PROTOCOL 5.3).
#[derive(Debug, Default)]
pub struct Counter {
    second: Option<Time>,
    counts: BTreeMap<(Reason, String), u64>,
    /// What earlier seconds came to, until it is taken.
    ended: VecDeque<Counted>,
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
    /// Counts one denial at `now`.
    pub fn count(&mut self, now: Time, reason: Reason, listener: &str) {
        self.end(now);
        self.second.get_or_insert(now.whole_seconds());
        // Bounded: a few reasons times the listeners of this process.
        *self.counts.entry((reason, listener.to_string())).or_insert(0) += 1;
    }

    /// What the counted seconds came to that have ended by `now`, the earliest first and at most so many: the rest comes with
    /// the next call.
    pub fn ended(&mut self, now: Time, most: usize) -> Vec<Counted> {
        self.end(now);
        self.take(most)
    }

    /// As [`Self::ended`], the running second with them: for whoever counts no more.
    pub fn rest(&mut self, most: usize) -> Vec<Counted> {
        self.close();
        self.take(most)
    }

    fn take(&mut self, most: usize) -> Vec<Counted> {
        let most = most.min(self.ended.len());
        self.ended.drain(..most).collect()
    }

    fn end(&mut self, now: Time) {
        if self.second.is_some_and(|second| second != now.whole_seconds()) {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(second) = self.second.take() else { return };
        let counts = core::mem::take(&mut self.counts);
        let counted = |((reason, listener), count): ((Reason, String), u64)| {
            let window = format!("{}/PT1S", second.millis());
            let data = Object::new().with("count", count).with("window", window).with("listener", listener);
            Counted { reason, data }
        };
        self.ended.extend(counts.into_iter().map(counted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eleven_core::encoding::Value;

    #[test]
    fn a_flood_is_one_event_a_second() {
        let mut counter = Counter::default();
        let start = Time(1_778_605_451_000);
        for i in 0..20_000 {
            counter.count(start.plus_millis(i % 1000), Reason::ArtifactMissing, "127.0.0.1:1113");
            assert!(counter.ended(start.plus_millis(i % 1000), usize::MAX).is_empty());
        }
        counter.count(start.plus_millis(1000), Reason::ArtifactMalformed, "127.0.0.1:1113");
        let ended = counter.ended(start.plus_millis(1000), usize::MAX);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].reason, Reason::ArtifactMissing);
        assert_eq!(ended[0].data.get("count"), Some(&20_000u64.into()));
        assert_eq!(ended[0].data.get("window"), Some(&"2026-05-12T17:04:11.000Z/PT1S".into()));
        assert!(counter.ended(start.plus_millis(1999), usize::MAX).is_empty());
        assert_eq!(counter.ended(start.plus_millis(2000), usize::MAX).len(), 1);
        assert!(counter.ended(start.plus_millis(9000), usize::MAX).is_empty());
    }

    #[test]
    fn seconds_that_nobody_asked_for_meanwhile_are_kept_each_by_itself() {
        let mut counter = Counter::default();
        let start = Time(1_778_605_451_000);
        for second in 0..5 {
            for _ in 0..=second {
                counter.count(start.plus_seconds(second), Reason::ArtifactMissing, "127.0.0.1:1113");
            }
        }
        let now = start.plus_seconds(5);
        let counts = |ended: Vec<Counted>| -> Vec<Option<Value>> {
            ended.iter().map(|counted| counted.data.get("count").cloned()).collect()
        };
        assert_eq!(counts(counter.ended(now, 3)), [1u64, 2, 3].map(|count| Some(Value::from(count))));
        assert_eq!(counts(counter.ended(now, 3)), [4u64, 5].map(|count| Some(Value::from(count))));
        assert!(counter.ended(now, 3).is_empty());
    }

    #[test]
    fn the_rest_is_what_waits_and_what_the_running_second_has_so_far() {
        let mut counter = Counter::default();
        let start = Time(1_778_605_451_000);
        for second in [0, 0, 1, 2] {
            counter.count(start.plus_seconds(second), Reason::ArtifactMissing, "127.0.0.1:1113");
        }
        let count = |counted: &Counted| counted.data.get("count").cloned();
        let rest = |counter: &mut Counter| counter.rest(2).iter().map(count).collect::<Vec<_>>();
        assert_eq!(rest(&mut counter), [2u64, 1].map(|count| Some(Value::from(count))));
        assert_eq!(rest(&mut counter), [Some(Value::from(1u64))]);
        assert!(rest(&mut counter).is_empty());
    }
}
