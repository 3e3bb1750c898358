//! Whether the OSCAL document and the page say what the records give. Both are made of the manifest, the facts and the
//! regimes alone, so both are made again here, and have to come out as the same bytes.

use super::super::facts::Facts;
use super::super::folder::{self, Folder, Listed};
use super::super::manifest::{Manifest, tool};
use super::super::regime::Regime;
use super::super::{oscal, page};
use eleven_core::encoding::{Value, parse_at_most};

/// The documents that are made of everything else.
pub(super) const NAMES: [&str; 2] = [folder::OSCAL, folder::PAGE];

/// What speaks against them.
pub(super) fn against(folder: &Folder, manifest: &Manifest, facts: &Facts, regimes: &[Regime]) -> Vec<String> {
    let mut sources = manifest.files.clone();
    sources.retain(|name, _| !NAMES.contains(&name.as_str()));
    let results = Value::Object(oscal::results(manifest, facts, regimes, &sources));
    let page = page::page(manifest, facts, regimes);
    let is = |name: &str, bytes: &[u8]| manifest.files.get(name) == Some(&Listed::of(bytes));
    let mut against = Vec::new();
    if !is(folder::OSCAL, &results.canonical()) {
        let bytes = folder.read(folder::OSCAL).unwrap_or_default();
        let found = parse_at_most(&bytes, folder::most_values(&bytes)).ok();
        let at = found.and_then(|found| differs(&results, &found)).unwrap_or_default();
        against.push(said(folder::OSCAL, &at, manifest));
    }
    if !is(folder::PAGE, page.as_bytes()) {
        against.push(said(folder::PAGE, "", manifest));
    }
    against
}

fn said(name: &str, at: &str, manifest: &Manifest) -> String {
    let at = if at.is_empty() { String::new() } else { format!(", first at {at}") };
    let mut said = manifest.otherwise(&format!("{name} does not say what the records give{at}"));
    if manifest.tool != tool() {
        said += ", or read neither the page nor the OSCAL document and name --skip-documents";
    }
    said
}

/// Where a document differs first from what was made, as a pointer into what was made; nothing where it does not.
fn differs(made: &Value, found: &Value) -> Option<String> {
    let inside = |name: &str, made: &Value, found: Option<&Value>| match found {
        Some(found) => differs(made, found).map(|at| format!("/{name}{at}")),
        None => Some(format!("/{name}")),
    };
    let first = match (made, found) {
        (Value::Object(made), Value::Object(found)) => {
            made.iter().find_map(|(name, value)| inside(name, value, found.get(name)))
        }
        (Value::Array(made), Value::Array(found)) => {
            made.iter().enumerate().find_map(|(at, value)| inside(&at.to_string(), value, found.get(at)))
        }
        _ => None,
    };
    // What was made is all there: the document has more, or is something else.
    first.or_else(|| (made != found).then(String::new))
}

#[cfg(test)]
mod tests;
