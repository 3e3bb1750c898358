//! What this corner counts: Prometheus text (version 0.0.4), written by hand.

use eleven_core::reason::Reason;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the latency histogram, in microseconds.
const BOUNDS: [u64; 12] = [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 102_400, 409_600, 2_000_000];

/// Counters of decisions.
#[derive(Default)]
pub(crate) struct Metrics {
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// One line of a gauge or counter without labels.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) help: &'static str,
    pub(crate) value: i64,
}

impl Metrics {
    /// Counts an answer: `None` where an artifact was issued, else the problem's reason, where it has one.
    pub(crate) fn decided(&self, refused: Option<Option<Reason>>, took: Duration) {
        let outcome = match refused {
            None => "allow",
            Some(Some(reason)) => reason.code(),
            Some(None) => "malformed",
        };
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_insert(0) += 1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
        if let Some((_, bucket)) = BOUNDS.iter().zip(&self.buckets).find(|(bound, _)| micros <= **bound) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// The text, with the `samples` that other parts keep.
    pub(crate) fn text(&self, samples: &[Sample]) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, samples);
        text
    }

    fn write(&self, text: &mut String, samples: &[Sample]) -> std::fmt::Result {
        writeln!(text, "# HELP eleven_authority_decisions_total Answers to govern/execute by outcome.")?;
        writeln!(text, "# TYPE eleven_authority_decisions_total counter")?;
        for (outcome, count) in self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            writeln!(text, "eleven_authority_decisions_total{{outcome=\"{outcome}\"}} {count}")?;
        }
        writeln!(
            text,
            "# HELP eleven_authority_decision_seconds From request to answer, the ledger's commit included."
        )?;
        writeln!(text, "# TYPE eleven_authority_decision_seconds histogram")?;
        let mut below = 0;
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            below += bucket.load(Relaxed);
            writeln!(text, "eleven_authority_decision_seconds_bucket{{le=\"{}\"}} {below}", seconds(*bound))?;
        }
        let count = self.count.load(Relaxed);
        writeln!(text, "eleven_authority_decision_seconds_bucket{{le=\"+Inf\"}} {count}")?;
        writeln!(text, "eleven_authority_decision_seconds_sum {}", seconds(self.micros.load(Relaxed)))?;
        writeln!(text, "eleven_authority_decision_seconds_count {count}")?;
        for Sample { name, kind, help, value } in samples {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")?;
        }
        Ok(())
    }
}

/// Microseconds as a decimal number of seconds.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests;
