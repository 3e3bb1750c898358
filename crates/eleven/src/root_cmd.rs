//! `eleven root …`: the next version of the trust root, signed where the root key is kept and published by an operator.

use crate::admin;
use crate::call::{self, Registry};
use crate::cli::{Next, RootCommand};
use crate::config::{Config, ConfigError};
use crate::corner::read_root;
use crate::expiry::{self, DAY};
use crate::key_cmd;
use crate::keystore::{KeystoreError, PublicKey, write_public};
use crate::output::{Failure, Output, word};
use crate::root_key;
use crate::witness_cmd::read_public;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::head::checkpoint::{vkey, witness_vkey};
use eleven_core::limits::MAX_STAMP_AHEAD_MS;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witness, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use std::path::{Path, PathBuf};

pub(crate) mod room;
#[cfg(test)]
mod tests;

/// Carries out a command. `config` is read only where a domain is asked.
///
/// # Errors
/// Where it can't be.
pub(crate) fn run(
    command: &RootCommand,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    output: Output,
) -> Result<(), Failure> {
    match command {
        RootCommand::Next(args) => next(args, output)?,
        RootCommand::Publish { file } => {
            let root = read_root(file)?;
            let args = Object::new().with("root", root.to_value());
            let done = admin::act(&config()?, "root.publish", args)?;
            let what = format!(
                "version {} of the root is published, {}\nWhere they are asked, `ledger.witnesses` says: after a change \
                 there, eleven ledger restart.",
                root.version,
                told(&root.witnesses)
            );
            admin::report(&done, &what, output);
        }
        RootCommand::Show => output.document(&call::get(&Registry::of(&config()?), routes::REGISTRY_ROOT)?),
        RootCommand::Vkeys { file } => {
            let vkeys = verifier_keys(&read_root(file)?);
            let value = || Value::Array(vkeys.iter().map(|vkey| Value::from(vkey.as_str())).collect());
            output.either(value, || vkeys.join("\n"));
        }
    }
    Ok(())
}

/// The verifier keys (C2SP signed-note) of a root: of the ledger's head keys, but for those that are in other hands, and of its
/// witnesses.
fn verifier_keys(root: &TrustRoot) -> Vec<String> {
    let origin = root.origin();
    let own = |key: &&KeyRecord| key.usage == KeyUse::Head && !matches!(key.status, KeyStatus::Compromised(_));
    let heads = root.roles.iter().filter(own).map(|key| vkey(&origin, &key.public));
    heads.chain(root.witnesses.keys.iter().map(|key| witness_vkey(&key.name, &key.public))).collect()
}

/// `root next`: signs the version after `--from`, or adds a signature to what another key signed.
fn next(args: &Next, output: Output) -> Result<(), Failure> {
    let signer = root_key::load(&args.root_key)?;
    if args.out.exists() {
        return Err(KeystoreError::Exists(args.out.clone()).into());
    }
    let root = match (&args.from, &args.add_to) {
        (Some(from), None) => {
            let draft = changed(read_root(from)?, args, SystemClock.now())?;
            match &args.new_root_key {
                Some(file) => with_new_root_key(draft, file, &signer, &args.out)?,
                None => written(draft.signed(&[&signer])?, &args.out)?,
            }
        }
        (None, Some(file)) => written(unsigned_root(file)?.signed(&[&signer])?, &args.out)?,
        _ => return Err(Failure::usage("name --from or --add-to")),
    };
    let text = || {
        let kept = args.new_root_key.as_ref().map_or_else(String::new, |file| {
            format!(
                "\n{}: the root key that signs the versions after this one: keep it on no corner's machine",
                file.display()
            )
        });
        format!(
            "{}: version {} of the root of {}, {}; in force until {}; {} signatures{}{}{kept}\nNext: eleven root publish {}",
            args.out.display(),
            root.version,
            root.domain,
            told(&root.witnesses),
            root.exp.seconds(),
            root.sigs.len(),
            outlived(&root),
            last(&root),
            word(&args.out.display())
        )
    };
    output.either(|| root.to_value(), text);
    Ok(())
}

/// The draft with a new root key, signed by that and by the one that there is. The key is made last: where anything else is
/// wrong, none is made. Where the version can't be written none stays, so that the same can be asked for again.
fn with_new_root_key(mut draft: TrustRoot, file: &Path, signer: &SeedSigner, out: &Path) -> Result<TrustRoot, Failure> {
    let made = new_root_key(&mut draft, file)?;
    let root = draft.signed(&[&made, signer]).map_err(Failure::from).and_then(|root| written(root, out));
    if root.is_err() {
        // Where it can't be removed, the next try is told of it.
        let _ = std::fs::remove_file(file);
    }
    root
}

/// Writes a version to a file that was not there, where an event has room for it.
fn written(root: TrustRoot, out: &Path) -> Result<TrustRoot, Failure> {
    if room::left(&root).is_none() {
        return Err(Failure::usage(format!(
            "version {} would name {} keys, and the event that publishes it has no room for so many, in 16 KiB: renew fewer keys, those \
             alone without which the domain ends (docs/keys.md)",
            root.version,
            root.records().count()
        )));
    }
    write_public(out, &root.to_value().canonical())?;
    Ok(root)
}

/// The version after `from`, as it was asked for. No record of a key goes (PROTOCOL 3): new ones come first, for the first that
/// counts is the one that signs, and an old one may end.
fn changed(from: TrustRoot, args: &Next, now: Time) -> Result<TrustRoot, Failure> {
    // No version begins before the one before it, also where the clock of the machine that signs is behind.
    let nbf = now.whole_seconds().max(from.nbf);
    let exp = args.extend.map_or(from.exp, |days| nbf.plus_seconds(i64::from(days) * DAY));
    if args.extend.is_some() && exp <= from.exp {
        let until = from.exp.seconds();
        return Err(Failure::usage(format!("version {} is in force until {until}: name more days", from.version)));
    }
    let witnesses = witnesses(&from, &args.add, &args.remove, args.quorum, args.auditors)?;
    let mut next = TrustRoot {
        version: from.version + 1,
        prev: Some(from.hash_for_prev()),
        witnesses,
        nbf,
        exp,
        sigs: Vec::new(),
        ..from.clone()
    };
    renew(&mut next, &args.renew)?;
    for kid in &args.retire {
        // From the version's first moment on: it signs nothing under this one.
        end(&mut next, kid, KeyStatus::Retired(nbf))?;
    }
    // The ledger's clock may be two seconds behind, and takes no moment to come; earlier is the safe side.
    if let Some(since) = args.since.filter(|since| *since > now) {
        return Err(Failure::usage(format!(
            "--since {since} is not yet: a key that is in other hands ends now at the latest"
        )));
    }
    let since = args.since.unwrap_or(now).min(now.plus_millis(-MAX_STAMP_AHEAD_MS));
    for kid in &args.compromise {
        end(&mut next, kid, KeyStatus::Compromised(since))?;
    }
    let same =
        |next: &TrustRoot| next.witnesses == from.witnesses && next.keys == from.keys && next.roles == from.roles;
    if args.extend.is_none() && args.new_root_key.is_none() && same(&next) {
        return Err(Failure::usage(
            "nothing would change: name --renew, --new-root-key, --retire, --compromise, --add, --remove, --quorum, --auditors \
             or --extend",
        ));
    }
    let roles = [KeyUse::Head, KeyUse::Policy, KeyUse::Registry];
    if let Some(without) = roles.into_iter().find(|usage| next.role_at(*usage, nbf).is_none()) {
        return Err(Failure::usage(format!(
            "no {} key would count under version {}: name one with --renew",
            without.name(),
            next.version
        )));
    }
    let signers = next.keys.iter().filter(|key| key.status == KeyStatus::Active && key.counts_at(nbf)).count() as u64;
    let signers = signers + u64::from(args.new_root_key.is_some());
    if signers < next.threshold {
        return Err(Failure::usage(format!(
            "{signers} root keys would count under version {}, and the next is signed by {}: name another with --new-root-key",
            next.version, next.threshold
        )));
    }
    Ok(next)
}

/// Names the role keys of these files first, for as long as the root is in force.
fn renew(root: &mut TrustRoot, files: &[PathBuf]) -> Result<(), Failure> {
    let window = (root.nbf, root.exp);
    for file in files {
        let roles = |key: &PublicKey| key.usage.stands_in_root() && key.usage != KeyUse::Root;
        let renewed: Vec<PublicKey> = key_cmd::read_public(file)?.into_iter().filter(roles).collect();
        if renewed.is_empty() {
            return Err(Failure::usage(format!("{} holds no head, policy or registry key", file.display())));
        }
        if let Some(known) = renewed.iter().find(|key| root.records().any(|record| record.kid == key.kid)) {
            return Err(Failure::usage(format!("{}: {} stands in the root already", file.display(), known.kid)));
        }
        let records = renewed.iter().map(|key| key_cmd::within(key, window)).collect();
        let older = std::mem::replace(&mut root.roles, records);
        root.roles.extend(older);
    }
    Ok(())
}

/// A new root key, of the owner of those before, for as long as the root is in force.
fn new_root_key(root: &mut TrustRoot, file: &Path) -> Result<SeedSigner, Failure> {
    let kid = format!("key:{}/root/{}", root.domain, root.version);
    if root.records().any(|record| record.kid == kid) {
        return Err(Failure::usage(format!("{kid} stands in the root already")));
    }
    let owner = root.keys.first().map(|key| key.owner.clone()).unwrap_or_default();
    let signer = root_key::create(file, kid)?;
    let own = PublicKey { kid: signer.kid().to_owned(), usage: KeyUse::Root, owner, public: signer.public() };
    root.keys.insert(0, key_cmd::within(&own, (root.nbf, root.exp)));
    Ok(signer)
}

/// Takes a key out of service, in one of the ways in which a record may go on.
fn end(root: &mut TrustRoot, kid: &str, status: KeyStatus) -> Result<(), Failure> {
    let version = root.version - 1;
    let record = root.keys.iter_mut().chain(&mut root.roles).find(|key| key.kid == kid);
    let record = record.ok_or_else(|| {
        Failure::usage(format!(
            "version {version} names no key `{kid}`; one of the registry ends by `eleven key retire`"
        ))
    })?;
    let ended = KeyRecord { status, ..record.clone() };
    if record.status == status || !ended.follows(record) {
        return Err(Failure::usage(format!("{kid} has ended already, and not later than that")));
    }
    *record = ended;
    Ok(())
}

/// The witnesses of `from` with what was asked for; as they are where nothing was.
fn witnesses(
    from: &TrustRoot,
    add: &[PathBuf],
    remove: &[String],
    quorum: Option<u64>,
    auditors: Option<u64>,
) -> Result<Witnesses, Failure> {
    let mut keys = from.witnesses.keys.clone();
    for name in remove {
        let before = keys.len();
        keys.retain(|key| key.name != *name);
        if keys.len() == before {
            return Err(Failure::usage(format!("version {} names no witness `{name}`", from.version)));
        }
    }
    for file in add {
        keys.push(read_public(file)?);
    }
    let all = if keys == from.witnesses.keys { from.witnesses.quorum } else { keys.len() as u64 };
    Ok(Witnesses {
        quorum: quorum.unwrap_or(all),
        auditors: auditors.unwrap_or_else(|| from.witnesses.auditors.min(audit(&keys))),
        keys,
    })
}

/// What a root needs and it outlives, in words; nothing where there is none.
fn outlived(root: &TrustRoot) -> String {
    let mut ends = expiry::of_root(root);
    ends.retain(|end| end.at < root.exp);
    let told = ends.iter().map(|end| format!("{} until {}", end.what, end.at.seconds()));
    match told.collect::<Vec<_>>().join(", ") {
        told if told.is_empty() => told,
        told => format!("\nIt outlives keys that the domain can't do without, and lengthens none: {told}"),
    }
}

/// That no version after a root has room for another renewal, in words; nothing where one has.
fn last(root: &TrustRoot) -> String {
    let more = room::keys(root);
    if more >= room::RENEWAL {
        return String::new();
    }
    format!(
        "\nNo version after it renews all keys: the event that publishes one has room for {more} more, and a renewal adds {}. Where the \
         domain is to go on when this one ends, make it anew, with an --extend for as long as that (docs/keys.md)",
        room::RENEWAL
    )
}

fn audit(keys: &[Witness]) -> u64 {
    keys.iter().filter(|key| key.audits).count() as u64
}

/// A root whose signatures may not be enough yet.
fn unsigned_root(file: &Path) -> Result<TrustRoot, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::usage_about(file, what);
    let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
    let value: Value = parse(&bytes).map_err(|error| failed(&error))?;
    TrustRoot::read(value).map_err(|error| failed(&error))
}

/// The witnesses in words.
fn told(witnesses: &Witnesses) -> String {
    if witnesses.keys.is_empty() {
        return "which names no witnesses: under it no head is D4 or D5, and a point that requires either admits nothing"
            .to_owned();
    }
    let names: Vec<&str> = witnesses.keys.iter().map(|key| key.name.as_str()).collect();
    let auditors = match witnesses.auditors {
        0 => "none of them has to audit".to_owned(),
        auditors => format!("{auditors} of them auditors"),
    };
    format!("witnessed by {} of {}, {auditors}", witnesses.quorum, names.join(", "))
}
