//! That every refusal code, limit, path and metric of the code stands on its page, and nothing else does.
//!
//! All but the paths are tables whose first cell is the name in backticks: `spec/reasons.md` has the codes of `core::reason`,
//! `spec/limits.md` the constants of `core::limits`, with the value in the second cell as the source writes it,
//! `docs/operating.md` the metrics of the corners. Paths are named anywhere in `spec/http.md`.

use std::collections::BTreeSet;

use eleven_core::reason::Reason;

use crate::{File, Finding, is_test};

/// Where the codes are.
pub const REASONS: &str = "spec/reasons.md";
/// Where the limits are, as the code has them.
pub const SOURCE: &str = "crates/core/src/limits.rs";
/// Where they are told.
pub const LIMITS: &str = "spec/limits.md";

/// Where the paths are.
pub const HTTP: &str = "spec/http.md";
/// Where the metrics are.
pub const OPERATING: &str = "docs/operating.md";

/// What serves paths and counts.
const SERVING: &[&str] = &["crates/api/src/", "crates/authority/src/", "crates/ledger/src/", "crates/runtime/src/"];
/// A name of this form that is no metric: the type of an error, for OpenAI clients.
const NO_METRIC: &str = "eleven_error";

/// Every reason that `page` does not name in a row of its own, and every row that names none.
#[must_use]
pub fn reasons(page: &str) -> Vec<Finding> {
    let rows: Vec<(&str, &str)> = rows(page);
    let missing = Reason::ALL.iter().filter(|reason| !rows.iter().any(|(name, _)| *name == reason.code()));
    let unknown = rows.iter().filter(|(name, _)| Reason::parse(name).is_none());
    missing
        .map(|reason| Finding::new(REASONS, format!("does not name {}; add its row", reason.code())))
        .chain(
            unknown.map(|(name, _)| Finding::new(REASONS, format!("names {name}, which core::reason does not have"))),
        )
        .collect()
}

/// Every constant of `source` that `page` does not give with its value, and every row that is no constant.
#[must_use]
pub fn limits(source: &str, page: &str) -> Vec<Finding> {
    let constants = constants(source);
    let rows = rows(page);
    let mut findings = Vec::new();
    if constants.is_empty() {
        findings.push(Finding::new(LIMITS, "core::limits has no constants; is its source where it was?"));
    }
    for (name, value) in &constants {
        if !rows.contains(&(name, value)) {
            findings.push(Finding::new(LIMITS, format!("has no row `{name}` with the value `{value}`")));
        }
    }
    for (name, _) in rows.iter().filter(|(row, _)| !constants.iter().any(|(name, _)| name == row)) {
        findings.push(Finding::new(LIMITS, format!("names {name}, which core::limits does not have")));
    }
    findings
}

/// Every limit that a crate names for others anywhere but in `core::limits`. What stands on no crate of the workspace has its own.
#[must_use]
pub fn scattered(files: &[File<'_>]) -> Vec<Finding> {
    let sources = files.iter().filter(|file| {
        let own = file.path == SOURCE || file.path.starts_with("crates/store/");
        file.path.starts_with("crates/") && !own && !is_test(file.path)
    });
    let lines = sources.flat_map(|file| file.text.lines().enumerate().map(move |(at, line)| (file.path, at + 1, line)));
    lines
        .filter(|(_, _, line)| line.trim_start().starts_with("pub const MAX_"))
        .map(|(path, line, _)| Finding::at(path, line, format!("is a limit; say it in {SOURCE} and {LIMITS}")))
        .collect()
}

/// Every path of the sources, in the list of paths or in a router, that `page` does not name.
#[must_use]
pub fn paths(files: &[File<'_>], page: &str) -> Vec<Finding> {
    let served: BTreeSet<&str> = serving(files)
        .flat_map(|file| file.text.lines())
        .filter_map(|line| {
            let listed = line.strip_prefix("pub const ").and_then(|line| line.split_once(": &str = \"/"));
            let routed = line.trim_start().strip_prefix(".route(\"/").map(|path| ("", path));
            let (path, _) = listed.or(routed)?.1.split_once('"')?;
            Some(path.split('{').next().unwrap_or(path).trim_end_matches('/'))
        })
        .collect();
    if served.is_empty() {
        return vec![Finding::new(HTTP, "no path is served; are the sources where they were?")];
    }
    served
        .iter()
        .filter(|path| !names(page, path))
        .map(|path| Finding::new(HTTP, format!("does not name /{path}; say what it is for")))
        .collect()
}

/// Whether a page names a path, and not only another that begins alike.
fn names(page: &str, path: &str) -> bool {
    page.match_indices(&format!("/{path}")).any(|(at, found)| {
        let rest = page.get(at + found.len()..).unwrap_or_default();
        !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-')
    })
}

/// Every metric of the sources that `page` does not name in a row of its own, and every row that names none.
#[must_use]
pub fn metrics(files: &[File<'_>], page: &str) -> Vec<Finding> {
    let counted: BTreeSet<&str> = serving(files)
        .flat_map(|file| {
            file.text.match_indices("\"eleven_").map(|(at, _)| file.text.get(at + 1..).unwrap_or_default())
        })
        .map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default())
        .map(|name| ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name))
        .filter(|name| *name != NO_METRIC)
        .collect();
    if counted.is_empty() {
        return vec![Finding::new(OPERATING, "nothing is counted; are the sources where they were?")];
    }
    let rows: BTreeSet<&str> =
        rows(page).into_iter().map(|(name, _)| name).filter(|name| name.starts_with("eleven_")).collect();
    let missing = counted.difference(&rows).map(|name| format!("does not name {name}; add its row"));
    let unknown = rows.difference(&counted).map(|name| format!("names {name}, which no corner counts"));
    missing.chain(unknown).map(|what| Finding::new(OPERATING, what)).collect()
}

fn serving<'a>(files: &'a [File<'a>]) -> impl Iterator<Item = &'a File<'a>> {
    files.iter().filter(|file| SERVING.iter().any(|at| file.path.starts_with(at)) && !is_test(file.path))
}

/// The rows of a page's tables whose first cell is in backticks: that cell and the second, both without them.
fn rows(page: &str) -> Vec<(&str, &str)> {
    page.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name, cells.next()?.trim_matches('`')))
        })
        .collect()
}

/// The public constants of a source file: name and value as written.
fn constants(source: &str) -> Vec<(&str, &str)> {
    source
        .lines()
        .filter_map(|line| {
            let (declared, value) = line.strip_prefix("pub const ")?.strip_suffix(';')?.split_once(" = ")?;
            Some((declared.split_once(':')?.0, value))
        })
        .collect()
}

#[cfg(test)]
mod tests;
