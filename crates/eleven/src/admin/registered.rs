//! The keys of an enforcement point in the registry, and their replacement.

use super::{act, measured};
use crate::call;
use crate::config::Config;
use crate::key_cmd;
use crate::keystore::PublicKey;
use crate::output::Failure;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Object, Value};
use eleven_core::registry::Item as _;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse};

/// What the registry has of this enforcement point and of all keys, before they are replaced.
pub(crate) struct Registered {
    keys: Vec<KeyRecord>,
    /// The event key that the point is registered under.
    under: Option<String>,
}

/// What replacing the keys came to.
pub(crate) struct Replaced {
    /// The event key that the point is registered under.
    pub(crate) kid: String,
    /// The keys that were retired.
    pub(crate) retired: Vec<String>,
}

impl Registered {
    /// Asks the authority.
    ///
    /// # Errors
    /// Where it does not answer.
    pub(crate) fn of(config: &Config) -> Result<Self, Failure> {
        let snapshot = call::registry(config)?;
        let keys = key_cmd::registered(&snapshot).collect::<Result<Vec<_>, _>>()?;
        let points = snapshot.get("runtimes").and_then(Value::as_array).unwrap_or_default();
        let is_ours = |row: &&Value| row.get("point").and_then(Value::as_str) == Some(&config.point.name);
        let under = points.iter().find(is_ours).and_then(|row| row.get("kid")?.as_str());
        Ok(Self { keys, under: under.map(str::to_owned) })
    }

    fn key(&self, kid: &str) -> Option<&KeyRecord> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// Whether the key of this name counts now.
    pub(crate) fn counts(&self, kid: &str) -> bool {
        self.key(kid).is_some_and(|key| key.counts_at(SystemClock.now()))
    }

    /// The names of the event keys of a point, `keys` apart.
    pub(crate) fn former<'a>(&'a self, point: &str, keys: &[PublicKey]) -> impl Iterator<Item = &'a str> {
        let others = move |key: &&KeyRecord| is_other(key, point, keys) && key.usage == KeyUse::Event;
        self.keys.iter().filter(others).map(|key| key.kid.as_str())
    }

    /// Whether keys of these names can be made: a name is never used for two.
    ///
    /// # Errors
    /// The one that was used before.
    pub(crate) fn lacks<'a>(&self, mut kids: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        kids.find(|kid| self.key(kid).is_some()).map_or(Ok(()), |taken| {
            Err(refused(&format!("{taken} is in the registry already, and a name is never used for two keys")))
        })
    }

    /// Whether the point can come to stand under these keys, which it holds: they were made by the same command, which was
    /// interrupted.
    ///
    /// # Errors
    /// Where it stands under them and has no others left to retire, or one of them does not count or is registered with another
    /// public key.
    pub(crate) fn may_take(&self, point: &str, keys: &[PublicKey]) -> Result<(), Failure> {
        let is_left = self.keys.iter().any(|key| is_other(key, point, keys) && is_active(key));
        let under = self.under.as_deref().filter(|under| keys.iter().any(|key| key.kid == *under));
        if let Some(kid) = under.filter(|_| !is_left) {
            return Err(Failure::usage(format!(
                "the point is registered under {kid}, which it holds: its keys were replaced already. To replace them again, \
                 name a --label that was never used; nothing was done"
            )));
        }
        let now = SystemClock.now();
        let lost = keys
            .iter()
            .find(|key| self.key(&key.kid).is_some_and(|known| known.public != key.public || !known.counts_at(now)));
        lost.map_or(Ok(()), |key| {
            Err(refused(&format!("{} is in the registry as another key, or as one that does not count now", key.kid)))
        })
    }

    /// The acts of `runtime key replace`: `keys` are registered for so many days, the point with them, and its other keys retired:
    /// last where their journal is `drained`, so that nothing is missing between them, and else first, by which the ledger knows
    /// that something may be. What the registry has already is not done again.
    ///
    /// # Errors
    /// As [`act`].
    pub(crate) fn replace(
        &self,
        config: &Config,
        keys: &[PublicKey],
        valid_days: u16,
        drained: bool,
    ) -> Result<Replaced, Failure> {
        let before = if drained { Vec::new() } else { self.retire_others(config, keys)? };
        for key in keys.iter().filter(|key| self.key(&key.kid).is_none()) {
            let record = key_cmd::record(key, SystemClock.now(), valid_days);
            act(config, "key.register", Object::new().with("key", record.to_value()))?;
        }
        let event = keys.iter().find(|key| key.usage == KeyUse::Event).map(|key| key.kid.clone()).unwrap_or_default();
        act(config, "runtime.register", measured(config, event.clone())?.to_value().into_object())?;
        let retired = if drained { self.retire_others(config, keys)? } else { before };
        Ok(Replaced { kid: event, retired })
    }

    /// Retires the point's keys, `keys` apart, and names those that were not.
    fn retire_others(&self, config: &Config, keys: &[PublicKey]) -> Result<Vec<String>, Failure> {
        let mut retired = Vec::new();
        for key in self.keys.iter().filter(|key| is_other(key, &config.point.name, keys)) {
            if is_active(key) {
                act(config, "key.retire", Object::new().with("kid", &key.kid))?;
                retired.push(key.kid.clone());
            }
        }
        Ok(retired)
    }
}

/// Whether a registered key is the point's, and none of `keys`.
fn is_other(key: &KeyRecord, point: &str, keys: &[PublicKey]) -> bool {
    key.owner == point && !keys.iter().any(|ours| ours.kid == key.kid)
}

const fn is_active(key: &KeyRecord) -> bool {
    matches!(key.status, KeyStatus::Active)
}

/// Why nothing was replaced.
fn refused(why: &str) -> Failure {
    Failure::usage(format!("{why}: name a --label that was never used; nothing was done"))
}
