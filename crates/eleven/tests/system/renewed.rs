//! Keys that are renewed: a domain goes on when those that it began with have ended, and what was proven stays proven.

use crate::harness::{AUTHORITY, DOMAIN, Domain, Plan, key, listen, request, signer};
use axum::Router;
use axum::routing::get;
use eleven_api::routes;
use eleven_api::serve::json;
use eleven_authority::admin::Act;
use eleven_core::encoding::{Value, parse};
use eleven_core::registry::{Snapshot, Stamp};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use eleven_core::time::Time;
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// A key that counts for a year.
fn renewed(role: &str, usage: KeyUse, owner: &str, now: Time) -> KeyRecord {
    KeyRecord { exp: now.plus_seconds(365 * 86_400).whole_seconds(), ..key(role, usage, owner, now) }
}

/// The version after `root`: for a year, with these keys first.
fn next(root: &TrustRoot, keys: Vec<KeyRecord>, roles: Vec<KeyRecord>, now: Time, signs: &[&str]) -> TrustRoot {
    let next = TrustRoot {
        version: root.version + 1,
        prev: Some(root.hash_for_prev()),
        keys: keys.into_iter().chain(root.keys.iter().cloned()).collect(),
        roles: roles.into_iter().chain(root.roles.iter().cloned()).collect(),
        nbf: now.whole_seconds(),
        exp: now.plus_seconds(365 * 86_400).whole_seconds(),
        sigs: Vec::new(),
        ..root.clone()
    };
    let signers: Vec<_> = signs.iter().map(|role| signer(role)).collect();
    next.signed(&signers.iter().map(AsRef::as_ref).collect::<Vec<_>>()).expect("a root")
}

/// The names of the keys that signed what a proof of one call shows: registry header, head, first event, seal, artifact.
fn signed_by(bundle: &Value) -> Vec<String> {
    let members = ["/registry/header/sig/kid", "/head/kid", "/events/0/kid", "/seal/record/kid", "/artifact/sig/kid"];
    let role = |path: &str| {
        let kid = bundle.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}"));
        kid.split('/').nth(1).expect("a role").to_owned()
    };
    members.into_iter().map(role).collect()
}

async fn passes(domain: &Domain) -> Value {
    let answered = domain.chat(&request("x")).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.reason());
    let bundle = domain.bundle(answered.op()).await;
    let report = domain.verify(&bundle);
    assert_eq!(report.exit_code(), 0, "{}", report.to_value());
    bundle
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_goes_on_when_the_keys_that_it_began_with_have_ended() {
    let mut domain = Domain::start(Plan { renewed: true, ..Plan::default() }).await;
    // Newer keys are held from the start, and nothing names them yet.
    let first = passes(&domain).await;
    assert_eq!(signed_by(&first), ["registry", "head", "authority", "audit", "issuer"]);

    let (now, ledger) = (domain.clock.now(), format!("ledger://{DOMAIN}"));
    for (role, usage, owner) in [
        ("issuer-2", KeyUse::Issuer, AUTHORITY),
        ("authority-2", KeyUse::Event, AUTHORITY),
        ("audit-2", KeyUse::Event, &ledger),
    ] {
        domain.act(Act::KeyRegister { key: renewed(role, usage, owner, now) }).await;
    }
    let roles = vec![
        renewed("head-2", KeyUse::Head, &ledger, now),
        renewed("policy-2", KeyUse::Policy, AUTHORITY, now),
        renewed("registry-2", KeyUse::Registry, AUTHORITY, now),
    ];
    let keys = vec![renewed("root-2", KeyUse::Root, "human:root:test", now)];
    let second = next(&domain.root, keys, roles, now, &["root", "root-2"]);
    domain.act_in_force(Act::RootPublish { root: second.clone() }).await;
    passes(&domain).await;
    // One process signs with one event key for as long as it runs.
    domain.stop_authority().await;
    domain.stop_ledger().await;
    domain.start_ledger().await;
    domain.start_authority().await;
    domain.until("calls pass", |domain| async { domain.chat(&request("x")).await.status == StatusCode::OK }).await;
    let between = passes(&domain).await;
    assert_eq!(signed_by(&between)[..4], ["registry-2", "head-2", "authority-2", "audit-2"]);

    domain.plan.clock.set_off_by(31 * DAY);
    assert!(!domain.root.in_force(domain.clock.now()), "what every corner has pinned is over");
    domain.until("calls pass", |domain| async { domain.chat(&request("x")).await.status == StatusCode::OK }).await;
    let last = passes(&domain).await;
    assert_eq!(signed_by(&last), ["registry-2", "head-2", "authority-2", "audit-2", "issuer-2"]);

    // The first root key ended, too: the second signs alone. A version between is asked for by its number.
    let now = domain.clock.now();
    let third = next(&second, vec![], vec![], now, &["root-2"]);
    let fourth = next(&third, vec![], vec![], now, &["root-2"]);
    domain.stop_runtime().await;
    for root in [third, fourth] {
        domain.act(Act::RootPublish { root }).await;
    }
    domain.start_runtime().await;
    passes(&domain).await;
    let report = domain.verify(&first);
    assert_eq!(report.exit_code(), 0, "{}", report.to_value());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_key_that_ended_is_passed_over_and_of_the_last_two_one_stays() {
    let mut domain = Domain::start(Plan { renewed: true, ..Plan::default() }).await;
    let now = domain.clock.now();
    for (role, usage) in [("authority-2", KeyUse::Event), ("issuer-2", KeyUse::Issuer)] {
        domain.act(Act::KeyRegister { key: renewed(role, usage, AUTHORITY, now) }).await;
    }
    let retire = |role: &str| Act::KeyRetire { kid: signer(role).kid().to_owned() };
    // Both at once: each finds another that counts, unless one waits for the other.
    let authority = domain.authority_handle.clone().expect("it runs");
    let ended = tokio::join!(authority.operate(retire("issuer"), None), authority.operate(retire("issuer-2"), None));
    assert_ne!(ended.0.is_ok(), ended.1.is_ok(), "{ended:?}");
    drop(authority);
    // The point learns of the one that is left within its refresh.
    domain.until("calls pass", |domain| async { domain.chat(&request("x")).await.status == StatusCode::OK }).await;
    // Registered, held, and retired before it signed anything.
    domain.act(retire("authority-2")).await;
    domain.stop_authority().await;
    domain.start_authority().await;
    domain.until("calls pass", |domain| async { domain.chat(&request("x")).await.status == StatusCode::OK }).await;
    let bundle = passes(&domain).await;
    assert_eq!(signed_by(&bundle)[2], "authority");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_key_in_other_hands_signs_halts_no_point() {
    let mut domain = Domain::start(Plan { renewed: true, ..Plan::default() }).await;
    passes(&domain).await;
    let (_, before) = domain.get(domain.authority_at, routes::REGISTRY_SNAPSHOT).await;
    let now = domain.clock.now();
    let mut second =
        next(&domain.root, vec![], vec![renewed("registry-2", KeyUse::Registry, AUTHORITY, now)], now, &[]);
    let stolen = second.roles.iter_mut().find(|key| key.kid == signer("registry").kid()).expect("the old key");
    stolen.status = KeyStatus::Compromised(now.plus_millis(-2000));
    let second = second.signed(&[&*signer("root")]).expect("a root");
    domain.act_in_force(Act::RootPublish { root: second }).await;
    passes(&domain).await;

    // Whoever has it stands where the authority did: with the registry of before, and a number that nothing comes after.
    let mut fork = Snapshot::read(parse(&before).expect("I-JSON")).expect("a snapshot");
    fork.header.epoch = 1_000_000;
    fork.sig = signer("registry").signature(&fork.header.payload());
    let stamp = Stamp::sign(&fork.header, domain.clock.now(), &*signer("registry")).to_value();
    let (fork, root, asked) = (fork.to_value(), domain.root.to_value(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&asked);
    let router = Router::new()
        .route(routes::REGISTRY_STAMP, get(async move || json(&stamp)))
        .route(
            routes::REGISTRY_SNAPSHOT,
            get(async move || {
                counted.fetch_add(1, Ordering::SeqCst);
                json(&fork)
            }),
        )
        .route(routes::REGISTRY_ROOT, get(async move || json(&root)));
    domain.stop_authority().await;
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(listen(domain.authority_at).await.serve(router, stopping, Duration::ZERO));
    let asked = &asked;
    domain.until("it is asked", |_| async move { asked.load(Ordering::SeqCst) >= 20 }).await;
    stop.send_replace(true);
    serving.await.expect("it ends");

    domain.start_authority().await;
    domain.until("calls pass", |domain| async { domain.chat(&request("x")).await.status == StatusCode::OK }).await;
    passes(&domain).await;
}
