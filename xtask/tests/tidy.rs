//! The rules of the house, applied to this repository: to the files that git tracks, and to what cargo says of itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::{File, Finding, edges, links, locks, proofs, pure, size, spec, switches, words};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a command prints, run at the top of the repository.
fn printed(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).current_dir(top()).output().expect(command);
    assert!(output.status.success(), "{command} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("utf-8")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every path that git tracks.
fn paths() -> Vec<String> {
    printed("git", &["ls-files", "-z"]).split('\0').filter(|path| !path.is_empty()).map(String::from).collect()
}

/// Every tracked file that is text and is there: path and text.
fn tracked() -> Vec<(String, String)> {
    let read = |path: String| Some((path.clone(), std::fs::read_to_string(top().join(path)).ok()?));
    let files: Vec<_> = paths().into_iter().filter_map(read).collect();
    assert!(files.iter().any(|(path, _)| path == "xtask/tests/tidy.rs"), "git lists other files than these");
    files
}

fn holds(rule: impl Fn(&[File<'_>]) -> Vec<Finding>) {
    let tracked = tracked();
    let files: Vec<File<'_>> = tracked.iter().map(|(path, text)| File { path, text }).collect();
    none(&rule(&files));
}

fn none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

/// What cargo says of the workspace's crates.
fn metadata() -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    printed(&cargo, &["metadata", "--no-deps", "--offline", "--format-version", "1"])
}

#[test]
fn crates_use_only_what_they_may() {
    none(&edges::check(&metadata()).expect("metadata"));
}

#[test]
fn projects_outside_have_locked_what_the_crates_use() {
    let metadata = metadata();
    for path in locks::OUTSIDE {
        none(&locks::check(&metadata, path, &read(path)).expect("a lock file"));
    }
}

#[test]
fn pure_crates_reach_nothing_outside() {
    holds(pure::check);
}

#[test]
fn time_and_randomness_enter_at_the_edge() {
    holds(pure::edge);
}

#[test]
fn admissions_permits_and_receipts_are_made_in_one_place_and_used_up() {
    holds(proofs::made);
    holds(proofs::used);
}

#[test]
fn nothing_is_switched_from_outside_but_what_is_named() {
    holds(switches::variables);
    holds(switches::crates);
}

#[test]
fn files_are_short_or_say_why() {
    holds(size::check);
}

#[test]
fn reasons_stand_in_the_specification() {
    none(&spec::reasons(&read(spec::REASONS)));
}

#[test]
fn limits_stand_in_the_specification() {
    none(&spec::limits(&read(spec::SOURCE), &read(spec::LIMITS)));
    holds(spec::scattered);
}

#[test]
fn paths_stand_in_the_specification() {
    let page = read(spec::HTTP);
    holds(|files| spec::paths(files, &page));
}

#[test]
fn metrics_stand_in_the_operators_page() {
    let page = read(spec::OPERATING);
    holds(|files| spec::metrics(files, &page));
}

#[test]
fn links_lead_somewhere() {
    let paths = paths();
    holds(|files| links::check(files, &paths));
}

#[test]
fn no_file_says_what_none_may() {
    holds(words::check);
}
