//! `head.*`: the ledger's key signed the head, and the tree's last entry names all that the head names.

use super::{Judged, Signed, Stop, failed, hold};
use crate::shown::{Event, Shown};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::chain;
use eleven_core::encoding::Object;
use eleven_core::head::Commitment;
use eleven_core::head::checkpoint::Checkpoint;
use eleven_core::name;
use eleven_core::root::KeyUse;

/// How far ahead of the caller's clock a head may lie, in milliseconds.
const AHEAD_MS: i64 = 2_000;

/// A head key of the root signed it, for the root's domain.
pub(super) fn signed(shown: &Shown<'_>) -> Judged<Vec<Signed>> {
    let (root, head) = (shown.root()?, shown.head()?);
    let ledger = &head.commitment.ledger;
    if name::ledger_domain(ledger) != Some(&root.domain) {
        return failed(format!("the head is of `{ledger}`, the root of `{}`", root.domain));
    }
    let key = root.role(KeyUse::Head, &head.sig.kid, head.at);
    let Some(key) = key.and_then(|key| shown.caller.ready(key)) else {
        return failed(format!("the root has no head key `{}` that counts at {}", head.sig.kid, head.at));
    };
    Ok(vec![Signed::by(&key, head.payload(), &head.sig.val, "the head's signature does not verify")])
}

/// The checkpoint is of the head's size and root, and signed by the head's key.
pub(super) fn checkpoint(shown: &Shown<'_>) -> Judged {
    let (root, head, note) = (shown.root()?, shown.head()?, shown.note()?);
    let expected = Checkpoint::of(&head.commitment);
    let origin = root.origin();
    if note.checkpoint != expected || expected.origin != origin {
        let (found, size) = (&note.checkpoint, expected.size);
        return failed(format!(
            "the checkpoint is of `{}`, size {} and {}; expected `{origin}`, size {size} and {}",
            found.origin, found.size, found.root, expected.root
        ));
    }
    let kid = &head.sig.kid;
    let key = root.roles.iter().find(|key| key.kid == *kid && key.usage == KeyUse::Head);
    let Some(key) = key.and_then(|key| shown.caller.ready(key)) else {
        return failed(format!("the root has no head key `{kid}`"));
    };
    hold(note.signed_by(&key), "the head's key did not sign the checkpoint")
}

/// The tree's last entry is a seal that names the head's index and registry, and both chains follow from it.
pub(super) fn sealed(shown: &Shown<'_>) -> Judged<Vec<Signed>> {
    let head = &shown.head()?.commitment;
    let (entry, seal) = shown.seal()?;
    seal_is_the_ledgers(shown, seal)?;
    seal.hashes_follow()?;
    let key = shown.key(KeyUse::Event, &seal.record.kid, &seal.record.by, entry.header.at)?;
    let signed = Signed::by(key, seal.body(), &seal.record.sig.val, "the seal's signature does not verify");
    if entry.header.seq.checked_add(1) != Some(head.size) {
        return failed(format!("the seal is entry {}, not the last of {}", entry.header.seq, head.size));
    }
    hold(seal.record.data == sealed_data(head), "the seal names another size, index or registry than the head")?;
    shown.included(entry, seal)?;
    let bytes = entry.header.bytes(seal.canonical());
    let follows = chain::advance(entry.header.prev.as_ref(), &bytes) == head.chain;
    hold(follows, "the head's `hash` and `hash_alt` do not follow from the seal")?;
    Ok(vec![signed])
}

fn seal_is_the_ledgers(shown: &Shown<'_>, seal: &Event) -> Judged {
    let record = &seal.record;
    if record.event != "ledger.sealed" || record.n != 1 {
        return failed(format!("the last entry is `{}`, not a seal", record.event));
    }
    if name::ledger_domain(&record.by) != Some(&shown.root()?.domain) {
        return failed(format!("`{}` sealed it, not the domain's ledger", record.by));
    }
    hold(record.op == seal.content_id(), "the seal's `op` is not its content's id")
}

/// What a seal carries under a head: everything before itself.
fn sealed_data(head: &Commitment) -> Object {
    Object::new()
        .with("size", head.size.saturating_sub(1))
        .with("index", head.index)
        .with("registry", head.registry.to_value())
}

/// The head is as young as the caller asks.
pub(super) fn fresh(shown: &Shown<'_>) -> Judged {
    let Some(max_age) = shown.caller.max_age else { return Err(Stop::NotChecked("no age was asked for")) };
    let Some(now) = shown.caller.now else { return failed("an age was asked for, and no time given to measure it by") };
    let age = now.since(shown.head()?.at);
    let most = i64::try_from(max_age).unwrap_or(i64::MAX).saturating_mul(1000);
    if (-AHEAD_MS..=most).contains(&age) {
        return Ok(());
    }
    failed(format!("the head is {age} ms old, and may be {most} ms old or 2000 ms ahead"))
}
