//! `eleven <corner> key new`: each corner makes its own folder, keystore and keys, in its own process.

use super::Which;
use crate::config::Config;
use crate::keystore::{self, FileKeystore, Keystore as _, PublicKey, Wanted};
use crate::output::{Failure, Output};
use eleven_api::edge;
use eleven_core::encoding::{Object, Value};
use eleven_core::name;
use eleven_core::root::KeyUse;
use eleven_store::Folder;
use std::path::Path;
use zeroize::Zeroizing;

/// Makes the corner's keys and prints the public ones.
///
/// # Errors
/// Where the corner has keys already, or its folder can't be made.
pub(crate) fn new_keys(which: Which, file: &Path, label: &str, output: Output) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let corner = which.of(&config);
    let folder = Folder::open(&corner.data, which.name())?;
    let wanted = wanted(which, &config, label)?;
    if corner.passphrase_file.starts_with(&corner.data) {
        keystore::make_passphrase(&corner.passphrase_file, &Zeroizing::new(edge::random()))?;
    }
    let passphrase = keystore::passphrase(&corner.passphrase_file)?;
    let random = || Zeroizing::new(edge::random());
    let store = FileKeystore::create(&folder.path().join(keystore::FILE), which.name(), &passphrase, wanted, random)?;
    show(which, store.keys(), output);
    Ok(())
}

fn show(which: Which, keys: &[PublicKey], output: Output) {
    let rows = || {
        let heading = ["KEY", "USE", "OWNER", "PUBLIC"].map(str::to_owned).to_vec();
        let row = |key: &PublicKey| {
            let public = eleven_core::signature::base64_value(&key.public);
            vec![key.kid.clone(), key.usage.name().to_owned(), key.owner.clone(), public]
        };
        std::iter::once(heading).chain(keys.iter().map(row)).collect::<Vec<_>>()
    };
    let value = || {
        let keys: Vec<Value> = keys.iter().map(PublicKey::to_value).collect();
        Value::Object(Object::new().with("corner", which.name()).with("keys", keys))
    };
    output.either(value, || output.table(&rows()));
}

/// The keys that a corner needs, by PROTOCOL 3: each of one use.
fn wanted(which: Which, config: &Config, label: &str) -> Result<Vec<Wanted>, Failure> {
    let point = config.point.name.split_once('#').map_or("", |(_, point)| point);
    let attestation = format!("attest-{point}");
    let roles: &[(&str, KeyUse)] = match which {
        Which::Authority => &[
            ("issuer", KeyUse::Issuer),
            ("authority", KeyUse::Event),
            ("registry", KeyUse::Registry),
            ("policy", KeyUse::Policy),
            ("identity", KeyUse::Identity),
        ],
        Which::Ledger => &[("audit", KeyUse::Event), ("head", KeyUse::Head)],
        Which::Runtime => &[(point, KeyUse::Event), (&attestation, KeyUse::Attestation)],
    };
    let owner = match which {
        Which::Authority => config.authority_name(),
        Which::Ledger => config.ledger_name(),
        Which::Runtime => config.point.name.clone(),
    };
    let wanted = roles.iter().map(|(role, usage)| {
        let kid = format!("key:{}/{role}/{label}", config.domain);
        let named = name::is_key(&kid).then(|| Wanted { kid: kid.clone(), usage: *usage, owner: owner.clone() });
        named.ok_or_else(|| {
            Failure::usage(format!("{kid} is no name of a key: use a shorter label of a-z, 0-9, `.`, `_`, `-`"))
        })
    });
    wanted.collect()
}

/// The name of the enforcement point's event key.
///
/// # Errors
/// Where its keystore can't be read.
pub(crate) fn point_kid(config: &Config) -> Result<String, Failure> {
    let file = config.runtime.data.join(keystore::FILE);
    let keys = keystore::public_keys(&file, Which::Runtime.name())?;
    let key = keys.into_iter().find(|key| key.usage == KeyUse::Event);
    Ok(key.ok_or_else(|| Failure::new(format!("{} holds no event key", file.display())))?.kid)
}
