//! One connection, from its handshake to its end.
//!
//! Once the corner is told to stop, a connection goes on for what it has to do and for nothing else. Nobody outside may make
//! a planned restart longer by what it leaves unsaid: a head or a handshake that has only begun is not waited for, and a
//! body that has only begun, or an answer that nobody takes, for a second.

use super::activity::{Activity, Answering};
use super::write_timeout::{LAST, WriteTimeout};
use super::{HEAD_TIMEOUT, Peer, Tls, stopped};
use axum::Router;
use eleven_core::limits::MAX_REQUEST_HEAD;
use http::header::{CACHE_CONTROL, CONNECTION, EXPECT, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

/// How long a connection is kept for one more request once the corner is told to stop.
const LINGER: Duration = Duration::from_millis(100);
/// How long a body goes on being read from when nobody reads it any more, whether its request is answered by then or not. Who still
/// sends while the connection is closed may lose the answer, and hears of a broken connection in its place.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves a connection until either side ends it, or until the corner is told to stop and nothing is left to do.
pub(super) async fn connection<S>(stream: S, peer: Peer, tls: Option<Tls>, router: Router, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(stop.clone());
    let stream = WriteTimeout::new(stream, Arc::clone(&activity));
    let Some(Tls(acceptor)) = tls else { return http(stream, peer, &activity, router, stop).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream)) => shaken,
        () = over(stop.clone()) => return tracing::debug!(peer = %peer.0, "a TLS handshake had only begun"),
    };
    match shaken {
        Ok(Ok(stream)) => http(stream, peer, &activity, router, stop).await,
        Ok(Err(error)) => tracing::debug!(peer = %peer.0, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %peer.0, "a TLS handshake took too long"),
    }
}

async fn http<S>(stream: S, peer: Peer, activity: &Arc<Activity>, router: Router, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (router, serving) = (TowerToHyperService::new(router), Arc::clone(activity));
    let (unwanted, mut left_over) = mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (activity, held) = (Arc::clone(&serving), serving.request());
        request.extensions_mut().insert(peer);
        let waits = request.headers().contains_key(EXPECT);
        let answer = router.call(request.map(|body| activity.receiving(body, waits, unwanted.clone())));
        async move {
            let mut answer = answer.await?;
            // Where nothing is said of it some caches keep an answer for a time of their own, and give it to whoever asks next, also
            // where it was for the one reader who signed for it.
            answer.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            if activity.is_told() {
                // It is its connection's last.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer.map(|body| Answering::new(body, held)))
        }
    });
    // A request that tells its length twice, by Content-Length and in chunks, goes by its chunks, and hyper lets it be its connection's
    // last (RFC 9112, 6.1): what a proxy before this took for more of its body is never read as somebody's next request. Lengths that
    // differ, and chunks that are not the last coding, have no service see the request. Host is not asked for: nothing goes by it.
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_REQUEST_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let told = over(stop);
    tokio::pin!(connection, told);
    let served = loop {
        tokio::select! {
            served = &mut connection => break served,
            // The connection is looked at again: it sees that nobody reads on.
            () = drained(&mut left_over) => {}
            () = &mut told => {
                connection.as_mut().graceful_shutdown();
                let left = left(activity);
                tokio::pin!(left);
                break loop {
                    tokio::select! {
                        served = connection.as_mut() => break served,
                        // Kept and not read, it would keep its connection: from here on it is thrown away as it is.
                        Some(body) = left_over.recv() => drop(body),
                        () = &mut left => break Ok(()),
                    }
                };
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(peer = %peer.0, %error, "a connection ended");
    }
}

/// Waits for a body that nobody wants, and until it has come or its time is over.
async fn drained(left_over: &mut mpsc::UnboundedReceiver<Incoming>) {
    let Some(mut body) = left_over.recv().await else { return std::future::pending().await };
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(DRAIN, rest).await;
}

/// Waits until the corner is told to stop, and a little: a request that is on its way then still finds it.
async fn over(mut stop: watch::Receiver<bool>) {
    stopped(&mut stop).await;
    tokio::time::sleep(LINGER).await;
}

/// Waits until nothing is left that a connection is worth waiting for. What a request does that came whole is; how long,
/// says whoever stops.
async fn left(activity: &Activity) {
    tokio::time::sleep(LINGER).await;
    if activity.is_idle() {
        return;
    }
    tokio::time::sleep(LAST).await;
    if !activity.is_idle() && !activity.is_receiving() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
