//! `artifacts.json` (PROTOCOL 4, 5.2) and `admission.json` (PROTOCOL 4.1).

use super::Folder;
use super::report::{Report, Wrong, bytes, holds, items, member, read, same, text};
use eleven_core::artifact::{Artifact, RequestBinding};
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::policy::{PolicyBundle, commitment};
use eleven_core::signature::{SeedSigner, Signer as _, VerifyingKey, bytes32};
use eleven_enforce::conformance;

/// Policies and their hashes, the binding of a request, a disclosure, artifacts from their fields and seed.
pub(super) fn cases(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let file = folder.read("artifacts.json")?;
    for case in items(&file, "policies")? {
        let name = text(member(case, "bundle")?, "ref")?;
        report.check(&format!("policy {name}"), policy(case));
    }
    report.check("request binding", request(member(&file, "request")?));
    report.check("disclosure", disclosure(member(&file, "disclosure")?));
    for case in items(&file, "artifacts")? {
        report.check(&format!("artifact {}", text(case, "name")?), artifact(case));
    }
    Ok(())
}

fn policy(case: &Value) -> Result<(), Wrong> {
    let bundle = PolicyBundle::read(member(case, "bundle")?.clone())?;
    same(&bundle.hash, &read(case, "hash", Sha3::parse)?)
}

fn request(case: &Value) -> Result<(), Wrong> {
    let body = Sha3::of(&[&bytes(case, "body_bytes")?]);
    same(&body, &read(case, "body", Sha3::parse)?)?;
    let binding = RequestBinding { body, method: text(case, "method")?.into(), path: text(case, "path")?.into() };
    same(&binding.digest(text(case, "salt")?), &read(case, "params", Sha3::parse)?)
}

fn disclosure(case: &Value) -> Result<(), Wrong> {
    let [salt, path, value] = items(case, "disclosure")? else { return Err("a disclosure has three parts".into()) };
    let (salt, path) = salt.as_str().zip(path.as_str()).ok_or("salt and path are texts")?;
    same(&commitment(salt, path, value), member(case, "committed")?)
}

fn artifact(case: &Value) -> Result<(), Wrong> {
    let fields = member(case, "fields")?.as_object().ok_or("`fields` is not an object")?.clone();
    let wanted = member(case, "artifact")?;
    let signer = SeedSigner::new(text(member(wanted, "sig")?, "kid")?, &read(case, "seed", bytes32)?);
    let made = issue(fields, &signer);
    same(&String::from_utf8_lossy(&made.canonical_without(&["chash", "sig"])).as_ref(), &text(case, "payload")?)?;
    same(&Value::Object(made), wanted)?;

    let artifact = Artifact::read(wanted.clone())?;
    same(&artifact.to_value(), wanted)?;
    same(&artifact.payload(), &text(case, "payload")?.as_bytes())?;
    holds(artifact.digests_follow(), "id or chash is not that of the content")?;
    let key = VerifyingKey::new(&signer.public()).ok_or("the seed's public key does not count")?;
    holds(key.verifies(artifact.payload(), &artifact.sig.val), "the signature does not verify")
}

/// An artifact from its fields, in the steps of PROTOCOL 4: body to id, payload to chash and signature.
fn issue(fields: Object, signer: &SeedSigner) -> Object {
    let id = format!("auth_{}", id::of_canonical(&fields.canonical()));
    let body = fields.with("id", id);
    let payload = body.canonical();
    body.with("chash", Sha3::of(&[&payload])).with("sig", signer.signature(&payload).to_value())
}

/// Every boundary of admission, through the `admit` and the uses that production runs.
pub(super) fn admission(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let file = folder.read("admission.json")?;
    let base = member(&file, "base")?.as_object().ok_or("`base` is not an object")?;
    for case in items(&file, "cases")? {
        report.check(text(case, "what")?, admitted(base, case));
    }
    Ok(())
}

fn admitted(base: &Object, case: &Value) -> Result<(), Wrong> {
    let mut known = base.clone();
    for (name, value) in member(case, "change")?.as_object().ok_or("`change` is not an object")?.iter() {
        known.insert(name, value.clone());
    }
    let outcome = conformance::outcome(conformance::admission(Value::Object(known))?);
    same(&outcome.as_str(), &text(case, "expect")?)
}
