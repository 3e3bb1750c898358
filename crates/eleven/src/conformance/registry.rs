//! `registry.json` (PROTOCOL 11), `index.json` (PROTOCOL 9) and `head.json` (PROTOCOL 7).

use super::Folder;
use super::report::{Report, Wrong, holds, items, member, number, read, same, text};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::hash::{self, Blake2b, Sha3, Sha256};
use eleven_core::head::checkpoint::{self, Checkpoint, Note};
use eleven_core::head::{Commitment, Head};
use eleven_core::index::{self, OperationIndex, Proof, Proves};
use eleven_core::registry::{Fold, Snapshot, Stamp};
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_core::signature::{VerifyingKey, bytes32};
use eleven_core::time::Time;
use std::collections::BTreeMap;

/// Header and hash after every registry event of `ledger.json`, the lists, the items, the signed snapshot and stamp.
pub(super) fn registry(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let (file, ledger) = (folder.read("registry.json")?, folder.read("ledger.json")?);
    let root = TrustRoot::read(member(&file, "root")?.clone())?;
    report.check("root", root.verify_own().map_err(|error| Wrong(error.to_string())));
    let fold = folds(&file, &ledger, report)?;
    let snapshot = Snapshot::read(member(&file, "snapshot")?.clone())?;
    report.check("lists of the last epoch", same(&lists(&fold), &Value::Object(snapshot.lists.write(Object::new()))));
    report.check("snapshot", signed(&root, &snapshot, &fold, member(&file, "stamp")?, member(&file, "snapshot")?));
    for case in items(&file, "items")? {
        report.check(&format!("item {}", text(case, "name")?), item(&fold, case));
    }
    Ok(())
}

fn lists(fold: &Fold) -> Value {
    Value::Object(fold.lists().write(Object::new()))
}

/// Folds every entry, with a case for each epoch, and returns the last.
fn folds(file: &Value, ledger: &Value, report: &mut Report) -> Result<Fold, Wrong> {
    let mut wanted = items(file, "folds")?.iter();
    let mut fold: Option<Fold> = None;
    for entry in items(ledger, "entries")? {
        let at = read(entry, "at", Time::parse_millis)?;
        let record = Record::read(member(entry, "record")?.clone())?;
        let folded = |error: eleven_core::registry::FoldError| Wrong(error.to_string());
        let next = match &mut fold {
            None => {
                fold = Some(Fold::genesis(at, &record.by, &record.data).map_err(folded)?);
                true
            }
            Some(fold) => fold.apply(at, &record.event, &record.by, &record.data).map_err(folded)?,
        };
        let Some(fold) = fold.as_ref().filter(|_| next) else { continue };
        report.check(&format!("epoch {}", fold.epoch()), epoch(fold, entry, wanted.next()));
        if fold.epoch() == 1 {
            report.check("lists of the first epoch", same(&lists(fold), member(file, "first")?));
        }
    }
    report.check("no further epoch", same(&wanted.next(), &None));
    fold.ok_or_else(|| "ledger.json has no entries".into())
}

fn epoch(fold: &Fold, entry: &Value, wanted: Option<&Value>) -> Result<(), Wrong> {
    let wanted = wanted.ok_or("the file knows no such epoch")?;
    same(&number(entry, "seq")?, &number(wanted, "seq")?)?;
    same(&fold.epoch(), &number(wanted, "epoch")?)?;
    same(&Value::Object(fold.header().to_object()), member(wanted, "header")?)?;
    same(&fold.hash(), &read(wanted, "hash", Sha3::parse)?)
}

fn signed(root: &TrustRoot, snapshot: &Snapshot, fold: &Fold, stamp: &Value, served: &Value) -> Result<(), Wrong> {
    same(&snapshot.to_value(), served)?;
    let read = Stamp::read(stamp.clone())?;
    same(&read.to_value(), stamp)?;
    same(&(read.epoch, read.hash), &(fold.epoch(), fold.hash()))?;
    let key = root.role_key(KeyUse::Registry, &read.sig.kid, read.issued);
    let key = key.ok_or("the root names no registry key that counts at the stamp's time")?;
    holds(snapshot.verifies(&key), "the snapshot's signature does not verify")?;
    holds(read.verifies(&key), "the stamp's signature does not verify")
}

fn item(fold: &Fold, case: &Value) -> Result<(), Wrong> {
    let (kind, name) = text(case, "name")?.split_once(':').ok_or("`name` is not kind and name")?;
    let key = read(case, "key", Sha256::parse)?;
    same(&index::item_key(kind, name), &key)?;
    let proof = fold.prove(kind, name);
    same(&proof.end, &Some((key, read(case, "value", Sha256::parse)?)))?;
    holds(
        matches!(proof.proves(&fold.header().items, &key), Proves::Present(_)),
        "the item is not proved by the header's root",
    )
}

/// Keys, values and the root of the operation index, and what proofs prove.
pub(super) fn index(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let file = folder.read("index.json")?;
    let mut built = OperationIndex::new();
    report.check("empty root", same(&built.root(), &read(&file, "empty_root", Sha256::parse)?));
    let mut values = BTreeMap::new();
    for item in items(&file, "items")? {
        let (key, value) = (read(item, "key", Sha256::parse)?, read(item, "value", Sha256::parse)?);
        built.insert(key, value);
        values.insert(key, value);
    }
    report.check("root", same(&built.rehash(), &read(&file, "root", Sha256::parse)?));
    for case in items(&file, "lineages")? {
        let name = format!("lineage {}", text(case, "op")?);
        report.check(&name, lineage(case).and_then(|item| stands(&values, item)));
    }
    for case in items(&file, "revoked")? {
        let name = format!("revoked {}", text(case, "artifact")?);
        report.check(&name, revoked(case).and_then(|item| stands(&values, item)));
    }
    for (number, case) in items(&file, "proofs")?.iter().enumerate() {
        let name = format!("proof {number}: {} {}", text(case, "name")?, text(case, "proves")?);
        report.check(&name, proof(&built, case));
    }
    Ok(())
}

fn lineage(case: &Value) -> Result<(Sha256, Sha256), Wrong> {
    let op = text(case, "op")?;
    let (tip, tip_alt) = (read(case, "tip", Sha3::parse)?, read(case, "tip_alt", Blake2b::parse)?);
    Ok((index::op_key(op), index::op_value(op, number(case, "n")?, &tip, &tip_alt)))
}

fn revoked(case: &Value) -> Result<(Sha256, Sha256), Wrong> {
    let event = read(case, "event_hash", Sha3::parse)?;
    Ok((index::revoked_key(text(case, "artifact")?), index::revoked_value(&event)))
}

fn stands(values: &BTreeMap<Sha256, Sha256>, (key, value): (Sha256, Sha256)) -> Result<(), Wrong> {
    same(&values.get(&key), &Some(&value))
}

fn proof(built: &OperationIndex, case: &Value) -> Result<(), Wrong> {
    let key = Sha256::of(&[text(case, "name")?.as_bytes()]);
    // A part that is not 32 bytes is no part of a proof, and what is none proves nothing (PROTOCOL 9).
    let Ok(given) = Proof::read(member(case, "proof")?.clone()) else {
        return same(&"nothing", &text(case, "proves")?);
    };
    same(&given.to_value(), member(case, "proof")?)?;
    let proves = given.proves(&built.root(), &key);
    let named = match proves {
        Proves::Present(value) => {
            same(&Some(value), &built.get(&key))?;
            "present"
        }
        Proves::Absent => "absent",
        Proves::Nothing => "nothing",
    };
    same(&named, &text(case, "proves")?)?;
    if proves == Proves::Nothing { Ok(()) } else { same(&built.prove(&key), &given) }
}

/// The head, the checkpoint beside it, and the witnesses' cosignatures.
pub(super) fn head(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let (file, root) = (folder.read("head.json")?, TrustRoot::read(folder.read("root.json")?)?);
    let head = Head::read(member(&file, "head")?.clone())?;
    let key = root.role_key(KeyUse::Head, &head.sig.kid, head.at);
    let key = key.ok_or("root.json names no head key that counts at the head's time")?;
    report.check("head", of_head(&head, member(&file, "head")?, &key));
    let note = Note::parse(text(&file, "checkpoint")?)?;
    report.check("checkpoint", of_checkpoint(&note, &head.commitment, text(&file, "checkpoint")?));
    report.check("checkpoint's signature", holds(note.signed_by(&key), "no line of the head's key verifies"));
    let origin = &note.checkpoint.origin;
    report.check("vkey", same(&checkpoint::vkey(origin, key.as_bytes()).as_str(), &text(&file, "vkey")?));
    for witness in items(&file, "witnesses")? {
        let name = text(witness, "name")?;
        let id = checkpoint::cosignature_key_id(name, &read(witness, "public", bytes32)?);
        let wanted = text(witness, "cosignature_key_id")?;
        report.check(&format!("key id of {name}"), same(&hash::hex(&id).as_str(), &wanted));
    }
    let (cosigned, _) = root.witnesses.cosigned(&note);
    report.check("witness quorum", holds(cosigned >= root.witnesses.quorum, "fewer cosignatures than the quorum"));
    Ok(())
}

fn of_head(head: &Head, given: &Value, key: &VerifyingKey) -> Result<(), Wrong> {
    same(&head.to_value(), given)?;
    holds(head.verify(key), "the signature does not verify")
}

fn of_checkpoint(note: &Note, commitment: &Commitment, given: &str) -> Result<(), Wrong> {
    same(&note.checkpoint, &Checkpoint::of(commitment))?;
    same(&note.to_string().as_str(), &given)
}
