//! The form of a bundle (`bundle.form`): every member that has to be there is, none is unknown, versions and kinds are
//! known, nothing is past its limit.
//!
//! Members and their JSON types are looked at all the way down. What a hash, a time or a name has to look like is left to
//! the checks that read them.

use super::{Kind, TYPE};
use crate::checks::{Judged, failed, hold};
use alloc::format;
use eleven_core::encoding::{Object, Value};
use eleven_core::form::FormError;
use eleven_core::limits::MAX_BUNDLE;
use eleven_core::policy::PolicyBundle;

/// The members of every bundle.
const ALWAYS: &[&str] =
    &["v", "type", "kind", "op", "roots", "registry", "events", "entries", "seal", "head", "checkpoint", "index"];
/// What every bundle has but that of a denial, which has none of it.
const AUTHORIZATION: &[&str] = &["artifact", "policy", "published"];
const AUTHORIZATION_OPTIONAL: &[&str] = &["revocation", "registered", "decision", "disclosures"];
const ENTRY: &[&str] = &["seq", "at", "prev", "prev_alt", "proof"];
const SIGNATURE: &[&str] = &["alg", "kid", "val"];

/// Whether `bundle` is of a bundle's form.
///
/// # Errors
/// Where it is not: the first thing that is wrong with it.
pub fn check_form(bundle: &Value) -> Result<(), FormError> {
    let policy = PolicyBundle::read(bundle.get("policy").cloned().unwrap_or(Value::Null));
    form(bundle, &policy).map_err(|stop| FormError(stop.into_text()))
}

/// The same, where `policy` is what reading its policy came to: that hashes all of it, and other checks ask for it, too.
pub(crate) fn form(bundle: &Value, policy: &Result<PolicyBundle, FormError>) -> Judged {
    let kind = bundle.get("kind").and_then(Value::as_str).and_then(Kind::parse);
    let Some(kind) = kind else { return failed("the bundle's `kind` is none of execution, open, unused, denial") };
    let denial = kind == Kind::Denial;
    let object = match denial {
        true => members(bundle, "bundle", ALWAYS, &[])?,
        false => members(bundle, "bundle", &[ALWAYS, AUTHORIZATION].concat(), AUTHORIZATION_OPTIONAL)?,
    };
    version(object, "bundle")?;
    hold(object.get("type").and_then(Value::as_str) == Some(TYPE), "the bundle's `type` is not 11-11/proof")?;
    text(object, "op", "bundle")?;
    text(object, "checkpoint", "bundle")?;
    some(object, "roots", "bundle")?.iter().try_for_each(root)?;
    registry(at(object, "registry"))?;
    history(object)?;
    for name in ["seal", "published", "revocation", "registered"] {
        object.get(name).map_or(Ok(()), |entry| shown_entry(entry, name))?;
    }
    head(at(object, "head"))?;
    index(at(object, "index"), denial)?;
    if !denial {
        artifact(at(object, "artifact"))?;
        policy.as_ref().map_err(Clone::clone)?;
        object.get("disclosures").map_or(Ok(()), |_| array(object, "disclosures", "bundle").map(|_| ()))?;
    }
    hold(bundle.canonical().len() <= MAX_BUNDLE, "the bundle is larger than 4 MiB")
}

fn root(root: &Value) -> Judged {
    const MEMBERS: &[&str] =
        &["v", "domain", "version", "threshold", "keys", "roles", "witnesses", "nbf", "exp", "prev", "sigs"];
    let object = members(root, "root", MEMBERS, &[])?;
    version(object, "root")?;
    array(object, "keys", "root")?.iter().chain(array(object, "roles", "root")?).try_for_each(key)?;
    let witnesses = members(at(object, "witnesses"), "witnesses", &["quorum", "auditors", "keys"], &[])?;
    for witness in array(witnesses, "keys", "witnesses")? {
        members(witness, "witness", &["name", "public", "audits"], &[])?;
    }
    for sig in array(object, "sigs", "root")? {
        members(sig, "root signature", &["kid", "val"], &[])?;
    }
    Ok(())
}

fn key(key: &Value) -> Judged {
    const MEMBERS: &[&str] = &["kid", "alg", "public", "use", "owner", "nbf", "exp", "status", "since"];
    members(key, "key", MEMBERS, &[]).map(|_| ())
}

pub(crate) fn registry(registry: &Value) -> Judged {
    const HEADER: &[&str] = &["v", "domain", "epoch", "fresh", "prev", "kid", "items", "sig"];
    let object = members(registry, "registry", &["header", "records"], &[])?;
    let header = members(at(object, "header"), "registry header", HEADER, &[])?;
    version(header, "registry header")?;
    members(at(header, "sig"), "registry header's signature", SIGNATURE, &[])?;
    for record in some(object, "records", "registry")? {
        let object = members(record, "registry record", &["kind", "record", "proof"], &[])?;
        text(object, "kind", "registry record")?;
        hold(at(object, "record").as_object().is_some(), "registry record: `record` is not an object")?;
        proof(at(object, "proof"))?;
    }
    Ok(())
}

/// Events and entries: one of each for the other.
fn history(bundle: &Object) -> Judged {
    let (events, entries) = (some(bundle, "events", "bundle")?, some(bundle, "entries", "bundle")?);
    events.iter().try_for_each(event)?;
    for entry in entries {
        let object = members(entry, "entry", ENTRY, &[])?;
        array(object, "proof", "entry")?;
    }
    let (n, m) = (events.len(), entries.len());
    if n == m { Ok(()) } else { failed(format!("there are {n} events and {m} entries, not one for each")) }
}

pub(crate) fn event(event: &Value) -> Judged {
    const REQUIRED: &[&str] = &[
        "v",
        "event",
        "op",
        "n",
        "prev_hash",
        "prev_hash_alt",
        "ts",
        "by",
        "src_seq",
        "kid",
        "data",
        "event_hash",
        "event_hash_alt",
        "sig",
    ];
    let object = members(event, "event", REQUIRED, EVENT_OPTIONAL)?;
    version(object, "event")?;
    hold(at(object, "data").as_object().is_some(), "event: `data` is not an object")?;
    members(at(object, "sig"), "event's signature", SIGNATURE, &[])?;
    object.get("policy").map_or(Ok(()), |policy| members(policy, "policy", &["ref", "hash"], &[]).map(|_| ()))
}

/// The members that an event may have besides.
const EVENT_OPTIONAL: &[&str] = &[
    "identity",
    "operation",
    "artifact_id",
    "issuer",
    "runtime",
    "policy",
    "policy_required",
    "reason",
    "fingerprint",
];

fn shown_entry(entry: &Value, what: &str) -> Judged {
    let object = members(entry, what, &[ENTRY, &["record"]].concat(), &[])?;
    array(object, "proof", what)?;
    event(at(object, "record"))
}

fn head(head: &Value) -> Judged {
    const MEMBERS: &[&str] =
        &["v", "ledger", "size", "hash", "hash_alt", "root", "index", "registry", "at", "kid", "sig"];
    let object = members(head, "head", MEMBERS, &[])?;
    version(object, "head")?;
    members(at(object, "registry"), "head's registry", &["epoch", "hash"], &[])?;
    members(at(object, "sig"), "head's signature", SIGNATURE, &[]).map(|_| ())
}

fn index(index: &Value, denial: bool) -> Judged {
    let object = match denial {
        true => members(index, "index", &["op"], &[])?,
        false => members(index, "index", &["op", "revoked"], &["use"])?,
    };
    object.iter().try_for_each(|(_, value)| proof(value))
}

fn proof(proof: &Value) -> Judged {
    let object = members(proof, "index proof", &["siblings", "end"], &[])?;
    array(object, "siblings", "index proof")?;
    match at(object, "end") {
        Value::Null => Ok(()),
        end => members(end, "end of an index proof", &["key", "value"], &[]).map(|_| ()),
    }
}

fn artifact(artifact: &Value) -> Judged {
    const REQUIRED: &[&str] = &["v", "id", "iss", "sub", "op", "pol", "env", "nbf", "exp", "use", "chash", "sig"];
    let object = members(artifact, "artifact", REQUIRED, &["parent", "origin", "holder"])?;
    version(object, "artifact")?;
    hold(at(object, "op").as_object().is_some(), "artifact: `op` is not an object")?;
    members(at(object, "pol"), "pol", &["ref", "hash"], &[])?;
    members(at(object, "env"), "env", &["runtime", "region", "tenancy"], &[])?;
    members(at(object, "sig"), "artifact's signature", SIGNATURE, &[])?;
    let usage = at(object, "use");
    match usage.get("mode").and_then(Value::as_str) {
        Some("single") => members(usage, "use", &["mode", "nonce"], &[])?,
        Some("bounded") => members(usage, "use", &["mode", "nonce", "max"], &[])?,
        Some("rate") => members(usage, "use", &["mode", "nonce", "max", "per"], &[])?,
        _ => return failed("use: `mode` is none of single, bounded, rate"),
    };
    if let Some(parent) = object.get("parent") {
        members(parent, "parent", &["op", "artifact", "ancestors"], &[])?;
    }
    if let Some(origin) = object.get("origin") {
        members(origin, "origin", &["domain", "op", "artifact", "route"], &[])?;
    }
    Ok(())
}

/// The object `value`, which has all of `required` and nothing beyond `optional`.
fn members<'a>(value: &'a Value, what: &str, required: &[&str], optional: &[&str]) -> Judged<&'a Object> {
    let Some(object) = value.as_object() else { return failed(format!("{what} is not an object")) };
    if let Some(name) = required.iter().find(|name| object.get(name).is_none()) {
        return failed(format!("{what} lacks the member `{name}`"));
    }
    let mut names = object.iter().map(|(name, _)| name);
    match names.find(|name| !required.contains(name) && !optional.contains(name)) {
        Some(name) => failed(format!("{what} has an unknown member `{name}`")),
        None => Ok(object),
    }
}

fn version(object: &Object, what: &str) -> Judged {
    let known = object.get("v").and_then(Value::as_str) == Some("1");
    if known { Ok(()) } else { failed(format!("{what}: `v` is not \"1\"")) }
}

/// A member; null where it is missing, which no form takes for an object, an array or a text.
fn at<'a>(object: &'a Object, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

fn text(object: &Object, name: &str, what: &str) -> Judged {
    let is_text = at(object, name).as_str().is_some();
    if is_text { Ok(()) } else { failed(format!("{what}: `{name}` is not a string")) }
}

fn array<'a>(object: &'a Object, name: &str, what: &str) -> Judged<&'a [Value]> {
    at(object, name).as_array().map_or_else(|| failed(format!("{what}: `{name}` is not an array")), Ok)
}

/// An array with something in it.
fn some<'a>(object: &'a Object, name: &str, what: &str) -> Judged<&'a [Value]> {
    let items = array(object, name, what)?;
    if items.is_empty() { failed(format!("{what}: `{name}` is empty")) } else { Ok(items) }
}
