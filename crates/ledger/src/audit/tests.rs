mod faults;
mod violations;

use super::*;
use crate::world::{AUTHORITY, Home, LEDGER, POINT, Producers, granted, kid, signed_header, signer, single, start};
use crate::{Ledger, LedgerError, SteppedLedger};
use eleven_api::audit::Append;
use eleven_api::edge::ManualClock;
use eleven_api::keyring::Keyring;
use eleven_core::encoding::{Object, Value, parse_canonical};
use eleven_core::event::{About, Place, Record};
use eleven_core::hash::Sha3;
use eleven_core::registry::GrantedKey;
use eleven_core::root::{KeyRecord, KeyUse};
use eleven_core::signature::Signer;
use eleven_store::faulty::{Effect, Fault, FaultyDisk, Op};
use eleven_store::{Place as LogPlace, SegmentLog, SegmentOptions};
use std::sync::Mutex;

async fn running(home: &Home) -> (Ledger, Producers) {
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    producers.set_number("audit", 1);
    ledger.must_append(&producers.set_up()).await;
    (ledger, producers)
}

fn records(ledger: &Ledger) -> Vec<Value> {
    let shared = &ledger.inner.shared;
    let read = |seq| parse_canonical(&shared.entry(seq).expect("an entry").record).expect("canonical");
    (0..shared.size()).map(read).collect()
}

fn events(ledger: &Ledger) -> Vec<String> {
    let event = |record: &Value| record.get("event").and_then(Value::as_str).expect("an event").to_owned();
    // Seals come with the clock, not with what is appended.
    records(ledger).iter().map(event).filter(|event| event != "ledger.sealed").collect()
}

#[tokio::test]
async fn what_is_appended_is_there_with_its_content_and_after_a_restart() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    let unnamed = append.blob(b"nobody names this".to_vec());
    let answer = ledger.append(&append).await;
    assert_eq!(answer.outcomes, vec![Outcome::Taken; 7]);
    assert_eq!(answer.next, Some(6), "of the last record's key");
    let shared = &ledger.inner.shared;
    let issued = read(&shared.book).last_of(operation.artifact.content_id()).expect("known");
    let first = crate::lineage::entries_of(shared, &operation.op, shared.size())[0];
    assert_eq!(shared.artifact_of(first).expect("stored"), operation.artifact.to_value().canonical());
    let request = eleven_core::lineage::issued_data(&operation.issued.data).expect("data").request;
    assert!(shared.blob(&request).is_ok() && shared.blob(&unnamed).is_err());
    assert!(issued > first);
    let (before, head) = (records(&ledger), ledger.sealed().await);
    drop(ledger);

    let ledger = home.open().expect("open again");
    let after = records(&ledger);
    assert_eq!(after[..before.len()], before[..]);
    let shown = ledger.inner.shared.published().expect("the head is shown at once").head.clone();
    assert_eq!(shown.commitment, head.commitment);
    let again = ledger.append(&append).await;
    assert_eq!(again.outcomes, vec![Outcome::Taken; 7], "a repeat is answered like the first time");
    ledger
        .must_append(&{
            let mut append = Append::default();
            append.record(&producers.denial("after the restart"));
            append
        })
        .await;
    drop(ledger);
    let sound = crate::fsck(home.path(), &mut |_| ()).expect("sound");
    assert!(sound.entries as usize > before.len() && sound.running == 0 && sound.epoch == 6, "{sound:?}");
}

#[tokio::test]
async fn a_refused_record_takes_its_number_and_leaves_a_trace() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let before = events(&ledger).len();
    let bad = producers.alone("gw-0", POINT, "policy.retired", Object::new().with("ref", "policy://medical/v1"));
    let good = producers.denial("goes on");
    let mut append = Append::default();
    append.record(&bad);
    append.record(&good);
    let answer = ledger.append(&append).await;
    let refused = Outcome::Refused { why: Refusal::Producer, numbered: true };
    assert_eq!(answer.outcomes, [refused, Outcome::Taken]);
    assert_eq!(answer.next, Some(2));
    assert_eq!(events(&ledger)[before..], ["ledger.refused", "audit.discontinuity", "execution.denied"]);
    let hash = Sha3::of(&[bad.canonical()]);
    assert_eq!(ledger.inner.shared.blob(&hash).expect("the evidence"), bad.canonical());
    let index = crate::world::index_of(&ledger).await;
    assert!(index.0.iter().any(|event| event == "ledger.refused"));
    assert_eq!(index.1, eleven_core::index::Proves::Absent, "a refused record never enters the index");
    let counts = &ledger.inner.shared.counts;
    let counted = || [&counts.refused, &counts.repeated].map(|count| count.load(Ordering::Relaxed));
    let [refused, repeated] = counted();
    let again = ledger.append(&append).await;
    let before = Outcome::Refused { why: Refusal::RefusedBefore, numbered: false };
    assert_eq!(again.outcomes, [before, Outcome::Taken]);
    assert_eq!(counted(), [refused, repeated + 2], "it was counted when it was refused");
    assert_ne!(refused, 0);
}

#[tokio::test]
async fn an_equivocation_is_kept_once_and_takes_nothing() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let first = producers.denial("one");
    producers.set_number("gw-0", 0);
    let other = producers.denial("two");
    let append = |record: &Record| {
        let mut append = Append::default();
        append.record(record);
        append
    };
    ledger.must_append(&append(&first)).await;
    let before = events(&ledger).len();
    for n in 0..3 {
        assert_eq!(ledger.append(&append(&other)).await.outcomes, [Outcome::Equivocation { new: n == 0 }]);
    }
    assert_eq!(events(&ledger)[before..], ["ledger.refused", "audit.discontinuity"]);
    ledger.must_append(&append(&producers.denial("three"))).await;
}

/// What is logged as an error on a thread, each line with its fields.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

/// The fields of a line.
struct Said(String);

impl tracing::field::Visit for Said {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl tracing::Subscriber for Errors {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut said = Said(String::new());
        event.record(&mut said);
        self.0.lock().expect("whole").push(said.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// A new ledger on this thread, where its lines are seen.
fn on_this_thread(signers: crate::Signers) -> SteppedLedger {
    let (log, heads) = (FaultyDisk::new(1), FaultyDisk::new(2));
    let open = |disk: FaultyDisk| SegmentLog::open(LogPlace::on(disk), SegmentOptions::default()).expect("a log");
    let (mut first, keys) = (open(log), crate::world::genesis_keys());
    let founded = SteppedLedger::genesis(&mut first, &crate::world::root(), 10, &keys, &signer("audit"), start());
    founded.expect("a genesis");
    let clock = Arc::new(ManualClock::new(start())) as Arc<dyn Clock>;
    SteppedLedger::open(first, open(heads), signers, clock).expect("a ledger")
}

/// For an authority's that line is all that calls somebody: nobody is contained.
#[test]
fn the_log_says_once_which_key_signed_two_records_under_one_number() {
    let mut ledger = on_this_thread(Home::signers());
    let mut append = |append: &Append| {
        ledger.append(&append.to_bytes(), |_| ());
        ledger.step(false).expect("committed");
    };
    let mut producers = Producers::new();
    append(&producers.set_up());
    let one = |record: &Record| {
        let mut append = Append::default();
        append.record(record);
        append
    };
    let granted = |label: &str| granted(label, KeyUse::Event, POINT).to_object();
    for label in ["gw-0", "authority"] {
        let number = producers.number(label);
        let [first, other] = ["gw-2", "gw-3"].map(|other| {
            producers.set_number(label, number);
            if label == "gw-0" {
                producers.denial(other)
            } else {
                producers.by_authority("key.registered", granted(other))
            }
        });
        let errors = Errors::default();
        tracing::subscriber::with_default(errors.clone(), || {
            append(&one(&first));
            (0..3).for_each(|_| append(&one(&other)));
        });
        let lines = errors.0.lock().expect("whole").clone();
        let named = |line: &String| {
            line.contains("another record under a number that is taken")
                && line.contains(&format!("kid={:?} src_seq={number} ", kid(label)))
        };
        assert!(lines.len() == 1 && lines.iter().all(named), "{label}: {lines:?}");
    }
}

/// Each is tried again several times a second, for as long as nobody renews the key.
#[test]
fn the_log_says_once_that_no_head_is_signed_and_once_that_nothing_is_sealed() {
    // The root names another head key.
    let mut ledger = on_this_thread(crate::Signers { head: signer("registry").into(), ..Home::signers() });
    let mut producers = Producers::new();
    let set_up = producers.set_up();
    let mut end = Append::default();
    end.record(&producers.by_authority("key.retired", Object::new().with("kid", kid("audit"))));
    for (append, said) in [(set_up, "no head is signed"), (end, "does not pass its own rules")] {
        ledger.append(&append.to_bytes(), |answer| assert_eq!(answer.status, 200, "{answer:?}"));
        ledger.step(false).expect("committed");
        let errors = Errors::default();
        tracing::subscriber::with_default(errors.clone(), || {
            for _ in 0..3 {
                ledger.step(true).expect("committed");
                ledger.sign_head().expect("it may be signed later");
            }
        });
        let lines = errors.0.lock().expect("whole").clone();
        assert!(lines.len() == 1 && lines.iter().all(|line| line.contains(said)), "{said}: {lines:?}");
    }
}

#[tokio::test]
async fn a_retired_key_has_its_producer_convicted_of_nothing() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let one = |record: &Record| {
        let mut append = Append::default();
        append.record(record);
        append
    };
    let first = producers.denial("one");
    producers.set_number("gw-0", 0);
    let other = producers.denial("by whoever has the key now");
    ledger.must_append(&one(&first)).await;
    ledger.must_append(&one(&producers.by_authority("key.retired", Object::new().with("kid", kid("gw-0"))))).await;
    let before = events(&ledger);
    let refused = Outcome::Refused { why: Refusal::KeyStatus, numbered: false };
    assert_eq!(ledger.append(&one(&other)).await.outcomes, [refused]);
    assert_eq!(ledger.append(&one(&first)).await.outcomes, [Outcome::Taken], "a repeat");
    assert_eq!(events(&ledger), before, "it leaves nothing that the authority would contain for");
}

#[tokio::test]
async fn an_event_is_not_appended_without_its_content() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut whole = Append::default();
    let operation = producers.issue(single(1), &[], &mut whole);
    let artifact = Sha3::of(&[&operation.artifact.to_value().canonical()]);
    let without = |hash: Option<Sha3>| {
        let mut append = whole.clone();
        append.blobs.retain(|blob, _| hash.is_some_and(|hash| hash != *blob));
        append
    };
    let answer = ledger.append(&without(None)).await;
    let missing = |what| Outcome::Refused { why: Refusal::Blob(what), numbered: true };
    assert_eq!(answer.outcomes, [missing("the artifact")]);
    let mut second = Append::default();
    let operation = producers.issue(single(2), &[], &mut second);
    let kept = Sha3::of(&[&operation.artifact.to_value().canonical()]);
    second.blobs.retain(|blob, _| *blob == kept);
    assert_eq!(ledger.append(&second).await.outcomes, [missing("the decision's input")]);
    assert!(ledger.inner.shared.blob(&artifact).is_err());

    let mut policy = Append::default();
    producers.publish(2, &mut policy);
    let bundle = policy.blobs.pop_first().expect("the bundle");
    assert_eq!(ledger.append(&policy).await.outcomes, [missing("the policy's bundle")]);
    let mut policy = Append::default();
    producers.publish(2, &mut policy);
    ledger.must_append(&policy).await;
    assert_eq!(ledger.inner.shared.blob(&bundle.0).expect("stored"), bundle.1);
}

#[tokio::test]
async fn a_bundle_that_is_not_as_published_is_refused() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let record = eleven_core::registry::PolicyRecord {
        id: crate::world::policy_id(2),
        operations: vec!["model.invoke".to_owned(), "tool.call".to_owned()],
        runtimes: vec!["k8s://*/ns/inference".to_owned()],
    };
    let published = eleven_core::registry::PublishedPolicy::sign(crate::world::DOMAIN, record, &signer("policy"));
    let mut append = Append::default();
    append.record(&producers.by_authority("policy.published", published.to_object()));
    append.blob(crate::world::policy_bundle(2).canonical());
    let answer = ledger.append(&append).await;
    assert!(matches!(&answer.outcomes[..], [Outcome::Refused { why: Refusal::Registry(_), numbered: true }]));
}

#[tokio::test]
async fn a_gap_stops_a_stream_until_it_is_filled() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let (first, second) = (producers.denial("one"), producers.denial("two"));
    let mut append = Append::default();
    append.record(&second);
    assert_eq!(ledger.append(&append).await.outcomes, [Outcome::Gap { expected: 0 }]);
    append.records.insert(0, first.canonical().to_vec());
    ledger.must_append(&append).await;
}

#[tokio::test]
async fn a_key_may_be_used_in_the_post_that_registers_it() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    append.record(&producers.denial("at once"));
    ledger.must_append(&append).await;
}

#[tokio::test]
async fn large_evidence_is_kept_beside_the_event_that_names_it() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    let evidence = append.blob(vec![7; 100_000]);
    append.record(&producers.denial(&evidence.to_string()));
    ledger.must_append(&append).await;
    assert_eq!(ledger.inner.shared.blob(&evidence).expect("stored").len(), 100_000);
}

#[tokio::test]
async fn content_is_looked_at_only_where_a_registered_key_signed() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let keys = &ledger.inner.shared.keys;
    let read = |append: &Append| crate::receive::Received::read(&append.to_bytes(), keys);
    let mut append = Append::default();
    append.record(&producers.denial("signed"));
    append.blobs.insert(Sha3::of(&[b"another"]), b"one".to_vec());
    assert!(read(&append).expect_err("refused").to_string().contains("does not hash to its name"));
    let text = String::from_utf8(append.records[0].clone()).expect("text");
    append.records = vec![text.replace("signed", "forged").into_bytes()];
    let stranger = read(&append).expect("its records alone are looked at");
    assert!(stranger.blobs.is_empty() && stranger.artifacts.is_empty());
    assert!(stranger.settled(keys).blobs.is_empty(), "and so it stays");
}

#[tokio::test]
async fn content_of_a_key_whose_registration_was_on_its_way_is_kept() {
    let home = Home::new();
    let ledger = home.open().expect("opens");
    let mut producers = Producers::new();
    let set_up = producers.set_up();
    let mut append = Append::default();
    let evidence = append.blob(vec![7; 1000]);
    append.record(&producers.denial(&evidence.to_string()));
    let early = crate::receive::Received::read(&append.to_bytes(), &ledger.inner.shared.keys).expect("an append");
    assert!(early.blobs.is_empty());
    ledger.must_append(&set_up).await;
    let answer = ledger.inner.submit(crate::audit::Request::Append(early)).await.expect("committed").answer;
    assert_eq!(answer.outcomes, [Outcome::Taken]);
    assert_eq!(ledger.inner.shared.blob(&evidence).expect("stored").len(), 1000);
}

#[tokio::test]
async fn content_that_is_not_what_its_name_says_counts_as_not_sent_once_its_key_is_registered() {
    let home = Home::new();
    let ledger = home.open().expect("opens");
    let mut producers = Producers::new();
    let set_up = producers.set_up();
    let (mut append, named) = (Append::default(), Sha3::of(&[b"another"]));
    append.blobs.insert(named, b"one".to_vec());
    append.record(&producers.denial(&named.to_string()));
    let early = crate::receive::Received::read(&append.to_bytes(), &ledger.inner.shared.keys).expect("an append");
    ledger.must_append(&set_up).await;
    let answer = ledger.inner.submit(crate::audit::Request::Append(early)).await.expect("committed").answer;
    assert_eq!(answer.outcomes, [Outcome::Taken]);
    assert!(ledger.inner.shared.blob(&named).is_err());
}

#[tokio::test]
async fn times_never_go_back_in_the_ledger() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    home.clock.advance(5_000);
    let append = |record: Record| {
        let mut append = Append::default();
        append.record(&record);
        append
    };
    ledger.must_append(&append(producers.denial("one"))).await;
    home.clock.set(start());
    ledger.must_append(&append(producers.denial("two"))).await;
    let shared = &ledger.inner.shared;
    let times: Vec<Time> = (0..shared.size()).map(|seq| shared.entry(seq).expect("an entry").header.at).collect();
    assert!(times.is_sorted() && *times.last().expect("entries") >= start().plus_millis(5_000));
}

/// A clock that goes on each time it is read.
struct Ticking(std::sync::atomic::AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Time {
        Time(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_use_that_comes_when_no_proof_of_it_holds_is_taken_and_counted() {
    for (off, counted) in [(-2_000, 0), (-2_001, 1), (60_000, 0), (60_001, 1)] {
        let home = Home::new();
        let (ledger, mut producers) = running(&home).await;
        let mut append = Append::default();
        let mut operation = producers.issue(single(1), &[], &mut append);
        ledger.must_append(&append).await;
        // The point's clock is the ledger's and `off` milliseconds; what it begins is there at once.
        let (mut append, behind) = (Append::default(), off.max(0));
        home.clock.advance(behind);
        producers.now = home.clock.now().plus_millis(-off);
        producers.begin(&mut operation, 1, &mut append);
        ledger.must_append(&append).await;
        assert_eq!(ledger.inner.shared.counts.untimely.load(std::sync::atomic::Ordering::Relaxed), counted, "{off}");
        assert!(events(&ledger).iter().any(|event| event == "authorization.consumed"));
    }
}

#[tokio::test]
async fn a_use_by_another_registry_than_the_entries_come_to_is_taken_and_counted() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let folded = |ledger: &Ledger| {
        let registry = read(&ledger.inner.shared.book).registry().map(|fold| (fold.epoch(), fold.hash()));
        registry.expect("a registry")
    };
    let (epoch, hash) = folded(&ledger);
    let mut append = Append::default();
    append.record(&producers.by_authority("key.registered", granted("gw-9", KeyUse::Event, POINT).to_object()));
    ledger.must_append(&append).await;
    assert!(folded(&ledger).0 > epoch, "another epoch came");
    let named = |epoch: u64, hash: Sha3| Some(Object::new().with("epoch", epoch).with("hash", hash));
    let (last, other) = (folded(&ledger), Sha3::of(&[b"another"]));
    let uses = [
        (None, 0, "it may name none"),
        (named(last.0, last.1), 0, "the last"),
        (named(epoch, hash), 0, "one that was the last"),
        (named(last.0, other), 1, "another one of the same epoch"),
        (named(last.0, hash), 2, "one of another epoch"),
        (named(last.0 + 1, other), 3, "one that is none yet"),
    ];
    for (n, (registry, counted, what)) in (1..).zip(uses) {
        let mut append = Append::default();
        let mut operation = producers.issue(single(n), &[], &mut append);
        let data = Object::new().with("nonce", operation.artifact.usage.nonce()).with("use", 1u64);
        let data = data.with_some("registry", registry);
        append.record(&producers.next(&mut operation, "gw-0", POINT, "authorization.consumed", data));
        ledger.must_append(&append).await;
        assert_eq!(ledger.inner.shared.counts.unfolded.load(Ordering::Relaxed), counted, "{what}");
    }
}

#[test]
fn each_registry_that_the_entries_do_not_come_to_is_told_of_once_and_no_more_than_so_many() {
    let mut unfolded = Unfolded::default();
    let mut told = |epoch: u64, what: &[u8]| unfolded.is_news(RegistryRef { epoch, hash: Sha3::of(&[what]) });
    // By turns, as where two points are shown two others.
    assert_eq!(
        [told(1, b"a"), told(1, b"b"), told(1, b"a"), told(1, b"b"), told(2, b"b")],
        [true, true, false, false, true]
    );
    let more = (0..1000u64).filter(|n| told(3, &n.to_be_bytes())).count();
    assert_eq!(more, UNFOLDED - 3);
}

#[tokio::test]
async fn a_refusal_among_others_leaves_times_in_order_and_a_ledger_that_opens() {
    let home = Home::new();
    let clock = Arc::new(Ticking(std::sync::atomic::AtomicI64::new(start().0)));
    let ledger = Ledger::open(home.settings(), Home::signers(), clock).expect("open");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    for n in 0..20 {
        append.record(&producers.alone("gw-0", POINT, "policy.retired", Object::new()));
        append.record(&producers.denial(&n.to_string()));
    }
    let answer = ledger.append(&append).await;
    assert_eq!(answer.outcomes.iter().filter(|outcome| **outcome != Outcome::Taken).count(), 20);
    let shared = &ledger.inner.shared;
    let times: Vec<Time> = (0..shared.size()).map(|seq| shared.entry(seq).expect("an entry").header.at).collect();
    assert!(times.is_sorted());
    drop(ledger);
    crate::fsck(home.path(), &mut |_| ()).expect("sound");
}

#[tokio::test]
async fn thousands_of_records_in_one_post_come_in_their_order() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let mut append = Append::default();
    for n in 0..1000 {
        append.record(&producers.denial(&n.to_string()));
    }
    ledger.must_append(&append).await;
    assert_eq!(read(&ledger.inner.shared.book).cursor(&kid("gw-0")).map(|(next, _)| next), Some(1000));
    for _ in 0..4096 {
        append.records.push(append.records[0].clone());
    }
    let refused = crate::receive::Received::read(&append.to_bytes(), &ledger.inner.shared.keys);
    assert!(refused.is_err_and(|error| error.to_string().contains("4096")));
}

#[tokio::test]
async fn a_flood_of_unsigned_records_writes_nothing() {
    let home = Home::new();
    let (ledger, _) = running(&home).await;
    let before = ledger.inner.shared.log.durable();
    let mut stranger = Producers::new();
    let mut append = Append::default();
    for n in 0..500u64 {
        let data = Object::new().with("n", n);
        append.record(&stranger.record("stranger", POINT, "runtime.step", Place::Alone, data, About::default()));
        let Value::Object(object) = stranger.denial("forged").to_value() else { panic!("an object") };
        append.records.push(object.with("op", "00000000000000000000000000000000").canonical());
    }
    let answer = ledger.append(&append).await;
    assert!(answer.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Refused { numbered: false, .. })));
    let entries = events(&ledger);
    assert!(!entries.iter().any(|event| event == "ledger.refused"));
    // One seal may have come in between, and nothing else.
    assert!(ledger.inner.shared.log.durable() <= before + 1);
    assert_eq!(read(&ledger.inner.shared.book).cursor(&kid("gw-0")), Some((0, None)));
}

#[test]
fn a_folder_takes_one_genesis_and_nothing_opens_without() {
    let home = Home::empty();
    assert!(matches!(home.open(), Err(LedgerError::Empty(_))));
    home.genesis().expect("a genesis");
    assert!(matches!(home.genesis(), Err(LedgerError::NotEmpty(_))));
    let other = Home::empty();
    let keys = [crate::world::granted("authority", eleven_core::root::KeyUse::Event, AUTHORITY)];
    let made = Ledger::genesis(other.path(), &crate::world::root(), 10, &keys, &signer("audit"), start());
    assert!(matches!(made, Err(LedgerError::Genesis(_))), "the ledger's own key is not among those granted");
}

#[tokio::test]
async fn a_failed_sync_stops_the_corner() {
    let disk = FaultyDisk::new(1);
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    let open = |disk: &FaultyDisk| SegmentLog::open(LogPlace::on(disk.clone()), options).expect("a log");
    let home = Home::new();
    let genesis = {
        let folder = eleven_store::Folder::open(home.path(), "ledger").expect("the folder");
        let log = SegmentLog::open(folder.place("log").expect("a place"), options).expect("the log");
        eleven_store::Log::reader(&log).read_from(0, 1, 1).expect("a genesis").remove(0).1
    };
    let mut log = open(&disk);
    let durable = eleven_store::Log::append(&mut log, 0, &[&genesis]).expect("committed");
    assert_eq!(durable.next(), 1);
    let heads = crate::heads::Heads::new(open(&FaultyDisk::new(2)));
    let clock = Arc::new(ManualClock::new(start()));
    // The first tick would seal at once, and that commit is another one than the one that is to fail.
    let settings = crate::Settings { seal_every: std::time::Duration::from_secs(1), ..home.settings() };
    let ledger = Ledger::start(log, heads, None, settings, Home::signers(), clock).expect("start");
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let listener = eleven_api::serve::Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await;
    let inner = Arc::clone(&ledger.inner);
    let serving = tokio::spawn(ledger.serve(listener.expect("a listener"), stopping));
    // An append is a write and its sync.
    let sync = disk.done().len() + 1;
    disk.plan(sync, Fault::Eio(Effect::Nothing));
    let received = crate::receive::Received::read(&Producers::new().set_up().to_bytes(), &inner.shared.keys);
    let answer = inner.submit(Request::Append(received.expect("an append"))).await;
    assert!(answer.is_err(), "nothing is acknowledged");
    assert_eq!(disk.done().get(sync), Some(&Op::Sync), "that is what failed");
    drop(inner);
    let ended = serving.await.expect("served");
    assert!(matches!(ended, Err(LedgerError::Commit(_))), "{ended:?}");
    drop(stop);
}

#[tokio::test]
async fn another_registry_at_the_same_epoch_ends_the_heads() {
    let home = Home::new();
    let (ledger, mut producers) = running(&home).await;
    let shared = Arc::clone(&ledger.inner.shared);
    let header = signed_header(read(&shared.book).registry().expect("a registry"));
    let epoch = read(&shared.book).registry().expect("a registry").epoch();
    assert!(matches!(crate::registry::judge(&ledger.inner, &header), crate::registry::Verdict::Agrees(_)));
    let Value::Object(object) = header else { panic!("an object") };
    let resign = |object: Object| {
        let body = object.canonical_without(&["sig"]);
        Value::Object(object.with("sig", Signer::signature(&signer("registry"), &body).to_value()))
    };
    let other = resign(object.clone().with("items", Sha256::ZERO));
    let verdict = crate::registry::judge(&ledger.inner, &other);
    assert!(
        matches!(verdict, crate::registry::Verdict::Disagrees { epoch: found, .. } if found == epoch),
        "{verdict:?}"
    );
    let unsigned = Value::Object(object.clone().with("items", Sha256::ZERO));
    assert!(matches!(crate::registry::judge(&ledger.inner, &unsigned), crate::registry::Verdict::Untrusted(_)));
    let ahead = resign(object.with("epoch", epoch + 1));
    assert_eq!(crate::registry::judge(&ledger.inner, &ahead), crate::registry::Verdict::Ahead);

    ledger.sealed().await;
    shared.disagreement.store(true, std::sync::atomic::Ordering::Release);
    let mut append = Append::default();
    append.record(&producers.denial("still taken"));
    ledger.must_append(&append).await;
    let seq = shared.size() - 1;
    let wait = std::time::Duration::from_millis(200);
    let covered = crate::proof::covered(&shared, seq, wait, |_, _| true).await;
    assert!(covered.is_err(), "no head covers what came after");
}

#[tokio::test]
async fn nothing_is_kept_of_what_could_not_be_recorded() {
    let home = Home::new();
    let ledger = home.open().expect("opens");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    ledger.sealed().await;
    // The ledger's own key has lapsed: it makes no entry any more.
    let mut append = Append::default();
    append.record(&producers.by_authority("key.retired", Object::new().with("kid", kid("audit"))));
    ledger.must_append(&append).await;
    let header = b"a header of another registry".to_vec();
    let hash = Sha3::of(&[&header]);
    let size = ledger.inner.shared.size();
    ledger.inner.submit(Request::Registry { agrees: false, epoch: 1, header }).await.expect("answered");
    assert_eq!(ledger.inner.shared.size(), size);
    assert!(!read(&ledger.inner.shared.places).keeps_blob(&hash));
    assert!(ledger.inner.shared.keys.is_mute(), "and says so");
    drop(ledger);
    crate::fsck(home.path(), &mut |_| ()).expect("sound");
}

#[tokio::test]
async fn an_event_key_that_ends_is_followed_by_another_that_is_held() {
    let home = Home::new();
    let held = ["audit", "audit-2"].map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
    let signers = crate::Signers { event: Keyring::new(held).expect("keys"), ..Home::signers() };
    let clock = Arc::clone(&home.clock) as Arc<dyn Clock>;
    let ledger = crate::Ledger::open(home.settings(), signers, clock).expect("opens");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    ledger.sealed().await;
    let one = |record: &Record| {
        let mut append = Append::default();
        append.record(record);
        append
    };
    let last = |ledger: &crate::Ledger| {
        let bytes = ledger.inner.shared.entry_bytes(ledger.inner.shared.size() - 1).expect("an entry");
        String::from_utf8(bytes).expect("a text")
    };
    assert!(last(&ledger).contains(&format!("\"{}\"", kid("audit"))), "the newer one is not registered");
    let registered = granted("audit-2", KeyUse::Event, LEDGER).to_object();
    ledger.must_append(&one(&producers.by_authority("key.registered", registered))).await;
    ledger.sealed().await;
    assert!(last(&ledger).contains(&format!("\"{}\"", kid("audit"))), "one key for as long as it counts");
    let retired = Object::new().with("kid", kid("audit"));
    ledger.must_append(&one(&producers.by_authority("key.retired", retired))).await;
    ledger.sealed().await;
    assert!(last(&ledger).contains(&format!("\"{}\"", kid("audit-2"))));
    assert!(!ledger.inner.shared.keys.is_mute());
    drop(ledger);
    crate::fsck(home.path(), &mut |_| ()).expect("sound");
}

#[tokio::test]
async fn an_idle_ledger_says_by_which_key_it_signs_next() {
    let home = Home::new();
    let held = ["audit", "audit-2"].map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
    let signers = crate::Signers { event: Keyring::new(held).expect("keys"), ..Home::signers() };
    let clock = Arc::clone(&home.clock) as Arc<dyn Clock>;
    let ledger = crate::Ledger::open(home.settings(), signers, clock).expect("opens");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let time = |text: &str| Time::parse_seconds(text).expect("a time");
    let longer = KeyRecord { exp: time("2026-08-01T00:00:00Z"), ..granted("audit-2", KeyUse::Event, LEDGER).key };
    let registered = GrantedKey::sign(longer, &signer("registry")).to_object();
    append.record(&producers.by_authority("key.registered", registered));
    ledger.must_append(&append).await;
    ledger.sealed().await;
    let next = |at: Time| crate::keys::next(&ledger.inner.event, read(&ledger.inner.shared.book).registry(), at);
    assert_eq!(next(home.clock.now()), kid("audit"), "one key for as long as it counts");
    assert_eq!(next(time("2026-07-15T00:00:00Z")), kid("audit-2"), "the other has ended");
    assert_eq!(next(time("2026-09-15T00:00:00Z")), kid("audit"), "none counts");
    assert_eq!(ledger.inner.event.kid(), kid("audit"), "who asks changes nothing");
}
