//! Verifying a proof bundle: one file in, 26 named checks out (PROTOCOL 11.1); and evidence that a ledger told two
//! histories ([`equivocation`]).
//!
//! A bundle shows one operation: what was authorised, by whom and under which policy, what ran and what came of it, and
//! that a witnessed ledger holds all of this and nothing else about it. Whoever checks needs the file, the domain's trust
//! root, and nobody's word. There is no network here, no clock and no IO.
//!
//! The story that the checks tell, from the root down:
//!
//! 1. [`bundle.form`](bundle) — it is a bundle, and holds no more than one.
//! 2. `root.*` — the caller's trust root is among its roots, and each root follows from the one before.
//! 3. `registry.*` — the keys, and the point's registration, stand in the registry that the head commits to.
//! 4. `head.*` — the ledger's key signed the head; the tree's last entry, which the witnesses cosigned with it, names
//!    the index, the registry and both chains.
//! 5. `witness.quorum` — enough witnesses saw this very tree.
//! 6. `artifact.*` — the authorisation is whole, signed by its issuer, was used in its time and not revoked before.
//! 7. `lineage.*` — the events are in order, chained twice, signed by whom they name, and the index has exactly these.
//! 8. `ledger.inclusion` — the tree holds every one of them.
//! 9. `policy.*` — the policy was published, covers the operation, its terms were kept, and it decides the same again.
//! 10. `attestation.*` — the point that ran it signed what it did, and that agrees with all the rest.
//!
//! Each check stands alone, in `checks`, one function each, and reads what it needs through `shown`: a member that is
//! malformed fails the checks that read it, and no other.
//!
//! Who needs an operation shown says of which kind, and with which root it goes: without a root the best verdict is
//! [`Unpinned`](Verdict::Unpinned), which any file comes to that agrees with itself, whoever made it; and without a kind
//! evidence that the ledger left the operation out is [`Verified`](Verdict::Verified), too, since that is what it proves.
//!
//! ```
//! use eleven_verify::{Caller, Kind, Pinned, Verdict, parse_file, verify_bytes};
//!
//! /// Whether a file shows that this operation was run, to whatever outcome, in the domain of a root that was pinned.
//! fn was_run(file: &[u8], op: &str, root: &Pinned) -> bool {
//!     let caller = Caller { root: Some(root), kind: Some(Kind::Execution), op: Some(op), ..Caller::default() };
//!     verify_bytes(file, &caller).is_ok_and(|report| report.verdict == Verdict::Verified)
//! }
//!
//! # let read = |name: &str| std::fs::read(format!("{}/../../spec/vectors/{name}", env!("CARGO_MANIFEST_DIR")));
//! // The root comes by another way than the proof.
//! let root = Pinned::new(parse_file(&read("root.json")?)?);
//! let (file, op) = (read("bundle.proof.json")?, "9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM41");
//! assert!(was_run(&file, op, &root));
//! assert!(!was_run(&file, "RJ8P0YJAKVARKDXKQ66SFY1PA5VPZ1A7", &root), "it is another operation's");
//! assert!(!was_run(b"{}", op, &root));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file is read whole before it is verified: who takes files from strangers reads at most
//! [`MAX_PROOF_FILE`](eleven_core::limits::MAX_PROOF_FILE) bytes of one, as `eleven verify` does.
#![no_std]

extern crate alloc;

pub mod bundle;
mod caller;
mod checks;
pub mod equivocation;
pub mod range;
mod report;
mod shown;

pub use bundle::{Bundle, Kind};
pub use caller::{Caller, Keys, Pinned, Replay, ReplayResult};
pub use checks::REVOKED_UNUSED;
pub use report::{Check, EXIT_NOT_I_JSON, EXIT_USAGE, Report, Status, Verdict};

use eleven_core::encoding::{EncodingError, Value, parse_at_most};
use eleven_core::limits::MAX_BUNDLE;

/// How many values a proof file may hold: in its canonical encoding, which has a limit, each takes two bytes or more, with
/// what parts it from the next. A file that is written otherwise is larger, and what it is parsed into larger still.
const MAX_VALUES: usize = MAX_BUNDLE / 2 + 1;

/// The names of the checks, in the order in which they run and are reported.
pub fn check_names() -> impl ExactSizeIterator<Item = &'static str> {
    checks::CHECKS.iter().map(|(name, _)| *name)
}

/// Runs every check over a bundle, in the order of PROTOCOL 11.1.
///
/// Nothing in a bundle makes this fail in another way than by a failed check: a value that is no bundle at all fails most
/// of them.
#[must_use]
pub fn verify(bundle: &Value, caller: &Caller<'_>) -> Report {
    let shown = shown::Shown::read(bundle, caller);
    Report::new(bundle, caller.root.is_some(), checks::run(&checks::CHECKS, &shown))
}

/// Parses the bytes of a bundle, or of [evidence of equivocation](equivocation).
///
/// # Errors
/// Where the bytes are not I-JSON as PROTOCOL 1 restricts it: the exit status for that is [`EXIT_NOT_I_JSON`]. And
/// [`TOO_MUCH`](eleven_core::encoding::TOO_MUCH) where they hold more values than any file that is within its limit: the
/// exit status for that is [`EXIT_USAGE`].
pub fn parse_file(bytes: &[u8]) -> Result<Value, EncodingError> {
    parse_at_most(bytes, MAX_VALUES)
}

/// [`parse_file`], and runs every check of what was parsed: [`verify`] of a bundle, [`equivocation::verify`] of evidence. Which
/// of the two it was, the report does not say but by its `kind`; who asks for a [`kind`](Caller::kind) gets no evidence verified.
///
/// # Errors
/// As [`parse_file`].
pub fn verify_bytes(bytes: &[u8], caller: &Caller<'_>) -> Result<Report, EncodingError> {
    let value = parse_file(bytes)?;
    Ok(if equivocation::is_evidence(&value) { equivocation::verify(&value, caller) } else { verify(&value, caller) })
}

#[cfg(test)]
mod tests;
