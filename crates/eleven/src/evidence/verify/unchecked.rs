//! What proof files left unchecked: a verdict over checks that nobody made says which.

use super::super::facts::Facts;
use super::super::lineage::Lineage;
use super::case::Case;
use super::integrity::is_ours;
use eleven_verify::{Check, Report, Status};
use std::collections::BTreeMap;

/// The proof files that could be read, each with its lineage.
pub(super) fn each<'a>(case: &'a Case, facts: &'a Facts) -> impl Iterator<Item = (&'a Lineage, &'a Report)> {
    let lineages: BTreeMap<&str, &Lineage> =
        facts.lineages.iter().map(|lineage| (lineage.op.as_str(), lineage)).collect();
    case.proofs.iter().filter_map(move |proof| Some((*lineages.get(proof.op.as_str())?, proof.report.as_ref().ok()?)))
}

/// Each check that was not made though its file is of a kind that has it, with how many files that are and why.
pub(super) fn said(case: &Case, facts: &Facts) -> Vec<String> {
    let size = case.manifest.head.commitment.size;
    let mut unchecked: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (lineage, report) in each(case, facts) {
        for check in report.checks.iter().filter(|check| is_open(check, lineage, size)) {
            *unchecked.entry((check.name, check.detail.as_deref().unwrap_or_default())).or_default() += 1;
        }
    }
    let all = case.proofs.len();
    let line =
        |((name, why), n): ((&str, &str), usize)| format!("{name} was not checked in {n} of {all} proof files: {why}");
    unchecked.into_iter().map(line).collect()
}

/// Whether a check of a file was not made, and nothing else decides what it would have under a head of `size` entries.
fn is_open(check: &Check, lineage: &Lineage, size: u64) -> bool {
    let applies = match check.name {
        // The age of the head is nobody's question here.
        "head.fresh" => false,
        "artifact.window" => lineage.kind != "unused",
        // Where nothing was attested there is nothing to bind, and which registration was in force the registry's history says.
        "attestation.binding" => lineage.bound.is_some() && !lineage.is_told(size),
        _ => true,
    };
    // A refusal has neither artifact nor attestation.
    check.status == Status::NotChecked && lineage.kind != "denial" && applies && is_ours(check)
}
