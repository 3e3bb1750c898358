//! The keys that a party holds for one use. While one is renewed there are two of them, and what is published says which
//! signs.

use super::{Signature, Signer};
use crate::root::KeyRecord;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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

    /// The keys, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<dyn Signer>> {
        self.newer.iter().rev().chain(core::iter::once(&self.first))
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
        let recorded =
            |signer: &&Arc<dyn Signer>| record_of(signer.kid()).is_some_and(|record| record.public == signer.public());
        self.newest_first().find(recorded)
    }
}

impl<S: Signer + 'static> From<S> for Keyring {
    fn from(signer: S) -> Self {
        Self::from(Arc::new(signer) as Arc<dyn Signer>)
    }
}

impl From<Arc<dyn Signer>> for Keyring {
    fn from(first: Arc<dyn Signer>) -> Self {
        Self { first, newer: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
