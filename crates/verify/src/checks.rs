//! The checks (PROTOCOL 11.1), in their order and by their names, a function each.
//!
//! A check returns `Ok` where it holds and stops with a reason where it does not, or where there is nothing for it to
//! check. A check over nothing fails.

mod artifact;
mod attestation;
mod bundle;
mod head;
mod ledger;
mod lineage;
mod policy;
pub(crate) mod registry;
pub(crate) mod root;
mod witness;

use crate::shown::Shown;
use alloc::borrow::ToOwned;
use alloc::string::String;
use eleven_core::form::FormError;

/// Why a check did not come to its end.
pub(crate) enum Stop {
    /// It does not hold, or what it reads is malformed or missing.
    Failed(String),
    /// It does not apply, or there was no input for it.
    NotChecked(&'static str),
}

/// What a check comes to.
pub(crate) type Judged<T = ()> = Result<T, Stop>;

/// A check over a bundle.
pub(crate) type CheckFn = fn(&Shown<'_>) -> Judged;

/// Every check, in the order in which they are reported.
pub(crate) const CHECKS: [(&str, CheckFn); 26] = [
    ("bundle.form", bundle::form),
    ("root.pinned", root::pinned),
    ("root.signed", root::signed),
    ("registry.signed", registry::signed),
    ("registry.committed", registry::committed),
    ("registry.records", registry::records),
    ("head.signed", head::signed),
    ("head.checkpoint", head::checkpoint),
    ("head.sealed", head::sealed),
    ("head.fresh", head::fresh),
    ("witness.quorum", witness::quorum),
    ("artifact.digest", artifact::digest),
    ("artifact.signature", artifact::signature),
    ("lineage.order", lineage::order),
    ("lineage.chain", lineage::chain),
    ("lineage.chain_alt", lineage::chain_alt),
    ("lineage.signatures", lineage::signatures),
    ("lineage.complete", lineage::complete),
    ("ledger.inclusion", ledger::inclusion),
    ("artifact.window", artifact::window),
    ("artifact.unrevoked", artifact::unrevoked),
    ("policy.hash", policy::hash),
    ("policy.published", policy::published),
    ("policy.replay", policy::replay),
    ("attestation.signature", attestation::signature),
    ("attestation.binding", attestation::binding),
];

impl Stop {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Failed(text) => text,
            Self::NotChecked(text) => text.to_owned(),
        }
    }
}

impl From<FormError> for Stop {
    fn from(error: FormError) -> Self {
        Self::Failed(error.0)
    }
}

/// The check does not hold.
pub(crate) fn failed<T>(detail: impl Into<String>) -> Judged<T> {
    Err(Stop::Failed(detail.into()))
}

/// The check holds only where `condition` does.
pub(crate) fn hold(condition: bool, detail: &str) -> Judged {
    if condition { Ok(()) } else { failed(detail) }
}
