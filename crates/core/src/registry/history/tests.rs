use super::*;
use crate::encoding::parse;
use crate::hash::Sha256;
use crate::policy::PolicyId;
use crate::signature::SeedSigner;
use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::ToString as _;
use alloc::vec;

fn moment(seq: u64) -> Moment {
    let at = Time::parse_millis("2026-05-12T17:00:00.000Z").expect("a time");
    Moment { seq, at: at.plus_millis(i64::try_from(seq).expect("small") * 1000) }
}

fn published(reference: &str) -> Object {
    let id = PolicyId { reference: reference.to_owned(), hash: Sha3::of(&[reference.as_bytes()]) };
    let record =
        PolicyRecord { id, operations: vec!["model.invoke".to_owned()], runtimes: vec!["k8s://c/*".to_owned()] };
    let signer = SeedSigner::new("key:11-11/policy/1".to_owned(), &Sha256::of(&[b"seed"]).0);
    PublishedPolicy::sign("11-11", record, &signer).to_object()
}

fn in_force(history: &History, at: u64, size: u64) -> Vec<String> {
    let holding = history.policies().iter().filter(|term| term.holds(moment(at).at, size));
    holding.map(|term| term.policy.id.reference.clone()).collect()
}

#[test]
fn a_policy_is_in_force_from_its_publication_until_it_is_replaced_or_retired() {
    let mut history = History::default();
    history.note(moment(3), "policy.published", &published("policy://a/v1"));
    history.note(moment(4), "policy.published", &published("policy://a/b/v1"));
    history.note(moment(7), "policy.published", &published("policy://a/v2"));
    history.note(moment(9), "policy.retired", &Object::new().with("ref", "policy://a/v2"));
    history.note(moment(10), "runtime.step", &Object::new());
    for (at, expected) in [
        (2, vec![]),
        (3, vec!["policy://a/v1"]),
        (6, vec!["policy://a/v1", "policy://a/b/v1"]),
        (7, vec!["policy://a/b/v1", "policy://a/v2"]),
        (8, vec!["policy://a/b/v1", "policy://a/v2"]),
        (9, vec!["policy://a/b/v1"]),
        (99, vec!["policy://a/b/v1"]),
    ] {
        assert_eq!(in_force(&history, at, 100), expected, "{at}");
    }
    // As far as a smaller head tells, what came later did not happen.
    assert_eq!(in_force(&history, 99, 8), ["policy://a/b/v1", "policy://a/v2"]);
    assert_eq!(in_force(&history, 99, 7), ["policy://a/v1", "policy://a/b/v1"]);
    let hash = Sha3::of(&[b"policy://a/v2"]);
    assert!(history.was_published(hash, 8) && !history.was_published(hash, 7));
}

#[test]
fn a_key_has_everything_that_became_of_it() {
    let mut history = History::default();
    let genesis = br#"{"fresh":10,"keys":[{"grant":{},"key":{"kid":"key:a/e/1"}}],"root":{}}"#;
    let Value::Object(genesis) = parse(genesis).expect("I-JSON") else { panic!("an object") };
    history.note(moment(0), "ledger.genesis", &genesis);
    let registered = Object::new().with("key", Object::new().with("kid", "key:a/e/2"));
    history.note(moment(1), "key.registered", &registered);
    history.note(moment(2), "key.retired", &Object::new().with("kid", "key:a/e/1"));
    history.note(moment(3), "key.compromised", &Object::new().with("kid", "key:a/e/1"));
    let changes = |kid| -> Vec<String> {
        history.changes_of(kid).iter().map(|change| format!("{} {}", change.moment.seq, change.event)).collect()
    };
    assert_eq!(changes("key:a/e/1"), ["0 ledger.genesis", "2 key.retired", "3 key.compromised"]);
    assert_eq!(changes("key:a/e/2"), ["1 key.registered".to_string()]);
    assert!(changes("key:a/e/3").is_empty());
}
