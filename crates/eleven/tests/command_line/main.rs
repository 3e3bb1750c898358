//! The binary as people use it: a domain from nothing, its three processes, and every command against them.

mod auditing;
mod certificates;
mod demo;
mod disclosures;
mod doctrine;
mod domain;
mod foreign;
mod keeping;
mod lifetimes;
mod measuring;
mod operators;
#[path = "../../src/demo/port.rs"]
mod port;
mod processes;
mod refusals;
mod renewing;
mod replacing;
mod restarts;
mod surfaces;
mod unread;
mod upgrades;
mod verifying;
mod witness;
