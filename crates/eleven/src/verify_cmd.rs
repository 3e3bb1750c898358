//! `eleven verify FILE --root ROOT`: every check of PROTOCOL 11.1, or of evidence of equivocation, offline.

mod walk;

use crate::call::At;
use crate::cli::Verify;
use crate::output::{EXIT_USAGE, Failure, Output, Paint, shown, word};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Object, TOO_MUCH, Value};
use eleven_core::id;
use eleven_core::limits::MAX_PROOF_FILE;
use eleven_core::policy::PolicyBundle;
use eleven_core::root::TrustRoot;
use eleven_core::time::Time;
use eleven_policy::Replay;
use eleven_verify::equivocation;
use eleven_verify::{
    Caller, EXIT_NOT_I_JSON, Kind, Pinned, ReplayResult, Report, Status, Verdict, parse_file, verify_bytes,
};
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Verifies, says what every check came to, and gives the exit status of the verdict.
///
/// # Errors
/// Where a file can't be read or an option is wrong: status 2.
pub(crate) fn run(args: &Verify, output: Output) -> Result<ExitCode, Failure> {
    let root = args.root.as_deref().map(read_root).transpose()?;
    if args.batch {
        return batch(root.as_ref());
    }
    let kind = args.kind.as_deref().map(|kind| {
        Kind::parse(kind)
            .ok_or_else(|| Failure::usage(format!("`{kind}` is no kind: use execution, open, unused or denial")))
    });
    let op = args.op.as_deref().map(id::operation_at_hand);
    if let Some((at, named)) = walked(args)? {
        return walk::run(&at, named, (root.as_ref(), kind.transpose()?, args.max_age), output);
    }
    let caller = Caller {
        root: root.as_ref(),
        now: Some(SystemClock.now()),
        max_age: args.max_age,
        kind: kind.transpose()?,
        op,
        replay: Some(&replay),
        keys: None,
    };
    let file = args.file.as_deref().ok_or_else(|| Failure::usage("name the proof file"))?;
    if file.is_dir() {
        let file = file.display();
        let typed = word(&file);
        let what = format!("{file} is a folder: one of evidence is verified by `eleven evidence verify {typed}`");
        return Err(Failure::usage(what));
    }
    let bytes = read(file)?;
    match verify_bytes(&bytes, &caller) {
        Ok(report) => {
            let text = || if is_proof(&report, &bytes) { table(&report, output) } else { no_proof(file, output) };
            output.either(|| report.to_value(), text);
            Ok(ExitCode::from(report.exit_code()))
        }
        Err(error) if error.what == TOO_MUCH => {
            Err(Failure::usage(format!("{}: more values than any proof file has", file.display())))
        }
        Err(error) => {
            let other = if bytes.starts_with(TLOG_PROOF) { FOR_OTHERS } else { "" };
            Failure::new(format!("{} is not I-JSON: {error}{other}", file.display())).report(output.json);
            Ok(ExitCode::from(EXIT_NOT_I_JSON))
        }
    }
}

/// How a C2SP tlog-proof begins, of whatever version.
const TLOG_PROOF: &[u8] = b"c2sp.org/tlog-proof@";
const FOR_OTHERS: &str = "; it is a tlog-proof, which tools for transparency logs verify: `eleven lineage bundle` writes the \
                          proof file of an operation";

/// Whether a file says of itself that it proves something. What says neither how nor what is another file, and no forgery.
fn is_proof(report: &Report, bytes: &[u8]) -> bool {
    let names = |value: Value| value.get("kind").or_else(|| value.get("type")).is_some();
    report.kind.is_some() || parse_file(bytes).is_ok_and(names)
}

fn no_proof(file: &Path, output: Output) -> String {
    let file = shown(&file.display().to_string());
    format!("{} {file} is no proof file: it has neither `kind` nor `type`", output.paint(Paint::Bad, "FAILED"))
}

/// Verifies each line of standard input, and answers each by a line: the verdict and the status of each check. One process
/// for many files: what a differential test against another implementation runs.
fn batch(root: Option<&Pinned>) -> Result<ExitCode, Failure> {
    let caller = Caller { root, replay: Some(&replay), ..Caller::default() };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(Failure::new)?;
        let answer = match verify_bytes(&line, &caller) {
            Ok(report) => {
                let checks = report.checks.iter().map(|check| (check.name, check.status.name()));
                let checks = checks.fold(Object::new(), |checks, (name, status)| checks.with(name, status));
                Object::new().with("verdict", report.verdict.name()).with("checks", checks)
            }
            Err(error) => Object::new().with("error", error.to_string()),
        };
        let written = out.write_all(&answer.canonical()).and_then(|()| out.write_all(b"\n"));
        written.and_then(|()| out.flush()).map_err(Failure::new)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The ledger and the operation, where it is one that is named and not a file.
fn walked(args: &Verify) -> Result<Option<(At, &str)>, Failure> {
    let named = args.file.as_deref().and_then(Path::to_str).and_then(id::operation_of_lineage);
    match (named, args.from.as_deref()) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Failure::usage("--from walks an operation: name it as lineage://op/…")),
        (Some(_), None) => Err(Failure::usage("name the ledger that is walked with --from URL")),
        (Some(named), Some(from)) if args.op.as_deref().map(id::operation_at_hand).is_none_or(|op| op == named) => {
            let at = At::of(Some(from), args.secret_file.as_deref(), Path::new(""))?;
            if id::split_operation(named).is_none() {
                return Err(Failure::usage(format!("lineage://op/{named} is no operation: its id is not one")));
            }
            Ok(Some((at, named)))
        }
        (Some(_), Some(_)) => Err(Failure::usage("--op names another operation")),
    }
}

/// A policy evaluated over a decision input, as the authority does.
pub(crate) fn replay(bundle: &PolicyBundle, input: &Value) -> ReplayResult {
    match eleven_policy::replay(bundle, input) {
        Replay::Permits => ReplayResult::Permits,
        Replay::Denies(reason) => ReplayResult::Denies(reason),
        Replay::Unreadable => ReplayResult::Unreadable,
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::usage_about(file, what);
    let (mut bytes, most) = (Vec::new(), MAX_PROOF_FILE as u64 + 1);
    std::fs::File::open(file)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| failed(&error))?;
    if bytes.len() > MAX_PROOF_FILE {
        return Err(failed(&"larger than any proof file (64 MiB)"));
    }
    Ok(bytes)
}

/// Pins the root of a file, as it is; what its signatures are worth the checks say.
///
/// # Errors
/// Where it can't be read, or is another file: status 2, for nothing was verified.
pub(crate) fn read_root(file: &Path) -> Result<Pinned, Failure> {
    let none = |error: &dyn std::fmt::Display| Failure::usage(format!("{} is no trust root: {error}", file.display()));
    let value = parse_file(&read(file)?).map_err(|error| none(&error))?;
    TrustRoot::read(value.clone()).map_err(|error| none(&error))?;
    Ok(Pinned::new(value))
}

/// What a check or a verdict came to, in as many characters each, and in which colour.
pub(crate) const fn mark(status: Status) -> (&'static str, Paint) {
    match status {
        Status::Passed => ("passed     ", Paint::Good),
        Status::Failed => ("failed     ", Paint::Bad),
        Status::NotChecked => ("not checked", Paint::Dim),
    }
}

fn table(report: &Report, output: Output) -> String {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut lines: Vec<String> = Vec::new();
    for check in &report.checks {
        let (mark, paint) = mark(check.status);
        let detail = check.detail.as_deref().map(shown).unwrap_or_default();
        let line = format!("{}  {:width$}  {detail}", output.paint(paint, mark), check.name);
        lines.push(line.trim_end().to_owned());
    }
    lines.push(String::new());
    lines.push(verdict(report, output));
    lines.join("\n")
}

fn verdict(report: &Report, output: Output) -> String {
    if convicts(report) {
        return conviction(report, output);
    }
    // A failed file may call itself anything: what is not of its form is not repeated.
    let named = |text: &Option<String>, form: fn(&str) -> bool| {
        text.as_deref().filter(|text| form(text)).unwrap_or("?").to_owned()
    };
    let what = format!(
        "{} of {}, in a ledger of {} entries, as of {}",
        named(&report.kind, |kind| Kind::parse(kind).is_some()),
        named(&report.op, |op| id::split_operation(op).is_some()),
        report.size.map_or_else(|| "?".to_owned(), |size| size.to_string()),
        named(&report.at, |at| Time::parse_millis(at).is_some()),
    );
    match report.verdict {
        Verdict::Verified => format!("{} {what}", output.paint(Paint::Good, "VERIFIED")),
        Verdict::Failed => format!("{} {what}", output.paint(Paint::Bad, "FAILED")),
        Verdict::Unpinned => format!(
            "{} {what}\nNothing failed, but anybody can make a file that agrees with itself: name the domain's trust root with --root.",
            output.paint(Paint::Warn, "UNPINNED")
        ),
    }
}

/// Whether the checks were those of evidence of equivocation, which the file's `type` decides and not its `kind`.
fn convicts(report: &Report) -> bool {
    equivocation::check_names().all(|name| report.status(name).is_some())
}

/// What evidence of equivocation comes to.
fn conviction(report: &Report, output: Output) -> String {
    let what = match report.kind.as_deref() {
        Some("fork") => "the ledger signed two histories",
        Some("back") => "the ledger signed a head that goes back behind another",
        Some("omission") => "the ledger signed a head without an event that was promised",
        _ => "the ledger told two histories",
    };
    match report.verdict {
        Verdict::Verified => {
            format!("{} {what}: keep this file, and trust neither history", output.paint(Paint::Bad, "PROVEN"))
        }
        Verdict::Failed => format!("{} that {what}", output.paint(Paint::Warn, "NOT PROVEN")),
        Verdict::Unpinned => format!(
            "{} {what}, but anybody can make a file that agrees with itself: name the domain's trust root with --root",
            output.paint(Paint::Warn, "UNPINNED")
        ),
    }
}

const _: () = assert!(EXIT_USAGE == eleven_verify::EXIT_USAGE, "one number for a wrong command line");

#[cfg(test)]
mod tests;
