//! What a point's start costs for a line that its journal keeps, and for a use of an artifact that was used often: a start takes
//! as many times that, and no more. Run with `cargo bench -p eleven-enforce --bench restart`.
#![allow(missing_docs, reason = "criterion's macros make items")]
#![expect(clippy::expect_used, reason = "a benchmark of the vectors' own records, which are readable")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eleven_core::encoding::{Value, parse};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;
use eleven_enforce::journal::{Point, Reading, encode_event};
use eleven_enforce::uses::Uses;
use std::hint::black_box;
use std::sync::Arc;

/// A point of the vectors, and the lines of one operation in its journal.
fn journal() -> (Point, Vec<Vec<u8>>) {
    let file = parse(include_bytes!("../../../spec/vectors/ledger.json")).expect("I-JSON");
    let entries = file.get("entries").and_then(Value::as_array).expect("entries");
    let record = |entry: &Value| Record::read(entry.get("record").expect("one").clone()).expect("a record");
    let records: Vec<Record> = entries.iter().map(record).collect();
    let started = records.iter().find(|record| record.event == "execution.started").expect("one that started");
    let own = records.iter().filter(|record| record.op == started.op && record.by == started.by);
    let line = |record: &Record| {
        let exp = (record.event == "authorization.consumed").then_some(record.ts.plus_seconds(300));
        encode_event(record, exp)
    };
    let point = Point {
        name: started.by.clone(),
        event: Arc::new(SeedSigner::new(started.kid.clone(), &[1; 32])),
        attestation: Arc::new(SeedSigner::new("key:11-11/attest-0/2026-q2", &[2; 32])),
        binary: Sha3([3; 64]),
        config: Sha3([4; 64]),
        predicate_type: "https://11-11.example/attestation/execution/v1".to_owned(),
    };
    (point, own.map(line).collect())
}

fn lines(c: &mut Criterion) {
    let (point, lines) = journal();
    let mut group = c.benchmark_group("read back");
    group.throughput(Throughput::Elements(u64::try_from(lines.len()).expect("a few")));
    group.bench_function("the lines of one operation", |b| {
        b.iter_batched_ref(
            || Reading::new(point.clone()),
            |reading| lines.iter().for_each(|line| reading.line(black_box(line)).expect("continues")),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn uses(c: &mut Criterion) {
    let now = Time(1_778_605_451_000);
    let mut group = c.benchmark_group("uses of one artifact");
    for count in [1_000, 100_000_i64] {
        group.throughput(Throughput::Elements(count.unsigned_abs()));
        group.bench_function(BenchmarkId::new("restored", count), |b| {
            b.iter(|| {
                let mut uses = Uses::default();
                for at in 0..count {
                    uses.restore("auth_9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM41".to_owned(), now, now.plus_millis(at - count));
                }
                uses
            });
        });
    }
    group.finish();
}

criterion_group!(group, lines, uses);
criterion_main!(group);
