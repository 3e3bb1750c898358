//! The vectors, what a change of any leaf does to them, and bytes that are nobody's bundle.

extern crate std;

mod bundles;
pub(crate) mod mutations;
mod places;
mod terms;
mod vectors;

use alloc::vec::Vec;
use eleven_core::encoding::{Value, parse};

/// A file of the vectors.
fn bytes(name: &str) -> Vec<u8> {
    let path = std::format!("{}/../../spec/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a vector file")
}

pub(crate) fn vector(name: &str) -> Value {
    parse(&bytes(name)).expect("I-JSON")
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).expect("a string")
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// The bundles that verify, by their names.
fn valid_bundles() -> Vec<(alloc::string::String, Value)> {
    let file = vector("bundles.json");
    items(&file).iter().map(|case| (text(case, "what").into(), case.get("bundle").expect("a bundle").clone())).collect()
}

fn valid(name: &str) -> Value {
    let mut bundles = valid_bundles().into_iter();
    bundles.find(|(other, _)| other == name).expect("a bundle of that name").1
}
