use super::*;
use crate::execution::{self, until};
use crate::opening::begin;
use crate::opening::tests::{admission, events};
use crate::running::Running;
use crate::serve::tests::{fail_next, opened};
use axum::response::Response;
use eleven_api::client::Client;
use eleven_api::serve::Listener;
use eleven_core::artifact::result_digest;
use eleven_core::attestation::StatementResult;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::policy::Release;
use eleven_core::reason::Reason;
use eleven_store::faulty::FaultyDisk;
use http::{Request, Version};
use http_body_util::Full;
use std::task::{Wake, Waker};
use std::time::Duration;
use tokio::time::Instant;

const LIMIT: usize = 1 << 20;

async fn next(body: &mut Passing) -> Option<io::Result<Bytes>> {
    body.frame().await.map(|frame| frame.map(|frame| frame.into_data().expect("data")))
}

/// Answers one call by this body, as events.
fn once(body: Passing) -> axum::Router {
    let body = Arc::new(Mutex::new(Some(body)));
    axum::Router::new().fallback(move || {
        let body = body.lock().expect("whole").take().expect("one call");
        let answer = Response::builder().header("content-type", "text/event-stream");
        std::future::ready(answer.body(axum::body::Body::new(body)).expect("an answer"))
    })
}

#[tokio::test]
async fn a_piece_that_waits_when_a_stream_is_over_is_not_delivered() {
    let (inlet, mut body) = channel();
    inlet.send.send(Bytes::from_static(b"one")).await.expect("room");
    assert_eq!(next(&mut body).await.expect("a frame").expect("whole"), "one");
    inlet.send.send(Bytes::from_static(b"two")).await.expect("room");
    let evidence = inlet.break_off().with(&Bytes::new(), StatusCode::OK);
    assert!(next(&mut body).await.expect("a frame").is_err());
    assert_eq!((evidence.bytes, inlet.delivered().bytes), (3, 3), "what the evidence says");
}

#[tokio::test]
async fn why_a_stream_broke_off_is_said_behind_all_that_came_and_in_the_place_of_nothing() {
    let (inlet, mut body) = channel();
    inlet.send.send(Bytes::from_static(b"one")).await.expect("room");
    assert!(!inlet.is_taken(), "it waits");
    assert_eq!(next(&mut body).await.expect("a frame").expect("whole"), "one");
    assert!(inlet.is_taken());
    let word = Bytes::from_static(b"why");
    let evidence = inlet.break_off().with(&word, StatusCode::OK);
    inlet.say(word);
    drop(inlet);
    assert_eq!(next(&mut body).await.expect("a frame").expect("why"), "why");
    assert!(next(&mut body).await.expect("not the end").is_err());
    assert_eq!((evidence.bytes, evidence.body), (6, Sha3::of(&[b"onewhy"])));
    let (inlet, body) = channel();
    drop(body);
    assert!(!inlet.is_taken(), "nobody is there");
}

/// An upstream's answer that is this, and then fails.
struct Fails(Option<Bytes>);

impl Body for Fails {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(self.0.take().map(Frame::data).ok_or_else(broken_off)))
    }
}

#[tokio::test]
async fn what_came_with_an_upstreams_failure_is_taken_before_that_is_said() {
    let content = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let (inlet, mut body) = channel();
    let mut upstream = Fails(Some(Bytes::from(content("a") + &content("b"))));
    let mut holdback = Holdback::new(LIMIT);
    let passes = async {
        let passed = inlet.pass(&mut upstream, &mut holdback).await.map(|_| ()).map_err(|broken| broken.cause());
        inlet.settled().await;
        passed
    };
    let (passed, first) = tokio::join!(passes, next(&mut body));
    assert_eq!((passed, inlet.is_taken()), (Err("upstream.failed"), true));
    assert_eq!(first.expect("a frame").expect("whole"), content("a"));
}

/// Whoever waits for room, and looks at once how much was delivered where there is some.
struct Waiting {
    delivered: Arc<Mutex<Delivered>>,
    /// What it saw each time; nothing where it had to wait for the count.
    saw: Mutex<Vec<Option<u64>>>,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let bytes = self.delivered.try_lock().ok().map(|delivered| delivered.bytes);
        self.saw.lock().expect("whole").push(bytes);
    }
}

#[test]
fn whoever_sees_that_a_piece_was_taken_waits_until_it_is_counted() {
    let (inlet, mut body) = channel();
    inlet.send.try_send(Bytes::from_static(b"one")).expect("room");
    let waiting = Arc::new(Waiting { delivered: Arc::clone(&inlet.delivered), saw: Mutex::default() });
    let waker = Waker::from(Arc::clone(&waiting));
    let mut room = std::pin::pin!(inlet.send.reserve());
    assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let taken = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(taken, Poll::Ready(Some(Ok(_)))));
    assert_eq!(*waiting.saw.lock().expect("whole"), [None], "woken while it is being counted");
    assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!(inlet.delivered().bytes, 3);
}

#[tokio::test]
async fn only_a_stream_that_was_ended_looks_whole() {
    let (inlet, mut body) = channel();
    let mut holdback = Holdback::new(LIMIT);
    let mut upstream = Full::new(Bytes::from_static(b"all of it"));
    let place = inlet.pass(&mut upstream, &mut holdback).await.map_err(|broken| broken.cause()).expect("room");
    inlet.end(place, holdback.finish());
    assert_eq!(next(&mut body).await.expect("a frame").expect("whole"), "all of it");
    assert_eq!(inlet.delivered().bytes, 9);
    drop(inlet);
    assert!(next(&mut body).await.is_none());
    // One whose evidence could not be made is left alone.
    let (inlet, mut body) = channel();
    drop(inlet);
    assert!(next(&mut body).await.expect("not the end").is_err());
}

#[tokio::test]
async fn a_caller_who_stops_reading_before_the_end_holds_up_neither_a_halt_nor_the_time_that_is_over() {
    let running = Running::new("k8s://cluster-east-1/ns/inference#gw-0".into());
    let artifact = Arc::new(admission().0.admitted.token().artifact.clone());
    let mut registered = running.enter("an operation", &artifact);
    let content = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let stream = Bytes::from([content("a"), content("b"), "data: [DONE]\n\n".to_owned()].concat());
    let late = Instant::now() + Duration::from_secs(3600);
    for (halted, deadline, cause) in [(false, Instant::now(), "max_run"), (true, late, "audit.discontinuity")] {
        if halted {
            running.halt(Reason::AuditDiscontinuity);
        }
        // The first chunk waits to be taken, and nobody takes it; the upstream is at its end.
        let (inlet, _body) = channel();
        let (mut upstream, mut holdback) = (Full::new(stream.clone()), Holdback::new(LIMIT));
        let work = inlet.pass(&mut upstream, &mut holdback);
        let ended = until(deadline, &mut registered, std::future::pending(), work).await;
        assert_eq!(ended.map(|_| ()).map_err(|broken| broken.cause()), Err(cause));
        assert_eq!(inlet.break_off().bytes, 0);
    }
}

#[tokio::test]
async fn what_is_told_to_stop_before_it_goes_on_is_not_tried() {
    let running = Running::new("k8s://cluster-east-1/ns/inference#gw-0".into());
    let artifact = Arc::new(admission().0.admitted.token().artifact.clone());
    let mut registered = running.enter("an operation", &artifact);
    running.end();
    let late = Instant::now() + Duration::from_secs(3600);
    for _ in 0..64 {
        let mut tried = false;
        let work = async {
            tried = true;
            std::future::pending::<()>().await;
        };
        let ended = until(late, &mut registered, std::future::pending(), work).await;
        assert_eq!(ended.map_err(|broken| broken.cause()), Err("runtime.stopped"));
        assert!(!tried, "it may be what reaches the upstream");
    }
}

#[tokio::test]
async fn what_a_connection_took_before_a_stream_broke_off_reaches_the_caller() {
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a socket");
    let at = listener.local_addr().expect("an address");
    let (inlet, body) = channel();
    // All of it is there before the connection asks for the first piece.
    inlet.send.send(Bytes::from_static(b"one")).await.expect("room");
    let delivered = Arc::clone(&inlet.delivered);
    drop(inlet);
    let serving = tokio::spawn(listener.serve(once(body), stopping, Duration::ZERO));
    let request = Request::get(format!("http://{at}/")).body(Full::new(Bytes::new())).expect("a request");
    let mut body = Client::new().send(request).await.expect("the head").into_body();
    let first = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert_eq!((first.as_ref(), lock(&delivered).bytes), (&b"one"[..], 3));
    assert!(body.frame().await.expect("not the end").is_err(), "it never looks whole");
    stop.send_replace(true);
    serving.await.expect("ended");
}

#[tokio::test]
async fn what_was_delivered_before_a_point_ends_is_in_the_evidence_and_its_stream_never_looks_whole() {
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a socket");
    let upstream = format!("http://{}", listener.local_addr().expect("an address"));
    let content = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    // An upstream that gives two events and works on: the second may be the last, and is held.
    let (inlet, body) = channel();
    inlet.send.send(Bytes::from(content("a") + &content("b"))).await.expect("room");
    tokio::spawn(listener.serve(once(body), stopping, Duration::ZERO));

    let point = opened(&FaultyDisk::new(1), &upstream).await;
    let gate = Arc::clone(&point.gate);
    let request = Request::post(format!("{upstream}/v1/chat/completions")).body(Full::default()).expect("a request");
    let (mut admission, _) = admission();
    Arc::make_mut(&mut admission.bundle).terms.release = Release::Stream;
    let run = move |begun| execution::run(gate, begun, request, Version::HTTP_11);
    let gate = &point.gate;
    let answer = begin(&gate.desks, &gate.running, &gate.clock, admission, Sha3([7; 64]), run).await;
    let mut body = answer.expect("an answer").into_body();
    let first = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert_eq!(first, content("a").as_bytes());
    gate.running.end();
    let word = body.frame().await.expect("a frame").expect("why").into_data().expect("data");
    let said = String::from_utf8_lossy(&word);
    assert!(
        said.starts_with("data: {\"error\":{\"code\":\"eleven_error\",\"message\":\"the execution was inter"),
        "{said}"
    );
    assert!(
        said.contains("told to stop (lineage://op/") && said.ends_with("\"type\":\"server_error\"}}\n\n"),
        "{said}"
    );
    assert!(body.frame().await.expect("not the end").is_err());
    let ended = events(&gate.desks, 6).await.swap_remove(4);
    let cause = ended.data.get("cause").and_then(Value::as_str);
    assert_eq!((ended.event.as_str(), cause), ("execution.interrupted", Some("runtime.stopped")));
    let all = [&first[..], &word].concat();
    let digest = result_digest("", Sha3::of(&[&all]), 200);
    let sent = StatementResult { digest, bytes: all.len() as u64, status: 200 };
    assert_eq!(ended.data.get("result"), Some(&sent.to_value()));
}

/// An upstream that answers one call by these events, to their end.
async fn upstream_of(events: String) -> (String, tokio::sync::watch::Sender<bool>) {
    let (upstream, stop, inlet) = upstream_that_goes_on(events).await;
    lock(&inlet.delivered).end = End::Whole;
    (upstream, stop)
}

/// An upstream that answers one call by these events, and does not end its answer for as long as more may come.
async fn upstream_that_goes_on(events: String) -> (String, tokio::sync::watch::Sender<bool>, Inlet) {
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a socket");
    let upstream = format!("http://{}", listener.local_addr().expect("an address"));
    let (inlet, body) = channel();
    inlet.send.send(Bytes::from(events)).await.expect("room");
    tokio::spawn(listener.serve(once(body), stopping, Duration::ZERO));
    (upstream, stop, inlet)
}

/// It is over by `max_run` otherwise, and was interrupted.
#[tokio::test]
async fn an_answer_that_says_that_it_is_done_is_whole_though_its_connection_stays_open() {
    let content = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let all = content("a") + &content("b") + "data: [DONE]\n\n";
    for release in [Release::Stream, Release::Whole] {
        let (upstream, _stop, _open) = upstream_that_goes_on(all.clone()).await;
        let point = opened(&FaultyDisk::new(1), &upstream).await;
        let (gate, gate_of_run) = (&point.gate, Arc::clone(&point.gate));
        let request = Request::post(format!("{upstream}/v1/chat/completions")).body(Full::default());
        let request = request.expect("a request");
        let (mut admission, _) = admission();
        let terms = &mut Arc::make_mut(&mut admission.bundle).terms;
        (terms.release, terms.max_run) = (release, Some(20));
        let run = move |begun| execution::run(gate_of_run, begun, request, Version::HTTP_11);
        let answer = begin(&gate.desks, &gate.running, &gate.clock, admission, Sha3([7; 64]), run).await;
        let got = answer.expect("an answer").into_body().collect().await.expect("whole").to_bytes();
        assert_eq!(got, all.as_bytes(), "{release:?}");
        let ended = events(&gate.desks, 6).await.swap_remove(4);
        assert_eq!(ended.event, "execution.completed", "{release:?}");
        let digest = result_digest("", Sha3::of(&[all.as_bytes()]), 200);
        let sent = StatementResult { digest, bytes: all.len() as u64, status: 200 };
        assert_eq!(ended.data.get("result"), Some(&sent.to_value()), "{release:?}");
    }
}

/// The last content and all behind it wait for the evidence (PROTOCOL 5.1), and for what the policy asks of that.
#[tokio::test]
async fn the_end_of_a_stream_comes_after_its_evidence_or_not_at_all() {
    let content = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let all = content("a") + &content("b") + "data: [DONE]\n\n";
    for (durability, fails, passes) in
        [(None, false, true), (None, true, false), (Some("D3"), false, false), (Some("D2"), false, false)]
    {
        let disk = FaultyDisk::new(1);
        let (upstream, _stop) = upstream_of(all.clone()).await;
        let point = opened(&disk, &upstream).await;
        let gate = Arc::clone(&point.gate);
        let request = Request::post(format!("{upstream}/v1/chat/completions")).body(Full::default());
        let request = request.expect("a request");
        let (mut admission, _) = admission();
        let terms = &mut Arc::make_mut(&mut admission.bundle).terms;
        (terms.release, terms.durability) = (Release::Stream, durability.map(str::to_owned));
        let run = move |begun| async move {
            if fails {
                fail_next(&disk);
            }
            // No head comes, and nobody waits for one.
            gate.standing.end_within(Duration::ZERO);
            execution::run(gate, begun, request, Version::HTTP_11).await;
        };
        let gate = &point.gate;
        let answer = begin(&gate.desks, &gate.running, &gate.clock, admission, Sha3([7; 64]), run).await;
        let (mut body, mut got) = (answer.expect("an answer").into_body(), Vec::new());
        let whole = loop {
            match body.frame().await {
                Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().expect("data")),
                Some(Err(_)) => break false,
                None => break true,
            }
        };
        let expected = if passes { all.clone() } else { content("a") };
        let got = String::from_utf8_lossy(&got).into_owned();
        assert_eq!((whole, got), (passes, expected), "{durability:?} {fails}");
        if fails {
            assert_eq!(gate.desks.reader().durable(), 3, "it began, and has no evidence");
        } else {
            let ended = events(&gate.desks, 6).await.swap_remove(4);
            assert_eq!(ended.event, "execution.completed", "{durability:?}");
        }
    }
}
