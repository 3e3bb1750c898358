//! `root.*`: the roots lead from one that the caller has to the one in force.

use super::{Judged, Stop, failed};
use crate::caller::Caller;
use crate::shown::Shown;
use alloc::format;
use eleven_core::encoding::Value;
use eleven_core::root::TrustRoot;

/// One of the roots is the caller's, signatures apart: of a root that more keys signed since, it is still the same.
pub(crate) fn pinned(shown: &Shown<'_>) -> Judged {
    let Some(pinned) = shown.caller.root else { return Err(Stop::NotChecked("no root was given to compare with")) };
    let body = |root: &Value| root.as_object().map(|root| root.canonical_without(&["sigs"]));
    let roots = shown.value.get("roots").and_then(Value::as_array).unwrap_or_default();
    let wanted = body(pinned.value());
    if wanted.is_some() && roots.iter().any(|root| body(root) == wanted) {
        return Ok(());
    }
    failed(format!("none of the {} roots in the bundle is the one that was given", roots.len()))
}

/// Each root is signed by its own threshold and by that of the one before; the last is in force at the head.
pub(super) fn signed(shown: &Shown<'_>) -> Judged {
    chained(shown.roots()?, shown.caller)?;
    let (root, at) = (shown.root()?, shown.head()?.at);
    if root.in_force(at) {
        return Ok(());
    }
    failed(format!("root {} is in force from {} to {}, not at {at}", root.version, root.nbf, root.exp))
}

/// Each root is signed by its own threshold and by that of the one before.
pub(crate) fn chained(roots: &[TrustRoot], caller: &Caller<'_>) -> Judged {
    let seen = |root: &&TrustRoot| caller.root.is_some_and(|pinned| pinned.is_signed(root));
    for root in roots.iter().filter(|root| !seen(root)) {
        root.verify_own().or_else(|error| failed(format!("root {}: {error}", root.version)))?;
    }
    for (previous, root) in roots.iter().zip(roots.iter().skip(1)) {
        root.succeeds(previous).or_else(|error| failed(format!("root {}: {error}", root.version)))?;
    }
    Ok(())
}
