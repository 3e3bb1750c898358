//! The paths of PROTOCOL 12, and those that this implementation has besides; `spec/http.md` says what each is for. The
//! gateway's own are its upstream's.

use std::fmt::Write as _;

/// Decide and issue (authority).
pub const GOVERN_EXECUTE: &str = "/v1/govern/execute";
/// Admit a presented artifact (runtime).
pub const RUNTIME_ADMIT: &str = "/runtime/admit";
/// Complete an admission (runtime).
pub const RUNTIME_COMPLETE: &str = "/runtime/complete";
/// Show what opens an operation's commitments (runtime).
pub const RUNTIME_DISCLOSURES_OPEN: &str = "/runtime/disclosures/open";
/// Erase what opens an operation's commitments (runtime).
pub const RUNTIME_DISCLOSURES_ERASE: &str = "/runtime/disclosures/erase";
/// Exchange a credential for an identity token (authority).
pub const IDENTITY_TOKEN: &str = "/v1/identity/token";
/// Append events (ledger).
pub const AUDIT_EVENTS: &str = "/v1/audit/events";
/// The last `src_seq` of a key (ledger); the kid follows, percent-encoded.
pub const AUDIT_CURSOR: &str = "/v1/audit/cursor/";
/// Lineages that the asking point left open under keys that are closed (ledger).
pub const AUDIT_OPEN: &str = "/v1/audit/open";
/// Entries in order, for the registry fold of another corner and for auditors (ledger). Those that make an epoch are shown as
/// the registry is; all others where the exposure setting is `open`, and to auditors.
pub const AUDIT_ENTRIES: &str = "/v1/audit/entries";
/// A blob by its hash (ledger).
pub const AUDIT_BLOB: &str = "/v1/audit/blobs/";
/// The content that stands in the ledger's log before a range of entries (ledger).
pub const AUDIT_CONTENT: &str = "/v1/audit/content";
/// The signed head (ledger).
pub const PROOF_HEAD: &str = "/v1/proof/head";
/// The heads before it (ledger).
pub const PROOF_HEADS: &str = "/v1/proof/heads";
/// A C2SP tlog-proof of one entry (ledger); its number or the operation's id follows.
pub const PROOF_TLOG: &str = "/v1/proof/tlog/";
/// The C2SP checkpoint (ledger).
pub const CHECKPOINT: &str = "/checkpoint";
/// Tiles of the tree and of the entries (ledger); the name of the tile follows.
pub const TILE: &str = "/tile/";
/// A lineage's events (ledger); the operation id follows.
pub const PROOF_LINEAGE: &str = "/v1/proof/lineage/";
/// A proof bundle (ledger); the operation id follows.
pub const PROOF_BUNDLE: &str = "/v1/proof/bundle/";
/// Why an operation was refused, or how it ended (ledger); the operation id follows.
pub const PROOF_WHY: &str = "/v1/proof/why/";
/// That an entry is in the tree (ledger).
pub const PROOF_INCLUSION: &str = "/v1/proof/inclusion";
/// That a larger tree contains a smaller one (ledger).
pub const PROOF_CONSISTENCY: &str = "/v1/proof/consistency";
/// That the index lacks an operation (ledger).
pub const PROOF_EXCLUSION: &str = "/v1/proof/exclusion";
/// Lineages by what they name (ledger; as far as the exposure setting lets).
pub const AUDIT_SEARCH: &str = "/v1/audit/search";
/// Issuers with their windows and what became of them (authority, ledger).
pub const REGISTRY_ISSUERS: &str = "/v1/registry/issuers";
/// What is revoked and contained (authority, ledger).
pub const REGISTRY_REVOCATIONS: &str = "/v1/registry/revocations";
/// Which policies were in force when (ledger).
pub const REGISTRY_POLICY_HISTORY: &str = "/v1/registry/policies";
/// The trust root (authority, ledger); a version's number may follow.
pub const REGISTRY_ROOT: &str = "/v1/registry/root";
/// The same with that number, as it is routed.
pub const REGISTRY_ROOT_VERSION: &str = "/v1/registry/root/{version}";
/// The registry snapshot (authority).
pub const REGISTRY_SNAPSHOT: &str = "/v1/registry/snapshot";
/// The registry stamp (authority).
pub const REGISTRY_STAMP: &str = "/v1/registry/stamp";
/// A policy bundle by hash (authority, ledger); the hash follows.
pub const REGISTRY_POLICIES: &str = "/v1/registry/policies/";
/// Epochs and stamps as they come (authority, SSE).
pub const REGISTRY_WATCH: &str = "/v1/registry/watch";
/// An operator's signed act (authority, loopback only).
pub const ADMIN_ACT: &str = "/v1/admin/act";
/// Liveness and readiness of a corner.
pub const HEALTH: &str = "/health";
/// Counters of a corner, Prometheus text.
pub const METRICS: &str = "/metrics";
/// A checkpoint to be cosigned (witness, C2SP tlog-witness).
pub const ADD_CHECKPOINT: &str = "/add-checkpoint";
/// What a witness has seen of each log that it watches.
pub const WITNESS_LOGS: &str = "/v1/witness/logs";
/// The checkpoints that contradict each other, as a witness keeps them.
pub const WITNESS_EVIDENCE: &str = "/v1/witness/evidence";

/// Text as one segment of a path, or as a value in a query (RFC 3986): everything but unreserved characters escaped.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let written = write!(out, "%{byte:02X}");
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_segment_of_a_path() {
        assert_eq!(percent_encoded("key:11-11/prod/2026-q2"), "key%3A11-11%2Fprod%2F2026-q2");
        assert_eq!(percent_encoded("a.b_c~d-e"), "a.b_c~d-e");
    }
}
