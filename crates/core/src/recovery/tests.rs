use super::*;
use crate::encoding::parse;
use crate::root::{KeyRecord, KeyStatus, KeyUse, Witnesses};
use crate::signature::SeedSigner;
use alloc::format;
use alloc::vec;

fn time(text: &str) -> Time {
    Time::parse_seconds(text).expect("a time")
}

fn signer(label: &str, seed: u8) -> SeedSigner {
    SeedSigner::new(format!("key:test/root/{label}"), &[seed; 32])
}

fn root() -> TrustRoot {
    let key = |label, seed| KeyRecord {
        kid: format!("key:test/root/{label}"),
        public: signer(label, seed).public(),
        usage: KeyUse::Root,
        owner: "human:root".into(),
        nbf: time("2026-01-01T00:00:00Z"),
        exp: time("2027-01-01T00:00:00Z"),
        status: KeyStatus::Active,
    };
    TrustRoot {
        domain: "test".into(),
        version: 1,
        threshold: 2,
        keys: vec![key("a", 1), key("b", 2), key("c", 3)],
        roles: vec![],
        witnesses: Witnesses::default(),
        nbf: time("2026-02-01T00:00:00Z"),
        exp: time("2026-08-01T00:00:00Z"),
        prev: None,
        sigs: vec![],
    }
}

fn recovery() -> Recovery {
    Recovery {
        ledger: "ledger://test".into(),
        restored: TreeAt { size: 7, root: Sha256([1; 32]) },
        lost: TreeAt { size: 9, root: Sha256([2; 32]) },
        cause: "the disk is gone".into(),
        at: time("2026-03-01T00:00:00Z"),
        sigs: vec![],
    }
}

#[test]
fn a_threshold_of_the_roots_keys_lets_a_ledger_go_back() {
    let (a, b) = (signer("a", 1), signer("b", 2));
    let one = recovery().signed(&a);
    assert!(!one.is_signed_by(&root()), "one of two");
    assert!(!one.clone().signed(&a).is_signed_by(&root()), "the same twice");
    assert!(!one.clone().signed(&signer("b", 9)).is_signed_by(&root()), "a key of that name that is another");
    let both = one.signed(&b);
    assert!(both.is_signed_by(&root()));
    let later = Recovery { at: time("2027-03-01T00:00:00Z"), ..recovery() }.signed(&a).signed(&b);
    assert!(!later.is_signed_by(&root()), "keys that no longer count");
    let mut retired = root();
    retired.keys[0].status = KeyStatus::Retired(time("2026-04-01T00:00:00Z"));
    assert!(!both.is_signed_by(&retired), "a key that the root has ended, though not before `at`");
    let changed = Recovery { cause: "another".into(), ..both };
    assert!(!changed.is_signed_by(&root()));
}

#[test]
fn it_is_read_as_it_was_made_and_no_other_way() {
    let made = recovery().signed(&signer("a", 1)).to_object();
    assert_eq!(Recovery::read(Value::Object(made.clone())).expect("a recovery").to_object(), made);
    let same = Recovery { lost: recovery().restored, ..recovery() }.to_object();
    let silent = Recovery { cause: " ".into(), ..recovery() }.to_object();
    let unknown = made.clone().with("x", 1u32);
    let other = made.with("type", "11-11/proof");
    for wrong in [same, silent, unknown, other] {
        assert!(Recovery::read(Value::Object(wrong)).is_err());
    }
    assert!(Recovery::read(parse(b"[]").expect("I-JSON")).is_err());
}
