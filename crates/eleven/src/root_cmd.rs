//! `eleven root …`: the next version of the trust root, signed where the root key is kept and published by an operator.

use crate::admin;
use crate::backup_cmd::root_signer;
use crate::call::{self, Registry};
use crate::cli::RootCommand;
use crate::config::{Config, ConfigError};
use crate::corner::read_root;
use crate::expiry::{self, DAY};
use crate::keystore::write_public;
use crate::output::{Failure, Output};
use crate::witness_cmd::read_public;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::root::{TrustRoot, Witness, Witnesses};
use eleven_core::time::Time;
use std::path::{Path, PathBuf};

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
        RootCommand::Next { from, add, remove, quorum, auditors, extend, add_to, root_key, out } => {
            let draft = match (from, add_to) {
                (Some(from), None) => {
                    let from = read_root(from)?;
                    let witnesses = witnesses(&from, add, remove, *quorum, *auditors)?;
                    next(from, witnesses, *extend, SystemClock.now().whole_seconds())?
                }
                (None, Some(file)) => unsigned_root(file)?,
                _ => return Err(Failure::usage("name --from or --add-to")),
            };
            let root = draft.signed(&[&root_signer(root_key)?])?;
            write_public(out, &root.to_value().canonical())?;
            let text = || {
                format!(
                    "{}: version {} of the root of {}, {}; in force until {}; {} signatures{}\nNext: eleven root publish {}",
                    out.display(),
                    root.version,
                    root.domain,
                    told(&root.witnesses),
                    root.exp.seconds(),
                    root.sigs.len(),
                    outlived(&root),
                    out.display()
                )
            };
            output.either(|| root.to_value(), text);
        }
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
    }
    Ok(())
}

/// The version after `from`: its keys as they were, since no record of a key is ever changed (PROTOCOL 3), with these
/// witnesses, and in force for as long as `from` or for so many days from now on.
fn next(from: TrustRoot, witnesses: Witnesses, extend: Option<u16>, now: Time) -> Result<TrustRoot, Failure> {
    let exp = extend.map_or(from.exp, |days| now.plus_seconds(i64::from(days) * DAY));
    if extend.is_some() && exp <= from.exp {
        let until = from.exp.seconds();
        return Err(Failure::usage(format!("version {} is in force until {until}: name more days", from.version)));
    }
    if extend.is_none() && witnesses == from.witnesses {
        return Err(Failure::usage("nothing would change: name --add, --remove, --quorum, --auditors or --extend"));
    }
    let (version, prev) = (from.version + 1, Some(from.hash_for_prev()));
    Ok(TrustRoot { version, prev, witnesses, nbf: now, exp, sigs: Vec::new(), ..from })
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

fn audit(keys: &[Witness]) -> u64 {
    keys.iter().filter(|key| key.audits).count() as u64
}

/// A root whose signatures may not be enough yet.
fn unsigned_root(file: &Path) -> Result<TrustRoot, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::usage(format!("{}: {what}", file.display()));
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
    format!("witnessed by {} of {}", witnesses.quorum, names.join(", "))
}
