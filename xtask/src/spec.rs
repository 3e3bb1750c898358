//! That every refusal code and every limit of the code stands in the specification, and nothing else does.
//!
//! Both are tables whose first cell is the name in backticks: `spec/reasons.md` has the codes of `core::reason`,
//! `spec/limits.md` the constants of `core::limits`, with the value in the second cell as the source writes it.

use eleven_core::reason::Reason;

use crate::Finding;

/// Where the codes are.
pub const REASONS: &str = "spec/reasons.md";
/// Where the limits are.
pub const LIMITS: &str = "spec/limits.md";

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
