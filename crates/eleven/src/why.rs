//! `eleven why ID`: a refusal, or how an operation ended, in words.

use crate::call;
use crate::cli::Operation;
use crate::lineage_cmd::{ledger, operation};
use crate::output::{Failure, Output, Paint, shown_document, word};
use eleven_api::{routes, words};
use eleven_core::encoding::Value;
use eleven_core::reason::Reason;
use eleven_runtime::UPSTREAM_FAILED;
use std::fmt::Write as _;
use std::path::Path;

/// Explains what the ledger has of an operation.
///
/// # Errors
/// Where the ledger does not answer or has no such operation.
pub(crate) fn run(args: &Operation, file: &Path, output: Output) -> Result<(), Failure> {
    let known = |said: &Value| ["lineage", "event"].iter().all(|name| said.get(name).and_then(Value::as_str).is_some());
    let path = format!("{}{}", routes::PROOF_WHY, routes::percent_encoded(operation(args)));
    let said = call::get_of(&ledger(args, file)?, &path, "ledger", known)?;
    output.either(|| said.clone(), || explain(&shown_document(&said), output));
    Ok(())
}

/// What a refusal means that hangs on a `forbid`.
const FORBIDDEN: &str =
    "The policy was asked, and a `forbid` rule of it holds for this, whatever its `permit` rules say.";

/// The event in which an artifact was issued.
const ISSUED: &str = "authorization.issued";

/// What helps where an upstream answers that nobody is authenticated.
const NO_KEY: &str = "the upstream wants another key than it is called with, or one at all: name its file in \
                      runtime.gateway.upstream_key_file. The caller's own key is another, and passed. Where this was no call \
                      through the gateway but a workload that was admitted, the status is the word of whoever completed it";

fn explain(said: &Value, output: Output) -> String {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let reason = text("reason").and_then(Reason::parse);
    let forbids = said.pointer("/data/forbids") == Some(&Value::Bool(true));
    let mut out = match reason {
        Some(reason) => {
            let meaning = if forbids { FORBIDDEN } else { words::meaning(reason) };
            format!("{} {reason}\n\n{meaning}\n", output.paint(Paint::Bad, "denied:"))
        }
        None => ended(said, output),
    };
    let policy =
        said.get("policy").and_then(|policy| policy.get("ref")).and_then(Value::as_str).or(text("policy_required"));
    let data = |name: &str| said.get("data").and_then(|data| data.get(name)).and_then(Value::as_str);
    let status = said.pointer("/data/result/status").and_then(Value::as_int).map(|status| status.to_string());
    let facts = [
        ("identity", text("identity")),
        ("operation", text("operation")),
        ("runtime", text("runtime")),
        ("artifact", text("artifact_id")),
        ("policy", policy),
        ("rule", data("rule")),
        ("until", data("exp").filter(|_| text("event") == Some(ISSUED))),
        ("status", status.as_deref()),
        ("cause", data("cause")),
        ("effect", data("effect")),
        ("refused by", text("by")),
        ("at", text("at")),
    ];
    out.push('\n');
    for (name, value) in facts {
        let name = if name == "refused by" && reason.is_none() { "by" } else { name };
        if let Some(value) = value {
            let _ = writeln!(out, "  {name:10} {value}");
        }
    }
    if let Some(reason) = reason {
        let would_pass = data("would_pass").unwrap_or_else(|| words::would_pass(reason));
        let _ = write!(out, "\n{} {would_pass}\n", output.paint(Paint::Bold, "what would pass:"));
    }
    let refused = status.as_deref().filter(|status| *status == "401").map(|_| NO_KEY.to_owned());
    if let Some(next) = data("cause").and_then(|cause| next(cause, text("op"))).or(refused) {
        let _ = write!(out, "\n{} {next}\n", output.paint(Paint::Bold, "what to do:"));
    }
    if let Some(lineage) = text("lineage") {
        let lineage = word(&lineage);
        let more = format!("eleven lineage show {lineage}\neleven lineage bundle {lineage} --out FILE");
        let _ = write!(out, "\n{}", output.paint(Paint::Dim, &more));
    }
    out
}

/// What helps where an execution ended by a cause.
fn next(cause: &str, op: Option<&str>) -> Option<String> {
    let next = match cause {
        UPSTREAM_FAILED => {
            let op = op.map(|op| format!(" op=\"{op}\"")).unwrap_or_default();
            let line = format!("the runtime's log says why, in the line `the upstream failed{op}`");
            let before = "or in one of the minute before, for each reason is told once a minute";
            return Some(format!("{line}, {before}; `eleven doctor` tries the connection"));
        }
        "limits.exceeded" => {
            "set a greater runtime.gateway.max_response; where one event of a stream is larger than 4 MiB, let the policy say \
             `release: whole`"
        }
        "max_run" => "let the policy's term `max_run` be greater; where it has none, set runtime.gateway.max_run",
        "caller.left" => {
            "look whether the client's own timeout is shorter than its model takes: under `release: whole` it hears nothing \
             before the answer is whole"
        }
        _ => return None,
    };
    Some(next.to_owned())
}

/// An operation that was not refused: how it ended, or how far it came.
fn ended(said: &Value, output: Output) -> String {
    let event = said.get("event").and_then(Value::as_str).unwrap_or_default();
    let closed = matches!(said.get("closed"), Some(Value::Bool(true)));
    let evidence = if closed { "its evidence is committed" } else { "its evidence is not committed yet" };
    let (paint, words) = match event {
        "execution.completed" => (Paint::Good, format!("not refused: it ran to its end, and {evidence}")),
        "execution.failed" => (Paint::Bad, format!("not refused: it ran and failed, and {evidence}")),
        "execution.interrupted" => (Paint::Warn, format!("not refused: it was cut off, and {evidence}")),
        ISSUED => issued(said),
        "authorization.consumed" | "admission.granted" | "execution.started" | "attestation.signed" => {
            (Paint::Warn, "not refused: it was admitted and has not ended yet, or its point is down".to_owned())
        }
        _ => (Paint::Warn, "not a refusal".to_owned()),
    };
    format!("{} ({event})\n", output.paint(paint, &words))
}

/// An artifact that was issued, as far as the ledger has heard: a point sends what was used a moment later. Each numbered use of it is a
/// lineage of its own, and how that ended is asked there.
fn issued(said: &Value) -> (Paint, String) {
    let op = said.get("op").and_then(Value::as_str).unwrap_or_default();
    let used = match said.get("uses").and_then(Value::as_int) {
        None => "the ledger has no use of it yet".to_owned(),
        Some(1) => format!("it has been used: ask for {op}.1"),
        Some(uses) => format!("it has been used: ask for {op}.1 to {op}.{uses}"),
    };
    let (paint, issued) = match said.get("revoked") {
        Some(Value::Bool(true)) => (Paint::Warn, "the artifact was issued, and is revoked"),
        _ => (Paint::Good, "the artifact was issued"),
    };
    (paint, format!("not refused: {issued}; {used}"))
}

#[cfg(test)]
mod tests;
