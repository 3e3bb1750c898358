//! Whether anything is missing: of the range, of a lineage, of the registry's history.

use super::super::Verify;
use super::super::facts::Facts;
use super::super::folder;
use super::super::history::standing;
use super::Verdict;
use super::case::Case;
use super::integrity::said;
use super::subject;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha256;
use eleven_core::tree::{read_proof, verify_consistency, verify_inclusion};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const NAME: &str = "completeness";

/// The checks of a proof file that are about what is missing.
pub(super) const CHECKS: [&str; 2] = ["lineage.complete", "ledger.inclusion"];

/// Judges; what was `expected` is a question to which the folder has to be the answer.
pub(super) fn judge(case: &Case, expected: &Verify) -> Verdict {
    let mut against = subject::against(&case.manifest.query, expected);
    match &case.facts {
        Ok(facts) => {
            against.extend(range(case, facts).err());
            against.extend(registry(case, facts));
            against.extend(lineages(case, facts));
            against.extend(one_history(case, facts));
        }
        Err(error) => against.push(error.clone()),
    }
    for proof in &case.proofs {
        let failed = proof.report.iter().flat_map(|report| report.failed());
        against.extend(failed.filter(|check| CHECKS.contains(&check.name)).map(|check| said(&proof.op, check)));
    }
    let ((first, end), query) = (case.manifest.range, &case.manifest.query);
    let entries = match first == end {
        true => "no entry is".to_owned(),
        false => format!("entries {first} up to, not including, {end} are all"),
    };
    let head = &case.manifest.head;
    let mut rests_on = vec![format!(
        "{entries} of the range {}, under the head of {}; {} lineages are all that were asked for ({}); the registry's history is whole",
        query.range(),
        head.commitment.size,
        case.proofs.len(),
        query.filter()
    )];
    rests_on.extend(case.facts.iter().flat_map(|facts| facts.stretch.went_back.clone()));
    rests_on.extend(case.facts.as_ref().ok().and_then(|facts| facts.stretch.refused()));
    let is_last = case.facts.as_ref().is_ok_and(|facts| facts.stretch.after.is_none());
    rests_on.extend(is_last.then(|| {
        format!(
            "no entry after the range is there yet: that nothing else came in it is the word of the head, signed {}",
            head.at
        )
    }));
    Verdict::of(NAME, against, rests_on)
}

/// The entries are consecutive, have both ends, and stand under the head.
fn range(case: &Case, facts: &Facts) -> Result<(), String> {
    let head = &case.manifest.head;
    let part = |name: &str| {
        let proof = case.range_proof.as_ref().map_err(Clone::clone)?.get(name).cloned().unwrap_or(Value::Null);
        read_proof(&proof).map_err(|error| format!("{}: {error}", folder::RANGE_PROOF))
    };
    facts.stretch.range.stands_under(&head.commitment, &part("first")?, &part("last")?)?;
    facts.stretch.has_both_ends(head.commitment.size, head.at)
}

/// The registry's events come to the registry that the head names, and the ledger holds each.
fn registry(case: &Case, facts: &Facts) -> Vec<String> {
    let head = &case.manifest.head.commitment;
    let mut against: Vec<String> = facts.history.is_under(head.registry).err().into_iter().collect();
    let proofs = case.registry_proofs.as_ref().map(|value| value.get("proofs").and_then(Value::as_array));
    let proofs: BTreeMap<i64, &Value> = proofs
        .ok()
        .flatten()
        .unwrap_or_default()
        .iter()
        .filter_map(|proof| Some((proof.get("seq")?.as_int()?, proof.get("proof")?)))
        .collect();
    for entry in &case.registry {
        let seq = entry.header.seq;
        let proof = i64::try_from(seq).ok().and_then(|seq| proofs.get(&seq)).and_then(|proof| read_proof(proof).ok());
        let leaf = standing(entry).ok().map(|(place, _)| place.leaf);
        let stands =
            leaf.zip(proof).is_some_and(|(leaf, proof)| verify_inclusion(&leaf, seq, head.size, &proof, &head.root));
        if !stands {
            against.push(format!("{}: entry {seq} is not shown to be in the ledger", folder::REGISTRY));
        }
    }
    against
}

/// Each operation that was asked for has its proof file, which shows the very entries that the range has of it; and there
/// is none that was not asked for.
fn lineages(case: &Case, facts: &Facts) -> Vec<String> {
    let mut against = Vec::new();
    let mut shown: BTreeSet<(u64, Sha256)> = BTreeSet::new();
    for lineage in &facts.lineages {
        shown.extend(lineage.events.iter().map(|fact| (fact.place.seq, fact.place.leaf)));
    }
    for (op, seen) in facts.stretch.operations.iter().filter(|(_, seen)| seen.asked) {
        let leaf = |seq: &u64| facts.stretch.range.leaf(*seq).map(|leaf| (*seq, *leaf));
        let missing = seen.entries.iter().find(|seq| leaf(seq).is_none_or(|leaf| !shown.contains(&leaf)));
        if let Some(seq) = missing {
            against.push(format!("entry {seq} of operation {op} is in no proof file"));
        }
    }
    let known: BTreeSet<String> = case.proofs.iter().map(|proof| folder::proof(&proof.op)).collect();
    let files = case.manifest.files.keys().filter(|name| name.ends_with(folder::PROOF));
    against.extend(
        files.filter(|name| !known.contains(*name)).map(|name| format!("{name} is of no operation that was asked for")),
    );
    against
}

/// The heads that proof files stand under go on from the manifest's, or are that one. Keys, index and revocations are judged
/// as of a file's own head: under an older one a key that is compromised since still counts, and a use that came since is none.
fn one_history(case: &Case, facts: &Facts) -> Vec<String> {
    let head = &case.manifest.head.commitment;
    let listed = case.heads.as_ref().ok().and_then(|value| value.get("heads")).and_then(Value::as_array);
    let mut proven: BTreeSet<(u64, Sha256)> = BTreeSet::from([(head.size, head.root)]);
    for other in listed.unwrap_or_default() {
        let size = other.get("size").and_then(Value::as_uint);
        let root = other.get("root").and_then(Value::as_str).and_then(Sha256::parse);
        let proof = other.get("proof").and_then(|proof| read_proof(proof).ok());
        let (Some(size), Some(root), Some(proof)) = (size, root, proof) else { continue };
        if verify_consistency(head.size, size, &head.root, &root, &proof) {
            proven.insert((size, root));
        }
    }
    let apart = facts.lineages.iter().filter(|lineage| !proven.contains(&lineage.head));
    apart
        .map(|lineage| {
            let why = match lineage.head.0 < head.size {
                true => "older than the manifest's: what came since is not judged",
                false => "not shown to be of one history with the manifest's",
            };
            format!("{}: its head is {why}", folder::proof(&lineage.op))
        })
        .collect()
}
