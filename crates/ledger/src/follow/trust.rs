//! Whose heads are taken: those by a head key of a root that is known, or that the ledger shows to follow one.
//!
//! The entry that publishes a version of the root stands under the first head by that version's keys, so the version is asked for
//! before its entry is here. Each is signed by the one before: whoever holds no key of the root leads nowhere, and none of its
//! entries are kept.

use super::FollowError;
use super::source::{self, Said, Source};
use crate::witness::is_by;
use eleven_core::head::checkpoint::Note;
use eleven_core::name;
use eleven_core::root::{KeyUse, TrustRoot, Witness};

/// Whether a head key of the newest of `roots` that was in force then signed head and checkpoint, for that root's ledger.
pub(super) fn signs(roots: &[TrustRoot], said: &Said) -> bool {
    TrustRoot::in_force_among(roots, said.head.at).is_some_and(|root| signs_under(root, said))
}

/// Whether a head key of this root, whenever that was in force, signed head and checkpoint, for its ledger.
pub(super) fn signs_under(root: &TrustRoot, Said { head, note, .. }: &Said) -> bool {
    let of_domain = name::ledger_domain(&head.commitment.ledger) == Some(root.domain.as_str());
    let key = root.role_key(KeyUse::Head, &head.sig.kid, head.at);
    of_domain && key.is_some_and(|key| head.verify(&key) && note.signed_by(&key))
}

/// Adds to `roots`, whose last is the newest, the versions after it that the ledger shows, up to the one whose key signed.
///
/// # Errors
/// Where none of them did; [`FollowError::Call`] where the ledger does not answer.
pub(super) async fn lead(source: &dyn Source, roots: &mut Vec<TrustRoot>, said: &Said) -> Result<(), FollowError> {
    while !signs(roots, said) {
        let last = roots.last().ok_or_else(|| untrusted(said))?;
        match source::fetch_root(source, last.version + 1).await? {
            Some(next) if next.succeeds(last).is_ok() => roots.push(next),
            _ => return Err(untrusted(said)),
        }
    }
    Ok(())
}

/// The checkpoint with the line of the head's key and those of the roots' witnesses, one of each. What else stands there is
/// nobody's, and kept it would be as much as the ledger likes.
pub(super) fn known_lines(roots: &[TrustRoot], said: &Said) -> Note {
    let Said { head, note, .. } = said;
    let mut witnesses: Vec<&Witness> = Vec::new();
    for witness in roots.iter().flat_map(|root| &root.witnesses.keys) {
        if !witnesses.iter().any(|known| (&known.name, known.public) == (&witness.name, witness.public)) {
            witnesses.push(witness);
        }
    }
    let by = |witness: &Witness| note.lines.iter().find(|line| is_by(witness, note, line)).cloned();
    let mut keys = roots.iter().filter_map(|root| root.role_key(KeyUse::Head, &head.sig.kid, head.at));
    let own = keys.find_map(|key| note.lines_by(&key).into_iter().next());
    let lines = own.into_iter().chain(witnesses.into_iter().filter_map(by)).collect();
    Note { checkpoint: note.checkpoint.clone(), lines }
}

fn untrusted(said: &Said) -> FollowError {
    let (size, kid) = (said.head.commitment.size, &said.head.sig.kid);
    FollowError::Untrusted(format!(
        "the head of {size} entries is not signed by a head key of a root in force ({kid}), and no version of the root that is \
         shown leads to one: pin the domain's newest root"
    ))
}
