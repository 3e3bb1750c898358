//! `evidence verify`: five verdicts over a folder of evidence, each on its own, from its files and a trust root alone.
//!
//! - **integrity**: every file is the one that the manifest lists, every proof file holds together, and what is made of
//!   the records (keys, policies, counts, gaps, the OSCAL document and the page) is what they give.
//! - **signers**: the pinned root leads to the keys that signed, and each counted when it did.
//! - **completeness**: the range has every entry of its time, under the head; each operation that was asked for has its
//!   whole lineage; the registry's history has every event.
//! - **retention**: what the domain set is as long as the regimes demand, entries are there from as far back, and what is
//!   under a legal hold is here.
//! - **coverage**: calls that an upstream logged are all among the records.
//!
//! With them goes what they were given over: the question that the folder answers ([`subject`]).

mod access_log;
mod case;
mod completeness;
mod coverage;
mod documents;
mod integrity;
mod retention;
mod signers;
mod subject;
mod terms;
mod told;
mod unchecked;

use super::Verify;
use super::folder::Folder;
use super::regime::Regime;
use crate::output::{EXIT_DONE, EXIT_FAILED, Failure, Output, Paint, shown};
use crate::progress::Shown;
use crate::verify_cmd;
use case::Case;
use eleven_core::encoding::{Object, Value};
use eleven_verify::Status;
use std::process::ExitCode;

/// Details of one verdict, and gaps of a manifest, that are told; how many there are is told always.
const TOLD: usize = 100;

/// A verdict.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it came to.
    pub(crate) status: Status,
    /// What was found: what is wrong where it failed, what it rests on where it passed, why it was not checked.
    pub(crate) details: Vec<String>,
}

impl Verdict {
    /// Failed where there is something against it, passed with what it rests on where there is nothing.
    fn of(name: &'static str, against: Vec<String>, rests_on: Vec<String>) -> Self {
        match against.is_empty() {
            true => Self { name, status: Status::Passed, details: rests_on },
            false => Self { name, status: Status::Failed, details: against },
        }
    }

    fn not_checked(name: &'static str, why: &str) -> Self {
        Self { name, status: Status::NotChecked, details: vec![why.to_owned()] }
    }

    fn to_value(&self) -> Value {
        let details: Vec<Value> = self.details.iter().take(TOLD).map(Value::from).collect();
        let count = u64::try_from(self.details.len()).unwrap_or(u64::MAX);
        let object = Object::new().with("name", self.name).with("status", self.status.name());
        Value::Object(object.with("details", details).with("count", count))
    }
}

/// Verifies, says the verdicts, and gives the exit status.
///
/// # Errors
/// Where there is no folder of evidence, or an option is wrong.
pub(crate) fn run(args: &Verify, output: Output) -> Result<ExitCode, Failure> {
    let folder = Folder::open(&args.dir).map_err(Failure::usage)?;
    let root = args.root.as_deref().map(verify_cmd::read_root).transpose()?;
    let logs = args.access_log.iter().map(|log| access_log::read(log)).collect::<Result<Vec<_>, _>>();
    let logs = logs.map_err(Failure::usage)?;
    let given = Regime::of_files(&args.regime_file).map_err(Failure::usage)?;
    let case = Case::read(&folder, root.as_ref(), &given, Shown::new(output));
    let verdicts = match &case {
        Ok(case) => vec![
            integrity::judge(&folder, case, !args.skip_documents),
            signers::judge(case, root.as_ref()),
            completeness::judge(case, args),
            retention::judge(case),
            coverage::judge(case, &logs),
        ],
        Err(why) => without_manifest(why.clone()),
    };
    let case = case.ok();
    let holds = verdicts.iter().all(|verdict| verdict.status != Status::Failed);
    let trusted = verdicts.iter().any(|verdict| verdict.name == signers::NAME && verdict.status == Status::Passed);
    output.either(
        || said(case.as_ref(), &verdicts, holds && trusted),
        || told(case.as_ref(), &verdicts, holds, trusted, output),
    );
    Ok(ExitCode::from(if holds && trusted { EXIT_DONE } else { EXIT_FAILED }))
}

/// Without a manifest that can be read there is nothing to hold anything against.
fn without_manifest(why: String) -> Vec<Verdict> {
    let others = [signers::NAME, completeness::NAME, retention::NAME, coverage::NAME];
    let none = "the manifest can't be read";
    std::iter::once(Verdict::of(integrity::NAME, vec![why], Vec::new()))
        .chain(others.map(|name| Verdict::not_checked(name, none)))
        .collect()
}

fn said(case: Option<&Case>, verdicts: &[Verdict], verified: bool) -> Value {
    let word = if verified { "verified" } else { "failed" };
    let list: Vec<Value> = verdicts.iter().map(Verdict::to_value).collect();
    let report = Object::new().with("verdict", word).with("verdicts", list);
    Value::Object(match case {
        Some(case) => subject::in_report(case, report),
        None => report,
    })
}

fn told(case: Option<&Case>, verdicts: &[Verdict], holds: bool, trusted: bool, output: Output) -> String {
    let mut lines = Vec::new();
    for verdict in verdicts {
        let (word, paint) = verify_cmd::mark(verdict.status);
        lines.push(format!("{}  {}", output.paint(paint, word), output.paint(Paint::Bold, verdict.name)));
        lines.extend(verdict.details.iter().take(TOLD).map(|detail| format!("             {}", shown(detail))));
        let more = verdict.details.len().saturating_sub(TOLD);
        if more > 0 {
            lines.push(format!("             and {more} more"));
        }
    }
    lines.push(String::new());
    lines.push(match (holds, trusted) {
        (true, true) => output.paint(Paint::Good, "VERIFIED"),
        (true, false) => format!(
            "{}\nNothing failed, but anybody can make a folder that agrees with itself: name the domain's trust root with --root.",
            output.paint(Paint::Warn, "UNPINNED")
        ),
        (false, _) => output.paint(Paint::Bad, "FAILED"),
    });
    lines.extend(case.map(subject::lines).unwrap_or_default());
    lines.join("\n")
}
