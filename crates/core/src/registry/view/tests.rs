use super::*;
use crate::encoding::{Object, Value, parse};
use crate::hash::Sha256;
use crate::index::OperationIndex;
use crate::signature::{SeedSigner, Signature, Signer as _, bytes32};
use crate::subject::Named;
use alloc::format;

fn vector(bytes: &[u8]) -> Value {
    parse(bytes).expect("I-JSON")
}

fn admission() -> Value {
    vector(include_bytes!("../../../../../spec/vectors/admission.json"))
}

/// A member of a case: the change's, or the base's.
fn member<'a>(file: &'a Value, case: &'a Value, name: &str) -> &'a Value {
    let changed = case.get("change").and_then(|change| change.get(name));
    changed.or_else(|| file.get("base")?.get(name)).expect("a member")
}

/// The view of a case at its time, as a point would open it.
fn open(file: &Value, case: &Value) -> Result<View, alloc::string::String> {
    let now = member(file, case, "now").as_str().and_then(Time::parse_millis).expect("a time");
    let root = TrustRoot::read(member(file, case, "root").clone()).map_err(|error| format!("{error}"))?;
    let snapshot = Snapshot::read(member(file, case, "registry").clone()).map_err(|error| format!("{error}"))?;
    let stamp = Stamp::read(member(file, case, "stamp").clone()).map_err(|error| format!("{error}"))?;
    let view = View::open(&root, snapshot, stamp, &mut KeyTables::new()).map_err(|error| format!("{error}"))?;
    view.usable_at(now).map_err(|error| format!("{error}"))?;
    Ok(view)
}

/// Every case of admission.json: the view opens unless the registry is what is wrong with it.
#[test]
fn vectors() {
    let file = admission();
    let mut refused = 0;
    for case in file.get("cases").and_then(Value::as_array).expect("cases") {
        let text = |name: &str| case.get(name).and_then(Value::as_str).expect("a string");
        let unusable = text("expect") == "issuer.unavailable";
        let opened = open(&file, case);
        assert_eq!(opened.is_err(), unusable, "{}: {:?}", text("what"), opened.err());
        refused += u32::from(unusable);
        if text("what") == "a stamp three seconds ahead of the clock" {
            let now = member(&file, case, "now").as_str().and_then(Time::parse_millis).expect("a time");
            assert_eq!(open(&file, case).map(|view| view.stamp_ahead_ms(now)), Ok(3001));
        }
    }
    assert!(refused >= 13, "{refused}");
}

/// What the registry says in every case in which it opens: revocations, containments and policies.
#[test]
fn vectors_lookups() {
    let file = admission();
    let id = "auth_9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM41";
    let grandparent = "auth_00000000000000000000000000000001";
    let (operation, runtime) = ("model.invoke", "k8s://cluster-east-1/ns/inference");
    let target = Target {
        point: "k8s://cluster-east-1/ns/inference#gw-0",
        runtime,
        identity: "svc:inference-gateway:prod",
        operation,
        model: Named::Text("clinical-summary-v4"),
        tool: Named::Absent,
        policy: "policy://medical/inference/v3",
        domain: "11-11",
        origin: None,
        route: None,
    };
    for case in file.get("cases").and_then(Value::as_array).expect("cases") {
        let Ok(view) = open(&file, case) else { continue };
        let text = |name: &str| case.get(name).and_then(Value::as_str).expect("a string");
        let changed = case.pointer("/change/registry").is_some();
        let revoked = view.is_revoked(id) || view.is_revoked(grandparent);
        assert_eq!(revoked, text("expect") == "artifact.revoked", "{}", text("what"));
        if changed {
            let contained = view.containment(&target).is_some();
            assert_eq!(contained, text("expect") == "runtime.contained", "{}", text("what"));
        }
        let in_force = view.policies_in_force(operation, runtime).count();
        let expected = match text("what") {
            "no policy covers the operation any more" => 0,
            "two policies cover the operation" => 2,
            _ => 1,
        };
        assert_eq!(in_force, expected, "{}", text("what"));
        assert!(
            view.runtime(target.point).is_some() && view.runtime("k8s://cluster-east-1/ns/inference#gw-9").is_none()
        );
        let issuer = view.key("key:11-11/issuer/2026-q2").expect("the issuer's key");
        assert_eq!(issuer.verifying.as_bytes(), &issuer.record.public);
    }
}

fn registry() -> (TrustRoot, Snapshot, Stamp, SeedSigner) {
    let file = vector(include_bytes!("../../../../../spec/vectors/registry.json"));
    let ledger = vector(include_bytes!("../../../../../spec/vectors/ledger.json"));
    let part = |name: &str| file.get(name).cloned().expect("a member");
    let stamp = Stamp::read(part("stamp")).expect("a stamp");
    let seed = ledger.pointer("/seeds/registry").and_then(Value::as_str).and_then(bytes32).expect("a seed");
    let signer = SeedSigner::new(stamp.sig.kid.clone(), &seed);
    let snapshot = Snapshot::read(part("snapshot")).expect("a snapshot");
    (TrustRoot::read(part("root")).expect("a root"), snapshot, stamp, signer)
}

#[test]
fn a_header_and_a_stamp_are_by_the_key_that_they_name() {
    let (_, snapshot, stamp, _) = registry();
    let with = |value: &Value, name: &str, member: Value| {
        Value::Object(value.as_object().expect("an object").clone().with(name, member))
    };
    let by_another = |val: [u8; 64]| Signature { kid: "key:11-11/registry/other".into(), val }.to_value();
    let header = snapshot.to_value().get("header").expect("a header").clone();
    let why = |name: &str, member: Value| Header::read(with(&header, name, member)).expect_err(name).0;
    let named = why("sig", by_another(snapshot.sig.val));
    assert_eq!(named, "registry header: the signature names another key than the header");
    let follows = "registry header: `prev` is null at epoch 1 and only there";
    assert_eq!((why("prev", Value::Null).as_str(), why("epoch", 1u64.into()).as_str()), (follows, follows));
    for fresh in [0u64, 61] {
        assert!(why("fresh", fresh.into()).contains("`fresh` is not"), "{fresh}");
    }
    let stamped = stamp.to_value();
    let refused = Stamp::read(with(&stamped, "sig", by_another(stamp.sig.val))).expect_err("another key");
    assert_eq!(refused.0, "registry stamp: the signature names another key than the stamp");
    assert_eq!(Stamp::read(stamped), Ok(stamp));
}

#[test]
fn a_stamp_renews_a_view_of_its_own_epoch_only() {
    let (root, snapshot, stamp, signer) = registry();
    let header = snapshot.header.clone();
    let view = View::open(&root, snapshot, stamp.clone(), &mut KeyTables::new()).expect("a view");
    let later = stamp.issued.plus_seconds(11);
    assert_eq!(view.usable_at(stamp.issued.plus_seconds(10)), Ok(()));
    assert_eq!(view.usable_at(later), Err(ViewError::Stale));
    let renewed = view.restamped(Stamp::sign(&header, later, &signer)).expect("a newer stamp");
    assert_eq!(renewed.usable_at(later), Ok(()));
    let mut next = header.clone();
    next.epoch += 1;
    let other = Stamp::sign(&next, later, &signer);
    assert_eq!(view.restamped(other).map(drop), Err(ViewError::OtherEpoch));
    let mut moved = Stamp::sign(&header, later, &signer);
    moved.issued = later.plus_millis(1);
    assert_eq!(view.restamped(moved).map(drop), Err(ViewError::StampSignature));
    let policy_key = SeedSigner::new("key:11-11/policy/2026-q2", &[1; 32]);
    let misused = Stamp::sign(&header, later, &policy_key);
    assert_eq!(view.restamped(misused).map(drop), Err(ViewError::StampSignature));
    let foreign = Stamp { domain: "other".into(), ..Stamp::sign(&header, later, &signer) };
    assert_eq!(view.restamped(foreign).map(drop), Err(ViewError::Domain));
}

#[test]
fn a_view_ends_with_its_root_and_with_its_key() {
    let (root, snapshot, stamp, signer) = registry();
    let header = snapshot.header.clone();
    let view = View::open(&root, snapshot, stamp, &mut KeyTables::new()).expect("a view");
    let at = |text: &str| {
        let now = Time::parse_seconds(text).expect("a time");
        view.restamped(Stamp::sign(&header, now, &signer)).expect("a stamp").usable_at(now)
    };
    assert_eq!(at("2026-06-30T23:59:59Z"), Ok(()));
    assert_eq!(at("2026-07-01T00:00:00Z"), Err(ViewError::RegistryKey));
    assert_eq!(at("2027-04-01T00:00:00Z"), Err(ViewError::RootNotInForce));
}

#[test]
fn an_unsigned_root_and_a_changed_header_open_nothing() {
    let (root, snapshot, stamp, signer) = registry();
    let open = |root: &TrustRoot, snapshot: Snapshot, stamp: Stamp| {
        View::open(root, snapshot, stamp, &mut KeyTables::new()).map(drop)
    };
    let unsigned = TrustRoot { sigs: Vec::new(), ..root.clone() };
    assert_eq!(open(&unsigned, snapshot.clone(), stamp.clone()), Err(ViewError::Root));
    let mut changed = snapshot.clone();
    changed.header.items = Sha256::ZERO;
    let stamped = Stamp::sign(&changed.header, stamp.issued, &signer);
    assert_eq!(open(&root, changed, stamped), Err(ViewError::SnapshotSignature));
    let mut old = snapshot.clone();
    old.header.epoch = 12;
    old.sig = signer.signature(&old.header.payload());
    assert_eq!(open(&root, old, stamp.clone()), Err(ViewError::OtherEpoch));
    assert_eq!(open(&root, snapshot, stamp), Ok(()));
}

/// Each list of the vector's snapshot with its first two rows exchanged, its first row twice, and a member added or taken
/// away from a row: none is a snapshot.
#[test]
fn a_snapshot_s_form_is_strict() {
    let (_, snapshot, _, _) = registry();
    let Value::Object(good) = snapshot.to_value() else { panic!("an object") };
    for (name, value) in good.iter() {
        let mut less = good.clone();
        less.remove(name);
        assert!(Snapshot::read(Value::Object(less)).is_err(), "without {name}");
        let Some(rows) = value.as_array().filter(|rows| !rows.is_empty()) else { continue };
        let with = |rows: Vec<Value>| Snapshot::read(Value::Object(good.clone().with(name, rows)));
        let mut twice = rows.to_vec();
        twice.insert(0, rows[0].clone());
        assert!(with(twice).is_err(), "{name}: a row twice");
        if rows.len() > 1 {
            let mut exchanged = rows.to_vec();
            exchanged.swap(0, 1);
            assert!(with(exchanged).is_err(), "{name}: out of order");
        }
        let row = rows[0].as_object().expect("a row");
        for (inner, _) in row.iter() {
            let mut less = row.clone();
            less.remove(inner);
            let mut changed = rows.to_vec();
            changed[0] = Value::Object(less);
            assert!(with(changed).is_err(), "{name}: a row without {inner}");
        }
        let mut more = rows.to_vec();
        more[0] = Value::Object(row.clone().with("note", ""));
        assert!(with(more).is_err(), "{name}: an unknown member");
    }
    assert!(Snapshot::read(Value::Object(good.with("others", Object::new()))).is_err());
}

/// Whoever signed such a list, the point takes nothing for true that it says.
#[test]
fn a_list_with_a_key_that_stands_in_no_registry_or_is_none_opens_nothing() {
    let (root, snapshot, stamp, signer) = registry();
    let held = snapshot.lists.keys.iter().find(|key| key.usage == KeyUse::Event).expect("an event key").clone();
    let further = KeyRecord {
        kid: "key:11-11/further/1".into(),
        public: SeedSigner::new("key:11-11/further/1", &[9; 32]).public(),
        ..held
    };
    let open = |key: KeyRecord| {
        let mut lists = snapshot.lists.clone();
        lists.keys.put(key, &mut OperationIndex::new());
        let header = Header { items: lists.items(), ..snapshot.header.clone() };
        let sig = signer.signature(&header.payload());
        let stamp = Stamp::sign(&header, stamp.issued, &signer);
        let read = Snapshot::read(Snapshot { header, sig, lists }.to_value()).map_err(|error| format!("{error}"))?;
        View::open(&root, read, stamp, &mut KeyTables::new()).map(drop).map_err(|error| format!("{error}"))
    };
    assert_eq!(open(further.clone()), Ok(()));
    for (usage, owner) in [
        (KeyUse::Identity, "svc:a:prod"),
        (KeyUse::Witness, "witness.example"),
        (KeyUse::Root, "human:root"),
        (KeyUse::Policy, "governance://11-11/authority/prod"),
    ] {
        let key = KeyRecord { usage, owner: owner.into(), ..further.clone() };
        assert!(open(key).is_err_and(|why| why.contains("stands in no registry")), "{}", usage.name());
    }
    let mut small_order = [0; 32];
    small_order[0] = 1;
    for public in [small_order, [0xff; 32]] {
        let key = KeyRecord { public, ..further.clone() };
        assert_eq!(open(key), Err(format!("{}", ViewError::Key)), "{public:?}");
    }
}

#[test]
fn tables_are_kept_from_view_to_view() {
    let (root, snapshot, stamp, _) = registry();
    let mut tables = KeyTables::new();
    let kid = "key:11-11/issuer/2026-q2";
    let first = View::open(&root, snapshot.clone(), stamp.clone(), &mut tables).expect("a view");
    let second = View::open(&root, snapshot, stamp, &mut tables).expect("a view");
    let key = |view: &View| Arc::clone(&view.key(kid).expect("a key").verifying);
    assert!(Arc::ptr_eq(&key(&first), &key(&second)));
}
