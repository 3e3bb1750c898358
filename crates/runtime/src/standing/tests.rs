use super::*;
use eleven_api::edge::ManualClock;
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::Checkpoint;
use eleven_core::root::{KeyRecord, KeyStatus, Witness};
use eleven_core::signature::{SeedSigner, Signer as _};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const WINDOW: Duration = Duration::from_secs(2);

fn at(ms: i64) -> Time {
    Time(1_800_000_000_000 + ms)
}

fn moment(ms: i64) -> Moment {
    Moment { at: at(ms), steady: ms }
}

fn standing(level: Durability) -> Standing {
    Standing::new(Some(Required { level, window: WINDOW }))
}

#[test]
fn what_is_acknowledged_waits_for_a_head_of_the_level() {
    let standing = standing(Durability::D4);
    let waits = |ms| standing.unproven_ms(moment(ms)).expect("required").0;
    assert_eq!(waits(0), 0, "nothing was acknowledged");
    standing.acknowledge(moment(0), 3, 10);
    standing.acknowledge(moment(10), 5, 12);
    standing.acknowledge(moment(500), 9, 20);
    assert_eq!(waits(1000), 1000, "from the oldest on");
    standing.cover(Durability::D3, 30);
    assert_eq!(waits(1000), 1000, "a head that is only signed does not do");
    standing.cover(Durability::D4, 11);
    assert_eq!(waits(1000), 1000, "those that wait as one are covered as one");
    standing.cover(Durability::D5, 12);
    assert_eq!(waits(1000), 500, "mirrored is cosigned, too");
    standing.cover(Durability::D4, 20);
    assert_eq!((waits(9000), standing.unproven_ms(moment(9000)).map(|(_, most)| most)), (0, Some(2000)));
    standing.acknowledge(moment(9000), 10, 15);
    assert_eq!(waits(9500), 0, "it is covered already");
    assert_eq!(Standing::new(None).unproven_ms(moment(0)), None);
}

#[test]
fn what_is_acknowledged_while_heads_stay_out_for_half_a_day_waits_as_a_few_and_is_covered_by_the_next() {
    let standing = standing(Durability::D4);
    let waits = |ms| standing.unproven_ms(moment(ms)).expect("required").0;
    let last = 432_000;
    for n in 1..=last {
        standing.acknowledge(moment(100 * i64::try_from(n).expect("small")), n, n);
    }
    let kept = standing.waiting.lock().expect("whole").len();
    assert!((1000..10_000).contains(&kept), "{kept}");
    let now = 43_200_000;
    assert_eq!(waits(now), now - 100);
    // A head that comes by then covers all but what was acknowledged meanwhile.
    standing.cover(Durability::D4, last - 1);
    assert!(waits(now) < now / 900, "{}", waits(now));
    standing.acknowledge(moment(now + 100), last + 1, last + 1);
    standing.cover(Durability::D4, last);
    assert_eq!(waits(now + 200), 100, "what comes then waits for itself");
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_wait_shorter() {
    let standing = standing(Durability::D4);
    standing.acknowledge(moment(0), 3, 10);
    let back = Moment { at: at(-60_000), steady: 2_500 };
    assert_eq!(standing.unproven_ms(back), Some((2_500, 2_000)));
}

#[test]
fn a_clock_that_is_set_forward_makes_nothing_wait_longer() {
    let standing = standing(Durability::D4);
    standing.acknowledge(moment(0), 3, 10);
    let forward = Moment { at: at(60_000), steady: 300 };
    assert_eq!(standing.unproven_ms(forward), Some((300, 2_000)));
}

#[test]
fn an_idle_point_owes_nothing_while_the_ledger_grows() {
    let standing = standing(Durability::D4);
    standing.acknowledge(moment(0), 3, 10);
    standing.cover(Durability::D4, 10);
    // The ledger grows by others; what it says of this point is the same as before.
    standing.acknowledge(moment(5000), 3, 99);
    assert_eq!(standing.unproven_ms(moment(9000)), Some((0, 2000)));
}

/// A second of the witness's clock, and one of the ledger's checkpoints of that size, cosigned then or not at all.
const SECOND: u64 = 1_800_000_000;

fn shown(size: u64, cosigned: Option<u64>) -> Note {
    let checkpoint = Checkpoint { origin: "d/ledger".to_owned(), size, root: Sha256([7; 32]) };
    let cosigned = cosigned.map(|second| checkpoint.cosign("w.example", second, &witness()));
    Note { lines: [checkpoint.sign(&head())].into_iter().chain(cosigned).collect(), checkpoint }
}

/// Who asks this ledger, and the folder of its roots.
fn asking(ledger: String) -> (Asking, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(at(5500)));
    let signer = Arc::new(SeedSigner::new("key:d/gw-0/1", &[3; 32]));
    let asking = Asking {
        client: Client::new(),
        reader: ReadAs { signer, clock: Arc::clone(&clock) },
        ledger,
        roots: Arc::new(Roots::open(folder.path(), root(1, 0, false)).expect("roots")),
        clock,
    };
    (asking, folder)
}

/// What a ledger of 12 entries says of a point's records below `next`.
fn had(next: u64) -> Cursor {
    Cursor { next, hash: None, counts: Some(true), at: None, size: 12 }
}

/// For how long a point that starts owes a cosigned head for its records below `next`, before a ledger of 12 entries that shows these
/// checkpoints one after the other; and how often that was asked.
async fn owed(next: u64, notes: Vec<Note>) -> (i64, usize) {
    let answers = notes.iter().map(|note| (StatusCode::OK, note.to_string())).collect();
    let (ledger, asked, _running) = crate::serve::tests::ledger(answers).await;
    let (asking, _folder) = asking(ledger);
    let standing = standing(Durability::D4);
    standing.resume(&asking, &had(next)).await;
    let owed = standing.unproven_ms(Moment::now(&*asking.clock)).expect("required").0;
    standing.cover(Durability::D4, 12);
    assert_eq!(standing.unproven_ms(Moment::now(&*asking.clock)), Some((0, 2000)), "a head that covers it ends that");
    let asked = asked.lock().expect("whole").len();
    (owed, asked)
}

#[tokio::test]
async fn what_the_ledger_had_before_a_start_waits_since_the_last_head_was_cosigned() {
    assert_eq!(owed(0, Vec::new()).await, (0, 0), "it had nothing");
    assert_eq!(owed(3, vec![shown(12, Some(SECOND))]).await, (0, 1), "all of it is covered, whenever that was");
    assert_eq!(owed(3, vec![shown(9, Some(SECOND + 4))]).await, (1500, 1), "it goes on waiting");
    assert_eq!(owed(3, vec![shown(9, Some(SECOND + 9))]).await, (0, 1), "a witness's clock is ahead");
    let next_covers = vec![shown(9, Some(SECOND)), shown(12, Some(SECOND + 5))];
    assert_eq!(owed(3, next_covers).await, (0, 2), "the head that comes is waited for");
}

#[tokio::test]
async fn what_waited_for_too_long_before_a_start_or_nobody_knows_how_long_refuses_after_it() {
    let (late, unsigned, unshown) =
        tokio::join!(owed(3, vec![shown(9, Some(SECOND + 1))]), owed(3, vec![shown(9, None)]), owed(3, Vec::new()));
    assert_eq!((late.0, unsigned.0, unshown.0), (4500, 2001, 2001));
    assert!(late.1 > 1, "it was asked again before");
}

#[tokio::test]
async fn a_ledger_that_is_late_with_a_head_does_not_hold_up_a_start_for_longer_than_one_that_has_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (asking, _folder) = asking(format!("http://{}", listener.local_addr().expect("an address")));
    // It has no head for long, and then nothing to say.
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        assert!(stream.read(&mut [0; 4096]).await.expect("a request") > 0);
        tokio::time::sleep(RESUME * 3 / 4).await;
        let none = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(none).await.expect("taken");
        let _silent = listener.accept().await;
        std::future::pending::<()>().await;
    });
    let (standing, began) = (standing(Durability::D4), Instant::now());
    standing.resume(&asking, &had(3)).await;
    assert!(began.elapsed() < RESUME * 3 / 2, "{:?}", began.elapsed());
    assert_eq!(standing.unproven_ms(Moment::now(&*asking.clock)), Some((2001, 2000)));
}

#[test]
fn a_point_that_could_not_ask_when_it_started_owes_a_head_for_what_is_acknowledged_first() {
    for (holds, owes) in [(false, 100), (true, 2101)] {
        let standing = standing(Durability::D4);
        let waits = |ms| standing.unproven_ms(moment(ms)).expect("required").0;
        standing.resume_unasked(holds);
        assert_eq!(waits(0), 0, "nothing is acknowledged yet");
        standing.acknowledge(moment(0), 3, 10);
        assert_eq!(waits(100), owes);
        standing.acknowledge(moment(1000), 5, 12);
        standing.cover(Durability::D4, 10);
        assert_eq!(waits(1500), 500, "what comes after is known");
    }
}

#[test]
fn a_head_was_cosigned_when_as_many_had_as_the_level_asks_for() {
    let signers = [4, 5, 6].map(|seed| SeedSigner::new("key:w/w/1", &[seed; 32]));
    let names = ["a.example", "b.example", "c.example"];
    let key = |(name, signer): (&str, &SeedSigner)| Witness {
        name: name.to_owned(),
        public: signer.public(),
        audits: name == "b.example",
    };
    let keys: Vec<Witness> = names.into_iter().zip(&signers).map(key).collect();
    let when = |quorum, level, seconds: &[u64]| {
        let checkpoint = Checkpoint { origin: "d/ledger".to_owned(), size: 9, root: Sha256([7; 32]) };
        let each = names.into_iter().zip(&signers).zip(seconds);
        let lines = each.map(|((name, signer), second)| checkpoint.cosign(name, *second, signer)).collect();
        cosigned(&Witnesses { quorum, auditors: 1, keys: keys.clone() }, &Note { lines, checkpoint }, level)
    };
    let one_ahead = [100, 7, 9_000_000];
    assert_eq!(when(1, Durability::D4, &one_ahead), Some(Time(9_000_000_000)));
    assert_eq!(when(2, Durability::D4, &one_ahead), Some(Time(100_000)), "one alone does not make it later");
    assert_eq!(when(2, Durability::D5, &one_ahead), Some(Time(7_000)), "one that audits among them");
    assert_eq!(when(3, Durability::D4, &[100, 7]), None, "too few");
    assert_eq!(when(1, Durability::D5, &[100]), None, "none that audits");
    assert_eq!(when(2, Durability::D3, &one_ahead), None, "nobody is asked for it");
    assert_eq!(when(1, Durability::D4, &[u64::MAX]), None, "no time");
}

#[tokio::test]
async fn a_release_waits_for_the_record_and_for_a_head_over_it() {
    let standing = Arc::new(Standing::new(None));
    let (most, never) = (Duration::from_secs(20), Duration::from_millis(20));
    let waiting = tokio::spawn({
        let standing = Arc::clone(&standing);
        async move { standing.reached(7, Durability::D4, most).await }
    });
    while !standing.waits_for(Durability::D4) {
        tokio::task::yield_now().await;
    }
    assert!(standing.waits_for(Durability::D4) && !standing.waits_for(Durability::D3));
    standing.acknowledge(moment(0), 7, 50);
    standing.cover(Durability::D4, 60);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!waiting.is_finished(), "record 7 is not acknowledged yet");
    standing.acknowledge(moment(1), 8, 61);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!waiting.is_finished(), "the head does not cover it");
    standing.cover(Durability::D4, 61);
    assert!(waiting.await.expect("no panic"));
    assert!(!standing.waits_for(Durability::D4), "nobody waits any more");
    assert!(!standing.reached(8, Durability::D3, never).await, "it never comes");
    assert!(standing.reached(99, Durability::D1, most).await, "that is what durable means anyway");
    assert!(!standing.reached(7, Durability::D2, most).await, "under a cosigned head, and on one machine");
}

#[tokio::test]
async fn whoever_waits_hears_that_it_is_withheld_before_the_point_is_gone() {
    let standing = Arc::new(Standing::new(None));
    let (most, soon) = (Duration::from_secs(600), Duration::from_millis(20));
    let waiting = tokio::spawn({
        let standing = Arc::clone(&standing);
        async move { standing.reached(7, Durability::D3, most).await }
    });
    while !standing.waits_for(Durability::D3) {
        tokio::task::yield_now().await;
    }
    standing.end_within(soon);
    assert!(!waiting.await.expect("no panic"), "it never came");
    assert!(!standing.waits_for(Durability::D3));
    assert!(!standing.reached(7, Durability::D3, most).await, "nor does anybody wait who comes later");
    // What is there is told all the same.
    standing.end_within(most);
    standing.acknowledge(moment(0), 8, 50);
    standing.cover(Durability::D3, 50);
    assert!(standing.reached(7, Durability::D3, most).await);
}

#[tokio::test]
async fn what_stands_under_a_head_is_never_withheld_because_the_end_has_come() {
    let standing = Standing::new(None);
    standing.acknowledge(moment(0), 8, 50);
    standing.cover(Durability::D3, 50);
    standing.end_within(Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(5)).await;
    for _ in 0..64 {
        assert!(standing.reached(7, Durability::D3, WINDOW).await);
    }
}

fn head() -> SeedSigner {
    SeedSigner::new("key:d/head/1", &[1; 32])
}

fn witness() -> SeedSigner {
    SeedSigner::new("key:w/w/1", &[2; 32])
}

/// A root of one head key and one witness.
fn root(quorum: u64, auditors: u64, audits: bool) -> TrustRoot {
    let key = |usage, kid: &str, owner: &str, public| KeyRecord {
        kid: kid.to_owned(),
        public,
        usage,
        owner: owner.to_owned(),
        nbf: at(0).whole_seconds(),
        exp: at(9_000_000).whole_seconds(),
        status: KeyStatus::Active,
    };
    TrustRoot {
        domain: "d".to_owned(),
        version: 1,
        threshold: 1,
        keys: Vec::new(),
        roles: vec![key(KeyUse::Head, "key:d/head/1", "ledger://d", head().public())],
        witnesses: Witnesses {
            quorum,
            auditors,
            keys: vec![Witness { name: "w.example".to_owned(), public: witness().public(), audits }],
        },
        nbf: at(0).whole_seconds(),
        exp: at(9_000_000).whole_seconds(),
        prev: None,
        sigs: Vec::new(),
    }
}

#[test]
fn a_checkpoint_is_worth_what_the_pinned_root_makes_of_it() {
    let (head, witness) = (head(), witness());
    let checkpoint = Checkpoint { origin: "d/ledger".to_owned(), size: 9, root: Sha256([7; 32]) };
    let signed = Note { checkpoint: checkpoint.clone(), lines: vec![checkpoint.sign(&head)] };
    let mut cosigned = signed.clone();
    cosigned.lines.push(checkpoint.cosign("w.example", 1, &witness));
    let worth = |root: &TrustRoot, note: &Note| judge(root, note, at(5000)).map_err(|_| ());
    assert_eq!(worth(&root(1, 0, false), &signed), Ok(Durability::D3));
    assert_eq!(worth(&root(1, 0, false), &cosigned), Ok(Durability::D4));
    assert_eq!(worth(&root(1, 0, true), &cosigned), Ok(Durability::D5));
    assert_eq!(worth(&root(2, 0, false), &cosigned), Ok(Durability::D3), "no quorum");
    let mut stranger = signed.clone();
    stranger.lines.push(checkpoint.cosign("w.example", 1, &head));
    assert_eq!(worth(&root(1, 0, false), &stranger), Ok(Durability::D3));
    let unsigned = Note { lines: vec![checkpoint.cosign("w.example", 1, &witness)], ..signed.clone() };
    assert_eq!(worth(&root(1, 0, false), &unsigned), Err(()));
    let other = Note { checkpoint: Checkpoint { origin: "e/ledger".to_owned(), ..checkpoint }, ..signed };
    assert_eq!(worth(&root(1, 0, false), &other), Err(()));
    assert!(judge(&root(1, 0, false), &cosigned, at(10_000_000)).is_err(), "the head key's time is over");
}

#[test]
fn what_is_said_of_a_level_is_said_once_whatever_is_said_of_others() {
    let mut said = Said::default();
    let head = |why: &str| Some(Unshown::Head(why.to_owned()));
    let unreachable = |why: &str| Some(Unshown::Call(CallError::Unreachable(why.to_owned())));
    for (level, why, news) in [
        (Durability::D3, None, false),
        (Durability::D4, head("no cosignature"), true),
        // A lower level that is well says nothing of this one.
        (Durability::D3, None, false),
        (Durability::D4, head("no cosignature"), false),
        (Durability::D4, head("not of this domain"), true),
        (Durability::D4, unreachable("not reachable"), true),
        // What varies from one question to the next is no news.
        (Durability::D4, unreachable("did not answer within 1998 ms"), false),
        (Durability::D4, Some(Unshown::Call(CallError::Broken("within 1997 ms".into()))), true),
        (Durability::D4, None, true),
        (Durability::D4, None, false),
    ] {
        let what = format!("{level}: {why:?}");
        assert_eq!(said.is_news(level, why), news, "{what}");
    }
}
