//! The event key in use: of those that the authority holds the newest that the ledger knows.

use eleven_core::signature::{Keyring, Signer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Signs with the key that is in use. Which that is only the stream decides, before it has made an event; the newest until
/// then. What is read in its name meanwhile may be refused, and is read again.
pub struct EventKey {
    keys: Keyring,
    /// How many newer ones are passed over.
    passed: AtomicUsize,
}

impl EventKey {
    /// The newest of these, until it is another.
    #[must_use]
    pub fn of(keys: &Keyring) -> Arc<Self> {
        Arc::new(Self { keys: keys.clone(), passed: AtomicUsize::new(0) })
    }

    /// Uses the key that was made before the one in use from now on. `false` where there is none: it is the newest again.
    pub(super) fn use_older(&self) -> bool {
        let passed = self.passed.load(Relaxed) + 1;
        let older = self.keys.newest_first().nth(passed).is_some();
        self.passed.store(if older { passed } else { 0 }, Relaxed);
        older
    }

    fn key(&self) -> &dyn Signer {
        let used = self.keys.newest_first().nth(self.passed.load(Relaxed));
        used.unwrap_or_else(|| self.keys.newest()).as_ref()
    }
}

impl Signer for EventKey {
    fn kid(&self) -> &str {
        self.key().kid()
    }

    fn public(&self) -> [u8; 32] {
        self.key().public()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key().sign(message)
    }
}
