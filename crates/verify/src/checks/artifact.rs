//! `artifact.*`: the authorisation is whole, its issuer's, was used in its time and not revoked before.

use super::{Judged, Signed, Stop, failed, hold};
use crate::shown::{Event, Shown};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::artifact::Artifact;
use eleven_core::encoding::Value;
use eleven_core::hash;
use eleven_core::index::{Proves, revoked_key, revoked_value};
use eleven_core::limits::{MAX_SEEN_EARLY_MS, MAX_SEEN_LATE_MS, SALT};
use eleven_core::name;
use eleven_core::policy::{commitment, is_commitment};
use eleven_core::root::KeyUse;

/// What `artifact.unrevoked` says of an artifact that was revoked before the ledger had a use of it. All else that it looks at held
/// then: so far it is no fault of the proof, but what that proves. A point that had not heard of the revocation may have run it, and
/// the ledger refused what it recorded.
pub const REVOKED_UNUSED: &str = "the artifact was revoked, and the ledger has no use of it";

/// `id` and `chash` are those of the content, it is this operation's, and what is disclosed stands in it as committed.
pub(super) fn digest(shown: &Shown<'_>) -> Judged {
    let artifact = shown.whole_artifact()?;
    hold(artifact.digests_follow(), "the artifact's `id` and `chash` are not those of its content")?;
    let op = shown.op()?;
    if artifact.content_id() != op.base {
        return failed(format!("`{}` is the artifact of another operation than `{}`", artifact.id, op.whole));
    }
    match shown.value.get("disclosures") {
        None => Ok(()),
        Some(Value::Array(disclosures)) => {
            let artifact = artifact.to_value();
            disclosures.iter().try_for_each(|shown| disclosed(&artifact, shown))
        }
        Some(_) => failed("`disclosures` is not an array"),
    }
}

/// The commitment to a disclosure `[salt, path, value]` stands at its path (PROTOCOL 5.2).
fn disclosed(artifact: &Value, disclosure: &Value) -> Judged {
    let Some([Value::Str(salt), Value::Str(path), value]) = disclosure.as_array() else {
        return failed("a disclosure is not [salt, path, value]");
    };
    let salted = hash::unbase64(salt).is_some_and(|salt| salt.len() == SALT);
    hold(salted, "a disclosure's salt is not 16 bytes in base64")?;
    match artifact.pointer(path).filter(|there| is_commitment(there)) {
        None => failed(format!("the artifact holds no commitment at `{path}`")),
        Some(there) if *there != commitment(salt, path, value) => {
            failed(format!("the artifact commits to another value at `{path}`"))
        }
        Some(_) => Ok(()),
    }
}

/// An issuer key of `iss`, an authority of this domain, signed it, and counted when its issuance was committed.
pub(super) fn signature(shown: &Shown<'_>) -> Judged<Vec<Signed>> {
    let artifact = shown.whole_artifact()?;
    let domain = &shown.root()?.domain;
    if name::authority_domain(&artifact.iss) != Some(domain) {
        return failed(format!("`{}` is not an authority of `{domain}`", artifact.iss));
    }
    let key = shown.key(KeyUse::Issuer, &artifact.sig.kid, &artifact.iss, shown.entry(0)?.header.at)?;
    Ok(vec![Signed::by(key, artifact.payload(), &artifact.sig.val, "the artifact's signature does not verify")])
}

/// It was consumed in its window, and the ledger saw that when it happened.
pub(super) fn window(shown: &Shown<'_>) -> Judged {
    shown.not_of_denial()?;
    if shown.kind() == "unused" {
        return Err(Stop::NotChecked("nothing was consumed"));
    }
    let artifact = shown.artifact()?;
    let ts = shown.consumed()?.record.ts;
    if ts < artifact.nbf || ts >= artifact.exp {
        return failed(format!("consumed at {ts}, and valid from {} to {}", artifact.nbf, artifact.exp));
    }
    let seen = shown.entry(1)?.header.at.since(ts);
    if (-MAX_SEEN_EARLY_MS..=MAX_SEEN_LATE_MS).contains(&seen) {
        return Ok(());
    }
    failed(format!("the ledger saw the consumption {seen} ms after it; -2000 to 60000 ms are allowed"))
}

/// The index has no revocation of it, or one that came after its consumption.
pub(super) fn unrevoked(shown: &Shown<'_>) -> Judged {
    let artifact = shown.artifact()?;
    let index = &shown.head()?.commitment.index;
    match shown.index("revoked")?.proves(index, &revoked_key(&artifact.id)) {
        Proves::Nothing => failed("the proof shows neither that the artifact is revoked nor that it is not"),
        Proves::Absent => {
            hold(shown.value.get("revocation").is_none(), "a revocation is shown that the index does not have")
        }
        Proves::Present(value) => {
            let (entry, event) = shown.shown_entry("revocation")?;
            revocation_of(artifact, &event)?;
            let indexed = value == revoked_value(&event.record.hash);
            hold(indexed, "the index has another revocation than the one that is shown")?;
            shown.included(&entry, &event)?;
            hold(shown.kind() != "unused", REVOKED_UNUSED)?;
            shown.consumed()?;
            let (revoked, consumed) = (entry.header.seq, shown.entry(1)?.header.seq);
            if revoked > consumed {
                return Ok(());
            }
            failed(format!("revoked in entry {revoked}, consumed only in entry {consumed}"))
        }
    }
}

fn revocation_of(artifact: &Artifact, event: &Event) -> Judged {
    let of_this = event.record.event == "authorization.revoked"
        && event.record.data_str("artifact") == Some(artifact.id.as_str());
    hold(of_this, "what is shown as the revocation is not one of this artifact")?;
    event.hashes_follow()
}
