//! Enforcement without IO: what an enforcement point decides, from what it holds, on its own machine.
//!
//! One governed operation passes through here in one direction, and each step consumes the one before it:
//!
//! 1. [`admission::admit`]: the numbered steps 1 to 16 of PROTOCOL 4.1, from the token to the audit bound. Gives
//!    [`admission::Admitted`] or [`denial::Denial`].
//! 2. [`journal::Journal::open`]: step 17, the use, taken at once and never given back; makes the records of consumption,
//!    admission and start. Gives [`permit::Opened`].
//! 3. The driver commits those records. Only a proof that exactly they are durable turns `Opened` into a
//!    [`permit::Permit`] (step 18). What runs a workload takes a `Permit` by value.
//! 4. [`journal::Journal::close`]: attestation, outcome and evidence, one commit, before the response ends.
//!
//! **Invariant**: there is no other way to a `Permit`, and a `Permit` is consumed by running. **Invariant**: nothing here
//! reads a clock, draws a random number or does IO; the same inputs give the same decision and the same bytes.

#![no_std]

extern crate alloc;

pub mod admission;
pub mod conformance;
pub mod containment;
pub mod denial;
pub mod journal;
pub mod permit;
pub mod uses;
