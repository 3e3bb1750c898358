//! The ledger on a disk that fails: whatever fails and when, what was acknowledged is there afterwards, what was not is there
//! once or not at all, the corner stopped, and heads go on from the one that was shown.

use super::*;
use crate::heads::Heads;
use crate::recover::{Depth, replay};
use eleven_core::head::Head;
use eleven_store::faulty::Survival;
use eleven_store::{Log as _, ReadLog};

const OPTIONS: SegmentOptions =
    SegmentOptions { smallest: 16 << 10, largest: 32 << 10, ahead: false, pack: true, recent: 1 << 20 };

/// The disks of a ledger's two logs.
#[derive(Clone)]
struct Disks {
    log: FaultyDisk,
    heads: FaultyDisk,
}

impl Disks {
    /// Disks with a genesis, and how many operations that took.
    fn new(genesis: &[u8]) -> Disks {
        let disks = Disks { log: FaultyDisk::new(1), heads: FaultyDisk::new(2) };
        let durable = log(&disks.log).append(0, &[genesis]).expect("committed");
        assert_eq!(durable.next(), 1);
        disks
    }

    fn reboot(&self, survival: Survival) -> Disks {
        Disks { log: self.log.reboot(survival), heads: self.heads.reboot(survival) }
    }

    fn start(&self, home: &Home) -> Result<Ledger, LedgerError> {
        let open = |disk: &FaultyDisk| SegmentLog::open(LogPlace::on(disk.clone()), OPTIONS).map_err(LedgerError::Open);
        let clock = Arc::clone(&home.clock) as Arc<dyn Clock>;
        Ledger::start(open(&self.log)?, Heads::new(open(&self.heads)?), None, home.settings(), Home::signers(), clock)
    }
}

fn log(disk: &FaultyDisk) -> SegmentLog {
    SegmentLog::open(LogPlace::on(disk.clone()), OPTIONS).expect("the log opens")
}

/// The genesis as it stands in a ledger's log.
fn genesis() -> Vec<u8> {
    let home = Home::new();
    let folder = eleven_store::Folder::open(home.path(), "ledger").expect("the folder");
    let log = SegmentLog::open(folder.place("log").expect("a place"), SegmentOptions::default()).expect("the log");
    log.reader().read_from(0, 1, 1).expect("a genesis").remove(0).1
}

/// What a producer sends, one POST after the other: large enough for several segments.
fn posts() -> Vec<Append> {
    let mut producers = Producers::new();
    let mut posts = vec![producers.set_up()];
    for n in 0..6 {
        let mut append = Append::default();
        let mut operation = producers.issue(single(n), &[], &mut append);
        producers.begin(&mut operation, 1, &mut append);
        producers.finish(&mut operation, &mut append);
        posts.push(append);
    }
    posts
}

/// Sends until the corner does not answer any more. How many posts were acknowledged, and the head that was shown last.
async fn send(ledger: &Ledger, posts: &[Append]) -> (usize, Option<Head>) {
    let mut acknowledged = 0;
    for post in posts {
        let received = crate::receive::Received::read(&post.to_bytes(), &ledger.inner.shared.keys).expect("an append");
        let Ok(committed) = ledger.inner.submit(Request::Append(received)).await else { break };
        assert!(committed.answer.outcomes.iter().all(|outcome| *outcome == Outcome::Taken), "{:?}", committed.answer);
        acknowledged += 1;
    }
    (acknowledged, ledger.inner.shared.published().map(|published| published.head.clone()))
}

#[tokio::test]
async fn a_fault_at_every_operation_loses_nothing_acknowledged_and_takes_nothing_twice() {
    let (home, genesis, posts) = (Home::new(), genesis(), posts());
    let whole = Disks::new(&genesis);
    let begin = whole.log.done().len();
    let ledger = whole.start(&home).expect("start");
    assert_eq!(send(&ledger, &posts).await.0, posts.len());
    drop(ledger);
    let operations = whole.log.done().len();
    assert!(operations > begin + 20 && whole.log.names().iter().any(|name| name.ends_with(".pack")));
    let faults = [Fault::Eio(Effect::Nothing), Fault::Eio(Effect::All), Fault::Enospc(Effect::Part(500)), Fault::Crash];
    let ends = [Survival::Lost, Survival::Kept, Survival::Scattered(3)];
    // Which fault met which operation: one for each, and another at each round, since writes and syncs take turns.
    let mut met = Vec::new();
    for (n, at) in (begin..operations).enumerate() {
        let fault = faults[(n + n / faults.len()) % faults.len()];
        let when = format!("{fault:?} at operation {at}");
        let disks = Disks::new(&genesis);
        disks.log.plan(at, fault);
        let (acknowledged, shown) = match disks.start(&home) {
            Ok(ledger) => send(&ledger, &posts).await,
            Err(LedgerError::Open(_) | LedgerError::Replay(_)) => (0, None),
            Err(error) => panic!("{when}: {error}"),
        };
        // Seals come with the clock: a run may ask less of the disk than the undisturbed one, and meet no fault.
        let Some(operation) = disks.log.done().get(at).cloned() else { continue };
        met.push((operation, fault));
        disks.log.forget_plan();
        let disks = disks.reboot(ends[n % ends.len()]);
        let ledger = disks.start(&home).unwrap_or_else(|error| panic!("{when}: it must start again: {error}"));
        let resumed = ledger.inner.shared.published().map(|published| published.head.clone());
        if let Some(shown) = shown {
            let resumed = resumed.unwrap_or_else(|| panic!("{when}: the head that was shown is gone"));
            assert!(resumed.commitment.size >= shown.commitment.size, "{when}: the head went back");
        }
        let numbers = |ledger: &Ledger| {
            let book = read(&ledger.inner.shared.book);
            ["authority", "gw-0"].map(|label| book.cursor(&kid(label)).map_or(0, |(next, _)| next))
        };
        // What was acknowledged is there: of the set-up five records by the authority, of each call one and six.
        let calls = acknowledged.saturating_sub(1) as u64;
        let least = [if acknowledged > 0 { 5 + calls } else { 0 }, 6 * calls];
        assert!(numbers(&ledger).iter().zip(least).all(|(held, least)| *held >= least), "{when}: {acknowledged}");
        // The producer sends all of it again, as it does after an answer that it did not get.
        assert_eq!(send(&ledger, &posts).await.0, posts.len(), "{when}");
        assert_eq!(numbers(&ledger), [5 + 6, 6 * 6], "{when}: each record once");
        drop(ledger);
        let reader: Arc<dyn ReadLog> = log(&disks.log.reboot(Survival::Lost)).reader();
        replay(reader.as_ref(), Depth::Everything).unwrap_or_else(|error| panic!("{when}: {error}"));
    }
    let missed = operations - begin - met.len();
    assert!(missed * 10 < operations - begin, "{missed} of {} faults were not met", operations - begin);
    for fault in faults {
        let of = |is: fn(&Op) -> bool| met.iter().any(|(operation, by)| is(operation) && *by == fault);
        assert!(of(|op| matches!(op, Op::Sync)), "no sync met {fault:?}: {met:?}");
        assert!(of(|op| matches!(op, Op::Write(_))), "no write met {fault:?}: {met:?}");
    }
}

/// Appends and waits for the head over it, again and again, until the corner has failed.
async fn until_failed(ledger: &Ledger, producers: &mut Producers) {
    let mut failed = ledger.failed.clone();
    for n in 0..50 {
        let mut append = Append::default();
        append.record(&producers.denial(&n.to_string()));
        send(ledger, &[append]).await;
        let shared = &ledger.inner.shared;
        let patience = std::time::Duration::from_secs(30);
        let headed = crate::proof::covered(shared, shared.size() - 1, patience, crate::proof::has_index);
        tokio::select! {
            _ = failed.wait_for(Option::is_some) => return,
            _ = headed => {}
        }
    }
    panic!("fifty heads were stored by a disk that fails");
}

#[tokio::test]
async fn a_fault_of_the_log_of_heads_stops_the_corner_and_no_head_is_lost() {
    let (home, genesis) = (Home::new(), genesis());
    let faults = [Fault::Eio(Effect::Nothing), Fault::Eio(Effect::All), Fault::Enospc(Effect::Part(9))];
    for (at, fault) in faults.into_iter().flat_map(|fault| (0..6).map(move |at| (at, fault))) {
        let disks = Disks::new(&genesis);
        let ledger = disks.start(&home).expect("start");
        let mut producers = Producers::new();
        send(&ledger, &[producers.set_up()]).await;
        // From now on the disk of heads fails: at one of the next operations, whichever head that meets.
        disks.heads.plan(disks.heads.done().len() + at, fault);
        until_failed(&ledger, &mut producers).await;
        let shown = ledger.inner.shared.published().map_or(0, |published| published.head.commitment.size);
        drop(ledger);
        let ledger = disks.reboot(Survival::Kept).start(&home).expect("it starts again");
        let resumed = ledger.inner.shared.published().map_or(0, |published| published.head.commitment.size);
        assert!(resumed >= shown, "{fault:?} at {at}: {shown} was shown, {resumed} is");
        ledger.sealed().await;
    }
}
