//! Decide and issue, the identity already verified, a hundred policies loaded, without the disk: decision input, Cedar,
//! artifact and its signature, event and its signature, both by what a keystore signs with. To stay below: 80 us at the
//! median. Run with `cargo bench -p eleven-authority --bench issue`.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use eleven_api::edge;
use eleven_api::govern::Execute;
use eleven_authority::authorization::{Outcome, Random, Request, decide};
use eleven_authority::registry::{Current, Policy};
use eleven_core::artifact::RequestBinding;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{Draft, Record};
use eleven_core::hash::Sha3;
use eleven_core::signature::Signer;
use fixtures::{AUTHORITY, CALLER, NOW, POINT, RUNTIME, signer};
use std::hint::black_box;

#[path = "../src/fixtures.rs"]
#[allow(dead_code, reason = "each test crate takes what it needs of the fixtures")]
mod fixtures;

const POLICIES: usize = 100;

/// Signs with the library that the keystores of the corners sign with.
struct Key(Ed25519KeyPair);

impl Key {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed of 32 bytes"))
    }
}

impl Signer for Key {
    fn kid(&self) -> &str {
        "key:11-11/bench/1"
    }

    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().expect("32 bytes")
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().expect("64 bytes")
    }
}

fn domain() -> Current {
    let terms = || Object::new().with("bind_params", true);
    let operation = |n: usize| if n == 0 { "model.invoke".to_owned() } else { format!("tool.call.{n}") };
    let bundles: Vec<_> = (0..POLICIES).map(|n| fixtures::bundle(&format!("p{n}"), &operation(n), terms())).collect();
    let fold = fixtures::fold(&bundles);
    let policies = bundles.into_iter().map(|bundle| Policy::compile(bundle).expect("it compiles")).collect();
    Current::of_fold(fold, policies, NOW, &signer("registry")).expect("an epoch")
}

fn request(body: Sha3) -> Request {
    let scope = vec![Value::from("phi.read"), Value::from("phi.no_export")];
    let op = Object::new().with("name", "model.invoke").with("model", "clinical-summary-v4").with("scope", scope);
    let binding = RequestBinding { body, method: "POST".into(), path: "/v1/chat/completions".into() };
    let asked = Execute { identity: CALLER.into(), op, runtime: RUNTIME.into(), request: Some(binding) };
    let random = Random { nonce: edge::random(), salt: edge::random() };
    Request { caller: CALLER.into(), operator: None, point: Some(POINT.into()), asked, now: NOW, random }
}

fn issue(current: &Current, request: Request, issuer: &Key, events: &Key, number: u64) -> Record {
    let Outcome::Allow(allowance) = decide(AUTHORITY, current, request) else { panic!("refused") };
    let issuance = allowance.issue(issuer).expect("an artifact");
    let event = issuance.event;
    let (by, data, about) = (AUTHORITY.to_owned(), event.data, event.about);
    let draft = Draft { event: event.event, place: event.place, ts: event.ts, by, src_seq: number, data, about };
    draft.sign(events).expect("a record")
}

fn bench(criterion: &mut Criterion) {
    let current = domain();
    let (issuer, events) = (Key::new(1), Key::new(2));
    let body = Sha3::of(&[b"body"]);
    let mut number = 0;
    criterion.bench_function("decide and issue, 100 policies", |bencher| {
        bencher.iter_batched(
            || request(body),
            |request| {
                number += 1;
                black_box(issue(&current, request, &issuer, &events, number))
            },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("decide alone, 100 policies", |bencher| {
        bencher.iter_batched(
            || request(body),
            |request| black_box(decide(AUTHORITY, &current, request)),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
