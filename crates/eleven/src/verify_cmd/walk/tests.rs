use super::*;
use eleven_core::chain::ChainValue;
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::head::RegistryRef;
use eleven_core::root::{KeyStatus, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;

fn of(size: u64) -> Commitment {
    Commitment {
        ledger: "ledger://11-11".to_owned(),
        size,
        chain: ChainValue { hash: Sha3([0; 64]), hash_alt: Blake2b([0; 64]) },
        root: Sha256([0; 32]),
        index: Sha256([0; 32]),
        registry: RegistryRef { epoch: 1, hash: Sha3([0; 64]) },
    }
}

#[test]
fn the_smaller_head_comes_first_whichever_was_published_last() {
    for (one, other) in [(3, 8), (8, 3), (8, 8)] {
        let (one, other) = (of(one), of(other));
        let (first, second) = by_size(&one, &other);
        assert!(first.size <= second.size && first.size + second.size == one.size + other.size);
    }
}

fn head_key(n: u8) -> SeedSigner {
    SeedSigner::new(format!("key:11-11/head/{n}"), &[n; 32])
}

fn record(n: u8, status: KeyStatus) -> KeyRecord {
    KeyRecord {
        kid: head_key(n).kid().to_owned(),
        public: head_key(n).public(),
        usage: KeyUse::Head,
        owner: "ledger://11-11".to_owned(),
        nbf: Time(0),
        exp: Time(1_000_000),
        status,
    }
}

fn root(version: u64, nbf: Time, roles: Vec<KeyRecord>) -> TrustRoot {
    TrustRoot {
        domain: "11-11".to_owned(),
        version,
        threshold: 1,
        keys: Vec::new(),
        roles,
        witnesses: Witnesses::default(),
        nbf,
        exp: Time(1_000_000),
        prev: None,
        sigs: Vec::new(),
    }
}

#[test]
fn a_head_is_signed_by_the_newest_root_that_was_in_force_and_by_none_before_it() {
    let first = root(1, Time(0), vec![record(1, KeyStatus::Active)]);
    let ended = record(1, KeyStatus::Compromised(Time(50_000)));
    let second = root(2, Time(60_000), vec![record(2, KeyStatus::Active), ended]);
    // The one that is trusted stands among them twice, and the bundle's order is its own.
    let roots = [second.clone(), first, second];
    let signed = |n: u8, at: i64| signs(&roots, &Head::sign(of(3), Time(at), &head_key(n)));
    assert!(signed(1, 55_000) && signed(2, 60_000));
    assert!(!signed(1, 60_000), "it was in other hands by then");
    assert!(!signed(2, 55_000), "it stood in no root yet");
    assert!(!signed(2, 1_000_000), "nothing is in force any more");
}
