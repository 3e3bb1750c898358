use super::*;
use crate::recover::tests::{again, begun};
use eleven_core::hash::Sha3;
use eleven_core::root::{KeyStatus, KeyUse};

#[test]
fn a_point_says_what_of_it_was_not_approved_and_what_to_do() {
    let point = again(&begun());
    let now = Time(1_000_000);
    let approved = RuntimeRecord {
        point: point.name.clone(),
        runtime: "host://here/gateway".to_owned(),
        region: "eu".to_owned(),
        tenancy: "here".to_owned(),
        mode: "gateway".to_owned(),
        binary: point.binary,
        config: point.config,
        kid: point.event.kid().to_owned(),
    };
    let key = KeyRecord {
        kid: point.event.kid().to_owned(),
        public: point.event.public(),
        usage: KeyUse::Event,
        owner: point.name.clone(),
        nbf: Time(0),
        exp: Time(2_000_000),
        status: KeyStatus::Active,
    };
    let found = |row: Option<&RuntimeRecord>, key: Option<&KeyRecord>| unapproved(row, key, &point, now);
    assert_eq!(found(Some(&approved), Some(&key)), None);
    let retired = KeyRecord { status: KeyStatus::Retired(now), ..key.clone() };
    let over = KeyRecord { exp: now, ..key.clone() };
    for (row, key, told, advice) in [
        (None, Some(&key), "is not registered", "register"),
        (Some(RuntimeRecord { binary: Sha3([9; 64]), ..approved.clone() }), Some(&key), "another binary", "register"),
        (
            Some(RuntimeRecord { config: Sha3([9; 64]), ..approved.clone() }),
            Some(&key),
            "another configuration",
            "register",
        ),
        (
            Some(RuntimeRecord { kid: "key:11-11/gw-0/1".into(), ..approved.clone() }),
            Some(&key),
            "signs by",
            "register",
        ),
        (Some(approved.clone()), None, "does not count now", "key replace"),
        (Some(approved.clone()), Some(&retired), "does not count now", "key replace"),
        (Some(approved.clone()), Some(&over), "does not count now", "key replace"),
    ] {
        let why = found(row.as_ref(), key).unwrap_or_else(|| panic!("{told}: it was approved"));
        assert!(why.contains(told) && why.contains(&format!("`eleven runtime {advice}`")), "{told}: {why}");
    }
}
