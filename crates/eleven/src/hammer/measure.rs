//! What a load measures: answers as they come, and from them rates and latencies.

use super::{Pace, Window};
use eleven_ledger::load::ProofCosts;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The rate over each window.
    pub(crate) windows: Vec<Rate>,
    /// Microseconds from when a body was due to its durable answer, rising; of the last window.
    pub(crate) durable: Vec<u64>,
    /// Microseconds from when a body was due to a signed head over it, rising; of the last window.
    pub(crate) headed: Vec<u64>,
    /// fdatasync of the log, in microseconds: count, then the quantiles 0.5, 0.9, 0.99 and 1.
    pub(crate) syncs: (u64, [u64; 4]),
    /// Processor time by process or thread, in microseconds an event, over the whole load.
    pub(crate) cpu: Vec<(String, f64)>,
    /// The most memory that the process of the ledger held, in KiB.
    pub(crate) peak_kib: u64,
    /// Bytes of the ledger's folder, the files' zeros for later commits among them, and those written.
    pub(crate) disk: Option<u64>,
    /// What proofs cost after the load, where that was measured.
    pub(crate) proofs: Option<ProofCosts>,
    /// Events that were taken.
    pub(crate) events: u64,
    /// The first that was not.
    pub(crate) first_failure: Option<String>,
}

/// A rate over a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) window: Window,
    pub(crate) per_second: f64,
}

impl Measured {
    /// What is to be said where not all went well.
    pub(crate) fn failed(&self) -> Option<String> {
        self.first_failure.as_ref().map(|failure| format!("not every event was taken: {failure}"))
    }

    /// The value that so many of a thousand stay within.
    pub(crate) fn within(values: &[u64], permille: usize) -> u64 {
        let rank = (values.len() * permille).div_ceil(1000).saturating_sub(1);
        values.get(rank).copied().unwrap_or(0)
    }
}

/// Answers as they come, from any thread.
#[derive(Default)]
pub(crate) struct Tally(Mutex<State>);

#[derive(Default)]
struct State {
    taken: u64,
    answers: Vec<Answer>,
    /// Answers that wait for a head: the size it must have, and when the body was due.
    waiting: VecDeque<(u64, Instant, u64)>,
    headed: Vec<(u64, u64)>,
    first_failure: Option<String>,
}

#[derive(Clone, Copy)]
struct Answer {
    at: Instant,
    /// Events taken, this answer's among them.
    taken: u64,
    micros: u64,
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body of so many events, due at a moment, is durable; the ledger has `size` entries.
    pub(crate) fn durable(&self, due: Instant, events: u64, size: u64) {
        let at = Instant::now();
        let mut state = self.state();
        state.taken += events;
        let taken = state.taken;
        state.answers.push(Answer { at, taken, micros: micros(at.saturating_duration_since(due)) });
        state.waiting.push_back((size, due, taken));
    }

    /// A body was not taken.
    pub(crate) fn failed(&self, why: String) {
        self.state().first_failure.get_or_insert(why);
    }

    /// Whether one was not.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().first_failure.is_some()
    }

    /// Events taken.
    pub(crate) fn taken(&self) -> u64 {
        self.state().taken
    }

    /// A signed head of this size was seen.
    pub(crate) fn head(&self, size: u64) {
        let now = Instant::now();
        let mut state = self.state();
        // Sizes may come a little out of order: two lanes' answers race here.
        let mut left = VecDeque::with_capacity(state.waiting.len());
        while let Some((covers, due, taken)) = state.waiting.pop_front() {
            if covers <= size {
                state.headed.push((taken, micros(now.saturating_duration_since(due))));
            } else {
                left.push_back((covers, due, taken));
            }
        }
        state.waiting = left;
    }

    /// Whether every answer is under a head.
    pub(crate) fn all_headed(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// What was measured of time.
    pub(crate) fn measured(&self, windows: &[Window], pace: &Pace) -> Measured {
        let mut state = self.state();
        state.answers.sort_by_key(|answer| answer.taken);
        let rates = windows.iter().filter_map(|window| rate(&state.answers, *window)).collect();
        // At a rate the last window is what came under the rate; else what came from `from` on.
        let last = windows.last().map_or(0, |window| window.from);
        let mut durable: Vec<u64> = match pace.every {
            Some(_) => state.answers.iter().filter(|one| one.at >= pace.begun).map(|one| one.micros).collect(),
            None => state.answers.iter().filter(|one| one.taken > last).map(|one| one.micros).collect(),
        };
        let mut headed: Vec<u64> =
            state.headed.iter().filter(|(taken, _)| *taken > last).map(|(_, micros)| *micros).collect();
        durable.sort_unstable();
        headed.sort_unstable();
        let (events, first_failure) = (state.taken, state.first_failure.clone());
        Measured { windows: rates, durable, headed, events, first_failure, ..Measured::default() }
    }
}

/// The rate between the first answer past the window's begin and the last within it.
fn rate(answers: &[Answer], window: Window) -> Option<Rate> {
    let within = |answer: &&Answer| answer.taken >= window.from && answer.taken <= window.from + window.events;
    let mut inside = answers.iter().filter(within);
    let first = inside.next()?;
    let last = inside.next_back()?;
    let seconds = last.at.saturating_duration_since(first.at).as_secs_f64();
    (seconds > 0.0).then(|| Rate { window, per_second: (last.taken - first.taken) as f64 / seconds })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Bytes of all files below a folder, as the disk counts them.
pub(crate) fn disk(folder: &std::path::Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
