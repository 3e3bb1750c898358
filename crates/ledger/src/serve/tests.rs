//! Over real sockets: a ledger, an authority that serves what it folds from the ledger, and producers that post.

mod crowded;
mod exposed;
mod fallen;
mod foreign;
mod lost;
mod public;
mod registry;

use self::exposed::expose;
use crate::state::Shared;
use crate::world::{Home, POINT, Producers, kid, root, signed_header, signer, single};
use crate::{Ledger, LedgerError, Settings};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use eleven_api::audit::{Append, Appended, Cursor, Durability};
use eleven_api::client::{CallError, Client};
use eleven_api::edge::{Clock as _, ManualClock};
use eleven_api::serve::{Listener, json};
use eleven_api::{reader, routes};
use eleven_core::chain::{Entry, advance};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::head::Head;
use eleven_core::registry::Fold;
use eleven_core::registry::exposure::Exposure;
use eleven_core::signature::{Signer as _, base64_value};
use eleven_core::time::Time;
use eleven_verify::{Caller, Pinned, Verdict};
use http::Method;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(20);

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// A served ledger and its test authority.
struct Served {
    base: String,
    shared: Arc<Shared>,
    client: Client,
    stop: watch::Sender<bool>,
    ledger: JoinHandle<Result<(), LedgerError>>,
    folded: Arc<Mutex<Option<Fold>>>,
}

impl Served {
    async fn start(home: &Home) -> Self {
        Self::with(home, |settings| settings).await
    }

    async fn with(home: &Home, change: impl FnOnce(Settings) -> Settings) -> Self {
        let (stop, stopping) = watch::channel(false);
        let folded: Arc<Mutex<Option<Fold>>> = Arc::default();
        let authority = Listener::bind(anywhere(), None).await.expect("a listener");
        let address = format!("http://{}", authority.local_addr().expect("an address"));
        let serves = Arc::clone(&folded);
        let snapshot = async move || {
            let fold = serves.lock().expect("a lock");
            json(&Value::Object(Object::new().with_some("header", fold.as_ref().map(signed_header))))
        };
        let router = Router::new().route(routes::REGISTRY_SNAPSHOT, get(snapshot));
        tokio::spawn(authority.serve(router, stopping.clone(), Duration::from_secs(1)));

        let settings = change(Settings { authority: Some(address), ..home.settings() });
        let ledger = home.open_with(settings).expect("open");
        let listener = Listener::bind(anywhere(), None).await.expect("a listener");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::clone(&ledger.inner.shared);
        let ledger = tokio::spawn(ledger.serve(listener, stopping));
        let client = Client::new();
        tokio::spawn(follow(base.clone(), client.clone(), Arc::clone(&folded), Arc::clone(&home.clock)));
        Self { base, shared, client, stop, ledger, folded }
    }

    async fn post(&self, append: &Append) -> Result<Appended, CallError> {
        let body = append.to_bytes();
        let answer = self.client.post(&self.base, routes::AUDIT_EVENTS, &[], body, DEADLINE).await?;
        Ok(Appended::read(parse(&answer).expect("I-JSON")).expect("an answer"))
    }

    async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.client.get_json(&self.base, path, DEADLINE).await
    }

    /// Where the stream of `label`'s key stands, read by that key.
    async fn cursor(&self, home: &Home, label: &str, path: &str) -> Cursor {
        let headers = reader::signed(path, &signer(label), home.clock.now());
        let answer = self.client.call(Method::GET, &self.base, path, &headers, Bytes::new(), DEADLINE).await;
        Cursor::read(parse(&answer.expect("a cursor")).expect("I-JSON")).expect("a cursor")
    }

    fn status(result: Result<impl std::fmt::Debug, CallError>) -> (u16, String) {
        match result {
            Err(CallError::Refused(problem)) => (problem.status, problem.detail),
            other => panic!("not refused: {other:?}"),
        }
    }

    async fn end(self) {
        self.stop.send(true).expect("it runs");
        self.ledger.await.expect("served").expect("ended well");
    }
}

/// What an authority does: folds the registry from the ledger's entries as they come, read in its own name.
async fn follow(base: String, client: Client, folded: Arc<Mutex<Option<Fold>>>, clock: Arc<ManualClock>) {
    let mut from = 0;
    loop {
        let path = format!("{}?from={from}&registry=1&wait=2000", routes::AUDIT_ENTRIES);
        let headers = reader::signed(&path, &signer("authority"), clock.now());
        let Ok(answer) = client.call(Method::GET, &base, &path, &headers, Bytes::new(), DEADLINE).await else { return };
        let answer = parse(&answer).expect("I-JSON");
        for entry in answer.get("entries").and_then(Value::as_array).expect("entries") {
            let at = entry.get("at").and_then(Value::as_str).and_then(Time::parse_millis).expect("a time");
            let record = eleven_core::event::Record::read(entry.get("record").expect("a record").clone()).expect("one");
            let mut fold = folded.lock().expect("a lock");
            match fold.as_mut() {
                None => *fold = Some(Fold::genesis(at, &record.by, &record.data).expect("a genesis")),
                Some(fold) => {
                    let made = fold.apply(at, &record.event, &record.by, &record.data).expect("an epoch");
                    assert!(made, "{} is of the registry", record.event);
                }
            }
        }
        from = answer.get("next").and_then(Value::as_int).expect("next");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_from_genesis_to_a_verified_bundle() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let answer = served.post(&producers.set_up()).await.expect("set up");
    assert_eq!((answer.durability, answer.next), (Durability::D1, 5));

    let mut append = Append::default();
    let mut operation = producers.issue(single(1), &[], &mut append);
    let answer = served.post(&append).await.expect("issued");
    assert_eq!((answer.durability, answer.next), (Durability::D1, 6));
    let mut append = Append::default();
    producers.begin(&mut operation, 1, &mut append);
    served.post(&append).await.expect("begun");
    let mut append = Append::default();
    producers.finish(&mut operation, &mut append);
    let answer = served.post(&append).await.expect("finished");
    assert_eq!(served.post(&append).await.expect("a repeat").next, answer.next);

    let bundle = served.client.get(&served.base, &format!("{}{}", routes::PROOF_BUNDLE, operation.op), DEADLINE).await;
    let bundle = bundle.expect("a bundle");
    let root = Pinned::new(root().to_value());
    let caller = Caller { root: Some(&root), kind: Some(eleven_verify::Kind::Execution), ..Caller::default() };
    let report = eleven_verify::verify_bytes(&bundle, &caller).expect("I-JSON");
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.checks);
    let epoch = served.folded.lock().expect("a lock").as_ref().expect("folded").epoch();
    assert_eq!(
        parse(&bundle).expect("I-JSON").pointer("/head/registry/epoch").and_then(Value::as_int),
        Some(epoch as i64)
    );

    let name = eleven_core::id::lineage_name(&operation.op);
    let lineage = served.get(&format!("{}{name}", routes::PROOF_LINEAGE)).await.expect("a lineage");
    assert_eq!(lineage.get("events").and_then(Value::as_array).map(<[Value]>::len), Some(7));
    assert_eq!(lineage.get("sealed"), Some(&Value::Bool(true)));
    let head = Head::read(served.get(routes::PROOF_HEAD).await.expect("a head")).expect("a head");
    let checkpoint = served.client.get(&served.base, routes::CHECKPOINT, DEADLINE).await.expect("a checkpoint");
    assert!(std::str::from_utf8(&checkpoint).expect("text").starts_with("11-11/ledger\n"));
    assert!(head.commitment.size >= 14);
    served.end().await;
    assert!(crate::fsck(home.path(), &mut |_| ()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_name_what_is_wrong_with_a_post() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    let append = |records: &[&eleven_core::event::Record]| {
        let mut append = Append::default();
        records.iter().for_each(|record| append.record(record));
        append
    };
    let (first, second) = (producers.denial("one"), producers.denial("two"));
    let (status, detail) = Served::status(served.post(&append(&[&second])).await);
    assert_eq!(status, 409);
    assert!(detail.contains("from number 0"), "{detail}");
    served.post(&append(&[&first, &second])).await.expect("both");
    producers.set_number("gw-0", 0);
    let other = producers.denial("another under the same number");
    assert_eq!(Served::status(served.post(&append(&[&other])).await).0, 409);
    producers.set_number("gw-0", 2);
    let wrong = producers.alone("gw-0", POINT, "policy.retired", Object::new());
    let (status, detail) = Served::status(served.post(&append(&[&wrong])).await);
    assert_eq!(status, 422);
    assert!(detail.contains("event.producer"), "{detail}");
    let stranger = producers.alone("stranger", POINT, "runtime.step", Object::new());
    assert_eq!(Served::status(served.post(&append(&[&stranger])).await).0, 403);

    let cursor = format!("{}{}", routes::AUDIT_CURSOR, kid("gw-0").replace(':', "%3A").replace('/', "%2F"));
    let cursor = served.cursor(&home, "gw-0", &cursor).await;
    assert_eq!((cursor.next, cursor.hash), (3, Some(Sha3::of(&[wrong.canonical()]))));
    assert_eq!(cursor.at, None, "a reader of an earlier build knows no such member, and does not ask for it");
    let plain = format!("{}{}", routes::AUDIT_CURSOR, kid("gw-0"));
    assert_eq!(served.cursor(&home, "gw-0", &plain).await.next, 3);
    for path in ["/v1/audit/cursor/nothing", "/v1/proof/bundle/nothing", "/v1/audit/blobs/nothing"] {
        assert_eq!(Served::status(served.get(path).await).0, 400, "{path}");
    }
    let (_, detail) = Served::status(served.get("/v1/proof/why/nothing").await);
    assert!(detail.starts_with("`nothing` is no operation's id"), "{detail}");
    let nobody = "00000000000000000000000000000000";
    for path in [
        format!("{}{}", routes::AUDIT_CURSOR, kid("stranger")),
        format!("{}{nobody}", routes::PROOF_BUNDLE),
        format!("{}{nobody}", routes::PROOF_LINEAGE),
        format!("/v1/proof/why/{nobody}"),
        format!("{}{}", routes::AUDIT_BLOB, Sha3([0; 64])),
        "/v1/proof/inclusion?seq=99999".to_owned(),
        "/nowhere".to_owned(),
    ] {
        let (status, detail) = Served::status(served.get(&path).await);
        assert_eq!(status, 404, "{path}");
        if path.starts_with("/v1/proof/") && path.ends_with(nobody) {
            let asked = format!("lineage://op/{nobody} of ledger://");
            assert!(detail.starts_with(&asked) && detail.ends_with("it is not in this ledger"), "{path}: {detail}");
        }
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_append_names_the_record_that_it_was_refused_for_by_its_place() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    let mut append = Append::default();
    append.record(&producers.denial("one"));
    append.record(&producers.alone("gw-0", POINT, "policy.retired", Object::new()));
    append.record(&producers.denial("two"));
    match served.post(&append).await {
        Err(CallError::Refused(problem)) => assert_eq!((problem.status, problem.record), (422, Some(1))),
        other => panic!("not refused: {other:?}"),
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_waits_for_more_than_the_ledger_has_does_not_hold_up_its_stop() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let before = served.post(&producers.set_up()).await.expect("set up").size;
    let mut append = Append::default();
    append.record(&producers.denial("waits"));
    let (client, base, body) = (served.client.clone(), served.base.clone(), append.to_bytes());
    // No witness cosigns anything here.
    let path = format!("{}?durability=D4&wait=30000", routes::AUDIT_EVENTS);
    let waiting = tokio::spawn(async move { client.post(&base, &path, &[], body, DEADLINE).await });
    let mut durable = served.shared.durable.subscribe();
    durable.wait_for(|size| *size > before).await.expect("committed");
    let told = std::time::Instant::now();
    served.end().await;
    assert!(told.elapsed() < Duration::from_secs(4), "the grace is five seconds: {:?}", told.elapsed());
    let answer = waiting.await.expect("ended well").expect("it is in the ledger");
    let answer = Appended::read(parse(&answer).expect("I-JSON")).expect("an answer");
    assert!(answer.durability < Durability::D4, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_bodies_are_refused_without_harm() {
    let home = Home::new();
    let served = Served::with(&home, |settings| Settings { body_limit: 100_000, ..settings }).await;
    for body in [
        &b""[..],
        b"[]",
        b"{",
        b"{\"records\":{}}",
        b"{\"records\":[],\"more\":1}",
        b"{\"records\":[]}",
        b"{\"records\":[1],\"blobs\":{\"x\":\"\"}}",
        b"\xff\xfe",
        b"{\"records\":[{\"a\":1.5}]}",
    ] {
        let answer = served.client.post(&served.base, routes::AUDIT_EVENTS, &[], body.to_vec(), DEADLINE).await;
        assert_eq!(Served::status(answer).0, 400, "{}", String::from_utf8_lossy(body));
    }
    let many = format!("{{\"records\":[{}0]}}", "0,".repeat(4096));
    let answer = served.client.post(&served.base, routes::AUDIT_EVENTS, &[], many, DEADLINE).await;
    let (status, detail) = Served::status(answer);
    assert!(status == 400 && detail.ends_with("send them in parts"), "{detail}");
    let deep = [vec![b'['; 5000], vec![b']'; 5000]].concat();
    let body = [&b"{\"records\":"[..], &deep, b"}"].concat();
    let answer = served.client.post(&served.base, routes::AUDIT_EVENTS, &[], body, DEADLINE).await;
    assert_eq!(Served::status(answer).0, 400);
    let answer = served.client.post(&served.base, routes::AUDIT_EVENTS, &[], vec![b' '; 200_000], DEADLINE).await;
    assert_eq!(Served::status(answer).0, 413);
    let nobodys = b"{\"records\":[null,1,\"x\",{}]}".to_vec();
    let answer = served.client.post(&served.base, routes::AUDIT_EVENTS, &[], nobodys, DEADLINE).await;
    assert_eq!(Served::status(answer).0, 403);
    for query in ["?from=x", "?from=1&from=2", "?from=%zz", "?wait=-1", "?limit=x", "?whole=y", "?form=1"] {
        assert_eq!(Served::status(served.get(&format!("{}{query}", routes::AUDIT_ENTRIES)).await).0, 400, "{query}");
    }
    served.post(&Producers::new().set_up()).await.expect("goes on");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_nothing_is_refused_wherever_it_is_asked_for() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut set_up = producers.set_up();
    // Who may not search is told that, whatever it asks for.
    set_up.record(&expose(&mut producers, 1, Exposure::Open));
    let size = served.post(&set_up).await.expect("set up").size;
    served.get(&format!("/v1/proof/inclusion?seq={}", size - 1)).await.expect("a head over it");
    for path in
        [routes::PROOF_HEADS, routes::REGISTRY_REVOCATIONS, routes::REGISTRY_POLICY_HISTORY, routes::AUDIT_SEARCH]
    {
        let (status, detail) = Served::status(served.get(&format!("{path}?count=0")).await);
        assert_eq!((status, detail.as_str()), (400, "`count` is not a number from 1 on: `0`"), "{path}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn discontinuities_come_with_the_registrys_entries_where_they_are_asked_for() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    let append = |record: &Record| {
        let mut append = Append::default();
        append.record(record);
        append
    };
    let first = producers.denial("one");
    producers.set_number("gw-0", 0);
    let other = producers.denial("two");
    served.post(&append(&first)).await.expect("posted");
    assert_eq!(Served::status(served.post(&append(&other)).await).0, 409);
    let mut policy = Append::default();
    producers.publish(2, &mut policy);
    served.post(&policy).await.expect("published");
    let events = async |from: i64, query: &str| {
        let path = format!("{}?from={from}&registry=1{query}", routes::AUDIT_ENTRIES);
        let headers = reader::signed(&path, &signer("authority"), home.clock.now());
        let page = served.client.call(Method::GET, &served.base, &path, &headers, Bytes::new(), DEADLINE).await;
        let page = parse(&page.expect("a page")).expect("I-JSON");
        let entries = page.get("entries").and_then(Value::as_array).expect("entries").to_vec();
        let event = |entry: &Value| entry.pointer("/record/event").and_then(Value::as_str).map(str::to_owned);
        (entries.iter().filter_map(event).collect::<Vec<_>>(), page.get("next").cloned(), page.get("size").cloned())
    };
    let (registry, ..) = events(0, "").await;
    assert!(!registry.contains(&"audit.discontinuity".to_owned()), "{registry:?}");
    let (both, next, size) = events(0, "&discontinuities=1").await;
    let place = both.iter().position(|event| event == "audit.discontinuity").expect("it is there");
    assert_eq!(both[place + 1..], ["policy.published"], "in the ledger's order");
    assert_eq!((both.len(), next), (registry.len() + 1, size));
    // A page that ends within them goes on from there.
    let (some, next, _) = events(0, &format!("&discontinuities=1&limit={}", place + 1)).await;
    assert_eq!(some, both[..=place]);
    let next = next.as_ref().and_then(Value::as_int).expect("a number");
    assert_eq!(events(next, "&discontinuities=1").await.0, both[place + 1..]);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_read_in_pages_and_waited_for() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut set_up = producers.set_up();
    set_up.record(&expose(&mut producers, 1, Exposure::Open));
    let size = served.post(&set_up).await.expect("set up").size;
    // The setting counts from the head over it on, which asking for its proof waits for.
    served.get(&format!("/v1/proof/inclusion?seq={}", size - 1)).await.expect("a proof");
    let page = served.get(&format!("{}?from=2", routes::AUDIT_ENTRIES)).await.expect("a page");
    let entries = page.get("entries").and_then(Value::as_array).expect("entries");
    assert_eq!(entries[0].get("seq").and_then(Value::as_int), Some(2));
    assert_eq!(page.get("next"), page.get("size"));
    let two = served.get(&format!("{}?from=1&limit=2&whole=1", routes::AUDIT_ENTRIES)).await.expect("a page");
    let whole = two.get("entries").and_then(Value::as_array).expect("entries").to_vec();
    assert_eq!((whole.len(), two.get("next").and_then(Value::as_int)), (2, Some(3)));
    let [one, other] = [&whole[0], &whole[1]].map(|entry| Entry::read(entry.clone()).expect("a whole entry"));
    let bytes = one.to_value().canonical();
    assert_eq!(other.header.prev, Some(advance(one.header.prev.as_ref(), &bytes)), "each links to the one before");
    let registry = served.get(&format!("{}?from=0&registry=1", routes::AUDIT_ENTRIES)).await.expect("a page");
    assert_eq!(registry.get("entries").and_then(Value::as_array).map(<[Value]>::len), Some(7));
    let next = registry.get("next").and_then(Value::as_int).expect("next");
    let path = format!("{}?from={next}&registry=1&wait=20000", routes::AUDIT_ENTRIES);
    let mut append = Append::default();
    let mut policy = Append::default();
    append.record(&producers.denial("not of the registry"));
    producers.publish(2, &mut policy);
    let waiting = served.get(&path);
    let posting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        served.post(&append).await.expect("a denial");
        tokio::time::sleep(Duration::from_millis(50)).await;
        served.post(&policy).await.expect("a policy");
    };
    let (page, ()) = tokio::join!(waiting, posting);
    let page = page.expect("a page");
    let entries = page.get("entries").and_then(Value::as_array).expect("entries");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].pointer("/record/event").and_then(Value::as_str), Some("policy.published"));
    let hash = Sha3::of(&[&crate::world::policy_bundle(2).canonical()]);
    let blob = served.client.get(&served.base, &format!("{}{hash}", routes::AUDIT_BLOB), DEADLINE).await;
    assert_eq!(blob.expect("the bundle"), crate::world::policy_bundle(2).canonical());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_registry_is_woken_by_what_it_is_shown_and_hears_how_far_the_ledger_came() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut set_up = producers.set_up();
    set_up.record(&expose(&mut producers, 1, Exposure::Open));
    let size = served.post(&set_up).await.expect("set up").size;
    served.get(&format!("/v1/proof/inclusion?seq={}", size - 1)).await.expect("a proof, by which the setting counts");
    let news = || *served.shared.notable.borrow();
    let first = news();
    assert!(first >= size);
    let append = |record: &Record| {
        let mut append = Append::default();
        append.record(record);
        append
    };
    let one = producers.denial("one");
    served.post(&append(&one)).await.expect("a denial");
    assert_eq!(news(), first, "nobody who waits for the registry is shown that");
    let mut policy = Append::default();
    producers.publish(2, &mut policy);
    served.post(&policy).await.expect("a policy");
    let second = news();
    assert!(second > first);
    producers.set_number("gw-0", one.src_seq);
    let other = producers.denial("another under its number");
    assert_eq!(Served::status(served.post(&append(&other)).await).0, 409);
    assert!(news() > second, "that a stream is broken is shown to who asks for that, too");
    // What waits ends with nothing to show, behind an entry that came meanwhile: where that took longer, it waits longer.
    let mut told = (None, 0);
    for wait in [400, 2000, 10_000] {
        let path = format!("{}?from={}&registry=1&wait={wait}", routes::AUDIT_ENTRIES, served.shared.size());
        let posting = async {
            // Beside the test's authority.
            let both = async {
                while served.shared.notable.receiver_count() < 2 {
                    tokio::task::yield_now().await;
                }
            };
            let _ = tokio::time::timeout(Duration::from_millis(200), both).await;
            served.post(&append(&producers.denial("two"))).await.expect("a denial").size
        };
        let (page, size) = tokio::join!(served.get(&path), posting);
        let page = page.expect("a page");
        let of = |member: &str| page.get(member).and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
        assert_eq!(page.get("entries").and_then(Value::as_array).map(<[Value]>::len), Some(0));
        assert_eq!(of("next"), of("size"), "{page}");
        told = (of("size"), size);
        if told.0 >= Some(size) {
            break;
        }
    }
    assert!(told.0 >= Some(told.1), "{told:?}");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_metrics_and_plain_proofs_answer() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    let proof = served.get("/v1/proof/inclusion?seq=2").await.expect("a proof");
    assert_eq!(proof.get("seq").and_then(Value::as_int), Some(2));
    let first = proof.get("size").and_then(Value::as_int).expect("a size");
    served.get(&format!("/v1/proof/consistency?first={first}")).await.expect("a proof");
    let nobody = "00000000000000000000000000000000";
    let absent = served.get(&format!("/v1/proof/exclusion?op={nobody}")).await.expect("a proof");
    assert_eq!(absent.get("present"), Some(&Value::Bool(false)));
    // An artifact is looked for among the revocations, and not among the operations.
    let mut append = Append::default();
    let [revoked, issued] = [1, 2].map(|n| producers.issue(single(n), &[], &mut append));
    append.record(&producers.revoke(&revoked.artifact));
    let size = served.post(&append).await.expect("revoked").size;
    served.get(&format!("/v1/proof/inclusion?seq={}", size - 1)).await.expect("a head over it");
    for (named, present) in [
        (format!("op={}", revoked.op), true),
        (format!("op={}", issued.op), true),
        (format!("artifact={}", revoked.artifact.id), true),
        (format!("artifact={}", issued.artifact.id), false),
        (format!("artifact=auth_{nobody}"), false),
    ] {
        let answer = served.get(&format!("/v1/proof/exclusion?{named}")).await.expect("a proof");
        assert_eq!(answer.get("present"), Some(&Value::Bool(present)), "{named}");
    }
    assert_eq!(Served::status(served.get("/v1/proof/exclusion").await).0, 400);
    let health = served.get(routes::HEALTH).await.expect("health");
    assert_eq!(health.get("ok"), Some(&Value::Bool(true)));
    let public = base64_value(&signer("head").public());
    let head = Value::Object(Object::new().with("kid", kid("head")).with("public", public));
    assert_eq!(health.get("head_keys"), Some(&Value::Array(vec![head])));
    let metrics = served.client.get(&served.base, routes::METRICS, DEADLINE).await.expect("metrics");
    let metrics = std::str::from_utf8(&metrics).expect("text");
    for name in ["eleven_ledger_appended_total", "eleven_ledger_fdatasync_microseconds{quantile=\"0.99\"}"] {
        assert!(metrics.contains(name), "{metrics}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_ran_ahead_once_is_told_of_until_it_is_that_late_again() {
    let home = Home::new();
    let behind = async |served: &Served| {
        let health = served.get(routes::HEALTH).await.expect("health");
        health.get("clock_behind_ms").and_then(Value::as_int)
    };
    let served = Served::start(&home).await;
    assert_eq!(behind(&served).await, None);
    home.clock.advance(3_600_000);
    served.post(&Producers::new().set_up()).await.expect("set up");
    served.get("/v1/proof/inclusion?seq=2").await.expect("under a head");
    assert_eq!(behind(&served).await, None);
    home.clock.set(crate::world::start());
    assert_eq!(behind(&served).await, Some(3_600_000));
    let metrics = served.client.get(&served.base, routes::METRICS, DEADLINE).await.expect("metrics");
    let metrics = std::str::from_utf8(&metrics).expect("text");
    assert!(metrics.contains("\neleven_ledger_clock_behind_ms 3600000\n"), "{metrics}");
    // What an entry would bear that is made now, which is not what the clock shows.
    let path = format!("{}{}?at=1", routes::AUDIT_CURSOR, kid("authority"));
    let dated = async |served: &Served| served.cursor(&home, "authority", &path).await.at.expect("it says so");
    assert_eq!(dated(&served).await, crate::world::start().plus_millis(3_600_000));
    home.clock.advance(3_598_000);
    assert_eq!(behind(&served).await, None, "so much clocks may differ");
    home.clock.advance(9_000);
    assert_eq!(dated(&served).await, home.clock.now());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_be_read_is_told_of_for_as_long_as_it_is_not_served() {
    let (home, archive) = (Home::new(), tempfile::tempdir().expect("a folder"));
    for (path, told) in [(None, None), (Some("absent"), Some("unreadable"))] {
        let path = path.map(|name| archive.path().join(name));
        let served = Served::with(&home, |settings| Settings { archive: path, ..settings }).await;
        let health = served.get(routes::HEALTH).await.expect("it goes on without");
        assert_eq!(health.get("archive").and_then(Value::as_str), told);
        let metrics = served.client.get(&served.base, routes::METRICS, DEADLINE).await.expect("metrics");
        let line = format!("\neleven_ledger_lacks_archive {}\n", u64::from(told.is_some()));
        let metrics = std::str::from_utf8(&metrics).expect("text");
        assert!(metrics.contains(&line) && metrics.contains("\neleven_ledger_archive_lacks 0\n"), "{line}");
        served.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_lacks_pieces_is_told_of_with_how_many() {
    let (home, [whole, other]) = (Home::new(), [(); 2].map(|()| tempfile::tempdir().expect("a folder")));
    let moved = crate::archive::tests::moved_to(&home, whole.path()).await;
    assert!(moved > 0);
    // A ledger's that has moved nothing yet.
    drop(crate::archive::Archive::writing(other.path()).expect("begun"));
    for (archive, told, lacks) in [(&whole, None, 0), (&other, Some("incomplete"), moved)] {
        let path = Some(archive.path().to_owned());
        let served = Served::with(&home, |settings| Settings { archive: path, ..settings }).await;
        let health = served.get(routes::HEALTH).await.expect("it goes on without");
        assert_eq!(health.get("archive").and_then(Value::as_str), told);
        let metrics = served.client.get(&served.base, routes::METRICS, DEADLINE).await.expect("metrics");
        let line = format!("\neleven_ledger_archive_lacks {lacks}\n");
        let metrics = std::str::from_utf8(&metrics).expect("text");
        assert!(metrics.contains(&line) && metrics.contains("\neleven_ledger_lacks_archive 0\n"), "{line}");
        served.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_producers_at_once_keep_their_order() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let mut operations: Vec<_> = (0..40).map(|n| producers.issue(single(n), &[], &mut append)).collect();
    served.post(&append).await.expect("issued");
    let mut posts = Vec::new();
    for operation in &mut operations {
        let mut append = Append::default();
        producers.begin(operation, 1, &mut append);
        posts.push(append);
    }
    // One producer sends in order; a second client repeats everything it sees.
    let first = async {
        for post in &posts {
            served.post(post).await.expect("taken");
        }
    };
    let second = async {
        for post in &posts {
            let outcome = served.post(post).await;
            assert!(outcome.is_ok() || Served::status(outcome).0 == 409);
        }
    };
    tokio::join!(first, second);
    let metrics = served.client.get(&served.base, routes::METRICS, DEADLINE).await.expect("metrics");
    assert!(std::str::from_utf8(&metrics).expect("text").contains("eleven_ledger_running 40"));
    served.end().await;
    let ledger: Ledger = home.open().expect("open again");
    assert_eq!(crate::state::read(&ledger.inner.shared.book).running(), 40);
}
