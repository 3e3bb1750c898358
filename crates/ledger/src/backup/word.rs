//! What the root's word has to be for a copy to go back by it, and what the ledger has to be that is put back.

use crate::recover::Replayed;
use eleven_core::recovery::Recovery;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use eleven_core::time::Time;

/// What is said where a ledger that is put back could not go on.
pub(super) const UNRECORDED: &str = "no event key of the ledger's that the copy names counts any more, so that it could record nothing, \
                                     and this word first of all: take a newer copy";

/// Whose word a recovery lacks: a threshold of the newest root that the copy holds, by which whoever replays it judges, and of
/// the one that was in force, where the log that is replaced shows a newer one: what that has ended lets nothing go back.
pub(super) fn not_signed(
    recovery: &Recovery,
    copy: Option<&TrustRoot>,
    replaced: Option<&TrustRoot>,
) -> Option<String> {
    let Some(copy) = copy else { return Some("the copy holds no root".to_owned()) };
    let newer = replaced.filter(|root| root.domain == copy.domain && root.version > copy.version);
    let missing = [Some(copy), newer].into_iter().flatten().find(|root| !recovery.is_signed_by(root))?;
    let counts = |key: &&KeyRecord| key.status == KeyStatus::Active && key.counts_at(recovery.at);
    let counting = missing.keys.iter().filter(counts).count();
    if u64::try_from(counting).is_ok_and(|counting| counting < missing.threshold) {
        return Some(format!(
            "{counting} of the root's keys of version {} counted when it was signed, and {} have to sign: nothing goes back to a copy \
             whose root's keys have ended, take a newer one",
            missing.version, missing.threshold
        ));
    }
    let both = newer.map_or_else(String::new, |newer| {
        format!(
            ": the copy's newest is version {} and the one in force here is version {}, so keys of both have to sign it \
             (`eleven ledger recovery sign --add-to`)",
            copy.version, newer.version
        )
    });
    Some(format!("a threshold of the root's keys of version {} did not sign it{both}", missing.version))
}

/// Whether the ledger that is put back has a key by which it can record the word at `now`, as it does before anything else. That the word
/// was signed while one counted does not help.
pub(super) fn can_be_recorded(recovery: &Recovery, replayed: &Replayed, now: Time) -> bool {
    let own = |key: &KeyRecord| key.usage == KeyUse::Event && key.owner == recovery.ledger && key.counts_at(now);
    replayed.book.registry().is_some_and(|registry| registry.lists().keys.iter().any(own))
}
