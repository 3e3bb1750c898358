//! What a project outside the workspace has locked of the workspace's crates: a dependency that one of them got since must
//! stand there, or the project does not build with `--locked`. Read off the two files, so that it needs no network.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Finding;

/// The lock files of the projects that are not in the workspace and use crates of it.
pub const OUTSIDE: &[&str] = &["fuzz/Cargo.lock"];

/// Every dependency of the workspace's crates that a lock file lacks; `metadata` is `cargo metadata --no-deps`.
///
/// # Errors
/// What of the metadata could not be read, or a lock file that holds no crate of the workspace.
pub fn check(metadata: &str, path: &str, lock: &str) -> Result<Vec<Finding>, String> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let (mut findings, mut known) = (Vec::new(), 0);
    for locked in lock.split("[[package]]").filter(|locked| !locked.contains("\nsource = ")) {
        let Some(package) = packages.iter().find(|package| package["name"].as_str() == name(locked)) else { continue };
        known += 1;
        let held: BTreeSet<&str> = dependencies(locked).collect();
        let shipped = package["dependencies"].as_array().ok_or("a package without dependencies")?;
        for dependency in shipped.iter().filter(|one| one["kind"] != "dev" && one["optional"] != true) {
            let dependency = dependency["name"].as_str().ok_or("a dependency without a name")?;
            if !held.contains(dependency) {
                let name = name(locked).unwrap_or_default();
                let project = path.replace("Cargo.lock", "Cargo.toml");
                let what =
                    format!("lacks {dependency} of {name}; `cargo update --workspace --manifest-path {project}`");
                findings.push(Finding::new(path, what));
            }
        }
    }
    if known == 0 {
        return Err(format!("{path} holds no crate of the workspace"));
    }
    Ok(findings)
}

fn name(locked: &str) -> Option<&str> {
    locked.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// The names behind ` "name version",` of a package's list.
fn dependencies(locked: &str) -> impl Iterator<Item = &str> {
    let listed = locked.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","));
    listed.filter_map(|dependency| dependency.split(' ').next())
}

#[cfg(test)]
mod tests;
