//! Uses by artifact (PROTOCOL 4.1, step 17): one linearizable store for all points of a runtime.
//!
//! Taking a use is one step: judged and recorded at once. A use whose commit failed, or whose fate is unknown, stays taken.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use eleven_core::artifact::{Artifact, Use};
use eleven_core::reason::Reason;
use eleven_core::time::Time;

/// The uses of artifacts that have not expired.
#[derive(Debug, Default)]
pub struct Uses {
    by_artifact: BTreeMap<String, Taken>,
    by_expiry: BTreeSet<(Time, String)>,
}

#[derive(Debug, Default)]
struct Taken {
    /// How many ever; the number of the last one.
    count: u64,
    /// When, for those that a rate may still look at; they rise.
    times: VecDeque<Time>,
}

impl Taken {
    fn push(&mut self, at: Time) {
        self.count += 1;
        self.times.push_back(self.times.back().map_or(at, |last| at.max(*last)));
    }

    /// How many of the times are no longer in the window of `per` seconds that ends at `now`.
    fn past(&self, now: Time, per: u64) -> usize {
        let per = i64::try_from(per).unwrap_or(i64::MAX).saturating_mul(1000);
        self.times.partition_point(|at| now.since(*at) >= per)
    }
}

impl Uses {
    /// Takes the next use of `artifact` at `now`, which lies before no use that was taken, and returns its number, from 1.
    ///
    /// # Errors
    /// `artifact.replayed`, `artifact.use.exhausted` or `artifact.rate.exceeded`; nothing is taken then.
    pub fn take(&mut self, artifact: &Artifact, now: Time) -> Result<u64, Reason> {
        if let Some(taken) = self.by_artifact.get(&artifact.id) {
            judge(&artifact.usage, taken, now)?;
        }
        let taken = self.taken(artifact.id.clone(), artifact.exp);
        if let Use::Rate { per, .. } = &artifact.usage {
            let past = taken.past(now, *per);
            drop(taken.times.drain(..past));
            taken.push(now);
        } else {
            // What goes by the count alone keeps no times, those that the journal held neither.
            *taken = Taken { count: taken.count + 1, times: VecDeque::new() };
        }
        Ok(taken.count)
    }

    /// Records a use that the journal holds: at start, in the journal's order.
    pub fn restore(&mut self, artifact: String, exp: Time, at: Time) {
        // Which mode it was is not in the journal; a rate looks at times, the others at the count, and both are kept.
        self.taken(artifact, exp).push(at);
    }

    fn taken(&mut self, artifact: String, exp: Time) -> &mut Taken {
        self.by_expiry.insert((exp, artifact.clone()));
        self.by_artifact.entry(artifact).or_default()
    }

    /// Forgets artifacts that expired before `now`: admission refuses them for that (step 9) long before step 17.
    pub fn forget_expired(&mut self, now: Time) {
        while let Some((exp, artifact)) = self.by_expiry.pop_first() {
            if exp > now {
                self.by_expiry.insert((exp, artifact));
                return;
            }
            self.by_artifact.remove(&artifact);
        }
    }
}

fn judge(usage: &Use, taken: &Taken, now: Time) -> Result<(), Reason> {
    match usage {
        Use::Single { .. } => Err(Reason::ArtifactReplayed),
        Use::Bounded { max, .. } if taken.count >= *max => Err(Reason::ArtifactUseExhausted),
        Use::Rate { max, per, .. } => {
            let begun = taken.times.partition_point(|at| *at <= now);
            let recent = begun.saturating_sub(taken.past(now, *per));
            if u64::try_from(recent).is_ok_and(|recent| recent < *max) {
                Ok(())
            } else {
                Err(Reason::ArtifactRateExceeded)
            }
        }
        Use::Bounded { .. } => Ok(()),
    }
}
