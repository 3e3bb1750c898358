//! `eleven conformance vectors DIR`: the kit by which this implementation, and any other, is measured.
//!
//! It takes any folder of files of the names and forms of `spec/vectors` and runs every case through the functions that
//! production runs: the parser, strict verification, the registry's fold, the ledger's rules of append, the point's
//! admission, the verifier of bundles. Nothing here depends on the keys or dates of one set of files.

mod artifacts;
mod bundles;
mod encoding;
mod ledger;
mod registry;
mod report;

use crate::output::{Failure, Output};
use eleven_core::encoding::{Value, parse};
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::Wrong;

/// What runs the cases of one file, and names each in the report.
type Cases = fn(&Folder, &mut Report) -> Result<(), Wrong>;

/// The files of the kit, in the order in which one part of the protocol builds on another.
const FILES: &[(&str, Cases)] = &[
    ("jcs.json", encoding::jcs),
    ("ed25519.json", encoding::ed25519),
    ("artifacts.json", artifacts::cases),
    ("ledger.json", ledger::replay),
    ("append.json", ledger::append),
    ("append-own.json", ledger::append_own),
    ("registry.json", registry::registry),
    ("index.json", registry::index),
    ("head.json", registry::head),
    ("admission.json", artifacts::admission),
    ("root.json", bundles::root),
    ("bundles.json", bundles::verified),
    ("bundles-that-fail.json", bundles::failing),
    ("bundle.proof.json", bundles::file),
    ("equivocation.json", bundles::equivocation),
    ("registered.json", bundles::registered),
];

/// Runs every file of `dir`: a line per case, then `N passed, N failed`; for machines one document instead.
///
/// A file that is missing is one failed case, save those that are this project's own additions, `append-own.json`,
/// `equivocation.json` and `registered.json`; one that the kit does not know is named. The exit code is 0 where no case failed
/// and 1 where one did.
///
/// # Errors
/// Where `dir` is no folder: status 2.
pub(crate) fn run(dir: &Path, output: Output) -> Result<ExitCode, Failure> {
    if !dir.is_dir() {
        let what = format!("{} is not a folder; name one with the files of spec/vectors", dir.display());
        return Err(Failure::usage(what));
    }
    let folder = Folder(dir.to_owned());
    let mut report = Report::new(output);
    for (name, cases) in FILES {
        report.begin(name);
        if let Err(wrong) = cases(&folder, &mut report) {
            report.case("the file", Err(wrong));
        }
    }
    for name in folder.unknown() {
        report.note(&format!("{name} is none of the kit's files: not run"));
    }
    Ok(report.finish())
}

/// A folder of vectors.
struct Folder(PathBuf);

impl Folder {
    /// Reads a file as I-JSON.
    ///
    /// # Errors
    /// Where it is not there, or not I-JSON.
    fn read(&self, name: &str) -> Result<Value, Wrong> {
        let bytes = std::fs::read(self.0.join(name)).map_err(|error| Wrong(format!("cannot be read: {error}")))?;
        Ok(parse(&bytes)?)
    }

    /// Whether there is a file of that name.
    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// JSON files that the kit does not have.
    fn unknown(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| name.ends_with(".json") && !FILES.iter().any(|(known, _)| known == name));
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests;
