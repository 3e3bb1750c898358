//! The keys that a party holds for one use. While one is renewed there are two of them, and what is published says which
//! signs.

use eleven_core::root::KeyRecord;
use eleven_core::signature::{Signature, Signer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Signers of one use, in the order in which their keys were made. There is at least one.
#[derive(Clone)]
pub struct Keyring {
    first: Arc<dyn Signer>,
    newer: Vec<Arc<dyn Signer>>,
}

impl Keyring {
    /// The keys of one use, the oldest first; `None` where there is none.
    #[must_use]
    pub fn new(signers: impl IntoIterator<Item = Arc<dyn Signer>>) -> Option<Self> {
        let mut signers = signers.into_iter();
        signers.next().map(|first| Self { first, newer: signers.collect() })
    }

    /// One key alone.
    #[must_use]
    pub fn one(signer: Arc<dyn Signer>) -> Self {
        Self { first: signer, newer: Vec::new() }
    }

    /// The keys, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<dyn Signer>> {
        self.newer.iter().rev().chain(std::iter::once(&self.first))
    }

    /// The key that was made last, whether it counts or not.
    #[must_use]
    pub fn newest(&self) -> &Arc<dyn Signer> {
        self.newer.last().unwrap_or(&self.first)
    }

    /// The key of this name.
    #[must_use]
    pub fn named(&self, kid: &str) -> Option<&Arc<dyn Signer>> {
        self.newest_first().find(|signer| signer.kid() == kid)
    }

    /// What signs for the first of `records` whose key is held: a trust root lists first what is to be used first.
    pub fn first_of<'a>(&self, mut records: impl Iterator<Item = &'a KeyRecord>) -> Option<&Arc<dyn Signer>> {
        records.find_map(|record| self.named(&record.kid).filter(|signer| signer.public() == record.public))
    }

    /// The newest key for which `record_of` its name has a record, and for that very key.
    pub fn newest_of<'a>(&self, record_of: impl Fn(&str) -> Option<&'a KeyRecord>) -> Option<&Arc<dyn Signer>> {
        self.newest_first().find(|signer| is_recorded(signer.as_ref(), &record_of))
    }
}

fn is_recorded<'a>(signer: &dyn Signer, record_of: impl Fn(&str) -> Option<&'a KeyRecord>) -> bool {
    record_of(signer.kid()).is_some_and(|record| record.public == signer.public())
}

/// The one key of a ring that signs now, for whoever signs a stream: one process signs with one event key at a time. Which it is
/// may change between two signatures; whoever changes it is the one who signs, and others read in its name.
pub struct InUse {
    keys: Keyring,
    /// How many newer ones are passed over.
    passed: AtomicUsize,
}

impl InUse {
    /// The newest of these, until it is another.
    #[must_use]
    pub fn of(keys: Keyring) -> Arc<Self> {
        Arc::new(Self { keys, passed: AtomicUsize::new(0) })
    }

    /// Uses the key that was made before the one in use from now on. `false` where there is none: it is the newest again.
    pub fn use_older(&self) -> bool {
        let passed = self.passed.load(Relaxed).saturating_add(1);
        let older = self.keys.newest_first().nth(passed).is_some();
        self.passed.store(if older { passed } else { 0 }, Relaxed);
        older
    }

    /// Uses the newest key for which `record_of` its name has a record, and for that very key. `false` where there is none: it
    /// stays as it is.
    pub fn use_newest_of<'a>(&self, record_of: impl Fn(&str) -> Option<&'a KeyRecord>) -> bool {
        let newest = self.keys.newest_first().position(|signer| is_recorded(signer.as_ref(), &record_of));
        newest.map(|passed| self.passed.store(passed, Relaxed)).is_some()
    }

    /// The newest key for which `record_of` its name has a record, and for that very key, be it in use or not.
    pub fn newest_of<'a>(&self, record_of: impl Fn(&str) -> Option<&'a KeyRecord>) -> Option<&Arc<dyn Signer>> {
        self.keys.newest_of(record_of)
    }

    fn key(&self) -> &dyn Signer {
        let used = self.keys.newest_first().nth(self.passed.load(Relaxed));
        used.unwrap_or_else(|| self.keys.newest()).as_ref()
    }
}

impl Signer for InUse {
    fn kid(&self) -> &str {
        self.key().kid()
    }

    fn public(&self) -> [u8; 32] {
        self.key().public()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key().sign(message)
    }

    fn signature(&self, message: &[u8]) -> Signature {
        self.key().signature(message)
    }
}

impl<S: Signer + 'static> From<S> for Keyring {
    fn from(signer: S) -> Self {
        Self::one(Arc::new(signer))
    }
}

#[cfg(test)]
mod tests;
