//! What was verified: the question that the folder answers, the head that it stands under, and the hash of its manifest. A
//! folder that answers for nobody, or for a day before the ledger began, holds together like any other; so the verdict says for
//! what it stands, and whoever verifies may say for what it has to.

use super::super::Verify;
use super::super::manifest::Query;
use super::TOLD;
use super::case::Case;
use crate::output::shown;
use eleven_core::encoding::{Object, Value};
use eleven_core::time::Time;

/// A report with what was verified in it.
pub(super) fn in_report(case: &Case, report: Object) -> Object {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let (head, facts) = (&case.manifest.head, case.facts.as_ref().ok());
    let of_head = Object::new().with("size", head.commitment.size).with("at", head.at.to_millis_value());
    report
        .with("query", case.manifest.query.to_object())
        .with("ledger", &head.commitment.ledger)
        .with("head", of_head)
        .with("manifest", case.hash)
        .with("gaps", case.manifest.gaps.iter().take(TOLD).map(|gap| Value::from(gap.said())).collect::<Vec<_>>())
        .with("gaps_told", number(case.manifest.gaps.len()))
        .with_some("lineages", facts.map(|facts| number(facts.lineages.len())))
        .with_some("operations_in_range", facts.map(|facts| number(facts.stretch.operations.len())))
}

/// The same for people.
pub(super) fn lines(case: &Case) -> Vec<String> {
    let (head, query) = (&case.manifest.head, &case.manifest.query);
    let shown_of = case.facts.as_ref().map(|facts| {
        format!("; {} lineages are shown, of {} operations", facts.lineages.len(), facts.stretch.operations.len())
    });
    let shown_of = shown_of.unwrap_or_default();
    vec![
        shown(&format!("{} {}: {}", head.commitment.ledger, query.range(), query.filter())),
        format!(
            "under the head of {} entries, signed {}{shown_of}; {} gaps are told",
            head.commitment.size,
            head.at,
            case.manifest.gaps.len()
        ),
        format!("manifest {}", case.hash),
    ]
}

/// What the folder answers that was not expected.
pub(super) fn against(query: &Query, expected: &Verify) -> Vec<String> {
    let moment = |expected: Option<Time>, found: Time| expected.map(|expected| (expected.millis(), found.millis()));
    let name = |expected: &Option<String>, found: &Option<String>| {
        expected.clone().map(|expected| (expected, found.clone().unwrap_or_else(|| "all".to_owned())))
    };
    let expected = [
        ("--from", moment(expected.from, query.from)),
        ("--to", moment(expected.to, query.to)),
        ("--identity", name(&expected.identity, &query.identity)),
        ("--operation", name(&expected.operation, &query.operation)),
    ];
    let differs = expected.into_iter().filter_map(|(option, pair)| {
        let (expected, found) = pair.filter(|(expected, found)| expected != found)?;
        Some(format!("the folder answers for {found}, and {option} expects {expected}"))
    });
    differs.collect()
}
