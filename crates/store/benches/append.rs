//! What a commit costs on this machine's disk. `cargo bench -p eleven-store`; the folder is under the system's
//! temporary one, so set `TMPDIR` to measure another disk. After each group it prints the fdatasync times of the run.

use std::{cell::RefCell, hint::black_box, sync::mpsc, time::Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eleven_store::{
    Batch, Durable, Folder, GroupCommit, GroupOptions, Log, Metrics, SegmentLog, SegmentOptions, Stage,
};

const RECORD: [u8; 1024] = [0x11; 1024];
const CALLERS: u64 = 64;

fn open(folder: &tempfile::TempDir) -> SegmentLog {
    let place = Folder::open(folder.path(), "bench").expect("folder").place("log").expect("place");
    SegmentLog::open(place, SegmentOptions::default()).expect("open")
}

#[expect(clippy::print_stderr, reason = "a benchmark reports to its terminal")]
fn report(name: &str, metrics: &Metrics) {
    eprintln!(
        "{name}: fdatasync us {:?}, records per commit {:?}, submit to answer us {:?}",
        metrics.sync, metrics.records, metrics.waited
    );
}

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for records in [1usize, 8, 64] {
        let folder = tempfile::tempdir().expect("folder");
        let log = RefCell::new(open(&folder));
        let batch = vec![&RECORD[..]; records];
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(format!("{records} x 1 KiB"), |bencher| {
            bencher.iter(|| {
                let mut log = log.borrow_mut();
                let next = log.next();
                // The benchmark must not fill the disk.
                log.drop_before(next).expect("drop");
                black_box(log.append(next, &batch).expect("append"))
            });
        });
        report(&format!("{records} x 1 KiB"), &log.borrow().metrics());
    }
    group.finish();
}

/// One record a request.
struct Store;

impl Stage for Store {
    type Request = ();
    type Answer = ();
    type Pending = ();

    fn stage(&mut self, (): (), batch: &mut Batch) {
        batch.push(RECORD.to_vec()).expect("room");
    }

    fn staged(&mut self) {}

    fn committed((): (), _: &Durable) {}
}

/// As many requests are in flight as 64 callers have that each wait for their answer; one iteration is one answer.
fn group_commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("folder");
    let running = GroupCommit::start(open(&folder), Store, GroupOptions::default(), |_| {}).expect("start");
    let (send, receive) = mpsc::channel();
    let submit = || {
        let send = send.clone();
        running.submit((), move |outcome| send.send(outcome.is_ok()).expect("the caller waits"));
    };
    let mut group = criterion.benchmark_group("group commit");
    group.throughput(Throughput::Elements(1));
    group.bench_function("64 callers x 1 KiB", |bencher| {
        bencher.iter_custom(|answers| {
            let start = Instant::now();
            let ahead = CALLERS.min(answers);
            (0..ahead).for_each(|_| submit());
            for answered in 0..answers {
                assert!(receive.recv().expect("an answer"), "committed");
                if answered + ahead < answers {
                    submit();
                }
            }
            start.elapsed()
        });
    });
    group.finish();
    report("64 callers", &running.metrics());
}

criterion_group!(benches, appends, group_commit);
criterion_main!(benches);
