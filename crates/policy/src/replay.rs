//! Replaying a decision from its two documents (PROTOCOL 11.1, `policy.replay`).

use crate::compile::CompiledPolicy;
use crate::decide::{Decision, Denial, decide};
use eleven_core::decision::DecisionInput;
use eleven_core::encoding::Value;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;

/// What a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The bundle permits the input.
    Permits,
    /// It denies it.
    Denies(Reason),
    /// The bundle does not compile, or the input is not a decision input.
    Unreadable,
}

/// Decides `input` by `bundle` once more. Whether the input is the recorded one is the caller's to check: its digest stands
/// in `authorization.issued` as `data.request`. A bundle that is not the input's is not compiled.
#[must_use]
pub fn replay(bundle: &PolicyBundle, input: &Value) -> Replay {
    let Ok(input) = DecisionInput::read(input.clone()) else { return Replay::Unreadable };
    if input.policy != bundle.id() {
        return Replay::Denies(Reason::PolicyMismatch);
    }
    let Ok(policy) = CompiledPolicy::compile(bundle) else { return Replay::Unreadable };
    match decide(&policy, &input) {
        Decision::Permit { .. } => Replay::Permits,
        Decision::Deny(denial) => Replay::Denies(denial.reason),
    }
}

/// What beside the reason stands behind a denial: the rule, what was wrong, what would pass. `None` where the bundle permits the input,
/// or one of them is unreadable.
#[must_use]
pub fn explain(bundle: &PolicyBundle, input: &Value) -> Option<Denial> {
    let input = DecisionInput::read(input.clone()).ok()?;
    match decide(&CompiledPolicy::compile(bundle).ok()?, &input) {
        Decision::Permit { .. } => None,
        Decision::Deny(denial) => Some(denial),
    }
}

#[cfg(test)]
mod tests;
