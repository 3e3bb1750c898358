//! Seals: the last entry under every head, which names the index and the registry in force (PROTOCOL 6).

use crate::audit::Audit;
use crate::state::{read, write};
use eleven_core::chain::ChainValue;
use eleven_core::encoding::Object;
use eleven_core::hash::Sha256;
use eleven_core::head::RegistryRef;
use eleven_core::time::Time;
use eleven_store::Batch;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A durable `ledger.sealed`, to be signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedEntry {
    /// The number of entries up to it, itself counted.
    pub(crate) size: u64,
    /// Both chains after it.
    pub(crate) chain: ChainValue,
    /// The root of the index that it names.
    pub(crate) index: Sha256,
    /// The registry that it names.
    pub(crate) registry: RegistryRef,
    /// When it was appended.
    pub(crate) at: Time,
}

/// A `ledger.sealed` that is staged: its chains come with its commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StagedSeal {
    /// As in the [`SealedEntry`] that it becomes.
    pub(crate) size: u64,
    index: Sha256,
    registry: RegistryRef,
    at: Time,
}

impl StagedSeal {
    /// The same with both chains after it.
    pub(crate) const fn with(self, chain: ChainValue) -> SealedEntry {
        let Self { size, index, registry, at } = self;
        SealedEntry { size, chain, index, registry, at }
    }
}

/// When to seal: at an interval, and at a shorter one while entries come fast. It counts ticks of the writer, not a clock
/// that may be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    every: Duration,
    busy: Duration,
    /// Entries a second from which on it is the shorter one.
    rate: u64,
    /// Ticks since the last seal.
    ticks: u32,
}

/// No seal waits longer than this for the witnesses of the head before it (PROTOCOL 7: every second).
const LONGEST: Duration = Duration::from_secs(1);

impl Pace {
    pub(crate) const fn new(every: Duration, busy: Duration, rate: u64) -> Self {
        Self { every, busy, rate, ticks: 0 }
    }

    /// How often the writer asks.
    pub(crate) fn tick(&self) -> Duration {
        self.every.min(self.busy)
    }

    /// Whether what came, `unsealed` entries, is to be sealed at this tick; `held` while the last head is being cosigned.
    pub(crate) fn is_due(&mut self, unsealed: u64, held: bool) -> bool {
        self.ticks = self.ticks.saturating_add(1);
        let since = self.tick().saturating_mul(self.ticks);
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let busy = since >= self.busy && unsealed.saturating_mul(1000) >= self.rate.saturating_mul(millis);
        let wait = if held { LONGEST } else { Duration::ZERO };
        unsealed > 0 && since >= wait && (since >= self.every || busy)
    }

    fn sealed(&mut self) {
        self.ticks = 0;
    }
}

impl Audit {
    /// Seals what came since the last seal, where it is time.
    pub(crate) fn seal_if_due(&mut self, batch: &mut Batch) {
        let held = self.shared.collecting.load(Ordering::Acquire);
        if self.pace.is_due(self.unsealed, held) {
            self.seal(batch);
        }
    }

    /// Seals what came since the last seal. Where the authority signed another registry than was folded here, nothing is
    /// sealed any more: no head may say that either is right.
    pub(crate) fn seal(&mut self, batch: &mut Batch) {
        if self.unsealed == 0 || self.shared.disagreement.load(Ordering::Acquire) {
            return;
        }
        let at = self.entry_time();
        let shared = Arc::clone(&self.shared);
        let (size, registry, changed) = {
            let book = read(&shared.book);
            let Some(fold) = book.registry() else { return };
            let registry = RegistryRef { epoch: fold.epoch(), hash: fold.hash() };
            let known = read(&shared.sealed).registry.as_ref().map(|sealed| sealed.epoch());
            (book.size(), registry, (known != Some(fold.epoch())).then(|| Arc::new(fold.clone())))
        };
        let mut sealed = write(&shared.sealed);
        for (key, value) in self.changes.drain(..) {
            sealed.index.insert(key, value);
        }
        let index = sealed.index.rehash();
        let data = Object::new().with("size", size).with("index", index).with("registry", registry.to_value());
        let appended = self.append_own("ledger.sealed", data, at, batch);
        // It comes with the commit.
        sealed.chain = None;
        if !appended {
            // The index has moved on from the last head: it proves nothing any more.
            sealed.size = 0;
            return;
        }
        self.unsealed = 0;
        self.pace.sealed();
        sealed.size = size + 1;
        sealed.at = Some(at);
        if let Some(registry) = changed {
            sealed.registry = Some(registry);
        }
        self.seal = Some(StagedSeal { size: size + 1, index, registry, at });
    }
}

#[cfg(test)]
mod tests;
