//! The registry in force, as the authority serves it.

use crate::call;
use crate::config::Config;
use crate::output::{Failure, Output, Paint, shown as on_one_line};
use eleven_core::encoding::Value;

/// The lists of a registry, and the members that say of a row of each what it is and whether it counts.
const LISTS: &[(&str, &[&str])] = &[
    ("keys", &["kid", "use", "status"]),
    ("policies", &["ref"]),
    ("runtimes", &["point", "mode", "region", "tenancy"]),
    ("interfaces", &["service", "version"]),
    ("sources", &["name", "source", "mapping/kind", "mapping/status"]),
    ("revoked", &["artifact", "until"]),
    ("containments", &["kind", "subject", "state", "cause"]),
    ("peers", &["sub", "seq"]),
];

/// `registry show`.
///
/// # Errors
/// Where the authority does not answer.
pub(crate) fn show(config: &Config, output: Output) -> Result<(), Failure> {
    let snapshot = call::registry(config)?;
    let text = || {
        let header =
            |name: &str| snapshot.get("header").and_then(|header| header.get(name)).map(shown).unwrap_or_default();
        let mut text =
            format!("registry of {}, epoch {}, fresh for {} s\n", header("domain"), header("epoch"), header("fresh"));
        for (list, members) in LISTS {
            let rows = snapshot.get(list).and_then(Value::as_array).unwrap_or_default();
            text += &format!("\n{} ({})\n", output.paint(Paint::Bold, list), rows.len());
            for row in rows {
                let member = |name: &&str| row.pointer(&format!("/{name}"));
                let cells: Vec<String> = members.iter().filter_map(member).map(shown).collect();
                text += &format!("  {}\n", cells.join("  "));
            }
        }
        text
    };
    output.either(|| snapshot.clone(), text);
    Ok(())
}

/// A value without its quotes, on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => on_one_line(text),
        other => on_one_line(&String::from_utf8_lossy(&other.canonical())),
    }
}
