//! Whether the files are whole, and say what the records give.

use super::super::controls;
use super::super::facts::{Facts, Place};
use super::super::folder::{self, Folder, Listed};
use super::super::history::{policies_value, standing};
use super::super::lineage;
use super::super::manifest::{Gap, Manifest};
use super::super::oscal;
use super::Verdict;
use super::case::Case;
use super::terms::Terms;
use super::{completeness, signers};
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_verify::Check;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const NAME: &str = "integrity";

/// Where an OSCAL document has its results.
const RESULTS: &str = "/assessment-results/results";

/// Judges.
pub(super) fn judge(folder: &Folder, case: &Case) -> Verdict {
    let mut against = files(folder, &case.manifest);
    let mut proofs = 0_usize;
    for proof in &case.proofs {
        match &proof.report {
            Ok(report) => {
                let history = case.facts.as_ref().ok().map(|facts| &facts.history);
                let failed = lineage::against(report, history).filter(|check| is_ours(check));
                against.extend(failed.map(|check| said(&proof.op, check)));
                proofs += 1;
            }
            Err(error) => against.push(error.clone()),
        }
    }
    match &case.facts {
        Ok(facts) => made_of(folder, case, facts, &mut against),
        Err(error) => against.push(error.clone()),
    }
    let mut rests_on = vec![format!(
        "{} files are those of the manifest; {proofs} proof files hold together; counts, gaps and observations are what they give",
        case.manifest.files.len()
    )];
    let whose = case.terms.iter().flat_map(Terms::each);
    rests_on.extend(whose.map(|(regime, whose)| format!("{}: {whose}", regime.id)));
    Verdict::of(NAME, against, rests_on)
}

/// Whether a check is of this verdict: neither about who signed nor about what is missing.
fn is_ours(check: &Check) -> bool {
    !signers::CHECKS.contains(&check.name) && !completeness::CHECKS.contains(&check.name)
}

/// A failed check of a proof file.
pub(super) fn said(op: &str, check: &Check) -> String {
    let detail = check.detail.as_deref().unwrap_or_default();
    format!("{}: {} failed: {detail}", folder::proof(op), check.name)
}

/// Every file that is listed is there as it is listed, and there are no others.
fn files(folder: &Folder, manifest: &Manifest) -> Vec<String> {
    let mut against: Vec<String> =
        manifest.files.iter().filter_map(|(name, listed)| folder.is_listed(name, *listed).err()).collect();
    match folder.names() {
        Ok(names) => {
            let listed: BTreeSet<String> = manifest.files.keys().cloned().collect();
            against.extend(names.difference(&listed).map(|name| format!("{name} is not in the manifest")));
        }
        Err(error) => against.push(error),
    }
    against
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
    same(manifest.counts == facts.counts(), "the manifest counts something else than is here");
    match &case.terms {
        Ok(terms) => {
            let due = controls::gaps(&terms.regimes, facts, &manifest.head);
            let told: Vec<&Gap> = manifest.gaps.iter().filter(|gap| gap.control.is_some()).collect();
            same(due.iter().eq(told), "the manifest's gaps are not those of the regimes' questions");
        }
        Err(error) => same(false, error),
    }
    match (&case.oscal, &case.terms) {
        (Ok(oscal), Ok(terms)) => {
            same(
                told(oscal) == oscal::due(manifest, facts, &terms.regimes),
                "the OSCAL document counts or observes something else than is here",
            );
            against.extend(observations(oscal, case, facts));
        }
        (Err(error), _) => same(false, error),
        (Ok(_), Err(_)) => {}
    }
}

/// What an OSCAL document counts, result by result, and the numbers of the leaves that it observes.
fn told(oscal: &Value) -> Vec<(Vec<Value>, BTreeSet<u64>)> {
    let result = |result: Value| {
        let mut counts = list(result.get("props"));
        counts.extend(list(result.get("findings")).iter().flat_map(|finding| list(finding.get("props"))));
        let observed = list(result.get("observations"));
        (counts, observed.iter().filter_map(|observation| prop(observation, "seq").parse().ok()).collect())
    };
    list(oscal.pointer(RESULTS)).into_iter().map(result).collect()
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).unwrap_or_default().to_vec()
}

/// A property of an observation; nothing where it has none of that name.
fn prop(observation: &Value, name: &str) -> String {
    let props = list(observation.get("props"));
    let found = props.iter().find(|prop| prop.get("name").and_then(Value::as_str) == Some(name));
    found.and_then(|prop| prop.get("value")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Every observation of the OSCAL document names a leaf that is here, and a file that proves it.
fn observations(oscal: &Value, case: &Case, facts: &Facts) -> Vec<String> {
    let places = places(facts);
    let results = list(oscal.pointer(RESULTS));
    let observations = results.iter().flat_map(|result| list(result.get("observations")));
    let mut against = Vec::new();
    for observation in observations {
        let prop = |name: &str| prop(&observation, name);
        let leaf = prop("seq").parse().ok().and_then(|seq: u64| places.get(&seq).map(|place| place.leaf.to_string()));
        let href = observation.pointer("/relevant-evidence/0/href").and_then(Value::as_str);
        let file = href.and_then(|href| href.strip_prefix("../"));
        let proven = file.is_some_and(|file| case.manifest.files.contains_key(file));
        if leaf.as_ref() != Some(&prop("leaf")) || prop("ledger") != case.manifest.head.commitment.ledger || !proven {
            let seq = prop("seq");
            against.push(format!(
                "{}: the observation of entry {seq} is not of a leaf that is proven here",
                folder::OSCAL
            ));
        }
    }
    against
}

/// Everything that has a place in the ledger, by its number.
fn places(facts: &Facts) -> BTreeMap<u64, Place> {
    let events = facts.events().map(|(fact, _)| fact.place);
    let registry = facts.history.events.iter().map(|fact| fact.place);
    let ends = facts.stretch.ends.into_iter().flat_map(|(first, last)| [first, last]);
    let samples = facts.samples.0.values().filter_map(|sample| standing(&sample.entry).ok()).map(|(place, _)| place);
    events.chain(registry).chain(ends).chain(samples).map(|place| (place.seq, place)).collect()
}
