use super::placed::RESTORING;
use super::*;
use crate::world::{Home, LEDGER, Producers, granted, kid, root, signer, start};
use eleven_api::audit::Append;
use eleven_api::edge::Clock;
use eleven_api::keyring::Keyring;
use eleven_core::encoding::{Object, Value};
use eleven_core::root::{KeyRecord, KeyStatus};
use eleven_core::signature::Signer;
use eleven_core::time::Time;
use eleven_store::faulty::{Effect, Fault, FaultyDisk, Op};
use std::collections::BTreeSet;
use std::ffi::OsString;

/// When a copy is put back, where that makes no difference.
const NOW: Time = Time(0);

fn backup(folder: &Path, dest: &Path) -> Result<Copied, LedgerError> {
    super::backup(folder, dest, &mut |_| ())
}

fn restore(folder: &Path, source: &Path, known: &[Known], recovery: Option<&Recovery>) -> Result<Copied, LedgerError> {
    let now = recovery.map_or(NOW, |recovery| recovery.at);
    super::restore(folder, source, known, recovery, now, &mut |_| ())
}

fn checked_whole(folder: &Path) -> crate::Sound {
    crate::fsck(folder, &mut |_| ()).expect("sound")
}

fn at(home: &Home) -> Time {
    home.clock.now()
}

/// A ledger with its first records, under a head.
async fn started(home: &Home, producers: &mut Producers) -> Head {
    let ledger = home.open().expect("opens");
    ledger.must_append(&producers.set_up()).await;
    ledger.sealed().await
}

async fn more(home: &Home, producers: &mut Producers) -> Head {
    let ledger = home.open().expect("opens");
    let mut append = Append::default();
    append.record(&producers.alone("authority", crate::world::AUTHORITY, "approval.granted", Default::default()));
    ledger.must_append(&append).await;
    ledger.sealed().await
}

fn recovery(restored: &Head, lost: &Head, at: Time) -> Recovery {
    let (restored, lost) = (tree_at(restored), tree_at(lost));
    Recovery { ledger: LEDGER.into(), restored, lost, cause: "the disk is gone".into(), at, sigs: vec![] }
}

fn why(refused: Result<Copied, LedgerError>) -> String {
    refused.expect_err("refused").to_string()
}

#[tokio::test]
async fn a_copy_of_a_running_ledger_is_whole_and_ends_at_its_head() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    let ledger = home.open().expect("opens");
    ledger.must_append(&producers.set_up()).await;
    let head = ledger.sealed().await;
    let copied = backup(home.path(), dest.path()).expect("copied");
    assert!(copied.head.commitment.size >= head.commitment.size);
    drop(ledger);
    let sound = checked_whole(dest.path());
    assert_eq!((sound.entries, sound.head), (copied.head.commitment.size, copied.head.commitment.size));
    assert!(why(backup(home.path(), dest.path())).contains("not empty"));
    assert!(why(backup(Home::new().path(), &dest.path().join("other"))).contains("can't open"), "no head yet");
}

/// What was told to be done, one after the other.
fn told(passes: &[Pass]) -> Vec<&'static str> {
    assert!(passes.iter().all(|pass| pass.done > 0 && pass.done <= pass.of), "{passes:?}");
    let mut told: Vec<&str> = passes.iter().map(|pass| pass.doing).collect();
    told.dedup();
    told
}

#[tokio::test]
async fn whoever_copies_or_puts_back_is_told_how_far_it_is() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let (dest, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let mut passes = Vec::new();
    let copied = super::backup(home.path(), dest.path(), &mut |pass| passes.push(pass)).expect("copied");
    assert_eq!(told(&passes), [COPYING, READING]);
    passes.clear();
    let known = [Known::Head(copied.head)];
    super::restore(other.path(), dest.path(), &known, None, NOW, &mut |pass| passes.push(pass)).expect("restored");
    assert_eq!(told(&passes), [READING, COPYING]);
    passes.clear();
    crate::reindex(other.path(), &mut |pass| passes.push(pass)).expect("made again");
    assert_eq!(told(&passes), ["reading the log"], "what is small is indexed at once");
}

#[test]
fn what_can_not_be_read_is_read_again_only_while_somebody_may_write_it() {
    let home = Home::new();
    let log = home.path().join(LOG);
    let missing = || OpenError::Missing { segment: "00000000000000000007.seg".to_owned(), expected: 5, found: 7 };
    let gone = || OpenError::Io { doing: "open a segment".to_owned(), cause: ErrorKind::NotFound.into() };
    let later = || OpenError::Version { segment: "00000000000000000007.seg".to_owned(), found: 9 };
    // How often a log is read that never can be, for this.
    let read = |why: &dyn Fn() -> OpenError| {
        let times = std::cell::Cell::new(0);
        let never = |_: &Path| -> Result<Arc<dyn ReadLog>, OpenError> {
            times.set(times.get() + 1);
            Err(why())
        };
        assert!(open_by(&log, never).is_err());
        times.get()
    };
    assert_eq!([read(&missing), read(&gone), read(&later)], [1, 1, 1], "nobody writes");
    let held = Folder::open(home.path(), CORNER).expect("a folder");
    assert_eq!([read(&missing), read(&gone), read(&later)], [ATTEMPTS, ATTEMPTS, 1], "somebody may");
    let tries = std::cell::Cell::new(0);
    let at_last = |path: &Path| {
        tries.set(tries.get() + 1);
        if tries.get() < 3 { Err(missing()) } else { peek(path) }
    };
    assert!(open_by(&log, at_last).is_ok() && tries.get() == 3);
    drop(held);
    assert_eq!(read(&missing), 1, "nobody does any more");
}

#[tokio::test]
async fn a_ledger_goes_on_from_its_copy_where_nothing_that_was_published_is_lost() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let copied = backup(home.path(), dest.path()).expect("copied");
    // Another machine, which knows the head from a proof.
    let other = Home::empty();
    std::fs::remove_dir_all(other.path()).expect("empty");
    assert!(why(restore(other.path(), dest.path(), &[], None)).contains("no published head is known"));
    let restored = restore(other.path(), dest.path(), &[Known::Head(copied.head.clone())], None).expect("restored");
    assert_eq!(restored, Copied { entries: copied.head.commitment.size, head: copied.head.clone(), before: None });
    other.clock.set(at(&home));
    let head = more(&other, &mut producers).await;
    assert!(head.commitment.size > copied.head.commitment.size);
    assert_eq!(checked_whole(other.path()).head, head.commitment.size);
    let foreign = Head { at: head.at.plus_millis(1), ..head };
    assert!(
        why(restore(other.path(), dest.path(), &[Known::Head(foreign)], None)).contains("not signed by this ledger")
    );
}

/// A ledger that ended in order, so that its state is saved, and a copy of it.
async fn ended(home: &Home, copy: &Path) {
    let ledger = home.open().expect("opens");
    ledger.must_append(&Producers::new().set_up()).await;
    ledger.close().await;
    assert!(home.path().join("state").is_file());
    backup(home.path(), copy).expect("copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_what_stood_there_is_not_that_of_what_was_put_back() {
    let (home, dest) = (Home::new(), tempfile::tempdir().expect("a folder"));
    ended(&home, dest.path()).await;
    restore(home.path(), dest.path(), &[], None).expect("restored");
    assert!(!home.open().expect("opens").inner.is_checking(), "it goes on from the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_whole_and_can_not_be_put_into_its_place_is_put_there_by_the_next_start() {
    let (home, dest) = (Home::new(), tempfile::tempdir().expect("a folder"));
    ended(&home, dest.path()).await;
    let state = home.path().join("state");
    // A folder is not taken away as a file is.
    std::fs::remove_file(&state).expect("removed");
    std::fs::create_dir(&state).expect("made");
    let refused = why(restore(home.path(), dest.path(), &[], None));
    assert!(refused.contains("the copy is whole and not in its place yet ("), "{refused}");
    assert!(refused.ends_with("): the next command or start ends that"), "{refused}");
    assert!(home.path().join(RESTORING).exists() && home.open().is_err(), "nor does a start, yet");
    std::fs::remove_dir(&state).expect("removed");
    home.open().expect("it goes on").sealed().await;
    assert!(!home.path().join(RESTORING).exists() && home.path().join("before-1/log").is_dir());
    checked_whole(home.path());
}

/// Takes the right to write into a folder and what is in it from its owner, or gives it back. Root writes all the same.
fn writable(folder: &Path, on: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    let set =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { writable(&path, on) } else { set(&path, if on { 0o600 } else { 0o400 }) }
    }
    set(folder, if on { 0o700 } else { 0o500 });
}

#[tokio::test]
async fn a_copy_in_which_nothing_can_be_written_is_checked_copied_and_put_back() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let (dest, next) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let copied = backup(home.path(), dest.path()).expect("copied");
    writable(dest.path(), false);
    assert_eq!(checked_whole(dest.path()).entries, copied.entries);
    assert_eq!(head_of(dest.path()).expect("a head"), copied.head);
    assert_eq!(backup(dest.path(), next.path()).expect("copied again"), copied);
    let restored = restore(home.path(), dest.path(), &[], None);
    writable(dest.path(), true);
    assert_eq!(restored.expect("restored").entries, copied.entries);
    checked_whole(home.path());
}

#[tokio::test]
async fn a_checkpoint_that_the_ledger_signed_counts_as_its_head_does() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let (dest, next) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let newest = more(&home, &mut producers).await;
    backup(home.path(), next.path()).expect("copied");
    let note = checkpoint_of(next.path()).expect("a checkpoint");
    assert_eq!(note.checkpoint.size, newest.commitment.size);
    let other = Home::empty();
    std::fs::remove_dir_all(other.path()).expect("empty");
    let known = |note: &Note| [Known::Checkpoint(note.clone())];
    let refused = why(restore(other.path(), dest.path(), &known(&note), None));
    assert!(refused.contains(&format!("a head over {} is published", newest.commitment.size)), "{refused}");

    // Signed by a stranger, under another origin, or for another root, it is nothing that this ledger published.
    let resigned = |change: &dyn Fn(&mut Note), by: &str| {
        let mut note = note.clone();
        change(&mut note);
        note.lines = vec![note.checkpoint.sign(&signer(by))];
        why(restore(other.path(), dest.path(), &known(&note), None))
    };
    assert!(resigned(&|_| (), "stranger").contains("not signed by this ledger"));
    assert!(
        resigned(&|note| note.checkpoint.origin = "other/ledger".into(), "head").contains("not signed by this ledger")
    );
    let mut forged = note.clone();
    forged.checkpoint.size += 1;
    assert!(why(restore(other.path(), dest.path(), &known(&forged), None)).contains("not signed by this ledger"));

    // A smaller head of another history counts beside a larger one that the copy holds.
    let mut forked = note.clone();
    forked.checkpoint.size -= 1;
    forked.lines = vec![forked.checkpoint.sign(&signer("head"))];
    let both = [Known::Checkpoint(note.clone()), Known::Checkpoint(forked)];
    let refused = why(restore(other.path(), next.path(), &both, None));
    assert!(refused.contains("is of another history than the copy"), "{refused}");

    let newer = restore(other.path(), next.path(), &known(&note), None).expect("what was published is in it");
    assert!(newer.head.commitment.size > old.commitment.size);
}

#[tokio::test]
async fn a_copy_of_another_ledger_is_said_to_be_one() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let (dest, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let mut head = backup(home.path(), dest.path()).expect("copied").head;
    head.commitment.ledger = "ledger://another".to_owned();
    let record = Object::new().with("head", head.to_value());
    let folder = Folder::open(other.path(), CORNER).expect("opened");
    let kept = Kept { head, record: Value::Object(record).canonical() };
    write_head(folder.place(HEADS).expect("a place"), &kept).expect("written");
    drop(folder);
    let refused = why(restore(other.path(), dest.path(), &[], None));
    let told = format!("the copy is of {LEDGER}, and {} is the folder of ledger://another", other.path().display());
    assert!(refused.contains(&told), "{refused}");
}

/// The files of one of a ledger's logs as they are, in another folder.
fn copy_files(from: &Path, to: &Path, log: &str) {
    std::fs::create_dir_all(to.join(log)).expect("made");
    for file in std::fs::read_dir(from.join(log)).expect("a log") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(log).join(file.file_name())).expect("copied");
    }
}

/// A copy whose log goes on past its last head, as of a ledger that ran or a mirror that was catching up: that head, and
/// one over what lies past it.
async fn past_its_head(home: &Home, producers: &mut Producers, copy: &Path) -> (Head, Head) {
    started(home, producers).await;
    copy_files(home.path(), copy, HEADS);
    let between = more(home, producers).await;
    more(home, producers).await;
    copy_files(home.path(), copy, LOG);
    let last = head_of(copy).expect("a head");
    assert!(last.commitment.size < between.commitment.size);
    (last, between)
}

#[tokio::test]
async fn what_a_copy_holds_past_its_last_head_is_put_back_too() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let copy = tempfile::tempdir().expect("a folder");
    let (last, between) = past_its_head(&home, &mut producers, copy.path()).await;
    let other = Home::empty();
    std::fs::remove_dir_all(other.path()).expect("empty");
    // A witness knows the head in between: the copy holds all that it covers.
    let restored = restore(other.path(), copy.path(), &[Known::Head(between.clone())], None).expect("restored");
    let entries = checked_whole(other.path()).entries;
    assert!(entries > between.commitment.size, "{entries} entries, and a head over {}", between.commitment.size);
    assert_eq!((restored.entries, restored.head), (entries, last));
    other.clock.set(at(&home));
    let head = more(&other, &mut producers).await;
    assert!(head.commitment.size > entries);
    let replayed = recover::replay(&*open(&other.path().join(LOG)).expect("a log"), Depth::RESUME).expect("whole");
    assert_eq!(replayed.tree.root_at(between.commitment.size), Some(between.commitment.root), "it is the same history");
}

#[tokio::test]
async fn a_copy_that_goes_on_past_its_head_still_lacks_what_came_after_it() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let copy = tempfile::tempdir().expect("a folder");
    let (last, _) = past_its_head(&home, &mut producers, copy.path()).await;
    let newest = more(&home, &mut producers).await;
    let holds = checked(copy.path(), Depth::Everything, &mut |_| ()).expect("whole").replayed.tree.size();
    let refused = why(restore(home.path(), copy.path(), &[], None));
    let said = format!("the copy holds {holds} entries and a head over {} is published", newest.commitment.size);
    assert!(refused.contains(&said), "{refused}");
    let signed = recovery(&last, &newest, at(&home)).signed(&signer("root"));
    assert_eq!(restore(home.path(), copy.path(), &[], Some(&signed)).expect("restored").entries, holds);
    let ledger = home.open().expect("opens");
    ledger.sealed().await;
    let events = (holds..ledger.inner.shared.size())
        .map(|seq| crate::lineage::standing(&ledger.inner.shared, seq).expect("one"));
    let recovered = events.map(|standing| standing.record).find(|record| record.event == "ledger.recovered");
    assert_eq!(recovered.expect("the root's word").data, signed.to_object());
    drop(ledger);
    checked_whole(home.path());
}

#[tokio::test]
async fn an_old_copy_is_refused_unless_the_root_gives_up_exactly_what_is_lost() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let newest = more(&home, &mut producers).await;
    let running = home.open().expect("opens");
    assert!(matches!(restore(home.path(), dest.path(), &[], None), Err(LedgerError::Folder(_))), "it runs");
    drop(running);

    let refused = why(restore(home.path(), dest.path(), &[], None));
    assert!(refused.contains(&format!("a head over {} is published", newest.commitment.size)), "{refused}");
    let unsigned = recovery(&old, &newest, at(&home));
    assert!(why(restore(home.path(), dest.path(), &[], Some(&unsigned))).contains("a threshold of the root's keys"));
    let other = recovery(&old, &old, at(&home)).signed(&signer("root"));
    assert!(why(restore(home.path(), dest.path(), &[], Some(&other))).contains("gives up another head"));
    let other = recovery(&newest, &newest, at(&home)).signed(&signer("root"));
    assert!(why(restore(home.path(), dest.path(), &[], Some(&other))).contains("restores another state"));
    let other = Recovery { ledger: "ledger://other".into(), ..unsigned.clone() }.signed(&signer("root"));
    assert!(why(restore(home.path(), dest.path(), &[], Some(&other))).contains("of another ledger"));
    assert_eq!(checked_whole(home.path()).head, newest.commitment.size);

    let signed = unsigned.signed(&signer("root"));
    let restored = restore(home.path(), dest.path(), &[], Some(&signed)).expect("restored");
    let before = restored.before.expect("what stood there is kept");
    assert!(before.join("log").is_dir() && before.join("heads").is_dir());
    let ledger = home.open().expect("opens");
    let head = ledger.sealed().await;
    let events = (0..head.commitment.size)
        .map(|seq| crate::lineage::standing(&ledger.inner.shared, seq).expect("an entry").record);
    let recovered: Vec<_> = events.filter(|record| record.event == "ledger.recovered").collect();
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].data, signed.to_object());
    drop(ledger);
    assert!(!home.path().join("recovery.json").exists());
    drop(home.open().expect("opens again, and records it once"));
    assert_eq!(checked_whole(home.path()).entries, head.commitment.size);
}

#[tokio::test]
async fn a_recovery_is_good_for_going_back_once() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    more(&home, &mut producers).await;
    more(&home, &mut producers).await;
    let lost = more(&home, &mut producers).await;
    let signed = recovery(&old, &lost, at(&home)).signed(&signer("root"));
    restore(home.path(), dest.path(), &[], Some(&signed)).expect("restored");

    // It goes on, for now with fewer entries than were lost.
    let ledger = home.open().expect("opens");
    let next = ledger.sealed().await;
    drop(ledger);
    assert!(old.commitment.size < next.commitment.size && next.commitment.size < lost.commitment.size);
    let heads = [Known::Head(lost.clone()), Known::Head(next.clone())];
    for known in [&heads[..0], &heads[..1], &heads[1..], &heads[..]] {
        let refused = why(restore(home.path(), dest.path(), known, Some(&signed)));
        assert!(refused.contains("it was used before"), "{refused}");
    }
    // Another for the same head does not answer for the one that came since.
    let again = recovery(&old, &lost, at(&home).plus_millis(1)).signed(&signer("root"));
    let refused = why(restore(home.path(), dest.path(), &heads, Some(&again)));
    assert!(refused.contains(&format!("a head over {} entries is published too", next.commitment.size)), "{refused}");
    assert_eq!(checked_whole(home.path()).head, next.commitment.size);

    // A copy of what goes on says itself what was given up: who still shows that shows nothing that is lost.
    let newer = tempfile::tempdir().expect("a folder");
    backup(home.path(), newer.path()).expect("copied");
    let other = Home::empty();
    std::fs::remove_dir_all(other.path()).expect("empty");
    assert!(why(restore(other.path(), newer.path(), &heads[..1], None)).contains("no published head is known"));
    restore(other.path(), newer.path(), &heads, None).expect("restored");

    // And the root may let it go back once more, with what it gave up then still shown by somebody.
    let signed = recovery(&old, &next, at(&home)).signed(&signer("root"));
    restore(home.path(), dest.path(), &heads, Some(&signed)).expect("restored");
}

#[tokio::test]
async fn heads_that_can_not_be_read_are_named_and_not_taken_for_none() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let head = backup(home.path(), dest.path()).expect("copied").head;
    let heads = home.path().join(HEADS);
    for file in std::fs::read_dir(&heads).expect("a log") {
        let file = std::fs::File::options().write(true).open(file.expect("a file").path()).expect("opened");
        file.set_len(1000).expect("cut");
    }
    let known = [Known::Head(head)];
    for known in [&known[..0], &known[..]] {
        let refused = why(restore(home.path(), dest.path(), known, None));
        let said = format!("{} does not tell which head was published last", heads.display());
        assert!(refused.starts_with(&said) && refused.contains("move it out of the folder"), "{refused}");
    }
    std::fs::remove_dir_all(&heads).expect("moved away");
    assert!(why(restore(home.path(), dest.path(), &[], None)).contains("no published head is known here"));
    restore(home.path(), dest.path(), &known, None).expect("restored");
    checked_whole(home.path());
}

#[tokio::test]
async fn what_a_restore_gave_up_is_known_until_a_start_records_it() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let [dest, middle, next] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    more(&home, &mut producers).await;
    let between = backup(home.path(), middle.path()).expect("copied").head;
    let newest = more(&home, &mut producers).await;
    backup(home.path(), next.path()).expect("copied");
    let signed = recovery(&old, &newest, at(&home)).signed(&signer("root"));
    restore(home.path(), dest.path(), &[], Some(&signed)).expect("restored");

    // The folder's own last head is the copy's by now.
    for copy in [&dest, &middle] {
        let refused = why(restore(home.path(), copy.path(), &[], None));
        assert!(refused.contains(&format!("a head over {} is published", newest.commitment.size)), "{refused}");
        assert_eq!(pending(home.path()).expect("read").as_ref(), Some(&signed));
    }
    restore(home.path(), dest.path(), &[], Some(&signed)).expect("restored again by the same word");
    let other = recovery(&between, &newest, at(&home)).signed(&signer("root"));
    restore(home.path(), middle.path(), &[], Some(&other)).expect("restored by a word for this copy");
    assert_eq!(pending(home.path()).expect("read"), Some(other));
    restore(home.path(), next.path(), &[], None).expect("nothing is given up");
    assert_eq!(pending(home.path()).expect("read"), None);
}

#[tokio::test]
async fn what_was_put_back_by_the_roots_word_gives_way_to_an_older_copy_also_where_the_log_before_it_is_lost() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let [dest, middle] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    more(&home, &mut producers).await;
    let between = backup(home.path(), middle.path()).expect("copied").head;
    let newest = more(&home, &mut producers).await;
    let other = Home::empty();
    std::fs::remove_dir_all(other.path()).expect("empty");
    let unsigned = recovery(&between, &newest, at(&home));
    let first = unsigned.clone().signed(&signer("root"));
    restore(other.path(), middle.path(), &[Known::Head(newest.clone())], Some(&first)).expect("restored");

    let second = recovery(&old, &newest, at(&home)).signed(&signer("root"));
    let again = || restore(other.path(), dest.path(), &[], Some(&second));
    let set = |word: &Recovery| {
        std::fs::write(other.path().join("recovery.json"), word.to_object().canonical()).expect("written");
    };
    set(&unsigned.signed(&signer("policy")));
    let refused = why(again());
    let said = format!("a head over {} entries is published too", between.commitment.size);
    assert!(refused.contains(&said), "the root did not say so: {refused}");
    set(&first);
    again().expect("both words give up the same");
    assert_eq!(pending(other.path()).expect("read"), Some(second));
}

#[tokio::test]
async fn a_smaller_head_is_given_up_with_a_larger_one_where_the_log_that_is_replaced_holds_both() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let between = more(&home, &mut producers).await;
    let newest = more(&home, &mut producers).await;
    let signed = recovery(&old, &newest, at(&home)).signed(&signer("root"));
    let known = [Known::Head(between.clone()), Known::Head(newest.clone())];
    let said = format!("a head over {} entries is published too", between.commitment.size);
    let other = Home::empty();
    std::fs::remove_dir_all(other.path()).expect("empty");
    let refused = why(restore(other.path(), dest.path(), &known, Some(&signed)));
    assert!(refused.contains(&said), "{refused}");
    let mut forked = eleven_core::head::checkpoint::Checkpoint::of(&between.commitment);
    forked.root = newest.commitment.root;
    let forked = Note { lines: vec![forked.sign(&signer("head"))], checkpoint: forked };
    let refused = why(restore(home.path(), dest.path(), &[Known::Checkpoint(forked)], Some(&signed)));
    assert!(refused.contains(&said), "{refused}");
    restore(home.path(), dest.path(), &known, Some(&signed)).expect("restored");
}

#[tokio::test]
async fn a_head_by_a_key_that_came_after_the_copy_is_given_up_by_a_word_of_the_root_that_names_it() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let between = more(&home, &mut producers).await;
    let newest = more(&home, &mut producers).await;
    // The key was renewed meanwhile, and the log that says so is lost.
    let renewed = Head::sign(newest.commitment.clone(), newest.at, &signer("head-2"));
    let known = [Known::Head(renewed)];
    let other = Home::empty();
    std::fs::remove_dir_all(other.path()).expect("empty");
    let unnamed = recovery(&old, &between, at(&home)).signed(&signer("root"));
    for word in [None, Some(&unnamed)] {
        let refused = why(restore(other.path(), dest.path(), &known, word));
        assert!(refused.contains("not signed by this ledger"), "{refused}");
        assert!(refused.contains("by a recovery that names it as lost"), "{refused}");
    }
    let forged = recovery(&old, &newest, at(&home)).signed(&signer("policy"));
    let refused = why(restore(other.path(), dest.path(), &known, Some(&forged)));
    assert!(refused.contains("did not sign it"), "{refused}");
    let signed = recovery(&old, &newest, at(&home)).signed(&signer("root"));
    restore(other.path(), dest.path(), &known, Some(&signed)).expect("restored");
    assert_eq!(pending(other.path()).expect("read"), Some(signed));
}

/// The version after the first, which names another root key and calls the one before compromised.
fn second_root() -> TrustRoot {
    let first = root();
    let ended = KeyRecord { status: KeyStatus::Compromised(start()), ..first.keys[0].clone() };
    let key = KeyRecord { kid: kid("root-2"), public: signer("root-2").public(), ..first.keys[0].clone() };
    let (prev, keys) = (Some(first.hash_for_prev()), vec![key, ended]);
    let next = TrustRoot { version: 2, prev, keys, sigs: Vec::new(), ..first };
    next.signed(&[&signer("root-2"), &signer("root")]).expect("a root")
}

#[tokio::test]
async fn a_root_key_that_ended_since_the_copy_was_made_lets_nothing_go_back_alone() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let ledger = home.open().expect("opens");
    let mut append = Append::default();
    let published = Object::new().with("root", second_root().to_value());
    append.record(&producers.by_authority("root.published", published));
    ledger.must_append(&append).await;
    let newest = ledger.sealed().await;
    drop(ledger);
    let word = recovery(&old, &newest, at(&home));
    let not_alone = || {
        for (label, lacking) in [("root", 2), ("root-2", 1)] {
            let signed = word.clone().signed(&signer(label));
            let refused = why(restore(home.path(), dest.path(), &[], Some(&signed)));
            assert!(refused.contains(&format!("keys of version {lacking} did not sign it")), "{label}: {refused}");
            assert!(refused.contains("keys of both have to sign it"), "{label}: {refused}");
        }
    };
    not_alone();
    // What can be read before what is damaged says so, too.
    let whole = tempfile::tempdir().expect("a folder");
    copy_files(home.path(), whole.path(), LOG);
    let folder = Folder::open(home.path(), CORNER).expect("a folder");
    let mut log = SegmentLog::open(folder.place(LOG).expect("a place"), LOG_OPTIONS).expect("a log");
    let (next, spoilt) = (log.next(), Stored::Entry(b"none".to_vec()).encode());
    drop(log.append(next, &[&spoilt]).expect("appended"));
    drop((log, folder));
    not_alone();
    std::fs::remove_dir_all(home.path().join(LOG)).expect("removed");
    copy_files(whole.path(), home.path(), LOG);
    assert_eq!(checked_whole(home.path()).head, newest.commitment.size);
    // One document: the old key's word is for whoever replays the copy, the new one's is the word of the root in force.
    let both = word.clone().signed(&signer("root")).signed(&signer("root-2"));
    restore(home.path(), dest.path(), &[], Some(&both)).expect("restored");
    home.open().expect("it goes on").sealed().await;
    checked_whole(home.path());
}

#[tokio::test]
async fn nothing_goes_back_to_a_copy_whose_roots_keys_have_ended() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let newest = more(&home, &mut producers).await;
    let ended = Time::parse_millis("2026-07-01T00:00:00.000Z").expect("when the keys end");
    let signed = recovery(&old, &newest, ended).signed(&signer("root"));
    let refused = why(restore(home.path(), dest.path(), &[], Some(&signed)));
    assert!(
        refused.contains("0 of the root's keys of version 1 counted when it was signed, and 1 have to"),
        "{refused}"
    );
    let signed = recovery(&old, &newest, ended.plus_millis(-1)).signed(&signer("root"));
    // Signed in time, and put back when the ledger could not record that any more.
    let late = super::restore(home.path(), dest.path(), &[], Some(&signed), ended, &mut |_| ());
    assert!(why(late).contains("no event key of the ledger's that the copy names counts any more"));
    restore(home.path(), dest.path(), &[], Some(&signed)).expect("restored");
}

#[tokio::test]
async fn nothing_goes_back_to_a_copy_by_whose_keys_it_could_not_be_recorded() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    copy_files(home.path(), dest.path(), HEADS);
    let old = head_of(home.path()).expect("a head");
    let open = || {
        let held = ["audit", "audit-2"].map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
        let signers = crate::Signers { event: Keyring::new(held).expect("keys"), ..Home::signers() };
        crate::Ledger::open(home.settings(), signers, Arc::clone(&home.clock) as Arc<dyn Clock>).expect("opens")
    };
    let mut one = |event, data| {
        let mut append = Append::default();
        append.record(&producers.by_authority(event, data));
        append
    };
    // The copy ends between the end of the ledger's own key and the beginning of the next.
    let ledger = open();
    ledger.must_append(&one("key.retired", Object::new().with("kid", kid("audit")))).await;
    drop(ledger);
    copy_files(home.path(), dest.path(), LOG);
    let ledger = open();
    let next = granted("audit-2", KeyUse::Event, LEDGER).to_object();
    ledger.must_append(&one("key.registered", next)).await;
    let newest = ledger.sealed().await;
    drop(ledger);
    let signed = recovery(&old, &newest, at(&home)).signed(&signer("root"));
    let refused = why(restore(home.path(), dest.path(), &[], Some(&signed)));
    assert!(refused.contains("no event key of the ledger's that the copy names counts any more"), "{refused}");
    assert_eq!(checked_whole(home.path()).head, newest.commitment.size, "what stands there stays");
}

/// A folder as a crash leaves it that comes after so many of a restore's moves.
async fn cut_short(moves: usize) -> (Home, Head) {
    let (home, mut producers) = (Home::new(), Producers::new());
    let copy = tempfile::tempdir().expect("a folder");
    started(&home, &mut producers).await;
    let old = tempfile::tempdir().expect("a folder");
    [LOG, HEADS].iter().for_each(|log| copy_files(home.path(), old.path(), log));
    more(&home, &mut producers).await;
    let newest = backup(home.path(), copy.path()).expect("copied").head;
    for log in [LOG, HEADS] {
        std::fs::rename(home.path().join(log), home.path().join(restored(log))).expect("moved");
        copy_files(old.path(), home.path(), log);
    }
    std::fs::write(home.path().join(RESTORING), "before-1").expect("written");
    std::fs::create_dir(home.path().join("before-1")).expect("made");
    let steps = [LOG, HEADS]
        .into_iter()
        .flat_map(|log| [(log.to_owned(), format!("before-1/{log}")), (restored(log), log.to_owned())]);
    for (from, to) in steps.take(moves) {
        std::fs::rename(home.path().join(from), home.path().join(to)).expect("moved");
    }
    (home, newest)
}

#[tokio::test]
async fn a_restore_that_a_crash_cut_short_is_ended_by_the_next_start() {
    for moves in 0..=4 {
        let (home, newest) = cut_short(moves).await;
        assert!(matches!(home.genesis(), Err(LedgerError::NotEmpty(_))), "after {moves} moves");
        // Whoever only looks looks at one of the two, too, and leaves what a start can go on with.
        let (home, _) = cut_short(moves).await;
        checked_whole(home.path());
        crate::size::size(home.path()).unwrap_or_else(|error| panic!("after {moves} moves: {error}"));
        let ledger = home.open().unwrap_or_else(|error| panic!("after {moves} moves: {error}"));
        assert!(ledger.sealed().await.commitment.size >= newest.commitment.size, "after {moves} moves");
        drop(ledger);
        checked_whole(home.path());
        assert!(home.path().join("before-1/log").is_dir() && home.path().join("before-1/heads").is_dir());
        assert!(![RESTORING, "log.restored", "heads.restored"].iter().any(|name| home.path().join(name).exists()));
    }
}

/// The names of what a folder holds.
fn names(folder: &Path) -> BTreeSet<OsString> {
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect()
}

#[tokio::test]
async fn a_copy_for_which_there_is_no_room_leaves_the_folder_as_it_was() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    let newest = started(&home, &mut producers).await;
    backup(home.path(), dest.path()).expect("copied");
    let before = names(home.path());
    for name in [LOG, HEADS] {
        // Full from the first, and by the last sync of what is copied there.
        let (small, late, tried) = (FaultyDisk::new(1), FaultyDisk::new(1), FaultyDisk::new(1));
        let written = if name == LOG {
            copy_log(&*open(&dest.path().join(LOG)).expect("a log"), Place::on(tried.clone()), None, &mut |_| ())
        } else {
            let last = last_head(&*open(&dest.path().join(HEADS)).expect("heads")).expect("a head");
            write_head(Place::on(tried.clone()), &last)
        };
        written.expect("there is room");
        small.set_room(Some(4096));
        let sync = tried.done().iter().rposition(|op| *op == Op::Sync).expect("it is synced");
        late.plan(sync, Fault::Enospc(Effect::Nothing));
        for disk in [small, late] {
            let place = |home: &Folder, at: &str| -> Result<Place, FolderError> {
                let place = home.place(at)?;
                Ok(if at == restored(name) { Place::on(disk.clone()) } else { place })
            };
            let refused = why(restore_by(home.path(), dest.path(), &[], None, NOW, &place, &mut |_| ()));
            assert!(refused.starts_with("not restored, the folder is as it was: "), "{name}: {refused}");
            assert!(refused.contains("No space left") && !refused.contains("the ledger stops"), "{name}: {refused}");
            assert!(!refused.contains("start the process"), "no process runs: {refused}");
            assert_eq!(names(home.path()), before, "{name}");
        }
    }
    assert_eq!(checked_whole(home.path()).head, newest.commitment.size);
    restore(home.path(), dest.path(), &[], None).expect("restored");
}

#[tokio::test]
async fn a_restore_that_fails_at_its_end_takes_its_copies_and_its_word_back() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let [dest, next] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let newest = more(&home, &mut producers).await;
    backup(home.path(), next.path()).expect("copied");
    let signed = recovery(&old, &newest, at(&home)).signed(&signer("root"));
    // A folder stands where the file is to be written.
    let fails = |draft: &str, copy: &Path, recovery: Option<&Recovery>| {
        let draft = home.path().join(draft);
        std::fs::create_dir(&draft).expect("made");
        let before = names(home.path());
        let refused = why(restore(home.path(), copy, &[], recovery));
        assert!(refused.starts_with("not restored, the folder is as it was: "), "{refused}");
        assert_eq!(names(home.path()), before, "{refused}");
        std::fs::remove_dir(&draft).expect("removed");
    };
    fails("recovery.draft", dest.path(), Some(&signed));
    fails("restoring.draft", dest.path(), Some(&signed));
    assert_eq!(checked_whole(home.path()).head, newest.commitment.size);

    // What an earlier restore left to be recorded is still to be recorded.
    restore(home.path(), dest.path(), &[], Some(&signed)).expect("restored");
    fails("restoring.draft", next.path(), None);
    assert_eq!(pending(home.path()).expect("read"), Some(signed));
}

#[tokio::test]
async fn what_is_to_be_recorded_changes_with_the_logs_and_not_before() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let [dest, next] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    started(&home, &mut producers).await;
    let old = backup(home.path(), dest.path()).expect("copied").head;
    let newest = more(&home, &mut producers).await;
    backup(home.path(), next.path()).expect("copied");
    let signed = recovery(&old, &newest, at(&home)).signed(&signer("root"));
    restore(home.path(), dest.path(), &[], Some(&signed)).expect("restored");
    // A crash right before the mark of a restore that gives up nothing, and one after it.
    set_word(home.path(), None).expect("written");
    assert_eq!(finish(home.path()).expect("nothing is cut short"), None);
    assert_eq!(pending(home.path()).expect("read"), Some(signed.clone()));
    mark(home.path()).expect("marked");
    finish(home.path()).expect("ended");
    assert_eq!(pending(home.path()).expect("read"), None);

    // The same of one that gives something up.
    set_word(home.path(), Some(&signed.to_object().canonical())).expect("written");
    assert_eq!(pending(home.path()).expect("read"), None);
    mark(home.path()).expect("marked");
    finish(home.path()).expect("ended");
    assert_eq!(pending(home.path()).expect("read"), Some(signed.clone()));
    let ledger = home.open().expect("opens");
    let head = ledger.sealed().await;
    let events = (0..head.commitment.size)
        .map(|seq| crate::lineage::standing(&ledger.inner.shared, seq).expect("an entry").record);
    let recovered = events.filter(|record| record.event == "ledger.recovered").map(|record| record.data);
    assert_eq!(recovered.collect::<Vec<_>>(), [signed.to_object()]);
    drop(ledger);
    assert!(!names(home.path()).iter().any(|name| name.to_string_lossy().starts_with("recovery.")));
    checked_whole(home.path());
}

#[tokio::test]
async fn a_restore_that_can_not_be_taken_back_says_that_what_it_began_stays() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    let newest = started(&home, &mut producers).await;
    backup(home.path(), dest.path()).expect("copied");
    // While it copies a folder comes to stand where its mark is to be: that is neither written nor taken away.
    let marked = home.path().join(RESTORING);
    let place = |folder: &Folder, at: &str| -> Result<Place, FolderError> {
        if at == restored(HEADS) {
            std::fs::create_dir(&marked).expect("made");
        }
        folder.place(at)
    };
    let refused = why(restore_by(home.path(), dest.path(), &[], None, NOW, &place, &mut |_| ()));
    let (cause, left) = refused.split_once("; ").expect("why, and what stays");
    assert!(cause.starts_with("not restored: ") && cause.contains("os error"), "{refused}");
    let said = "what was begun stays, restore again to have it taken away: ";
    assert!(left.starts_with(said) && left.contains("os error"), "{refused}");
    assert!([LOG, HEADS].iter().all(|name| home.path().join(restored(name)).is_dir()), "it stays");
    assert!(!home.path().join("before-1").exists() && !home.path().join("restoring.draft").exists());

    std::fs::remove_dir(&marked).expect("removed");
    assert_eq!(checked_whole(home.path()).head, newest.commitment.size, "the ledger is what it was");
    restore(home.path(), dest.path(), &[], None).expect("restored");
    assert!(![LOG, HEADS].iter().any(|name| home.path().join(restored(name)).exists()), "it is taken away");
    checked_whole(home.path());
}

#[tokio::test]
async fn a_copy_is_packed_as_the_ledger_is() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    let ledger = home.open().expect("opens");
    ledger.must_append(&producers.set_up()).await;
    // More than is copied at a time.
    for n in 0..12 {
        let mut append = Append::default();
        let evidence = append.blob(vec![n; 800_000]);
        append.record(&producers.denial(&evidence.to_string()));
        ledger.must_append(&append).await;
    }
    ledger.sealed().await;
    backup(home.path(), dest.path()).expect("copied");
    let place = Folder::open(dest.path(), CORNER).expect("a folder").place(LOG).expect("a log");
    let found = eleven_store::inspect(&place).expect("whole");
    assert_eq!((found.segments, found.packed), (4, 3), "all but the one that was written to last");
}

#[tokio::test]
async fn a_recovery_that_the_root_did_not_sign_never_becomes_an_entry() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let head = started(&home, &mut producers).await;
    let lost =
        Head { commitment: eleven_core::head::Commitment { size: 99, ..head.commitment.clone() }, ..head.clone() };
    let forged = recovery(&head, &lost, at(&home)).signed(&signer("policy"));
    std::fs::write(home.path().join("recovery.json"), forged.to_object().canonical()).expect("written");
    let refused = home.open().err().expect("it does not start").to_string();
    assert!(refused.contains("does not pass the rules"), "{refused}");
    std::fs::write(home.path().join("recovery.json"), "{}").expect("written");
    assert!(home.open().err().expect("it does not start").to_string().contains("recovery"));
}

#[test]
fn a_copy_is_written_by_pieces_of_what_a_ledger_writes_at_once() {
    let sizes = |records: &[usize]| -> Vec<Vec<usize>> {
        let records: Vec<Vec<u8>> = records.iter().map(|size| vec![7; *size]).collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        commits(&records).map(|commit| commit.iter().map(|record| record.len()).collect()).collect()
    };
    let (most, some) = (COMMIT_BYTES, COMMIT_BYTES / 4);
    assert!(sizes(&[]).is_empty());
    assert_eq!(sizes(&[some; 9]), [vec![some; 4], vec![some; 4], vec![some]]);
    assert_eq!(sizes(&[0, most, 0, 1]), [vec![0, most, 0], vec![1]]);
    // What is larger alone is written alone.
    assert_eq!(sizes(&[1, most + 1, most + 1, 1]), [vec![1], vec![most + 1], vec![most + 1], vec![1]]);
}
