//! The proving corner: it takes the signed events of the others, orders, chains and commits them, signs heads over them,
//! and proves from then on what happened. It decides nothing and runs nothing.
//!
//! The way of an event, in the order in which the code reads:
//!
//! 1. `receive`: the records of a POST are read, hashed and verified on whatever core is free.
//! 2. [`rules`]: each is judged by PROTOCOL 6.1, and what it changes is folded. Pure; recovery, [`fsck()`] and the
//!    [`conformance`] kit replay through the same code.
//! 3. `audit`: the one commit point. Entries and the content that they name go into one log in one commit.
//! 4. `seal`, `heads`, `history`: every second `ledger.sealed` closes what came, and a head over it is signed, stored,
//!    shown; those that were can be asked for.
//! 5. `registry`: the authority's signed header is held against what was folded here, and kept.
//! 6. [`witness`]: the witnesses of the root are asked to cosign each head; and the service of a witness itself.
//! 7. `lineage`, `proof`, `tiles`, `serve`: lineages, proofs and the ledger itself under the last head, by HTTP.
//! 8. `records`, `search`: what the registry was, and which lineages name whom; how much strangers are shown of all this the
//!    domain's exposure setting says (`serve::gate`).
//!
//! Opening replays the log, or goes on from what a replay would come to, as an orderly end saved it (`saved`).
//!
//! And from the outside: [`fsck()`] checks a ledger's files, [`follow`] another's ledger as it grows; both by the replay
//! that opening runs.
//!
//! **Invariants**: one writer, one commit point; nothing is answered before it is durable; nothing is state of record but
//! the log; after a failed sync the process stops ([`Ledger::serve`] returns an error and its caller exits).

mod archive;
mod audit;
mod backup;
mod chunked;
pub mod conformance;
mod end;
mod error;
pub mod follow;
mod fsck;
mod heads;
mod history;
mod home;
mod keys;
mod ledger;
mod lineage;
pub mod load;
mod places;
mod proof;
mod receive;
mod records;
mod recover;
mod registry;
mod retention;
pub mod rules;
mod saved;
mod seal;
mod search;
mod serve;
mod settings;
mod size;
mod state;
mod stepped;
mod stored;
mod thread_guard;
mod tiles;
pub mod witness;
#[cfg(test)]
mod world;

pub use archive::{Archived, archive};
pub use backup::{Copied, Known, backup, checkpoint_of, head_of, restore, tree_at};
pub use error::LedgerError;
pub use fsck::{Progress, Sound, fsck};
pub use heads::HeadError;
pub use ledger::Ledger;
pub use recover::{Met, Pass, ReplayError};
pub use search::{Reindexed, reindex};
pub use settings::{Settings, Signers};
pub use size::{Part, Size, size};
pub use stepped::{SteppedLedger, WireAnswer};
