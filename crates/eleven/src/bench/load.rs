//! A load tool: many connections that stay open, either as fast as answers come or at a fixed rate.
//!
//! At a fixed rate the moment of each call is set beforehand and latency counts from that moment, not from when a
//! connection was free for it: a server that stalls is charged for every call that it kept waiting (no coordinated
//! omission).

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

/// What is sent, and where.
#[derive(Clone)]
pub(crate) struct Target {
    /// Address and port.
    pub(crate) at: String,
    /// The value of `authorization`, where one is sent.
    pub(crate) bearer: Option<String>,
    /// The body.
    pub(crate) body: Bytes,
}

/// How it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections.
    pub(crate) connections: usize,
    /// For how long.
    pub(crate) lasts: Duration,
    /// Calls per second; `None` sends the next call on a connection when the one before is answered.
    pub(crate) rate: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Microseconds of each answered call, rising.
    latencies: Vec<u64>,
    /// Calls that were not answered with 200.
    pub(crate) failed: u64,
    /// The first of them.
    pub(crate) first_failure: Option<String>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Outcome {
    /// Calls that were answered with 200.
    pub(crate) fn calls(&self) -> u64 {
        u64::try_from(self.latencies.len()).unwrap_or(u64::MAX)
    }

    /// Calls per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.calls() as f64 / self.took.as_secs_f64().max(0.001)
    }

    /// The latency, in microseconds, that so many of a thousand calls stay within.
    pub(crate) fn within(&self, permille: usize) -> u64 {
        let rank = (self.latencies.len() * permille).div_ceil(1000).saturating_sub(1);
        self.latencies.get(rank).copied().unwrap_or(0)
    }
}

/// What the connections of one load share; they run on one thread.
struct Shared {
    target: Target,
    begun: Instant,
    until: Instant,
    rate: Option<Paced>,
    next: Cell<u32>,
}

/// A fixed rate.
struct Paced {
    /// The time between two calls.
    every: Duration,
    /// How many calls there are.
    calls: u32,
    /// Those that are due and that nobody has begun: [`tick`] adds one at the moment of each.
    due: Arc<Semaphore>,
}

impl Shared {
    /// Waits for the next call's moment; `None` where there is none left.
    async fn next_moment(&self) -> Option<Instant> {
        let Some(paced) = &self.rate else { return Some(Instant::now()).filter(|now| *now < self.until) };
        // A connection takes the next number and then waits for its moment: every number is somebody's, and those who wait
        // are served in the order in which they came.
        let n = self.next.get();
        if n == paced.calls {
            return None;
        }
        self.next.set(n + 1);
        paced.due.acquire().await.ok()?.forget();
        Some(self.begun + paced.every * n)
    }
}

/// Makes calls due at their moments. On a thread of its own, because the runtime's timers are a millisecond coarse.
fn tick(begun: Instant, every: Duration, calls: u32, due: &Semaphore) {
    for n in 0..calls {
        std::thread::sleep((begun + every * n).saturating_duration_since(Instant::now()));
        due.add_permits(1);
    }
}

/// Puts a load on a target.
///
/// # Errors
/// Where the target can't be connected to.
pub(crate) fn run(target: &Target, load: Load) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, put(target.clone(), load))
}

async fn put(target: Target, load: Load) -> Result<Outcome, String> {
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        connections.push(connect(&target.at).await?);
    }
    let begun = Instant::now();
    let rate = load.rate.map(|rate| {
        let (every, due) = (Duration::from_secs(1) / rate.max(1), Arc::new(Semaphore::new(0)));
        let calls = u32::try_from(load.lasts.as_millis() * u128::from(rate) / 1000).unwrap_or(u32::MAX);
        let ticks = Arc::clone(&due);
        std::thread::spawn(move || tick(begun, every, calls, &ticks));
        Paced { every, calls, due }
    });
    let shared = Rc::new(Shared { target, begun, until: begun + load.lasts, rate, next: Cell::new(0) });
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::task::spawn_local(keep_calling(connection, Rc::clone(&shared))))
        .collect();
    let mut all = Outcome::default();
    for task in tasks {
        let one = task.await.map_err(|error| error.to_string())?;
        all.latencies.extend(one.latencies);
        all.failed += one.failed;
        all.first_failure = all.first_failure.or(one.first_failure);
    }
    all.took = begun.elapsed();
    all.latencies.sort_unstable();
    Ok(all)
}

/// A connection that stays open.
pub(crate) type Connection = SendRequest<Full<Bytes>>;

/// Connects, on the thread of a `LocalSet`.
///
/// # Errors
/// Where nobody listens there.
pub(crate) async fn connect(at: &str) -> Result<Connection, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{at}: {error}");
    let stream = TcpStream::connect(at).await.map_err(|error| failed(&error))?;
    stream.set_nodelay(true).map_err(|error| failed(&error))?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends with the sender; what goes wrong on it, the sender tells.
    tokio::task::spawn_local(connection);
    Ok(sender)
}

async fn keep_calling(mut connection: Connection, shared: Rc<Shared>) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(moment) = shared.next_moment().await {
        match call(&mut connection, &shared.target).await {
            Ok(StatusCode::OK) => {
                outcome.latencies.push(u64::try_from(moment.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            Ok(status) => failed(&mut outcome, format!("answered {status}")),
            Err(error) => {
                failed(&mut outcome, error);
                match connect(&shared.target.at).await {
                    Ok(another) => connection = another,
                    Err(_) => break,
                }
            }
        }
    }
    outcome
}

fn failed(outcome: &mut Outcome, why: String) {
    outcome.failed += 1;
    outcome.first_failure.get_or_insert(why);
}

async fn call(connection: &mut Connection, target: &Target) -> Result<StatusCode, String> {
    let (path, bearer) = ("/v1/chat/completions", target.bearer.as_deref());
    send(connection, Method::POST, &target.at, path, bearer, target.body.clone()).await.map(|(status, _)| status)
}

/// Sends a request and reads its whole answer.
///
/// # Errors
/// Where the connection breaks.
pub(crate) async fn send(
    connection: &mut Connection,
    method: Method,
    at: &str,
    path: &'static str,
    bearer: Option<&str>,
    body: Bytes,
) -> Result<(StatusCode, Bytes), String> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(path);
    let headers = request.headers_mut();
    let value = |text: &str| header::HeaderValue::from_str(text).map_err(|error| error.to_string());
    headers.insert(header::HOST, value(at)?);
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if let Some(bearer) = bearer {
        headers.insert(header::AUTHORIZATION, value(bearer)?);
    }
    connection.ready().await.map_err(|error| error.to_string())?;
    let response = connection.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::post;
    use eleven_api::serve::Listener;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::watch;

    /// A server that answers at once, except that it stalls once for 200 ms.
    fn target() -> (Target, watch::Sender<bool>) {
        static STALLED: AtomicBool = AtomicBool::new(false);
        let (stop, stopping) = watch::channel(false);
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let router = Router::new().route(
                    "/v1/chat/completions",
                    post(|| async {
                        if !STALLED.swap(true, Ordering::SeqCst) {
                            std::thread::sleep(Duration::from_millis(200));
                        }
                        "ok"
                    }),
                );
                let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None).await.expect("binds");
                tell.send(listener.local_addr().expect("an address")).expect("told");
                listener.serve(router, stopping, Duration::ZERO).await;
            });
        });
        let at = told.recv().expect("an address").to_string();
        (Target { at, bearer: None, body: Bytes::from_static(b"{}") }, stop)
    }

    #[test]
    fn a_stall_is_charged_to_every_call_that_it_kept_waiting() {
        let (target, _stop) = target();
        let load = Load { connections: 2, lasts: Duration::from_millis(600), rate: Some(100) };
        let outcome = run(&target, load).expect("it runs");
        assert_eq!((outcome.calls(), outcome.failed), (60, 0), "{:?}", outcome.first_failure);
        // Of 60 calls, the twenty due in the 200 ms of the stall waited, the first of them for all of it and each after it
        // 10 ms less; counted from when a connection was free, two would have. A busy machine only adds to that.
        assert!(outcome.within(1000) >= 190_000, "{outcome:?}");
        assert!(outcome.within(850) > 40_000, "{outcome:?}");
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let outcome = Outcome { latencies: (1..=1000).collect(), took: Duration::from_secs(2), ..Outcome::default() };
        assert_eq!([outcome.within(500), outcome.within(990), outcome.within(1000)], [500, 990, 1000]);
        assert!((outcome.per_second() - 500.0).abs() < 1e-9);
        assert_eq!(Outcome::default().within(990), 0);
    }
}
