//! `eleven key …`: the keys of the trust root and the registry, listed; those of the registry, registered and ended.

use crate::admin::{self, act};
use crate::call::{self, Registry};
use crate::cli::KeyCommand;
use crate::config::Config;
use crate::expiry::DAY;
use crate::keystore::PublicKey;
use crate::output::{Failure, Output, shown};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::FormError;
use eleven_core::root::{KeyRecord, KeyStatus, TrustRoot};
use eleven_core::time::Time;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Carries out a command.
///
/// # Errors
/// Where the authority does not answer or refuses, or a file holds no public keys.
pub(crate) fn run(config: &Config, command: &KeyCommand, output: Output) -> Result<(), Failure> {
    match command {
        KeyCommand::List => list(config, output),
        KeyCommand::Register { files, valid_days } => register(config, files, *valid_days, output),
        KeyCommand::Retire { kid } => {
            let done = ended(config, "key.retire", Object::new().with("kid", kid), kid)?;
            admin::report(&done, &format!("{kid} is retired: what it signs from now on counts for nothing"), output);
            Ok(())
        }
        KeyCommand::Compromise { kid, since } => {
            let since = since.unwrap_or_else(|| SystemClock.now());
            let args = Object::new().with("kid", kid).with("since", since.to_millis_value());
            let done = ended(config, "key.compromise", args, kid)?;
            let what = format!("{kid} is compromised since {since}: what the ledger dates later counts for nothing");
            admin::report(&done, &what, output);
            Ok(())
        }
    }
}

/// An act on a key of the registry. Those of the trust root end by its next version.
fn ended(config: &Config, name: &str, args: Object, kid: &str) -> Result<Value, Failure> {
    if in_force(config)?.records().any(|key| key.kid == *kid) {
        let option = if name == "key.retire" { "--retire" } else { "--compromise" };
        return Err(Failure::usage(format!(
            "{kid} stands in the trust root: make its next version with `eleven root next {option} {kid}`"
        )));
    }
    act(config, name, args)
}

/// The keys of the root in force and of the registry.
fn list(config: &Config, output: Output) -> Result<(), Failure> {
    let snapshot = call::get(&Registry::of(config), routes::REGISTRY_SNAPSHOT)?;
    let root = in_force(config)?;
    let in_root = root.records().map(|key| ("root", key.to_value()));
    let listed = snapshot.get("keys").and_then(Value::as_array).unwrap_or_default();
    let keys: Vec<(&str, Value)> = in_root.chain(listed.iter().map(|key| ("registry", key.clone()))).collect();
    let rows = || {
        let heading = ["KEY", "USE", "OWNER", "STATUS", "UNTIL", "STANDS IN"].map(str::to_owned).to_vec();
        let row = |(place, key): &(&str, Value)| {
            let cell = |name: &str| key.get(name).and_then(Value::as_str).map(shown).unwrap_or_default();
            vec![cell("kid"), cell("use"), cell("owner"), cell("status"), cell("exp"), (*place).to_owned()]
        };
        std::iter::once(heading).chain(keys.iter().map(row)).collect::<Vec<_>>()
    };
    output.either(|| Value::Array(keys.iter().map(|(_, key)| key.clone()).collect()), || output.table(&rows()));
    Ok(())
}

fn in_force(config: &Config) -> Result<TrustRoot, Failure> {
    Ok(TrustRoot::read(call::get(&Registry::of(config), routes::REGISTRY_ROOT)?)?)
}

/// Registers the keys of these files that stand in a registry, and that this one has not.
fn register(config: &Config, files: &[PathBuf], valid_days: u16, output: Output) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for file in files {
        wanted.extend(read_public(file)?.into_iter().filter(|key| key.usage.stands_in_registry()));
    }
    // A key may stand in two of them.
    let mut kids = BTreeSet::new();
    wanted.retain(|key: &PublicKey| kids.insert(key.kid.clone()));
    if wanted.is_empty() {
        return Err(Failure::usage("the files hold no issuer, event or attestation key: nothing was done"));
    }
    let snapshot = call::get(&Registry::of(config), routes::REGISTRY_SNAPSHOT)?;
    let known = registered(&snapshot).collect::<Result<Vec<_>, _>>()?;
    let record_of = |key: &PublicKey| known.iter().find(|record| record.kid == key.kid);
    if let Some(other) = wanted.iter().find(|key| record_of(key).is_some_and(|record| record.public != key.public)) {
        let what = format!("{} is registered with another public key: nothing was done", other.kid);
        return Err(Failure::usage(what));
    }
    let (mut registered, mut last) = (Vec::new(), None);
    for key in wanted.iter().filter(|key| record_of(key).is_none()) {
        let record = record(key, SystemClock.now(), valid_days);
        last = Some(act(config, "key.register", Object::new().with("key", record.to_value()))?);
        registered.push(key.kid.clone());
    }
    let Some(done) = last else {
        output.either(
            || Value::Object(Object::new().with("registered", Vec::<Value>::new())),
            || "all of them are registered already".to_owned(),
        );
        return Ok(());
    };
    let what = format!(
        "registered for {valid_days} days: {}\nNext, so that they are used: restart whoever holds them, for instance `eleven \
         authority restart`",
        registered.join(", ")
    );
    let done = match done {
        Value::Object(done) => {
            let registered = registered.iter().map(Value::from).collect::<Vec<_>>();
            Value::Object(done.with("registered", registered))
        }
        other => other,
    };
    admin::report(&done, &what, output);
    Ok(())
}

/// The keys that a registry's snapshot lists.
pub(crate) fn registered(snapshot: &Value) -> impl Iterator<Item = Result<KeyRecord, FormError>> {
    snapshot.get("keys").and_then(Value::as_array).unwrap_or_default().iter().cloned().map(KeyRecord::read)
}

/// The record of a key that is registered now.
pub(crate) fn record(key: &PublicKey, now: Time, valid_days: u16) -> KeyRecord {
    within(key, (now.whole_seconds(), now.plus_seconds(i64::from(valid_days) * DAY).whole_seconds()))
}

/// The record of a key that counts within this window.
pub(crate) fn within(key: &PublicKey, (nbf, exp): (Time, Time)) -> KeyRecord {
    KeyRecord {
        kid: key.kid.clone(),
        public: key.public,
        usage: key.usage,
        owner: key.owner.clone(),
        nbf,
        exp,
        status: KeyStatus::Active,
    }
}

/// The public keys that a corner's key command printed as JSON.
///
/// # Errors
/// Where it printed none.
pub(crate) fn read_printed(printed: &[u8]) -> Result<Vec<PublicKey>, Failure> {
    let value = parse(printed).map_err(Failure::new)?;
    let keys = value.get("keys").and_then(Value::as_array).unwrap_or_default();
    Ok(keys.iter().cloned().map(PublicKey::read).collect::<Result<_, _>>()?)
}

/// The public keys in a file that `eleven <corner> key renew --out` wrote.
///
/// # Errors
/// Where it holds none.
pub(crate) fn read_public(file: &Path) -> Result<Vec<PublicKey>, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let keys = read_printed(&bytes).map_err(|failure| Failure::usage(format!("{}: {failure}", file.display())))?;
    if keys.is_empty() {
        let what = "it holds no public keys: name what `eleven authority key renew --out` or another corner's wrote";
        return Err(Failure::usage(format!("{}: {what}", file.display())));
    }
    Ok(keys)
}
