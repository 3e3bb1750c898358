//! A ledger that is not there for a moment while an auditor catches up, and a mirror that has no room.

use super::*;
use eleven_store::faulty::{Effect, Fault, FaultyDisk};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What becomes of an answer on the way.
type Fate = fn(Bytes) -> Result<Bytes, CallError>;

/// The connection breaks; something on the way answers with a page of its own, as if that were it; the end is cut off.
const FATES: [Fate; 3] = [
    |_| Err(CallError::Broken("the connection broke".to_owned())),
    |_| Ok(Bytes::from_static(b"<html><body>502 Bad Gateway</body></html>")),
    |answer| Ok(answer.slice(..answer.len() - 1)),
];

/// A source whose answer to the `fails`th question, and to no other, is lost; and what was asked.
struct Failing<S> {
    source: S,
    fails: usize,
    fate: Fate,
    asked: AtomicUsize,
    lost: Mutex<Option<String>>,
}

impl<S> Failing<S> {
    fn new(source: S, fails: usize, fate: Fate) -> Self {
        Self { source, fails, fate, asked: AtomicUsize::new(0), lost: Mutex::new(None) }
    }
}

impl<S: Source> Source for Failing<S> {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        if self.asked.fetch_add(1, Ordering::Relaxed) != self.fails {
            return self.source.get(path);
        }
        *self.lost.lock().expect("whole") = Some(path.to_owned());
        Box::pin(async move { (self.fate)(self.source.get(path).await?) })
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_while_catching_up_is_asked_for_again_by_the_next_round() {
    let mut served = Served::new().await;
    for n in 0..3 {
        served.operate(n).await;
    }
    let head = served.covered(27).await;
    for fate in FATES {
        all_lost_in_turn(&served, &head, fate).await;
    }
    // Nor does a witness say anything of the ledger for it.
    for fate in FATES {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = Auditing::new(auditor(&folder), Arc::new(Failing::new(served.remote(), 0, fate)));
        let checkpoint = Checkpoint::of(&head.commitment);
        let held = gate.may_cosign(&checkpoint).await;
        assert!(matches!(held, Err(Held::NotYet(_))), "{held:?}");
        assert_eq!(gate.may_cosign(&checkpoint).await, Ok(()));
    }
    served.end().await;
}

/// Loses each answer of a round in turn, and has the next round go on.
async fn all_lost_in_turn(served: &Served, head: &Head, fate: Fate) {
    let mut lost = Vec::new();
    for fails in 0.. {
        let source = Failing::new(Sparing { remote: served.remote(), entries: 8 }, fails, fate);
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = auditor(&folder);
        follower.content_bytes = 1;
        let first = round(&mut follower, &source).await;
        let Some(path) = source.lost.lock().expect("whole").clone() else {
            first.expect("nothing was lost");
            break;
        };
        let error = first.expect_err("an answer is missing");
        assert!(error.is_passing(), "{path}: {error}");
        let audited = round(&mut follower, &source).await.unwrap_or_else(|error| panic!("after {path}: {error}"));
        assert!(audited.size >= head.commitment.size, "after {path}: {audited:?}");
        assert_eq!(follower.root_at(head.commitment.size), Some(head.commitment.root), "after {path}");
        lost.push(path);
    }
    for part in [routes::PROOF_HEAD, routes::CHECKPOINT, routes::AUDIT_CONTENT, "/tile/entries/", "/tile/0/"] {
        assert!(lost.iter().any(|path| path.starts_with(part)), "{part} was lost once: {lost:?}");
    }
}

#[tokio::test]
async fn a_mirror_that_can_not_be_written_says_so_each_time_and_goes_on_from_what_it_kept() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let checkpoint = Checkpoint::of(&served.covered(13).await.commitment);
    let folder = tempfile::tempdir().expect("a folder");
    let (log, heads) = (FaultyDisk::new(1), FaultyDisk::new(2));
    let open = || {
        let folder = Folder::open(folder.path(), CORNER).expect("a folder");
        Follower::on(folder, Place::on(log.clone()), Place::on(heads.clone()), root()).expect("an auditor")
    };
    let mut follower = open();
    log.plan(log.operations(), Fault::Enospc(Effect::Nothing));
    for n in 0..3 {
        let error = round(&mut follower, &served.remote()).await.expect_err("there is no room");
        let said = error.to_string();
        assert!(matches!(error, FollowError::Write(_)) && error.is_own(), "round {n}: {said}");
        assert!(said.contains("the mirror cannot be written") && said.contains("No space left"), "round {n}: {said}");
    }
    // That this disk is full is nothing that a witness says of the ledger.
    let gate = Auditing::new(follower, Arc::new(served.remote()));
    let held = gate.may_cosign(&checkpoint).await;
    assert!(matches!(&held, Err(Held::NotYet(why)) if why.contains("cannot be written")), "{held:?}");
    drop(gate);
    let gate = Auditing::new(open(), Arc::new(served.remote()));
    assert_eq!(gate.may_cosign(&checkpoint).await, Ok(()));
    served.end().await;
}

#[tokio::test]
async fn a_checkpoint_out_of_a_cache_is_asked_for_until_it_is_of_the_heads_tree() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let early = served.covered(13).await;
    served.operate(2).await;
    let head = served.covered(early.commitment.size + 7).await;
    let (_, kept) = signed_answers(&early);
    // A cache that keeps it for longer than it takes to ask, and one that keeps it for good.
    let cached = |keeps: Duration| {
        let (kept, since) = (kept.clone(), Instant::now());
        let change = move |path: &str, bytes: Bytes| {
            if path == routes::CHECKPOINT && since.elapsed() < keeps { kept.clone() } else { bytes }
        };
        Lying { remote: served.remote(), change }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    let error = round(&mut follower, &cached(Duration::MAX)).await.expect_err("it is of another tree");
    assert!(matches!(error, FollowError::Apart) && error.is_passing(), "{error}");
    let audited = round(&mut follower, &cached(Duration::from_millis(100))).await.expect("verified");
    assert!(audited.size >= head.commitment.size);
    drop(follower);
    // Nor does a witness say anything of the ledger for it.
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Auditing::new(auditor(&folder), Arc::new(cached(Duration::MAX)));
    let held = gate.may_cosign(&Checkpoint::of(&head.commitment)).await;
    assert!(matches!(&held, Err(Held::NotYet(why)) if why.contains("a cache on the way")), "{held:?}");
    served.end().await;
}

/// The head of the request for a path.
async fn asking(path: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a caller");
        let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let head: Vec<String> = lines.collect();
        (&stream).write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").expect("an answer");
        head.join("\n").to_lowercase()
    });
    let answer = Remote::new(&base, None).expect("a source").get(path).await;
    assert!(matches!(answer, Err(CallError::Refused(_))), "{answer:?}");
    asked.join().expect("a request")
}

#[tokio::test]
async fn what_changes_is_not_asked_of_a_cache_and_what_never_does_is() {
    for (path, fresh) in [(routes::PROOF_HEAD, true), (routes::CHECKPOINT, true), ("/tile/0/000", false)] {
        let head = asking(path).await;
        assert_eq!(head.contains("cache-control: no-cache"), fresh, "{head}");
    }
}
