//! The load straight into the writer: its bodies are read and verified on as many threads as there are cores, each for some of
//! the lanes, as the ledger reads what it is sent; and handed over.

use super::measure::{self, Measured, Tally};
use super::spool::{Bodies, Spool};
use super::{Args, Pace, Window};
use crate::bench::machine;
use eleven_api::edge::SystemClock;
use eleven_ledger::load::{Body, Domain, proof_costs};
use eleven_ledger::{Ledger, Settings};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Bodies of a lane that may wait for their answers at once.
const IN_FLIGHT: usize = 8;
/// How often the last head is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// Proofs of each kind that are made after the load.
const PROOFS: usize = 512;
/// How long packing may go on after the load.
const PACKING: Duration = Duration::from_secs(60);
/// How long the last head may take to come.
const LAST_HEAD: Duration = Duration::from_secs(5);

/// Puts the load on a ledger in this process.
///
/// # Errors
/// Where the ledger can't be made or opened.
pub(crate) fn run(
    args: &Args,
    domain: &Domain,
    spools: Vec<Spool>,
    data: &Path,
    windows: &[Window],
) -> Result<Measured, String> {
    domain.genesis(data).map_err(|error| error.to_string())?;
    machine::forget_peak_memory();
    let settings = Settings::new(data);
    let ledger = Ledger::open(settings, domain.signers(), Arc::new(SystemClock)).map_err(|error| error.to_string())?;
    let tally = Arc::new(Tally::default());
    let set_up = domain.set_up().map_err(|error| error.to_string())?;
    let (free, answered) = sync_channel(1);
    submit(&ledger, &set_up, Instant::now(), &tally, &free);
    answered.recv().map_err(|_| "the ledger stopped".to_owned())?;

    let mut bodies: Vec<Bodies> = spools.iter().map(Spool::open).collect::<Result<_, _>>()?;
    let own = std::process::id();
    let (before, total) = (machine::threads(), machine::cpu_micros(own));
    let pace = load(args, &ledger, &tally, &mut bodies);
    let mut measured = tally.measured(windows, &pace);
    let mut took = machine::threads_since(&before);
    let living: u64 = took.iter().map(|(_, micros)| micros).sum();
    // The lanes have ended: what no living thread took is theirs.
    took.push(("lanes".to_owned(), machine::cpu_micros(own).saturating_sub(total).saturating_sub(living)));
    let each = |(name, micros): (String, u64)| (name, micros as f64 / tally.taken().max(1) as f64);
    measured.cpu = took.into_iter().map(each).collect();
    measured.peak_kib = machine::peak_memory(own);
    let syncs = ledger.metrics().sync.summary();
    measured.syncs = (syncs.count, [syncs.p50, syncs.p90, syncs.p99, syncs.max]);
    wait_until_packed(&ledger);
    if measured.first_failure.is_none() && args.rate.is_none() && args.calls > 0 {
        measured.proofs = Some(proof_costs(&ledger, domain, PROOFS)?);
    }
    drop(ledger);
    measured.disk = measure::disk(data).ok();
    Ok(measured)
}

/// The packer works with what the load leaves it, and ends a moment after.
fn wait_until_packed(ledger: &Ledger) {
    let since = Instant::now();
    while ledger.metrics().to_pack.load(Ordering::Relaxed) > 0 && since.elapsed() < PACKING {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs the lanes, and watches the heads beside them.
fn load(args: &Args, ledger: &Ledger, tally: &Arc<Tally>, bodies: &mut [Bodies]) -> Pace {
    let pace = Pace::new(args);
    let unpaced = usize::try_from(pace.unpaced()).unwrap_or(usize::MAX);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = bodies.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let start = Arc::new(Barrier::new(bodies.len().div_ceil(each) + 1));
        let lanes: Vec<_> = bodies
            .chunks_mut(each)
            .enumerate()
            .map(|(part, lanes)| {
                let (start, tally) = (Arc::clone(&start), Arc::clone(tally));
                scope.spawn(move || {
                    for body in lanes.iter_mut().flat_map(|bodies| bodies.by_ref().take(unpaced)) {
                        one(ledger, &body, Instant::now(), &tally);
                    }
                    start.wait();
                    run_lanes(ledger, (part * each) as u64, lanes, pace.begun_now(), &tally);
                })
            })
            .collect();
        start.wait();
        let pace = pace.begun_now();
        let ended = || lanes.iter().all(std::thread::ScopedJoinHandle::is_finished);
        let mut give_up = None;
        while !(ended() && tally.all_headed()) {
            tally.head(ledger.head_size());
            std::thread::sleep(LOOK);
            let since = *give_up.get_or_insert_with(Instant::now);
            if !ended() {
                give_up = None;
            } else if since.elapsed() > LAST_HEAD {
                tally.failed("the last answers came under no head".to_owned());
                break;
            }
        }
        pace
    })
}

fn one(ledger: &Ledger, body: &Body, due: Instant, tally: &Arc<Tally>) {
    let (free, answered) = sync_channel(1);
    submit(ledger, body, due, tally, &free);
    // The writer is gone where this fails, and the tally has been told.
    let _ = answered.recv();
}

/// Hands over the bodies of lanes from `first` on, one of each in turn.
fn run_lanes(ledger: &Ledger, first: u64, lanes: &mut [Bodies], pace: Pace, tally: &Arc<Tally>) {
    let in_flight = IN_FLIGHT * lanes.len();
    let (free, places): (SyncSender<()>, Receiver<()>) = sync_channel(in_flight);
    for _ in 0..in_flight {
        let _ = free.send(());
    }
    for n in 0.. {
        let mut is_ended = true;
        for (lane, bodies) in (first..).zip(lanes.iter_mut()) {
            let Some(body) = bodies.next() else { continue };
            is_ended = false;
            let due = pace.due(lane, n);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if places.recv().is_err() || tally.has_failed() {
                return;
            }
            submit(ledger, &body, due, tally, &free);
        }
        if is_ended {
            break;
        }
    }
    for _ in 0..in_flight {
        if places.recv().is_err() {
            return;
        }
    }
}

fn submit(ledger: &Ledger, body: &Body, due: Instant, tally: &Arc<Tally>, free: &SyncSender<()>) {
    let (events, of, freed) = (body.events, Arc::clone(tally), free.clone());
    let read = ledger.submit(&body.bytes, move |outcome| {
        match outcome {
            Ok(appended) => of.durable(due, events, appended.size),
            Err(why) => of.failed(why),
        }
        // The lane has ended where this fails.
        let _ = freed.send(());
    });
    if let Err(error) = read {
        tally.failed(error.to_string());
        let _ = free.send(());
    }
}
