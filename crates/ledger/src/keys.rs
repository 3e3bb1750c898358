//! Event and issuer keys ready to verify, each made so when it is first used.

use eleven_api::keyring::InUse;
use eleven_core::registry::Fold;
use eleven_core::root::{KeyRecord, KeyUse};
use eleven_core::signature::{Signer as _, Tables, VerifyingKey};
use eleven_core::time::Time;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// How many keys have a table. Those that are used first get one; the others verify at half the speed.
const TABLES: usize = 128;

/// The registered event and issuer keys. A kid never gets another key (records are added and never removed), so what was verified
/// with one stays verified; whether the key counts is judged at the entry.
#[derive(Debug)]
pub(crate) struct Keys {
    keys: RwLock<HashMap<String, Arc<EventKey>>>,
    tables: Tables,
    /// Whether the ledger's last event of its own could not be made.
    mute: AtomicBool,
}

impl Default for Keys {
    fn default() -> Self {
        Self { keys: RwLock::default(), tables: Tables::new(TABLES), mute: AtomicBool::new(false) }
    }
}

/// One registered key that verifies what its owner sends here.
#[derive(Debug)]
pub(crate) struct EventKey {
    public: [u8; 32],
    usage: KeyUse,
    ready: OnceLock<Option<VerifyingKey>>,
    tables: Tables,
}

impl Keys {
    /// The event key of that name.
    #[must_use]
    pub(crate) fn get(&self, kid: &str) -> Option<Arc<EventKey>> {
        self.of(KeyUse::Event, kid)
    }

    /// The issuer key of that name.
    #[must_use]
    pub(crate) fn of_issuer(&self, kid: &str) -> Option<Arc<EventKey>> {
        self.of(KeyUse::Issuer, kid)
    }

    fn of(&self, usage: KeyUse, kid: &str) -> Option<Arc<EventKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(kid).filter(|key| key.usage == usage).cloned()
    }

    /// Whether the ledger can make no event of its own: then nothing is sealed, and no head signed over what comes.
    #[must_use]
    pub(crate) fn is_mute(&self) -> bool {
        self.mute.load(Ordering::Acquire)
    }

    /// Notes whether it can make none; what was so before.
    pub(crate) fn mute(&self, mute: bool) -> bool {
        self.mute.swap(mute, Ordering::AcqRel)
    }

    /// Adds the keys that the registry has and this has not.
    pub(crate) fn learn(&self, registry: &Fold) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let used = |key: &&KeyRecord| matches!(key.usage, KeyUse::Event | KeyUse::Issuer);
        for key in registry.lists().keys.iter().filter(used) {
            if !keys.contains_key(&key.kid) {
                let known = EventKey {
                    public: key.public,
                    usage: key.usage,
                    ready: OnceLock::new(),
                    tables: self.tables.clone(),
                };
                keys.insert(key.kid.clone(), Arc::new(known));
            }
        }
    }
}

/// Has the ledger itself sign by the newest of its event keys that is registered and counts at `now`. Where none does, it stays the
/// one that it is: that it does not count is said where it is to sign.
pub(crate) fn choose(own: &InUse, registry: Option<&Fold>, now: Time) {
    own.use_newest_of(|kid| registry?.key(kid).filter(|key| key.counts_at(now)));
}

/// The name of the key by which the ledger signs the next event of its own: the one in use for as long as it counts, which is not looked
/// at before there is one to sign.
pub(crate) fn next(own: &InUse, registry: Option<&Fold>, now: Time) -> String {
    let counting = |kid: &str| registry?.key(kid).filter(|key| key.counts_at(now));
    let kid = own.kid();
    if counting(kid).is_some() {
        return kid.to_owned();
    }
    own.newest_of(counting).map_or(kid, |signer| signer.kid()).to_owned()
}

impl EventKey {
    /// The key, made ready the first time.
    #[must_use]
    pub(crate) fn verifying(&self) -> Option<&VerifyingKey> {
        let ready = || VerifyingKey::new(&self.public).map(|key| key.with_table(&self.tables));
        self.ready.get_or_init(ready).as_ref()
    }
}
