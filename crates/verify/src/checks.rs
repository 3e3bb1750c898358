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

pub use artifact::REVOKED_UNUSED;

use crate::report::Check;
use crate::shown::Shown;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use eleven_core::form::FormError;
use eleven_core::signature::VerifyingKey;

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
pub(crate) enum CheckFn {
    /// It holds or not, and that is all.
    Of(fn(&Shown<'_>) -> Judged),
    /// It holds where these signatures do: they are looked at together with those of other checks, which takes a fraction
    /// of the time.
    OfSigned(fn(&Shown<'_>) -> Judged<Vec<Signed>>),
}

/// A signature that a check depends on, and whose it has to be.
#[must_use = "a check whose signatures nobody looks at has proved nothing"]
pub(crate) struct Signed {
    key: VerifyingKey,
    message: Vec<u8>,
    sig: [u8; 64],
    /// What is wrong where it is not.
    otherwise: String,
}

impl Signed {
    pub(crate) fn by(
        key: &VerifyingKey,
        message: impl Into<Vec<u8>>,
        sig: &[u8; 64],
        otherwise: impl Into<String>,
    ) -> Self {
        Self { key: key.clone(), message: message.into(), sig: *sig, otherwise: otherwise.into() }
    }
}

/// Runs the checks over a bundle, and looks at the signatures of all of them together.
pub(crate) fn run(checks: &[(&'static str, CheckFn)], shown: &Shown<'_>) -> Vec<Check> {
    let (mut judged, mut signed) = (Vec::with_capacity(checks.len()), Vec::new());
    for (place, (_, check)) in checks.iter().enumerate() {
        judged.push(match check {
            CheckFn::Of(check) => check(shown),
            CheckFn::OfSigned(check) => check(shown).map(|by| signed.extend(by.into_iter().map(|by| (place, by)))),
        });
    }
    let each: Vec<_> = signed.iter().map(|(_, by)| (&by.key, by.message.as_slice(), &by.sig)).collect();
    // The first of a check's that does not hold says why the check does not.
    for ((place, by), _) in signed.iter().zip(VerifyingKey::verify_each(&each)).filter(|(_, holds)| !holds) {
        if let Some(judged) = judged.get_mut(*place).filter(|judged| judged.is_ok()) {
            *judged = failed(by.otherwise.clone());
        }
    }
    checks.iter().zip(judged).map(|((name, _), judged)| Check::of(name, judged)).collect()
}

/// Looks at the signatures of one check by itself.
pub(crate) fn settled(signed: Judged<Vec<Signed>>) -> Judged {
    signed?.iter().try_for_each(|by| hold(by.key.verifies(&by.message, &by.sig), &by.otherwise))
}

/// Every check, in the order in which they are reported.
pub(crate) const CHECKS: [(&str, CheckFn); 26] = {
    use CheckFn::{Of, OfSigned};
    [
        ("bundle.form", Of(bundle::form)),
        ("root.pinned", Of(root::pinned)),
        ("root.signed", Of(root::signed)),
        ("registry.signed", OfSigned(registry::signed)),
        ("registry.committed", Of(registry::committed)),
        ("registry.records", Of(registry::records)),
        ("head.signed", OfSigned(head::signed)),
        ("head.checkpoint", Of(head::checkpoint)),
        ("head.sealed", OfSigned(head::sealed)),
        ("head.fresh", Of(head::fresh)),
        ("witness.quorum", Of(witness::quorum)),
        ("artifact.digest", Of(artifact::digest)),
        ("artifact.signature", OfSigned(artifact::signature)),
        ("lineage.order", Of(lineage::order)),
        ("lineage.chain", Of(lineage::chain)),
        ("lineage.chain_alt", Of(lineage::chain_alt)),
        ("lineage.signatures", OfSigned(lineage::signatures)),
        ("lineage.complete", Of(lineage::complete)),
        ("ledger.inclusion", Of(ledger::inclusion)),
        ("artifact.window", Of(artifact::window)),
        ("artifact.unrevoked", Of(artifact::unrevoked)),
        ("policy.hash", Of(policy::hash)),
        ("policy.published", OfSigned(policy::published)),
        ("policy.replay", Of(policy::replay)),
        ("attestation.signature", OfSigned(attestation::signature)),
        ("attestation.binding", Of(attestation::binding)),
    ]
};

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
