//! Proof bundles: the vectors' bundles are verified, and nothing made of them that says anything else. A file that says that
//! it is evidence of equivocation is verified by checks of its own.

use crate::{evidence, vectors};
use eleven_core::encoding::{Object, Value};
use eleven_policy::Replay;
use eleven_verify::equivocation::{self, is_evidence};
use eleven_verify::{Caller, Pinned, ReplayResult, Verdict, check_names, parse_file, verify, verify_bytes};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Verifies under the root of the vectors. `verified` may be only what shows the same as a bundle of the vectors does.
///
/// # Panics
/// Where something else is verified, or a report is not whole.
pub fn run(bytes: &[u8]) {
    let Ok(value) = parse_file(bytes) else {
        assert!(verify_bytes(bytes, &caller()).is_err(), "verified, and no I-JSON");
        return;
    };
    let (caller, names, holds): (_, Vec<&str>, fn(&Value)) = if is_evidence(&value) {
        (evidence::caller(), equivocation::check_names().collect(), evidence::holds)
    } else {
        (caller(), check_names().collect(), holds)
    };
    let report = verify_bytes(bytes, &caller).expect("I-JSON is verified as such");
    assert!(report.checks.iter().map(|check| check.name).eq(names), "a check is missing from the report");
    assert_eq!(report.verdict == Verdict::Failed, report.failed().count() > 0, "the verdict is not that of the checks");
    if report.verdict == Verdict::Verified {
        holds(&value);
    }
}

/// Asserts that a bundle that is verified shows what one of the vectors does.
fn holds(bundle: &Value) {
    let known = known();
    assert!(known.shown.contains(&shown(bundle)), "verified, and shows what no bundle of the vectors shows");
    for value in optional(bundle) {
        assert!(known.optional.contains(&value.canonical()), "verified with a part that is nobody's: {value}");
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

/// Every bundle of the vectors, those that verify and those that don't; their evidence of equivocation; and what only says
/// that it is that.
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
    let named = Value::Object(Object::new().with("type", equivocation::TYPE));
    [vectors::canonical(&all), evidence::corpus(), vec![named.canonical()]].concat()
}
