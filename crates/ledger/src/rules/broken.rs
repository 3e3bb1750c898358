//! Streams that break off: a producer that lost its journal returns under a new key only (PROTOCOL 6.1), and the ledger
//! says from which number on the old key's records are missing.

use super::book::Book;
use super::candidate::Verified;
use eleven_core::event::Record;
use eleven_core::registry::GrantedKey;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse};

/// A stream that a producer does not go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenStream {
    /// Whose it was.
    pub producer: String,
    /// Under which key.
    pub kid: String,
    /// The first number that is missing.
    pub from: u64,
    /// Whether the producer goes on, with the first record under its new key.
    pub resumed: bool,
}

impl Book {
    /// The stream that a record, which is about to be taken, shows to have broken off. Such a record either registers an event key
    /// for an enforcement point all of whose event keys are closed, or is the first under a key that was registered so.
    ///
    /// A point that changes keys in order registers the new one while the old one still counts: nothing is missing then, whenever
    /// the old one is closed. That a stream broke off is said once, until its point has gone on.
    #[must_use]
    pub fn broken_stream(&self, verified: &Verified) -> Option<BrokenStream> {
        let record = verified.record().ok()?;
        let resumed = record.event != "key.registered";
        let (owner, kid) = if resumed {
            let first = record.src_seq == 0 && self.returned.contains(&record.kid);
            first.then(|| (record.by.clone(), record.kid.clone()))?
        } else {
            registered(record)?
        };
        if !resumed && self.awaited(&owner).next().is_some() {
            return None;
        }
        let last = self.last_closed(&owner, &kid)?;
        let from = self.cursor(&last.kid).map_or(0, |(next, _)| next);
        Some(BrokenStream { kid: last.kid.clone(), producer: owner, from, resumed })
    }

    /// Notes the event key that a record registers, where its point returns under it: every other event key of the point is closed, or
    /// is one that it was to return under and has not used. With the first record under any of its keys a point has gone on: it is
    /// awaited under no other key then.
    pub(super) fn note_return(&mut self, record: &Record) {
        if record.src_seq == 0 {
            let awaited: Vec<String> = self.awaited(&record.by).cloned().collect();
            self.returned.retain(|kid| !awaited.contains(kid));
        }
        let returned = registered(record).filter(|(owner, kid)| self.last_closed(owner, kid).is_some());
        self.returned.extend(returned.map(|(_, kid)| kid));
    }

    /// The keys under which a point was to return and has not: it was said that its stream broke off, and it still has. A first record
    /// that is refused under its number ends this, too. It is not said then that the stream goes on, and the next key that is
    /// registered breaks it off anew.
    fn awaited<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a String> {
        let owned = move |kid: &&String| {
            self.registry().and_then(|registry| registry.key(kid)).is_some_and(|key| key.owner == owner)
        };
        let unused = move |kid: &&String| self.cursor(kid).is_none_or(|(next, _)| next == 0);
        self.returned.iter().filter(owned).filter(unused)
    }

    /// Which of an enforcement point's event keys was closed last, `kid` and the keys that it is awaited under left out: nothing was
    /// ever sent under those, so no stream broke off there. `None` where another of its event keys still counts: that one takes over,
    /// and nothing breaks off.
    fn last_closed(&self, owner: &str, kid: &str) -> Option<&KeyRecord> {
        let registry = self.registry().filter(|_| eleven_core::name::is_point(owner))?;
        let is_awaited = |key: &&KeyRecord| self.awaited(owner).any(|kid| *kid == key.kid);
        let others = || {
            let keys = registry.lists().keys.iter();
            let keys = keys.filter(|key| key.usage == KeyUse::Event && key.owner == owner && key.kid != kid);
            keys.filter(|key| !is_awaited(key))
        };
        if others().any(|key| matches!(key.status, KeyStatus::Active)) {
            return None;
        }
        others().max_by_key(|key| closed_at(key))
    }
}

/// Owner and name of the event key that a `key.registered` adds.
fn registered(record: &Record) -> Option<(String, String)> {
    if record.event != "key.registered" {
        return None;
    }
    let granted = GrantedKey::read(record.data.clone().into()).ok()?;
    let key = granted.key;
    (key.usage == KeyUse::Event).then_some((key.owner, key.kid))
}

/// When a key was closed, to the millisecond; `None` before all others where it was not.
fn closed_at(key: &KeyRecord) -> Option<i64> {
    match key.status {
        KeyStatus::Active => None,
        KeyStatus::Retired(since) | KeyStatus::Compromised(since) => Some(since.0),
    }
}
