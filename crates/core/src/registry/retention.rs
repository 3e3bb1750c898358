//! How long content is kept, and what is kept beyond that: the domain's own settings, signed by its policy key.
//!
//! Both stand in the registry as approved interfaces, so they are in the ledger and under every head. Such records are never
//! removed. Service `retention`, version `<days>.<regime>`: the greatest counts, and none below it is taken, so a retention
//! is only ever raised. Service `hold`, version `<kind>.<name>.<n>`: what was placed n times and lifted n times; a
//! lineage that is held, by its operation or its identity, is kept whatever the retention says.
//!
//! The hash of each is that of a document that follows from domain and version, so that everybody computes it.

use super::lists::Lists;
use super::records::InterfaceRecord;
use crate::encoding::{Object, Value};
use crate::hash::Sha3;
use crate::id;
use crate::limits;
use crate::name;
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};

#[cfg(test)]
mod tests;

/// The service that retentions stand as.
pub const RETENTION_SERVICE: &str = "retention";
/// The service that legal holds stand as.
pub const HOLD_SERVICE: &str = "hold";

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// The regime of a retention that no regime asks for.
pub const OWN: &str = "own";

/// A regime and the least that it asks for, in days.
pub const REGIMES: &[(&str, u64)] = &[
    ("eu-ai-act", limits::RETENTION_EU_AI_ACT_DAYS),
    ("hipaa", limits::RETENTION_HIPAA_DAYS),
    (OWN, 1),
    ("sec-17a-4", limits::RETENTION_SEC_17A_4_DAYS),
];

/// How long content is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days after the last event of a lineage.
    pub days: u64,
    /// For which regime; `own` for none.
    pub regime: &'static str,
}

impl Retention {
    /// A retention for a regime.
    ///
    /// # Errors
    /// Where the regime is not known, or asks for more.
    pub fn new(days: u64, regime: &str) -> Result<Self, &'static str> {
        let known = REGIMES.iter().find(|(name, _)| *name == regime);
        let (regime, floor) = known.ok_or("the regime is not known: it is eu-ai-act, hipaa, sec-17a-4 or own")?;
        if days > limits::MAX_RETENTION_DAYS {
            return Err("a retention is a hundred years at most");
        }
        if days < *floor { Err("the regime asks for more days") } else { Ok(Self { days, regime }) }
    }

    fn parse(version: &str) -> Result<Self, &'static str> {
        let (days, regime) = version.split_once('.').ok_or("a retention's version is `<days>.<regime>`")?;
        let parsed = days.parse::<u64>().ok().filter(|parsed| parsed.to_string() == days);
        Self::new(parsed.ok_or("a retention's version is `<days>.<regime>`")?, regime)
    }

    fn version(&self) -> String {
        format!("{}.{}", self.days, self.regime)
    }

    /// The record that sets it, to be signed by the policy key.
    #[must_use]
    pub fn record(&self, domain: &str) -> InterfaceRecord {
        record(domain, RETENTION_SERVICE, self.version())
    }

    /// The shortest retention that was ever set: what it lets go, some time, was let go.
    #[must_use]
    pub fn shortest(lists: &Lists) -> Option<Self> {
        Self::all(lists).min_by_key(|retention| retention.days)
    }

    /// When content of a lineage may go whose last event was at `last`.
    #[must_use]
    pub fn ends(&self, last: Time) -> Time {
        last.plus_millis(i64::try_from(self.days).unwrap_or(i64::MAX).saturating_mul(DAY_MS))
    }

    fn all(lists: &Lists) -> impl Iterator<Item = Self> {
        let set = lists.interfaces.iter().filter(|interface| interface.service == RETENTION_SERVICE);
        set.filter_map(|interface| Self::parse(&interface.version).ok())
    }

    /// The retention in force: the longest that was ever set; `None` where none was, and then all is kept.
    #[must_use]
    pub fn in_force(lists: &Lists) -> Option<Self> {
        Self::all(lists).max_by_key(|retention| retention.days)
    }
}

/// A legal hold on one operation, or on all that an identity did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    name: String,
}

impl Hold {
    /// The hold on a subject of kind `operation` or `identity`. An identity stands by its digest alone.
    ///
    /// # Errors
    /// Where it is no such subject.
    pub fn on(kind: &str, subject: &str) -> Result<Self, &'static str> {
        match kind {
            "operation" => {
                let (content, _) = id::split_operation(subject).ok_or("that is no operation id")?;
                Ok(Self { name: format!("operation.{}", content.to_ascii_lowercase()) })
            }
            "identity" if name::is_identity(subject) => {
                let digest = id::content_id(&Value::from(subject)).to_ascii_lowercase();
                Ok(Self { name: format!("identity.{digest}") })
            }
            "identity" => Err("that is no identity"),
            _ => Err("a hold is on an operation or on an identity"),
        }
    }

    /// The record that places it where it is not placed, and lifts it where it is; to be signed by the policy key.
    ///
    /// # Errors
    /// Where it stands as is wanted already.
    pub fn record(&self, domain: &str, lists: &Lists, placed: bool) -> Result<InterfaceRecord, &'static str> {
        let n = last_of(lists, &self.name);
        match (is_placed(n), placed) {
            (true, true) => Err("it is held already"),
            (false, false) => Err("it is not held"),
            _ => Ok(record(domain, HOLD_SERVICE, format!("{}.{}", self.name, n.saturating_add(1)))),
        }
    }

    /// The hold that an approved interface places (`true`) or lifts; `None` for any other interface.
    #[must_use]
    pub fn of(approved: &InterfaceRecord) -> Option<(Self, bool)> {
        numbered(approved).map(|(name, n)| (Self { name: name.into() }, is_placed(n)))
    }

    /// The kind of its subject, and the content id of that: an operation's own, an identity's digest.
    #[must_use]
    pub fn subject(&self) -> (&str, String) {
        let (kind, id) = self.name.split_once('.').unwrap_or_default();
        (kind, id.to_ascii_uppercase())
    }

    /// Whether it is placed.
    #[must_use]
    pub fn is_in(&self, held: &BTreeSet<String>) -> bool {
        held.contains(&self.name)
    }

    /// The names of all holds that are placed.
    #[must_use]
    pub fn all(lists: &Lists) -> BTreeSet<String> {
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, n) in lists.interfaces.iter().filter_map(numbered) {
            let known = last.entry(name).or_default();
            *known = n.max(*known);
        }
        last.into_iter().filter(|(_, n)| is_placed(*n)).map(|(name, _)| name.to_string()).collect()
    }
}

/// Whether an interface that was approved is one of these, and may be: a retention that does not lower the one in force, the
/// next state of a hold, each with the hash of its document.
///
/// # Errors
/// Why not. What is neither is left alone.
pub(super) fn check(domain: &str, lists: &Lists, approved: &InterfaceRecord) -> Result<(), &'static str> {
    match approved.service.as_str() {
        RETENTION_SERVICE => {
            let retention = Retention::parse(&approved.version)?;
            if Retention::in_force(lists).is_some_and(|set| retention.days < set.days) {
                return Err("a retention is only ever raised");
            }
        }
        HOLD_SERVICE => {
            let (name, n) = numbered(approved).ok_or("a hold's version is `<kind>.<name>.<n>`")?;
            let of = name.split_once('.');
            let known = of.is_some_and(|(kind, of)| {
                matches!(kind, "operation" | "identity") && id::is_content_id(&of.to_ascii_uppercase())
            });
            if !known || name.bytes().any(|b| b.is_ascii_uppercase()) {
                return Err("a hold's version is `<kind>.<name>.<n>`");
            }
            if n != last_of(lists, name).saturating_add(1) {
                return Err("a hold is placed and lifted in turn, each under the next number");
            }
        }
        _ => return Ok(()),
    }
    if approved.hash == record(domain, &approved.service, approved.version.clone()).hash {
        Ok(())
    } else {
        Err("the hash is not that of the document that domain and version give")
    }
}

fn record(domain: &str, service: &str, version: String) -> InterfaceRecord {
    let document = Object::new().with("v", "1").with("domain", domain);
    let document = document.with("service", service).with("version", &version);
    InterfaceRecord { service: service.into(), hash: Sha3::of_value(&Value::Object(document)), version }
}

/// A hold's name and number; odd numbers place it, even ones lift it.
fn numbered(interface: &InterfaceRecord) -> Option<(&str, u64)> {
    let (name, n) = Some(&interface.version).filter(|_| interface.service == HOLD_SERVICE)?.rsplit_once('.')?;
    let parsed = n.parse::<u64>().ok().filter(|parsed| *parsed > 0 && parsed.to_string() == n)?;
    Some((name, parsed))
}

fn last_of(lists: &Lists, name: &str) -> u64 {
    let of = lists.interfaces.iter().filter_map(numbered).filter(|(other, _)| *other == name);
    of.map(|(_, n)| n).max().unwrap_or(0)
}

const fn is_placed(n: u64) -> bool {
    n % 2 == 1
}
