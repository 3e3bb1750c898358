//! How long a bundle takes to verify.
#![expect(clippy::expect_used, reason = "a bench whose vectors are not there has nothing to measure")]

use criterion::{Criterion, criterion_group, criterion_main};
use eleven_core::encoding::{Value, parse};
use eleven_core::registry::KeyTables;
use eleven_core::root::KeyRecord;
use eleven_verify::{Caller, Pinned, Verdict, verify, verify_bytes};
use std::cell::RefCell;
use std::hint::black_box;

const BUNDLE: &[u8] = include_bytes!("../../../spec/vectors/bundle.proof.json");
const ROOT: &[u8] = include_bytes!("../../../spec/vectors/root.json");

fn bench(c: &mut Criterion) {
    let (bundle, root): (Value, Value) = (parse(BUNDLE).expect("I-JSON"), parse(ROOT).expect("I-JSON"));
    let root = Pinned::new(root);
    let caller = Caller { root: Some(&root), ..Caller::default() };
    assert_eq!(verify(&bundle, &caller).verdict, Verdict::Verified);
    c.bench_function("verify an execution of seven events", |b| b.iter(|| verify(black_box(&bundle), &caller)));
    c.bench_function("parse and verify its file", |b| b.iter(|| verify_bytes(black_box(BUNDLE), &caller)));
    let tables = RefCell::new(KeyTables::new());
    let keys = |record: &KeyRecord| tables.borrow_mut().key(record);
    let caller = Caller { keys: Some(&keys), ..caller };
    c.bench_function("verify it by keys that are kept", |b| b.iter(|| verify(black_box(&bundle), &caller)));
    c.bench_function("pin its root", |b| b.iter(|| Pinned::new(black_box(root.value()).clone())));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50);
    targets = bench
}
criterion_main!(benches);
