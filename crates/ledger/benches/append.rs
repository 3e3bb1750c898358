//! What an append costs from socket to disk and back: signed events of several producers, posted in batches over HTTP,
//! each verified, judged, chained and durable before its answer. `cargo bench -p eleven-ledger`; the load and the ledger
//! share the machine.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eleven_api::audit::Append;
use eleven_api::client::Client;
use eleven_api::edge::{Clock, SystemClock};
use eleven_api::routes;
use eleven_api::serve::Listener;
use eleven_core::encoding::Object;
use eleven_core::event::{About, Draft, Place};
use eleven_core::hash::Sha256;
use eleven_core::reason::Reason;
use eleven_core::registry::GrantedKey;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use eleven_ledger::{Ledger, Settings, Signers};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;

const AUTHORITY: &str = "governance://bench/authority/prod";
const LEDGER: &str = "ledger://bench";
const PRODUCERS: usize = 8;
const BATCH: usize = 64;

fn signer(label: &str) -> SeedSigner {
    SeedSigner::new(format!("key:bench/{label}/1"), &Sha256::of(&[label.as_bytes()]).0)
}

fn key(label: &str, usage: KeyUse, owner: &str, now: Time) -> KeyRecord {
    let (nbf, exp) = (now.whole_seconds().plus_seconds(-60), now.whole_seconds().plus_seconds(86_400));
    let (kid, public) = (signer(label).kid().to_owned(), signer(label).public());
    KeyRecord { kid, public, usage, owner: owner.to_owned(), nbf, exp, status: KeyStatus::Active }
}

fn point(n: usize) -> String {
    format!("k8s://cluster/ns/bench#gw-{n}")
}

fn root(now: Time) -> TrustRoot {
    let roles = vec![
        key("head", KeyUse::Head, LEDGER, now),
        key("policy", KeyUse::Policy, AUTHORITY, now),
        key("registry", KeyUse::Registry, AUTHORITY, now),
    ];
    let keys = vec![key("root", KeyUse::Root, "human:root", now)];
    let (nbf, exp) = (keys[0].nbf, keys[0].exp);
    let (domain, witnesses) = ("bench".to_owned(), Witnesses::default());
    let root =
        TrustRoot { domain, version: 1, threshold: 1, keys, roles, witnesses, nbf, exp, prev: None, sigs: Vec::new() };
    root.signed(&[&signer("root")]).expect("a root")
}

/// One producer's bodies, signed beforehand.
fn bodies(n: usize, from: u64, batches: usize, now: Time) -> Vec<Vec<u8>> {
    let (signer, by) = (signer(&format!("gw-{n}")), point(n));
    let mut numbers = from..;
    let mut body = || {
        let mut append = Append::default();
        for src_seq in numbers.by_ref().take(BATCH) {
            let data = Object::new().with("n", src_seq).with("text", "x".repeat(300));
            let about = About { reason: Some(Reason::PolicyDenied), ..About::default() };
            let by = by.clone();
            let draft = Draft { event: "execution.denied", place: Place::Alone, ts: now, by, src_seq, data, about };
            append.record(&draft.sign(&signer).expect("a record"));
        }
        append.to_bytes()
    };
    (0..batches).map(|_| body()).collect()
}

async fn post_all(client: &Client, base: &str, bodies: Vec<Vec<u8>>) {
    for body in bodies {
        client.post(base, routes::AUDIT_EVENTS, &[], body, Duration::from_secs(30)).await.expect("taken");
    }
}

fn appends(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let now = SystemClock.now();
    let grant = |label: &str, owner: &str| GrantedKey::sign(key(label, KeyUse::Event, owner, now), &signer("registry"));
    let mut keys = vec![grant("audit", LEDGER)];
    keys.extend((0..PRODUCERS).map(|n| grant(&format!("gw-{n}"), &point(n))));
    Ledger::genesis(folder.path(), &root(now), 10, &keys, &signer("audit"), now).expect("a genesis");
    let signers = Signers { event: signer("audit").into(), head: signer("head").into() };
    let ledger = Ledger::open(Settings::new(folder.path()), signers, Arc::new(SystemClock)).expect("open");
    let (stop, stopping) = watch::channel(false);
    let listener =
        runtime.block_on(Listener::bind("127.0.0.1:0".parse().expect("an address"), None)).expect("a listener");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = runtime.spawn(ledger.serve(listener, stopping));
    let client = Client::new();

    let mut group = criterion.benchmark_group("append over HTTP");
    group.sample_size(10).throughput(Throughput::Elements((PRODUCERS * BATCH) as u64));
    let mut from = 0;
    group.bench_function(format!("{PRODUCERS} producers, {BATCH} records a POST"), |bencher| {
        bencher.iter_custom(|rounds| {
            let batches = usize::try_from(rounds).expect("few");
            let all: Vec<_> = (0..PRODUCERS).map(|n| bodies(n, from, batches, now)).collect();
            from += (batches * BATCH) as u64;
            let start = Instant::now();
            runtime.block_on(async {
                let posts = all.into_iter().map(|bodies| {
                    let (client, base) = (client.clone(), base.clone());
                    tokio::spawn(async move { post_all(&client, &base, bodies).await })
                });
                for post in posts.collect::<Vec<_>>() {
                    post.await.expect("posted");
                }
            });
            start.elapsed()
        });
    });
    group.finish();
    stop.send(true).expect("it runs");
    runtime.block_on(serving).expect("served").expect("ended well");
}

criterion_group!(benches, appends);
criterion_main!(benches);
