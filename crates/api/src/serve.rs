//! An HTTP/1.1 server for a corner: one accept loop over plain TCP or TLS, with the limits that keep a slow or large
//! request from costing anything, and whoever takes no answer from keeping a place.

mod activity;
mod budget;
mod connection;
mod metrics;
mod named;
mod room;
mod write_timeout;

pub use budget::{Budget, UNCOUNTED};
pub use metrics::MetricsText;
pub use named::Named;

use crate::pieces::whole;
use crate::problem::Problem;
use axum::Router;
use axum::response::Response;
use eleven_core::reason::Reason;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// How long a client may take for its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that may wait in front of a corner, to be accepted by it or by the process that takes its place.
const BACKLOG: u32 = 4096;
/// How long a client may take for its request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is said at most that connections can't be accepted: a flood of them makes no flood of lines.
const SAY: Duration = Duration::from_secs(1);

/// The certificate and key of a listener.
#[derive(Clone)]
pub struct Tls(pub(crate) TlsAcceptor);

/// Why a listener could not be opened.
#[derive(Debug)]
pub enum ListenError {
    /// An address beyond loopback without TLS.
    Plain(SocketAddr),
    /// The address can't be bound.
    Bind(SocketAddr, std::io::Error),
    /// The socket that was handed over can't be used.
    Socket(std::io::Error),
    /// The certificate or key can't be used.
    Tls(String),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(at) => {
                write!(f, "{at} is beyond loopback: give the listener a certificate and key, or listen on 127.0.0.1")
            }
            Self::Bind(at, error) => write!(f, "cannot listen on {at}: {error}"),
            Self::Socket(error) => write!(f, "the listening socket that was handed over cannot be used: {error}"),
            Self::Tls(what) => write!(f, "the listener's TLS cannot be used: {what}"),
        }
    }
}

impl std::error::Error for ListenError {}

impl Tls {
    /// Loads a PEM certificate chain and its key.
    ///
    /// # Errors
    /// Where a file can't be read or the two don't fit.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, ListenError> {
        let wrong = |path: &Path, what: &dyn fmt::Display| ListenError::Tls(format!("{}: {what}", path.display()));
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong(certificate, &error))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            pem::Error::NoItemsFound => wrong(key, &"it holds no private key in clear (PEM, not encrypted)"),
            error => wrong(key, &error),
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ListenError::Tls(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| match error {
                rustls::Error::NoCertificatesPresented => wrong(certificate, &"it holds no certificate (PEM)"),
                rustls::Error::InconsistentKeys(_) => wrong(
                    certificate,
                    &format!(
                        "its first certificate is not for the key in {}: the listener's own comes first, then those that it was \
                         issued by",
                        key.display()
                    ),
                ),
                error => wrong(certificate, &error),
            })?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// A bound address, ready to serve.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Binds. An address beyond loopback without TLS is refused.
    ///
    /// # Errors
    /// Where it is such an address, or can't be bound.
    pub async fn bind(at: SocketAddr, tls: Option<Tls>) -> Result<Self, ListenError> {
        Self::over(listen(at, tls.is_some())?, tls)
    }

    /// Serves on a socket that listens already: what connected to it before waits there.
    ///
    /// # Errors
    /// Where its address is beyond loopback and there is no TLS, or the socket can't be used.
    pub fn over(socket: std::net::TcpListener, tls: Option<Tls>) -> Result<Self, ListenError> {
        let failed = |error| ListenError::Socket(error);
        let at = socket.local_addr().map_err(failed)?;
        if tls.is_none() && !is_loopback(at.ip()) {
            return Err(ListenError::Plain(at));
        }
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self { tcp: TcpListener::from_std(socket).map_err(failed)?, tls })
    }

    /// The bound address, with the port that was given where 0 was asked for.
    ///
    /// # Errors
    /// Where the operating system can't tell.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop` is true, then lets running requests finish for at most `grace`.
    pub async fn serve(self, router: Router, stop: watch::Receiver<bool>, grace: Duration) {
        self.serve_at_most(room::connections(), router, stop, grace).await;
    }

    async fn serve_at_most(self, most: u32, router: Router, mut stop: watch::Receiver<bool>, grace: Duration) {
        let places = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX)));
        let mut said: Option<Instant> = None;
        let mut full = room::Full::default();
        loop {
            let next = async {
                if places.available_permits() == 0 && full.is_news(Instant::now()) {
                    tracing::warn!(
                        connections = most,
                        "every connection that is served at once is taken: newcomers wait until one ends"
                    );
                }
                let place = Arc::clone(&places).acquire_owned().await;
                (place, self.tcp.accept().await)
            };
            // Also where every place is taken: whoever takes them has no say in whether this corner stops.
            let (place, accepted) = tokio::select! {
                next = next => next,
                () = stopped(&mut stop) => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if said.is_none_or(|said| said.elapsed() >= SAY) {
                        tracing::warn!(%error, "{}", room::advice(&error));
                        said = Some(Instant::now());
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let (router, tls, stop) = (router.clone(), self.tls.clone(), stop.clone());
            tokio::spawn(async move {
                connection::connection(stream, Peer(peer), tls, router, stop).await;
                drop(place);
            });
        }
        let _ = tokio::time::timeout(grace, places.acquire_many(most)).await;
    }
}

/// A listening socket, for a corner's process to serve on. Must be called within a Tokio runtime.
///
/// # Errors
/// Where `at` is beyond loopback and there will be no TLS, or can't be bound.
pub fn listen(at: SocketAddr, tls: bool) -> Result<std::net::TcpListener, ListenError> {
    if !tls && !is_loopback(at.ip()) {
        return Err(ListenError::Plain(at));
    }
    let open = || {
        let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // What is left of connections to the process before does not keep the address.
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        socket.listen(BACKLOG)?.into_std()
    };
    open().map_err(|error| ListenError::Bind(at, error))
}

/// The address of the peer, as an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Waits until the corner is told to stop, or until nobody is left to tell it.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    }
}

/// Reads a request's body up to `limit` bytes.
///
/// # Errors
/// 413 `limits.exceeded` past the limit, 408 where it does not come within a minute, 400 where the client broke off.
pub async fn body(body: axum::body::Body, limit: usize) -> Result<bytes::Bytes, Problem> {
    body_within(body, limit, BODY_TIMEOUT).await
}

async fn body_within<B>(body: B, limit: usize, patience: Duration) -> Result<bytes::Bytes, Problem>
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    use http_body_util::LengthLimitError;
    match tokio::time::timeout(patience, whole(body, limit)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the body is larger than {limit} bytes");
            Err(Problem { status: 413, ..Problem::refused(Reason::LimitsExceeded, detail) })
        }
        Ok(Err(error)) if error.is::<budget::Exhausted>() => Err(budget::Exhausted.into()),
        Ok(Err(error)) => Err(Problem::malformed(format!("the body could not be read: {error}"))),
        Err(_) => {
            let detail = format!("the body did not come within {} s: send it again, at once", patience.as_secs());
            Err(Problem::with_status(408, detail))
        }
    }
}

/// The answer of every path that a service has not: 404.
pub async fn not_there() -> Problem {
    Problem::with_status(404, "nothing is served there: check the address, or see spec/http.md for the paths")
}

/// The answer to what is asked for by another method than its own: 405.
pub async fn not_taken() -> Problem {
    Problem::with_status(405, "it is not taken by that method")
}

/// A JSON answer.
#[must_use]
pub fn json(value: &eleven_core::encoding::Value) -> Response {
    json_bytes(value.canonical())
}

/// The same where the text is there already.
pub fn json_bytes(text: Vec<u8>) -> Response {
    let mut response = Response::new(axum::body::Body::from(text));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests;
