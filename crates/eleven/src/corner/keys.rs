//! `eleven <corner> key new`: each corner makes its own folder, keystore and keys, in its own process.

use super::{JOURNAL, Which, measure_binary, point};
use crate::admin::Registered;
use crate::call;
use crate::config::Config;
use crate::keystore::{self, FileKeystore, Keystore as _, PublicKey, Wanted};
use crate::operator::OperatorKey;
use crate::output::{Failure, Output};
use eleven_api::audit::Cursor;
use eleven_api::client::Client;
use eleven_api::edge::{self, SystemClock};
use eleven_api::reader::ReadAs;
use eleven_authority::identity::jwt_row;
use eleven_core::encoding::{Object, Value};
use eleven_core::name;
use eleven_core::root::KeyUse;
use eleven_enforce::journal::Journal;
use eleven_runtime::OutboxError;
use eleven_runtime::recover::{self, ReadBackError};
use eleven_store::{Folder, FolderError, Log, OpenError, SegmentLog, SegmentOptions};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Two of three corners have to run, and `eleven up` starts all of them.
const START: &str = "start `eleven ledger serve` and `eleven authority serve`, and not the runtime";
/// What begins that which is added to a name that is moved out of the way.
const BEFORE: &str = ".before-";
/// What whoever gives a journal up says.
const GIVE_UP: &str = "name --journal-lost where the journal is to be given up";

/// How a journal stands to the ledger that its point does not go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The ledger has all of it, and nothing in it is open.
    Drained,
    /// Something of it would still reach the ledger, were the point started.
    Behind,
    /// It is not there, is damaged, is older or another than what the ledger has, or lacks what a ledger that went back expects; or its
    /// key counts no more.
    Lost,
}

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

/// Adds new keys to those of a corner that may run, and prints the public ones. The corner holds them from its next start on, and
/// signs with one when it is registered, or stands in the trust root. Where it has keys of this label, those are printed.
///
/// # Errors
/// Where the corner has no keystore, has some of the keys of this label and not all, or the file is there.
pub(crate) fn renew_keys(
    which: Which,
    file: &Path,
    label: &str,
    out: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let corner = which.of(&config);
    let store = corner.data.join(keystore::FILE);
    let held = keystore::public_keys(&store, which.name())?;
    let wanted = wanted(which, &config, label)?;
    if let Some(out) = out.filter(|out| out.exists()) {
        return Err(Failure::usage(format!("{} is there already: name another file; nothing was done", out.display())));
    }
    let known = |one: &Wanted| held.iter().find(|key| key.kid == one.kid && key.usage == one.usage).cloned();
    let known: Vec<PublicKey> = wanted.iter().filter_map(known).collect();
    // Earlier versions made none for identity tokens with a label.
    let is_known = |one: &Wanted| one.usage == KeyUse::Identity || known.iter().any(|key| key.kid == one.kid);
    let made = if !known.is_empty() && wanted.iter().all(is_known) {
        // Made before, and perhaps never shown: a label names the same keys for good.
        known
    } else if let Some(used) = known.first() {
        return Err(Failure::usage(format!(
            "{} is in the keystore already: name a --label that was never used",
            used.kid
        )));
    } else {
        let passphrase = keystore::passphrase(&corner.passphrase_file)?;
        let random = || Zeroizing::new(edge::random());
        FileKeystore::add(&store, which.name(), &passphrase, wanted, random)?
    };
    if let Some(out) = out {
        keystore::write_public(out, &printed(which, &made).canonical())?;
    }
    show(which, &made, output);
    Ok(())
}

/// Gives the enforcement point new keys, registers it under them, and retires the old ones. The journal is put aside: under the
/// new key nothing of it may be sent. So the ledger has to have all of it; where it was lost, or is given up, the old keys are
/// retired first, and the ledger records by itself where their stream breaks off.
///
/// # Errors
/// Where the runtime runs, its passphrase, the registry or the journal can't be read, the label was used before, or the ledger
/// lacks something of the journal: nothing was done then, but that what a command that was cut short had moved is back. Where an act
/// is not carried out: what was done stays, and the same command goes on from there.
pub(crate) fn replace_keys(
    file: &Path,
    label: &str,
    valid_days: u16,
    journal_lost: bool,
    output: Output,
) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let corner = &config.runtime;
    let folder = Folder::open(&corner.data, Which::Runtime.name()).map_err(|error| match error {
        FolderError::Locked { .. } => Failure::new(format!("{error}; where `eleven up` ran all corners, then {START}")),
        error => error.into(),
    })?;
    let wanted = wanted(Which::Runtime, &config, label)?;
    // Whatever may stand in the way is looked at before anything is moved.
    let passphrase = keystore::passphrase(&corner.passphrase_file)?;
    OperatorKey::load(&config.operator_key)?;
    let registered = Registered::of(&config).map_err(|failure| failure.started_by(START))?;
    put_back(&folder, &registered)?;
    let store = folder.path().join(keystore::FILE);
    let held = if store.exists() { keystore::public_keys(&store, Which::Runtime.name())? } else { Vec::new() };
    let made = held.len() == wanted.len() && wanted.iter().all(|one| held.iter().any(|key| key.kid == one.kid));
    let left = |aside: &str| {
        if journal_lost { Ok(Left::Lost) } else { left(&config, &folder, aside, &passphrase, &registered) }
    };
    // What was moved away before the new keys were made was drained, or given up then.
    let moved_drained = |held: &[PublicKey]| {
        let mut former = registered.former(&config.point.name, held);
        former.try_fold(false, |drained, kid| {
            Ok::<_, Failure>(drained | (left(&aside(label, Some(kid)))? == Left::Drained))
        })
    };
    let (keys, drained) = if made {
        registered.may_take(&config.point.name, &held)?;
        let drained = moved_drained(&held)?;
        (held, drained)
    } else {
        registered.lacks(wanted.iter().map(|key| key.kid.as_str()))?;
        // Without a keystore, they may have been moved away by the same command, which then could not make the new keys.
        let drained = if store.exists() { is_drained(&config, left("")?)? } else { moved_drained(&held)? };
        put_aside(&folder, &held, label)?;
        let random = || Zeroizing::new(edge::random());
        let made = FileKeystore::create(&store, Which::Runtime.name(), &passphrase, wanted, random)?;
        (made.keys().to_vec(), drained)
    };
    // Whoever registers is the operator, not the corner: its folder is no more needed.
    drop(folder);
    let replaced = registered.replace(&config, &keys, valid_days, drained);
    let replaced = replaced.map_err(|failure| failure.started_by(START))?;
    let text = || {
        let stream = if drained {
            "the ledger has all that their journal held"
        } else {
            "the ledger records where their stream breaks off: look for audit.discontinuity"
        };
        let (point, retired) = (&config.point.name, replaced.retired.join(", "));
        format!("{point} is registered under {}; keys retired: {retired}\n{stream}", replaced.kid)
    };
    let value = || {
        let retired: Vec<Value> = replaced.retired.iter().map(Value::from).collect();
        let object = Object::new().with("point", &config.point.name).with("kid", &replaced.kid);
        Value::Object(object.with("retired", retired))
    };
    output.either(value, text);
    Ok(())
}

/// Whether a journal that stands so to the ledger is drained, before it is moved away.
///
/// # Errors
/// Where something of it would still reach the ledger.
fn is_drained(config: &Config, left: Left) -> Result<bool, Failure> {
    if left == Left::Behind {
        return Err(Failure::new(format!(
            "the ledger has not all that the journal of {} is to send it: start the runtime once so that it sends what it \
             has, or {GIVE_UP}; nothing was done",
            config.point.name
        )));
    }
    Ok(left == Left::Drained)
}

/// How the journal of the point's folder, or what was put aside of it under this suffix, stands to the ledger.
///
/// # Errors
/// Where that can't be known now, and could be later: what a disk refuses, another build wrote, or lies beside a file that is none of it
/// is not lost.
fn left(
    config: &Config,
    folder: &Folder,
    aside: &str,
    passphrase: &[u8],
    registered: &Registered,
) -> Result<Left, Failure> {
    let (store, journal) = (folder.path().join(format!("{}{aside}", keystore::FILE)), format!("{JOURNAL}{aside}"));
    if !store.exists() || !folder.path().join(&journal).exists() {
        return Ok(Left::Lost);
    }
    let keys = FileKeystore::open(&store, Which::Runtime.name(), passphrase);
    let keys = keys.map_err(|error| Failure::from(error).or_else_try(false, GIVE_UP))?;
    let point = point(config, &keys, measure_binary()?)?;
    let reader = ReadAs { signer: Arc::clone(&point.event), clock: Arc::new(SystemClock) };
    if !registered.counts(reader.signer.kid()) {
        return Ok(Left::Lost);
    }
    let unread = |error: &dyn std::fmt::Display| {
        Failure::new(error).or_else_try(false, GIVE_UP).while_(&format!("the journal of {}", config.point.name))
    };
    let log = match SegmentLog::open(folder.place(&journal)?, SegmentOptions::default()) {
        Ok(log) => log,
        Err(OpenError::Damaged(_) | OpenError::Missing { .. }) => return Ok(Left::Lost),
        // Nothing of it is lost by a file beside it: what the ledger does not have yet would be given up for that.
        Err(error @ (OpenError::Io { .. } | OpenError::Version { .. } | OpenError::Stray { .. })) => {
            return Err(unread(&error));
        }
    };
    let journal = match recover::read_back(&log, point) {
        Ok(journal) => journal,
        Err(ReadBackError::Unusable(_)) => return Ok(Left::Lost),
        Err(error @ (ReadBackError::Disk(_) | ReadBackError::Unknown)) => return Err(unread(&error)),
    };
    let asked = async { eleven_runtime::cursor(&Client::new(), &config.ledger.url, &reader).await };
    let cursor = call::wait(asked)?.map_err(|error| {
        let failure = Failure::from(error).or_else_try(false, GIVE_UP).while_("how far the ledger has the journal");
        failure.started_by(START)
    })?;
    stands(&log, &journal, &cursor).map_err(|error| unread(&error))
}

/// How a journal stands to what the ledger tells of the stream of its key. One under whose numbers the ledger has other records is lost,
/// however far it goes: the ledger takes nothing more of it, and lacks what it holds. So it is with one that let go of the record that the
/// ledger expects next, as of what that had acknowledged before it went back.
///
/// # Errors
/// Where it can't be read.
fn stands(log: &impl Log, journal: &Journal, cursor: &Cursor) -> Result<Left, OutboxError> {
    match recover::agree(log, cursor) {
        Ok(()) => {}
        Err(OutboxError::Foreign { .. }) => return Ok(Left::Lost),
        Err(error @ OutboxError::Journal(_)) => return Err(error),
    }
    let next = recover::oldest_from(log, cursor.next).map_err(OutboxError::Journal)?;
    if next.is_some_and(|(number, _)| number > cursor.next) {
        return Ok(Left::Lost);
    }
    Ok(match journal.next_seq().cmp(&cursor.next) {
        Ordering::Less => Left::Lost,
        Ordering::Equal if journal.open_lineages() == 0 => Left::Drained,
        Ordering::Equal | Ordering::Greater => Left::Behind,
    })
}

/// What is added to the names of a keystore and a journal that keys of this label take the place of: until when they were used.
fn aside(label: &str, kid: Option<&str>) -> String {
    format!("{BEFORE}{label}.{}", kid.map_or("lost", label_of))
}

fn label_of(kid: &str) -> &str {
    kid.rsplit('/').next().unwrap_or(kid)
}

/// Moves keystore and journal out of the way. The keystore first: a point that is started before the journal is moved, too, says
/// what to do, and touches nothing.
fn put_aside(folder: &Folder, held: &[PublicKey], label: &str) -> Result<(), Failure> {
    let aside = aside(label, held.first().map(|key| key.kid.as_str()));
    for name in [keystore::FILE, JOURNAL] {
        if folder.path().join(name).exists() {
            rename(folder, name, &format!("{name}{aside}"))?;
        }
    }
    Ok(())
}

/// Whether a keystore was moved out of the way in this folder.
pub(super) fn put_aside_before(data: &Path) -> bool {
    let moved = format!("{}{BEFORE}", keystore::FILE);
    let mut names = std::fs::read_dir(data).into_iter().flatten().flatten();
    names.any(|entry| entry.file_name().to_string_lossy().starts_with(&moved))
}

/// Puts back what of a keystore and its journal was moved out of the way alone, by a command that was cut short: how the journal
/// stands is told by both together. The keys have to be those by which the point is known.
fn put_back(folder: &Folder, registered: &Registered) -> Result<(), Failure> {
    let names = || {
        let names = std::fs::read_dir(folder.path())?;
        names.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<Vec<_>>>()
    };
    let names = names().map_err(|error| Failure::about(folder.path(), error))?;
    for moved in &names {
        let (name, keystore, aside) = if let Some(aside) = alone(folder, moved, keystore::FILE, JOURNAL) {
            (keystore::FILE, moved.as_str(), aside)
        } else if let Some(aside) = alone(folder, moved, JOURNAL, keystore::FILE) {
            (JOURNAL, keystore::FILE, aside)
        } else {
            continue;
        };
        let keys = keystore::public_keys(&folder.path().join(keystore), Which::Runtime.name())?;
        let is_theirs = |key: &PublicKey| aside.ends_with(&format!(".{}", label_of(&key.kid)));
        if keys.first().is_some_and(|key| is_theirs(key) && registered.counts(&key.kid)) {
            rename(folder, moved, name)?;
        }
    }
    Ok(())
}

/// What was added to `name`, where `moved` is that of what was moved out of the way, and `other` was not.
fn alone<'a>(folder: &Folder, moved: &'a str, name: &str, other: &str) -> Option<&'a str> {
    let there = |name: &str| folder.path().join(name).exists();
    let aside = moved.strip_prefix(name).filter(|aside| aside.starts_with(BEFORE))?;
    (!there(name) && there(other) && !there(&format!("{other}{aside}"))).then_some(aside)
}

/// Gives what is in the folder another name, durably.
fn rename(folder: &Folder, from: &str, to: &str) -> Result<(), Failure> {
    let (path, from) = (folder.path(), folder.path().join(from));
    let failed = |error: io::Error| Failure::about(&from, error);
    std::fs::rename(&from, path.join(to)).and_then(|()| File::open(path)?.sync_all()).map_err(failed)
}

fn show(which: Which, keys: &[PublicKey], output: Output) {
    let table = || {
        let row = |key: &PublicKey| {
            let public = eleven_core::signature::base64_value(&key.public);
            vec![key.kid.clone(), key.usage.name().to_owned(), key.owner.clone(), public]
        };
        output.table_of(["KEY", "USE", "OWNER", "PUBLIC"], keys.iter().map(row))
    };
    output.either(|| Value::Object(printed(which, keys)), table);
}

/// The public keys as key commands print them.
fn printed(which: Which, keys: &[PublicKey]) -> Object {
    let keys: Vec<Value> = keys.iter().map(PublicKey::to_value).collect();
    Object::new().with("corner", which.name()).with("keys", keys)
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
        // An identity key's row in the registry is named by its label, and has room for no longer one.
        let has_row = *usage != KeyUse::Identity || name::is_segment(&jwt_row(&kid));
        let named =
            (has_row && name::is_key(&kid)).then(|| Wanted { kid: kid.clone(), usage: *usage, owner: owner.clone() });
        named.ok_or_else(|| {
            Failure::usage(format!("{kid} is no name of a key: use a shorter label of a-z, 0-9, `.`, `_`, `-`"))
        })
    });
    wanted.collect()
}

/// That all keys that a domain begins with have names of their own: the point's are named after it, as the others are after what they
/// are for.
///
/// # Errors
/// Where two would have one name.
pub(crate) fn have_names_of_their_own(config: &Config, label: &str) -> Result<(), Failure> {
    let mut kids = BTreeSet::from(["root", "operator"].map(|role| format!("key:{}/{role}/{label}", config.domain)));
    for which in Which::ALL {
        for Wanted { kid, .. } in wanted(which, config, label)? {
            if kids.contains(&kid) {
                let what =
                    format!("{kid} would be two keys: end `runtime.point` in another name than that; nothing was done");
                return Err(Failure::usage(what));
            }
            kids.insert(kid);
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests;
