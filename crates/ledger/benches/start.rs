//! How long a ledger takes to start, from its files to the moment at which it appends: reading its log, as after a crash, and by
//! the state that it saved at a clean end; and how long that end takes. `cargo bench -p eleven-ledger --bench start`. A planned
//! restart has callers wait for the end and the start.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_ledger::load::Domain;
use eleven_ledger::{Ledger, Settings};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Calls of seven events in a body.
const CALLS: u64 = 32;

fn open(domain: &Domain, folder: &Path) -> Ledger {
    Ledger::open(Settings::new(folder), domain.signers(), Arc::new(SystemClock)).expect("it opens")
}

/// A ledger of at least so many entries, closed, all of it under a head.
fn filled(folder: &Path, entries: u64) -> Domain {
    let domain = Domain::new(1, SystemClock.now()).expect("a domain");
    domain.genesis(folder).expect("a genesis");
    let (ledger, mut lane) = (open(&domain, folder), domain.lane(0));
    let (send, receive) = channel();
    let submit = |body: &[u8]| {
        let send = send.clone();
        ledger.submit(body, move |outcome| send.send(outcome).expect("it is waited for")).expect("a body");
        receive.recv().expect("an answer").expect("taken").size
    };
    let mut size = submit(&domain.set_up().expect("events").bytes);
    while size < entries {
        size = submit(&lane.body(CALLS, 0).expect("events").bytes);
    }
    while ledger.head_size() < size {
        std::thread::sleep(Duration::from_millis(20));
    }
    domain
}

fn starts(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    for entries in [10_000, 100_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let domain = filled(folder.path(), entries);
        group.throughput(Throughput::Elements(entries));
        let mut measure = |name, closes: bool, of_end: bool| {
            group.bench_function(BenchmarkId::new(name, entries), |bencher| {
                bencher.iter_custom(|rounds| {
                    let mut taken = Duration::ZERO;
                    for _ in 0..rounds {
                        let began = Instant::now();
                        let ledger = open(&domain, folder.path());
                        let started = began.elapsed();
                        let ending = Instant::now();
                        if closes {
                            runtime.block_on(ledger.close());
                        } else {
                            drop(ledger);
                        }
                        taken += if of_end { ending.elapsed() } else { started };
                    }
                    taken
                });
            });
        };
        measure("log", false, false);
        measure("end", true, true);
        measure("saved", true, false);
    }
    group.finish();
}

criterion_group!(benches, starts);
criterion_main!(benches);
