//! What has to hold for any bytes at all that reach a parser or a decision: one function for each place where bytes of
//! others come in, which panics where it does not hold.
//!
//! Two things drive them: the seeded mutator of [`mutate`], on stable, as an ordinary test (`tests/mutate.rs`), and the
//! guided fuzzer of `fuzz/`, on nightly. Both begin with what the vectors of the specification hold ([`vectors`]).
//!
//! Beyond "no panic" the properties are of three kinds: what is read is written again as it was; what is read keeps the
//! limits it was read under and fits where it has to stand next; and nothing but what was signed is verified or permitted.

pub mod admission;
pub mod bundle;
pub mod encoding;
mod evidence;
pub mod http;
pub mod identity;
pub mod ledger;
pub mod mutate;
pub mod policy;
pub mod signatures;
pub mod structures;
pub mod vectors;

use mutate::Shape;

/// A place where bytes of others come in.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of the fuzz target and of the test.
    pub name: &'static str,
    /// Where the JSON is in its inputs, for the mutator.
    pub shape: Shape,
    /// What has to hold; panics where it does not.
    pub run: fn(&[u8]),
    /// Inputs to begin with, good ones and bad ones.
    pub corpus: fn() -> Vec<Vec<u8>>,
}

const fn target(name: &'static str, shape: Shape, run: fn(&[u8]), corpus: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, shape, run, corpus }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("encoding", Shape::Json, encoding::run, encoding::corpus),
    target("artifact", Shape::Json, structures::artifact, structures::artifacts),
    target("token", Shape::Base64Url, structures::token, structures::tokens),
    target("event", Shape::Json, structures::event, structures::events),
    target("registry", Shape::Json, structures::registry, structures::registries),
    target("journal", Shape::Tagged, ledger::journal, ledger::lines),
    target("entry", Shape::Json, ledger::entry, ledger::entries),
    target("checkpoint", Shape::Text, ledger::checkpoint, ledger::checkpoints),
    target("policy", Shape::Json, policy::bundle, policy::bundles),
    target("decision", Shape::Json, policy::decision, policy::decisions),
    target("bundle", Shape::Json, bundle::run, bundle::corpus),
    target("admission", Shape::Base64Url, admission::presented, structures::tokens),
    target("admission_case", Shape::Json, admission::case, admission::cases),
    target("identity", Shape::Jwt, identity::presented, identity::tokens),
    target("identity_claims", Shape::Json, identity::claims, identity::claim_sets),
    target("http", Shape::Json, http::run, http::corpus),
    target("signature", Shape::Text, signatures::run, signatures::corpus),
];

/// The target of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
