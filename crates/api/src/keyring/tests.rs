use super::*;
use eleven_core::root::{KeyStatus, KeyUse};
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;

fn signer(n: u8) -> Arc<dyn Signer> {
    Arc::new(SeedSigner::new(format!("key:d/head/{n}"), &[n; 32]))
}

fn record(n: u8) -> KeyRecord {
    let (kid, public) = (signer(n).kid().to_string(), signer(n).public());
    let (nbf, exp, status) = (Time(0), Time(1000), KeyStatus::Active);
    KeyRecord { kid, public, usage: KeyUse::Head, owner: "ledger://d".into(), nbf, exp, status }
}

#[test]
fn what_is_published_says_which_of_the_keys_signs() {
    assert!(Keyring::new([]).is_none(), "there is at least one");
    let ring = Keyring::new([signer(1), signer(2), signer(3)]).expect("keys");
    let kids: Vec<&str> = ring.newest_first().map(|signer| signer.kid()).collect();
    assert_eq!(kids, ["key:d/head/3", "key:d/head/2", "key:d/head/1"]);
    assert_eq!(ring.newest().kid(), "key:d/head/3");
    let kid = |signer: Option<&Arc<dyn Signer>>| signer.map(|signer| signer.kid().to_string());
    // By a root: the first that it lists and that is held, with that very public key.
    let listed = [record(4), record(2), record(1)];
    assert_eq!(kid(ring.first_of(listed.iter())).as_deref(), Some("key:d/head/2"));
    let other = KeyRecord { public: record(1).public, ..record(2) };
    assert_eq!(kid(ring.first_of([&other, &listed[2]].into_iter())).as_deref(), Some("key:d/head/1"));
    assert_eq!(kid(ring.first_of([&listed[0]].into_iter())), None);
    // By a registry: the newest that it has.
    let registry = |kid: &str| listed.iter().find(|record| record.kid == kid);
    assert_eq!(kid(ring.newest_of(registry)).as_deref(), Some("key:d/head/2"));
    assert_eq!(kid(ring.newest_of(|_| None)), None);
    assert_eq!(kid(ring.newest_of(|kid| (kid == other.kid).then_some(&other))), None, "another key of that name");
    assert_eq!(Keyring::one(signer(5)).newest().kid(), "key:d/head/5");
}

#[test]
fn one_of_the_keys_is_in_use_and_may_become_another() {
    let ring = Keyring::new([signer(1), signer(2), signer(3)]).expect("keys");
    let used = InUse::of(ring);
    assert_eq!(used.kid(), "key:d/head/3", "the newest first");
    assert!(used.use_older() && used.use_older());
    assert_eq!((used.kid(), used.public()), ("key:d/head/1", signer(1).public()));
    assert_eq!(used.sign(b"message"), signer(1).sign(b"message"));
    assert_eq!(used.signature(b"message").kid, "key:d/head/1");
    assert!(!used.use_older(), "there is none older");
    assert_eq!(used.kid(), "key:d/head/3");
    let listed = [record(2), record(1)];
    assert!(used.use_newest_of(|kid| listed.iter().find(|record| record.kid == kid)));
    assert_eq!(used.kid(), "key:d/head/2");
    assert!(!used.use_newest_of(|_| None));
    assert_eq!(used.kid(), "key:d/head/2", "as it was");
    let newest = used.newest_of(|kid| listed[1..].iter().find(|record| record.kid == kid));
    assert_eq!(newest.map(|signer| signer.kid()), Some("key:d/head/1"));
    assert_eq!(used.kid(), "key:d/head/2", "who asks changes nothing");
}
