//! `registry.*`: the records that other checks read stand in the registry that the head commits to.

use super::{Judged, Signed, failed, hold};
use crate::shown::Shown;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::encoding::Value;
use eleven_core::form::FormError;
use eleven_core::head::RegistryRef;
use eleven_core::index::{Proof, Proves, item_key, item_value};
use eleven_core::registry::{
    ContainmentRecord, InterfaceRecord, Item, PeerStatement, PolicyRecord, RevokedRecord, RuntimeRecord, SourceRecord,
};
use eleven_core::root::{KeyRecord, KeyUse};

/// A registry key of the root signed the header, for the root's domain.
pub(crate) fn signed(shown: &Shown<'_>) -> Judged<Vec<Signed>> {
    let (root, at) = (shown.root()?, shown.head()?.at);
    let (header, sig) = shown.header()?;
    if header.domain != root.domain {
        return failed(format!("the registry is of `{}`, the root of `{}`", header.domain, root.domain));
    }
    let Some(key) = root.role(KeyUse::Registry, &sig.kid, at).and_then(|key| shown.caller.ready(key)) else {
        return failed(format!("the root has no registry key `{}` that counts at {at}", sig.kid));
    };
    Ok(vec![Signed::by(&key, header.payload(), &sig.val, "the signature of the registry's header does not verify")])
}

/// The head names this epoch and this header.
pub(crate) fn committed(shown: &Shown<'_>) -> Judged {
    let named = shown.head()?.commitment.registry;
    let (header, _) = shown.header()?;
    let found = RegistryRef { epoch: header.epoch, hash: header.hash() };
    if found == named {
        return Ok(());
    }
    failed(format!(
        "the head names epoch {} with {}, shown is {} with {}",
        named.epoch, named.hash, found.epoch, found.hash
    ))
}

/// The header commits to each record; none stands twice, no public key stands twice.
pub(crate) fn records(shown: &Shown<'_>) -> Judged {
    let (header, _) = shown.header()?;
    let (mut names, mut publics) = (BTreeSet::new(), BTreeSet::new());
    for (kind, record, proof) in shown.records() {
        let name = name_of(kind, record)?;
        let key = item_key(kind, &name);
        if Proof::read(proof.clone())?.proves(&header.items, &key) != Proves::Present(item_value(record)) {
            return failed(format!("the registry does not hold the {kind} `{name}` as it is shown"));
        }
        let public = record.get("public").and_then(Value::as_str).filter(|_| kind == KeyRecord::KIND);
        if !names.insert(key) || public.is_some_and(|public| !publics.insert(public)) {
            return failed(format!("the {kind} `{name}` or its public key stands twice"));
        }
    }
    hold(!names.is_empty(), "there are no records of the registry")
}

/// The name under which a record is committed, the record being of its kind's form.
fn name_of(kind: &str, record: &Value) -> Judged<String> {
    fn name<T: Item>(record: &Value) -> Result<String, FormError> {
        T::read(record.clone()).map(|item| item.name())
    }
    let named = match kind {
        "key" => name::<KeyRecord>(record),
        "policy" => name::<PolicyRecord>(record),
        "runtime" => name::<RuntimeRecord>(record),
        "interface" => name::<InterfaceRecord>(record),
        "source" => name::<SourceRecord>(record),
        "revoked" => name::<RevokedRecord>(record),
        "containment" => name::<ContainmentRecord>(record),
        "peer" => name::<PeerStatement>(record),
        _ => return failed(format!("a registry has no records of the kind `{kind}`")),
    };
    Ok(named?)
}
