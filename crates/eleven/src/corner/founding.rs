//! What a corner does once, at `init`, with its own keys: grants, genesis, founding acts. Each reads one JSON document on
//! standard input and, like every corner's command, runs in a process of its own.

use super::{Which, open_authority, prepare};
use crate::config::Config;
use crate::keystore::{self, FileKeystore, Keystore as _};
use crate::output::{Failure, Output};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_authority::admin::Act;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::registry::GrantedKey;
use eleven_core::root::{KeyRecord, KeyUse, TrustRoot};
use eleven_ledger::Ledger;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// Bytes of a document on standard input.
const MAX_INPUT: u64 = 8 * 1024 * 1024;
/// How long the founding authority waits for the ledger.
const READY: Duration = Duration::from_secs(20);

/// `authority grant`: signs, with the registry key, a grant for each key record of the array on standard input.
///
/// # Errors
/// Where a record is not of its form, or the keystore does not open.
pub(crate) fn grant(file: &Path, output: Output) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let keys = open(Which::Authority, &config)?;
    let registry = keys.signer(KeyUse::Registry)?;
    let records = array(input()?)?.into_iter().map(KeyRecord::read).collect::<Result<Vec<_>, _>>()?;
    let granted = records.into_iter().map(|key| Value::Object(GrantedKey::sign(key, &*registry).to_object()));
    output.document(&Value::Array(granted.collect()));
    Ok(())
}

/// `ledger genesis`: makes the first entry of `{"root","fresh","keys"}` on standard input.
///
/// # Errors
/// Where it is no genesis, or the folder holds a ledger already.
pub(crate) fn genesis(file: &Path) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let keys = open(Which::Ledger, &config)?;
    let mut form = Form::of(input()?, "genesis")?;
    let root = TrustRoot::read(form.take("root")?)?;
    root.check_new()?;
    let fresh = form.uint("fresh")?;
    let granted = form.array("keys")?.into_iter().map(GrantedKey::read).collect::<Result<Vec<_>, _>>()?;
    form.finish()?;
    let signer = keys.signer(KeyUse::Event)?;
    Ledger::genesis(&config.ledger.data, &root, fresh, &granted, &*signer, SystemClock.now()).map_err(Failure::new)
}

/// `authority found`: carries out the acts of `[{"act","args"}]` on standard input, as a domain without operators
/// allows; the one that adds the first operator is the last.
///
/// # Errors
/// Where an act is not carried out; those before it stay.
pub(crate) fn found(file: &Path, output: Output) -> Result<(), Failure> {
    let acts = array(input()?)?.into_iter().map(read_act).collect::<Result<Vec<_>, _>>()?;
    let prepared = prepare(Which::Authority, Config::load(file)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(Failure::new)?.block_on(async {
        let (stop, authority) = open_authority(&prepared)?;
        if !authority.ready(READY).await {
            return Err(Failure::new(format!("the ledger at {} does not answer", prepared.config.ledger.url)));
        }
        let mut done = Vec::new();
        for act in acts {
            let name = act.name();
            let came_to = authority.operate(act, None).await;
            done.push(came_to.map_err(|error| Failure::new(format!("{name}: {error}")))?.to_value());
        }
        output.document(&Value::Array(done));
        stop.send_replace(true);
        Ok(())
    })
}

fn read_act(value: Value) -> Result<Act, FormError> {
    let mut form = Form::of(value, "act")?;
    let (act, args) = (form.string("act")?, form.object("args")?);
    form.finish()?;
    Act::read(&act, args)
}

/// A founding act as it stands on standard input.
pub(crate) fn act(name: &str, args: Object) -> Value {
    Value::Object(Object::new().with("act", name).with("args", args))
}

fn open(which: Which, config: &Config) -> Result<FileKeystore, Failure> {
    let corner = which.of(config);
    let passphrase = keystore::passphrase(&corner.passphrase_file)?;
    Ok(FileKeystore::open(&corner.data.join(keystore::FILE), which.name(), &passphrase)?)
}

fn input() -> Result<Value, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_INPUT).read_to_end(&mut bytes).map_err(Failure::new)?;
    parse(&bytes).map_err(|error| Failure::usage(format!("standard input is not I-JSON: {error}")))
}

fn array(value: Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(Failure::usage("standard input is no array")),
    }
}
