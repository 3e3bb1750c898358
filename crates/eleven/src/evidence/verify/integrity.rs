//! Whether the files are whole, and say what the records give.

use super::super::controls;
use super::super::facts::Facts;
use super::super::folder::{self, Folder, Listed};
use super::super::history::policies_value;
use super::super::lineage;
use super::super::manifest::Manifest;
use super::super::stretch::named;
use super::Verdict;
use super::case::Case;
use super::terms::Terms;
use super::{completeness, documents, signers, told, unchecked};
use eleven_core::hash::Sha3;
use eleven_verify::Check;
use std::collections::BTreeSet;

pub(super) const NAME: &str = "integrity";

/// Judges; the page and the OSCAL document only `with_documents`.
pub(super) fn judge(folder: &Folder, case: &Case, with_documents: bool) -> Verdict {
    let (mut against, size) = (files(folder, &case.manifest), case.manifest.head.commitment.size);
    let mut proofs = 0_usize;
    for proof in &case.proofs {
        match &proof.report {
            Ok(report) => {
                let failed = lineage::against(report).filter(|check| is_ours(check));
                against.extend(failed.map(|check| said(&proof.op, check)));
                proofs += 1;
            }
            Err(error) => against.push(error.clone()),
        }
    }
    match &case.facts {
        Ok(facts) => {
            against.extend(facts.lineages.iter().filter_map(|lineage| lineage.misbound(&facts.history, size)));
            against.extend(told::against(case, facts));
            made_of(folder, case, facts, &mut against);
        }
        Err(error) => against.push(error.clone()),
    }
    match (&case.terms, &case.facts) {
        (Ok(terms), Ok(facts)) => {
            against.extend(answers(&case.manifest, terms, facts));
            if with_documents {
                against.extend(documents::against(folder, &case.manifest, facts, &terms.regimes));
            }
        }
        (Err(error), _) => against.push(error.clone()),
        (Ok(_), Err(_)) => {}
    }
    let mut rests_on = vec![format!(
        "{} files are those of the manifest; {proofs} proof files hold together; keys, policies, counts and gaps are what they give",
        case.manifest.files.len()
    )];
    rests_on.extend(case.facts.as_ref().ok().and_then(|facts| earlier(facts, size)));
    rests_on.extend((!case.elsewhere.is_empty()).then(|| {
        format!(
            "uses say that they were admitted by a registry that its history does not have: their points were shown another than the \
             ledger, or say so: {}",
            named(&case.elsewhere)
        )
    }));
    rests_on.extend(case.facts.iter().flat_map(|facts| unchecked::said(case, facts)));
    let [oscal, page] = documents::NAMES;
    rests_on.push(match with_documents {
        true => format!("{oscal} and {page} say what they give"),
        false => format!("{oscal} and {page} were not checked, as --skip-documents asks: they show nothing"),
    });
    let whose = case.terms.iter().flat_map(Terms::each);
    rests_on.extend(whose.map(|(regime, whose)| format!("{}: {whose}", regime.id)));
    Verdict::of(NAME, against, rests_on)
}

/// How many proof files are bound by a registration that the registry under their heads does not hold any more: what each of
/// them leaves open, the registry's history decides.
fn earlier(facts: &Facts, size: u64) -> Option<String> {
    let earlier = facts.lineages.iter().filter(|lineage| lineage.is_told(size)).count();
    (earlier > 0).then(|| {
        format!(
            "{earlier} of the proof files are bound by an earlier registration of their point, which the registry's history shows \
             to have been in force"
        )
    })
}

/// Whether a check is of this verdict: neither about who signed nor about what is missing.
pub(super) fn is_ours(check: &Check) -> bool {
    !signers::CHECKS.contains(&check.name) && !completeness::CHECKS.contains(&check.name)
}

/// A failed check of a proof file.
pub(super) fn said(op: &str, check: &Check) -> String {
    let detail = check.detail.as_deref().unwrap_or_default();
    format!("{}: {} failed: {detail}", folder::proof(op), check.name)
}

/// Every file that is listed is there as it is listed, and there are no others. One that no export has is not looked into.
fn files(folder: &Folder, manifest: &Manifest) -> Vec<String> {
    let is_listed = |(name, listed): (&String, &Listed)| match folder::may_have(name) {
        true => folder.is_listed(name, *listed).err(),
        false => Some(unknown(name)),
    };
    let mut against: Vec<String> = manifest.files.iter().filter_map(is_listed).collect();
    match folder.names() {
        Ok(names) => {
            let listed: BTreeSet<String> = manifest.files.keys().cloned().collect();
            against.extend(names.difference(&listed).map(|name| format!("{name} is not in the manifest")));
        }
        Err(error) => against.push(error),
    }
    against
}

fn unknown(name: &str) -> String {
    format!("{name} is no file of an export: nothing says what has to stand in it")
}

/// What is made of the records is what they give.
fn made_of(folder: &Folder, case: &Case, facts: &Facts, against: &mut Vec<String>) {
    let manifest = &case.manifest;
    let mut same = |holds: bool, what: &str| {
        if !holds {
            against.push(what.to_owned());
        }
    };
    let listed = |name: &str| manifest.files.get(name).copied();
    let is = |name: &str, bytes: &[u8]| listed(name) == Some(Listed::of(bytes));
    same(
        listed(folder::RECORDS).map(|listed| listed.hash) == Some(case.records),
        "records/events.jsonl does not hold the events of the proof files, in their order",
    );
    same(is(folder::KEYS, &facts.history.keys_value().canonical()), "keys.json is not what the registry's events give");
    let policies = facts.policies();
    same(
        is(folder::POLICIES, &policies_value(&policies).canonical()),
        "policies.json is not what the registry's events give",
    );
    for policy in &policies {
        let name = folder::policy(policy.id.hash);
        let hashed = folder.read(&name).map(|bytes| Sha3::of(&[&bytes]));
        same(hashed == Ok(policy.id.hash), &format!("{name} is not the bundle of {}", policy.id.reference));
    }
    same(manifest.range == facts.stretch.numbers(), "the manifest names another range of entries than is here");
    let counts = manifest.otherwise("the manifest counts something else than is here");
    same(manifest.counts == facts.counts(), &counts);
}

/// The gaps that are told are those of the regimes' questions, and no file is there that an export does not have.
fn answers(manifest: &Manifest, terms: &Terms, facts: &Facts) -> Vec<String> {
    let due = controls::gaps(&terms.regimes, facts, &manifest.head);
    let told = manifest.gaps.iter().filter(|gap| gap.control.is_some());
    let silent = !due.iter().eq(told);
    let known = known(facts, terms);
    let others = manifest.files.keys().filter(|name| folder::may_have(name) && !name.ends_with(folder::PROOF));
    let others = others.filter(|name| !known.contains(*name)).map(|name| unknown(name));
    silent
        .then(|| manifest.otherwise("the manifest's gaps are not those of the regimes' questions"))
        .into_iter()
        .chain(others)
        .collect()
}

/// The names of the files that an export of these facts has, its proof files apart: completeness knows those.
fn known(facts: &Facts, terms: &Terms) -> BTreeSet<String> {
    let policies = facts.policies().into_iter().map(|policy| folder::policy(policy.id.hash));
    let regimes = terms.regimes.iter().map(|regime| folder::regime(&regime.id));
    folder::ALWAYS.map(str::to_owned).into_iter().chain(policies).chain(regimes).collect()
}
