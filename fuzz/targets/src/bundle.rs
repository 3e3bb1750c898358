//! Proof bundles: the vectors' bundles are verified, and nothing made of them that says anything else.

use crate::vectors;
use eleven_core::encoding::{Value, parse};
use eleven_policy::Replay;
use eleven_verify::{Caller, Pinned, ReplayResult, Verdict, check_names, verify, verify_bytes};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Verifies under the root of the vectors. `verified` may be only what shows the same as a bundle of the vectors does.
///
/// # Panics
/// Where something else is verified, or a report is not whole.
pub fn run(bytes: &[u8]) {
    let Ok(report) = verify_bytes(bytes, &caller()) else {
        assert!(parse(bytes).is_err(), "I-JSON that is not verified as such");
        return;
    };
    assert!(report.checks.iter().map(|check| check.name).eq(check_names()), "a check is missing from the report");
    assert_eq!(report.verdict == Verdict::Failed, report.failed().count() > 0, "the verdict is not that of the checks");
    if report.verdict == Verdict::Verified {
        let bundle = parse(bytes).expect("verified bytes are I-JSON");
        let known = known();
        assert!(known.shown.contains(&shown(&bundle)), "verified, and shows what no bundle of the vectors shows");
        for value in optional(&bundle) {
            assert!(known.optional.contains(&value.canonical()), "verified with a part that is nobody's: {value}");
        }
    }
}

fn caller() -> Caller<'static> {
    static ROOT: OnceLock<Pinned> = OnceLock::new();
    let root = ROOT.get_or_init(|| Pinned::new(vectors::file("root.json").clone()));
    Caller { root: Some(root), replay: Some(&again), ..Caller::default() }
}

fn again(bundle: &eleven_core::policy::PolicyBundle, input: &Value) -> ReplayResult {
    match eleven_policy::replay(bundle, input) {
        Replay::Permits => ReplayResult::Permits,
        Replay::Denies(reason) => ReplayResult::Denies(reason),
        Replay::Unreadable => ReplayResult::Unreadable,
    }
}

/// What a bundle shows, without what may be there or not: more records of the registry or more roots than needed, other
/// witnesses' lines, disclosures, the decision's input.
fn shown(bundle: &Value) -> Vec<u8> {
    let mut object = bundle.as_object().cloned().unwrap_or_default();
    for name in ["roots", "disclosures", "decision"] {
        object.remove(name);
    }
    let header = bundle.pointer("/registry/header").cloned();
    object.insert("registry", header);
    let body = bundle.get("checkpoint").and_then(Value::as_str).and_then(|text| text.split("\n\n").next());
    object.insert("checkpoint", body.unwrap_or_default());
    object.canonical()
}

/// What [`shown`] leaves out, part by part.
fn optional(bundle: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["/roots", "/disclosures", "/registry/records"];
    let items = lists.into_iter().filter_map(|list| bundle.pointer(list)?.as_array()).flatten();
    items.chain(bundle.get("decision"))
}

struct Known {
    shown: BTreeSet<Vec<u8>>,
    optional: BTreeSet<Vec<u8>>,
}

/// Of the bundles of the vectors that have to verify.
fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let bundles = good();
        for bundle in &bundles {
            assert_eq!(verify(bundle, &caller()).verdict, Verdict::Verified, "a bundle of the vectors fails");
        }
        let parts = bundles.iter().flat_map(|bundle| optional(bundle).map(Value::canonical));
        Known { shown: bundles.iter().map(shown).collect(), optional: parts.collect() }
    })
}

fn good() -> Vec<Value> {
    let cases = vectors::file("bundles.json").as_array().into_iter().flatten();
    cases.filter_map(|case| case.get("bundle").cloned()).collect()
}

/// Every bundle of the vectors, those that verify and those that don't.
#[must_use]
pub fn corpus() -> Vec<Vec<u8>> {
    let failing = vectors::file("bundles-that-fail.json");
    let base = |name: &str| {
        let named = |case: &&Value| case.get("what").and_then(Value::as_str) == Some(name);
        let good = vectors::file("bundles.json").as_array()?.iter().find(named).and_then(|case| case.get("bundle"));
        good.or_else(|| failing.get("bases")?.get(name))
    };
    let changed = vectors::items(failing, "cases")
        .iter()
        .filter_map(|case| Some(vectors::merged(base(case.get("base")?.as_str()?)?, case.get("change")?, true)));
    let all: Vec<Value> = good().into_iter().chain(changed).collect();
    vectors::canonical(&all)
}
