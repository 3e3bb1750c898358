//! Everything that happened, as an examiner gets it: exported into one folder, verified from its files, and held against the
//! model's own log of calls. That log has the calls that were made past the gateway at the beginning, and coverage finds them.

use super::DIRECT;
use super::show::Show;
use super::system::Part;
use eleven_core::encoding::Value;
use std::path::Path;
use std::time::Instant;

/// The regime that is asked for.
const REGIME: &str = "eu-ai-act";

/// Exports, verifies, and shows what came out.
///
/// # Errors
/// Where a folder of an earlier demo can't be replaced, or a command prints nothing.
pub(crate) fn shown(show: &mut Show, out: &Path) -> Result<(), String> {
    show.part("Examined: everything that happened, as one folder that is checked offline");
    let dir = out.join("evidence");
    if dir.join("manifest.json").is_file() {
        std::fs::remove_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    let begun = Instant::now();
    let (folder, root) = (dir.display().to_string(), show.system.root().display().to_string());
    let ledger = show.system.url(Part::Ledger).to_owned();
    let asked = ["evidence", "export", "--regime", REGIME, "--ledger", &ledger, "--root", &root, "--out", &folder];
    let exported = show.system.said(&asked)?;
    let log = show.system.calls().display().to_string();
    let verified = show.system.said(&["evidence", "verify", &folder, "--root", &root, "--access-log", &log])?;
    let verdicts = verified.get("verdicts").and_then(Value::as_array).unwrap_or_default();
    let text = |verdict: &Value, name: &str| verdict.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let passed = verdicts.iter().filter(|verdict| text(verdict, "status") == "passed").count();
    let coverage = verdicts.iter().find(|verdict| text(verdict, "name") == "coverage");
    let found = coverage.filter(|verdict| text(verdict, "status") == "failed");
    let found = found.and_then(|verdict| verdict.get("count")).and_then(Value::as_int).unwrap_or(0);
    let count = |name: &str| exported.pointer(&format!("/counts/{name}")).and_then(Value::as_int).unwrap_or(0);
    let said = |passed: usize, found: i64| format!("{passed} pass, coverage finds {found}");
    let expected = said(4, i64::try_from(DIRECT).unwrap_or(i64::MAX));
    let proof = format!("#0 to #{}", count("entries") - 1);
    show.came_out("evidence for an examiner", &expected, &said(passed, found), begun.elapsed(), &proof);
    let gaps = exported.get("gaps").and_then(Value::as_array).unwrap_or_default();
    let against =
        verdicts.iter().filter(|verdict| text(verdict, "status") != "passed" && text(verdict, "name") != "coverage");
    against.for_each(|verdict| show.failed(&verdict.to_string()));
    let names = |wanted: &str| -> Vec<String> {
        let of = verdicts.iter().filter(|verdict| text(verdict, "status") == wanted);
        of.map(|verdict| text(verdict, "name")).collect()
    };
    show.remark(&format!(
        "{folder}: {} lineages, {} of them refusals; {REGIME}: {} gaps; {} pass",
        count("lineages"),
        count("denial"),
        gaps.len(),
        names("passed").join(", ")
    ));
    show.remark(&format!(
        "coverage: {found} calls in the model's own log name no lineage, the {DIRECT} that were made to it directly"
    ));
    Ok(())
}
