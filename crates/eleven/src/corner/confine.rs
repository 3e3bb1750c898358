//! Confinement of a corner to its own files, by Landlock: no corner opens another's folder (DESIGN, invariant 6).
//!
//! What the process may read: its configuration, the trust root, its passphrase and TLS files, and what the system's
//! libraries need to resolve names and trust certificate authorities. What it may write: its own folder, and the ledger the
//! archive to which it moves content. It may execute nothing, and signal no process outside.

use super::Which;
use crate::config::Config;
use crate::output::Failure;
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What the newest rules are asked for; an older kernel enforces what it knows.
const WANTED: ABI = ABI::V6;

/// What name resolution, certificate authorities and time zones are read from.
const SYSTEM: &[&str] = &[
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/passwd",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/proc/self",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/dev/null",
    "/dev/urandom",
];

/// How far this process is confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confinement {
    /// To its own files.
    Own,
    /// To its own files, by what an older kernel knows of it.
    Partly,
    /// Not at all: the kernel has no Landlock.
    None,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "own folder only",
            Self::Partly => "own folder only, as far as this kernel's Landlock goes",
            Self::None => "not confined: this kernel has no Landlock; separate the corners by users instead",
        })
    }
}

/// Whether this kernel has Landlock, without confining anything.
pub(crate) fn supported() -> bool {
    let asked = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(|ruleset| ruleset.create());
    asked.is_ok()
}

/// Confines this process, from here on and for good. Threads that run already would stay free: call it before any start.
///
/// # Errors
/// Where the rules can't be made, or would open another corner's folder. A kernel without Landlock is no error; the answer says so.
pub(crate) fn to_own(which: Which, config: &Config) -> Result<Confinement, Failure> {
    let corner = which.of(config);
    let mut readable = vec![config.file.clone(), config.root.clone(), corner.passphrase_file.clone()];
    readable.extend(corner.tls.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
    if which == Which::Runtime {
        readable.extend(config.point.upstream_key_file.clone());
    }
    let mut writable = vec![corner.data.clone()];
    if let (Which::Ledger, Some(archive)) = (which, &config.archive) {
        if config.archive_every.is_some() {
            // A rule is for what is there.
            DirBuilder::new().recursive(true).mode(0o700).create(archive).map_err(|error| {
                let what = "the folder of `ledger.archive` can't be made";
                let then = "make it for the ledger's user, or name another";
                Failure::new(format!("{}: {what} ({error}): {then}", archive.display()))
            })?;
            writable.push(archive.clone());
        } else {
            readable.push(archive.clone());
        }
    }
    let named: Vec<PathBuf> = readable.iter().chain(&writable).cloned().chain(certificates()).collect();
    opens_no_other(which, config, &named)?;
    to_folders(readable, &writable)
}

/// Refuses what would let a corner into the folder of another that is on this machine. What the configuration names is looked at
/// when it is read; here are links followed, and it is seen that what all corners read is nobody's to write.
///
/// # Errors
/// Where a path leads there, or to a folder around it.
fn opens_no_other(which: Which, config: &Config, named: &[PathBuf]) -> Result<(), Failure> {
    // What is not there can't be opened, and a corner that has no folder here runs elsewhere.
    let there = |path: &Path| std::fs::canonicalize(path).ok();
    for other in Which::ALL.into_iter().filter(|other| *other != which) {
        let Some(theirs) = there(&other.of(config).data) else { continue };
        let leads = |path: &Path| there(path).is_some_and(|path| path.starts_with(&theirs) || theirs.starts_with(path));
        if let Some(path) = named.iter().find(|path| leads(path.as_path())) {
            let (name, other) = (which.name(), other.name());
            let what =
                format!("it leads to the folder of {other}, and {name} would be let in by it: keep it elsewhere");
            return Err(Failure::usage_about(path, what));
        }
    }
    Ok(())
}

/// Where the environment says that certificate authorities are.
fn certificates() -> Vec<PathBuf> {
    let file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    // It may name several.
    let folders = std::env::var_os("SSL_CERT_DIR").unwrap_or_default();
    file.into_iter().chain(std::env::split_paths(&folders)).collect()
}

/// Confines this process to one folder that it may write, and to what it may read besides.
///
/// # Errors
/// As [`to_own`].
pub(crate) fn to_folder(readable: Vec<PathBuf>, own: &Path) -> Result<Confinement, Failure> {
    to_folders(readable, &[own.to_owned()])
}

fn to_folders(mut readable: Vec<PathBuf>, writable: &[PathBuf]) -> Result<Confinement, Failure> {
    readable.extend(SYSTEM.iter().map(PathBuf::from));
    readable.extend(certificates());
    restrict(&readable, writable).map_err(|error| Failure::new(format!("this process can't be confined: {error}")))
}

fn restrict(readable: &[PathBuf], writable: &[PathBuf]) -> Result<Confinement, landlock::RulesetError> {
    let all = AccessFs::from_all(WANTED);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = all & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::Signal)?
        .create()?;
    for (paths, access) in [(readable, read), (writable, write)] {
        for path in paths {
            if let Some(rule) = beneath(path, access) {
                ruleset = ruleset.add_rule(rule)?;
            }
        }
    }
    let status = ruleset.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Own,
        RulesetStatus::PartiallyEnforced => Confinement::Partly,
        RulesetStatus::NotEnforced => Confinement::None,
    })
}

/// A rule for a path that is there; what is not there can't be opened anyway.
fn beneath(path: &Path, access: BitFlags<AccessFs>) -> Option<PathBeneath<PathFd>> {
    let file = PathFd::new(path).ok()?;
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(WANTED) };
    Some(PathBeneath::new(file, access))
}

#[cfg(test)]
mod tests;
