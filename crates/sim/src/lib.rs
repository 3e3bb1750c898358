//! # sim: a domain in one thread, one seed, one run
//!
//! A ledger, the authority's event stream, enforcement points and witnesses, on simulated clocks, disks and a network that
//! loses, delays, doubles and reorders. What is simulated is the world; what runs in it is the product: the ledger's rules,
//! commit point, recovery, seals and heads ([`eleven_ledger::SteppedLedger`]), the segment log on its faulty disk, the
//! point's admission, journal and forwarding ([`eleven_enforce`], [`eleven_runtime::Outbox`]), and the witness with its log
//! ([`eleven_ledger::witness::SteppedWitness`]).
//!
//! A run has two parts. In the first, chance cuts links, fails and tears writes, fills disks, steps clocks and kills
//! processes and machines at any operation of their disks. Then the world heals, and everything has to come to rest. What
//! must hold is checked at every step by [`history`] and, from the bytes alone, by [`replica`]:
//!
//! - what was acknowledged is never lost, and an open answer is resolved by sending the same again, to exactly once;
//! - a head never goes back, and two of one size differ in nothing but time, key and signature;
//! - chains, tree, index and registry, computed again from the entries, are those that the heads commit to;
//! - nothing ran whose start was not durable, and nothing ran twice;
//! - what a witness signed is of one history, across its own crashes;
//! - after a failed commit a process stops, and what recovers is the code that commits;
//! - in the end every stream is whole in the ledger, every lineage closed, every witness at the last head.
//!
//! ```
//! let report = eleven_sim::run(7, &eleven_sim::Options::default()).unwrap_or_else(|failure| panic!("{failure}"));
//! assert!(report.entries > 0 && report.heads > 0);
//! ```
//!
//! **Assumed**, as the authority's stream assumes it: what a killed process had sent has arrived or is lost by the time
//! its successor asks where it stands. **Left out**: HTTP, Cedar, identity, the registry's own requests.

mod chaos;
mod domain;
pub mod history;
mod issuer;
mod lazy;
mod ledger;
mod node;
mod point;
pub mod replica;
mod witness;
mod world;

pub use history::Report;
pub use world::{Failure, run};

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long faults go on, in simulated milliseconds.
    pub trouble: u64,
    /// How long everything may take to come to rest afterwards, in simulated milliseconds.
    pub rest: u64,
    /// A part that is broken on purpose, to show that it is noticed.
    pub flaw: Option<Flaw>,
}

impl Default for Options {
    fn default() -> Self {
        Self { trouble: 10_000, rest: 60_000, flaw: None }
    }
}

/// A part that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The ledger's disk says that a sync is done and has done nothing: acknowledging before it is durable.
    LazySync,
    /// A point reaches its upstream before the commit of consumption and start.
    EagerPermit,
    /// The authority gives the number of a record whose fate is open to another record.
    NumberGivenTwice,
    /// A witness's disk says that a sync is done and has done nothing: it answers before its state is durable.
    ForgetfulWitness,
    /// A point that was refused a record never asks where it stands.
    StubbornPoint,
}
