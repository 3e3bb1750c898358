use super::*;
use crate::audit::Outcome;
use crate::fsck;
use crate::home::{CORNER, HEADS, LOG, LOG_OPTIONS};
use crate::ledger::{Ledger, failure};
use crate::world::{Home, POINT, Producers, kid, signer, single};
use crate::{LedgerError, Signers};
use eleven_api::audit::Append;
use eleven_core::artifact::{Use, nonce};
use eleven_core::hash::Sha3;
use eleven_core::head::Commitment;
use eleven_store::faulty::{Effect, Fault, FaultyDisk};
use eleven_store::{Folder, Log as _, Place, SegmentLog, SegmentOptions};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;

/// A ledger in which something of everything is: uses that ended, run and were never made, denials, a refusal, an
/// equivocation, a revocation.
async fn filled(home: &Home) -> (Ledger, Producers) {
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    let mut ended = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut ended, 1, &mut append);
    producers.finish(&mut ended, &mut append);
    let mut running = producers.issue(single(2), &[], &mut append);
    producers.begin(&mut running, 1, &mut append);
    let mut bounded = producers.issue(Use::Bounded { nonce: nonce(&[3; 17]), max: 3 }, &[], &mut append);
    producers.begin(&mut bounded, 1, &mut append);
    producers.finish(&mut bounded, &mut append);
    let unused = producers.issue(single(4), &[], &mut append);
    append.record(&producers.denial("first"));
    ledger.must_append(&append).await;
    ledger.sealed().await;
    let mut append = Append::default();
    append.record(&producers.revoke(&unused.artifact));
    ledger.must_append(&append).await;

    let number = producers.number("gw-0");
    let mut append = Append::default();
    // Nobody but the authority publishes.
    append.record(&producers.alone("gw-0", POINT, "policy.retired", Object::new().with("ref", "policy://medical/v1")));
    assert!(matches!(ledger.append(&append).await.outcomes[..], [Outcome::Refused { numbered: true, .. }]));
    producers.set_number("gw-0", number - 1);
    let mut append = Append::default();
    append.record(&producers.denial("another under the same number"));
    assert_eq!(ledger.append(&append).await.outcomes, [Outcome::Equivocation { new: true }]);
    producers.set_number("gw-0", number + 1);
    (ledger, producers)
}

fn state(home: &Home) -> PathBuf {
    home.path().join(FILE)
}

/// The fields of a state, as they are written.
fn bytes_of(shared: &Shared) -> Vec<u8> {
    let mut bytes = Vec::new();
    save_shared(shared, &mut bytes).expect("memory takes all");
    bytes
}

/// Whether the saved state of a closed ledger is used, or why not.
fn loaded(home: &Home) -> Result<(), String> {
    loaded_under(home, &|_| ())
}

/// The same, where the last head commits to something else.
fn loaded_under(home: &Home, change: &dyn Fn(&mut Commitment)) -> Result<(), String> {
    let file = File::open(state(home)).expect("a state");
    let folder = Folder::open(home.path(), CORNER).expect("a folder");
    let log = SegmentLog::open(folder.place(LOG).expect("a place"), LOG_OPTIONS).expect("a log");
    let heads = SegmentLog::open(folder.place(HEADS).expect("a place"), SegmentOptions::default()).expect("a log");
    let mut last = crate::heads::all(&*heads.reader()).expect("heads").pop().expect("a head");
    change(&mut last.head.commitment);
    Saved(file).load(&*log.reader(), &last, &Home::signers().head).map(drop)
}

/// Whether the state of a closed ledger is used that was changed and saved once more, by the ledger's own head key.
fn loaded_of(home: &Home, change: &dyn Fn(&Shared)) -> Result<(), String> {
    let ledger = home.open().expect("opens");
    let shared = &ledger.inner.shared;
    change(shared);
    write(shared, home.path(), &signer("head")).expect("written");
    drop(ledger);
    loaded(home)
}

/// The bytes of a state as another build would have written them, signed by the ledger's own head key.
fn by_build(state: &[u8], build: &str) -> Vec<u8> {
    let (state, length) = state.split_last_chunk::<4>().expect("a length");
    let (fields, document) = state.split_at(state.len() - u32::from_le_bytes(*length) as usize);
    let document = parse_canonical(document).expect("a document");
    let document = document.as_object().cloned().expect("an object").with("build", build);
    let sig = signer("head").signature(&document.canonical_without(&["sig"]));
    let document = document.with("sig", sig.to_value()).canonical();
    let length = u32::try_from(document.len()).expect("a small one").to_le_bytes();
    [fields, document.as_slice(), length.as_slice()].concat()
}

/// Changes a byte of the first entry from a position on, which is found from the log's end, as somebody writes it who knows
/// how logs are written.
fn damage(home: &Home, from: impl FnOnce(u64) -> u64) {
    let folder = Folder::open(home.path(), CORNER).expect("a folder");
    let mut log = SegmentLog::open(folder.place(LOG).expect("a place"), LOG_OPTIONS).expect("a log");
    let end = log.next();
    log.close_segment().expect("closed");
    let entry = |bytes: Vec<u8>| matches!(Stored::decode(bytes), Some(Stored::Entry(_)));
    let records = log.reader().read_from(from(end), 10, usize::MAX).expect("records");
    let (at, bytes) = records.into_iter().find(|(_, bytes)| entry(bytes.clone())).expect("an entry");
    let mut changed = bytes;
    let last = changed.len() - 40;
    changed[last] ^= 1;
    let rewritten = log.rewriter().rewrite(&[(at, changed)].into(), &false.into());
    rewritten.expect("rewritten");
    assert_eq!(log.next(), end);
}

#[test]
fn what_is_written_is_read_across_blocks() {
    const BLOCK: usize = 1 << 20;
    for length in [0, 1, BLOCK - 9, BLOCK - 8, BLOCK - 7, BLOCK, 2 * BLOCK - 8, 2 * BLOCK + 1] {
        let text = "x".repeat(length);
        let mut bytes = Vec::new();
        let mut out = Out::new(&mut bytes);
        text.save(&mut out).expect("written");
        let digest = out.finish().expect("written");
        let mut from = bytes.as_slice();
        let mut input = In::new(&mut from, bytes.len() as u64);
        assert!(String::load(&mut input).expect("read") == text);
        assert_eq!(input.finish().expect("all of it"), digest, "{length}");
        bytes.push(0);
        let mut from = bytes.as_slice();
        let mut input = In::new(&mut from, bytes.len() as u64);
        drop(String::load(&mut input).expect("read"));
        assert!(input.finish().is_err(), "there is more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_state_is_what_a_replay_comes_to() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    assert_eq!(loaded(&home), Ok(()));

    let ledger = home.open().expect("opens");
    assert!(ledger.inner.is_checking(), "the state was used");
    assert!(!state(&home).exists(), "it is read once");
    let by_state = bytes_of(&ledger.inner.shared);
    let history = format!("{:?}", read(&ledger.inner.shared.places).history());
    drop(ledger);
    let ledger = home.open().expect("opens");
    assert!(!ledger.inner.is_checking(), "there was none");
    assert!(by_state == bytes_of(&ledger.inner.shared), "what was saved while it ran is what the log comes to");
    assert_eq!(history, format!("{:?}", read(&ledger.inner.shared.places).history()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_goes_on_from_its_saved_state_as_from_its_log() {
    let home = Home::new();
    let (ledger, mut producers) = filled(&home).await;
    let size = ledger.inner.shared.size();
    ledger.close().await;
    let ledger = home.open().expect("opens");
    let head = ledger.inner.shared.published().expect("a head");
    assert_eq!(head.size(), size + 1, "what was not sealed is sealed at the end");
    let mut append = Append::default();
    let mut operation = producers.issue(single(9), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    ledger.must_append(&append).await;
    ledger.close().await;
    let ledger = home.open().expect("opens");
    let size = ledger.inner.shared.size();
    ledger.close().await;
    assert_eq!(loaded(&home), Ok(()));
    assert_eq!(fsck(home.path(), &mut |_| ()).expect("sound").met.entries, size, "nothing to seal, no entry more");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_clean_end_saves() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    drop(ledger);
    assert!(!state(&home).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_saved_while_the_authority_has_another_registry() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.inner.shared.disagreement.store(true, Ordering::Release);
    ledger.close().await;
    assert!(!state(&home).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_with_one_bit_changed_is_not_used() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    let whole = std::fs::read(state(&home)).expect("a state");
    // Each byte of what says what it is, and some of the fields.
    let document = whole.len().saturating_sub(600);
    for at in (0..whole.len()).filter(|at| *at >= document || at % 61 == 0) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(state(&home), &changed).expect("written");
        assert!(loaded(&home).is_err(), "byte {at}");
    }
    for length in [0, 1, 3, 4, 100, whole.len() - 1] {
        std::fs::write(state(&home), &whole[..length]).expect("written");
        assert!(loaded(&home).is_err(), "{length} bytes of it");
    }
    // Nobody minds: the log is there.
    let ledger = home.open().expect("opens");
    assert!(!ledger.inner.is_checking());
    drop(ledger);
    std::fs::write(state(&home), &whole).expect("written");
    assert_eq!(loaded(&home), Ok(()), "it was this very state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_of_this_log_and_by_the_ledgers_own_head_key() {
    let home = Home::new();
    let (ledger, mut producers) = filled(&home).await;
    ledger.close().await;
    let kept = std::fs::read(state(&home)).expect("a state");

    let ledger = home.open().expect("opens");
    let stranger = signer("stranger");
    write(&ledger.inner.shared, home.path(), &stranger).expect("written");
    let mut append = Append::default();
    append.record(&producers.denial("one more"));
    ledger.must_append(&append).await;
    drop(ledger);
    assert_eq!(loaded(&home), Err("it is not signed by a head key of this ledger".to_owned()));
    std::fs::write(state(&home), &kept).expect("written");
    assert_eq!(loaded(&home), Err("the log has changed since".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_another_build_is_not_used_whoever_signed_it() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    let kept = std::fs::read(state(&home)).expect("a state");
    let (form, version) = (BUILD.rsplit_once('/').expect("a form").1, env!("CARGO_PKG_VERSION"));
    let form: u32 = form.parse().expect("a number");
    // The forms before this one, the one after it, and another version's.
    let forms = (1..form).chain([form + 1]).map(|form| format!("{version}/{form}"));
    for build in forms.chain([format!("{version}.0/{form}"), version.to_owned()]) {
        std::fs::write(state(&home), by_build(&kept, &build)).expect("written");
        assert_eq!(loaded(&home), Err("saved state: `build` is not this build's".to_owned()), "{build}");
    }
    // Its log is read instead.
    let ledger = home.open().expect("opens");
    assert!(!ledger.inner.is_checking());
    drop(ledger);
    std::fs::write(state(&home), by_build(&kept, BUILD)).expect("written");
    assert_eq!(loaded(&home), Ok(()), "but for that it is this very state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_the_one_that_the_last_head_commits_to() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    let refused = |change: &dyn Fn(&mut Commitment)| loaded_under(&home, change).err().unwrap_or_default();
    assert_eq!(refused(&|head| head.size -= 1), "it is of another size than the last head");
    let state = "the last head commits to another state";
    assert_eq!(refused(&|head| head.root = Sha256::ZERO), state);
    assert_eq!(refused(&|head| head.chain = eleven_core::chain::advance(Some(&head.chain), b"one more")), state);
    assert_eq!(refused(&|head| head.index = Sha256::ZERO), state);
    let registry = "the last head commits to another registry";
    assert_eq!(refused(&|head| head.registry.epoch += 1), registry);
    assert_eq!(refused(&|head| head.registry.hash = Sha3::of(&[b"another"])), registry);
    assert_eq!(refused(&|head| head.ledger = "ledger://other".to_owned()), registry);
    assert_eq!(loaded(&home), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_a_state_is_as_long_as_the_last_head_says() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    let parts: [&dyn Fn(&Shared); 4] = [
        &|shared| *crate::state::write(&shared.book) = Book::new(),
        &|shared| *crate::state::write(&shared.places) = Places::default(),
        &|shared| *crate::state::write(&shared.tree) = MemoryTree::new(),
        &|shared| crate::state::write(&shared.sealed).size -= 1,
    ];
    for change in parts {
        assert_eq!(loaded_of(&home, change), Err("it is of another size than the last head".to_owned()));
    }
    assert_eq!(loaded_of(&home, &|_| ()), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_of_a_log_whose_last_entry_is_its_own() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    damage(&home, |end| end - 1);
    let why = loaded(&home).expect_err("it is not used");
    assert!(why.ends_with("there is another at its place"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_state_is_saved_that_no_head_of_this_ledger_covers() {
    let home = Home::new();
    let saved = |ledger: &Ledger, keys: &Keyring| save(&ledger.inner.shared, home.path(), keys);
    let (own, other) = (Home::signers().head, Keyring::from(signer("registry")));
    // Its key is no head key: no head is signed.
    let signers = Signers { head: other.clone(), ..Home::signers() };
    let clock = Arc::clone(&home.clock) as Arc<dyn eleven_api::edge::Clock>;
    let ledger = Ledger::open(home.settings(), signers, clock).expect("opens");
    assert_eq!(saved(&ledger, &own), Err("there is no head yet".to_owned()));
    drop(ledger);

    let (ledger, mut producers) = filled(&home).await;
    ledger.sealed().await;
    assert_eq!(saved(&ledger, &other), Err("the last head's key is not held here".to_owned()));
    assert_eq!(saved(&ledger, &own), Ok(()));
    let not_covered = Err("what came last is not under a head".to_owned());
    let disagreement = &ledger.inner.shared.disagreement;
    disagreement.store(true, Ordering::Release);
    assert_eq!(saved(&ledger, &own), not_covered);
    disagreement.store(false, Ordering::Release);
    // The ledger's own event key ends: what comes is under no seal.
    let mut append = Append::default();
    append.record(&producers.by_authority("key.retired", Object::new().with("kid", kid("audit"))));
    ledger.must_append(&append).await;
    assert_eq!(saved(&ledger, &own), not_covered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_whose_saved_state_stays_where_it_is_does_not_start() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    let entries = || fsck(home.path(), &mut |_| ()).expect("sound").met.entries;
    let before = entries();
    // A folder is not taken away as a file is.
    std::fs::remove_file(state(&home)).expect("a state");
    std::fs::create_dir(state(&home)).expect("made");
    let Some(LedgerError::Io(error)) = home.open().err() else { panic!("it must not start") };
    assert!(error.to_string().contains("can't be taken away, and the log may not change beside it"), "{error}");
    assert_eq!(entries(), before);
    std::fs::remove_dir(state(&home)).expect("removed");
    drop(home.open().expect("opens"));
}

#[test]
fn a_disk_that_refuses_now_and_then_is_asked_again_and_not_for_ever() {
    let disk = FaultyDisk::new(1);
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("a log");
    assert_eq!(log.append(0, &[b"a record"]).expect("appended").count(), 1);
    let reader = log.reader();
    let refused = |times: usize, stop: bool| {
        let next = disk.operations();
        (next..next + times).for_each(|at| disk.plan(at, Fault::Eio(Effect::Nothing)));
        check::piece(reader.as_ref(), 0, &AtomicBool::new(stop))
    };
    assert_eq!(refused(1, false), Ok(vec![(0, b"a record".to_vec())]));
    let why = refused(1, true).expect_err("who is to end does not ask again");
    assert!(why.contains("the log could not be read"), "{why}");
    let why = refused(64, false).expect_err("it gives up");
    assert!(why.contains("the log could not be read"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_does_not_wait_for_ever_for_who_still_reads() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    let reading = Arc::clone(&ledger.inner);
    tokio::time::timeout(Duration::from_secs(30), ledger.close()).await.expect("it ends");
    assert!(!state(&home).exists(), "what is read from may still change");
    assert!(home.open().is_err(), "its log is still held");
    drop(reading);
    drop(home.open().expect("opens"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hung_up_caller_still_reads_keeps_no_state_from_being_saved() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    let read = Arc::clone(&ledger.inner);
    let reading = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(read);
    });
    ledger.close().await;
    reading.join().expect("it has read");
    assert_eq!(loaded(&home), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_failed_saves_nothing() {
    let home = Home::new();
    let (mut ledger, _) = filled(&home).await;
    let (fail, failed) = watch::channel(None);
    ledger.failed = failed;
    fail.send_replace(Some("the log is not what was saved of it".to_owned()));
    ledger.close().await;
    assert!(!state(&home).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_while_the_log_is_read_is_not_held_against_the_tree_yet() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    let ledger = home.open().expect("opens");
    let shared = &ledger.inner.shared;
    let end = shared.log.durable();
    // The tree is behind the log for a moment in each commit: as here for good.
    let last = MemoryTree::clone(&read(&shared.tree));
    let mut behind = MemoryTree::new();
    (0..last.size() - 1).for_each(|seq| behind.append(last.node(0, seq).expect("a leaf")));
    *crate::state::write(&shared.tree) = behind;
    let before = read(&shared.places).entry(last.size() - 1).expect("its place");
    let never = AtomicBool::new(false);
    assert_eq!(check::check(shared, before, &never), Ok(()));
    assert!(check::check(shared, end, &never).is_err());
    *crate::state::write(&shared.tree) = last;
    assert_eq!(check::check(shared, end, &never), Ok(()));
}

/// Content that is gone from the log since, by the ledger's own hand, so that no entry changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_from_before_content_was_moved_ends_the_ledger() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    let folder = Folder::open(home.path(), CORNER).expect("a folder");
    let mut log = SegmentLog::open(folder.place(LOG).expect("a place"), LOG_OPTIONS).expect("a log");
    log.close_segment().expect("closed");
    let records = log.reader().read_from(0, usize::MAX, usize::MAX).expect("records");
    let blob = records.into_iter().find_map(|(at, bytes)| match Stored::decode(bytes) {
        Some(Stored::Blob(bytes)) => Some((at, Stored::Moved(Sha3::of(&[&bytes])).encode())),
        _ => None,
    });
    log.rewriter().rewrite(&[blob.expect("content")].into(), &false.into()).expect("rewritten");
    drop((log, folder));
    let ledger = home.open().expect("opens");
    assert!(ledger.inner.is_checking());
    let mut failed = ledger.failed.clone();
    let why = tokio::time::timeout(Duration::from_secs(20), failure(&mut failed)).await.expect("it is found");
    assert!(why.contains("is gone, and was saved as there"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_damaged_under_its_saved_state_ends_the_ledger() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    ledger.close().await;
    damage(&home, |_| 20);
    assert_eq!(loaded(&home), Ok(()), "a start does not see it");

    let ledger = home.open().expect("opens");
    let mut failed = ledger.failed.clone();
    let why = tokio::time::timeout(Duration::from_secs(20), failure(&mut failed)).await.expect("it is found");
    assert!(why.contains("is wrong: it is not the one that its head commits to"), "{why}");
    drop(ledger);
    assert!(home.open().is_err(), "and the next start, which reads the log, says no");
}
