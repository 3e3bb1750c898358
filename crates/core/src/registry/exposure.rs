//! How much of a ledger a stranger may read (PROTOCOL 12): the domain's own setting, signed by its policy key.
//!
//! It stands in the registry as an approved interface: service `exposure`, a version that is a number, and the hash of the
//! document `{"v":"1","domain","exposure"}`. The greatest version counts. So the setting is in the ledger, under every
//! head, and whoever reads the registry knows what it was when.

use super::lists::Lists;
use super::records::InterfaceRecord;
use crate::encoding::{Object, Value};
use crate::hash::Sha3;
use alloc::string::ToString as _;

/// The service that the setting stands as.
pub const EXPOSURE_SERVICE: &str = "exposure";

/// How much a stranger may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Exposure {
    /// Nothing: every surface asks who reads.
    Private,
    /// Whatever names no operation, and whoever holds an operation's id gets its proof; entries and search are for
    /// registered auditors. Where nothing was set.
    #[default]
    ByPossession,
    /// Everything.
    Open,
}

impl Exposure {
    /// Every setting.
    pub const ALL: [Self; 3] = [Self::Open, Self::ByPossession, Self::Private];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ByPossession => "by-possession",
            Self::Private => "private",
        }
    }

    /// The setting of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exposure| exposure.name() == name)
    }

    /// The document that is approved.
    #[must_use]
    pub fn document(self, domain: &str) -> Value {
        Value::Object(Object::new().with("v", "1").with("domain", domain).with("exposure", self.name()))
    }

    /// The setting in force. One that this version does not know shows nothing.
    #[must_use]
    pub fn in_force(domain: &str, lists: &Lists) -> Self {
        let Some((_, hash)) = last(lists) else { return Self::default() };
        let known = Self::ALL.into_iter().find(|exposure| Sha3::of_value(&exposure.document(domain)) == hash);
        known.unwrap_or(Self::Private)
    }

    /// The record that sets this, to be signed by the policy key.
    #[must_use]
    pub fn record(self, domain: &str, lists: &Lists) -> InterfaceRecord {
        let version = last(lists).map_or(1, |(version, _)| version.saturating_add(1));
        InterfaceRecord {
            service: EXPOSURE_SERVICE.into(),
            version: version.to_string(),
            hash: Sha3::of_value(&self.document(domain)),
        }
    }
}

/// The greatest version, and what it approves. A version that is no number counts as greater than all: whoever approved
/// it meant something that is not understood here.
fn last(lists: &Lists) -> Option<(u64, Sha3)> {
    let set = lists.interfaces.iter().filter(|interface| interface.service == EXPOSURE_SERVICE);
    let read = |interface: &InterfaceRecord| {
        let version = interface.version.parse().ok().filter(|version: &u64| version.to_string() == interface.version);
        version.map_or((u64::MAX, Sha3([0; 64])), |version| (version, interface.hash))
    };
    set.map(read).max_by_key(|(version, _)| *version)
}

#[cfg(test)]
mod tests;
