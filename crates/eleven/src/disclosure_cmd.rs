//! Opening and erasing what an operation committed to (PROTOCOL 5.2): each a governed operation of its own, decided by
//! policy for whoever asks, with its purpose in the ledger.

use crate::admin;
use crate::call::{self, At};
use crate::cli::{Disclose as Args, DisclosureCommand};
use crate::config::Config;
use crate::keystore::write_new;
use crate::operator::OperatorKey;
use crate::output::{Failure, Output, Paint, word};
use eleven_api::disclosure::{Disclose, Disclosed};
use eleven_api::routes;
use eleven_core::disclosure::Disclosure;
use eleven_core::encoding::{Object, Value};
use eleven_core::id;
use eleven_verify::parse_file;
use std::collections::BTreeSet;
use std::path::Path;

/// Where the proof file comes from into which disclosures are put.
pub(crate) enum BundleFrom<'a> {
    /// It is at hand.
    File(&'a Path),
    /// The ledger is asked for it.
    Ledger(At),
}

/// `lineage disclose`: puts disclosures into a proof file.
///
/// # Errors
/// Where nobody may open them, nothing is kept, the bundle does not hold the commitments, or the file can't be written.
pub(crate) fn disclose(
    config: &Config,
    args: &Args,
    bundle: &BundleFrom<'_>,
    out: &Path,
    output: Output,
) -> Result<(), Failure> {
    let op = operation(&args.id)?;
    may_write(out)?;
    let text = match bundle {
        BundleFrom::File(file) => std::fs::read(file).map_err(|error| Failure::usage_about(file, error))?,
        BundleFrom::Ledger(at) => call::get_bytes(at, &format!("{}{op}", routes::PROOF_BUNDLE))?,
    };
    let read = parse_file(&text).map_err(|error| Failure::usage(format!("the bundle is not I-JSON: {error}")))?;
    let Value::Object(mut whole) = read else { return Err(Failure::usage("the bundle is not an object")) };
    if whole.get("op").and_then(Value::as_str) != Some(op.as_str()) {
        return Err(Failure::usage(format!("the bundle is of another operation than {op}")));
    }
    let shown = ask(config, args, &op, routes::RUNTIME_DISCLOSURES_OPEN)?;
    let artifact = whole.get("artifact").cloned().unwrap_or(Value::Null);
    if let Some(other) = shown.disclosures.iter().find(|disclosure| !disclosure.stands_in(&artifact)) {
        return Err(Failure::new(format!("the bundle's artifact does not commit to what is kept at {}", other.path)));
    }
    let values: Vec<Value> = shown.disclosures.iter().map(Disclosure::to_value).collect();
    whole.insert("disclosures", values);
    // In clear: for its owner, who hands it on.
    write_new(out, &whole.canonical()).map_err(|error| {
        Failure::new(format!("{error}; they were opened all the same, and that is recorded: {}", shown.lineage))
    })?;
    let paths: Vec<Value> = shown.disclosures.iter().map(|disclosure| Value::from(&disclosure.path)).collect();
    let value = || {
        let object = Object::new().with("file", out.display().to_string()).with("lineage", &shown.lineage);
        Value::Object(object.with("op", &op).with("paths", paths))
    };
    let text = || {
        let file = out.display();
        let recorded = format!("opening them is recorded: {}", shown.lineage);
        format!(
            "{file}: with {} disclosures in clear; check it anywhere: eleven verify {} --root ROOT\n{}",
            shown.count,
            word(&file),
            output.paint(Paint::Dim, &recorded)
        )
    };
    output.either(value, text);
    Ok(())
}

/// Whether a new file may come there: opening is recorded, so nothing is opened for one that can't be written.
fn may_write(out: &Path) -> Result<(), Failure> {
    let refused = |why: &str| Err(Failure::usage(format!("{} {why}; nothing was opened", out.display())));
    if out.symlink_metadata().is_ok() {
        return refused("is there already: move it away, or name another place");
    }
    match out.parent() {
        Some(folder) if folder != Path::new("") && !folder.is_dir() => refused("lies in no folder that is there"),
        _ => Ok(()),
    }
}

/// `disclosure erase`.
///
/// # Errors
/// Where nobody may erase them, or nothing is kept.
pub(crate) fn run(config: &Config, command: &DisclosureCommand, output: Output) -> Result<(), Failure> {
    let DisclosureCommand::Erase(args) = command;
    let op = operation(&args.id)?;
    let done = ask(config, args, &op, routes::RUNTIME_DISCLOSURES_ERASE)?;
    let value = || {
        let object = Object::new().with("count", done.count).with("lineage", &done.lineage);
        Value::Object(object.with("op", &op))
    };
    let text = || {
        let recorded = format!("that is recorded: {}", done.lineage);
        let recorded = output.paint(Paint::Dim, &recorded);
        let named: BTreeSet<&String> = args.paths.iter().collect();
        let absent = u64::try_from(named.len()).unwrap_or(u64::MAX).saturating_sub(done.count);
        let less = if absent == 0 { String::new() } else { format!(", and at {absent} of the paths nothing was kept") };
        let erased = done.count;
        format!("{erased} disclosures of lineage://op/{op} are erased{less}; every proof stays whole\n{recorded}")
    };
    output.either(value, text);
    Ok(())
}

/// Asks the point as the named identity, with a token that the operator's key obtains for it.
fn ask(config: &Config, args: &Args, op: &str, path: &str) -> Result<Disclosed, Failure> {
    let identity = match &args.identity {
        Some(identity) => identity.clone(),
        None => OperatorKey::load(&config.operator_key)?.identity,
    };
    let issued = admin::act(config, "identity.issue", Object::new().with("identity", &identity))?;
    let token = issued.get("token").and_then(Value::as_str).unwrap_or_default();
    let asked = Disclose { op: op.to_owned(), paths: args.paths.clone(), purpose: args.purpose.clone() };
    let answer = call::post_as(&config.runtime.url, path, token, asked.to_value().canonical());
    let answer = answer.map_err(|failure| failure.while_(&format!("{path} as {identity}")))?;
    Ok(Disclosed::read(&answer)?)
}

/// The operation id in whatever a person has at hand.
fn operation(text: &str) -> Result<String, Failure> {
    let op = id::operation_at_hand(text);
    let found = id::split_operation(op).map(|_| op.to_owned());
    found.ok_or_else(|| Failure::usage(format!("{text} is no operation: give its id, lineage://op/… or auth_…")))
}
