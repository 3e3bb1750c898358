//! What this corner counts of its decisions.

use eleven_api::serve::MetricsText;
use eleven_core::reason::Reason;
use std::collections::BTreeMap;
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

    /// Writes them.
    pub(crate) fn write(&self, text: &mut MetricsText) {
        let name = "eleven_authority_decisions_total";
        text.begin(name, "counter", "Answers to govern/execute by outcome.");
        for (outcome, count) in self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            text.sample(format_args!("{name}{{outcome=\"{outcome}\"}}"), count);
        }
        let name = "eleven_authority_decision_seconds";
        text.begin(name, "histogram", "From request to answer, the ledger's commit included.");
        let mut below = 0;
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            below += bucket.load(Relaxed);
            text.sample(format_args!("{name}_bucket{{le=\"{}\"}}", seconds(*bound)), below);
        }
        let count = self.count.load(Relaxed);
        text.sample(format_args!("{name}_bucket{{le=\"+Inf\"}}"), count);
        text.sample(format_args!("{name}_sum"), seconds(self.micros.load(Relaxed)));
        text.sample(format_args!("{name}_count"), count);
    }
}

/// Microseconds as a decimal number of seconds.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests;
