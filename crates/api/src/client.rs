//! An HTTP client for talking to another corner or an upstream: pooled connections, a deadline and a limit on every call.

use crate::answer::read_json;
use crate::edge::{Clock as _, SystemClock};
use crate::pieces::whole;
use crate::problem::Problem;
use crate::reader::ReadAs;
use crate::routes;
use crate::serve::Tls;
use bytes::Bytes;
use eleven_core::encoding::Value;
use eleven_core::time::Time;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::CertificateError;
use rustls::pki_types::{InvalidDnsNameError, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The pause before a call is made again whose connection broke; it doubles each time.
const AGAIN: Duration = Duration::from_millis(5);
/// Connections to one address that are kept with nothing to do. A call asks the authority before the upstream: with every connection
/// kept, many at once would leave behind as many as they are, and take the files that the corner works on.
const IDLE: usize = 64;
/// How long such a connection is kept. Servers that are often put behind a gateway, uvicorn and Node's, end theirs after five seconds,
/// and a call that meets that end is lost.
const KEPT: Duration = Duration::from_secs(4);
/// Bytes of an answer that is read whole.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Bytes of what a corner says of itself.
const MAX_SAID: usize = 64 * 1024;
/// Bytes between the two sides of a handshake that both are here.
const PIPE: usize = 64 * 1024;

/// Why a call gave no answer.
#[derive(Debug)]
pub enum CallError {
    /// Nobody listens. Nothing was sent.
    Unreachable(String),
    /// The deadline passed: what was sent may be looked at all the same.
    Late(String),
    /// Somebody was there and the connection broke before the answer was whole.
    Broken(String),
    /// Somebody answered, by a certificate that is not trusted here. Nothing was sent.
    Untrusted(String),
    /// The answer is not of its form.
    Malformed(String),
    /// The other side refused.
    Refused(Problem),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(what)
            | Self::Late(what)
            | Self::Broken(what)
            | Self::Untrusted(what)
            | Self::Malformed(what) => f.write_str(what),
            Self::Refused(problem) => problem.fmt(f),
        }
    }
}

impl Error for CallError {}

/// A pool of connections, cheap to clone.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client that trusts the machine's certificate authorities for HTTPS.
    #[must_use]
    pub fn new() -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(Duration::from_secs(5)));
        let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls());
        let https = builder.https_or_http().enable_http1().wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(IDLE)
            .build(https);
        Self { pool }
    }

    /// Sends a request and returns the answer's head, its body still to be read.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] where nobody listens, [`CallError::Untrusted`] where whoever does has no certificate that is
    /// trusted here, [`CallError::Broken`] where the connection broke.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallError> {
        let to = request.uri().clone();
        self.pool.request(request).await.map_err(|error| unreachable(&to, &error))
    }

    /// Gets a document.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get(&self, base: &str, path: &str, deadline: Duration) -> Result<Bytes, CallError> {
        self.call(Method::GET, base, path, &[], Bytes::new(), deadline).await
    }

    /// Gets a document in the name of whoever holds a key of the domain.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_as(&self, by: &ReadAs, base: &str, path: &str, deadline: Duration) -> Result<Bytes, CallError> {
        self.call(Method::GET, base, path, &by.headers(path), Bytes::new(), deadline).await
    }

    /// The same, read as I-JSON.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn get_json_as(
        &self,
        by: &ReadAs,
        base: &str,
        path: &str,
        deadline: Duration,
    ) -> Result<Value, CallError> {
        json(base, path, &self.get_as(by, base, path, deadline).await?)
    }

    /// Gets a document and reads it as I-JSON.
    ///
    /// # Errors
    /// As [`Client::call`], and [`CallError::Malformed`] where it is not I-JSON.
    pub async fn get_json(&self, base: &str, path: &str, deadline: Duration) -> Result<Value, CallError> {
        json(base, path, &self.get(base, path, deadline).await?)
    }

    /// What a corner says of itself at its `/health`, and whether it is ready: one that is not says as much.
    ///
    /// # Errors
    /// As [`Client::get_json`], but for the status; [`CallError::Malformed`] too where the answer is longer than a corner's, or
    /// breaks off.
    pub async fn health(&self, base: &str, deadline: Duration) -> Result<(bool, Value), CallError> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = address(base, routes::HEALTH)?;
        let said = async {
            let answer = self.send(request).await?;
            let ready = answer.status().is_success();
            let body = whole(answer.into_body(), MAX_SAID).await;
            let body = body.map_err(|error| CallError::Malformed(format!("{base} broke off its answer: {error}")))?;
            Ok::<_, CallError>((ready, json(base, routes::HEALTH, &body)?))
        };
        tokio::time::timeout(deadline, said).await.map_err(|_| late(&base, deadline))?
    }

    /// Posts a document and returns the answer's body.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn post(
        &self,
        base: &str,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        self.call(Method::POST, base, path, headers, body.into(), deadline).await
    }

    /// One call, its answer read whole.
    ///
    /// # Errors
    /// [`CallError::Unreachable`], [`CallError::Late`] or [`CallError::Broken`] where there was no answer in time,
    /// [`CallError::Refused`] for every status but 2xx.
    pub async fn call(
        &self,
        method: Method,
        base: &str,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let to = address(base, path)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = to.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let answered = tokio::time::timeout(deadline, self.answer(request)).await;
        let (status, body) = answered.map_err(|_| late(&to, deadline))??;
        if status.is_success() { Ok(body) } else { Err(CallError::Refused(Problem::read(status.as_u16(), &body))) }
    }

    /// A POST that outlives the connection it went by: where that broke, the same request goes again, until it is answered
    /// or the next would be past `deadline`. Each goes after twice as long as the one before: what breaks connections behind a request
    /// may let each of them be done. Where nobody listens it fails at once. For requests only that may be made more than once.
    ///
    /// A corner that restarts as planned leaves its address open, so a call waits there; one that fell does not.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn insist(
        &self,
        base: &str,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let (body, until) = (body.into(), tokio::time::Instant::now() + deadline);
        let left = || until.saturating_duration_since(tokio::time::Instant::now());
        let mut pause = AGAIN;
        loop {
            match self.call(Method::POST, base, path, headers, body.clone(), left()).await {
                Err(CallError::Broken(_)) if left() > pause => tokio::time::sleep(pause).await,
                // The last of several had less time than that.
                Err(CallError::Late(_)) => {
                    let to = address(base, path)?;
                    return Err(CallError::Late(format!("{to} did not answer within {} ms", deadline.as_millis())));
                }
                answer => return answer,
            }
            pause *= 2;
        }
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<(http::StatusCode, Bytes), CallError> {
        let to = request.uri().clone();
        let response = self.send(request).await?;
        let status = response.status();
        let body = whole(response.into_body(), MAX_ANSWER).await;
        let body = body.map_err(|error| CallError::Broken(format!("{to} broke off its answer: {error}")))?;
        Ok((status, body))
    }
}

/// An address below a base URL, which may end in a slash.
fn address(base: &str, path: &str) -> Result<Uri, CallError> {
    let address = format!("{}{path}", base.trim_end_matches('/')).parse::<Uri>();
    address.map_err(|error| CallError::Malformed(format!("{base}{path} is not an address: {error}")))
}

/// Connects to a base URL as a call of it would, with a TLS handshake where it is an HTTPS one, and asks nothing.
///
/// # Errors
/// [`CallError::Unreachable`] where nobody listens, [`CallError::Late`] where the deadline passed, [`CallError::Untrusted`] where
/// whoever listens has no certificate that is trusted here.
pub async fn handshake(base: &str, deadline: Duration) -> Result<(), CallError> {
    handshake_in(base, Duration::ZERO, deadline).await
}

/// The same, with certificates judged as they will be in `ahead`: the end of one is seen before it comes.
///
/// # Errors
/// As [`handshake`].
pub async fn handshake_in(base: &str, ahead: Duration, deadline: Duration) -> Result<(), CallError> {
    let to: Uri = base.parse().map_err(|error| CallError::Malformed(format!("{base} is not an address: {error}")))?;
    tokio::time::timeout(deadline, shake(base, &to, ahead)).await.map_err(|_| late(&base, deadline))?
}

/// Since when the certificate counts that is shown at an HTTPS base URL. `None` where nobody shows one, or it can't be told.
pub async fn counts_since(base: &str, deadline: Duration) -> Option<Time> {
    let to: Uri = base.parse().ok()?;
    let shaken = async {
        let stream = TcpStream::connect((host(&to), port(&to))).await.ok()?;
        // Judged before all that counts it is refused, and that says when it begins.
        let mut tls = tls();
        tls.time_provider = Arc::new(Before);
        let refused = TlsConnector::from(Arc::new(tls)).connect(named(&to).ok()?, stream).await.err()?;
        match distrust(&refused)? {
            CertificateError::NotValidYetContext { not_before, .. } => Some(moment(not_before)),
            _ => None,
        }
    };
    tokio::time::timeout(deadline, shaken).await.ok().flatten()
}

async fn shake(base: &str, to: &Uri, ahead: Duration) -> Result<(), CallError> {
    let failed = |error: std::io::Error| match distrust(&error) {
        Some(why) => CallError::Untrusted(untrusted(&base, why)),
        None => CallError::Unreachable(format!("{base} is not reachable: {error}")),
    };
    let stream = TcpStream::connect((host(to), port(to))).await.map_err(failed)?;
    if !is_secure(to) {
        return Ok(());
    }
    let named = named(to).map_err(|error| CallError::Malformed(format!("{base} names no host: {error}")))?;
    let mut tls = tls();
    tls.time_provider = Arc::new(Ahead(ahead));
    TlsConnector::from(Arc::new(tls)).connect(named, stream).await.map(drop).map_err(failed)
}

/// The moment that certificates are judged at, so much later than now.
#[derive(Debug)]
struct Ahead(Duration);

impl TimeProvider for Ahead {
    fn current_time(&self) -> Option<UnixTime> {
        let now = u64::try_from(SystemClock.now().0).ok().map(Duration::from_millis)?;
        Some(UnixTime::since_unix_epoch(now.saturating_add(self.0)))
    }
}

/// The beginning of all times.
#[derive(Debug)]
struct Before;

impl TimeProvider for Before {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::ZERO))
    }
}

/// Whether whoever listens with this certificate would be trusted at a base URL. Nobody is asked: it may be one that nobody shows yet.
pub async fn trusts(base: &str, listener: &Tls) -> bool {
    let Some(named) = base.parse::<Uri>().ok().and_then(|to| named(&to).ok()) else { return false };
    let (here, there) = tokio::io::duplex(PIPE);
    let shaking = TlsConnector::from(Arc::new(tls())).connect(named, here);
    let (shaken, _) = tokio::join!(shaking, listener.0.accept(there));
    shaken.is_ok()
}

fn is_secure(to: &Uri) -> bool {
    to.scheme_str() == Some("https")
}

fn port(to: &Uri) -> u16 {
    to.port_u16().unwrap_or(if is_secure(to) { 443 } else { 80 })
}

fn host(to: &Uri) -> &str {
    to.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// What the certificate of whoever listens at an address has to be for.
fn named(to: &Uri) -> Result<ServerName<'static>, InvalidDnsNameError> {
    ServerName::try_from(host(to).to_owned())
}

/// How HTTPS is spoken: the machine's certificate authorities are trusted.
fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider);
    #[expect(clippy::expect_used, reason = "the provider's own default versions")]
    let config = config.with_safe_default_protocol_versions().expect("the default protocol versions");
    let trusting = config.clone().with_native_roots().unwrap_or_else(|error| {
        tracing::warn!(%error, "no certificate authorities on this machine: every HTTPS upstream will be refused");
        config.with_root_certificates(rustls::RootCertStore::empty())
    });
    trusting.with_no_client_auth()
}

fn json(base: &str, path: &str, body: &[u8]) -> Result<Value, CallError> {
    let wrong = |error| CallError::Malformed(format!("{base}{path} answered what is not I-JSON: {error}"));
    read_json(body).map_err(wrong)
}

fn late(to: &dyn fmt::Display, deadline: Duration) -> CallError {
    CallError::Late(format!("{to} did not answer within {} ms", deadline.as_millis()))
}

fn unreachable(to: &Uri, error: &hyper_util::client::legacy::Error) -> CallError {
    let cause = error.source().map_or_else(|| error.to_string(), |source| source.to_string());
    if let Some(why) = distrust(error) {
        return CallError::Untrusted(untrusted(to, why));
    }
    // What connects is taken by the kernel already: that fails only where nobody listens.
    if error.is_connect() {
        CallError::Unreachable(format!("{to} is not reachable: {cause}"))
    } else {
        CallError::Broken(format!("{to} took the connection and gave no whole answer: {cause}"))
    }
}

fn moment(at: &UnixTime) -> Time {
    Time(0).plus_seconds(i64::try_from(at.as_secs()).unwrap_or(i64::MAX))
}

/// What to do about a certificate, by why it is not trusted. Asked again, it is the same for as long as that is so.
fn untrusted(to: &dyn fmt::Display, why: &CertificateError) -> String {
    let renew = "renew it, or the one that it was issued by, and restart whoever shows it";
    let wait = "look at this machine's clock";
    let name = "name it by what its certificate is for, a corner in its `url`, or have one made for this name";
    let trust = "put its certificate authority among this machine's, or into the file that SSL_CERT_FILE names, which takes their \
                 place";
    let (cause, next) = match why {
        CertificateError::Expired => ("it has ended".to_owned(), renew),
        CertificateError::ExpiredContext { not_after, .. } => {
            (format!("it ends {}", moment(not_after).seconds()), renew)
        }
        CertificateError::NotValidYet => ("it has not begun".to_owned(), wait),
        CertificateError::NotValidYetContext { not_before, .. } => {
            (format!("it begins {}", moment(not_before).seconds()), wait)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (why.to_string(), name),
        _ => (why.to_string(), trust),
    };
    format!("the certificate of {to} is not trusted here ({cause}): {next}")
}

/// What is wrong with the other side's certificate, where that is at the bottom of an error. An error of the operating system's kind
/// shows what it wraps, and not as its source.
fn distrust<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return match error {
            rustls::Error::InvalidCertificate(why) => Some(why),
            _ => None,
        };
    }
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source()).and_then(distrust)
}

#[cfg(test)]
mod tests;
