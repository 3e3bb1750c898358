use super::*;
use crate::audit::Outcome;
use crate::heads::Heads;
use crate::rules::Refusal;
use crate::state::{Shared, read};
use crate::world::{DOMAIN, Home, IDENTITY, Operation, POINT, Producers, signer};
use crate::{Ledger, Settings};
use eleven_api::audit::Append;
use eleven_core::artifact::{Use, nonce};
use eleven_core::encoding::Object;
use eleven_core::lineage::LineageError;
use eleven_core::registry::retention::{Hold, Retention};
use eleven_core::registry::{ApprovedInterface, InterfaceRecord, Lists};
use eleven_store::faulty::{Effect, Fault, FaultyDisk, Survival};
use eleven_store::{Place, Rewriter, SegmentOptions};
use std::sync::Arc;
use std::time::Duration;

fn checked_whole(folder: &Path) -> crate::Sound {
    crate::fsck(folder, &mut |_| ()).expect("sound")
}

fn single(n: u8) -> Use {
    Use::Single { nonce: nonce(&[n; 17]) }
}

fn approve(producers: &mut Producers, append: &mut Append, record: InterfaceRecord) {
    let approved = ApprovedInterface::sign(DOMAIN, record, &signer("policy"));
    append.record(&producers.by_authority("interface.approved", approved.to_object()));
}

fn run(producers: &mut Producers, append: &mut Append, n: u8) -> Operation {
    let mut operation = producers.issue(single(n), &[], append);
    producers.begin(&mut operation, 1, append);
    producers.finish(&mut operation, append);
    operation
}

fn days(n: i64) -> Time {
    crate::world::start().plus_millis(n * 86_400_000)
}

/// Three operations: one that ended, one that is held, one that runs; their ids.
async fn domain(home: &Home, retention: Option<u64>) -> [String; 3] {
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    let (ended, held) = (run(&mut producers, &mut append, 1), run(&mut producers, &mut append, 2));
    let mut running = producers.issue(single(3), &[], &mut append);
    producers.begin(&mut running, 1, &mut append);
    if let Some(days) = retention {
        let set = Retention::new(days, "own").expect("a retention");
        approve(&mut producers, &mut append, set.record(DOMAIN));
    }
    let hold = Hold::on("operation", &held.op).expect("a hold");
    let record = hold.record(DOMAIN, &Lists::default(), true).expect("placed");
    approve(&mut producers, &mut append, record);
    ledger.must_append(&append).await;
    ledger.sealed().await;
    ledger.sign_registry().await;
    [ended.op, held.op, running.op]
}

/// Waits until the ledger's last head is of that time.
async fn signs(ledger: &Ledger, at: Time) {
    let mut heads = ledger.inner.shared.head.subscribe();
    let signed = heads.wait_for(|last| last.as_ref().is_some_and(|last| last.head.at >= at));
    drop(tokio::time::timeout(Duration::from_secs(10), signed).await.expect("in time").expect("it runs"));
}

/// Has the ledger run at that time, until it has signed a head.
async fn ran(home: &Home, at: Time) {
    home.clock.set(at);
    signs(&home.open().expect("opens"), at).await;
}

/// A denial under a head of that time, by which content goes.
async fn goes_on(home: &Home, ledger: &Ledger, producers: &mut Producers, at: Time) {
    home.clock.set(at);
    let mut append = Append::default();
    append.record(&producers.denial("later"));
    ledger.must_append(&append).await;
    signs(ledger, at).await;
}

/// Has a ledger run, and moves what is past its retention to the archive `to`: so many pieces.
pub(crate) async fn moved_to(home: &Home, to: &Path) -> u64 {
    domain(home, Some(10)).await;
    ran(home, days(11)).await;
    archive(home.path(), to, days(11)).expect("archived").pieces
}

async fn bundle(home: &Home, archive: Option<&Path>, op: &str) -> Result<String, String> {
    let settings = Settings { archive: archive.map(Path::to_owned), ..home.settings() };
    let ledger = home.open_with(settings).expect("opens");
    ledger.sealed().await;
    let bundle = crate::proof::bundle(&ledger.inner.shared, op);
    bundle.map(|bundle| bundle.to_value().to_string()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn content_past_its_retention_moves_and_every_proof_stays() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let [ended, held, running] = domain(&home, Some(10)).await;
    ran(&home, days(11)).await;
    let before = bundle(&home, None, &ended).await.expect("a bundle");
    let sound = checked_whole(home.path());
    let early = archive(home.path(), to.path(), days(9)).expect("nothing to do");
    assert_eq!((early.pieces, early.lineages), (0, 0));

    let done = archive(home.path(), to.path(), days(11)).expect("archived");
    assert_eq!(
        (done.pieces, done.lineages, done.held, done.days),
        (2, 1, 1, 10),
        "its artifact and its decision's input"
    );
    let met = crate::Met { moved: 2, ..sound.met };
    assert_eq!(checked_whole(home.path()), crate::Sound { met, ..sound }, "not an entry has changed");
    let absent = bundle(&home, None, &ended).await.expect_err("its artifact is elsewhere");
    assert!(absent.contains("ledger.archive"), "{absent}");
    for other in [&held, &running] {
        bundle(&home, None, other).await.expect("kept");
    }
    let part = |text: &str, from: &str, to: &str| {
        let at = text.find(from).expect("a member");
        text[at..at + text[at..].find(to).expect("its end")].to_owned()
    };
    let after = bundle(&home, Some(to.path()), &ended).await.expect("served from the archive");
    let artifact = |text: &str| part(text, "\"artifact\":{", "\"checkpoint\"");
    assert_eq!(artifact(&after), artifact(&before));
    let again = archive(home.path(), to.path(), days(12)).expect("once more");
    assert_eq!(again.pieces, 0, "what moved is not moved twice");
}

#[tokio::test]
async fn without_a_retention_nothing_moves() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    domain(&home, None).await;
    let refused = archive(home.path(), to.path(), days(99_999)).expect_err("refused").to_string();
    assert!(refused.contains("no retention is set"), "{refused}");
    let running = home.open().expect("opens");
    assert!(matches!(archive(home.path(), to.path(), days(1)), Err(LedgerError::Folder(_))), "it runs");
    drop(running);
}

#[tokio::test]
async fn a_clock_that_is_ahead_moves_nothing_that_no_head_lets_go() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    domain(&home, Some(10)).await;
    let moved = |now| archive(home.path(), to.path(), now).map(|done| (done.pieces, done.lineages));
    assert_eq!(moved(days(376)).expect("looked"), (0, 0), "its heads are of the first day");
    ran(&home, days(11)).await;
    assert_eq!(moved(days(9)).expect("looked"), (0, 0), "a head that is of a time to come moves nothing either");
    // Without heads there is nobody who could judge by one.
    let (heads, away) = (home.path().join(HEADS), home.path().join("away"));
    std::fs::rename(&heads, &away).expect("moved");
    assert!(moved(days(376)).expect_err("refused").to_string().contains("no head was signed yet"));
    std::fs::remove_dir_all(&heads).expect("removed");
    std::fs::rename(&away, &heads).expect("moved back");
    assert_eq!(moved(days(376)).expect("archived"), (2, 1));
    checked_whole(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_beside_a_saved_state() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    domain(&home, Some(10)).await;
    home.clock.set(days(11));
    let ledger = home.open().expect("opens");
    signs(&ledger, days(11)).await;
    ledger.close().await;
    let state = home.path().join("state");
    let saved = std::fs::read(&state).expect("a state");
    // A folder is not taken away as a file is.
    std::fs::remove_file(&state).expect("removed");
    std::fs::create_dir(&state).expect("made");
    let refused = archive(home.path(), to.path(), days(11)).expect_err("it stays where it is");
    assert!(matches!(refused, LedgerError::Io(_)), "{refused}");
    std::fs::remove_dir(&state).expect("removed");
    std::fs::write(&state, saved).expect("written");
    assert_eq!(archive(home.path(), to.path(), days(11)).expect("archived").pieces, 2);
    assert!(!home.open().expect("opens").inner.is_checking(), "it goes on from the log");
}

#[tokio::test]
async fn the_ledgers_own_reading_refuses_a_lower_retention() {
    let home = Home::new();
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    approve(&mut producers, &mut append, Retention::new(2192, "hipaa").expect("a retention").record(DOMAIN));
    ledger.must_append(&append).await;
    let mut lower = Append::default();
    approve(&mut producers, &mut lower, Retention::new(183, "eu-ai-act").expect("a retention").record(DOMAIN));
    let answer = ledger.append(&lower).await;
    let said = format!("{:?}", answer.outcomes);
    assert!(said.contains("a retention is only ever raised"), "{said}");
}

/// As many refusals as close the log's first segment, each with large evidence.
async fn refusals(ledger: &Ledger, producers: &mut Producers) -> Vec<Sha3> {
    let mut evidence = Vec::new();
    for n in 0..12 {
        let mut append = Append::default();
        evidence.push(append.blob(vec![n; 100_000]));
        append.record(&producers.denial(&evidence[usize::from(n)].to_string()));
        ledger.must_append(&append).await;
    }
    evidence
}

fn retain(producers: &mut Producers, append: &mut Append, days: u64) {
    approve(producers, append, Retention::new(days, "own").expect("a retention").record(DOMAIN));
}

fn moving(home: &Home, to: &Path, every: Duration) -> Ledger {
    let settings = Settings { archive: Some(to.to_owned()), archive_every: Some(every), ..home.settings() };
    home.open_with(settings).expect("opens")
}

fn stands(shared: &Shared, content: &Sha3) -> Stored {
    let position = read(&shared.places).blob(content).expect("known");
    shared.stored(position).expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_runs_moves_what_is_past_by_itself() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let mut producers = Producers::new();
    let ledger = moving(&home, to.path(), Duration::from_millis(10));
    let mut append = producers.set_up();
    let (ended, held) = (run(&mut producers, &mut append, 1), run(&mut producers, &mut append, 2));
    retain(&mut producers, &mut append, 10);
    let hold = Hold::on("operation", &held.op).expect("a hold");
    approve(&mut producers, &mut append, hold.record(DOMAIN, &Lists::default(), true).expect("placed"));
    ledger.must_append(&append).await;
    let evidence = refusals(&ledger, &mut producers).await;
    ledger.sealed().await;
    ledger.sign_registry().await;
    let shared = Arc::clone(&ledger.inner.shared);
    let shown = |op: &str| crate::proof::bundle(&shared, op).expect("a bundle").to_value();
    let before = shown(&ended.op);
    let artifact = Sha3::of(&[&ended.artifact.to_value().canonical()]);
    assert!(matches!(stands(&shared, &artifact), Stored::Blob(_)), "nothing is past yet");

    goes_on(&home, &ledger, &mut producers, days(11)).await;
    for _ in 0..500 {
        if matches!(stands(&shared, &evidence[0]), Stored::Moved(_)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for gone in [&artifact, &evidence[0], &evidence[5]] {
        assert!(matches!(stands(&shared, gone), Stored::Moved(hash) if hash == *gone));
        assert_eq!(Sha3::of(&[&shared.blob(gone).expect("served from the archive")]), *gone);
    }
    let kept = Sha3::of(&[&held.artifact.to_value().canonical()]);
    assert!(matches!(stands(&shared, &kept), Stored::Blob(_)), "it is held");
    assert_eq!(shown(&ended.op).get("artifact"), before.get("artifact"));

    // What is sent again is meant to stay, and does: the one who names it now is not past.
    let mut again = Append::default();
    again.blob(vec![0; 100_000]);
    again.record(&producers.denial(&evidence[0].to_string()));
    ledger.must_append(&again).await;
    assert!(matches!(stands(&shared, &evidence[0]), Stored::Blob(_)));
    ledger.sealed().await;
    assert_eq!(shared.counts.failed_archivings.load(Ordering::Relaxed), 0);
    let busy = Archive::writing(to.path()).err().expect("the ledger writes to it").to_string();
    assert!(busy.contains("is held by"), "{busy}");
    drop((shared, ledger));

    let sound = checked_whole(home.path());
    assert!(sound.met.moved >= 8, "{sound:?}");
    assert!(bundle(&home, None, &ended.op).await.expect_err("elsewhere").contains("ledger.archive"));
    let after = bundle(&home, Some(to.path()), &ended.op).await.expect("served from the archive");
    assert!(after.contains(&before.get("artifact").expect("one").to_string()));
    let ledger = home.open().expect("opens");
    assert!(matches!(stands(&ledger.inner.shared, &evidence[0]), Stored::Blob(_)), "also after a restart");
    assert!(matches!(stands(&ledger.inner.shared, &evidence[1]), Stored::Moved(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_moves_nothing_out_of_a_ledger_that_runs() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let mut producers = Producers::new();
    let often = Duration::from_millis(10);
    let ledger = moving(&home, to.path(), often);
    let mut append = producers.set_up();
    let ended = run(&mut producers, &mut append, 1);
    retain(&mut producers, &mut append, 10);
    ledger.must_append(&append).await;
    let evidence = refusals(&ledger, &mut producers).await;
    ledger.sealed().await;
    let artifact = Sha3::of(&[&ended.artifact.to_value().canonical()]);
    let stays = async |ledger: &Ledger, why: &str| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for content in [&artifact, &evidence[0]] {
            assert!(matches!(stands(&ledger.inner.shared, content), Stored::Blob(_)), "{why}");
        }
    };
    home.clock.set(days(376));
    stays(&ledger, "its last head is of the first day").await;
    drop(ledger);

    // A clock that is ahead when it starts dates a head, but not the one by which content goes then.
    home.clock.set(days(40));
    let ledger = moving(&home, to.path(), Duration::from_secs(3600));
    signs(&ledger, days(40)).await;
    stays(&ledger, "an earlier process signed the head that counts").await;
    drop(ledger);

    // Once it is right again nothing goes by what it dated.
    home.clock.set(days(1));
    let ledger = moving(&home, to.path(), often);
    stays(&ledger, "the clock does not let it go").await;
    goes_on(&home, &ledger, &mut producers, days(2)).await;
    stays(&ledger, "nor does it later").await;
    assert_eq!(ledger.inner.shared.counts.failed_archivings.load(Ordering::Relaxed), 0);
    drop(ledger);
    checked_whole(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_again_meanwhile_stays() {
    let home = Home::new();
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    retain(&mut producers, &mut append, 10);
    let mut unused = producers.issue(single(1), &[], &mut append);
    ledger.must_append(&append).await;
    let evidence = refusals(&ledger, &mut producers).await;
    let shared = &ledger.inner.shared;
    let never = AtomicBool::new(false);
    let rules = || read(&shared.book).registry().and_then(Rules::of);
    let past = || Past::of(&*shared.log, rules().expect("a retention"), days(11), &never).expect("read");
    let reconsider = |past: &mut Past| past.reconsider(&*shared.log, rules().as_ref(), &never).expect("read");

    let mut first = past();
    assert!(evidence.iter().all(|hash| first.going.contains(hash)));
    let mut named = Append::default();
    named.record(&producers.denial(&evidence[0].to_string()));
    ledger.must_append(&named).await;
    reconsider(&mut first);
    assert!(!first.going.contains(&evidence[0]) && first.going.contains(&evidence[1]));

    let mut used = past();
    let mut append = Append::default();
    producers.begin(&mut unused, 1, &mut append);
    ledger.must_append(&append).await;
    reconsider(&mut used);
    assert!(used.going.is_empty(), "a lineage that was past goes on");

    let mut held = past();
    assert!(held.going.contains(&evidence[1]));
    let mut append = Append::default();
    let hold = Hold::on("identity", "agent:x").expect("a hold");
    approve(&mut producers, &mut append, hold.record(DOMAIN, &Lists::default(), true).expect("placed"));
    ledger.must_append(&append).await;
    reconsider(&mut held);
    assert!(held.going.is_empty(), "a hold was placed");
    let stopped = Past::of(&*shared.log, rules().expect("rules"), days(11), &AtomicBool::new(true));
    assert!(matches!(stopped, Err(LedgerError::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted));
}

/// A ledger that has an archive and is too slow to move anything to it by itself, and what changes its log.
fn by_hand(home: &Home, to: &Path) -> (Ledger, Rewriter) {
    let folder = Folder::open(home.path(), crate::home::CORNER).expect("the folder");
    let open = |name, options| SegmentLog::open(folder.place(name).expect("a place"), options).expect("a log");
    let (log, heads) = (open(LOG, LOG_OPTIONS), Heads::new(open(HEADS, SegmentOptions::default())));
    let every = Some(Duration::from_secs(3600));
    let settings = Settings { archive: Some(to.to_owned()), archive_every: every, ..home.settings() };
    let clock = Arc::clone(&home.clock) as Arc<dyn eleven_api::edge::Clock>;
    let rewriter = log.rewriter();
    (Ledger::start(log, heads, None, settings, Home::signers(), clock).expect("starts"), rewriter)
}

/// Waits, on this thread, until it is so.
fn until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_leave_the_log_is_marked_no_more_and_goes_the_next_time() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let mut producers = Producers::new();
    let (ledger, rewriter) = by_hand(&home, to.path());
    let mut append = producers.set_up();
    let mut unused = producers.issue(single(1), &[], &mut append);
    retain(&mut producers, &mut append, 10);
    ledger.must_append(&append).await;
    // A folder stands where a segment is written anew.
    let taken = home.path().join(LOG).join("pack.tmp");
    std::fs::create_dir(&taken).expect("made");
    let evidence = refusals(&ledger, &mut producers).await;
    let (shared, never) = (&ledger.inner.shared, AtomicBool::new(false));
    let artifact = Sha3::of(&[&unused.artifact.to_value().canonical()]);

    let failed = running::move_past(shared, &rewriter, days(11), &never).expect_err("the log cannot be written");
    assert!(matches!(failed, LedgerError::Io(_)), "{failed}");
    let archive = shared.archive.as_ref().expect("an archive");
    for content in [&artifact, &evidence[0]] {
        assert!(archive.content(content).is_some(), "it is in the archive");
        assert!(read(&shared.places).keeps_blob(content), "and nobody has to send it again");
        assert!(matches!(stands(shared, content), Stored::Blob(_)));
    }
    // What an artifact allows that is still there is still allowed.
    let mut append = Append::default();
    producers.begin(&mut unused, 1, &mut append);
    ledger.must_append(&append).await;

    std::fs::remove_dir(&taken).expect("removed");
    let done = running::move_past(shared, &rewriter, days(11), &never).expect("moved").expect("a retention");
    assert!(done.pieces > 0, "{done:?}");
    assert!(matches!(stands(shared, &evidence[0]), Stored::Moved(hash) if hash == evidence[0]));
    assert_eq!(Sha3::of(&[&shared.blob(&evidence[0]).expect("served from the archive")]), evidence[0]);
    assert!(matches!(stands(shared, &artifact), Stored::Blob(_)), "its lineage runs now");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_judged_before_content_was_marked_is_waited_for() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let mut producers = Producers::new();
    let (ledger, rewriter) = by_hand(&home, to.path());
    let mut append = producers.set_up();
    retain(&mut producers, &mut append, 10);
    ledger.must_append(&append).await;
    let evidence = refusals(&ledger, &mut producers).await;
    let (shared, never) = (&ledger.inner.shared, AtomicBool::new(false));
    let done = std::thread::scope(|scope| {
        let judging = shared.judging.lock().expect("whole");
        let mover = scope.spawn(|| running::move_past(shared, &rewriter, days(11), &never));
        until("marked", || !read(&shared.places).keeps_blob(&evidence[0]));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!mover.is_finished() && matches!(stands(shared, &evidence[0]), Stored::Blob(_)));
        drop(judging);
        mover.join().expect("no panic")
    });
    assert!(done.expect("moved").expect("a retention").pieces > 0);
    assert!(matches!(stands(shared, &evidence[0]), Stored::Moved(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_judged_while_content_is_to_move_keeps_it() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let mut producers = Producers::new();
    let (ledger, rewriter) = by_hand(&home, to.path());
    let mut append = producers.set_up();
    retain(&mut producers, &mut append, 10);
    ledger.must_append(&append).await;
    let evidence = refusals(&ledger, &mut producers).await;
    // Nothing is left that the writer would do by itself.
    ledger.sealed().await;
    let mut placed = Append::default();
    let hold = Hold::on("identity", IDENTITY).expect("a hold");
    approve(&mut producers, &mut placed, hold.record(DOMAIN, &Lists::default(), true).expect("placed"));
    let (shared, never) = (&ledger.inner.shared, AtomicBool::new(false));
    let runtime = tokio::runtime::Handle::current();
    let done = std::thread::scope(|scope| {
        // As long as somebody reads the book the writer judges, and cannot apply what it judged.
        let book = read(&shared.book);
        let appending = scope.spawn(|| runtime.block_on(ledger.must_append(&placed)));
        until("judged", || shared.judging.try_lock().is_err());
        std::thread::sleep(Duration::from_millis(100));
        assert!(shared.judging.try_lock().is_err(), "it is held from the judgement until that is applied");
        let mover = scope.spawn(|| running::move_past(shared, &rewriter, days(11), &never));
        std::thread::sleep(Duration::from_millis(100));
        drop(book);
        appending.join().expect("it is taken");
        mover.join().expect("no panic")
    });
    let done = done.expect("looked").expect("a retention");
    assert_eq!(done.pieces, 0, "{done:?}");
    for content in &evidence {
        assert!(read(&shared.places).keeps_blob(content) && matches!(stands(shared, content), Stored::Blob(_)));
    }
    assert!(shared.judging.try_lock().is_ok());
}

#[test]
fn an_archiving_that_failed_is_counted_and_one_that_was_stopped_is_not() {
    let counts = crate::state::Counts::default();
    let failed = || Err(LedgerError::Commit("the archive: the disk is full".to_owned()));
    running::told(&counts, failed(), &AtomicBool::new(false));
    running::told(&counts, failed(), &AtomicBool::new(true));
    running::told(&counts, Ok(None), &AtomicBool::new(false));
    assert_eq!(counts.failed_archivings.load(Ordering::Relaxed), 1);
    let folder = tempfile::tempdir().expect("a folder");
    drop(Archive::writing(folder.path()).expect("made"));
    let refused = Archive::open(folder.path()).expect("opens").add(Vec::new()).expect_err("refused").to_string();
    assert!(refused.contains("opened for reading"), "{refused}");
    let home = Home::new();
    let settings = Settings { archive_every: Some(Duration::from_secs(1)), ..home.settings() };
    assert!(matches!(home.open_with(settings), Err(LedgerError::Setting(_))));
}

#[tokio::test]
async fn an_archive_that_is_not_mounted_is_not_replaced_by_an_empty_one() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let [ended, ..] = domain(&home, Some(10)).await;
    ran(&home, days(11)).await;
    assert!(archive(home.path(), to.path(), days(11)).expect("archived").pieces > 0);
    let bare = tempfile::tempdir().expect("where it is to be mounted");
    let settings = |every| Settings { archive: Some(bare.path().into()), archive_every: every, ..home.settings() };
    let hourly = Some(Duration::from_secs(3600));
    let refused = home.open_with(settings(hourly)).err().expect("refused").to_string();
    assert!(refused.contains("holds none"), "{refused}");
    assert_eq!(std::fs::read_dir(bare.path()).expect("a folder").count(), 0, "nothing was made there");

    // One that is only read is gone without.
    let absent = bundle(&home, Some(bare.path()), &ended).await.expect_err("its artifact is elsewhere");
    assert!(absent.contains("ledger.archive"), "{absent}");

    // One in which nothing can be written is read all the same; root could write there.
    let content = to.path().join("content");
    let set_mode = |path: &Path, mode| {
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("changed");
    };
    for file in std::fs::read_dir(&content).expect("a log") {
        set_mode(&file.expect("a file").path(), 0o400);
    }
    set_mode(&content, 0o500);
    let served = bundle(&home, Some(to.path()), &ended).await;
    set_mode(&content, 0o700);
    served.expect("served from the archive");

    // Where it was deleted another is begun by name.
    archive(home.path(), bare.path(), days(12)).expect("begun");
    drop(home.open_with(settings(hourly)).expect("opens"));
}

#[tokio::test]
async fn an_archive_is_begun_in_an_empty_folder_only() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    domain(&home, Some(10)).await;
    ran(&home, days(11)).await;
    let other = to.path().join("letters");
    std::fs::write(&other, "somebody's").expect("written");
    let said = "holds something else: name an empty folder, or the folder of archive";
    let refused = archive(home.path(), to.path(), days(11)).expect_err("refused").to_string();
    assert!(refused.contains(said), "{refused}");
    let hourly = Some(Duration::from_secs(3600));
    let settings = Settings { archive: Some(to.path().to_owned()), archive_every: hourly, ..home.settings() };
    let refused = home.open_with(settings).err().expect("refused").to_string();
    assert!(refused.contains(said), "{refused}");
    assert_eq!(std::fs::read_dir(to.path()).expect("a folder").count(), 1, "nothing was made there");

    std::fs::remove_file(&other).expect("removed");
    assert!(archive(home.path(), to.path(), days(11)).expect("begun").pieces > 0);
    archive(home.path(), to.path(), days(12)).expect("and opened again");
    // Content that does not say its format any more is not called this build's.
    let format = to.path().join("FORMAT");
    std::fs::remove_file(&format).expect("removed");
    let refused = archive(home.path(), to.path(), days(12)).expect_err("refused").to_string();
    assert!(refused.contains(said) && !format.exists(), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_consumed_by_an_artifact_that_was_moved_after_a_restart_as_before() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let mut producers = Producers::new();
    let ledger = moving(&home, to.path(), Duration::from_millis(10));
    let mut append = producers.set_up();
    let mut unused = producers.issue(single(1), &[], &mut append);
    retain(&mut producers, &mut append, 10);
    ledger.must_append(&append).await;
    refusals(&ledger, &mut producers).await;
    goes_on(&home, &ledger, &mut producers, days(11)).await;
    let artifact = Sha3::of(&[&unused.artifact.to_value().canonical()]);
    for _ in 0..500 {
        if matches!(stands(&ledger.inner.shared, &artifact), Stored::Moved(_)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(stands(&ledger.inner.shared, &artifact), Stored::Moved(_)));
    let refused = [Outcome::Refused { why: Refusal::Lineage(LineageError::Order), numbered: true }];
    let mut right = Append::default();
    right.record(&producers.consume(&mut unused, 1));
    assert_eq!(ledger.append(&right).await.outcomes, refused);
    ledger.sealed().await;
    drop(ledger);

    // A replay does not know its nonce.
    let ledger = home.open().expect("opens");
    let mut wrong = Append::default();
    unused.tip = unused.issued.tip();
    let data = Object::new().with("nonce", nonce(&[2; 17])).with("use", 1u64);
    wrong.record(&producers.next(&mut unused, "gw-0", POINT, "authorization.consumed", data));
    assert_eq!(ledger.append(&wrong).await.outcomes, refused);
    ledger.sealed().await;
    drop(ledger);
    checked_whole(home.path());
}

#[tokio::test]
async fn what_a_lineage_names_that_is_not_past_stays_whoever_else_names_it() {
    let home = Home::new();
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    retain(&mut producers, &mut append, 10);
    let (both, old) = (append.blob(vec![1; 10_000]), append.blob(vec![2; 10_000]));
    append.record(&producers.denial(&both.to_string()));
    append.record(&producers.denial(&old.to_string()));
    ledger.must_append(&append).await;
    home.clock.set(days(5));
    let mut later = Append::default();
    later.record(&producers.denial(&both.to_string()));
    ledger.must_append(&later).await;
    let shared = &ledger.inner.shared;
    let past = |now| {
        let rules = read(&shared.book).registry().and_then(Rules::of).expect("a retention");
        Past::of(&*shared.log, rules, now, &AtomicBool::new(false)).expect("read")
    };
    // Lineages name hashes of other things too, of which no content is here.
    let go = |now| {
        let going = past(now).going;
        [old, both].map(|hash| going.contains(&hash))
    };
    assert_eq!(past(days(9)).going, HashSet::new());
    assert_eq!(go(days(11)), [true, false]);
    assert_eq!(go(days(16)), [true, true]);
}

/// A disk that does this at that operation, and otherwise what it should.
fn failing(at: Option<(usize, Fault)>) -> FaultyDisk {
    let disk = FaultyDisk::new(7);
    if let Some((at, fault)) = at {
        disk.plan(at, fault);
    }
    disk
}

/// A disk of a test stands where it was.
fn always() -> kept::Stands {
    Box::new(|| Ok(()))
}

fn archive_on(disk: &FaultyDisk) -> Archive {
    let disk = disk.clone();
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    Archive::adding(move || Ok((SegmentLog::open(Place::on(disk.clone()), options)?, always()))).expect("an archive")
}

/// A piece of content of so many bytes.
fn piece(n: u8, bytes: usize) -> (Sha3, Vec<u8>) {
    let bytes = vec![n; bytes];
    (Sha3::of(&[&bytes]), bytes)
}

#[tokio::test]
async fn what_an_archive_lacks_is_counted_and_one_that_is_damaged_is_named() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    domain(&home, Some(10)).await;
    ran(&home, days(11)).await;
    let done = archive(home.path(), to.path(), days(11)).expect("archived");
    let settings =
        |archive: &Path, every| Settings { archive: Some(archive.to_owned()), archive_every: every, ..home.settings() };
    let lacks = |archive: &Path| {
        let ledger = home.open_with(settings(archive, None)).expect("opens");
        ledger.inner.shared.archive.as_ref().expect("an archive").lacks()
    };
    assert_eq!(lacks(to.path()), 0);
    // Another one, or a copy of before.
    let other = tempfile::tempdir().expect("a folder");
    Archive::writing(other.path()).expect("begun").add(vec![piece(1, 100)]).expect("added");
    assert_eq!((lacks(other.path()), done.pieces), (2, 2));

    for file in std::fs::read_dir(to.path().join("content")).expect("a log") {
        let file = std::fs::File::options().write(true).open(file.expect("a file").path()).expect("opened");
        file.set_len(1000).expect("cut");
    }
    let refused = home.open_with(settings(to.path(), Some(Duration::from_secs(3600)))).err().expect("refused");
    let said = format!("the archive {}: ", to.path().display());
    assert!(refused.to_string().starts_with(&said) && refused.to_string().contains("is damaged"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_lacks_pieces_takes_none_at_the_start() {
    let (home, [whole, other]) = (Home::new(), [(); 2].map(|()| tempfile::tempdir().expect("a folder")));
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    run(&mut producers, &mut append, 1);
    retain(&mut producers, &mut append, 10);
    ledger.must_append(&append).await;
    goes_on(&home, &ledger, &mut producers, days(11)).await;
    drop(ledger);
    assert!(archive(home.path(), whole.path(), days(11)).expect("archived").pieces > 0);
    let ledger = home.open().expect("opens");
    let evidence = refusals(&ledger, &mut producers).await;
    // The second segment is longer than the first.
    for n in 12..36 {
        let mut append = Append::default();
        let large = append.blob(vec![n; 100_000]);
        append.record(&producers.denial(&large.to_string()));
        ledger.must_append(&append).await;
    }
    ledger.sealed().await;
    drop(ledger);
    ran(&home, days(22)).await;

    Archive::writing(other.path()).expect("begun").add(vec![piece(1, 100)]).expect("added");
    let ledger = moving(&home, other.path(), Duration::from_secs(3600));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(matches!(stands(&ledger.inner.shared, &evidence[0]), Stored::Blob(_)), "another may be named yet");
    // A ledger is started anew more often than once a year.
    let (hour, year) = (Duration::from_secs(3600), Duration::from_secs(8760 * 3600));
    let waits = |every| running::waits(ledger.inner.shared.archive.as_ref(), every);
    assert_eq!([waits(hour), waits(year)], [Some(hour), Some(24 * hour)]);
    assert_eq!(running::waits(Some(&Archive::open(whole.path()).expect("opens")), hour), None, "it lacks nothing");
    assert_eq!(running::waits(None, hour), None);
    drop(ledger);
    let ledger = moving(&home, other.path(), Duration::from_millis(10));
    let shared = Arc::clone(&ledger.inner.shared);
    until("moved", || matches!(stands(&shared, &evidence[0]), Stored::Moved(_)));
}

#[test]
fn an_archive_is_packed_as_the_ledger_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::writing(folder.path()).expect("begun");
    let pieces = [1, 2, 3].map(|n| piece(n, 700_000));
    for piece in &pieces {
        archive.add(vec![piece.clone()]).expect("added");
    }
    let packed = || {
        let files = std::fs::read_dir(folder.path().join("content")).expect("a log");
        files
            .map(|file| file.expect("a file").path())
            .filter(|file| file.extension().is_some_and(|of| of == "pack"))
            .count()
    };
    until("packed", || packed() > 0);
    let whole = |archive: &Archive| pieces.iter().all(|(hash, bytes)| archive.content(hash).as_ref() == Some(bytes));
    assert!(whole(&archive));
    drop(archive);
    assert!(whole(&Archive::open(folder.path()).expect("opens")));
    assert!(whole(&Archive::writing(folder.path()).expect("opens")));
}

#[test]
fn an_archive_that_was_taken_away_is_not_begun_anew_by_who_has_it_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, away) = (folder.path().join("archive"), folder.path().join("away"));
    let archive = Archive::writing(&path).expect("begun");
    archive.add(vec![piece(1, 100)]).expect("added");
    // Its disk is gone, and what is left is the folder on which that was mounted.
    std::fs::rename(&path, &away).expect("moved");
    std::fs::create_dir(&path).expect("made");
    // More than the file that is open takes: another has to be made.
    archive.add(vec![piece(2, 2 << 20)]).expect_err("it is gone");
    for _ in 0..2 {
        let refused = archive.add(vec![piece(3, 100)]).expect_err("it is gone").to_string();
        assert!(refused.contains("the archive: ") && refused.contains("is no data folder"), "{refused}");
        assert_eq!(std::fs::read_dir(&path).expect("a folder").count(), 0, "nothing was made there");
    }
    std::fs::copy(away.join("FORMAT"), path.join("FORMAT")).expect("copied");
    let refused = archive.add(vec![piece(3, 100)]).expect_err("half of it is there").to_string();
    assert!(refused.contains("content is gone: mount it") && !path.join("content").exists(), "{refused}");

    std::fs::remove_dir_all(&path).expect("removed");
    std::fs::rename(&away, &path).expect("moved back");
    archive.add(vec![piece(3, 100)]).expect("added");
    for (hash, bytes) in [piece(1, 100), piece(3, 100)] {
        assert_eq!(archive.content(&hash), Some(bytes));
    }
}

#[test]
fn an_archive_that_was_deleted_takes_nothing_into_the_files_that_are_open() {
    for (another, said) in [(false, "is no data folder"), (true, "is another than the one that was opened")] {
        // Also where it had what goes already: nothing new is written then.
        for (n, held) in [(1, true), (2, false)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("archive");
            let archive = Archive::writing(&path).expect("begun");
            archive.add(vec![piece(1, 100)]).expect("added");
            // Out of its place as a whole: files are still made there by threads.
            std::fs::rename(&path, folder.path().join("away")).expect("moved");
            if another {
                drop(Archive::writing(&path).expect("begun"));
            }
            let (hash, bytes) = piece(n, 100);
            let refused = archive.add(vec![(hash, bytes)]).expect_err("it is gone").to_string();
            assert!(refused.contains("the archive: ") && refused.contains(said), "{refused}");
            assert_eq!(archive.content(&hash).is_some(), held, "nothing is taken for added");
            archive.add(vec![piece(n, 100)]).expect_err("nor is it begun anew, or gone on with in another");
        }
    }
}

#[test]
fn an_archive_of_which_files_were_deleted_takes_nothing_until_they_are_put_back() {
    let (closed, active) = ("00000000000000000000.pack", "00000000000000000001.seg");
    let lost = "pieces of content that were in it are not: mount it; where they were deleted, restart";
    for (files, first, then) in [
        (&[closed][..], 0, format!("1 {lost}")),
        (&[active][..], 1, format!("1 {lost}")),
        (&[closed, active][..], 0, "are gone: put them back".to_owned()),
    ] {
        let [folder, aside] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let content = folder.path().join("content");
        let archive = Archive::writing(folder.path()).expect("begun");
        for n in [1, 2] {
            archive.add(vec![piece(n, 700_000)]).expect("added");
        }
        let names = || {
            let names = std::fs::read_dir(&content).expect("a log").map(|file| file.expect("a file").file_name());
            names.filter_map(|name| name.into_string().ok()).collect::<std::collections::BTreeSet<_>>()
        };
        until("packed", || names().iter().eq([closed, active]));
        let moved = |from: &Path, to: &Path| {
            for name in files {
                std::fs::rename(from.join(name), to.join(name)).expect("moved");
            }
        };
        moved(&content, aside.path());
        // Also where it had what goes already, which would stand nowhere then.
        let refused = archive.add(vec![piece(1, 700_000)]).expect_err("it is not whole").to_string();
        assert!(refused.contains(&format!("position {first} was deleted")), "{refused}");
        let refused = archive.add(vec![piece(3, 100)]).expect_err("it is not whole").to_string();
        assert!(refused.contains(&then), "{refused}");
        assert_eq!(archive.content(&piece(3, 100).0), None);
        assert!(files.len() < 2 || names().is_empty(), "nothing is begun that would lie beside what is put back");
        moved(aside.path(), &content);
        archive.add(vec![piece(3, 100)]).expect("added");
        drop(archive);
        let archive = Archive::open(folder.path()).expect("opens");
        for (hash, bytes) in [piece(1, 700_000), piece(2, 700_000), piece(3, 100)] {
            assert_eq!(archive.content(&hash), Some(bytes));
        }
    }
}

#[test]
fn an_archive_that_comes_back_without_what_it_held_takes_nothing() {
    let (disk, other, opened) = (FaultyDisk::new(7), FaultyDisk::new(8), AtomicBool::new(false));
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    let first = disk.clone();
    let open = move || -> Result<(SegmentLog, kept::Stands), LedgerError> {
        let disk = if opened.swap(true, Ordering::Relaxed) { &other } else { &first };
        Ok((SegmentLog::open(Place::on(disk.clone()), options)?, always()))
    };
    let archive = Archive::adding(open).expect("an archive");
    let (held, bytes) = piece(1, 100);
    archive.add(vec![(held, bytes.clone())]).expect("added");
    disk.plan(disk.operations(), Fault::Eio(Effect::Nothing));
    archive.add(vec![piece(2, 100)]).expect_err("the disk refuses");
    for _ in 0..2 {
        let refused = archive.add(vec![piece(2, 100)]).expect_err("it is another").to_string();
        assert!(refused.contains("1 pieces of content that were in it are not: mount it"), "{refused}");
        assert_eq!(archive.content(&held).as_ref(), Some(&bytes), "what was there is served");
    }
}

#[test]
fn what_the_archive_cannot_take_stays_and_is_taken_later() {
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    let mut log = SegmentLog::open(Place::on(FaultyDisk::new(8)), options).expect("a log");
    let content: Vec<Vec<u8>> = (0..3).map(|n| vec![n; 100]).collect();
    let records: Vec<Vec<u8>> = content.iter().map(|bytes| Stored::Blob(bytes.clone()).encode()).collect();
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    assert_eq!(log.append(0, &records).expect("appended").next(), 3);
    let hashes: Vec<Sha3> = content.iter().map(|bytes| Sha3::of(&[bytes])).collect();
    let (first, all) = (HashSet::from([hashes[0]]), hashes.iter().copied().collect::<HashSet<_>>());
    let (reader, never) = (log.reader(), AtomicBool::new(false));
    let add = |archive: &Archive, going: &HashSet<Sha3>| copy(&*reader, 3, archive, going, &never);

    // Which operations it takes: one piece is there before, all are added then.
    let disk = failing(None);
    let archive = archive_on(&disk);
    add(&archive, &first).expect("copied");
    let from = disk.operations();
    assert_eq!(add(&archive, &all).expect("copied").0.len(), 3);
    let operations = from..disk.operations();
    assert!(operations.len() >= 2, "it writes and syncs");

    let effects = [Effect::Nothing, Effect::Part(50), Effect::All];
    for at in operations {
        for fault in effects.into_iter().flat_map(|effect| [Fault::Eio(effect), Fault::Enospc(effect)]) {
            let disk = failing(Some((at, fault)));
            let archive = archive_on(&disk);
            add(&archive, &first).expect("copied");
            let refused = add(&archive, &all).err().expect("it fails").to_string();
            assert!(refused.contains("the archive: "), "{at} {fault:?}: {refused}");
            assert_eq!(archive.content(&hashes[0]).as_ref(), Some(&content[0]), "{at} {fault:?}: what was there is");
            assert!(hashes[1..].iter().all(|hash| archive.content(hash).is_none()), "{at} {fault:?}: nothing else is");
            // The same archive, as a ledger that runs has it.
            let moves = add(&archive, &all).unwrap_or_else(|error| panic!("{at} {fault:?}: {error}"));
            assert_eq!(moves.0.len(), 3);
            let whole = |archive: &Archive| {
                hashes.iter().zip(&content).all(|(hash, bytes)| archive.content(hash).as_ref() == Some(bytes))
            };
            assert!(whole(&archive), "{at} {fault:?}");
            drop(archive);
            assert!(whole(&archive_on(&disk.reboot(Survival::Lost))), "{at} {fault:?}: and it is durable");
        }
    }
}
