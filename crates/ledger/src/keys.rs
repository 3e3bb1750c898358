//! Event keys ready to verify: one table per registered key, made when the key is first used.

use eleven_core::registry::Fold;
use eleven_core::root::KeyUse;
use eleven_core::signature::VerifyingKey;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// The registered event keys. A kid never gets another key (records are added and never removed), so what was verified
/// with one stays verified; whether the key counts is judged at the entry.
#[derive(Debug, Default)]
pub struct Keys(RwLock<HashMap<String, Arc<EventKey>>>);

/// One registered key.
#[derive(Debug)]
pub struct EventKey {
    public: [u8; 32],
    table: OnceLock<Option<VerifyingKey>>,
}

impl Keys {
    /// The key of that name.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<Arc<EventKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    /// Adds the event keys that the registry has and this has not.
    pub fn learn(&self, registry: &Fold) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for key in registry.lists().keys.iter().filter(|key| key.usage == KeyUse::Event) {
            if !keys.contains_key(&key.kid) {
                keys.insert(key.kid.clone(), Arc::new(EventKey { public: key.public, table: OnceLock::new() }));
            }
        }
    }
}

impl EventKey {
    /// The key with its table: a millisecond the first time.
    #[must_use]
    pub fn verifying(&self) -> Option<&VerifyingKey> {
        self.table.get_or_init(|| VerifyingKey::new(&self.public).map(VerifyingKey::with_table)).as_ref()
    }
}
