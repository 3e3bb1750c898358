use super::*;

const POINT: &str = "k8s://cluster-east-1/ns/inference#gw-0";

fn key(n: u8, owner: &str, usage: KeyUse, nbf: i64, status: KeyStatus) -> KeyRecord {
    let (nbf, exp) = (Time(nbf * 1000), Time(900_000));
    KeyRecord { kid: format!("key:d/gw-0/{n}"), public: [n; 32], usage, owner: owner.to_owned(), nbf, exp, status }
}

#[test]
fn a_point_under_another_key_knows_uses_since_the_last_one_was_closed() {
    let since = |keys: &[KeyRecord], n: u8| uses_since(keys.iter(), POINT, &format!("key:d/gw-0/{n}"));
    let first = key(1, POINT, KeyUse::Event, 10, KeyStatus::Active);
    let neighbour = key(7, "k8s://cluster-east-1/ns/inference#gw-1", KeyUse::Event, 50, KeyStatus::Active);
    let attests = key(8, POINT, KeyUse::Attestation, 50, KeyStatus::Active);
    let mut keys = vec![first, neighbour, attests];
    assert_eq!(since(&keys, 1), None, "it never had another");
    assert_eq!(since(&keys, 2), Some(Time(i64::MAX)), "its key is not known here yet");
    keys[0].status = KeyStatus::Retired(Time(60_500));
    keys.push(key(2, POINT, KeyUse::Event, 61, KeyStatus::Active));
    assert_eq!(since(&keys, 2), Some(Time(61_000)));
    // One that was registered ahead of time says nothing of what was used until the other was closed.
    keys[3].nbf = Time(20_000);
    assert_eq!(since(&keys, 2), Some(Time(60_500)));
    keys[0].status = KeyStatus::Compromised(Time(70_000));
    assert_eq!(since(&keys, 2), Some(Time(70_000)));
}
