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

impl Audit {
    /// Seals what came since the last seal. Where the authority signed another registry than was folded here, nothing is
    /// sealed any more: no head may say that either is right.
    pub(crate) fn seal_if_due(&mut self, batch: &mut Batch) {
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
        let Some(chain) = self.chain.filter(|_| appended) else {
            // The index has moved on from the last head: it proves nothing any more.
            sealed.size = 0;
            return;
        };
        self.unsealed = 0;
        sealed.size = size + 1;
        sealed.at = Some(at);
        sealed.chain = Some(chain);
        if let Some(registry) = changed {
            sealed.registry = Some(registry);
        }
        self.seal = Some(SealedEntry { size: size + 1, chain, index, registry, at });
    }
}
