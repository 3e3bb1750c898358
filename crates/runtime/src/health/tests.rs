use super::*;
use crate::recover::tests::{again, begun};
use crate::serve::tests::opened;
use eleven_core::encoding::parse;
use eleven_core::hash::Sha3;
use eleven_core::registry::{KeyTables, Snapshot, Stamp};
use eleven_core::root::TrustRoot;
use eleven_core::signature::{SeedSigner, bytes32};
use eleven_store::faulty::FaultyDisk;

#[test]
fn a_point_says_what_of_it_was_not_approved_and_what_to_do() {
    let point = again(&begun());
    let approved = RuntimeRecord {
        point: point.name.clone(),
        runtime: "host://here/gateway".to_owned(),
        region: "eu".to_owned(),
        tenancy: "here".to_owned(),
        mode: "gateway".to_owned(),
        binary: point.binary,
        config: point.config,
        kid: point.event.kid().to_owned(),
    };
    assert_eq!(unregistered(Some(&approved), &point), None);
    for (row, told) in [
        (None, "is not registered"),
        (Some(RuntimeRecord { binary: Sha3([9; 64]), ..approved.clone() }), "another binary"),
        (Some(RuntimeRecord { config: Sha3([9; 64]), ..approved }), "another configuration"),
    ] {
        let why = unregistered(row.as_ref(), &point).unwrap_or_else(|| panic!("{told}: it was approved"));
        assert!(why.contains(told) && why.contains("`eleven runtime register`"), "{told}: {why}");
        // What was approved may be what is meant: then it is the next process that is missing.
        assert_eq!(why.contains("`eleven runtime restart`"), told != "is not registered", "{told}: {why}");
    }
}

#[test]
fn a_key_that_does_not_count_is_named_before_another_binary() {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let member = |name: &str| file.pointer(&format!("/base/{name}")).expect("a member").clone();
    let text = |name: &str| member(name).as_str().expect("a text").to_owned();
    let root = TrustRoot::read(member("root")).expect("a root");
    let (snapshot, stamp) = (Snapshot::read(member("registry")), Stamp::read(member("stamp")).expect("a stamp"));
    let now = stamp.issued;
    let view = View::open(&root, snapshot.expect("a snapshot"), stamp, &mut KeyTables::new()).expect("a view");
    let ledger = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let signer = |kid: &str, label: &str| {
        let seed = ledger.pointer(&format!("/seeds/{label}")).and_then(Value::as_str).and_then(bytes32);
        Arc::new(SeedSigner::new(kid, &seed.expect("a seed")))
    };
    let sha3 = |name: &str| Sha3::parse(&text(name)).expect("a digest");
    let approved = Point {
        name: text("point"),
        event: signer("key:11-11/gw-0/2026-q2", "gw-0"),
        attestation: signer("key:11-11/attest-0/2026-q2", "attest-0"),
        binary: sha3("binary"),
        config: sha3("config"),
        ..again(&begun())
    };
    let why = |point: &Point| unapproved(&view, point, now);
    assert_eq!(why(&approved), None);
    let replaced = Point { binary: Sha3([9; 64]), ..approved.clone() };
    assert!(why(&replaced).expect("another binary").contains("`eleven runtime register`"));
    let lost = signer("key:11-11/attest-0/never", "attest-0");
    for point in [Point { attestation: lost.clone(), ..approved }, Point { attestation: lost, ..replaced }] {
        let why = why(&point).expect("its key does not count");
        assert!(why.contains("`eleven runtime key replace`") && !why.contains("`eleven runtime register`"), "{why}");
    }
}

#[tokio::test]
async fn the_summary_of_the_journals_syncs_says_how_many_there_were() {
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    point.gate.desks.alone("audit.resumed", Object::new()).await.expect("a sound disk");
    let answer = metrics(Arc::clone(&point.gate)).await;
    let body = axum::body::to_bytes(answer.into_body(), 100_000).await.expect("whole");
    let text = std::str::from_utf8(&body).expect("text");
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let syncs = value("eleven_journal_syncs_total").expect("a count");
    assert_ne!(syncs, "0");
    assert_eq!(value("eleven_journal_fdatasync_us_count"), Some(syncs));
    // What halts a point is told to whoever wakes somebody by these, too.
    assert!(value("eleven_backlog_ms").is_some_and(|waits| waits.parse::<u64>().is_ok()), "{text}");
    assert_eq!(value("eleven_unproven_ms"), Some("0"), "no durability is required");
}

#[tokio::test]
async fn a_point_says_that_its_clock_is_not_the_ledgers() {
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let gate = &point.gate;
    assert_eq!(wrong_clock(gate), None);
    for (off, told) in [(-2_000, false), (-2_001, true), (30_001, true), (0, false)] {
        let now = Moment::now(&*gate.clock);
        gate.progress.told(Some(now.at.plus_millis(off)), now);
        let answer = health(Arc::clone(gate)).await;
        let body = axum::body::to_bytes(answer.into_body(), 100_000).await.expect("whole");
        let said = parse(&body).expect("I-JSON");
        let reason = said.get("reason").and_then(Value::as_str);
        assert_eq!((reason, wrong_clock(gate).is_some()), (told.then_some("runtime.clock"), told), "{off}: {said}");
        assert!(
            !told || said.get("denies").and_then(Value::as_str).is_some_and(|why| why.contains("the ledger")),
            "{said}"
        );
    }
}
