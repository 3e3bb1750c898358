use crate::fixtures::{self, AUTHORITY};
use crate::world::{World, bundle, listener, signers};
use bytes::Bytes;
use eleven_api::client::CallError;
use eleven_api::edge::{Clock, SystemClock};
use eleven_api::public::registry_tag;
use eleven_api::{reader, routes};
use eleven_authority::{Authority, Settings};
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::Sha3;
use eleven_core::registry::{KeyTables, Snapshot, Stamp, View};
use eleven_core::time::Time;
use http::Method;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, IF_NONE_MATCH};
use http_body_util::{BodyExt as _, Full};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How long something may take that takes a blink on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_what_an_enforcement_point_accepts() {
    let world = World::founded().await;
    let snapshot = Snapshot::read(world.get(routes::REGISTRY_SNAPSHOT).await.expect("a snapshot")).expect("its form");
    let stamp = Stamp::read(world.get(routes::REGISTRY_STAMP).await.expect("a stamp")).expect("its form");
    let view = View::open(&fixtures::root(), snapshot, stamp, &mut KeyTables::new()).expect("a view");
    assert_eq!(view.usable_at(eleven_api::edge::Clock::now(&eleven_api::edge::SystemClock)), Ok(()));
    // Whoever has folded the same registry asks by its hash.
    let known = |hash: Sha3| [(IF_NONE_MATCH, registry_tag(hash).expect("a tag"))];
    for (hash, status) in [(view.hash(), 304), (Sha3::of(&[b"another"]), 200)] {
        let (path, headers) = (routes::REGISTRY_SNAPSHOT, known(hash));
        let answer = world.client.call(Method::GET, &world.base, path, &headers, Bytes::new(), PATIENCE).await;
        let answered = answer.map_or_else(|error| refused_by(&error), |_| 200);
        assert_eq!(answered, status);
    }
    assert_eq!(world.get(routes::REGISTRY_ROOT).await.expect("a root"), fixtures::root().to_value());
    assert_eq!(world.get("/v1/registry/root/1").await.expect("a root"), fixtures::root().to_value());
    assert_eq!(world.get("/v1/registry/root/2").await.expect_err("no such version").status, 404);
    let issuers = world.get("/v1/registry/issuers").await.expect("issuers");
    assert_eq!(issuers.get("issuers").and_then(Value::as_array).map(<[Value]>::len), Some(2));
    world.stop().await;
}

fn refused_by(error: &CallError) -> u16 {
    match error {
        CallError::Refused(problem) => problem.status,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_answered_in_the_form_of_every_other_error() {
    let world = World::founded().await;
    for (method, path, status, detail) in [
        (Method::GET, "/v1/nothing", 404, "see spec/http.md"),
        (Method::GET, routes::GOVERN_EXECUTE, 405, "by that method"),
        (Method::POST, routes::REGISTRY_STAMP, 405, "by that method"),
        (Method::GET, "/v1/registry/root/abc", 400, "a number"),
        (Method::GET, "/v1/registry/root/%ff", 400, "no UTF-8"),
        (Method::GET, "/v1/registry/policies/%ff", 400, "no UTF-8"),
    ] {
        let answer = world.client.call(method, &world.base, path, &[], Bytes::new(), Duration::from_secs(60)).await;
        let Err(CallError::Refused(problem)) = answer else { panic!("{path}: {answer:?}") };
        assert_eq!(problem.status, status, "{path}");
        assert!(problem.detail.contains(detail), "{path}: {problem}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_origin_are_told_that_they_may_read_and_what_they_may_not_do() {
    let world = World::founded().await;
    let send = |method: &Method, path: &str| {
        let request = http::Request::builder().method(method).uri(format!("{}{path}", world.base));
        world.client.send(request.body(Full::default()).expect("a request"))
    };
    for path in [routes::REGISTRY_SNAPSHOT, routes::REGISTRY_STAMP, routes::REGISTRY_WATCH, "/v1/registry/root/1"] {
        for (method, status) in [(Method::OPTIONS, 204), (Method::POST, 405)] {
            let answer = send(&method, path).await.expect("an answer");
            let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!(answer.status().as_u16(), status, "{method} {path}");
            assert_eq!(header("access-control-allow-origin"), Some("*"), "{method} {path}");
            let methods = (status == 204).then_some("GET, HEAD, OPTIONS");
            assert_eq!(header("access-control-allow-methods"), methods, "{method} {path}");
        }
    }
    // What decides is for nobody's page.
    let answer = send(&Method::OPTIONS, routes::GOVERN_EXECUTE).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("access-control-allow-origin")), (405, false));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_bundle_is_served_by_hash_and_nothing_else_is() {
    let world = World::founded().await;
    let hash = Sha3::of_value(&bundle(1));
    let path = |hash: Sha3| format!("{}{hash}", routes::REGISTRY_POLICIES);
    assert_eq!(world.get_bytes(&path(hash)).await.expect("a bundle"), bundle(1).canonical());
    let artifact = world.ask().await.expect("an artifact").token.artifact.to_value();
    let private = Sha3::of_value(&artifact);
    assert_eq!(world.get_bytes(&path(private)).await.expect_err("the ledger has it, but it is no policy").status, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_see_the_next_epoch_and_resume() {
    let world = World::founded().await;
    let known = world.get("/v1/registry/revocations").await.expect("a document");
    let known = known.get("epoch").and_then(Value::as_int).expect("an epoch");
    let request = http::Request::get(format!("{}{}", world.base, routes::REGISTRY_WATCH))
        .header("last-event-id", known)
        .body(Full::default())
        .expect("a request");
    let mut body = world.client.send(request).await.expect("an answer").into_body();
    let model = Object::new().with("kind", "model").with("subject", "clinical-summary-v4");
    world.act("subject.contain", model).await.expect("contained");
    let mut seen = String::new();
    let wanted = format!("event: epoch\nid: {}\ndata: {{\"epoch\":{}", known + 1, known + 1);
    let watching = async {
        while !seen.contains(&wanted) {
            let frame = body.frame().await.expect("more").expect("a frame");
            seen.push_str(&String::from_utf8_lossy(&frame.into_data().expect("data")));
        }
    };
    tokio::time::timeout(PATIENCE, watching).await.expect("the next epoch");
    assert!(seen.starts_with("event: stamp\n"), "the epoch that was known is not sent again: {seen}");
    drop(body);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_is_let_go_when_the_corner_stops() {
    let world = World::founded().await;
    let request = http::Request::get(format!("{}{}", world.base, routes::REGISTRY_WATCH));
    let watched = world.client.send(request.body(Full::default()).expect("a request")).await.expect("an answer");
    let ended = tokio::time::timeout(Duration::from_secs(3), watched.into_body().collect());
    let (ended, ()) = tokio::join!(ended, world.stop());
    ended.expect("it is not held until the grace is over").expect("in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_domain_shows_its_registry_to_those_who_work_by_it() {
    let world = World::founded().await;
    let added = Object::new().with("auditor", "examiner").with("identity", "human:examiner:dev");
    let added = world.act("auditor.add", added).await.expect("added");
    let secret = added.get("secret").and_then(Value::as_str).expect("a secret").to_owned();
    let watch = || {
        let request = http::Request::get(format!("{}{}", world.base, routes::REGISTRY_WATCH));
        world.client.send(request.body(Full::default()).expect("a request"))
    };
    let watched = watch().await.expect("an answer");
    world.act("exposure.set", Object::new().with("exposure", "private")).await.expect("set");
    let ended = tokio::time::timeout(PATIENCE, watched.into_body().collect());
    ended.await.expect("a stream that a stranger had opened ends").expect("in order");
    let bearer =
        |text: &str| vec![(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {text}")).expect("a header"))];
    let now = SystemClock.now();
    for path in [
        routes::REGISTRY_ROOT.to_owned(),
        routes::REGISTRY_SNAPSHOT.to_owned(),
        routes::REGISTRY_STAMP.to_owned(),
        routes::REGISTRY_ISSUERS.to_owned(),
        routes::REGISTRY_REVOCATIONS.to_owned(),
        format!("{}{}", routes::REGISTRY_POLICIES, Sha3::of_value(&bundle(1))),
    ] {
        let get = async |headers: &[(HeaderName, HeaderValue)]| {
            let asked =
                world.client.call(Method::GET, &world.base, &path, headers, Bytes::new(), Duration::from_secs(2));
            match asked.await {
                Ok(_) => 200,
                Err(CallError::Refused(problem)) => problem.status,
                Err(error) => panic!("{path}: {error}"),
            }
        };
        assert_eq!(get(&[]).await, 401, "{path}: a stranger");
        assert_eq!(get(&bearer(&world.secret)).await, 401, "{path}: a caller");
        assert_eq!(get(&bearer(&secret)).await, 200, "{path}: an auditor");
        let signed = |label: &str, path: &str, now| reader::signed(path, &fixtures::signer(label), now);
        for label in ["point", "ledger", "operator"] {
            assert_eq!(get(&signed(label, &path, now)).await, 200, "{path}: {label}");
            assert_eq!(get(&signed(label, "/v1/registry/other", now)).await, 401, "{path}: {label} for another path");
            assert_eq!(get(&signed(label, &path, now.plus_seconds(-11))).await, 401, "{path}: {label} too late");
        }
        for label in ["issuer", "stranger"] {
            assert_eq!(get(&signed(label, &path, now)).await, 401, "{path}: {label}");
        }
    }
    assert_eq!(watch().await.expect("an answer").status(), 401);
    for (headers, expected) in [
        (vec![], "; send an auditor's secret as `Authorization: Bearer`"),
        (bearer(&world.secret), "; what was sent as `Authorization: Bearer` is no secret of an auditor that counts"),
    ] {
        let path = routes::REGISTRY_STAMP;
        let asked = world.client.call(Method::GET, &world.base, path, &headers, Bytes::new(), Duration::from_secs(2));
        let Err(CallError::Refused(problem)) = asked.await else { panic!("a stranger is refused") };
        assert!(problem.detail.contains(expected), "{problem}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_while_its_authority_ends_is_counted() {
    let mut world = World::founded().await;
    let (stop, serving) = world.ending_authority().await;
    let mut line = TcpStream::connect(world.base.trim_start_matches("http://")).await.expect("it listens");
    let head = "POST /v1/govern/execute HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n{";
    line.write_all(head.as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.send_replace(true);
    tokio::time::sleep(Duration::from_millis(300)).await;
    line.write_all(b"}").await.expect("sent");
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    serving.await.expect("it ends");
    let records = world.records().await;
    let counts = records.iter().filter(|record| record.event == "execution.denied");
    let counts: Vec<_> = counts.map(|record| record.data.get("count").and_then(Value::as_int)).collect();
    assert_eq!(counts, [Some(1_i64)]);
    world.stop().await;
}

/// The machine's clock, which panics once when it is told to, in whichever task reads it next.
#[derive(Default)]
struct Failing(AtomicBool);

impl Clock for Failing {
    fn now(&self) -> Time {
        assert!(!self.0.swap(false, SeqCst), "a clock that fails");
        SystemClock.now()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_loses_a_task_ends() {
    let clock = Arc::new(Failing::default());
    let settings = Settings { name: AUTHORITY.into(), ledger: "http://127.0.0.1:9".into() };
    let (_running, stop) = watch::channel(false);
    let authority = Authority::open(settings, signers(), fixtures::root(), clock.clone(), stop);
    let (listener, _) = listener().await;
    let serving = tokio::spawn(authority.expect("an authority").serve(vec![listener]));
    clock.0.store(true, SeqCst);
    serving.await.expect("it ends by itself").expect_err("a task ended");
}
