//! Witnesses (PROTOCOL 7, C2SP tlog-witness): who remembers the last checkpoint of a log and cosigns the next only where
//! it contains that one. A ledger that shows two histories then needs a witness that forgets or lies.
//!
//! [`AddCheckpoint`] is what goes over the wire, [`Witness`] the state machine without IO, [`WitnessServer`] the service: a
//! log in which a checkpoint is durable before it is cosigned, and the HTTP surface. `collect` is the ledger's side: it asks
//! the witnesses of the trust root for each head.
//!
//! A witness that also replays the ledger, an auditor, is the same server behind a [`Gate`] that it opens only for a tree
//! that it has recomputed.

mod ahead;
mod collect;
mod keep;
mod request;
mod serve;
mod state;
mod stepped;
#[cfg(test)]
mod tests;

pub(crate) use ahead::Ahead;
pub use collect::put;
pub(crate) use collect::{collect, is_by};
pub use request::{AddCheckpoint, size};
pub use serve::{Gate, Held, Open, Settings, WitnessError, WitnessServer};
pub use state::{Evidence, Judgement, Log, Refusal, Seen, Signed, Witness};
pub use stepped::SteppedWitness;
