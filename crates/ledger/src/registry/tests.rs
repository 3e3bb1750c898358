use crate::state::{Shared, read};
use crate::world::{DOMAIN, Home, LEDGER, Producers, genesis_keys, granted, kid, root, signed_header, signer, start};
use crate::{Ledger, LedgerError, Signers};
use axum::Router;
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::get;
use eleven_api::audit::Append;
use eleven_api::client::Client;
use eleven_api::edge::Clock;
use eleven_api::keyring::Keyring;
use eleven_api::public::registry_tag;
use eleven_api::routes;
use eleven_api::serve::{Listener, json};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::registry::{self, Fold};
use eleven_core::root::KeyUse;
use eleven_core::signature::Signer;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A ledger that runs, and an authority that serves whatever header a test puts there.
struct Running {
    base: String,
    client: Client,
    shared: Arc<Shared>,
    header: Arc<Mutex<Option<Value>>>,
    /// How often the ledger was told that it has what is served, and how often it was served.
    told: Arc<[AtomicUsize; 2]>,
    stop: watch::Sender<bool>,
    ledger: JoinHandle<Result<(), LedgerError>>,
}

impl Running {
    async fn start(home: &Home, header: Option<Value>) -> Self {
        Self::start_by(home, header, Home::signers()).await
    }

    async fn start_by(home: &Home, header: Option<Value>, signers: Signers) -> Self {
        let (stop, stopping) = watch::channel(false);
        let header = Arc::new(Mutex::new(header));
        let authority = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a listener");
        let address = format!("http://{}", authority.local_addr().expect("an address"));
        let told: Arc<[AtomicUsize; 2]> = Arc::default();
        let (serves, counts) = (Arc::clone(&header), Arc::clone(&told));
        let snapshot = async move |headers: HeaderMap| {
            let header = serves.lock().expect("a lock").clone();
            let read = header.clone().and_then(|header| registry::Header::read(header).ok());
            let tag = read.and_then(|(header, _)| registry_tag(header.hash()));
            let known = tag.is_some() && headers.get(IF_NONE_MATCH) == tag.as_ref();
            counts[usize::from(!known)].fetch_add(1, Ordering::SeqCst);
            if known {
                return StatusCode::NOT_MODIFIED.into_response();
            }
            json(&Value::Object(Object::new().with_some("header", header)))
        };
        let router = Router::new().route(routes::REGISTRY_SNAPSHOT, get(snapshot));
        tokio::spawn(authority.serve(router, stopping.clone(), Duration::from_secs(1)));
        let settings = crate::Settings { authority: Some(address), ..home.settings() };
        let clock = Arc::clone(&home.clock) as Arc<dyn Clock>;
        let ledger = Ledger::open(settings, signers, clock).expect("open");
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a listener");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::clone(&ledger.inner.shared);
        let ledger = tokio::spawn(ledger.serve(listener, stopping));
        Self { base, client: Client::new(), shared, header, told, stop, ledger }
    }

    async fn get(&self, path: &str) -> Result<Value, eleven_api::client::CallError> {
        self.client.get_json(&self.base, path, Duration::from_secs(20)).await
    }

    async fn post(&self, record: &Record) {
        let mut append = Append::default();
        append.record(record);
        let body = append.to_bytes();
        let answer = self.client.post(&self.base, routes::AUDIT_EVENTS, &[], body, Duration::from_secs(20)).await;
        answer.expect("taken");
    }

    /// How often an event of that name stands there.
    fn count(&self, name: &str) -> usize {
        self.events().iter().filter(|(event, _)| event == name).count()
    }

    /// Waits until it has met a disagreement and could make no entry, and for some rounds more, in which it tries again.
    async fn until_mute(&self) {
        for _ in 0..1000 {
            if self.shared.disagreement.load(Ordering::Acquire) && self.shared.keys.is_mute() {
                return tokio::time::sleep(Duration::from_millis(500)).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never has to make an entry");
    }

    /// Has the authority serve the header of the registry in force.
    fn serve_in_force(&self) {
        let header = read(&self.shared.book).registry().map(signed_header);
        *self.header.lock().expect("a lock") = header;
    }

    /// Asks until the answer is as it should be.
    async fn until(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1000 {
            // A ledger that signs no head says so with a status of its own; what it says is read then, too.
            let response = self.client.get_json(&self.base, path, Duration::from_secs(20)).await;
            if let Ok(value) = response
                && good(&value)
            {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} did not come to what it should");
    }

    /// Every durable event and its data.
    fn events(&self) -> Vec<(String, Value)> {
        let event = |seq| {
            let record = crate::lineage::standing(&self.shared, seq).expect("an entry").record;
            (record.event, Value::Object(record.data))
        };
        (0..self.shared.size()).map(event).collect()
    }

    /// The events, once there is one of that name.
    async fn until_event(&self, name: &str) -> Vec<(String, Value)> {
        for _ in 0..1000 {
            let events = self.events();
            if events.iter().any(|(event, _)| event == name) {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there is no {name}");
    }

    async fn end(self) {
        self.stop.send(true).expect("it runs");
        self.ledger.await.expect("served").expect("ended well");
    }
}

/// The header of epoch 1, with the age that a view may have.
fn header(fresh: u64) -> Value {
    let data = registry::genesis(&root(), fresh, &genesis_keys());
    signed_header(&Fold::genesis(start(), LEDGER, &data).expect("a genesis"))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_registry_of_the_authoritys_is_recorded_and_outlasts_a_restart() {
    let home = Home::new();
    let running = Running::start(&home, None).await;
    let head = running.until(routes::PROOF_HEAD, |head| head.get("size").is_some()).await;
    assert!(running.get(routes::HEALTH).await.is_ok(), "a header that is not there is only a lag");

    *running.header.lock().expect("a lock") = Some(header(11));
    let events = running.until_event("audit.discontinuity").await;
    let (_, data) = events.last().expect("an event");
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    assert_eq!(text("cause"), "drift.registry");
    assert_eq!(text("producer"), format!("governance://{DOMAIN}/authority/prod"));
    assert_eq!(data.get("from").and_then(Value::as_int), Some(1));
    let evidence = running.get(&format!("{}{}", routes::AUDIT_BLOB, text("header"))).await.expect("the header");
    assert_eq!(evidence, header(11), "what the authority signed is kept");
    assert!(running.get(routes::HEALTH).await.is_err(), "it says that it signs no head");
    let size = |value: &Value| value.get("size").and_then(Value::as_int);
    let after = running.get(routes::PROOF_HEAD).await.expect("the last head");
    assert_eq!(size(&after), size(&head), "no head covers what came after");
    // The right header alone ends nothing while this process runs.
    *running.header.lock().expect("a lock") = Some(header(10));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(running.get(routes::HEALTH).await.is_err());
    running.end().await;

    let running = Running::start(&home, None).await;
    assert!(running.get(routes::HEALTH).await.is_err(), "it is in the ledger");
    *running.header.lock().expect("a lock") = Some(header(10));
    let events = running.until_event("audit.resumed").await;
    assert_eq!(events.iter().filter(|(event, _)| event == "audit.discontinuity").count(), 1);
    // What came before the seal that closes it; the seal may be there already.
    let before = events.iter().position(|(event, _)| event == "audit.resumed").expect("it") as i64 + 1;
    running.until(routes::PROOF_HEAD, |head| size(head) > Some(before)).await;
    assert!(running.get(routes::HEALTH).await.is_ok());
    running.end().await;

    let running = Running::start(&home, Some(header(10))).await;
    assert!(running.get(routes::HEALTH).await.is_ok(), "it has ended for good");
    running.end().await;
}

/// The authority's word that an event key of the ledger's counts from now on.
fn registered(producers: &mut Producers, label: &str) -> Record {
    producers.by_authority("key.registered", granted(label, KeyUse::Event, LEDGER).to_object())
}

fn retired(producers: &mut Producers, label: &str) -> Record {
    producers.by_authority("key.retired", Object::new().with("kid", kid(label)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_recorded_of_the_authoritys_registry_is_recorded_later() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let signers = || {
        let held = ["audit", "audit-2", "audit-3"].map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
        Signers { event: Keyring::new(held).expect("keys"), ..Home::signers() }
    };
    // While no key of the ledger's own counts it can make no entry.
    let running = Running::start_by(&home, None, signers()).await;
    running.post(&retired(&mut producers, "audit")).await;
    *running.header.lock().expect("a lock") = Some(header(11));
    running.until_mute().await;
    assert_eq!(running.count("audit.discontinuity"), 0);
    running.post(&registered(&mut producers, "audit-2")).await;
    running.until_event("audit.discontinuity").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(running.count("audit.discontinuity"), 1, "once is enough");
    running.post(&retired(&mut producers, "audit-2")).await;
    running.end().await;

    // Likewise that both agree again: before that is in the ledger no head is signed.
    let running = Running::start_by(&home, None, signers()).await;
    running.serve_in_force();
    running.until_mute().await;
    assert!(running.shared.disagreement.load(Ordering::Acquire), "not before that is recorded");
    running.post(&registered(&mut producers, "audit-3")).await;
    running.serve_in_force();
    running.until_event("audit.resumed").await;
    running.until(routes::HEALTH, |health| health.get("signs_heads") == Some(&Value::Bool(true))).await;
    assert_eq!(running.count("audit.resumed"), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_does_not_answer_makes_no_end_longer() {
    let home = Home::new();
    // The kernel takes its connections.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let authority = Some(format!("http://{}", silent.local_addr().expect("an address")));
    let ledger = home.open_with(crate::Settings { authority, ..home.settings() }).expect("open");
    let (end, ended) = watch::channel(false);
    let following = tokio::spawn(super::follow(Arc::clone(&ledger.inner), ended));
    tokio::time::sleep(Duration::from_millis(100)).await;
    end.send_replace(true);
    let ended = tokio::time::timeout(Duration::from_secs(1), following).await;
    ended.expect("long before the answer is given up").expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_both_agree_on_is_not_sent_again() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let running = Running::start(&home, Some(header(10))).await;
    let told = |known: bool| running.told[usize::from(!known)].load(Ordering::SeqCst);
    until(|| told(true) > 0).await;
    let sent = told(false);
    until(|| told(true) > 2).await;
    assert_eq!(told(false), sent, "it has that one");
    // Another epoch, whose header is lacking; then another registry under its number.
    running.post(&registered(&mut producers, "audit-2")).await;
    running.serve_in_force();
    until(|| told(false) > sent).await;
    let known = told(true);
    until(|| told(true) > known).await;
    *running.header.lock().expect("a lock") = Some(other_of(&running));
    running.until_event("audit.discontinuity").await;
    running.end().await;
}

async fn until(reached: impl Fn() -> bool) {
    for _ in 0..1000 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not ask so");
}

/// A header of the epoch in force, of another registry.
fn other_of(running: &Running) -> Value {
    let data = registry::genesis(&root(), 11, &genesis_keys());
    let mut other = Fold::genesis(start(), LEDGER, &data).expect("a genesis");
    let record = registered(&mut Producers::new(), "audit-2");
    other.apply(start(), &record.event, &record.by, &record.data).expect("the next epoch");
    let in_force = read(&running.shared.book).registry().map(Fold::epoch);
    assert_eq!(in_force, Some(other.epoch()));
    signed_header(&other)
}

#[test]
fn why_a_header_is_not_to_be_trusted_is_said_once_and_again_where_it_is_another_reason() {
    let mut known = super::Known { recorded: true, untrusted: None };
    assert_eq!(["one", "one", "another", "one"].map(|why| known.is_news(why)), [true, false, true, true]);
    known.untrusted = None;
    assert!(known.is_news("one"), "one came meanwhile that agrees");
}

#[tokio::test]
async fn whatever_else_answers_is_named_by_its_address() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a listener");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let (_stop, stopping) = watch::channel(false);
    let models = async || json(&Value::Object(Object::new().with("object", "list")));
    let router = Router::new().route(routes::REGISTRY_SNAPSHOT, get(models));
    tokio::spawn(listener.serve(router, stopping, Duration::from_secs(1)));
    let mut known = super::Known { recorded: true, untrusted: None };
    super::fetch(&ledger.inner, &Client::new(), &at, &mut known).await;
    let why = known.untrusted.expect("it has no header");
    assert!(why.contains(&format!("what answers at {at} has none")), "{why}");
}

#[tokio::test]
async fn an_epoch_that_is_ahead_of_the_entries_is_told() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a listener");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let (_stop, stopping) = watch::channel(false);
    let data = registry::genesis(&root(), 10, &genesis_keys());
    let mut ahead = Fold::genesis(start(), LEDGER, &data).expect("a genesis");
    let record = registered(&mut Producers::new(), "audit-2");
    ahead.apply(start(), &record.event, &record.by, &record.data).expect("the next epoch");
    let shown = Value::Object(Object::new().with("header", signed_header(&ahead)));
    let router = Router::new().route(routes::REGISTRY_SNAPSHOT, get(async move || json(&shown)));
    tokio::spawn(listener.serve(router, stopping, Duration::from_secs(1)));
    let mut known = super::Known { recorded: true, untrusted: None };
    super::fetch(&ledger.inner, &Client::new(), &at, &mut known).await;
    assert_eq!(known.untrusted.as_deref(), Some(super::AHEAD));
    assert!(
        !ledger.inner.shared.disagreement.load(Ordering::Acquire),
        "it is no other registry of an epoch that is here"
    );
}
