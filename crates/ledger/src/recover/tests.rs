use super::*;
use crate::world::{Home, Producers};
use eleven_api::audit::Append;
use eleven_store::{Folder, Log as _, SegmentLog, SegmentOptions};

/// A log with three heads, each over other registries, and their sizes.
async fn of_three_heads() -> (Home, SegmentLog, Vec<u64>) {
    let (home, mut producers) = (Home::new(), Producers::new());
    let ledger = home.open().expect("open");
    let (mut append, mut heads) = (producers.set_up(), Vec::new());
    for version in 2..5 {
        ledger.must_append(&append).await;
        heads.push(ledger.sealed().await.commitment.size);
        append = Append::default();
        producers.publish(version, &mut append);
    }
    drop(ledger);
    let folder = Folder::open(home.path(), "ledger").expect("the folder");
    let log = SegmentLog::open(folder.place("log").expect("a place"), SegmentOptions::default()).expect("the log");
    (home, log, heads)
}

#[tokio::test]
async fn of_the_registries_under_heads_the_last_alone_is_kept() {
    let (_home, log, heads) = of_three_heads().await;
    let replayed = |under| replay(log.reader().as_ref(), Depth::Resume { under }).expect("whole");
    let kept = |replayed: &Replayed| replayed.sealed.registry.as_ref().map(|registry| registry.epoch());
    let last = heads[2];
    for under in [0, heads[0], last] {
        let replayed = replayed(under);
        assert_eq!(kept(&replayed), replayed.book.registry().map(Fold::epoch), "{under}");
        assert_eq!(replayed.sealed_commitment().map(|commitment| commitment.size), Some(last), "{under}");
    }
    // A log that ends before the last head is none that anything starts on.
    let replayed = replayed(last + 1);
    assert_eq!((replayed.sealed.size, kept(&replayed)), (last, None));
}

#[tokio::test]
async fn the_registry_under_the_last_seal_is_what_all_before_it_comes_to() {
    let (_home, log, _) = of_three_heads().await;
    for depth in [Depth::RESUME, Depth::Everything] {
        let replayed = replay(log.reader().as_ref(), depth).expect("whole");
        let kept = replayed.sealed.registry.as_deref().expect("it was sealed");
        let folded = replayed.book.registry().expect("there is one");
        assert_eq!((kept.epoch(), kept.hash(), kept.lists()), (folded.epoch(), folded.hash(), folded.lists()));
    }
}
