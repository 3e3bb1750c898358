//! What drifted by the ledger's word and is not contained yet (PROTOCOL 6.1, 14.2): a fold over its entries, as the registry is.
//!
//! An `audit.discontinuity` of the ledger's asks for a containment where a producer signed two records under one number, or
//! where the authority signed another registry than the ledger folds to. The next `lifecycle.contained` of that subject by an
//! authority answers it, whether by itself or by an operator's act. What was answered is not raised again, by a process that
//! starts over neither: who lifts a containment has looked.

use eleven_core::event::Record;
use eleven_core::name;
use std::collections::{BTreeMap, BTreeSet};

/// Two records under one number.
const EQUIVOCATION: &str = "drift.equivocation";
/// Two registries under one epoch.
const REGISTRY: &str = "drift.registry";

/// A subject that has to be contained.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) kind: String,
    pub(crate) name: String,
}

/// What has to be contained, and the cause of each.
pub(crate) type Open = BTreeMap<Subject, &'static str>;

/// What drifted and what is contained.
#[derive(Debug, Default)]
pub(super) struct Drifts {
    open: Open,
    /// Contained by an authority and not let go since: what drifts meanwhile is contained already.
    held: BTreeSet<Subject>,
}

impl Drifts {
    /// What has to be contained after the last entry.
    pub(super) const fn open(&self) -> &Open {
        &self.open
    }

    /// Takes the record of the next entry, which the registry's rules took.
    pub(super) fn take(&mut self, domain: &str, record: &Record) {
        // A point that contained itself would let itself go: what it does answers nothing.
        let by_authority = name::authority_domain(&record.by).is_some();
        match record.event.as_str() {
            "audit.discontinuity" => self.drifted(domain, record),
            "lifecycle.contained" if by_authority => self.contained(record),
            "lifecycle.revoked" => self.contained(record),
            "lifecycle.recovering" | "lifecycle.governed" if by_authority => self.let_go(record),
            _ => {}
        }
    }

    fn drifted(&mut self, domain: &str, record: &Record) {
        // A point says of its own stream what it knows; that another's is broken is the ledger's to say.
        if name::ledger_domain(&record.by) != Some(domain) {
            return;
        }
        let Some((subject, cause)) = to_contain(domain, record) else { return };
        if !self.held.contains(&subject) {
            self.open.entry(subject).or_insert(cause);
        }
    }

    fn contained(&mut self, record: &Record) {
        if let Some(subject) = subject_of(record) {
            self.open.remove(&subject);
            self.held.insert(subject);
        }
    }

    fn let_go(&mut self, record: &Record) {
        if let Some(subject) = subject_of(record) {
            self.held.remove(&subject);
        }
    }
}

/// What a discontinuity asks to contain: an enforcement point that equivocated, by its own name; the whole domain, where
/// nobody can say which registry is the one. An authority or a ledger is no subject that anything passes through, so of them
/// it is only recorded.
fn to_contain(domain: &str, record: &Record) -> Option<(Subject, &'static str)> {
    match record.data_str("cause")? {
        EQUIVOCATION => {
            let point = record.data_str("producer").filter(|producer| name::is_point(producer))?;
            Some((Subject { kind: "runtime".to_owned(), name: point.to_owned() }, EQUIVOCATION))
        }
        REGISTRY => Some((Subject { kind: "domain".to_owned(), name: domain.to_owned() }, REGISTRY)),
        _ => None,
    }
}

fn subject_of(record: &Record) -> Option<Subject> {
    Some(Subject { kind: record.data_str("kind")?.to_owned(), name: record.data_str("subject")?.to_owned() })
}

#[cfg(test)]
mod tests;
