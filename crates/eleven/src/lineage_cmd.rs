//! What the ledger has of an operation: its events, its proof file, and its decision made once more.

use crate::call::{self, At};
use crate::cli::{LineageCommand, Operation};
use crate::config::Config;
use crate::disclosure_cmd::{BundleFrom, disclose};
use crate::keystore::write_public;
use crate::output::{EXIT_DONE, EXIT_FAILED, Failure, Output, Paint, shown, word};
use eleven_api::answer::read_json;
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::head::tlog_proof::TlogProof;
use eleven_core::id;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_policy::{Denial, Replay};
use eleven_verify::parse_file;
use std::path::Path;
use std::process::ExitCode;

/// `lineage …`.
///
/// # Errors
/// Where the ledger does not answer or has no such operation.
pub(crate) fn run(command: LineageCommand, file: &Path, output: Output) -> Result<ExitCode, Failure> {
    match command {
        LineageCommand::Show(args) => show(&ledger(&args, file)?, operation(&args), output)?,
        LineageCommand::Bundle { of, out } => bundle(&ledger(&of, file)?, operation(&of), out.as_deref(), output)?,
        LineageCommand::TlogProof { of, n, out } => {
            tlog_proof(&ledger(&of, file)?, operation(&of), n, out.as_deref(), output)?;
        }
        LineageCommand::Disclose { of, bundle, ledger, secret_file, out } => {
            let bundle = match &bundle {
                Some(bundle) => BundleFrom::File(bundle),
                None => BundleFrom::Ledger(At::of(ledger.as_deref(), secret_file.as_deref(), file)?),
            };
            disclose(&Config::load(file)?, &of, &bundle, &out, output)?;
        }
        LineageCommand::Replay(args) => return replay(&ledger(&args, file)?, operation(&args), output),
    }
    Ok(ExitCode::from(EXIT_DONE))
}

/// The operation id in whatever a person has at hand: the id, the lineage's name, or the artifact's id.
pub(crate) fn operation(of: &Operation) -> &str {
    id::operation_at_hand(&of.id)
}

/// Base URL of the ledger that is asked: the named one, or the configuration's.
///
/// # Errors
/// Where none is named and the configuration can't be read.
pub(crate) fn ledger(of: &Operation, file: &Path) -> Result<At, Failure> {
    At::of(of.ledger.as_deref(), of.secret_file.as_deref(), file)
}

/// The events of an operation, as the ledger answers them.
fn lineage_of(ledger: &At, op: &str) -> Result<Value, Failure> {
    let known = |answer: &Value| {
        answer.get("op").and_then(Value::as_str).is_some() && answer.get("events").and_then(Value::as_array).is_some()
    };
    call::get_of(ledger, &format!("{}{}", routes::PROOF_LINEAGE, routes::percent_encoded(op)), "ledger", known)
}

fn show(ledger: &At, op: &str, output: Output) -> Result<(), Failure> {
    let lineage = lineage_of(ledger, op)?;
    let events = read_events(&lineage)?;
    let entries = lineage.get("entries").and_then(Value::as_array).unwrap_or_default();
    let table = || {
        let row = |(at, event): (usize, &Record)| {
            let seq = entries.get(at).and_then(|entry| entry.get("seq")).and_then(Value::as_int);
            let seq = seq.map_or_else(|| "?".to_owned(), |seq| seq.to_string());
            let (number, name, hash) =
                (format!("{:02}", event.n), event.event.clone(), ends_of(&event.hash.to_string()));
            vec![number, name, hash, event.ts.millis(), event.by.clone(), seq, says(event)]
        };
        output.table_of(["N", "EVENT", "HASH", "AT", "BY", "ENTRY", "SAYS"], events.iter().enumerate().map(row))
    };
    let sealed = matches!(lineage.get("sealed"), Some(Value::Bool(true)));
    let state = if sealed { "every event is under a signed head" } else { "not yet under a signed head" };
    // Each is a lineage of its own, and goes on from this one.
    let uses = match lineage.get("uses").and_then(Value::as_int) {
        None => String::new(),
        Some(1) => format!("; its use is {op}.1"),
        Some(uses) => format!("; its uses are {op}.1 to {op}.{uses}"),
    };
    let state = format!("{state}{uses}{}", left_out(&lineage, op));
    let text = || {
        let about = events.first().map(|event| &event.about);
        let line = |name: &str, value: Option<&String>| {
            value.map(|value| format!("  {name:9} {}\n", shown(value))).unwrap_or_default()
        };
        let head = about.map_or_else(String::new, |about| {
            line("identity", about.identity.as_ref())
                + &line("operation", about.operation.as_ref())
                + &line("runtime", about.runtime.as_ref())
                + &line("policy", about.policy.as_ref().map(|policy| &policy.reference))
        });
        format!("lineage://op/{op}\n{head}\n{}\n\n{}", table(), output.paint(Paint::Dim, &state))
    };
    output.either(|| lineage.clone(), text);
    Ok(())
}

/// What the ledger did not show at once of a lineage, and where it does.
fn left_out(lineage: &Value, op: &str) -> String {
    let earlier = lineage.get("earlier").and_then(Value::as_int).unwrap_or(0);
    if earlier < 1 {
        return String::new();
    }
    let path = format!("{}{op}?before={}", routes::PROOF_LINEAGE, earlier.saturating_add(1));
    format!("; {earlier} earlier events are not shown: the ledger gives them at {path}")
}

/// A digest as people tell one from another: how it begins and how it ends.
pub(crate) fn ends_of(hash: &str) -> String {
    let digits = hash.rsplit(':').next().unwrap_or_default();
    let end = digits.len().checked_sub(4).and_then(|at| digits.get(at..));
    format!("{}...{}", digits.get(..4).unwrap_or_default(), end.unwrap_or_default())
}

/// What an event adds, in a few words.
fn says(event: &Record) -> String {
    let data = |name: &str| {
        event.data.get(name).map(|value| match value {
            Value::Str(text) => text.clone(),
            other => String::from_utf8_lossy(&other.canonical()).into_owned(),
        })
    };
    let named = |name: &str| data(name).map(|text| format!("{name} {}", text.chars().take(40).collect::<String>()));
    let reason = event.about.reason.map(|reason| reason.code().to_owned());
    let status = event.data.get("result").and_then(|result| result.get("status")).and_then(Value::as_int);
    let status = status.map(|status| format!("status {status}"));
    let (used, rule) = (named("use"), named("rule"));
    let parts = [reason, used, rule, status, named("cause"), named("effect"), named("events"), named("count")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn bundle(ledger: &At, op: &str, out: Option<&Path>, output: Output) -> Result<(), Failure> {
    let path = format!("{}{}", routes::PROOF_BUNDLE, routes::percent_encoded(op));
    let bytes = call::get_bytes(ledger, &path)?;
    let value =
        parse_file(&bytes).map_err(|error| Failure::new(format!("the ledger sent what is not I-JSON: {error}")))?;
    if value.get("type").and_then(Value::as_str) != Some(eleven_verify::bundle::TYPE) {
        return Err(call::another(ledger, &path, "ledger"));
    }
    let Some(out) = out else {
        output.document(&value);
        return Ok(());
    };
    written(out, &bytes, &format!("check it anywhere: eleven verify {} --root ROOT", word(&out.display())), output)
}

/// The C2SP tlog-proof of an event; the bytes of its entry are in it.
fn tlog_proof(ledger: &At, op: &str, n: Option<u64>, out: Option<&Path>, output: Output) -> Result<(), Failure> {
    let query = n.map(|n| format!("?n={n}")).unwrap_or_default();
    let bytes = call::get_bytes(ledger, &format!("{}{}{query}", routes::PROOF_TLOG, routes::percent_encoded(op)))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::new("the ledger sent what is not text"))?;
    let proof = TlogProof::parse(&text)?;
    let Some(out) = out else {
        let value = || Value::Object(Object::new().with("index", proof.index).with("proof", &text));
        output.either(value, || text.trim_end().to_owned());
        return Ok(());
    };
    let checkpoint = &proof.note.checkpoint;
    let then = format!("entry {} of {} in {}", proof.index, checkpoint.size, checkpoint.origin);
    written(out, text.as_bytes(), &then, output)
}

/// Writes a file for others, and says so.
fn written(out: &Path, bytes: &[u8], then: &str, output: Output) -> Result<(), Failure> {
    write_public(out, bytes)?;
    let value = || {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Value::Object(Object::new().with("file", out.display().to_string()).with("bytes", size))
    };
    output.either(value, || format!("{}: {} bytes; {then}", out.display(), bytes.len()));
    Ok(())
}

/// Decides once more by the policy and the input that the ledger kept, and compares with what was decided then.
fn replay(ledger: &At, op: &str, output: Output) -> Result<ExitCode, Failure> {
    let lineage = lineage_of(ledger, op)?;
    let events = read_events(&lineage)?;
    let event = events.iter().find(|event| matches!(event.event.as_str(), "authorization.issued" | "execution.denied"));
    let event = event.ok_or_else(|| Failure::new(format!("{op} has no decision: it begins with another event")))?;
    let request = event.data_str("request").and_then(Sha3::parse);
    let (Some(request), Some(policy)) = (request, &event.about.policy) else {
        return Err(Failure::new(undecided(op, event.about.reason, &event.by, event.about.artifact_id.as_deref())));
    };
    let input = blob(ledger, request)?;
    let bundle = PolicyBundle::read(blob(ledger, policy.hash)?)?;
    let then = event.about.reason;
    let now = match eleven_policy::replay(&bundle, &input) {
        Replay::Permits => None,
        Replay::Denies(reason) => Some(reason),
        Replay::Unreadable => return Err(Failure::new("the kept input or policy can't be read by this build")),
    };
    let named = |decision: Option<Reason>| decision.map_or("allow".to_owned(), |reason| format!("deny ({reason})"));
    let same = then == now;
    // The ledger has the rule alone: what was wrong may quote the input, which not everybody reads.
    let denial = now.and_then(|_| eleven_policy::explain(&bundle, &input));
    let why: Vec<(&str, String)> = denial.map_or_else(Vec::new, |Denial { rule, detail, would_pass, .. }| {
        let told = [("rule", rule), ("detail", detail), ("would_pass", would_pass)];
        told.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    });
    let value = || {
        let told = Object::new()
            .with("op", op)
            .with("policy", policy.to_value())
            .with("input", input.clone())
            .with("then", named(then))
            .with("now", named(now))
            .with("same", same);
        Value::Object(why.iter().fold(told, |told, (name, text)| told.with(*name, text)))
    };
    let text = || {
        let (word, paint) = if same { ("the same decision", Paint::Good) } else { ("ANOTHER decision", Paint::Bad) };
        let line = |(name, text): &(&str, String)| format!("\n{}: {}", name.replace('_', " "), shown(text));
        let why = why.iter().map(line).collect::<Vec<_>>().concat();
        format!(
            "then: {}\nnow:  {}{why}\n{} from the input {request}\nunder {}",
            named(then),
            named(now),
            output.paint(paint, word),
            shown(&policy.reference)
        )
    };
    output.either(value, text);
    Ok(ExitCode::from(if same { EXIT_DONE } else { EXIT_FAILED }))
}

/// Why there is nothing to decide once more. What a point refused although it had an artifact, a policy had permitted before.
fn undecided(op: &str, reason: Option<Reason>, by: &str, artifact: Option<&str>) -> String {
    let reason = reason.map_or("no reason", Reason::code);
    match artifact {
        Some(artifact) => format!(
            "{op} was refused by {}, which asks no policy ({reason}): `eleven lineage replay {}` decides once more what its artifact was \
             issued for",
            shown(by),
            shown(artifact)
        ),
        None => format!("no policy decided {op}: it was refused before one was asked ({reason})"),
    }
}

/// Content by its hash; the ledger's word is not taken for it.
fn blob(ledger: &At, hash: Sha3) -> Result<Value, Failure> {
    let bytes = call::get_bytes(ledger, &format!("{}{hash}", routes::AUDIT_BLOB))?;
    if Sha3::of(&[&bytes]) != hash {
        return Err(Failure::new(format!("the ledger sent other bytes than those of {hash}")));
    }
    read_json(&bytes).map_err(|error| Failure::new(format!("{hash} is not I-JSON: {error}")))
}

fn read_events(lineage: &Value) -> Result<Vec<Record>, Failure> {
    let events = lineage.get("events").and_then(Value::as_array).unwrap_or_default();
    Ok(events.iter().cloned().map(Record::read).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests;
