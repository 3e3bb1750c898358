//! The authority over a real ledger, both in this process and on loopback: what it answers, what it makes durable, and
//! what it does while the ledger does not answer.
#![allow(missing_docs, reason = "tests")]

mod drift;
#[path = "../../src/fixtures.rs"]
#[allow(dead_code, reason = "each test crate takes what it needs of the fixtures")]
mod fixtures;
mod govern;
mod operators;
mod outages;
mod relay;
mod serving;
mod world;
