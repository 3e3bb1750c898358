//! Evidence of equivocation: the vectors' is proven or not as they say, and nothing is proven but by what their domain
//! signed.

use crate::vectors;
use eleven_core::encoding::Value;
use eleven_verify::{Caller, Pinned};
use std::collections::BTreeSet;
use std::sync::OnceLock;

fn file() -> &'static Value {
    vectors::file("equivocation.json")
}

/// Who trusts the root of the vectors' evidence.
pub(crate) fn caller() -> Caller<'static> {
    static ROOT: OnceLock<Pinned> = OnceLock::new();
    let root = ROOT.get_or_init(|| Pinned::new(file().get("root").expect("a root in the vectors").clone()));
    Caller { root: Some(root), ..Caller::default() }
}

/// Asserts that evidence that is verified holds nothing signed but what the vectors' does.
pub(crate) fn holds(evidence: &Value) {
    static KNOWN: OnceLock<BTreeSet<Vec<u8>>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| of_vectors().flat_map(signed).collect());
    assert!(signed(evidence).all(|part| known.contains(&part)), "proven by what nobody signed");
}

/// What its domain signed: each statement, the event and the artifact. Of a checkpoint the text: other lines may stand
/// below it.
fn signed(evidence: &Value) -> impl Iterator<Item = Vec<u8>> {
    let statements = evidence.get("statements").and_then(Value::as_array).into_iter().flatten().map(|statement| {
        let text = statement.get("checkpoint").and_then(Value::as_str).and_then(|text| text.split("\n\n").next());
        text.map_or_else(|| statement.canonical(), |text| text.as_bytes().to_vec())
    });
    let others = ["record", "artifact"].into_iter().filter_map(|name| evidence.get(name).map(Value::canonical));
    statements.chain(others)
}

fn of_vectors() -> impl Iterator<Item = &'static Value> {
    vectors::items(file(), "cases").iter().filter_map(|case| case.get("evidence"))
}

/// Every file of evidence of the vectors, what is proven and what is not.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    of_vectors().map(Value::canonical).collect()
}
