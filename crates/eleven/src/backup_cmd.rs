//! Copies of a ledger: made while it runs, put back while it does not, and the root's word where putting one back gives up a
//! head that was published.

use crate::call;
use crate::cli::{LedgerRestore, RecoveryCommand};
use crate::config::Config;
use crate::keystore::write_public;
use crate::output::{Failure, Output, Paint, word};
use crate::progress::{Shown, far};
use crate::published::{self, Unknown};
use crate::root_key;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::recovery::Recovery;
use eleven_ledger::{Copied, tree_at};
use std::path::Path;

/// What a recovery leaves to be done.
const REFUSE: &str = "\nA witness that cosigned what was given up never cosigns this ledger again, and a mirror of it goes no further: \
                      name other witnesses, under new keys and names, in the next root (docs/witness.md, After a recovery).";

/// `ledger backup`.
///
/// # Errors
/// Where there is nothing to copy, or it can't be read or written.
pub(crate) fn backup(config: &Config, dest: &Path, output: Output) -> Result<(), Failure> {
    let mut shown = Shown::new(output);
    let copied = eleven_ledger::backup(&config.ledger.data, dest, &mut |pass| shown.tell(|_| far(pass)));
    drop(shown);
    let copied = copied?;
    let text = || {
        format!(
            "{} {}, and read back\nKeys are not in it: keep the keystores apart.",
            output.paint(Paint::Good, "copied:"),
            extent(&copied),
        )
    };
    output.either(|| value(&copied, dest), text);
    Ok(())
}

/// `ledger restore`.
///
/// # Errors
/// Where the copy is not whole, or a published head would be given up and nobody signed for that.
pub(crate) fn restore(config: &Config, args: &LedgerRestore, output: Output) -> Result<(), Failure> {
    let witnesses = args.witnesses.iter().map(|url| call::address(url)).collect::<Result<Vec<_>, _>>()?;
    let mut known = args.heads.iter().map(|file| published::in_file(file)).collect::<Result<Vec<_>, _>>()?;
    if !args.unwitnessed {
        let copy = eleven_ledger::checkpoint_of(&args.source).map_err(Failure::new)?;
        let mut cosigned = Vec::new();
        for url in config.heads.witnesses.iter().map(String::as_str).chain(witnesses) {
            cosigned.extend(published::by_witness(url, &copy, &known).map_err(|why| match why {
                Unknown::Silent(why) => Failure::new(format!(
                    "{why}; what it cosigned is not known: start it, or leave all out by --unwitnessed"
                )),
                unshown @ Unknown::Unshown(_) => unshown.into(),
            })?);
        }
        known.extend(cosigned);
    }
    let recovery = args.recovery.as_deref().map(recovery).transpose()?;
    let mut shown = Shown::new(output);
    let (data, source, now) = (&config.ledger.data, &args.source, SystemClock.now());
    let restored = eleven_ledger::restore(data, source, &known, recovery.as_ref(), now, &mut |pass| {
        shown.tell(|_| far(pass));
    });
    drop(shown);
    let restored = restored?;
    let text = || {
        let kept = restored.before.as_ref().map_or_else(String::new, |before| {
            format!("\nWhat stood there is kept in {}: remove it when all is well.", before.display())
        });
        let next = recovery.as_ref().map_or("", |_| REFUSE);
        format!("{} {}{kept}{next}", output.paint(Paint::Good, "restored:"), extent(&restored))
    };
    output.either(|| value(&restored, &config.ledger.data), text);
    Ok(())
}

/// How far it goes: to its last head, or past that.
fn extent(Copied { entries, head, .. }: &Copied) -> String {
    let (ledger, at) = (&head.commitment.ledger, head.at);
    match entries.saturating_sub(head.commitment.size) {
        0 => format!("{entries} entries of {ledger}, up to the head of {at}"),
        past => format!("{entries} entries of {ledger}, {past} of them past the head of {at}"),
    }
}

fn value(copied: &Copied, folder: &Path) -> Value {
    let object = Object::new().with("entries", copied.entries).with("folder", folder.display().to_string());
    let object = object.with("head", copied.head.to_value());
    Value::Object(object.with_some("before", copied.before.as_ref().map(|before| before.display().to_string())))
}

/// `ledger recovery sign`.
///
/// # Errors
/// Where a file can't be read, or nothing is given up.
pub(crate) fn sign(command: &RecoveryCommand, output: Output) -> Result<(), Failure> {
    let RecoveryCommand::Sign { backup, lost, add_to, cause, root_key, out } = command;
    let signer = root_key::load(root_key)?;
    let draft = match (add_to, backup, lost) {
        (Some(file), None, None) => recovery(file)?,
        (None, Some(backup), Some(lost)) => {
            let restored = eleven_ledger::head_of(backup).map_err(Failure::new)?;
            Recovery {
                ledger: restored.commitment.ledger.clone(),
                restored: tree_at(&restored),
                lost: published::at(lost, backup)?.tree(),
                cause: cause.clone().ok_or_else(|| Failure::usage("say with --cause why the ledger goes back"))?,
                at: SystemClock.now(),
                sigs: Vec::new(),
            }
        }
        _ => return Err(Failure::usage("name --backup and --lost, or --add-to with what another key signed")),
    };
    // Read again as the ledger will, so that what it would refuse is refused here.
    let signed = Recovery::read(Value::Object(draft.signed(&signer).to_object()))?;
    write_public(out, &signed.to_object().canonical())?;
    let text = || {
        format!(
            "{}: {} may go back from {} to {} entries; {} signatures\nNext: eleven ledger restore BACKUP --recovery {}",
            out.display(),
            signed.ledger,
            signed.lost.size,
            signed.restored.size,
            signed.sigs.len(),
            word(&out.display())
        )
    };
    output.either(|| Value::Object(signed.to_object()), text);
    Ok(())
}

fn document(file: &Path) -> Result<Value, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::usage_about(file, error))?;
    parse(&bytes).map_err(|error| Failure::usage(format!("{} is not I-JSON: {error}", file.display())))
}

fn recovery(file: &Path) -> Result<Recovery, Failure> {
    Recovery::read(document(file)?).map_err(|error| Failure::usage_about(file, error))
}
