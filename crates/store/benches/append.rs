//! What a commit costs on this machine's disk. `cargo bench -p eleven-store`; the folder is under the system's
//! temporary one, so set `TMPDIR` to measure another disk. After each group it prints the fdatasync times of the run.

use std::{
    cell::RefCell,
    hint::black_box,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eleven_store::{
    Batch, Durable, Folder, GroupCommit, GroupOptions, Log, Metrics, SegmentLog, SegmentOptions, Stage,
};

const RECORD: [u8; 1024] = [0x11; 1024];
const SUBMITTERS: usize = 64;

fn open(folder: &tempfile::TempDir) -> SegmentLog {
    let place = Folder::open(folder.path(), "bench").expect("folder").place("log").expect("place");
    SegmentLog::open(place, SegmentOptions::default()).expect("open")
}

#[expect(clippy::print_stderr, reason = "a benchmark reports to its terminal")]
fn report(name: &str, metrics: &Metrics) {
    eprintln!("{name}: fdatasync us {:?}, records per commit {:?}", metrics.sync, metrics.records);
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

    fn stage(&mut self, (): (), batch: &mut Batch) {
        batch.push(RECORD.to_vec()).expect("room");
    }

    fn committed(&mut self, _: &Durable) {}
}

/// Each of 64 threads submits and waits for its answer, over and over; one iteration is one answer to each.
fn group_commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("folder");
    let running = GroupCommit::start(open(&folder), Store, GroupOptions::default(), |_| {}).expect("start");
    let running = Arc::new(running);
    let (barrier, done) = (Arc::new(Barrier::new(SUBMITTERS + 1)), Arc::new(AtomicBool::new(false)));
    let threads: Vec<_> = (0..SUBMITTERS)
        .map(|_| {
            let (running, barrier, done) = (Arc::clone(&running), Arc::clone(&barrier), Arc::clone(&done));
            std::thread::spawn(move || {
                let (send, receive) = mpsc::channel();
                loop {
                    barrier.wait();
                    if done.load(Ordering::SeqCst) {
                        return;
                    }
                    let send = send.clone();
                    running.submit((), move |outcome| send.send(outcome.is_ok()).expect("the submitter waits"));
                    assert!(receive.recv().expect("an answer"), "committed");
                    barrier.wait();
                }
            })
        })
        .collect();

    let mut group = criterion.benchmark_group("group commit");
    group.measurement_time(Duration::from_secs(3)).throughput(Throughput::Elements(SUBMITTERS as u64));
    group.bench_function("64 submitters x 1 KiB", |bencher| {
        bencher.iter(|| {
            barrier.wait();
            barrier.wait();
        });
    });
    group.finish();
    done.store(true, Ordering::SeqCst);
    barrier.wait();
    for thread in threads {
        thread.join().expect("a submitter");
    }
    report("64 submitters", &running.metrics());
}

criterion_group!(benches, appends, group_commit);
criterion_main!(benches);
