//! `root.json`, `bundles.json`, `bundles-that-fail.json` and `bundle.proof.json` (PROTOCOL 11.1), and this project's own
//! `equivocation.json` and `registered.json`.

use super::Folder;
use super::report::{Outcome, Report, Wrong, holds, items, member, same, text};
use crate::verify_cmd::replay;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::root::TrustRoot;
use eleven_verify::{Caller, Pinned, Report as Verification, Status, Verdict, equivocation, verify};
use std::collections::BTreeMap;

/// The trust root is signed by its own threshold.
pub(super) fn root(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let root = TrustRoot::read(folder.read("root.json")?)?;
    report.check("root", root.verify_own().map_err(|error| Wrong(error.to_string())));
    Ok(())
}

/// Bundles that verify, with the status of each check.
pub(super) fn verified(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let root = Pinned::new(folder.read("root.json")?);
    for case in folder.read("bundles.json")?.as_array().ok_or("the file is not an array")? {
        report.check(text(case, "what")?, as_listed(case, &root));
    }
    Ok(())
}

/// A caller that pins `root` and can evaluate policies.
fn caller(root: &Pinned) -> Caller<'_> {
    Caller { root: Some(root), replay: Some(&replay), ..Caller::default() }
}

fn as_listed(case: &Value, root: &Pinned) -> Result<(), Wrong> {
    let result = verify(member(case, "bundle")?, &caller(root));
    has_statuses(case, &result)?;
    same(&result.verdict, &Verdict::Verified)
}

/// Each check has the status that the case lists.
fn has_statuses(case: &Value, result: &Verification) -> Result<(), Wrong> {
    let wanted = member(case, "checks")?.as_object().ok_or("`checks` is not an object")?;
    holds(result.checks.iter().all(|check| wanted.get(check.name).is_some()), "the case lists other checks")?;
    for (name, status) in wanted.iter() {
        let got = result.status(name).map(Status::name);
        if got != status.as_str() {
            return Err(Wrong(format!("{name} is {}, wanted {status}", got.unwrap_or("not a check"))));
        }
    }
    Ok(())
}

/// Bundles that must not verify: `must_fail` binds, `all_failed` informs.
pub(super) fn failing(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let (root, file) = (Pinned::new(folder.read("root.json")?), folder.read("bundles-that-fail.json")?);
    let good = folder.read("bundles.json")?;
    let mut bases = BTreeMap::new();
    for case in good.as_array().ok_or("bundles.json is not an array")? {
        bases.insert(text(case, "what")?.to_owned(), member(case, "bundle")?);
    }
    for (name, bundle) in member(&file, "bases")?.as_object().ok_or("`bases` is not an object")?.iter() {
        bases.insert(name.to_owned(), bundle);
    }
    for case in items(&file, "cases")? {
        let changed = changed(&bases, case);
        report.case(text(case, "what")?, changed.and_then(|bundle| fails(case, &bundle, &root)));
    }
    Ok(())
}

fn changed(bases: &BTreeMap<String, &Value>, case: &Value) -> Result<Value, Wrong> {
    let name = text(case, "base")?;
    let base = bases.get(name).and_then(|base| base.as_object());
    let mut bundle = base.ok_or_else(|| Wrong(format!("there is no base `{name}`")))?.clone();
    for (name, value) in member(case, "change")?.as_object().unwrap_or(&Object::new()).iter() {
        match value {
            Value::Null => bundle.remove(name),
            value => bundle.insert(name, value.clone()),
        };
    }
    Ok(Value::Object(bundle))
}

fn fails(case: &Value, bundle: &Value, root: &Pinned) -> Outcome {
    let result = verify(bundle, &caller(root));
    let failed: Vec<&str> = result.failed().map(|check| check.name).collect();
    let wanted = text(case, "must_fail")?;
    holds(failed.contains(&wanted), &format!("{wanted} must fail, but only these did: {failed:?}"))?;
    same(&result.verdict, &Verdict::Failed)?;
    let listed = items(case, "all_failed")?;
    let also: Vec<&str> = failed.iter().copied().filter(|name| !listed.contains(&(*name).into())).collect();
    let not: Vec<&str> = listed.iter().filter_map(Value::as_str).filter(|name| !failed.contains(name)).collect();
    let differs = !also.is_empty() || !not.is_empty();
    Ok(differs.then(|| format!("fails as it must; other checks differ: also {also:?}, not {not:?}")))
}

/// A bundle as a file: verified with its root, unpinned without, and failing where one byte of an event is another.
pub(super) fn file(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let (root, proof) = (Pinned::new(folder.read("root.json")?), folder.read("bundle.proof.json")?);
    report.check("with the root", same(&verify(&proof, &caller(&root)).verdict, &Verdict::Verified));
    report.check("without a root", same(&verify(&proof, &Caller::default()).verdict, &Verdict::Unpinned));
    for event in items(&proof, "events")? {
        let read = Record::read(event.clone())?;
        let name = format!("event {} {}", read.n, read.event);
        report.check(&name, same(&read.to_value(), event).and_then(|()| holds(read.hashes_follow(), "hashes differ")));
    }
    Ok(())
}

/// Evidence of equivocation: which checks fail, none where it is proven.
pub(super) fn equivocation(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    own(folder, "equivocation.json", report, |case, root| {
        let result = equivocation::verify(member(case, "evidence")?, &caller(root));
        let failed: Vec<Value> = result.failed().map(|check| check.name.into()).collect();
        same(&failed.as_slice(), &items(case, "failed")?)
    })
}

/// Bundles that show an earlier registration of the point, with the status of each check.
pub(super) fn registered(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    own(folder, "registered.json", report, |case, root| {
        has_statuses(case, &verify(member(case, "bundle")?, &caller(root)))
    })
}

/// A file of this project's own, which a folder of the protocol's vectors need not have.
fn own(
    folder: &Folder,
    name: &str,
    report: &mut Report,
    judge: impl Fn(&Value, &Pinned) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    if !folder.has(name) {
        return Ok(());
    }
    let file = folder.read(name)?;
    let root = Pinned::new(member(&file, "root")?.clone());
    for case in items(&file, "cases")? {
        report.check(text(case, "what")?, judge(case, &root));
    }
    Ok(())
}
