//! Which crate of the workspace may use which, read off `cargo metadata`.
//!
//! The corners (authority, runtime, ledger) never use each other: they meet on the wire only. `eleven-core` may be used by
//! every crate that may use one which stands on it; that is all of them. Dependencies for tests and benchmarks alone are
//! not edges: nothing of them is in what ships.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Finding;

const ALL: &str = "*";

/// A crate of the workspace and the crates of the workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("eleven-core", &[]),
    ("eleven-verify", &["eleven-core"]),
    ("eleven-policy", &["eleven-core"]),
    ("eleven-enforce", &["eleven-core"]),
    ("eleven-api", &["eleven-core"]),
    ("eleven-store", &["eleven-core"]),
    ("eleven-mesh", &["eleven-core", "eleven-verify"]),
    ("eleven-authority", &["eleven-core", "eleven-policy", "eleven-api", "eleven-mesh", "eleven-enforce"]),
    ("eleven-runtime", &["eleven-core", "eleven-enforce", "eleven-store", "eleven-api", "eleven-mesh"]),
    ("eleven-ledger", &["eleven-core", "eleven-verify", "eleven-store", "eleven-api", "eleven-mesh"]),
    ("eleven", &[ALL]),
    ("eleven-sim", &[ALL]),
    ("eleven-fuzz-targets", &["eleven-core", "eleven-verify", "eleven-policy", "eleven-enforce", "eleven-api"]),
    ("xtask", &["eleven-core"]),
];

/// Packages from outside that the pure crates never have among their dependencies: clocks, randomness, IO, executors.
const IMPURE: &[&str] = &[
    "async-std",
    "axum",
    "chrono",
    "fastrand",
    "getrandom",
    "hyper",
    "hyper-util",
    "mio",
    "rand",
    "rand_core",
    "redb",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tracing",
];

/// Every edge that is not allowed, and every crate that the table does not know.
///
/// # Errors
/// What of the metadata could not be read.
pub fn check(metadata: &str) -> Result<Vec<Finding>, String> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let used: BTreeMap<&str, Vec<&str>> = packages
        .iter()
        .map(|package| Some((package["name"].as_str()?, shipped(package)?)))
        .collect::<Option<_>>()
        .ok_or("a package without a name")?;
    let mut findings = Vec::new();
    for (name, dependencies) in &used {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            findings.push(Finding::new(*name, "is not in the table of edges; say there what it may use"));
            continue;
        };
        for dependency in dependencies {
            let inside = used.contains_key(dependency);
            if inside && !allowed.contains(dependency) && !allowed.contains(&ALL) {
                findings.push(Finding::new(
                    *name,
                    format!("may not use {dependency}; move what both need to a crate below both"),
                ));
            }
            if crate::pure::is_pure(name) && IMPURE.contains(dependency) {
                findings.push(Finding::new(
                    *name,
                    format!("is pure and may not use {dependency}; take the value as an argument"),
                ));
            }
        }
    }
    Ok(findings)
}

/// The names of a package's dependencies that are part of what ships: normal and build, not those of tests.
fn shipped(package: &Value) -> Option<Vec<&str>> {
    let dependencies = package["dependencies"].as_array()?;
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| dependency["name"].as_str())
        .collect()
}

#[cfg(test)]
mod tests;
