//! `witness.quorum`: enough of the root's witnesses cosigned this very tree.

use super::{Judged, Stop, failed};
use crate::shown::Shown;
use alloc::format;

/// As many witnesses cosigned the checkpoint as the root's quorum asks for, and as many of them that audit as it asks.
/// Each public key counts once; a cosignature's own time is not judged.
pub(super) fn quorum(shown: &Shown<'_>) -> Judged {
    let witnesses = &shown.root()?.witnesses;
    if witnesses.keys.is_empty() {
        return Err(Stop::NotChecked("the root names no witnesses"));
    }
    let note = shown.note()?;
    let (all, auditors) = witnesses.cosigned(note);
    if all >= witnesses.quorum && auditors >= witnesses.auditors {
        return Ok(());
    }
    failed(format!(
        "{all} witnesses cosigned, {auditors} of them auditors; the root asks for {}, {} of them auditors",
        witnesses.quorum, witnesses.auditors
    ))
}
