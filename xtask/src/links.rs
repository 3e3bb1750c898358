//! That every relative link of a Markdown page leads to something that is there.

use std::collections::BTreeSet;

use crate::{File, Finding};

/// Every link to a path that is neither a tracked file nor a folder of one. `paths` are all tracked paths.
#[must_use]
pub fn check(files: &[File<'_>], paths: &[String]) -> Vec<Finding> {
    let mut there: BTreeSet<&str> = BTreeSet::new();
    for path in paths {
        there.insert(path);
        there.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, line) in file.text.lines().enumerate() {
            for target in targets(line).filter(|target| !there.contains(resolved(file.path, target).as_str())) {
                findings.push(Finding::at(file.path, at + 1, format!("the link to {target} leads nowhere")));
            }
        }
    }
    findings
}

/// The paths that a line links to: not other sites, not places on the same page, and without the place on the other.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let path = rest.split(')').next()?.split('#').next()?;
        (!path.is_empty() && !path.contains(':') && !path.contains(' ')).then_some(path)
    })
}

/// A target as a path from the top of the repository.
fn resolved(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
