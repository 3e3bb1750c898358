use super::*;
use eleven_core::root::Witnesses;
use std::path::Path;

const LEAST: &str = "\
[domain]
name = \"11-11\"
[runtime]
point = \"host://here/gateway#gw-0\"
[runtime.gateway]
upstream = \"http://127.0.0.1:8000\"
";

fn day(n: i64) -> Time {
    Time::parse_seconds("2026-01-01T00:00:00Z").expect("a time").plus_seconds(n * DAY)
}

fn key(kid: &str, usage: KeyUse, owner: &str, until: i64) -> KeyRecord {
    let (kid, owner, public) = (kid.to_owned(), owner.to_owned(), [0; 32]);
    KeyRecord { kid, public, usage, owner, nbf: day(0), exp: day(until), status: KeyStatus::Active }
}

fn retired(key: KeyRecord) -> KeyRecord {
    KeyRecord { status: KeyStatus::Retired(day(1)), ..key }
}

fn root(until: i64, keys: Vec<KeyRecord>, threshold: u64) -> TrustRoot {
    let role = |name: &str, usage| key(&format!("key:11-11/{name}/1"), usage, "governance://11-11/authority/dev", 365);
    TrustRoot {
        domain: "11-11".into(),
        version: 3,
        threshold,
        keys,
        roles: vec![
            key("key:11-11/head/1", KeyUse::Head, "ledger://11-11", 20),
            key("key:11-11/head/2", KeyUse::Head, "ledger://11-11", 400),
            role("policy", KeyUse::Policy),
            role("registry", KeyUse::Registry),
        ],
        witnesses: Witnesses::default(),
        nbf: day(0),
        exp: day(until),
        prev: None,
        sigs: Vec::new(),
    }
}

fn signer(label: &str, until: i64) -> KeyRecord {
    key(&format!("key:11-11/root/{label}"), KeyUse::Root, "human:root:dev", until)
}

fn told(ends: Vec<End>, now: i64) -> String {
    super::told(&soon(ends, day(now)), day(now))
}

#[test]
fn a_root_with_thirty_days_left_is_told_and_one_with_a_hundred_is_not() {
    let ends = || of_root(&root(130, vec![signer("1", 365)], 1));
    assert_eq!(told(ends(), 30), "");
    assert_eq!(told(ends(), 100), "ends 2026-05-11T00:00:00Z, in 30 days: version 3 of the trust root");
    let [over] = &soon(ends(), day(130))[..] else { panic!("it is over at its last second") };
    assert!(over.is_over(day(130)) && told(ends(), 130) == "ended 2026-05-11T00:00:00Z: version 3 of the trust root");
}

#[test]
fn of_the_roots_own_keys_as_many_have_to_last_as_sign_the_next_version() {
    let keys = || vec![signer("a", 90), signer("b", 365), signer("c", 70), retired(signer("d", 365))];
    let two = told(of_root(&root(365, keys(), 2)), 60);
    assert_eq!(two, "ends 2026-04-01T00:00:00Z, in 30 days: key:11-11/root/a", "b and then a; d signs no more");
    assert_eq!(told(of_root(&root(365, keys(), 1)), 60), "", "b alone is enough");
    assert!(told(of_root(&root(365, keys(), 3)), 60).ends_with(": key:11-11/root/c"), "the shortest of the three");
    let all = told(of_root(&root(400, keys(), 1)), 310);
    assert_eq!(
        all,
        "ends 2027-01-01T00:00:00Z, in 55 days: key:11-11/root/b, key:11-11/policy/1, key:11-11/registry/1"
    );
}

#[test]
fn a_root_that_too_few_keys_can_follow_is_at_its_end() {
    let keys = || vec![signer("a", 365), retired(signer("b", 365))];
    assert_eq!(told(of_root(&root(365, keys(), 1)), 10), "");
    // It ended with the version that took it out of service, or before.
    let told = |keys, threshold| told(of_root(&root(365, keys, threshold)), 10);
    assert_eq!(told(keys(), 2), "ended 2026-01-01T00:00:00Z: key:11-11/root/b");
    assert_eq!(told(vec![retired(signer("a", 365))], 1), "ended 2026-01-01T00:00:00Z: key:11-11/root/a");
    let since = KeyStatus::Compromised(day(-3));
    let stolen = KeyRecord { status: since, ..signer("a", 365) };
    assert_eq!(told(vec![stolen], 1), "ended 2025-12-29T00:00:00Z: key:11-11/root/a");
}

#[test]
fn of_each_use_the_key_that_counts_longest_is_the_one_that_ends() {
    let config = Config::read(Path::new("eleven.toml"), LEAST).expect("a configuration");
    let (authority, ledger, point) = (config.authority_name(), config.ledger_name(), config.point.name.clone());
    let keys = [
        key("key:11-11/issuer/1", KeyUse::Issuer, &authority, 365),
        key("key:11-11/authority/1", KeyUse::Event, &authority, 365),
        key("key:11-11/audit/1", KeyUse::Event, &ledger, 40),
        key("key:11-11/gw-0/1", KeyUse::Event, &point, 30),
        key("key:11-11/gw-0/2", KeyUse::Event, &point, 300),
        retired(key("key:11-11/attest-gw-0/3", KeyUse::Attestation, &point, 365)),
        key("key:11-11/attest-gw-0/2", KeyUse::Attestation, &point, 50),
        key("key:11-11/other/1", KeyUse::Event, "host://elsewhere/gateway#gw-1", 10),
    ];
    let whats: Vec<String> = soon(of_registry(&keys, &config), day(0)).into_iter().map(|end| end.what).collect();
    assert_eq!(whats, ["key:11-11/audit/1", "key:11-11/attest-gw-0/2"]);
}

#[test]
fn a_key_that_the_corner_which_runs_has_not_is_no_help_to_it() {
    let owner = "ledger://11-11";
    let records = [
        key("key:11-11/audit/1", KeyUse::Event, owner, 20),
        key("key:11-11/audit/2", KeyUse::Event, owner, 400),
        key("key:11-11/head/1", KeyUse::Head, owner, 20),
        key("key:11-11/gw-0/1", KeyUse::Event, "host://here/gateway#gw-0", 900),
    ];
    let of = |kids: &[&str], records: &[KeyRecord]| {
        let kids: Vec<String> = kids.iter().map(|kid| (*kid).to_owned()).collect();
        told(of_running("ledger", &kids, records).into_iter().collect(), 0)
    };
    let one = of(&["key:11-11/audit/1"], &records);
    assert!(one.starts_with("ends 2026-01-21T00:00:00Z, in 20 days: key:11-11/audit/1, by which the ledger"), "{one}");
    assert!(one.contains("key:11-11/audit/2") && one.contains("`eleven ledger restart`"), "{one}");
    assert_eq!(of(&["key:11-11/audit/1", "key:11-11/audit/2"], &records), "", "it has the other");
    assert_eq!(of(&["key:11-11/head/1"], &records), "", "there is no other, and its end is told anyway");
    assert_eq!(of(&["key:11-11/audit/9"], &records), "", "what nobody knows is told elsewhere");
    let [first, second, ..] = records;
    assert_eq!(of(&["key:11-11/audit/1"], &[first, retired(second)]), "", "what was retired helps nobody");
}
