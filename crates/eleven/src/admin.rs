//! What operators do from the command line: acts, signed with the operator's key and sent to the authority.

mod checking;
mod operators;
mod policy;
mod registered;

pub(crate) use operators::operator;
pub(crate) use policy::{Source, policy};
pub(crate) use registered::Registered;

use crate::call::{self, At};
use crate::cli::{ArtifactCommand, AuditorCommand, ClientCommand, Subject};
use crate::config::Config;
use crate::corner;
use crate::keystore::write_new;
use crate::operator::OperatorKey;
use crate::output::{Failure, Output, Paint, shown};
use eleven_api::edge::{self, Clock as _, SystemClock};
use eleven_api::secret::Secret;
use eleven_api::{routes, secret};
use eleven_authority::admin::SignedAct;
use eleven_core::encoding::{Object, Value};
use eleven_core::name;
use eleven_core::registry::{Item as _, RuntimeRecord};
use eleven_core::subject::is_subject;
use std::path::Path;
use zeroize::Zeroizing;

/// Signs an act and has the authority carry it out.
///
/// # Errors
/// Where the key can't be read, or the authority does not answer or refuses.
pub(crate) fn act(config: &Config, act: &str, args: Object) -> Result<Value, Failure> {
    let operator = OperatorKey::load(&config.operator_key)?;
    let signed = SignedAct::sign(act, args, SystemClock.now(), &operator.signer);
    let refused = |failure: Failure| failure.while_(&format!("{act} as {}", operator.identity));
    let done = call::post(&config.authority.url, routes::ADMIN_ACT, signed.to_bytes()).map_err(refused)?;
    if is_done(&done) {
        return Ok(done);
    }
    Err(refused(call::another(&config.authority.url, routes::ADMIN_ACT, "authority").left_open()))
}

/// Whether an answer says what an act came to: whoever else listens at the address may answer with any document.
fn is_done(answer: &Value) -> bool {
    answer.get("epoch").and_then(Value::as_int).is_some()
        && answer.get("effective_by").and_then(Value::as_str).is_some()
}

/// Says what an act came to: what it is, that it is durable, and by when every enforcement point knows or denies.
pub(crate) fn report(done: &Value, what: &str, output: Output) {
    output.either(|| done.clone(), || told(done, what, output));
}

fn told(done: &Value, what: &str, output: Output) -> String {
    let text = |name: &str| done.get(name).and_then(Value::as_str).map_or_else(|| "?".to_owned(), shown);
    let epoch = done.get("epoch").and_then(Value::as_int).unwrap_or(0);
    let in_force = format!(
        "durable ({}), in force with epoch {epoch}; every enforcement point knows or denies by {}",
        text("durability"),
        text("effective_by")
    );
    format!("{what}\n{}", output.paint(Paint::Dim, &in_force))
}

/// `identity issue`.
///
/// # Errors
/// As [`act`].
pub(crate) fn issue_identity(config: &Config, identity: &str, output: Output) -> Result<(), Failure> {
    let done = act(config, "identity.issue", Object::new().with("identity", identity))?;
    let token = done.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
    output.either(|| done, || token);
    Ok(())
}

/// `client …`.
///
/// # Errors
/// As [`act`].
pub(crate) fn client(config: &Config, command: ClientCommand, output: Output) -> Result<(), Failure> {
    match command {
        ClientCommand::Add { name, identity, out } => {
            add_secret(config, secret::CLIENT, &name, &identity, out.as_deref(), output)
        }
        ClientCommand::Revoke { name } => revoke_secret(config, secret::CLIENT, &name, output),
        ClientCommand::List => list(config, secret::CLIENT, &["identity"], output),
    }
}

/// `auditor …`.
///
/// # Errors
/// As [`act`].
pub(crate) fn auditor(config: &Config, command: AuditorCommand, output: Output) -> Result<(), Failure> {
    match command {
        AuditorCommand::Add { name, identity, out } => {
            add_secret(config, secret::AUDITOR, &name, &identity, out.as_deref(), output)
        }
        AuditorCommand::Revoke { name } => revoke_secret(config, secret::AUDITOR, &name, output),
        AuditorCommand::List => list(config, secret::AUDITOR, &["identity"], output),
    }
}

/// The secret is made here: the authority hears its hash.
fn add_secret(
    config: &Config,
    kind: &str,
    name: &str,
    identity: &str,
    out: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    let wrong = || Failure::usage(format!("the name of the {kind} is not {}: nothing was done", secret::HOLDER_FORM));
    let made = Secret::new(name, &edge::random()).ok_or_else(wrong)?;
    if let Some(file) = out {
        write_new(file, &Zeroizing::new(format!("{}\n", made.reveal()).into_bytes()))?;
    }
    let args = Object::new().with(kind, name).with("identity", identity).with("hash", made.hash());
    let done = act(config, &format!("{kind}.add"), args).map_err(|failure| not_added(failure, kind, name, out))?;
    let answer = done.clone().into_object();
    if let Some(file) = out {
        let file = file.display().to_string();
        let what = format!("The secret of {name}, for {identity}, is in {file}, which nobody else may read.");
        report(&Value::Object(answer.with("file", file)), &what, output);
    } else {
        let what = format!("The secret of {name}, for {identity}. It is shown this once: keep it.");
        let undo = || format!("eleven {kind} revoke {name}");
        let value = || Value::Object(answer.with("secret", made.reveal()));
        output.secret(value, made.reveal(), || told(&done, &what, output), undo);
    }
    // What comes next is mostly a command that reads the ledger by it, and the point asks for its callers itself.
    if kind == secret::AUDITOR { At::by(config, made.reveal()).until_known() } else { Ok(()) }
}

/// What a failure leaves of what was made for whom was to be added: nothing, unless the ledger has the act all the same, or will.
fn not_added(failure: Failure, kind: &str, name: &str, out: Option<&Path>) -> Failure {
    let (has, undo) = if kind == secret::OPERATOR { ("key", "remove") } else { ("secret", "revoke") };
    if failure.is_open() {
        let hint = match out {
            Some(file) => format!(
                "{} holds its {has}, which counts where `eleven {kind} list` names {name}, and did not before; else remove the \
                 file",
                file.display()
            ),
            None => format!(
                "look at `eleven {kind} list`, and where that names {name}, `eleven {kind} {undo} {name}`: its {has} is lost"
            ),
        };
        return failure.or_else_try(false, &hint);
    }
    if let Some(file) = out {
        // It opens nothing.
        let _ = std::fs::remove_file(file);
    }
    failure
}

fn revoke_secret(config: &Config, kind: &str, name: &str, output: Output) -> Result<(), Failure> {
    let done = act(config, &format!("{kind}.revoke"), Object::new().with(kind, name))?;
    report(&done, &format!("{kind} {name} is revoked"), output);
    Ok(())
}

/// Lists whom the registry's sources have of a kind, by name, and what they have of each.
fn list(config: &Config, kind: &str, of_each: &[&str], output: Output) -> Result<(), Failure> {
    let snapshot = call::registry(config)?;
    let sources = snapshot.get("sources").and_then(Value::as_array).unwrap_or_default();
    let row = |source: &Value| {
        let name = source.get("name")?.as_str()?.strip_prefix(kind)?.strip_prefix('.')?;
        let mapping = source.get("mapping")?;
        let told = of_each.iter().map(|member| mapping.get(member).and_then(Value::as_str).map(str::to_owned));
        std::iter::once(Some(name.to_owned())).chain(told).collect::<Option<Vec<String>>>()
    };
    let rows: Vec<Vec<String>> = sources.iter().filter_map(row).collect();
    let columns = || std::iter::once(kind).chain(of_each.iter().copied());
    let value = || {
        let object = |row: &Vec<String>| {
            let told = columns().zip(row).fold(Object::new(), |told, (column, text)| told.with(column, text));
            Value::Object(told)
        };
        Value::Array(rows.iter().map(object).collect())
    };
    output.either(value, || output.table_of(columns().map(str::to_uppercase), rows.iter().cloned()));
    Ok(())
}

/// `registry expose`.
///
/// # Errors
/// As [`act`].
pub(crate) fn expose(config: &Config, exposure: &str, output: Output) -> Result<(), Failure> {
    let done = act(config, "exposure.set", Object::new().with("exposure", exposure))?;
    report(&done, &format!("the ledger's exposure is {exposure}"), output);
    Ok(())
}

/// `artifact revoke`.
///
/// # Errors
/// As [`act`].
pub(crate) fn artifact(config: &Config, command: ArtifactCommand, output: Output) -> Result<(), Failure> {
    let ArtifactCommand::Revoke { id, why } = command;
    let member = if id.starts_with("auth_") { "artifact" } else { "operation" };
    let done = act(config, "artifact.revoke", Object::new().with(member, &id).with("why", why))?;
    let artifact = done.get("artifact").and_then(Value::as_str).unwrap_or(&id).to_owned();
    report(&done, &format!("{artifact} is revoked"), output);
    Ok(())
}

/// `subject contain` and `subject lift`.
///
/// # Errors
/// Where the subject is not of its kind's form; as [`act`].
pub(crate) fn subject(config: &Config, name: &str, subject: &Subject, output: Output) -> Result<(), Failure> {
    if !is_subject(&subject.kind, &subject.subject) {
        return Err(Failure::usage(format!("`{}` is no {}: nothing was done", subject.subject, subject.kind)));
    }
    let args = Object::new().with("kind", &subject.kind).with("subject", &subject.subject);
    let done = act(config, name, args)?;
    let state = if name == "subject.contain" { "contained" } else { "governed again" };
    report(&done, &format!("{} {} is {state}", subject.kind, subject.subject), output);
    Ok(())
}

/// What is approved for this enforcement point: this binary, this configuration, this key.
///
/// # Errors
/// Where binary or keystore can't be read.
pub(crate) fn measured(config: &Config, kid: String) -> Result<RuntimeRecord, Failure> {
    Ok(RuntimeRecord {
        point: config.point.name.clone(),
        runtime: name::runtime_of_point(&config.point.name).to_owned(),
        region: config.point.region.clone(),
        tenancy: config.point.tenancy.clone(),
        mode: "gateway".to_owned(),
        binary: corner::measure_binary()?,
        config: config.point_digest(),
        kid,
    })
}

/// `runtime register`, `runtime remove` and `runtime measure`.
///
/// # Errors
/// As [`act`].
pub(crate) fn register_runtime(config: &Config, output: Output) -> Result<(), Failure> {
    let record = measured(config, corner::point_kid(config)?)?;
    let done = act(config, "runtime.register", record.to_value().into_object())?;
    let what = format!("{} is registered\n  binary {}\n  config {}", record.point, record.binary, record.config);
    report(&done, &what, output);
    Ok(())
}

/// `runtime remove`.
///
/// # Errors
/// As [`act`].
pub(crate) fn remove_runtime(config: &Config, output: Output) -> Result<(), Failure> {
    let done = act(config, "runtime.remove", Object::new().with("point", &config.point.name))?;
    let what = format!(
        "{} is no longer registered; its keys count until they are ended, so that it can close what it had begun: `eleven key list` \
         names them, `eleven key retire KID` ends one",
        config.point.name
    );
    report(&done, &what, output);
    Ok(())
}

/// `runtime measure`.
///
/// # Errors
/// Where binary or keystore can't be read.
pub(crate) fn measure_runtime(config: &Config, output: Output) -> Result<(), Failure> {
    let record = measured(config, corner::point_kid(config)?)?;
    let text =
        || format!("{}\n  key    {}\n  binary {}\n  config {}", record.point, record.kid, record.binary, record.config);
    output.either(|| record.to_value(), text);
    Ok(())
}

#[cfg(test)]
mod tests;
