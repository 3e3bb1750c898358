//! What a strict verification costs: alone, with a table of its key, and several at a time.
//!
//! Run with `cargo bench -p eleven-core --bench signatures`.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "keys and places are the benchmark's own")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eleven_core::signature::{SeedSigner, Signer, Tables, VerifyingKey};
use std::hint::black_box;

fn signatures(c: &mut Criterion) {
    let signers = [1u8, 2, 3, 4].map(|seed| SeedSigner::new("key:bench/signer/1", &[seed; 32]));
    let plain = signers.each_ref().map(|signer| VerifyingKey::new(&signer.public()).expect("a key"));
    let tabled = plain.clone().map(|key| key.with_table(&Tables::new(1)));
    let signed: Vec<(usize, [u8; 160], [u8; 64])> = (0..64u8)
        .map(|n| {
            let (at, message) = (usize::from(n % 4), [n; 160]);
            (at, message, signers[at].sign(&message))
        })
        .collect();

    let mut group = c.benchmark_group("signatures");
    let (_, message, signature) = &signed[0];
    group.bench_function("read a key", |b| b.iter(|| VerifyingKey::new(black_box(plain[0].as_bytes()))));
    group.bench_function("make a table and verify", |b| {
        b.iter(|| plain[0].clone().with_table(&Tables::new(1)).verifies(message, black_box(signature)));
    });
    for (name, keys) in [("a key", &plain), ("a key with a table", &tabled)] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("verify by {name}"), |b| {
            b.iter(|| keys[0].verifies(message, black_box(signature)))
        });
        for many in [2, 8, 64] {
            let signed = signed.iter().take(many).map(|(at, message, signature)| (&keys[*at], &message[..], signature));
            let signed: Vec<(&VerifyingKey, &[u8], &[u8; 64])> = signed.collect();
            assert_eq!(VerifyingKey::verify_each(&signed), vec![true; many]);
            group.throughput(Throughput::Elements(many as u64));
            group.bench_function(format!("verify {many} by {name}"), |b| {
                b.iter(|| VerifyingKey::verify_each(black_box(&signed)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, signatures);
criterion_main!(benches);
