use super::*;
use crate::encoding::parse;
use crate::hash::Sha256;
use crate::head::checkpoint::Checkpoint;
use crate::signature::SeedSigner;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

fn time(text: &str) -> Time {
    Time::parse_seconds(text).expect("a time")
}

fn record(kid: &str, seed: u8, usage: KeyUse, owner: &str) -> KeyRecord {
    KeyRecord {
        kid: kid.into(),
        public: SeedSigner::new(kid, &[seed; 32]).public(),
        usage,
        owner: owner.into(),
        nbf: time("2026-01-01T00:00:00Z"),
        exp: time("2027-01-01T00:00:00Z"),
        status: KeyStatus::Active,
    }
}

fn root_key(label: &str, seed: u8) -> KeyRecord {
    record(&format!("key:test/root/{label}"), seed, KeyUse::Root, "human:root")
}

fn signer(label: &str, seed: u8) -> SeedSigner {
    SeedSigner::new(format!("key:test/root/{label}"), &[seed; 32])
}

/// Two of the three keys a, b, c.
fn unsigned() -> TrustRoot {
    TrustRoot {
        domain: "test".into(),
        version: 1,
        threshold: 2,
        keys: vec![root_key("a", 1), root_key("b", 2), root_key("c", 3)],
        roles: vec![
            record("key:test/head/1", 4, KeyUse::Head, "ledger://test"),
            record("key:test/policy/1", 5, KeyUse::Policy, "governance://test/authority/dev"),
            record("key:test/registry/1", 6, KeyUse::Registry, "governance://test/authority/dev"),
        ],
        witnesses: Witnesses::default(),
        nbf: time("2026-02-01T00:00:00Z"),
        exp: time("2026-08-01T00:00:00Z"),
        prev: None,
        sigs: vec![],
    }
}

fn signed_by(root: TrustRoot, signers: &[SeedSigner]) -> TrustRoot {
    let signers: Vec<&dyn Signer> = signers.iter().map(|signer| signer as &dyn Signer).collect();
    root.signed(&signers).expect("a root of its form")
}

type Change = fn(&mut TrustRoot);

fn next(previous: &TrustRoot) -> TrustRoot {
    TrustRoot {
        version: previous.version + 1,
        prev: Some(previous.hash_for_prev()),
        nbf: time("2026-06-01T00:00:00Z"),
        exp: time("2026-12-01T00:00:00Z"),
        sigs: vec![],
        ..previous.clone()
    }
}

#[test]
fn vectors() {
    let bytes = include_bytes!("../../../../spec/vectors/root.json");
    let value = parse(bytes).expect("I-JSON");
    let root = TrustRoot::read(value.clone()).expect("a root");
    assert_eq!(root.to_value(), value);
    root.verify_own().expect("signed");
    assert!(root.in_force(time("2026-04-01T00:00:00Z")) && !root.in_force(time("2026-03-31T23:59:59Z")));
    assert!(root.in_force(time("2027-03-31T23:59:59Z")) && !root.in_force(time("2027-04-01T00:00:00Z")));
    let (may, july) = (time("2026-05-12T17:00:00Z"), time("2026-07-01T00:00:00Z"));
    let kid = "key:11-11/registry/2026-q2";
    assert!(root.role_key(KeyUse::Registry, kid, may).is_some());
    assert!(root.role_key(KeyUse::Registry, kid, july).is_none(), "past its window");
    assert!(root.role_key(KeyUse::Head, kid, may).is_none(), "another use");
    assert_eq!(root.role_at(KeyUse::Registry, may).map(|key| key.kid.as_str()), Some(kid));
}

/// Every member of the vector taken away, and one added, at each level: all of them are refused.
#[test]
fn the_form_is_strict() {
    let value = parse(include_bytes!("../../../../spec/vectors/root.json")).expect("I-JSON");
    let Value::Object(root) = value else { panic!("an object") };
    for (name, member) in root.iter() {
        let mut less = root.clone();
        less.remove(name);
        assert!(TrustRoot::read(Value::Object(less)).is_err(), "without {name}");
        let inner = match member {
            Value::Array(items) => items.first().and_then(Value::as_object),
            other => other.as_object(),
        };
        for (inner_name, _) in inner.into_iter().flat_map(Object::iter) {
            let mut changed = inner.cloned().expect("an object");
            changed.remove(inner_name);
            let changed = if matches!(member, Value::Array(_)) {
                Value::Array(vec![Value::Object(changed)])
            } else {
                Value::Object(changed)
            };
            let less = root.clone().with(name, changed);
            assert!(TrustRoot::read(Value::Object(less)).is_err(), "{name} without {inner_name}");
        }
    }
    assert!(TrustRoot::read(Value::Object(root.clone().with("note", ""))).is_err());
    assert!(TrustRoot::read(Value::Object(root.with("v", "2"))).is_err());
}

#[test]
fn a_threshold_of_distinct_keys_signs() {
    let root = signed_by(unsigned(), &[signer("a", 1), signer("c", 3)]);
    root.verify_own().expect("two of three");
    assert_eq!(TrustRoot::read(root.to_value()).expect("a root"), root);
    let one = signed_by(unsigned(), &[signer("a", 1)]);
    assert_eq!(one.verify_own(), Err(RootError::OwnThreshold));
    let stranger = signed_by(unsigned(), &[signer("a", 1), signer("b", 9)]);
    assert_eq!(stranger.verify_own(), Err(RootError::OwnThreshold), "another key under b's name");
    let mut changed = root.clone();
    changed.exp = changed.exp.plus_seconds(1);
    assert_eq!(changed.verify_own(), Err(RootError::OwnThreshold));
    let mut retired = unsigned();
    retired.keys[2].status = KeyStatus::Retired(retired.nbf);
    let retired = signed_by(retired, &[signer("a", 1), signer("c", 3)]);
    assert_eq!(retired.verify_own(), Err(RootError::OwnThreshold), "c is retired when the root begins");
    let mut retires = unsigned();
    retires.keys[2].status = KeyStatus::Retired(retires.nbf.plus_millis(1));
    let retires = signed_by(retires, &[signer("a", 1), signer("c", 3)]);
    assert_eq!(retires.verify_own(), Err(RootError::OwnThreshold), "and no root is signed by a key that it retires");
}

#[test]
fn a_successor_is_signed_by_both_versions() {
    let first = signed_by(unsigned(), &[signer("a", 1), signer("b", 2)]);
    let mut second = next(&first);
    second.keys.iter_mut().for_each(|key| key.status = KeyStatus::Retired(second.nbf));
    second.keys.extend([root_key("d", 11), root_key("e", 12)]);
    let both = signed_by(second.clone(), &[signer("a", 1), signer("c", 3), signer("d", 11), signer("e", 12)]);
    both.succeeds(&first).expect("a successor");
    let own = signed_by(second.clone(), &[signer("a", 1), signer("d", 11), signer("e", 12)]);
    assert_eq!(own.succeeds(&first), Err(RootError::PreviousThreshold));
    let old = signed_by(second.clone(), &[signer("a", 1), signer("b", 2), signer("d", 11)]);
    assert_eq!(old.succeeds(&first), Err(RootError::OwnThreshold));
    assert_eq!(TrustRoot { version: 3, ..both.clone() }.succeeds(&first), Err(RootError::Version));
    assert_eq!(TrustRoot { domain: "other".into(), ..both.clone() }.succeeds(&first), Err(RootError::Domain));
    assert_eq!(TrustRoot { prev: Some(Sha3::of(&[])), ..both }.succeeds(&first), Err(RootError::Prev));
    second.nbf = time("2027-01-01T00:00:00Z");
    second.exp = time("2027-02-01T00:00:00Z");
    second.keys.iter_mut().skip(3).for_each(|key| key.exp = time("2028-01-01T00:00:00Z"));
    let late = signed_by(second, &[signer("a", 1), signer("b", 2), signer("d", 11), signer("e", 12)]);
    assert_eq!(late.succeeds(&first), Err(RootError::PreviousThreshold), "the old keys are past their window");
}

#[test]
fn a_key_that_was_taken_out_of_service_signs_no_successor_whenever_that_begins() {
    let first = signed_by(unsigned(), &[signer("a", 1), signer("b", 2)]);
    let since = next(&first).nbf.plus_millis(1);
    for status in [KeyStatus::Retired(since), KeyStatus::Compromised(since)] {
        let mut second = next(&first);
        second.keys[0].status = status;
        let second = signed_by(second, &[signer("a", 1), signer("b", 2), signer("c", 3)]);
        second.succeeds(&first).expect("b and c sign for both");
        // Whoever holds the key that ended names a moment before its end, and keys of its own.
        let by_the_thief = |nbf: Time| {
            let mut third = TrustRoot { nbf, ..next(&second) };
            third.keys.extend([root_key("d", 11), root_key("e", 12)]);
            signed_by(third, &[signer("a", 1), signer("b", 2), signer("d", 11), signer("e", 12)]).succeeds(&second)
        };
        assert_eq!(by_the_thief(second.nbf), Err(RootError::PreviousThreshold), "{status:?}");
        assert_eq!(by_the_thief(first.nbf), Err(RootError::Begins), "{status:?}");
    }
}

#[test]
fn a_successor_begins_no_earlier_than_the_version_before() {
    let first = signed_by(unsigned(), &[signer("a", 1), signer("b", 2)]);
    let from =
        |nbf: Time| signed_by(TrustRoot { nbf, ..next(&first) }, &[signer("a", 1), signer("b", 2)]).succeeds(&first);
    assert_eq!(from(first.nbf), Ok(()));
    assert_eq!(from(first.nbf.plus_seconds(-1)), Err(RootError::Begins));
}

#[test]
fn a_successor_has_every_record_of_the_version_before() {
    let retired = KeyStatus::Retired(time("2026-05-01T00:00:00Z"));
    let mut first = unsigned();
    (first.keys[2].status, first.roles[0].status) = (retired, KeyStatus::Compromised(first.nbf));
    first.roles.push(record("key:test/head/2", 7, KeyUse::Head, "ledger://test"));
    let first = signed_by(first, &[signer("a", 1), signer("b", 2)]);
    let follows = |change: Change| {
        let mut second = next(&first);
        change(&mut second);
        signed_by(second, &[signer("a", 1), signer("b", 2)]).succeeds(&first)
    };
    let kept: &[Change] = &[
        |_| {},
        |root| root.keys.push(root_key("d", 11)),
        |root| root.roles.reverse(),
        |root| root.roles[1].status = KeyStatus::Retired(root.nbf),
        |root| root.roles[1].status = KeyStatus::Compromised(root.nbf),
        |root| root.keys[2].status = KeyStatus::Compromised(time("2026-05-01T00:00:00Z")),
    ];
    for (number, change) in kept.iter().enumerate() {
        assert_eq!(follows(*change), Ok(()), "{number}");
    }
    let other = |label: &str| Err(RootError::Record(format!("key:test/{label}")));
    let lost: &[(&str, &str, Change)] = &[
        ("a root key is gone", "root/c", |root| drop(root.keys.pop())),
        ("a role is gone", "head/1", |root| drop(root.roles.remove(0))),
        ("another public key under the name", "policy/1", |root| root.roles[1].public = root_key("x", 9).public),
        ("another owner", "policy/1", |root| root.roles[1].owner = "governance://test/authority/prod".into()),
        ("a longer window", "root/c", |root| root.keys[2].exp = time("2028-01-01T00:00:00Z")),
        ("active again", "root/c", |root| root.keys[2].status = KeyStatus::Active),
        ("not compromised after all", "head/1", |root| root.roles[0].status = KeyStatus::Active),
        ("retired at another time", "root/c", |root| root.keys[2].status = KeyStatus::Retired(root.nbf)),
        ("back for a while", "root/c", |root| root.keys[2].status = KeyStatus::Compromised(root.nbf)),
        ("compromised at another time", "head/1", |root| root.roles[0].status = KeyStatus::Compromised(root.nbf)),
    ];
    for (what, label, change) in lost {
        assert_eq!(follows(*change), other(label), "{what}");
    }
}

#[test]
fn rules_that_span_members() {
    let witness = |name: &str, seed: u8, audits| Witness {
        name: name.into(),
        public: SeedSigner::new("key:w/w/w", &[seed; 32]).public(),
        audits,
    };
    let mut base = unsigned();
    base.witnesses =
        Witnesses { quorum: 2, auditors: 1, keys: vec![witness("w1", 20, true), witness("w2", 21, false)] };
    base.check().expect("in order");
    let broken: &[(&str, Change)] = &[
        ("threshold 0", |root| root.threshold = 0),
        ("threshold past the keys", |root| root.threshold = 4),
        ("no keys", |root| root.keys.clear()),
        ("quorum 0 with witnesses", |root| root.witnesses.quorum = 0),
        ("quorum past the witnesses", |root| root.witnesses.quorum = 3),
        ("quorum without witnesses", |root| root.witnesses.keys.clear()),
        ("auditors past those that audit", |root| root.witnesses.auditors = 2),
        ("a witness twice", |root| root.witnesses.keys[1].name = "w1".into()),
        ("a witness's public key twice", |root| root.witnesses.keys[1].public = root.witnesses.keys[0].public),
        ("a witness without a name", |root| root.witnesses.keys[0].name.clear()),
        ("a witness's name that is two words", |root| root.witnesses.keys[0].name = "w 1".into()),
        ("a witness's name with a plus", |root| root.witnesses.keys[0].name = "w+1".into()),
        ("a witness's name that is not ASCII", |root| root.witnesses.keys[0].name = "\u{e9}".into()),
        ("a public key twice among the keys", |root| root.keys[1].public = root.keys[0].public),
        ("a root's public key in a role", |root| root.roles[0].public = root.keys[0].public),
        ("a witness's public key in a role", |root| root.roles[0].public = root.witnesses.keys[0].public),
        ("a name twice", |root| root.keys[1].kid = root.roles[0].kid.clone()),
        ("no head", |root| drop(root.roles.remove(0))),
        ("no policy key", |root| drop(root.roles.remove(1))),
        ("no registry key", |root| drop(root.roles.remove(2))),
        ("a role of another use", |root| root.roles[0].usage = KeyUse::Event),
        ("another domain's head", |root| root.roles[0].owner = "ledger://other".into()),
        ("another domain's registry", |root| root.roles[2].owner = "governance://other/authority/dev".into()),
        ("a key of another use", |root| root.keys[0].usage = KeyUse::Head),
        ("a point of small order", |root| root.keys[0].public = [0; 32]),
        ("an empty window", |root| root.exp = root.nbf),
        ("version 1 with a version before", |root| root.prev = Some(Sha3::of(&[]))),
        ("version 2 without one", |root| root.version = 2),
        ("a version that JSON does not carry", |root| {
            root.version = MAX_INTEGER + 1;
            root.prev = Some(Sha3::of(&[]));
        }),
        ("a key that signed twice", |root| {
            root.sigs = vec![RootSignature { kid: "key:test/root/a".into(), val: [0; 64] }; 2];
        }),
    ];
    for (what, change) in broken {
        let mut root = base.clone();
        change(&mut root);
        assert!(root.check().is_err(), "{what}");
    }
}

#[test]
fn no_list_goes_on_without_end() {
    let numbered = |number: usize| {
        let kid = format!("key:test/root/{number}");
        let seed = Sha256::of(&[kid.as_bytes()]).0;
        KeyRecord { public: SeedSigner::new(kid.as_str(), &seed).public(), kid, ..root_key("a", 1) }
    };
    let mut most = unsigned();
    most.keys = (0..MAX_ROOT_KEYS).map(numbered).collect();
    most.check().expect("256 keys");
    most.keys.push(numbered(MAX_ROOT_KEYS));
    assert!(most.check().is_err_and(|error| error.0.contains("more than 256")));
    let mut signed = unsigned();
    let sig = |number: usize| RootSignature { kid: format!("key:test/root/{number}"), val: [0; 64] };
    signed.sigs = (0..MAX_ROOT_KEYS).map(sig).collect();
    signed.check().expect("256 signatures");
    signed.sigs.push(sig(MAX_ROOT_KEYS));
    assert!(signed.check().is_err_and(|error| error.0.contains("more than 256")));
}

/// What a ledger signs with all of its witnesses can be read again, by itself and by others.
#[test]
fn a_checkpoint_has_room_for_the_lines_of_all_witnesses() {
    let cosigner = |number: usize| {
        let name = format!("w{number}.example");
        let seed = Sha256::of(&[name.as_bytes()]).0;
        (SeedSigner::new(format!("key:test/witness/{number}"), &seed), name)
    };
    let witness = |number: usize| {
        let (signer, name) = cosigner(number);
        Witness { name, public: signer.public(), audits: false }
    };
    let mut root = unsigned();
    root.witnesses = Witnesses { quorum: 1, auditors: 0, keys: (0..MAX_WITNESSES).map(witness).collect() };
    root.check_new().expect("99 witnesses");
    let body = Checkpoint { origin: root.origin(), size: 1, root: Sha256::of(&[]) };
    let mut lines = vec![body.sign(&SeedSigner::new("key:test/head/1", &[4; 32]))];
    lines.extend((0..MAX_WITNESSES).map(|number| {
        let (signer, name) = cosigner(number);
        body.cosign(&name, 1, &signer)
    }));
    let note = Note::parse(&Note { checkpoint: body, lines }.to_string()).expect("a checkpoint");
    assert_eq!(root.witnesses.cosigned(&note), (99, 0));
    root.witnesses.keys.push(witness(MAX_WITNESSES));
    is_not_made(&root, "more than 99 witnesses");
}

#[test]
fn no_witness_is_named_as_the_ledgers_checkpoints() {
    let mut root = unsigned();
    let public = SeedSigner::new("key:w/w/w", &[20; 32]).public();
    let witness = Witness { name: root.origin(), public, audits: false };
    root.witnesses = Witnesses { quorum: 1, auditors: 0, keys: vec![witness] };
    is_not_made(&root, "signs its checkpoints");
}

/// Such a root is not signed any more. One that is in a ledger already is read, or that ledger would never be opened again.
fn is_not_made(root: &TrustRoot, why: &str) {
    assert!(root.check_new().is_err_and(|error| error.0.contains(why)));
    assert!(root.clone().signed(&[&signer("a", 1)]).is_err_and(|error| error.0.contains(why)));
    assert_eq!(TrustRoot::read(root.to_value()).as_ref(), Ok(root));
}

#[test]
fn a_record_counts_in_its_window_and_until_it_is_out_of_service() {
    let mut key = root_key("a", 1);
    assert!(key.counts_at(key.nbf) && !key.counts_at(key.nbf.plus_millis(-1)));
    assert!(key.counts_at(key.exp.plus_millis(-1)) && !key.counts_at(key.exp));
    let since = time("2026-05-01T00:00:00Z");
    for status in [KeyStatus::Retired(since), KeyStatus::Compromised(since)] {
        key.status = status;
        assert!(key.counts_at(since.plus_millis(-1)) && !key.counts_at(since));
        assert_eq!(KeyRecord::read(key.to_value()).expect("a record"), key);
    }
}

#[test]
fn a_record_s_status_and_owner_fit() {
    let Value::Object(record) = root_key("a", 1).to_value() else { panic!("an object") };
    let since = "2026-05-01T00:00:00.000Z";
    for (name, changed) in [
        ("active with since", record.clone().with("since", since)),
        ("retired without", record.clone().with("status", "retired")),
        ("since to the second", record.clone().with("status", "retired").with("since", "2026-05-01T00:00:00Z")),
        ("an unknown status", record.clone().with("status", "lost").with("since", since)),
        ("a head key of a person", record.clone().with("use", "head")),
        ("an unknown use", record.clone().with("use", "any")),
        ("another algorithm", record.clone().with("alg", "none")),
        ("a short key", record.clone().with("public", "base64:AAAA")),
        ("an empty window", record.clone().with("exp", "2026-01-01T00:00:00Z")),
    ] {
        assert!(KeyRecord::read(Value::Object(changed)).is_err(), "{name}");
    }
}

#[test]
fn of_versions_in_force_the_newest_counts_in_whatever_order_they_stand() {
    let first = unsigned();
    let second = TrustRoot { version: 2, nbf: time("2026-03-01T00:00:00Z"), ..first.clone() };
    let third =
        TrustRoot { version: 3, nbf: time("2026-04-01T00:00:00Z"), exp: time("2026-05-01T00:00:00Z"), ..first.clone() };
    for roots in [[&first, &second, &third], [&third, &first, &second], [&second, &third, &first]] {
        let roots = roots.map(TrustRoot::clone);
        let newest = |at: &str| TrustRoot::in_force_among(&roots, time(at)).map(|root| root.version);
        assert_eq!(newest("2026-01-31T23:59:59Z"), None);
        assert_eq!(newest("2026-02-28T23:59:59Z"), Some(1));
        assert_eq!(newest("2026-03-01T00:00:00Z"), Some(2));
        assert_eq!(newest("2026-04-01T00:00:00Z"), Some(3));
        assert_eq!(newest("2026-05-01T00:00:00Z"), Some(2), "the newest has expired");
        assert_eq!(newest("2026-08-01T00:00:00Z"), None);
    }
    assert_eq!(TrustRoot::in_force_among(&[], first.nbf), None);
}
