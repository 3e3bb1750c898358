//! What committing and proving cost at a million entries: entries and chains, the tree, the operation index.
//!
//! Run with `cargo bench -p eleven-core --bench proofs`.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use eleven_core::chain::{ChainValue, EntryHeader, advance, advance_each, entry_bytes};
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::index::OperationIndex;
use eleven_core::time::Time;
use eleven_core::tree::{
    MemoryTree, Tree, consistency_proof, inclusion_proof, leaf_hash, verify_consistency, verify_inclusion,
};
use std::hint::black_box;

const MILLION: u64 = 1_000_000;
/// Updates between two heads.
const BATCH: u64 = 1_000;

fn hash_of(n: u64) -> Sha256 {
    Sha256::of(&[&n.to_be_bytes()])
}

fn chain(c: &mut Criterion) {
    let prev = ChainValue { hash: Sha3([1; 64]), hash_alt: Blake2b([2; 64]) };
    let record = format!(r#"{{"data":"{}"}}"#, "x".repeat(1000)).into_bytes();
    let entry = entry_bytes(MILLION, Time(1_778_605_454_008), Some(&prev), &record);
    let mut group = c.benchmark_group("chain, a record of 1 KB");
    group.bench_function("entry_bytes", |b| {
        b.iter(|| entry_bytes(MILLION, Time(1_778_605_454_008), Some(&prev), black_box(&record)));
    });
    group.bench_function("split", |b| b.iter(|| EntryHeader::split(black_box(&entry)).is_ok()));
    group.bench_function("advance", |b| b.iter(|| advance(Some(&prev), black_box(&entry))));
    let header = EntryHeader { seq: MILLION, at: Time(1_778_605_454_008), prev: Some(prev) };
    let entries = vec![(&header, &entry[..]); 16];
    group.bench_function("advance_each of 16", |b| b.iter(|| advance_each(black_box(&entries))));
    group.bench_function("leaf_hash", |b| b.iter(|| leaf_hash(black_box(&entry))));
    group.finish();
}

fn tree(c: &mut Criterion) {
    let (mut peaks, mut tree) = (Tree::new(), MemoryTree::new());
    for n in 0..MILLION {
        peaks.append(hash_of(n));
        tree.append(hash_of(n));
    }
    let (seq, root) = (MILLION / 3, tree.root());
    let (first, first_root) = (seq, tree.root_at(seq).unwrap_or(Sha256::ZERO));
    let inclusion = inclusion_proof(&tree, seq, MILLION).unwrap_or_default();
    let consistency = consistency_proof(&tree, first, MILLION).unwrap_or_default();
    assert!(verify_inclusion(&hash_of(seq), seq, MILLION, &inclusion, &root));
    assert!(verify_consistency(first, MILLION, &first_root, &root, &consistency));

    let mut group = c.benchmark_group("tree, a million leaves");
    let mut appended = peaks.clone();
    group.bench_function("append to peaks", |b| b.iter(|| appended.append(black_box(root))));
    let mut appended = tree.clone();
    group.bench_function("append to all nodes", |b| b.iter(|| appended.append(black_box(root))));
    drop(appended);
    group.bench_function("root", |b| b.iter(|| black_box(&peaks).root()));
    group.bench_function("prove inclusion", |b| b.iter(|| inclusion_proof(&tree, black_box(seq), MILLION)));
    group.bench_function("prove consistency", |b| b.iter(|| consistency_proof(&tree, black_box(first), MILLION)));
    group.bench_function("verify inclusion", |b| {
        b.iter(|| verify_inclusion(&hash_of(seq), seq, MILLION, black_box(&inclusion), &root));
    });
    group.bench_function("verify consistency", |b| {
        b.iter(|| verify_consistency(first, MILLION, &first_root, &root, black_box(&consistency)));
    });
    group.finish();
}

fn index(c: &mut Criterion) {
    let mut index = OperationIndex::new();
    for n in 0..MILLION {
        index.insert(hash_of(n), hash_of(n + 1));
    }
    let root = index.rehash();
    let (there, absent) = (hash_of(MILLION / 3), hash_of(MILLION * 3));
    let proof = index.prove(&there);

    let mut group = c.benchmark_group("index, a million keys");
    group.bench_function("prove presence", |b| b.iter(|| index.prove(black_box(&there))));
    group.bench_function("prove absence", |b| b.iter(|| index.prove(black_box(&absent))));
    group.bench_function("judge a proof", |b| b.iter(|| black_box(&proof).proves(&root, &there)));
    group.throughput(Throughput::Elements(BATCH));
    group.sample_size(20);
    let mut next = MILLION;
    group.bench_function("a batch of 1,000 new keys and its root", |b| {
        b.iter_batched(
            || {
                next += BATCH;
                (next..next + BATCH).map(|n| (hash_of(n), hash_of(n + 1))).collect::<Vec<_>>()
            },
            |batch| {
                for (key, value) in batch {
                    index.insert(key, value);
                }
                index.rehash()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, chain, tree, index);
criterion_main!(benches);
