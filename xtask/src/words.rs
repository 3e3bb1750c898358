//! What no tracked file may say: left-overs, and the names of the machines that it was written on.

use crate::{File, Finding};

/// A text, and why it may not stand. Each is split here, so that this file passes too.
const BANNED: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "finish it, or take it out"),
    (concat!("FIX", "ME"), "finish it, or take it out"),
    (concat!("todo", "!("), "finish it, or take it out"),
    (concat!("unimplemented", "!("), "finish it, or take it out"),
    (concat!("/wo", "rk/"), "a path of one machine; use a path from the top of the repository"),
    (concat!("/home", "/"), "a path of one machine; use a path from the top of the repository"),
    (concat!("crates", ".io"), "the host of a package registry; that is the machine's configuration"),
    (concat!("pypi", ".org"), "the host of a package registry; that is the machine's configuration"),
    (concat!("pythonhosted", ".org"), "the host of a package registry; that is the machine's configuration"),
    (concat!("npmjs", ".org"), "the host of a package registry; that is the machine's configuration"),
    (concat!("arti", "factory"), "the host of a package registry; that is the machine's configuration"),
];

/// Written by cargo, which puts the registry into it.
const GENERATED: &[&str] = &["Cargo.lock", "fuzz/Cargo.lock", "tests/cosignatures/Cargo.lock"];

/// Every banned text, as a whole word where it begins or ends in a letter.
#[must_use]
pub fn check(files: &[File<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !GENERATED.contains(&file.path)) {
        for (at, line) in file.text.lines().enumerate() {
            for (text, why) in BANNED.iter().filter(|(text, _)| says(line, text)) {
                findings.push(Finding::at(file.path, at + 1, format!("'{text}': {why}")));
            }
        }
    }
    findings
}

/// Whether a line has this text, not as part of a longer word.
fn says(line: &str, text: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(text).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + text.len()..]);
        let opens = !word(before.chars().next_back());
        let closes = !word(text.chars().next_back()) || !word(after.chars().next());
        opens && closes
    })
}

#[cfg(test)]
mod tests;
