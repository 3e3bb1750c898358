//! Asking a running corner from the command line.

use crate::config::{self, Config};
use crate::operator::OperatorKey;
use crate::output::Failure;
use bytes::Bytes;
use eleven_api::answer::read_json;
use eleven_api::client::{CallError, Client};
use eleven_api::edge::SystemClock;
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_core::encoding::Value;
use eleven_core::reason::Reason;
use http::Method;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::fmt::Display;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a corner may take for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a ledger may take to know a new auditor, and how often it is looked whether it does.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// A ledger, and the secret to read it with where it is not shown to everybody.
pub(crate) struct At {
    url: String,
    secret: Option<Secret>,
}

/// An auditor's secret, and the header that sends it.
pub(crate) struct Secret {
    text: Zeroizing<String>,
    header: HeaderValue,
}

impl At {
    /// The named ledger or the configuration's; `secret` is a file that holds an auditor's.
    ///
    /// # Errors
    /// Where the named one is no address, or none is named and the configuration can't be read; as [`secret`].
    pub(crate) fn of(ledger: Option<&str>, secret: Option<&Path>, file: &Path) -> Result<Self, Failure> {
        let url = match ledger {
            Some(ledger) => address(ledger)?.to_owned(),
            None => Config::load(file)?.ledger.url,
        };
        Ok(Self { url, secret: secret.map(self::secret).transpose()? })
    }

    /// The configuration's ledger, read by this secret.
    pub(crate) fn by(config: &Config, secret: &str) -> Self {
        Self { url: config.ledger.url.clone(), secret: Secret::of(secret) }
    }

    /// Waits until the ledger knows whoever has the secret: that it does from its next head on. One that is not reached from
    /// here keeps nobody waiting.
    ///
    /// # Errors
    /// Where the process can't wait.
    pub(crate) fn until_known(&self) -> Result<(), Failure> {
        let (headers, path) = (self.headers(), format!("{}?from=0&limit=1", routes::AUDIT_ENTRIES));
        wait(async {
            let (client, began) = (Client::new(), Instant::now());
            while began.elapsed() < KNOWN_WITHIN {
                match client.call(Method::GET, &self.url, &path, &headers, Bytes::new(), KNOWN_WITHIN).await {
                    Err(CallError::Refused(problem)) if problem.reason == Some(Reason::IdentityUnauthenticated) => {}
                    _ => return,
                }
                tokio::time::sleep(LOOK).await;
            }
        })
    }

    fn headers(&self) -> Headers {
        self.secret.iter().map(|secret| (AUTHORIZATION, secret.header.clone())).collect()
    }
}

impl Secret {
    /// `None` where this is not one line of text: what can't stand in a header is none either.
    fn of(text: &str) -> Option<Self> {
        let is_line = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok().filter(|_| is_line)?;
        header.set_sensitive(true);
        Some(Self { text: Zeroizing::new(text.to_owned()), header })
    }

    /// The secret itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// An auditor's secret out of its file.
///
/// # Errors
/// Where the file can't be read, or holds anything but one line.
pub(crate) fn secret(file: &Path) -> Result<Secret, Failure> {
    let failed = |what: &dyn Display| Failure::usage(format!("{}: the auditor's secret: {what}", file.display()));
    let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| failed(&error))?;
    let what = "the file has to hold the one line that `eleven auditor add` prints, and nothing else";
    Secret::of(text.trim()).ok_or_else(|| failed(&what))
}

/// What is sent with a request.
pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

/// Where a document is asked for.
pub(crate) trait Base {
    /// The base URL, and what is sent with a request for `path`.
    fn parts(&self, path: &str) -> (&str, Headers);

    /// A refusal with what this command line can do about it.
    fn advised(&self, refused: Failure) -> Failure {
        refused
    }
}

impl Base for str {
    fn parts(&self, _: &str) -> (&str, Headers) {
        (self, Vec::new())
    }
}

impl Base for String {
    fn parts(&self, _: &str) -> (&str, Headers) {
        (self.as_str(), Vec::new())
    }
}

impl Base for At {
    fn parts(&self, _: &str) -> (&str, Headers) {
        (self.url.as_str(), self.headers())
    }

    fn advised(&self, refused: Failure) -> Failure {
        advised(refused, self.secret.is_some())
    }
}

/// What was refused to whoever sends no secret, with how one is sent.
pub(crate) fn advised(refused: Failure, sent: bool) -> Failure {
    let followed = sent || !refused.is(Reason::IdentityUnauthenticated);
    refused.or_else_try(followed, "--secret-file FILE sends the secret in a file")
}

/// The authority's registry, read by the operator's key where that is at hand: a private domain shows it to nobody else here.
pub(crate) struct Registry<'a> {
    url: &'a str,
    operator: Option<ReadAs>,
}

impl<'a> Registry<'a> {
    /// The registry of the configuration's authority.
    pub(crate) fn of(config: &'a Config) -> Self {
        let operator = OperatorKey::load(&config.operator_key).ok();
        let reader = |key: OperatorKey| ReadAs { signer: Arc::new(key.signer), clock: Arc::new(SystemClock) };
        Self { url: &config.authority.url, operator: operator.map(reader) }
    }
}

impl Base for Registry<'_> {
    fn parts(&self, path: &str) -> (&str, Headers) {
        (self.url, self.operator.as_ref().map(|operator| operator.headers(path)).unwrap_or_default())
    }
}

/// A base URL as somebody typed it, without a slash at its end.
///
/// # Errors
/// Where it is none: status 2.
pub(crate) fn address(text: &str) -> Result<&str, Failure> {
    if config::is_base_url(text) {
        return Ok(text.trim_end_matches('/'));
    }
    let how = if text.contains("://") {
        "write it as http://127.0.0.1:1111 or https://ledger.example, without user, query or fragment"
    } else {
        "begin it with http:// or https://"
    };
    Err(Failure::usage(format!("`{text}` is no address: {how}")))
}

/// Runs a future on this thread until it is done.
///
/// # Errors
/// Where the process can't have what it needs for that.
pub(crate) fn wait<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime
        .map_err(|error| Failure::new(format!("the process cannot wait for the network: {error}")))?
        .block_on(future))
}

/// Gets a document.
///
/// # Errors
/// Where nobody answers, or the answer is a refusal.
pub(crate) fn get(base: &(impl Base + ?Sized), path: &str) -> Result<Value, Failure> {
    let bytes = get_bytes(base, path)?;
    let url = base.parts(path).0;
    read_json(&bytes).map_err(|error| Failure::new(format!("{url}{path} answered what is not I-JSON: {error}")))
}

/// Gets a document of a service, by which that is known: whoever else listens at the address may answer with any.
///
/// # Errors
/// As [`get`], and where the document is not one of that service.
pub(crate) fn get_of(
    base: &(impl Base + ?Sized),
    path: &str,
    service: &str,
    known: impl FnOnce(&Value) -> bool,
) -> Result<Value, Failure> {
    let answer = get(base, path)?;
    if known(&answer) { Ok(answer) } else { Err(another(base, path, service)) }
}

/// Gets the registry in force of the authority.
///
/// # Errors
/// As [`get_of`].
pub(crate) fn registry(config: &Config) -> Result<Value, Failure> {
    let known = |snapshot: &Value| snapshot.get("header").is_some();
    get_of(&Registry::of(config), routes::REGISTRY_SNAPSHOT, "authority", known)
}

/// The failure of whoever answers, and is not the service that was asked.
pub(crate) fn another(base: &(impl Base + ?Sized), path: &str, service: &str) -> Failure {
    let url = base.parts(path).0;
    let article = if service.starts_with('a') { "an" } else { "a" };
    Failure::new(format!("{url}{path} answers, and not as {article} {service} does: check the address"))
}

/// Gets a document as its bytes.
///
/// # Errors
/// As [`get`].
pub(crate) fn get_bytes(base: &(impl Base + ?Sized), path: &str) -> Result<Vec<u8>, Failure> {
    let (url, headers) = base.parts(path);
    let asked = async { Client::new().call(Method::GET, url, path, &headers, Bytes::new(), PATIENCE).await };
    let answer = wait(asked)?.map_err(|error| base.advised(error.into()))?;
    Ok(answer.to_vec())
}

/// Posts a document.
///
/// # Errors
/// As [`get`].
pub(crate) fn post(base: &str, path: &str, body: Vec<u8>) -> Result<Value, Failure> {
    let answer = wait(async { Client::new().post(base, path, &[], body, PATIENCE).await })??;
    let wrong = |error| Failure::new(format!("{base}{path} answered what is not I-JSON: {error}")).left_open();
    read_json(&answer).map_err(wrong)
}

/// Posts a document with a credential, and gives the answer's bytes.
///
/// # Errors
/// As [`get`].
pub(crate) fn post_as(base: &str, path: &str, bearer: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {bearer}")).map_err(Failure::new)?;
    value.set_sensitive(true);
    let headers = [(http::header::AUTHORIZATION, value)];
    Ok(wait(async { Client::new().post(base, path, &headers, body, PATIENCE).await })??.to_vec())
}

#[cfg(test)]
mod tests;
