//! What may be appended (PROTOCOL 6.1), and what an appended record changes. Pure: no IO, no clock, no randomness.
//!
//! A record is read and verified into a [`Verified`] wherever there is a core to spare; [`Book::judge`] decides on it and
//! [`Book::apply`] takes it, both on the one writer's thread. Recovery, the conformance kit and `fsck` replay entries
//! through the same two functions, so there is one set of rules.

mod book;
mod broken;
mod candidate;
mod cursor;
mod judge;
mod operations;
mod refusal;
mod subjects;
#[cfg(test)]
mod tests;

pub use book::{Applied, Book};
pub use broken::BrokenStream;
pub use candidate::{Candidate, Hashed, Mark, OpKey, Verified, encoded};
pub use cursor::Last;
pub use judge::{Accepted, Judgement};
pub use refusal::Refusal;

/// Whether an event belongs to the lineage of an operation (PROTOCOL 5.1).
#[must_use]
pub fn is_of_operation(event: &str) -> bool {
    matches!(
        event,
        "authorization.issued"
            | "authorization.consumed"
            | "admission.granted"
            | "execution.started"
            | "attestation.signed"
            | "execution.completed"
            | "execution.failed"
            | "execution.interrupted"
            | "evidence.committed"
    )
}
