//! A source that would have an auditor hold more than it can, and a ledger that has much to hold.

use super::*;
use eleven_core::encoding::Object;
use eleven_core::hash::base64;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Answers whatever is asked for by one entry's content of so many bytes, said to be of the entry that `seq` makes of the
/// first one asked for, and to go on where `next` says.
struct Content<S, N> {
    bytes: usize,
    seq: S,
    next: N,
    asked: AtomicUsize,
}

impl<S: Fn(u64) -> u64 + Send + Sync, N: Fn(u64) -> u64 + Send + Sync> Source for Content<S, N> {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let from = path.split(['=', '&']).nth(1).and_then(|from| from.parse().ok()).expect("a number");
        let blobs = vec![Value::from(base64(&vec![7; self.bytes]))];
        let one = Object::new().with("seq", (self.seq)(from)).with("blobs", blobs);
        let answer = Object::new().with("content", vec![Value::Object(one)]).with("next", (self.next)(from));
        Box::pin(std::future::ready(Ok(answer.canonical().into())))
    }
}

fn content<S: Fn(u64) -> u64, N: Fn(u64) -> u64>(bytes: usize, seq: S, next: N) -> Content<S, N> {
    Content { bytes, seq, next, asked: AtomicUsize::new(0) }
}

async fn refused(source: &dyn Source) -> String {
    match source::fetch_content(source, 10, 20, 1 << 20).await {
        Err(FollowError::Malformed(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_more_content_is_asked_for_than_is_held_at_once() {
    let much = content(1000, |from| from, |from| from + 1);
    let (before, to) = source::fetch_content(&much, 10, 2000, 3000).await.expect("fetched");
    assert_eq!((to, before.into_keys().collect::<Vec<_>>()), (13, vec![10, 11, 12]), "three times a thousand bytes");
    assert_eq!(much.asked.load(Ordering::Relaxed), 3);
    let (before, to) = source::fetch_content(&much, 10, 20, 1).await.expect("fetched");
    assert_eq!((to, before.len()), (11, 1), "an entry's content is had at once, however much it is");
    let (before, to) = source::fetch_content(&much, 10, 13, 1 << 20).await.expect("fetched");
    assert_eq!((to, before.len()), (13, 3));
}

#[tokio::test]
async fn content_of_entries_that_were_not_asked_for_is_no_answer() {
    for seq in [9, 11, 20, u64::MAX >> 12] {
        let what = refused(&content(1, move |_| seq, |from| from + 1)).await;
        assert!(what.contains(&format!("shows content of entry {seq}")), "{what}");
    }
    for next in [0, 10, 21] {
        let what = refused(&content(1, |from| from, move |_| next)).await;
        assert!(what.contains(&format!("goes on at {next}")), "{what}");
    }
}

#[tokio::test]
async fn a_ledger_with_much_content_is_followed_in_short_windows() {
    let mut served = Served::new().await;
    for n in 0..3 {
        served.operate(n).await;
    }
    let head = served.covered(27).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    follower.content_bytes = 1;
    let mut windows = 0;
    let source = Sparing { remote: served.remote(), entries: 8 };
    let audited = follower.round(&source, &mut |_| windows += 1).await.expect("verified");
    assert!(audited.size >= head.commitment.size && windows >= 3, "{audited:?} in {windows} windows");
    drop(follower);
    let sound = crate::fsck(folder.path(), &mut |_| ()).expect("the mirror is whole");
    assert_eq!(sound.entries, audited.size);
    served.end().await;
}

#[tokio::test]
async fn a_smaller_head_over_another_history_convicts_though_it_is_not_younger() {
    let folder = tempfile::tempdir().expect("a folder");
    let (served, early, mut follower) = gone_on(&folder).await;
    let verified = round(&mut follower, &served.remote()).await.expect("verified").size;
    let size = early.commitment.size;
    assert!(size < verified);

    let (tree, forked) = another(&follower, size, &early, early.at);
    let evidence = evidence_of(&mut follower, &Forked(saying(served.remote(), &forked), &tree)).await;
    assert_eq!(kind_proven(&evidence), "fork");
    let seq = evidence.get("leaves").and_then(|leaves| leaves.get("seq")).and_then(Value::as_int);
    assert_eq!(seq, Some(5));
    // One that does not show its tree is not taken for an answer of before either.
    let refused = round(&mut follower, &saying(served.remote(), &forked)).await;
    assert!(matches!(refused, Err(FollowError::NotUnderHead { .. })), "{refused:?}");
    served.end().await;
}

#[tokio::test]
async fn one_wrong_answer_does_not_shut_the_gate_for_good() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let checkpoint = Checkpoint::of(&served.covered(13).await.commitment);
    let lies = AtomicBool::new(true);
    let change = move |path: &str, bytes: Bytes| {
        let mut changed = bytes.to_vec();
        if path.contains("/tile/entries/") && lies.swap(false, Ordering::Relaxed) {
            changed[600] ^= 1;
        }
        changed.into()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut gate = Auditing::new(auditor(&folder), Arc::new(Lying { remote: served.remote(), change }));
    let wrong = gate.may_cosign(&checkpoint).await;
    assert!(matches!(wrong, Err(Held::Wrong(_))), "{wrong:?}");
    assert_eq!(gate.may_cosign(&checkpoint).await, wrong, "for a while it says the same, and replays nothing for it");
    gate.again = Duration::ZERO;
    assert_eq!(gate.may_cosign(&checkpoint).await, Ok(()), "then it begins again from what it kept");
    assert_eq!(gate.may_cosign(&checkpoint).await, Ok(()));
    served.end().await;
}

#[tokio::test]
async fn lines_of_nobody_are_not_kept_and_no_checkpoint_is_without_end() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let head = served.covered(13).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    let with_lines = |bytes: usize| {
        let line = format!("— nobody.example {}\n", base64(&vec![7; bytes]));
        let change = move |path: &str, answer: Bytes| match path {
            routes::CHECKPOINT => Bytes::from([&answer[..], line.as_bytes(), line.as_bytes()].concat()),
            _ => answer,
        };
        Lying { remote: served.remote(), change }
    };
    let refused = round(&mut follower, &with_lines(30_000)).await;
    assert!(matches!(&refused, Err(FollowError::Malformed(what)) if what.contains("bytes")), "{refused:?}");
    let audited = round(&mut follower, &with_lines(10_000)).await.expect("verified");
    assert!(audited.size >= head.commitment.size);
    let kept = |follower: &Follower| follower.last.as_ref().map(|last| last.checkpoint.len());
    let length = kept(&follower).expect("a head");
    assert!(length < 1000, "{length} bytes");
    drop(follower);
    assert_eq!(kept(&auditor(&folder)), Some(length));
    served.end().await;
}
