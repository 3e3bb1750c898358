//! The registry (PROTOCOL 11): who may speak, which policies are in force, what is revoked and contained.
//!
//! It is a fold over the ledger's entries and nothing else. [`Fold`] makes it, epoch by epoch; [`Snapshot`] and [`Stamp`]
//! are how the authority serves it; [`View`] is what an enforcement point makes of the two. The records of its lists are
//! in [`records`], the lists in [`Lists`]; the tree that commits to them is a [`crate::index`]. What was, [`history`] keeps;
//! how much of it strangers may read is [`exposure`].

mod data;
mod error;
pub mod exposure;
mod fold;
pub mod history;
mod lists;
pub mod pattern;
mod peer;
pub mod records;
pub mod retention;
mod rules;
mod snapshot;
mod view;

pub use data::{ApprovedInterface, GrantedKey, PublishedPolicy, genesis, statement};
pub use error::FoldError;
pub use fold::Fold;
pub use lists::{List, Lists};
pub use peer::{CONSTRAINTS, PeerStatement};
pub use records::{
    ContainmentRecord, ContainmentState, InterfaceRecord, Item, PolicyRecord, RevokedRecord, RuntimeRecord,
    SourceRecord,
};
pub use snapshot::{Header, Snapshot, Stamp, is_fresh};
pub use view::{KeyTables, View, ViewError, ViewKey};
