//! Policy: what the Cedar text of a bundle decides (PROTOCOL 11).
//!
//! Pure: a decision is a function of a bundle and a [`DecisionInput`], and of nothing else. Text is read once, when a bundle
//! is compiled ([`CompiledPolicy`]); [`decide`] then only evaluates; [`replay`] does both for whoever holds no more than the
//! two documents. [`InForce`] finds the one policy that covers an operation on a runtime.
//!
//! What Cedar is given is measured first (`bounds`), and it works on a stack that suffices for that (`stack`): neither the
//! thread nor a text that somebody made for it changes a verdict, or ends the process.
//!
//! Whatever goes wrong denies. Cedar by itself skips a rule that fails to evaluate, which would lift an erroring `forbid`;
//! here any failing rule is `policy.error`, whatever the others say.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod bounds;
mod compile;
mod decide;
mod in_force;
mod notes;
mod place;
mod publish;
mod replay;
mod request;
mod slices;
mod stack;

pub use compile::{CompiledPolicy, PolicyError};
pub use decide::{Decision, Denial, decide};
pub use eleven_core::decision::DecisionInput;
pub use in_force::{InForce, NotInForce};
pub use replay::{Replay, explain, replay};

#[cfg(test)]
mod fixtures;
