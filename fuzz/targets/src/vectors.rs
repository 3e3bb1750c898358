//! What the vectors of the specification hold, by what it is.

use eleven_core::encoding::{Value, parse};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The files: every one that has structures of the protocol in it.
static FILES: &[(&str, &[u8])] = &[
    ("admission.json", include_bytes!("../../../spec/vectors/admission.json")),
    ("append.json", include_bytes!("../../../spec/vectors/append.json")),
    ("artifacts.json", include_bytes!("../../../spec/vectors/artifacts.json")),
    ("bundles.json", include_bytes!("../../../spec/vectors/bundles.json")),
    ("bundles-that-fail.json", include_bytes!("../../../spec/vectors/bundles-that-fail.json")),
    ("ed25519.json", include_bytes!("../../../spec/vectors/ed25519.json")),
    ("equivocation.json", include_bytes!("../../../spec/vectors/equivocation.json")),
    ("head.json", include_bytes!("../../../spec/vectors/head.json")),
    ("jcs.json", include_bytes!("../../../spec/vectors/jcs.json")),
    ("ledger.json", include_bytes!("../../../spec/vectors/ledger.json")),
    ("registry.json", include_bytes!("../../../spec/vectors/registry.json")),
    ("root.json", include_bytes!("../../../spec/vectors/root.json")),
];

fn files() -> &'static [(&'static str, Value)] {
    static PARSED: OnceLock<Vec<(&str, Value)>> = OnceLock::new();
    PARSED.get_or_init(|| {
        FILES.iter().map(|(name, bytes)| (*name, parse(bytes).expect("the vectors are I-JSON"))).collect()
    })
}

/// A file.
///
/// # Panics
/// Where there is none of that name.
#[must_use]
pub fn file(name: &str) -> &'static Value {
    &files().iter().find(|(other, _)| *other == name).expect("a file of the vectors").1
}

/// Every object in every file that has all of these members, each once: how a kind of structure is found wherever it
/// stands.
#[must_use]
pub fn objects_with(members: &[&str]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (_, file) in files() {
        walk(file, &mut |value| {
            if members.iter().all(|name| value.get(name).is_some()) && seen.insert(value.canonical()) {
                found.push(value.clone());
            }
        });
    }
    found
}

/// Calls `see` for a value and everything in it.
pub fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Object(object) => object.iter().for_each(|(_, member)| walk(member, see)),
        _ => {}
    }
}

/// The array that a member of a file is.
///
/// # Panics
/// Where it is none.
#[must_use]
pub fn items(value: &'static Value, name: &str) -> &'static [Value] {
    value.get(name).and_then(Value::as_array).expect("an array of the vectors")
}

/// `base` with the members of `change` over its own; one that is null takes a member out where `null_removes`.
#[must_use]
pub fn merged(base: &Value, change: &Value, null_removes: bool) -> Value {
    let mut object = base.as_object().cloned().unwrap_or_default();
    for (name, value) in change.as_object().into_iter().flat_map(|change| change.iter()) {
        if null_removes && *value == Value::Null {
            object.remove(name);
        } else {
            object.insert(name, value.clone());
        }
    }
    Value::Object(object)
}

/// The canonical bytes of each.
#[must_use]
pub fn canonical(values: &[Value]) -> Vec<Vec<u8>> {
    values.iter().map(Value::canonical).collect()
}
