use super::*;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;

fn signer(role: &str) -> SeedSigner {
    let mut seed = [7; 32];
    for (byte, of) in seed.iter_mut().zip(role.bytes()) {
        *byte = of;
    }
    SeedSigner::new(format!("key:d/{role}/1"), &seed)
}

fn key(role: &str, usage: KeyUse, owner: &str) -> KeyRecord {
    let signer = signer(role);
    let (nbf, exp, status) = (Time(0), Time(1_000_000_000), KeyStatus::Active);
    KeyRecord {
        kid: signer.kid().to_owned(),
        public: signer.public(),
        usage,
        owner: owner.to_owned(),
        nbf,
        exp,
        status,
    }
}

fn first() -> TrustRoot {
    let authority = "governance://d/authority/test";
    let root = TrustRoot {
        domain: "d".into(),
        version: 1,
        threshold: 1,
        keys: vec![key("root", KeyUse::Root, "human:root:test")],
        roles: vec![
            key("head", KeyUse::Head, "ledger://d"),
            key("policy", KeyUse::Policy, authority),
            key("registry", KeyUse::Registry, authority),
        ],
        witnesses: Witnesses::default(),
        nbf: Time(0),
        exp: Time(1_000_000_000),
        prev: None,
        sigs: Vec::new(),
    };
    root.signed(&[&signer("root")]).expect("a root")
}

/// The version after `root`, which ends so many seconds later.
fn next(root: &TrustRoot, later: i64) -> TrustRoot {
    let (version, prev, exp) = (root.version + 1, Some(root.hash_for_prev()), root.exp.plus_seconds(later));
    let next = TrustRoot { version, prev, exp, sigs: Vec::new(), ..root.clone() };
    next.signed(&[&signer("root")]).expect("a root")
}

#[tokio::test]
async fn what_was_learnt_is_known_after_a_restart_and_follows_what_is_pinned() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, open) = (first(), |pinned: &TrustRoot| Roots::open(folder.path(), pinned.clone()));
    let roots = open(&one).expect("roots");
    assert_eq!(*roots.last(), one, "nothing was published yet");
    let (two, three) = (next(&one, 1), next(&next(&one, 1), 1));
    roots.learn(vec![Arc::new(two.clone()), Arc::new(three.clone())]).await.expect("kept");
    assert_eq!(*roots.last(), three);
    assert_eq!(*open(&one).expect("roots").last(), three, "no restart goes back behind it");
    assert_eq!(*open(&two).expect("roots").last(), three, "a later one may be pinned");
    assert_eq!(*open(&three).expect("roots").last(), three);
    let four = next(&three, 1);
    assert_eq!(*open(&four).expect("roots").last(), four, "also one that this point has not heard of");
    // Another history than the pinned one's.
    let other = next(&one, 2);
    let refused = open(&other).err().expect("a refusal");
    assert!(refused.contains("version 3") && refused.contains("move the file away"), "{refused}");
    std::fs::write(folder.path().join(FILE), b"[{}]").expect("written");
    assert!(open(&one).is_err(), "what can't be read is not passed over");
}
