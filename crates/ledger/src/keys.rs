//! Event and issuer keys ready to verify: one table per registered key, made when the key is first used.

use eleven_core::registry::Fold;
use eleven_core::root::{KeyRecord, KeyUse};
use eleven_core::signature::VerifyingKey;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// The registered event and issuer keys. A kid never gets another key (records are added and never removed), so what was verified
/// with one stays verified; whether the key counts is judged at the entry.
#[derive(Debug, Default)]
pub struct Keys(RwLock<HashMap<String, Arc<EventKey>>>);

/// One registered key that verifies what its owner sends here.
#[derive(Debug)]
pub struct EventKey {
    public: [u8; 32],
    usage: KeyUse,
    table: OnceLock<Option<VerifyingKey>>,
}

impl Keys {
    /// The event key of that name.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<Arc<EventKey>> {
        self.of(KeyUse::Event, kid)
    }

    /// The issuer key of that name.
    #[must_use]
    pub fn of_issuer(&self, kid: &str) -> Option<Arc<EventKey>> {
        self.of(KeyUse::Issuer, kid)
    }

    fn of(&self, usage: KeyUse, kid: &str) -> Option<Arc<EventKey>> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(kid).filter(|key| key.usage == usage).cloned()
    }

    /// Adds the keys that the registry has and this has not.
    pub fn learn(&self, registry: &Fold) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let used = |key: &&KeyRecord| matches!(key.usage, KeyUse::Event | KeyUse::Issuer);
        for key in registry.lists().keys.iter().filter(used) {
            if !keys.contains_key(&key.kid) {
                let known = EventKey { public: key.public, usage: key.usage, table: OnceLock::new() };
                keys.insert(key.kid.clone(), Arc::new(known));
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
