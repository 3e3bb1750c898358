use super::*;
use crate::recover;
use crate::stored::Stored;
use crate::world::{AUTHORITY, DOMAIN, Home, Producers, kid, root, signer, single, start};
use crate::{Ledger, Signers};
use eleven_api::audit::Append;
use eleven_api::keyring::Keyring;
use eleven_core::chain;
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::registry::ApprovedInterface;
use eleven_core::registry::retention::Retention;
use eleven_core::root::{KeyRecord, KeyStatus, TrustRoot, Witnesses};
use eleven_core::signature::Signer;
use eleven_store::{Log as _, SegmentLog, SegmentOptions};

/// Adds an entry to a ledger that is not running, as somebody with the folder could: chained, but nobody's.
fn forge(home: &Home, seal: bool, forged: impl Fn(u64, Value) -> Vec<u8>) {
    forge_at(home, seal, 0, forged);
}

/// The same, so many milliseconds after the entry before.
fn forge_at(home: &Home, seal: bool, later: i64, forged: impl Fn(u64, Value) -> Vec<u8>) {
    let folder = Folder::open(home.path(), "ledger").expect("the folder");
    let mut log = SegmentLog::open(folder.place("log").expect("a place"), SegmentOptions::default()).expect("the log");
    let replayed = recover::replay(log.reader().as_ref(), Depth::RESUME).expect("whole");
    let (next, _) = replayed.book.cursor(&kid(if seal { "audit" } else { "authority" })).expect("known");
    let mut producers = Producers::new();
    producers.set_number("audit", next);
    producers.set_number("authority", next);
    let record = if seal {
        let data = Object::new().with("size", replayed.book.size()).with("index", Sha256([7; 32]));
        let data = data.with("registry", replayed.book.registry().expect("a registry").reference());
        producers.alone("audit", crate::world::LEDGER, "ledger.sealed", data)
    } else {
        producers.alone("authority", AUTHORITY, "approval.granted", Object::new())
    };
    let record = forged(replayed.book.size(), record.to_value());
    let at = replayed.book.at().expect("a time").plus_millis(later);
    let entry = chain::entry_bytes(replayed.book.size(), at, replayed.resumed.chain.as_ref(), &record);
    let expected = log.next();
    let durable = log.append(expected, &[&Stored::Entry(entry).encode()]).expect("written");
    assert_eq!(durable.count(), 1);
}

/// Keeps a head, with a checkpoint by the same key, in a ledger that is not running, as whoever has that key could.
fn store_head(home: &Home, head: Head) {
    let body = Checkpoint::of(&head.commitment);
    let note = Note { lines: vec![body.sign(&signer("head"))], checkpoint: body };
    let folder = Folder::open(home.path(), "ledger").expect("the folder");
    let log = SegmentLog::open(folder.place("heads").expect("a place"), SegmentOptions::default()).expect("the heads");
    let stored = heads::Heads::new(log).store(&Published::new(head, note, &Witnesses::default()));
    stored.expect("written");
}

async fn home() -> Home {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut append = Producers::new().set_up();
    append.blob(b"x".to_vec());
    ledger.must_append(&append).await;
    ledger.sealed().await;
    home
}

#[tokio::test]
async fn a_whole_ledger_is_sound() {
    let home = home().await;
    let sound = fsck(home.path(), &mut |_| ()).expect("sound");
    assert_eq!((sound.ledger.as_str(), sound.epoch, sound.running), ("ledger://11-11", 6, 0));
    assert_eq!(sound.head, sound.entries);
}

#[tokio::test]
async fn a_forged_signature_is_found_and_named() {
    let home = home().await;
    let before = fsck(home.path(), &mut |_| ()).expect("sound").entries;
    forge(&home, false, |_, record| {
        let Value::Object(object) = record else { panic!("an object") };
        let sig = object.get("sig").expect("a signature").clone();
        let Value::Object(sig) = sig else { panic!("an object") };
        let val = eleven_core::signature::base64_value(&[0; 64]);
        object.with("sig", sig.with("val", val)).canonical()
    });
    match fsck(home.path(), &mut |_| ()) {
        Err(LedgerError::Replay(error)) => {
            assert_eq!(error.seq, before);
            assert!(error.what.contains("signature"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_record_that_no_rule_lets_in_is_found() {
    let home = home().await;
    forge(&home, false, |_, record| {
        let Value::Object(object) = record else { panic!("an object") };
        object.with("n", 2u64).canonical()
    });
    assert!(matches!(fsck(home.path(), &mut |_| ()), Err(LedgerError::Replay(_))));
    assert!(matches!(home.open(), Err(LedgerError::Replay(_))), "and nothing starts on it");
}

#[tokio::test]
async fn an_entry_that_is_dated_before_the_one_before_it_is_found() {
    let home = home().await;
    let before = fsck(home.path(), &mut |_| ()).expect("sound").entries;
    forge_at(&home, false, -1, |_, record| record.canonical());
    for refused in [fsck(home.path(), &mut |_| ()).map(drop), home.open().map(drop)] {
        match refused {
            Err(LedgerError::Replay(error)) => {
                assert_eq!((error.seq, error.what.as_str()), (before, "its `at` lies before the entry before"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_seal_over_another_index_is_found() {
    let home = home().await;
    forge(&home, true, |_, record| record.canonical());
    match fsck(home.path(), &mut |_| ()) {
        Err(LedgerError::Replay(error)) => assert!(error.what.contains("index"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(home.open(), Err(LedgerError::Replay(_))), "the last seal is checked at every start");
}

#[tokio::test]
async fn a_head_by_a_key_that_is_compromised_by_what_lies_under_it_is_found() {
    let home = Home::new();
    let heads = ["head", "head-2"].map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
    let signers = Signers { head: Keyring::new(heads).expect("a key"), ..Home::signers() };
    let clock = Arc::clone(&home.clock) as Arc<dyn eleven_api::edge::Clock>;
    let ledger = Ledger::open(home.settings(), signers, clock).expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    assert_eq!(ledger.sealed().await.sig.kid, kid("head"));
    // From before the head above on, which the ledger signed all the same.
    let first = root();
    let mut roles = first.roles.clone();
    roles[0].status = KeyStatus::Compromised(start());
    roles.insert(0, KeyRecord { kid: kid("head-2"), public: signer("head-2").public(), ..first.roles[0].clone() });
    let prev = Some(first.hash_for_prev());
    let second = TrustRoot { version: 2, prev, roles, sigs: Vec::new(), ..first };
    let second = second.signed(&[&signer("root")]).expect("a root");
    let mut append = Append::default();
    append.record(&producers.by_authority("root.published", Object::new().with("root", second.to_value())));
    ledger.must_append(&append).await;
    let last = ledger.sealed().await;
    assert_eq!(last.sig.kid, kid("head-2"));
    drop(ledger);
    assert_eq!(fsck(home.path(), &mut |_| ()).expect("sound").head, last.commitment.size);

    store_head(&home, Head::sign(last.commitment.clone(), last.at, &signer("head")));
    let copy = tempfile::tempdir().expect("a folder");
    let copied = crate::backup(home.path(), copy.path(), &mut |_| ());
    for refused in [fsck(home.path(), &mut |_| ()).map(drop), copied.map(drop)] {
        assert!(matches!(&refused, Err(LedgerError::Head(HeadError::Key(by))) if *by == kid("head")), "{refused:?}");
    }
}

#[tokio::test]
async fn a_head_that_names_another_chain_index_or_registry_than_its_entries_come_to_is_found() {
    let changes: [fn(&mut Commitment); 5] = [
        |commitment| commitment.chain.hash = Sha3([7; 64]),
        |commitment| commitment.chain.hash_alt = Blake2b([7; 64]),
        |commitment| commitment.index = Sha256([7; 32]),
        |commitment| commitment.registry.epoch += 1,
        |commitment| commitment.registry.hash = Sha3([7; 64]),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let home = home().await;
        let last = crate::head_of(home.path()).expect("a head");
        let mut commitment = last.commitment.clone();
        change(&mut commitment);
        store_head(&home, Head::sign(commitment, last.at.plus_millis(1), &signer("head")));
        match fsck(home.path(), &mut |_| ()) {
            Err(LedgerError::Head(HeadError::Wrong { size, what })) => {
                assert_eq!(size, last.commitment.size, "{n}");
                assert_eq!(what, "its chain values, index or registry are not those of the entries", "{n}");
            }
            other => panic!("{n}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn how_much_is_missing_is_told_by_the_last_head() {
    let home = home().await;
    let last = crate::head_of(home.path()).expect("a head");
    let there = last.commitment.size;
    for more in [3, 9] {
        let commitment = Commitment { size: there + more, ..last.commitment.clone() };
        store_head(&home, Head::sign(commitment, last.at.plus_millis(1), &signer("head")));
    }
    match fsck(home.path(), &mut |_| ()) {
        Err(LedgerError::Head(HeadError::Back { last, next })) => assert_eq!((last, next), (there + 9, there)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bytes_that_changed_on_the_disk_are_found() {
    let home = home().await;
    let mut logs =
        std::fs::read_dir(home.path().join("log")).expect("a folder").map(|entry| entry.expect("one").path());
    let log = logs.find(|path| path.extension().is_some_and(|end| end == "seg")).expect("a segment");
    let mut bytes = std::fs::read(&log).expect("bytes");
    let at = bytes.windows(14).position(|window| window == b"key.registered").expect("an entry");
    bytes[at] ^= 1;
    std::fs::write(&log, bytes).expect("written");
    match fsck(home.path(), &mut |_| ()) {
        // The first of those that were appended with it; before them are the genesis and, maybe, a seal.
        Err(LedgerError::Damaged { log: "log", entry: Some(1..=2), what }) => {
            assert!(what.contains(".seg is damaged at byte"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    let said = fsck(home.path(), &mut |_| ()).expect_err("it is damaged").to_string();
    assert!(said.starts_with("entry ") && said.contains(" is the first that is lost: log/0"), "{said}");
}

#[tokio::test]
async fn a_file_that_is_none_of_the_log_loses_no_entry() {
    let home = home().await;
    let stray = home.path().join("log").join("00000000000000000000 (copy).seg");
    std::fs::write(&stray, b"somebody's").expect("written");
    match fsck(home.path(), &mut |_| ()) {
        Err(LedgerError::Damaged { log: "log", entry: None, what }) => {
            assert!(what.contains("(copy).seg") && what.contains("not the name of a segment"), "{what}");
            assert!(!what.contains("is damaged") && what.contains("out of the folder"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    std::fs::remove_file(stray).expect("removed");
    fsck(home.path(), &mut |_| ()).expect("sound");
}

#[tokio::test]
async fn damage_to_the_heads_is_told_from_damage_to_the_log() {
    let home = home().await;
    let mut files =
        std::fs::read_dir(home.path().join("heads")).expect("a folder").map(|entry| entry.expect("one").path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "seg")).expect("a segment");
    let mut bytes = std::fs::read(&file).expect("bytes");
    // In the file's header.
    bytes[20] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let said = fsck(home.path(), &mut |_| ()).expect_err("it is damaged").to_string();
    assert!(said.starts_with("heads/0") && said.contains(" is damaged at byte "), "{said}");
}

#[tokio::test]
async fn an_artifact_that_is_not_stored_with_its_issuance_is_found() {
    let home = home().await;
    let folder = Folder::open(home.path(), "ledger").expect("the folder");
    let mut log = SegmentLog::open(folder.place("log").expect("a place"), SegmentOptions::default()).expect("the log");
    let replayed = recover::replay(log.reader().as_ref(), Depth::RESUME).expect("whole");
    let mut producers = Producers::new();
    producers.set_number("authority", replayed.book.cursor(&kid("authority")).expect("known").0);
    let operation = producers.issue(crate::world::single(1), &[], &mut Append::default());
    let at = replayed.book.at().expect("a time");
    let record = operation.issued.canonical();
    let entry = chain::entry_bytes(replayed.book.size(), at, replayed.resumed.chain.as_ref(), record);
    let expected = log.next();
    let durable = log.append(expected, &[&Stored::Entry(entry).encode()]).expect("written");
    assert_eq!(durable.count(), 1);
    drop((log, folder));
    match fsck(home.path(), &mut |_| ()) {
        Err(LedgerError::Replay(error)) => assert!(error.what.contains("artifact"), "{error}"),
        other => panic!("{other:?}"),
    }
}

fn day(n: i64) -> Time {
    crate::world::start().plus_millis(n * 86_400_000)
}

/// A ledger that keeps content for ten days, with an operation of the first day; that one's content was moved out as on the
/// eleventh. And the entry that issued it.
async fn moved_out() -> (Home, u64) {
    let (home, mut producers) = (Home::new(), Producers::new());
    let ledger = home.open().expect("open");
    let mut append = producers.set_up();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    let ten = Retention::new(10, "own").expect("a retention").record(DOMAIN);
    let approved = ApprovedInterface::sign(DOMAIN, ten, &signer("policy"));
    append.record(&producers.by_authority("interface.approved", approved.to_object()));
    ledger.must_append(&append).await;
    ledger.sealed().await;
    let shared = &ledger.inner.shared;
    let event = |seq: u64| crate::lineage::standing(shared, seq).expect("an entry").record.event;
    let issued = (0..shared.size()).find(|seq| event(*seq) == "authorization.issued").expect("issued");
    drop(ledger);
    let to = tempfile::tempdir().expect("a folder");
    let moved = crate::archive::archive_by(home.path(), to.path(), |_, _| Ok(day(11)));
    assert_eq!(moved.expect("moved").pieces, 2);
    (home, issued)
}

#[tokio::test]
async fn content_that_was_moved_out_though_it_may_not_be_gone_is_found() {
    let (home, issued) = moved_out().await;
    let is_found = || match fsck(home.path(), &mut |_| ()) {
        Err(LedgerError::Replay(error)) => {
            assert_eq!(error.seq, issued);
            assert!(error.what.contains("the retention keeps it until"), "{error}");
        }
        other => panic!("{other:?}"),
    };
    is_found();

    // Where no head says what time it is the last entry does.
    let (heads, away) = (home.path().join("heads"), home.path().join("away"));
    std::fs::rename(&heads, &away).expect("moved");
    is_found();
    std::fs::remove_dir_all(&heads).expect("removed");
    std::fs::rename(&away, &heads).expect("moved back");

    // By a head of the eleventh day it may be gone.
    home.clock.set(day(11));
    let ledger = home.open().expect("opens");
    let mut signed = ledger.inner.shared.head.subscribe();
    let signed = signed.wait_for(|last| last.as_ref().is_some_and(|last| last.head.at == day(11)));
    drop(tokio::time::timeout(std::time::Duration::from_secs(10), signed).await.expect("in time").expect("it runs"));
    drop(ledger);
    assert_eq!(fsck(home.path(), &mut |_| ()).expect("sound").met.moved, 2);
}

#[tokio::test]
async fn a_mirror_that_has_not_come_to_a_head_does_not_judge_what_is_gone() {
    let (home, _) = moved_out().await;
    let mirror = tempfile::tempdir().expect("a folder");
    drop(Folder::open(mirror.path(), follow::CORNER).expect("marked"));
    let copied = |log: &str| {
        std::fs::create_dir_all(mirror.path().join(log)).expect("made");
        for file in std::fs::read_dir(home.path().join(log)).expect("a log") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), mirror.path().join(log).join(file.file_name())).expect("copied");
        }
    };
    copied("log");
    assert_eq!(fsck(mirror.path(), &mut |_| ()).expect("sound as far as it can tell").met.moved, 2);
    copied("heads");
    let early = fsck(mirror.path(), &mut |_| ()).expect_err("it may not be gone").to_string();
    assert!(early.contains("the retention keeps it until"), "{early}");
}
