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
    /// The stream that a record, which is about to be taken, shows to have broken off: it registers an event key for an
    /// enforcement point all of whose event keys were closed before, or is the first under such a key. Who changes keys in
    /// order registers the new one while the old one still counts, and nothing is missing, whenever that is closed. What was said
    /// of a point is not said once more before it went on.
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

    /// Notes the event key that a record registers, where its point returns under it: all of its others were closed before, or it
    /// was to return under them and has not. With the first record under any of its keys a point has gone on, and is awaited under
    /// no other.
    pub(super) fn note_return(&mut self, record: &Record) {
        if record.src_seq == 0 {
            let awaited: Vec<String> = self.awaited(&record.by).cloned().collect();
            self.returned.retain(|kid| !awaited.contains(kid));
        }
        let returned = registered(record).filter(|(owner, kid)| self.last_closed(owner, kid).is_some());
        self.returned.extend(returned.map(|(_, kid)| kid));
    }

    /// The keys under which a point was to return and has not: that its stream broke off was said, and it still is. A first record
    /// that is refused under its number ends the waiting, too: nothing is said to go on then, and what comes next breaks off anew.
    fn awaited<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a String> {
        let owned = move |kid: &&String| {
            self.registry().and_then(|registry| registry.key(kid)).is_some_and(|key| key.owner == owner)
        };
        let unused = move |kid: &&String| self.cursor(kid).is_none_or(|(next, _)| next == 0);
        self.returned.iter().filter(owned).filter(unused)
    }

    /// Which of an enforcement point's event keys, `kid` apart, was closed last. Those under which it was to return and did not are
    /// none of them: what broke off did so before, and nothing goes on under them. None where another still counts, which takes
    /// over: nothing breaks off then.
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
