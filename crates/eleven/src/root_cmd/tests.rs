use super::*;
use eleven_core::event::{About, Draft, Place};

const AUTHORITY: &str = "governance://11-11/authority/dev";

fn day(n: i64) -> Time {
    Time::parse_seconds("2026-01-01T00:00:00Z").expect("a time").plus_seconds(n * DAY)
}

fn signer(n: u8) -> SeedSigner {
    SeedSigner::new(format!("key:11-11/root/{n}"), &[n; 32])
}

/// A version that names so many root keys beside its three roles.
fn root(keys: u8) -> TrustRoot {
    let key = |kid: &str, usage, owner: &str, seed: u8| KeyRecord {
        kid: kid.to_owned(),
        public: SeedSigner::new(kid, &[seed; 32]).public(),
        usage,
        owner: owner.to_owned(),
        nbf: day(0),
        exp: day(365),
        status: KeyStatus::Active,
    };
    let root = TrustRoot {
        domain: "11-11".into(),
        version: 1,
        threshold: 1,
        keys: (0..keys).map(|n| key(signer(n).kid(), KeyUse::Root, "human:root:dev", n)).collect(),
        roles: vec![
            key("key:11-11/head/1", KeyUse::Head, "ledger://11-11", 253),
            key("key:11-11/policy/1", KeyUse::Policy, AUTHORITY, 254),
            key("key:11-11/registry/1", KeyUse::Registry, AUTHORITY, 255),
        ],
        witnesses: Witnesses::default(),
        nbf: day(0),
        exp: day(365),
        prev: None,
        sigs: Vec::new(),
    };
    root.signed(&[&signer(0)]).expect("a root")
}

/// Whether an event under a key of this name carries the root.
fn is_published(root: &TrustRoot, kid: &str, src_seq: u64) -> bool {
    let data = Object::new().with("root", root.to_value());
    let (event, place, ts, by) = ("root.published", Place::Alone, day(1), AUTHORITY.to_owned());
    let draft = Draft { event, place, ts, by, src_seq, data, about: About::default() };
    draft.sign(&SeedSigner::new(kid, &[1; 32])).is_ok()
}

#[test]
fn a_version_that_no_event_carries_is_not_written_and_the_last_that_one_carries_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut whole, mut told) = (0, 0);
    for keys in 1..100 {
        let (root, out) = (root(keys), folder.path().join(keys.to_string()));
        let (fits, more) = (room::left(&root).is_some(), room::keys(&root));
        assert_eq!(fits, is_published(&root, "key:11-11/a/1", 0), "{keys} keys");
        let wrote = written(root.clone(), &out);
        assert_eq!((wrote.is_ok(), out.exists()), (fits, fits), "{keys} keys");
        if !fits {
            let why = wrote.expect_err("refused").to_string();
            assert!(why.contains(&format!("would name {} keys", usize::from(keys) + 3)), "{why}");
            continue;
        }
        whole = keys;
        told += usize::from(!last(&root).is_empty());
        if let Some(next) = u8::try_from(more).ok().filter(|more| *more > 0) {
            let next = self::root(keys + next);
            assert!(is_published(&next, "key:11-11/authority/2036", 1 << 40), "{keys} keys and {more} more");
        }
    }
    assert!((40..99).contains(&whole), "{whole}");
    assert_eq!(last(&root(1)), "");
    // Those for which another whole renewal may be too much.
    assert!((4..=6).contains(&told), "{told}");
}
