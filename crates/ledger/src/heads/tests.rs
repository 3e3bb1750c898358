use super::*;
use crate::audit::Outcome;
use crate::history::Shown;
use crate::home::{CORNER, HEADS, LOG, LOG_OPTIONS};
use crate::records::{self, Asked};
use crate::rules::Refusal;
use crate::stored::Stored;
use crate::world::{Home, Producers, genesis_keys, kid, root, signer, start};
use crate::{Ledger, LedgerError, Settings, SteppedLedger};
use eleven_api::audit::Append;
use eleven_api::edge::ManualClock;
use eleven_core::encoding::Value;
use eleven_core::head::checkpoint::Note;
use eleven_core::signature::VerifyingKey;
use eleven_core::tree::{MemoryTree, leaf_hash};
use eleven_store::faulty::{Effect, Fault, FaultyDisk, Survival};
use eleven_store::{Folder, Place, SegmentOptions};
use std::path::Path;

fn one(producers: &mut Producers) -> Append {
    let mut append = Append::default();
    append.record(&producers.denial("one more"));
    append
}

async fn running(home: &Home, settings: Settings) -> (Ledger, Producers) {
    let ledger = home.open_with(settings).expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    (ledger, producers)
}

#[tokio::test]
async fn each_head_is_signed_and_goes_on_from_the_one_before() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home, home.settings()).await;
    let key = VerifyingKey::new(&signer("head").public()).expect("a key");
    let mut before: Option<Head> = None;
    for _ in 0..3 {
        ledger.must_append(&one(&mut producers)).await;
        let head = ledger.sealed().await;
        assert!(head.verify(&key));
        let published = ledger.inner.shared.published().expect("a head");
        let note = Note::parse(&published.checkpoint).expect("a note");
        assert!(note.signed_by(&key));
        assert_eq!(note.checkpoint, Checkpoint::of(&published.head.commitment));
        let last = crate::lineage::standing(&ledger.inner.shared, head.commitment.size - 1).expect("the seal");
        assert_eq!(last.record.event, "ledger.sealed", "the last entry under every head");
        if let Some(before) = before.replace(head.clone()) {
            assert!(before.commitment.size < head.commitment.size && before.at <= head.at);
        }
    }
}

#[tokio::test]
async fn a_ledger_that_would_not_seal_once_a_second_does_not_start() {
    let home = Home::new();
    let (never, second) = (Duration::ZERO, Duration::from_secs(1));
    let opened = |seal_every, seal_busy| home.open_with(Settings { seal_every, seal_busy, ..home.settings() });
    for (every, busy) in [(never, second), (second, never), (second + Duration::from_millis(1), second)] {
        let refused = opened(every, busy).err().expect("it does not start");
        assert!(matches!(refused, LedgerError::Setting(why) if why.contains("at least once a second")), "{refused}");
    }
    drop(opened(second, second).expect("it starts"));
}

#[tokio::test]
async fn with_nothing_new_the_same_head_is_signed_again_without_an_entry() {
    let home = Home::new();
    let settings = Settings { resign_every: Duration::from_millis(60), ..home.settings() };
    let (ledger, _) = running(&home, settings).await;
    let first = ledger.sealed().await;
    let size = ledger.inner.shared.size();
    home.clock.advance(10_000);
    let mut heads = ledger.inner.shared.head.subscribe();
    let later = heads.wait_for(|head| head.as_ref().is_some_and(|head| head.head.at >= start().plus_millis(10_000)));
    let later = tokio::time::timeout(Duration::from_secs(10), later).await.expect("in time").expect("a head").clone();
    let later = later.expect("a head");
    assert_eq!(later.head.commitment, first.commitment);
    assert_eq!(ledger.inner.shared.size(), size);
}

/// An entry is judged shortly after it was given its time: so far behind its own a head says nothing yet.
#[tokio::test]
async fn what_was_in_force_is_final_up_to_shortly_before_a_head_behind_which_nothing_came() {
    let home = Home::new();
    let settings = Settings { resign_every: Duration::from_millis(60), ..home.settings() };
    let (ledger, _) = running(&home, settings).await;
    ledger.sealed().await;
    let shared = &ledger.inner.shared;
    let is_final = |millis: i64| {
        let asked = Asked { at: Some(start().plus_millis(millis)), ..Asked::default() };
        let answer = records::policies(shared, &asked).expect("policies");
        answer.get("final") == Some(&Value::Bool(true))
    };
    assert!(is_final(-1) && !is_final(0), "an entry of the seal's own moment may still come");
    home.clock.advance(10_000);
    let mut heads = shared.head.subscribe();
    let later = heads.wait_for(|head| head.as_ref().is_some_and(|head| head.head.at >= start().plus_millis(10_000)));
    drop(tokio::time::timeout(Duration::from_secs(10), later).await.expect("in time").expect("a head"));
    assert!(is_final(7_999) && !is_final(8_000));
}

#[tokio::test]
async fn the_last_heads_are_kept_as_they_were_shown_and_of_each_size_the_last_one() {
    let home = Home::new();
    let (ledger, _) = running(&home, home.settings()).await;
    let head = ledger.sealed().await;
    let note = ledger.inner.shared.published().expect("a head").note.clone();
    let of = |size: u64, millis: i64| {
        let commitment = Commitment { size, ..head.commitment.clone() };
        let head = Head { commitment, at: start().plus_millis(millis), ..head.clone() };
        Arc::new(Published::new(head, note.clone(), &Witnesses::default()))
    };
    let (shown, last) = (Shown::default(), KEPT as u64 + 1);
    let at = |size: u64| shown.of_size(size).map(|published| (published.size(), published.head.at));
    (1..=last).for_each(|size| shown.add(of(size, 0)));
    assert_eq!((at(1), at(2)), (None, Some((2, start()))), "the oldest went for the last one");
    shown.add(of(5, 7));
    assert_eq!(
        (at(2), at(5)),
        (Some((2, start())), Some((5, start().plus_millis(7)))),
        "it takes the place of its size"
    );
    shown.add(of(1, 0));
    assert_eq!((at(1), at(2), at(last)), (None, Some((2, start())), Some((last, start()))));
}

#[tokio::test]
async fn no_head_of_now_is_signed_over_less_than_there_is() {
    let home = Home::new();
    let settings = Settings { resign_every: Duration::from_millis(60), ..home.settings() };
    let (ledger, mut producers) = running(&home, settings).await;
    let first = ledger.sealed().await;
    // The ledger's own key ends: what comes is under no seal, and may be an issuance that every head of later has to have.
    let mut append = Append::default();
    append.record(&producers.by_authority("key.retired", Object::new().with("kid", kid("audit"))));
    ledger.must_append(&append).await;
    home.clock.advance(10_000);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let last = ledger.inner.shared.published().expect("a head").head.clone();
    assert_eq!((last.commitment, last.at), (first.commitment, first.at));
    assert!(ledger.inner.shared.keys.is_mute());
}

/// Every head in the folder of a ledger that does not run.
fn stored(home: &Home) -> Vec<Published> {
    let folder = Folder::open(home.path(), CORNER).expect("the ledger does not run");
    let log = SegmentLog::open(folder.place(HEADS).expect("a place"), SegmentOptions::default()).expect("a log");
    all(&*log.reader()).expect("heads")
}

#[tokio::test]
async fn no_head_of_now_leaves_out_what_stood_unsealed_at_a_crash() {
    let home = Home::new();
    let second = Duration::from_secs(1);
    let settings = Settings { seal_every: second, seal_busy: second, ..home.settings() };
    let (ledger, mut producers) = running(&home, settings.clone()).await;
    let sealed = ledger.sealed().await;
    ledger.must_append(&one(&mut producers)).await;
    drop(ledger);
    assert_eq!(stored(&home).last().expect("a head").size(), sealed.commitment.size, "what came last is under none");
    // More than a minute later an issuance that is missing convicts.
    home.clock.advance(120_000);
    let ledger = home.open_with(settings).expect("open");
    let next = ledger.sealed().await;
    assert!(next.commitment.size > sealed.commitment.size && next.at > sealed.at.plus_seconds(60));
    drop(ledger);
    for head in stored(&home) {
        assert!(head.size() > sealed.commitment.size || head.head.at <= sealed.at, "{:?}", head.head);
    }
}

#[tokio::test]
async fn nothing_is_dated_before_a_head_that_does_not_have_it() {
    let home = Home::new();
    let settings = Settings { resign_every: Duration::from_millis(60), ..home.settings() };
    let (ledger, mut producers) = running(&home, settings).await;
    ledger.sealed().await;
    // The clock is ahead while nothing comes, and a head shows it.
    let ahead = start().plus_millis(120_000);
    home.clock.set(ahead);
    let mut heads = ledger.inner.shared.head.subscribe();
    let shown = heads.wait_for(|head| head.as_ref().is_some_and(|head| head.head.at >= ahead));
    drop(tokio::time::timeout(Duration::from_secs(10), shown).await.expect("in time").expect("a head"));
    home.clock.set(start());
    let mut append = Append::default();
    producers.issue(crate::world::single(1), &[], &mut append);
    let refused = ledger.append(&append).await.outcomes;
    assert_eq!(refused, [Outcome::Refused { why: Refusal::Late, numbered: true }], "that head would convict it");
    let seq = ledger.inner.shared.size() - 1;
    assert!(crate::lineage::standing(&ledger.inner.shared, seq).expect("an entry").header.at >= ahead);
}

/// Appends by hand, in one commit.
fn append(ledger: &mut SteppedLedger, append: &Append) {
    ledger.append(&append.to_bytes(), |answer| assert_eq!(answer.status, 200, "{answer:?}"));
    ledger.step(false).expect("committed");
}

/// Seals, and signs nothing.
fn seal(ledger: &mut SteppedLedger) -> u64 {
    ledger.step(true).expect("committed");
    ledger.size()
}

#[test]
fn no_head_is_dated_after_an_entry_that_it_does_not_have() {
    let clock = Arc::new(ManualClock::new(start()));
    let log = || {
        SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions { ahead: false, ..SegmentOptions::default() })
    };
    let mut entries = log().expect("a log");
    SteppedLedger::genesis(&mut entries, &root(), 10, &genesis_keys(), &signer("audit"), start()).expect("a genesis");
    let opened =
        SteppedLedger::open(entries, log().expect("a log"), Home::signers(), Arc::clone(&clock) as Arc<dyn Clock>);
    let (mut ledger, mut producers) = (opened.expect("it opens"), Producers::new());
    append(&mut ledger, &producers.set_up());
    let sealed = seal(&mut ledger);
    // It comes between the seal and the signature.
    append(&mut ledger, &one(&mut producers));
    assert!(ledger.size() > sealed);
    clock.advance(500);
    ledger.sign_head().expect("signed");
    let (head, _) = ledger.head().expect("a head");
    assert_eq!((head.commitment.size, head.at), (sealed, start()), "what came is of that time, and is not under it");
    let sealed = seal(&mut ledger);
    clock.advance(500);
    ledger.sign_head().expect("signed");
    let (head, _) = ledger.head().expect("a head");
    assert_eq!((head.commitment.size, head.at), (sealed, start().plus_millis(1000)), "it has all there is");
}

#[tokio::test]
async fn what_comes_while_a_head_is_signed_is_dated_no_earlier() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home, home.settings()).await;
    let Commitment { size, chain, index, registry, .. } = ledger.sealed().await.commitment;
    let seal = SealedEntry { size, chain, index, registry, at: start() };
    home.clock.advance(500);
    let dated = lock(&ledger.inner.signing).dated(&seal);
    assert_eq!(dated, start().plus_millis(500));
    // It is not shown yet, and the clock goes back.
    home.clock.set(start());
    ledger.must_append(&one(&mut producers)).await;
    let came = crate::lineage::standing(&ledger.inner.shared, size).expect("an entry");
    assert_eq!(came.header.at, dated);
    assert_eq!(lock(&ledger.inner.signing).dated(&seal), seal.at, "something stands behind it now");
}

/// Exchanges a word in every entry, and has the last head name the root of what that comes to: all that somebody can do who may
/// write the folder and holds no key.
fn exchange(home: &Home, before: &str, after: &str) {
    let folder = Folder::open(home.path(), CORNER).expect("the ledger does not run");
    let log = SegmentLog::open(folder.place(LOG).expect("a place"), LOG_OPTIONS).expect("a log");
    let records = log.reader().read_from(0, usize::MAX, usize::MAX).expect("records");
    drop(log);
    let mut tree = MemoryTree::new();
    let changed = records.into_iter().map(|(_, bytes)| match Stored::decode(bytes).expect("a record") {
        Stored::Entry(bytes) => {
            let entry = String::from_utf8(bytes).expect("a text").replace(before, after).into_bytes();
            tree.append(leaf_hash(&entry));
            Stored::Entry(entry).encode()
        }
        other => other.encode(),
    });
    let changed: Vec<Vec<u8>> = changed.collect();
    std::fs::remove_dir_all(home.path().join(LOG)).expect("removed");
    let mut log = SegmentLog::open(folder.place(LOG).expect("a place"), LOG_OPTIONS).expect("a log");
    drop(log.append(0, &changed.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("written"));
    let heads = SegmentLog::open(folder.place(HEADS).expect("a place"), SegmentOptions::default()).expect("heads");
    let mut heads = Heads::new(heads);
    let mut last = heads.last(&Witnesses::default()).expect("heads").expect("a head");
    last.head.commitment.root = tree.root_at(last.size()).expect("a root");
    heads.store(&last).expect("stored");
}

#[tokio::test]
async fn entries_under_a_head_that_nobody_here_signed_are_hashed_again() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home, home.settings()).await;
    ledger.must_append(&one(&mut producers)).await;
    ledger.sealed().await;
    drop(ledger);
    drop(home.open().expect("it starts"));
    exchange(&home, "one more", "two more");
    let Err(LedgerError::Replay(wrong)) = home.open() else { panic!("what was exchanged is found") };
    assert!(wrong.what.contains("hash"), "{wrong}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

#[tokio::test]
async fn a_ledger_that_was_rolled_back_under_its_heads_does_not_start() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home, home.settings()).await;
    ledger.sealed().await;
    drop(ledger);
    let old = tempfile::tempdir().expect("a folder");
    copy(&home.path().join("log"), old.path());
    let ledger = home.open().expect("open");
    ledger.must_append(&one(&mut producers)).await;
    ledger.sealed().await;
    drop(ledger);
    std::fs::remove_dir_all(home.path().join("log")).expect("removed");
    copy(old.path(), &home.path().join("log"));
    assert!(matches!(home.open(), Err(LedgerError::Head(HeadError::Back { .. }))));
    assert!(matches!(crate::fsck(home.path(), &mut |_| ()), Err(LedgerError::Head(HeadError::Back { .. }))));
}

#[tokio::test]
async fn another_history_under_the_same_heads_does_not_start() {
    let (home, other) = (Home::new(), Home::new());
    let (ledger, _) = running(&home, home.settings()).await;
    ledger.sealed().await;
    drop(ledger);
    other.clock.advance(1000);
    let (ledger, mut producers) = running(&other, other.settings()).await;
    ledger.sealed().await;
    ledger.must_append(&one(&mut producers)).await;
    ledger.sealed().await;
    drop(ledger);
    std::fs::remove_dir_all(home.path().join("log")).expect("removed");
    copy(&other.path().join("log"), &home.path().join("log"));
    assert!(matches!(home.open(), Err(LedgerError::Head(HeadError::Fork { .. }))));
}

#[tokio::test]
async fn a_key_that_is_no_head_key_signs_nothing() {
    let home = Home::new();
    let signers = crate::Signers { head: signer("registry").into(), ..Home::signers() };
    let clock = Arc::clone(&home.clock) as Arc<dyn Clock>;
    let ledger = Ledger::open(home.settings(), signers, clock).expect("open");
    ledger.must_append(&Producers::new().set_up()).await;
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while !ledger.inner.shared.headless.load(Ordering::Acquire) {
        assert!(std::time::Instant::now() < until, "it never says that it signs no heads");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(ledger.inner.shared.published().is_none());
}

/// Heads of sizes 1 to `count`, as a signer would store them.
fn signed(count: u64) -> Vec<Published> {
    let zero = eleven_core::hash::Sha256::ZERO;
    let chain = eleven_core::chain::advance(None, b"an entry");
    let registry = eleven_core::head::RegistryRef { epoch: 1, hash: chain.hash };
    let head = |size| {
        let ledger = crate::world::LEDGER.to_owned();
        let commitment = Commitment { ledger, size, chain, root: zero, index: zero, registry };
        let checkpoint = Checkpoint::of(&commitment);
        let lines = vec![checkpoint.sign(&signer("head"))];
        let head = Head::sign(commitment, start(), &signer("head"));
        Published::new(head, Note { checkpoint, lines }, &Witnesses::default())
    };
    (1..=count).map(head).collect()
}

/// Stores heads until the disk fails; how many were stored.
fn store_all(disk: &FaultyDisk, heads: &[Published]) -> u64 {
    let Ok(log) = SegmentLog::open(Place::on(disk.clone()), TINY) else { return 0 };
    let mut stored = Heads::new(log);
    heads.iter().take_while(|head| stored.store(head).is_ok()).count() as u64
}

const TINY: SegmentOptions = SegmentOptions { smallest: 4096, largest: 8192, ahead: false, pack: false, recent: 0 };

#[test]
fn whatever_the_disk_does_the_last_head_is_the_one_that_was_shown_or_the_one_being_stored() {
    let heads = signed(80);
    let whole = FaultyDisk::new(1);
    assert_eq!(store_all(&whole, &heads), 80);
    let operations = whole.done().len();
    assert!(whole.names().len() > 3, "the script must pass through several segments: {:?}", whole.names());
    let faults = [
        Fault::Eio(Effect::Nothing),
        Fault::Eio(Effect::All),
        Fault::Enospc(Effect::Part(100)),
        Fault::Short(100),
        Fault::Crash,
    ];
    let ends = [Survival::Lost, Survival::Kept, Survival::Scattered(7)];
    for (at, fault) in (0..operations).flat_map(|at| faults.into_iter().map(move |fault| (at, fault))) {
        let disk = FaultyDisk::new(1);
        disk.plan(at, fault);
        let shown = store_all(&disk, &heads);
        // A drop of old heads that failed is no reason to stop; a head that was not stored is.
        let disk = disk.reboot(ends[at % ends.len()]);
        let log = SegmentLog::open(Place::on(disk), TINY).unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
        let mut stored = Heads::new(log);
        let last = stored.last(&Witnesses::default()).expect("it reads").map_or(0, |last| last.head.commitment.size);
        assert!(last == shown || (shown < 80 && last == shown + 1), "{fault:?} at {at}: {shown} shown, {last} stored");
        let next = usize::try_from(last).expect("small").min(79);
        stored.store(&heads[next]).expect("and the next is stored");
    }
}
