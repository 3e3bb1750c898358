//! Whether the right keys signed: from the pinned root to every event of the range.

use super::super::facts::Facts;
use super::Verdict;
use super::case::Case;
use super::integrity::said;
use eleven_core::encoding::Value;
use eleven_core::head::checkpoint::Note;
use eleven_verify::Pinned;
use eleven_verify::range::head_counts;

pub(super) const NAME: &str = "signers";

/// The checks of a proof file that are about who signed.
pub(super) const CHECKS: [&str; 10] = [
    "root.pinned",
    "root.signed",
    "registry.signed",
    "head.signed",
    "head.checkpoint",
    "witness.quorum",
    "artifact.signature",
    "lineage.signatures",
    "policy.published",
    "attestation.signature",
];

/// Judges.
pub(super) fn judge(case: &Case, root: Option<&Pinned>) -> Verdict {
    let Some(pinned) = root else {
        return Verdict::not_checked(NAME, "no trust root was given to begin with: name one with --root");
    };
    let mut against = Vec::new();
    match &case.facts {
        Ok(facts) => against.extend(trusted(case, facts, pinned.value())),
        Err(error) => against.push(error.clone()),
    }
    against.extend(case.unsigned.values().cloned());
    for proof in &case.proofs {
        let failed = proof.report.iter().flat_map(|report| report.failed());
        against.extend(failed.filter(|check| CHECKS.contains(&check.name)).map(|check| said(&proof.op, check)));
    }
    let keys = case.facts.as_ref().map_or(0, |facts| facts.history.keys.len());
    let rests_on = vec![format!(
        "the pinned root leads to the head's key and to {keys} registered keys; every event of the range and of the registry and {} proof files are signed by keys that counted then",
        case.proofs.len()
    )];
    Verdict::of(NAME, against, rests_on)
}

/// The pinned root is one of the domain's, each of which follows from the one before, and the last one's head key signed.
fn trusted(case: &Case, facts: &Facts, pinned: &Value) -> Vec<String> {
    let mut against = Vec::new();
    let body = |root: &Value| root.as_object().map(|root| root.canonical_without(&["sigs"]));
    let wanted = body(pinned);
    let found = facts.history.roots().any(|root| wanted.is_some() && body(&root.to_value()) == wanted);
    if !found {
        against.push("none of the domain's roots is the one that was given".to_owned());
    }
    let note = Note::parse(&case.manifest.checkpoint).map_err(|error| error.to_string());
    let counts = note.and_then(|note| head_counts(facts.history.root(), &case.manifest.head, &note));
    against.extend(counts.err());
    against
}
