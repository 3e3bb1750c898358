//! Whether the gaps of proof files that the manifest tells are those that there are. A regime's are made again with its answers
//! ([`super::integrity`]); any other is of a proof file that is missing, fails or leaves something open, or of a head that does not
//! count, which the folder shows. A
//! text that is none of these could say anything, and would stand on the page beside what was proven.

use super::super::facts::Facts;
use super::super::gaps;
use super::super::lineage;
use super::super::manifest::Gap;
use super::case::Case;
use super::unchecked;
use eleven_verify::check_names;
use std::collections::BTreeSet;

/// The check that rests on the root that whoever exported had, which may be another than the verifier's.
const PINNED: &str = "root.pinned";

/// What speaks against the gaps that are told.
pub(super) fn against(case: &Case, facts: &Facts) -> Vec<String> {
    let known: BTreeSet<&str> = case.proofs.iter().map(|proof| proof.op.as_str()).collect();
    let missing = facts.stretch.asked().into_iter().filter(|op| gaps::is_missing(op, &known));
    let missing: BTreeSet<String> = missing.map(gaps::missing).collect();
    let (mut open, mut due) = (BTreeSet::new(), Vec::new());
    open.extend(gaps::of_head(&case.manifest.head, &case.manifest.checkpoint, &facts.history));
    for (lineage, report) in unchecked::each(case, facts) {
        open.extend(gaps::of_proof(lineage, report, &facts.history, case.manifest.head.commitment.size));
        due.extend(gaps::unreplayed(lineage, report));
        let failed: BTreeSet<&str> = lineage::against(report).map(|check| check.name).collect();
        for pinned in [false, true] {
            let fails = |name: &&str| if *name == PINNED { pinned } else { failed.contains(*name) };
            open.extend(gaps::failing(&lineage.op, &check_names().filter(fails).collect::<Vec<_>>()));
        }
    }
    let told: Vec<&Gap> = case.manifest.gaps.iter().filter(|gap| gap.control.is_none()).collect();
    let is_shown = |gap: &Gap| missing.contains(&gap.what) || (open.contains(&gap.what) && gap.why.is_none());
    let invented = told.iter().filter(|gap| !is_shown(gap));
    let invented = invented.map(|gap| format!("the manifest tells a gap that the files do not show: {}", gap.said()));
    // What fails or is missing fails by itself; what is merely open is seen by its gap alone.
    let untold = due.iter().filter(|due| !told.iter().any(|gap| gap.what == **due));
    let untold = untold.map(|gap| format!("a gap is not told: {gap}"));
    invented.chain(untold).map(|what| case.manifest.otherwise(&what)).collect()
}
