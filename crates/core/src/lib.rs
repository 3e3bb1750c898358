//! The 11/11 protocol and nothing else: encoding, hashes, signatures, artifacts, events, chains, proofs and the registry
//! fold.
//!
//! Everything here is a function of its inputs. There is no IO, no clock and no randomness: time and random bytes come in
//! as values, signatures through a [`signature::Signer`]. What an implementation in another language has to agree with,
//! byte for byte, is in this crate; `spec/vectors` fixes it.
//!
//! Read in this order: [`encoding`] and [`form`] (how bytes become values and values become structures), [`artifact`]
//! (what is authorised), [`decision`] (what that depends on), [`event`] and [`lineage`] (what happened), [`chain`],
//! [`tree`], [`index`] and [`head`] (how it is committed), [`registry`] (who may speak).
#![no_std]

extern crate alloc;

pub mod artifact;
pub mod attestation;
pub mod chain;
pub mod decision;
pub mod disclosure;
pub mod encoding;
pub mod event;
pub mod form;
pub mod hash;
pub mod head;
pub mod id;
pub mod index;
pub mod limits;
pub mod lineage;
pub mod name;
pub mod policy;
pub mod reason;
pub mod recovery;
pub mod registry;
pub mod root;
pub mod signature;
pub mod subject;
pub mod tile;
pub mod time;
pub mod tree;
