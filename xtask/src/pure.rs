//! What the pure crates may not call: clock, randomness, files, network, environment, processes, threads, an executor.
//! Time and randomness enter at the edge as values; the same inputs give the same decision, bytes and hash everywhere. That edge is
//! one file, for the other crates too.

use crate::code::{Token, tokens};
use crate::{File, Finding, is_test};

/// The crates that are pure, and their folders.
const PURE: &[(&str, &str)] = &[
    ("eleven-core", "crates/core/"),
    ("eleven-verify", "crates/verify/"),
    ("eleven-enforce", "crates/enforce/"),
    ("eleven-policy", "crates/policy/"),
];

/// Of these, the ones that do without `std` altogether.
const NO_STD: &[&str] = &["crates/core/src/lib.rs", "crates/verify/src/lib.rs"];

/// Lints that turn what may panic into an error in a pure crate: in its `Cargo.toml` or at the top of its `lib.rs`.
const LINTS: &[&str] = &["unwrap_used", "expect_used", "panic", "indexing_slicing"];

/// Modules of `std` that reach outside.
const MODULES: &[&str] = &["time", "fs", "net", "env", "thread", "process"];

/// Crates that reach outside.
const CRATES: &[&str] = &["tokio", "rand", "rand_core", "getrandom", "rustix", "libc", "chrono"];

/// Types and functions that do, under whatever path they were brought in.
const NAMES: &[&str] = &["SystemTime", "Instant", "OsRng", "thread_rng", "ThreadRng"];

/// The one file of what ships that asks for the time of day or for random bytes. How long something takes may be measured anywhere.
const EDGE: &str = "crates/api/src/edge.rs";

/// What tells the time of day or draws random bytes, under whatever path it was brought in.
const DRAWN: &[&str] = &[
    "SystemTime",
    "UNIX_EPOCH",
    "clock_gettime",
    "getrandom",
    "SystemRandom",
    "OsRng",
    "SysRng",
    "ThreadRng",
    "thread_rng",
];

/// Whether a crate of this name is pure.
#[must_use]
pub fn is_pure(name: &str) -> bool {
    PURE.iter().any(|(pure, _)| *pure == name)
}

/// Every call outside in the sources of the pure crates, tests apart; and every pure crate without its attributes.
#[must_use]
pub fn check(files: &[File<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, folder) in PURE {
        let mine: Vec<&File<'_>> = files.iter().filter(|file| file.path.starts_with(folder)).collect();
        for file in &mine {
            if file.path.starts_with(&format!("{folder}src/")) && file.path.ends_with(".rs") && !is_test(file.path) {
                findings.extend(calls(file));
            }
        }
        let says = |text: &str| {
            let places = [format!("{folder}Cargo.toml"), format!("{folder}src/lib.rs")];
            mine.iter().any(|file| places.iter().any(|place| place == file.path) && file.text.contains(text))
        };
        for lint in LINTS.iter().filter(|lint| !says(lint)) {
            findings.push(Finding::new(*name, format!("is pure and lacks the lint {lint}; add it to [lints.clippy]")));
        }
    }
    for path in NO_STD {
        if !files.iter().any(|file| file.path == *path && file.text.contains("#![no_std]")) {
            findings.push(Finding::new(*path, "lacks #![no_std]; it is built for places without std"));
        }
    }
    findings
}

/// Every place outside of [`EDGE`], tests apart, at which a crate asks for the time of day or for random bytes itself.
#[must_use]
pub fn edge(files: &[File<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !files.iter().any(|file| file.path == EDGE) {
        findings.push(Finding::new(EDGE, "is not there; where do time and randomness enter?"));
    }
    let ships = |file: &&File<'_>| {
        let source = file.path.starts_with("crates/") && file.path.contains("/src/") && file.path.ends_with(".rs");
        source && file.path != EDGE && !is_test(file.path)
    };
    for file in files.iter().filter(ships) {
        let found = tokens(file.text);
        for (at, token) in found.iter().enumerate() {
            let is_crate = token.text == "rand" && found.get(at + 1).is_some_and(|next| next.text == "::");
            if is_crate || DRAWN.contains(&token.text) {
                let what = format!("{} is for {EDGE} alone; take its value as an argument, or ask there", token.text);
                findings.push(Finding::at(file.path, token.line, what));
            }
        }
    }
    findings
}

/// The calls outside in one file.
fn calls(file: &File<'_>) -> Vec<Finding> {
    let found = tokens(file.text);
    let mut findings = Vec::new();
    for (at, token) in found.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| found[at].text);
        let after = &found[at + 1..];
        let next = after.first().map(|token| token.text);
        let reached: Vec<String> = match token.text {
            "std" if next == Some("::") => first_segments(&after[1..])
                .into_iter()
                .filter(|name| MODULES.contains(name) || *name == "self")
                .map(|name| format!("std::{name}"))
                .collect(),
            "std" if next == Some("as") => vec!["std under another name".into()],
            name if CRATES.contains(&name)
                && (next == Some("::") || matches!(before, Some("use" | "crate" | "::" | "{" | ","))) =>
            {
                vec![name.into()]
            }
            name if NAMES.contains(&name) => vec![name.into()],
            _ => vec![],
        };
        findings.extend(reached.into_iter().map(|name| {
            Finding::at(file.path, token.line, format!("{name} in a pure crate; take its value as an argument"))
        }));
    }
    findings
}

/// The first segments of what follows `std::`: one name, or each name at the top of a group.
fn first_segments<'a>(after: &[Token<'a>]) -> Vec<&'a str> {
    let Some(first) = after.first() else { return vec![] };
    if first.text != "{" {
        return vec![first.text];
    }
    let mut depth = 0;
    let mut expected = false;
    let mut names = Vec::new();
    for token in after {
        match token.text {
            "{" => {
                depth += 1;
                expected = depth == 1;
            }
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," => expected = depth == 1,
            name if expected => {
                names.push(name);
                expected = false;
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests;
