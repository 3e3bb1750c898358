//! Operators: who they are, and by which keys they act.

use super::{act, list, not_added, report, told};
use crate::cli::OperatorCommand;
use crate::config::Config;
use crate::keystore::write_new;
use crate::operator::OperatorKey;
use crate::output::{Failure, Output};
use eleven_api::{edge, secret};
use eleven_core::encoding::{Object, Value};
use eleven_core::id;
use eleven_core::signature::{Signer as _, base64_value};
use std::path::Path;
use zeroize::Zeroizing;

/// `operator …`.
///
/// # Errors
/// Where the file of a key is there already or can't be written; as [`act`].
pub(crate) fn operator(config: &Config, command: OperatorCommand, output: Output) -> Result<(), Failure> {
    match command {
        OperatorCommand::Add { name, identity, out } => add(config, &name, &identity, out.as_deref(), output),
        OperatorCommand::Remove { name } => remove(config, &name, output),
        OperatorCommand::List => list(config, secret::OPERATOR, &["identity", "kid"], output),
    }
}

/// The key is made here: the authority hears its public half.
fn add(config: &Config, name: &str, identity: &str, out: Option<&Path>, output: Output) -> Result<(), Failure> {
    // A name is never used for two keys, also where an operator of that name was removed.
    let kid =
        format!("key:{}/operator/{name}-{}", config.domain, id::base32(&edge::random::<5>()).to_ascii_lowercase());
    let (key, document) = OperatorKey::made(identity, &kid, &Zeroizing::new(edge::random()));
    let text = Zeroizing::new(document.canonical());
    if let Some(file) = out {
        write_new(file, &text)?;
    }
    let args = Object::new().with("operator", name).with("identity", identity).with("kid", &kid);
    let args = args.with("public", base64_value(&key.signer.public()));
    let done = act(config, "operator.add", args).map_err(|failure| not_added(failure, secret::OPERATOR, name, out))?;
    let answer = done.clone().into_object().with("kid", &kid);
    if let Some(file) = out {
        let file = file.display().to_string();
        let what = format!(
            "{name} acts as {identity}, by the key in {file}: who is to have it names it as `operator.key` in its configuration"
        );
        report(&Value::Object(answer.with("file", file)), &what, output);
        return Ok(());
    }
    let what = format!(
        "The key of {name}, for {identity}. It is shown this once: keep it in a file that nobody else may read, and name that \
         as `operator.key` in the configuration."
    );
    let undo = || format!("eleven operator remove {name}");
    let value = || Value::Object(answer.with("key", document));
    output.secret(value, &String::from_utf8_lossy(&text), || told(&done, &what, output), undo);
    Ok(())
}

fn remove(config: &Config, name: &str, output: Output) -> Result<(), Failure> {
    let done = act(config, "operator.remove", Object::new().with("operator", name))?;
    let what =
        format!("operator {name} is removed: what it signs is refused, and tokens that it had issued have ended");
    report(&done, &what, output);
    Ok(())
}
