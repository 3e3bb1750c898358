//! What could be turned on or off from outside: environment variables and cargo features. No switch turns denial off (DESIGN,
//! invariant 2), so each that there is stands here with what it is for; and every crate forbids `unsafe`, which keeps to no rule.

use crate::{File, Finding, is_test};

/// What is read of the environment, and what for. None of them has a say in a decision.
const VARIABLES: &[(&str, &str)] = &[
    ("ELEVEN_LOG", "how much a corner logs"),
    ("ELEVEN_LONG", "how many cases a test takes"),
    ("NO_COLOR", "that nothing is printed in colour"),
    ("SSL_CERT_DIR", "certificate authorities that are trusted"),
    ("SSL_CERT_FILE", "certificate authorities that are trusted"),
    ("TERM", "whether a terminal knows colours"),
];

/// Cargo features: by crate and name, with what they are for. None of them changes what is decided.
const FEATURES: &[(&str, &str, &str)] = &[];

/// How the environment is read.
const READS: &[&str] = &["env::var(", "env::var_os(", "env::vars(", "env::vars_os("];

/// Every read of the environment that [`VARIABLES`] does not name, tests apart, and every name there that nothing reads.
#[must_use]
pub fn variables(files: &[File<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut read = Vec::new();
    let sources = files.iter().filter(|file| file.path.starts_with("crates/") && file.path.ends_with(".rs"));
    for file in sources.filter(|file| !is_test(file.path)) {
        for (at, line) in file.text.lines().enumerate() {
            for rest in READS.iter().flat_map(|call| line.split(call).skip(1)) {
                let name = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(name, _)| name);
                match name.filter(|name| VARIABLES.iter().any(|(known, _)| known == name)) {
                    Some(name) => read.push(name),
                    None => findings.push(Finding::at(
                        file.path,
                        at + 1,
                        "reads another environment variable than xtask/src/switches.rs names; is it one that decides?",
                    )),
                }
            }
        }
    }
    let needless = VARIABLES.iter().filter(|(name, _)| !read.contains(name));
    findings.extend(needless.map(|(name, _)| Finding::new(*name, "is read nowhere; take it out of the table")));
    findings
}

/// Every feature of the workspace's crates that [`FEATURES`] does not name, and every crate that does not forbid `unsafe`.
#[must_use]
pub fn crates(files: &[File<'_>]) -> Vec<Finding> {
    let manifest = |path: &str| {
        let inside = path.starts_with("crates/") || path.starts_with("xtask/") || path.starts_with("fuzz/targets/");
        inside && path.ends_with("/Cargo.toml")
    };
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text);
    let for_all = section(text("Cargo.toml"), "workspace.lints.rust").any(|line| line == FORBIDDEN);
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| manifest(file.path)) {
        let by_workspace = for_all && section(file.text, "lints").any(|line| line == "workspace = true");
        let by_itself = section(file.text, "lints.rust").any(|line| line == FORBIDDEN);
        if !by_workspace && !by_itself {
            findings.push(Finding::new(file.path, format!("lacks {FORBIDDEN}; take the workspace's lints")));
        }
        let features =
            section(file.text, "features").filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
        for feature in features.filter(|name| !FEATURES.iter().any(|(of, known, _)| file.path == *of && known == name))
        {
            let what = format!("has the feature {feature}, which xtask/src/switches.rs does not name; does it decide?");
            findings.push(Finding::new(file.path, what));
        }
    }
    findings
}

const FORBIDDEN: &str = "unsafe_code = \"forbid\"";

/// The lines of a table of a manifest.
fn section<'a>(manifest: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let begins = move |line: &&str| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) != Some(name);
    manifest.lines().map(str::trim).skip_while(begins).skip(1).take_while(|line| !line.starts_with('['))
}

#[cfg(test)]
mod tests;
