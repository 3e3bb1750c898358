//! Names of members. Those that the protocol's own structures use need no memory of their own.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::String;
use core::ops::Deref;

/// The name of a member: a constant where it is one of the protocol's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Cow<'static, str>);

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(known(name).map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed))
    }
}

impl From<&String> for Name {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(known(&name).map_or(Cow::Owned(name), Cow::Borrowed))
    }
}

/// The members that events, artifacts and what carries them are made of. One that is missing here costs an allocation
/// where it is read, and nothing else.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "action", "alg", "allow", "approvals", "args", "artifact", "artifact_id", "at", "attestation", "attestation_id",
    "attrs", "aud", "audit", "bind", "bind_params", "blobs", "body", "bytes", "by", "calls", "canonical", "cause",
    "cedar", "chain", "chash", "code", "comm", "config", "consumed", "context", "count", "cursor", "data", "decision",
    "delegates", "detail", "details", "digest", "digests", "domain", "durability", "effect", "end", "entries", "entry",
    "env", "envelope", "environment", "epoch", "error", "event", "event_hash", "event_hash_alt", "events", "evidence",
    "exp", "facts", "fingerprint", "first", "from", "groups", "hash", "hash_alt", "header", "id", "identity", "in",
    "index", "input", "iss", "issued", "issuer", "issuers", "items", "jti", "keyid", "kid", "kind", "last", "level",
    "lineage", "mapping", "message", "meta", "method", "mfa", "mode", "n", "name", "nbf", "next", "nonce", "note",
    "now", "number", "op", "operation", "operations", "org", "out", "outcome", "output", "owner", "params", "path",
    "payload", "payloadType", "per", "point", "pol", "policy", "policy_required", "predicate", "predicateType", "prev",
    "prev_alt", "prev_hash", "prev_hash_alt", "principal", "prod", "proof", "public", "purpose", "reason", "reasons",
    "record", "records", "ref", "region", "registry", "regime", "release", "request", "resource", "result", "revocation",
    "role", "roles", "root", "rule", "rules", "run", "runtime", "salt", "sas", "schema", "scope", "sensitive", "seq",
    "sig", "sigs", "signatures", "size", "sources", "src_seq", "start", "started", "state", "statement", "status",
    "step", "steps", "sub", "subject", "target", "tenancy", "terms", "time", "tip", "tip_alt", "to", "token", "tool",
    "ts", "ttl", "type", "uri", "use", "used", "uses", "v", "val", "value", "version", "view", "window", "_type",
    "model", "messages", "content", "stream", "temperature", "max_tokens",
];

const SLOTS: usize = 1024;

/// [`NAMES`] by [`slot`], the next free one where that is taken; "" where there is none. Behind the last slot there is
/// room for those that find none before.
#[expect(clippy::indexing_slicing, reason = "computed when it is compiled")]
static TABLE: [&str; SLOTS + 16] = {
    let mut table = [""; SLOTS + 16];
    let mut n = 0;
    while n < NAMES.len() {
        let mut at = slot(NAMES[n].as_bytes());
        while !table[at].is_empty() {
            at += 1;
        }
        table[at] = NAMES[n];
        n += 1;
    }
    table
};

/// A place that follows from length and ends of a name.
#[expect(clippy::indexing_slicing, reason = "of a name that is not empty, within its length")]
const fn slot(name: &[u8]) -> usize {
    let (n, half) = (name.len(), name.len() / 2);
    let (first, middle, last) = (name[0] as usize, name[half] as usize, name[n - 1] as usize);
    (n * 83 + first * 37 + middle * 11 + last * 5) % SLOTS
}

fn known(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return None;
    }
    let places = TABLE.get(slot(name.as_bytes())..).unwrap_or_default();
    places.iter().take_while(|found| !found.is_empty()).find(|found| **found == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for name in NAMES {
            assert_eq!(known(name), Some(*name));
            assert_eq!(known(&alloc::format!("{name}_")), None);
        }
        assert_eq!((known(""), known("é"), known("Event")), (None, None, None));
        let probes = |name: &str| TABLE[slot(name.as_bytes())..].iter().take_while(|found| **found != name).count();
        let most = NAMES.iter().map(|name| probes(name)).max();
        assert!(most <= Some(4), "a name takes {most:?} steps to find");
    }
}
