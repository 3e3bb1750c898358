//! The lineages of governed subjects (PROTOCOL 14.2): one for each kind and subject, one event a transition.

use super::candidate::OpKey;
use super::refusal::Refusal;
use crate::saved::{saved_fields, saved_inner};
use eleven_core::encoding::Value;
use eleven_core::event::{Record, Tip};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::lineage::LineageError;
use eleven_core::name;
use std::collections::HashMap;

/// The subjects that have a lineage.
#[derive(Debug, Default)]
pub(super) struct Subjects(HashMap<OpKey, Subject>);

#[derive(Debug)]
struct Subject {
    tip: Tip,
    revoked: bool,
}

saved_inner!(Subjects);
saved_fields!(Subject { tip, revoked });

impl Subjects {
    /// Whether a `lifecycle.*` may follow: its lineage is the subject's, it continues the tip, and nothing follows a
    /// revocation. Who may say it, and from which state, the registry's fold knows.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge(&self, key: &OpKey, record: &Record) -> Result<(), Refusal> {
        let member = |name: &str| record.data_str(name).ok_or(Refusal::Data("it names kind, subject and cause"));
        let (kind, subject) = (member("kind")?, member("subject")?);
        if id::subject_op(kind, subject) != record.op {
            return Err(Refusal::OpContent);
        }
        let stated = match record.event.as_str() {
            // The end of an episode names the digest of its continuity proof.
            "lifecycle.proven" => record.data_str("proof").is_some_and(|proof| Sha3::parse(proof).is_some()),
            _ => false,
        };
        let caused = record.data.get("cause").and_then(Value::as_str).is_some_and(name::is_segment);
        if record.data.len() != 3 || !(stated || caused) {
            return Err(Refusal::Data("it names exactly kind, subject and cause"));
        }
        let known = self.0.get(key);
        if known.is_some_and(|known| known.revoked) {
            return Err(Refusal::SubjectRevoked);
        }
        let follows = match known {
            None => record.n == 1 && record.prev.is_none(),
            Some(Subject { tip, .. }) => record.n == tip.n + 1 && record.prev == Some((tip.hash, tip.hash_alt)),
        };
        if follows { Ok(()) } else { Err(Refusal::Lineage(LineageError::Position)) }
    }

    /// Takes a transition.
    pub(super) fn apply(&mut self, key: OpKey, record: &Record) {
        let revoked = record.event == "lifecycle.revoked";
        self.0.insert(key, Subject { tip: record.tip(), revoked });
    }
}
