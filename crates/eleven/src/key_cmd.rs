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
use eleven_api::token::{JWT, JWT_ENDED};
use eleven_authority::identity::{jwt_row, jwt_source};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::FormError;
use eleven_core::registry::Item as _;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use eleven_core::signature::bytes32;
use eleven_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the end of an identity key means.
const NO_TOKEN: &str = "no token that it signed counts any more, nor does one that it signs";

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
            let from_now_on = "what it signs from now on counts for nothing";
            let what = if is_identity(&done) { NO_TOKEN } else { from_now_on };
            admin::report(&done, &format!("{kid} is retired: {what}"), output);
            Ok(())
        }
        KeyCommand::Compromise { kid, since } => {
            let since = since.unwrap_or_else(|| SystemClock.now());
            let args = Object::new().with("kid", kid).with("since", since.to_millis_value());
            let done = ended(config, "key.compromise", args, kid)?;
            // Of a moment that is just over an earlier one counts: the ledger's clock may be behind.
            let since = done.get("since").and_then(Value::as_str).map_or_else(|| since.millis(), shown);
            let later = "what the ledger dates later counts for nothing";
            let what = if is_identity(&done) { NO_TOKEN } else { later };
            admin::report(&done, &format!("{kid} is compromised since {since}: {what}"), output);
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

/// Whether it was an identity key that an act ended.
fn is_identity(done: &Value) -> bool {
    done.get("use").and_then(Value::as_str) == Some(KeyUse::Identity.name())
}

/// The keys of the root in force and of the registry.
fn list(config: &Config, output: Output) -> Result<(), Failure> {
    let snapshot = call::registry(config)?;
    let root = in_force(config)?;
    let in_root = root.records().map(|key| ("root", key.to_value()));
    let listed = snapshot.get("keys").and_then(Value::as_array).unwrap_or_default();
    let listed = listed.iter().cloned().chain(identity_keys(&snapshot)).map(|key| ("registry", key));
    let keys: Vec<(&str, Value)> = in_root.chain(listed).collect();
    let table = || {
        let row = |(place, key): &(&str, Value)| {
            let cell = |name: &str| key.get(name).and_then(Value::as_str).map(shown).unwrap_or_default();
            vec![cell("kid"), cell("use"), cell("owner"), cell("status"), cell("exp"), (*place).to_owned()]
        };
        output.table_of(["KEY", "USE", "OWNER", "STATUS", "UNTIL", "STANDS IN"], keys.iter().map(row))
    };
    output.either(|| Value::Array(keys.iter().map(|(_, key)| key.clone()).collect()), table);
    Ok(())
}

fn in_force(config: &Config) -> Result<TrustRoot, Failure> {
    Ok(TrustRoot::read(call::get(&Registry::of(config), routes::REGISTRY_ROOT)?)?)
}

/// Registers the keys of these files that stand in a registry, and that this one has not.
fn register(config: &Config, files: &[PathBuf], valid_days: u16, output: Output) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for file in files {
        let is_registered = |key: &PublicKey| key.usage.stands_in_registry() || key.usage == KeyUse::Identity;
        wanted.extend(read_public(file)?.into_iter().filter(is_registered));
    }
    // A key may stand in two of them.
    let mut kids = BTreeSet::new();
    wanted.retain(|key: &PublicKey| kids.insert(key.kid.clone()));
    if wanted.is_empty() {
        return Err(Failure::usage("the files hold no issuer, event, attestation or identity key: nothing was done"));
    }
    let snapshot = call::registry(config)?;
    let of_record = |record: KeyRecord| (record.kid, record.public);
    let known = registered(&snapshot).map(|record| record.map(of_record)).collect::<Result<Vec<_>, _>>()?;
    let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
    let of_row = |key: Value| Some((text(&key, "kid")?, bytes32(&text(&key, "public")?)?));
    let known: BTreeMap<String, [u8; 32]> =
        known.into_iter().chain(identity_keys(&snapshot).filter_map(of_row)).collect();
    if let Some(other) = wanted.iter().find(|key| known.get(&key.kid).is_some_and(|public| *public != key.public)) {
        let what = format!("{} is registered with another public key: nothing was done", other.kid);
        return Err(Failure::usage(what));
    }
    let (mut registered, mut last) = (Vec::new(), None);
    for key in wanted.iter().filter(|key| !known.contains_key(&key.kid)) {
        last = Some(if key.usage == KeyUse::Identity {
            let row = jwt_source(&jwt_row(&key.kid), &key.owner, &key.kid, &key.public);
            act(config, "source.register", row.to_value().into_object())?
        } else {
            let record = record(key, SystemClock.now(), valid_days);
            act(config, "key.register", Object::new().with("key", record.to_value()))?
        });
        registered.push(key.kid.clone());
    }
    let Some(done) = last else {
        output.either(
            || Value::Object(Object::new().with("registered", Vec::<Value>::new())),
            || "all of them are registered already".to_owned(),
        );
        return Ok(());
    };
    let is_identity = |key: &PublicKey| key.usage == KeyUse::Identity;
    let until = if wanted.iter().any(is_identity) { ", identity keys until they are ended" } else { "" };
    let what = format!(
        "registered for {valid_days} days{until}: {}\nNext, so that they are used: restart whoever holds them, for instance `eleven \
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

/// The identity keys that a registry's snapshot has among its sources, as far as they have what a key's record has.
fn identity_keys(snapshot: &Value) -> impl Iterator<Item = Value> {
    let sources = snapshot.get("sources").and_then(Value::as_array).unwrap_or_default();
    sources.iter().filter_map(|row| {
        let mapping = row.get("mapping")?;
        let text = |name: &str| mapping.get(name).and_then(Value::as_str);
        let status = match text("kind")? {
            JWT => "active",
            JWT_ENDED => text("status")?,
            _ => return None,
        };
        let key = Object::new().with("kid", text("kid")?).with("alg", "ed25519").with("public", text("public")?);
        let key = key.with("use", KeyUse::Identity.name()).with("owner", row.get("source")?.as_str()?);
        Some(Value::Object(key.with("status", status).with("since", text("since").map(Value::from))))
    })
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
    let bytes = std::fs::read(file).map_err(|error| Failure::usage_about(file, error))?;
    let keys = read_printed(&bytes).map_err(|failure| Failure::usage_about(file, failure))?;
    if keys.is_empty() {
        let what = "it holds no public keys: name what `eleven authority key renew --out` or another corner's wrote";
        return Err(Failure::usage_about(file, what));
    }
    Ok(keys)
}
