//! What the registry was: which policy was in force when, how a point was registered, and what became of each key. A fold over the same entries as the
//! registry itself, which keeps only what is.

use super::data::PublishedPolicy;
use super::records::PolicyRecord;
use crate::encoding::{Object, Value};
use crate::hash::Sha3;
use crate::name;
use crate::time::Time;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// Where something stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The entry.
    pub seq: u64,
    /// Its `at`.
    pub at: Time,
}

/// How long a policy was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The policy.
    pub policy: PolicyRecord,
    /// Its publication.
    pub since: Moment,
    /// The entry that replaced or retired it.
    pub until: Option<Moment>,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// `ledger.genesis`, `key.registered`, `key.retired` or `key.compromised`.
    pub event: &'static str,
    /// The entry that says so.
    pub moment: Moment,
}

/// What the registry was.
#[derive(Clone, Debug, Default)]
pub struct History {
    policies: Vec<Term>,
    keys: BTreeMap<String, Vec<Change>>,
    /// What became of each point: the entry, and whether it registered the point or removed it.
    points: BTreeMap<String, Vec<(u64, bool)>>,
}

impl Term {
    /// Whether it was in force after the entries before `size`, at `at`.
    #[must_use]
    pub fn holds(&self, at: Time, size: u64) -> bool {
        let ended = self.until.filter(|until| until.seq < size);
        self.since.seq < size && self.since.at <= at && ended.is_none_or(|until| at < until.at)
    }
}

impl History {
    /// Takes an entry that the registry accepted. Events that concern no policy, key or point are passed over.
    pub fn note(&mut self, moment: Moment, event: &str, data: &Object) {
        match event {
            "ledger.genesis" => {
                let keys = data.get("keys").and_then(Value::as_array).unwrap_or_default();
                keys.iter().for_each(|granted| self.key_changed("ledger.genesis", kid_of(granted.get("key")), moment));
            }
            "key.registered" => self.key_changed("key.registered", kid_of(data.get("key")), moment),
            "key.retired" => self.key_changed("key.retired", text(data, "kid"), moment),
            "key.compromised" => self.key_changed("key.compromised", text(data, "kid"), moment),
            "policy.published" => {
                let Ok(published) = PublishedPolicy::read(Value::Object(data.clone())) else { return };
                let path = path_of(&published.record.id.reference);
                self.end(moment, |before| path_of(before) == path);
                self.policies.push(Term { policy: published.record, since: moment, until: None });
            }
            "runtime.registered" | "runtime.removed" => {
                if let Some(point) = text(data, "point") {
                    let change = (moment.seq, event == "runtime.registered");
                    self.points.entry(point.into()).or_default().push(change);
                }
            }
            "policy.retired" => {
                if let Some(reference) = text(data, "ref") {
                    self.end(moment, |before| before == reference);
                }
            }
            _ => {}
        }
    }

    fn key_changed(&mut self, event: &'static str, kid: Option<&str>, moment: Moment) {
        if let Some(kid) = kid {
            self.keys.entry(kid.into()).or_default().push(Change { event, moment });
        }
    }

    fn end(&mut self, moment: Moment, which: impl Fn(&str) -> bool) {
        // Of each path one at most, and most likely a late one: from the first on, all there ever were would be passed by each time.
        let open = |term: &&mut Term| term.until.is_none() && which(&term.policy.id.reference);
        if let Some(term) = self.policies.iter_mut().rev().find(open) {
            term.until = Some(moment);
        }
    }

    /// Every policy that was ever published, in order.
    #[must_use]
    pub fn policies(&self) -> &[Term] {
        &self.policies
    }

    /// Whether a policy of this hash was published in the entries before `size`.
    #[must_use]
    pub fn was_published(&self, hash: Sha3, size: u64) -> bool {
        self.policies.iter().any(|term| term.policy.id.hash == hash && term.since.seq < size)
    }

    /// The entry that registered a point as it was registered at entry `seq`; none where it was not, or was removed by then.
    #[must_use]
    pub fn registration_at(&self, point: &str, seq: u64) -> Option<u64> {
        let changes = self.points.get(point)?;
        let last = changes.get(changes.partition_point(|(at, _)| *at < seq).checked_sub(1)?);
        last.filter(|(_, registered)| *registered).map(|(at, _)| *at)
    }

    /// What became of a key, in order; nothing for one that is not registered.
    #[must_use]
    pub fn changes_of(&self, kid: &str) -> &[Change] {
        self.keys.get(kid).map(Vec::as_slice).unwrap_or_default()
    }
}

fn path_of(reference: &str) -> Option<&str> {
    name::policy_version(reference).map(|(path, _)| path)
}

fn kid_of(key: Option<&Value>) -> Option<&str> {
    key?.get("kid")?.as_str()
}

fn text<'a>(data: &'a Object, name: &str) -> Option<&'a str> {
    data.get(name)?.as_str()
}

#[cfg(test)]
mod tests;
