//! What a log and its group commit measure: small histograms that any thread may read while they are written.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

#[cfg(test)]
mod tests;

/// Buckets per power of two: a quantile is at most a sixteenth above the true value.
const PARTS: u64 = 16;
const PARTS_BITS: u32 = PARTS.trailing_zeros();
/// Values from 2^40 on (12 days in microseconds, a terabyte) share the last bucket.
const LARGEST_POWER: u32 = 40;
const BUCKETS: usize = ((LARGEST_POWER - PARTS_BITS + 1) as u64 * PARTS + 1) as usize;

/// Measurements of one log, and of the group commit before it where there is one.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Microseconds of each fdatasync that committed records.
    pub sync: Histogram,
    /// Records per commit.
    pub records: Histogram,
    /// Bytes per commit, as written.
    pub bytes: Histogram,
    /// Requests per round of group commit, those that add no record included.
    pub requests: Histogram,
    /// Microseconds from `submit` to the release of the answer.
    pub waited: Histogram,
    /// How often group commit could not free the space of old records; it tries again after the next commit.
    pub failed_drops: AtomicU64,
    /// How many closed segments wait to be packed.
    pub to_pack: AtomicU64,
    /// How often a segment could not be packed; it is tried again when the next one is closed.
    pub failed_packs: AtomicU64,
    /// How often the next segment could not be written ahead, as on a disk without room for it: the commit that needs it
    /// tries again.
    pub failed_spares: AtomicU64,
}

/// A log-linear histogram of whole numbers: exact below 16, then 16 buckets per power of two.
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

/// A histogram at one moment. Quantiles are upper bounds, at most a sixteenth above the true value; all is 0 where
/// nothing was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many values were counted.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Half of the values are at most this.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// Ninety-nine of a hundred.
    pub p99: u64,
    /// The largest, exact.
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let buckets = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Histogram { buckets, sum: AtomicU64::new(0), max: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts `value` once.
    pub fn record(&self, value: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(value)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(value, Relaxed);
        self.max.fetch_max(value, Relaxed);
    }

    /// How many values were counted in each bucket that is not empty, by the bucket's largest value.
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).enumerate();
        counts.filter(|(_, count)| *count > 0).map(|(bucket, count)| (largest_in(bucket), count)).collect()
    }

    /// Count, mean, quantiles and maximum as of now.
    pub fn summary(&self) -> Summary {
        let buckets = self.buckets();
        let count: u64 = buckets.iter().map(|(_, count)| count).sum();
        if count == 0 {
            return Summary::default();
        }
        let max = self.max.load(Relaxed);
        let quantile = |percent: u64| {
            let rank = (u128::from(count) * u128::from(percent)).div_ceil(100);
            let mut seen = 0u128;
            let reaching = buckets.iter().find(|(_, in_bucket)| {
                seen += u128::from(*in_bucket);
                seen >= rank
            });
            reaching.map_or(max, |(value, _)| max.min(*value))
        };
        let mean = self.sum.load(Relaxed) as f64 / count as f64;
        Summary { count, mean, p50: quantile(50), p90: quantile(90), p99: quantile(99), max }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(out)
    }
}

fn bucket_of(value: u64) -> usize {
    if value < PARTS {
        return value as usize;
    }
    let power = value.ilog2();
    if power >= LARGEST_POWER {
        return BUCKETS - 1;
    }
    let part = (value >> (power - PARTS_BITS)) & (PARTS - 1);
    (u64::from(power - PARTS_BITS + 1) * PARTS + part) as usize
}

fn largest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    if bucket >= BUCKETS as u64 - 1 {
        return u64::MAX;
    }
    let shift = bucket / PARTS - 1;
    ((PARTS + bucket % PARTS + 1) << shift) - 1
}
