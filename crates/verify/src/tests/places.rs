//! Where things stand: entries in the head's tree, the seal at its end, records in the registry. Each tree here is made by hand,
//! so that it holds what no ledger appends, and the check is asked that has to notice.

use super::terms::{check, put};
use super::{items, text, valid, vector};
use crate::Status;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, Value};
use eleven_core::form::Form;
use eleven_core::hash::Sha256;
use eleven_core::index::{OperationIndex, item_key, item_value};
use eleven_core::registry::{ContainmentRecord, ContainmentState, Item as _};
use eleven_core::time::Time;
use eleven_core::tree::{MemoryTree, inclusion_proof, leaf_hash, proof_value};

/// Where the bundle has the entries of its events and of the seal, and the paths of their records.
fn paths(bundle: &Value) -> Vec<(String, String)> {
    let events = items(bundle.get("events").expect("events")).len();
    let entries = (0..events).map(|n| (format!("entries/{n}"), format!("/events/{n}")));
    entries.chain([("seal".into(), "/seal/record".into())]).collect()
}

fn header(bundle: &Value, path: &str) -> EntryHeader {
    let entry = bundle.pointer(&format!("/{path}")).expect("an entry").clone();
    EntryHeader::take(&mut Form::of(entry, "entry").expect("an object")).expect("a header")
}

/// The numbers and times of those entries.
fn places(bundle: &Value) -> Vec<(u64, Time)> {
    let headers = paths(bundle).into_iter().map(|(path, _)| header(bundle, &path));
    headers.map(|header| (header.seq, header.at)).collect()
}

/// The bundle under a head whose tree has those entries at other places.
fn logged(bundle: &Value, places: &[(u64, Time)]) -> Value {
    let paths = paths(bundle);
    let placed = |bundle: Value, ((path, _), (seq, at)): (&(String, String), &(u64, Time))| {
        put(&put(&bundle, &format!("{path}/seq"), *seq), &format!("{path}/at"), at.to_millis_value())
    };
    let bundle = paths.iter().zip(places).fold(bundle.clone(), placed);
    let leaf = |(path, record): &(String, String)| {
        let (header, record) = (header(&bundle, path), bundle.pointer(record).expect("a record"));
        (header.seq, leaf_hash(&header.bytes(&record.canonical())))
    };
    let leaves: BTreeMap<u64, Sha256> = paths.iter().map(leaf).collect();
    let size = bundle.pointer("/head/size").and_then(Value::as_int).and_then(|size| u64::try_from(size).ok());
    let size = size.expect("a size");
    let mut tree = MemoryTree::new();
    (0..size).for_each(|seq| tree.append(leaves.get(&seq).copied().unwrap_or(Sha256::ZERO)));
    paths.iter().zip(places).fold(put(&bundle, "head/root", tree.root()), |bundle, ((path, _), (seq, _))| {
        let proof = inclusion_proof(&tree, *seq, size).expect("a proof");
        put(&bundle, &format!("{path}/proof"), proof_value(&proof))
    })
}

fn failed(why: &str) -> (Status, String) {
    (Status::Failed, why.into())
}

#[test]
fn numbers_rise_and_times_do_not_fall_from_the_first_event_to_the_head() {
    let bundle = valid("execution");
    let own = places(&bundle);
    let inclusion = |places: &[(u64, Time)]| check(&logged(&bundle, places), "ledger.inclusion");
    assert_eq!(inclusion(&own), (Status::Passed, String::new()));
    let last = own.len() - 1;
    assert!(last > 2, "events, and a seal");
    for (one, other) in [(0, 1), (1, 2), (last - 1, last)] {
        let mut swapped = own.clone();
        (swapped[one].0, swapped[other].0) = (own[other].0, own[one].0);
        assert_eq!(inclusion(&swapped), failed("the entries' numbers do not rise up to the seal's"), "{one}, {other}");
    }
    let back = failed("the ledger's clock went back between two entries, the seal or the head");
    for place in 1..=last {
        let mut earlier = own.clone();
        earlier[place].1 = own[place - 1].1.plus_millis(-1);
        assert_eq!(inclusion(&earlier), back, "{place}");
    }
    let sealed = own[last].1;
    let headed = |at: Time| check(&put(&bundle, "head/at", at.to_millis_value()), "ledger.inclusion");
    assert_eq!(headed(sealed.plus_millis(-1)), back);
    assert_eq!(headed(sealed).0, Status::Passed);
    let at_once: Vec<(u64, Time)> = own.iter().map(|(seq, _)| (*seq, sealed)).collect();
    assert_eq!(inclusion(&at_once).0, Status::Passed, "all within a millisecond");
}

#[test]
fn a_seal_is_the_last_entry_and_the_ledger_s() {
    let bundle = valid("execution");
    let own = places(&bundle);
    let sealed = |bundle: &Value| check(bundle, "head.sealed");
    assert_eq!(sealed(&bundle).0, Status::Passed);
    let mut before = own.clone();
    let (seq, _) = before.last_mut().expect("a seal");
    *seq -= 1;
    let why = format!("the seal is entry {seq}, not the last of {}", *seq + 2);
    assert_eq!(sealed(&logged(&bundle, &before)), failed(&why));
    for (member, other, why) in [
        ("event", "ledger.recovered", "the last entry is `ledger.recovered`, not a seal"),
        ("by", "ledger://elsewhere", "`ledger://elsewhere` sealed it, not the domain's ledger"),
        (
            "by",
            "governance://11-11/authority/prod",
            "`governance://11-11/authority/prod` sealed it, not the domain's ledger",
        ),
        ("op", "00000000000000000000000000000000", "the seal's `op` is not its content's id"),
    ] {
        assert_eq!(sealed(&put(&bundle, &format!("seal/record/{member}"), other)), failed(why));
    }
}

#[test]
fn head_checkpoint_and_registry_are_of_the_root_s_domain() {
    let bundle = valid("execution");
    let elsewhere = put(&bundle, "head/ledger", "ledger://elsewhere");
    let why = "the head is of `ledger://elsewhere`, the root of `11-11`";
    assert_eq!(check(&elsewhere, "head.signed"), failed(why));
    let note = text(&bundle, "checkpoint");
    let (origin, rest) = note.split_once('\n').expect("an origin");
    assert_eq!(origin, "11-11/ledger");
    let (status, why) = check(&put(&elsewhere, "checkpoint", format!("elsewhere/ledger\n{rest}")), "head.checkpoint");
    assert!(status == Status::Failed && why.starts_with("the checkpoint is of `elsewhere/ledger`"), "{why}");
    let why = "the registry is of `elsewhere`, the root of `11-11`";
    assert_eq!(check(&put(&bundle, "registry/header/domain", "elsewhere"), "registry.signed"), failed(why));
}

/// The bundle under a registry of these keys alone.
fn registered(bundle: &Value, keys: &[Value]) -> Value {
    let named: Vec<_> = keys.iter().map(|key| ("key", text(key, "kid").into(), key.clone())).collect();
    recorded(bundle, &named)
}

/// The bundle under a registry of these records alone: the kind of each, its name and itself.
fn recorded(bundle: &Value, records: &[(&str, String, Value)]) -> Value {
    let mut index = OperationIndex::new();
    for (kind, name, record) in records {
        index.insert(item_key(kind, name), item_value(record));
    }
    let items = index.rehash();
    let shown = |(kind, name, record): &(&str, String, Value)| {
        let proof = index.prove(&item_key(kind, name)).to_value();
        Value::Object(Object::new().with("kind", *kind).with("record", record.clone()).with("proof", proof))
    };
    let shown: Vec<Value> = records.iter().map(shown).collect();
    put(&put(bundle, "registry/header/items", items), "registry/records", shown)
}

#[test]
fn a_registry_has_containments_and_nothing_of_an_unknown_kind() {
    let (state, since) = (ContainmentState::Contained, Time(0));
    let row = ContainmentRecord { kind: "mesh".into(), subject: "*".into(), state, since, cause: "operator".into() };
    let records = |kind: &'static str| {
        let shown = [(kind, row.name(), row.to_value())];
        check(&recorded(&valid("execution"), &shown), "registry.records")
    };
    assert_eq!(records("containment"), (Status::Passed, String::new()));
    assert_eq!(records("weather"), failed("a registry has no records of the kind `weather`"));
}

#[test]
fn a_public_key_stands_in_the_registry_under_one_name() {
    let bundle = valid("execution");
    let records = |keys: &[Value]| check(&registered(&bundle, keys), "registry.records");
    let key = |n: usize| bundle.pointer(&format!("/registry/records/{n}/record")).cloned().expect("a record");
    let (one, other) = (key(0), key(1));
    assert_eq!(records(&[one.clone(), other.clone()]), (Status::Passed, String::new()));
    let alias = put(&one, "kid", "key:11-11/zz-0/2026-q2");
    let twice = failed("the key `key:11-11/zz-0/2026-q2` or its public key stands twice");
    assert_eq!(records(&[one.clone(), other, alias]), twice);
    let why = format!("the key `{}` or its public key stands twice", text(&one, "kid"));
    assert_eq!(records(&[one.clone(), one]), failed(&why));
    assert_eq!(records(&[]), failed("there are no records of the registry"));
}

/// The bundles' tree is the one over the vectors' ledger, whose entry 7 registers the point that ran the execution.
#[test]
fn a_registration_that_is_shown_is_the_point_s_and_of_before_the_consumption() {
    let (bundle, ledger) = (valid("execution"), vector("ledger.json"));
    let leaves = items(ledger.get("leaf_hashes").expect("leaves")).iter();
    let mut tree = MemoryTree::new();
    leaves.for_each(|leaf| tree.append(leaf.as_str().and_then(Sha256::parse).expect("a hash")));
    let shows = |seq: u64| {
        let entry = ledger.pointer(&format!("/entries/{seq}")).and_then(Value::as_object).expect("an entry").clone();
        let proof = inclusion_proof(&tree, seq, tree.size()).expect("a proof");
        put(&bundle, "registered", entry.with("proof", proof_value(&proof)))
    };
    let binding = |bundle: &Value| check(bundle, "attestation.binding");
    let (status, why) = binding(&shows(7));
    assert!(status == Status::NotChecked && why.contains("made before the consumption"), "{why}");
    assert_eq!(binding(&shows(8)), failed("the registration that is shown is another point's"));
    assert_eq!(binding(&shows(1)), failed("what is shown as the registration is none"));
    let why = "entry 6 is not in the head's tree with what is shown of it";
    assert_eq!(binding(&put(&shows(7), "registered/seq", 6u64)), failed(why));
    let consumed_in = |seq: u64| binding(&put(&shows(7), "entries/1/seq", seq));
    assert_eq!(consumed_in(8).0, Status::NotChecked);
    let late = failed("the registration that is shown came after the consumption");
    assert_eq!((consumed_in(7), consumed_in(6)), (late.clone(), late));
}
