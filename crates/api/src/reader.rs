//! Who reads, where that matters (PROTOCOL 12): an auditor by the secret of its source, a corner or an enforcement point of
//! the domain by its own event key, an operator by its key.
//!
//! An auditor sends its secret as `Authorization: Bearer`. Whoever has a key sends three headers: `eleven-reader`, its key's name;
//! `eleven-reader-time`, when it signed, to the millisecond; `eleven-reader-signature`, base64 of the 64 bytes that the key
//! makes over [`statement`]. A signature is good for ten seconds, and for reading that one path.

use crate::edge::Clock;
use crate::header::{bearer, only};
use crate::routes;
use crate::secret::{self, Secret};
use crate::serve::UNCOUNTED;
use eleven_core::encoding::Object;
use eleven_core::hash::{base64, unbase64};
use eleven_core::registry::{Lists, SourceRecord};
use eleven_core::signature::{Signer, VerifyingKey};
use eleven_core::time::Time;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// How far a reader's time may lie from ours, in milliseconds.
const MAX_APART_MS: i64 = 10_000;

const READER: &str = "eleven-reader";
const TIME: &str = "eleven-reader-time";
const SIGNATURE: &str = "eleven-reader-signature";

/// What a corner signs: JCS({"path","reader","time"}), the path with its query.
fn statement(path: &str, kid: &str, time: &str) -> Vec<u8> {
    Object::new().with("path", path).with("reader", kid).with("time", time).canonical()
}

/// The headers of a corner that reads `path`, its query with it.
#[must_use]
pub fn signed(path: &str, signer: &dyn Signer, now: Time) -> Vec<(HeaderName, HeaderValue)> {
    let time = now.millis();
    let signature = base64(&signer.sign(&statement(path, signer.kid(), &time)));
    let headers = [(READER, signer.kid().to_owned()), (TIME, time), (SIGNATURE, signature)];
    let sent = |(name, text): (&'static str, String)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(&text).ok()?))
    };
    headers.into_iter().filter_map(sent).collect()
}

/// In whose name something is read that is not shown to strangers.
#[derive(Clone)]
pub struct ReadAs {
    /// The key: an event key of the domain, or an operator's.
    pub signer: Arc<dyn Signer>,
    /// When it is read.
    pub clock: Arc<dyn Clock>,
}

impl ReadAs {
    /// The headers for reading `path`, its query with it.
    #[must_use]
    pub fn headers(&self, path: &str) -> Vec<(HeaderName, HeaderValue)> {
        signed(path, &*self.signer, self.clock.now())
    }

    /// The headers for an append of so many bytes: by them a large one shares no room with what strangers send. A small one has its room
    /// always, and its records are signed.
    #[must_use]
    pub fn for_append(&self, bytes: usize) -> Vec<(HeaderName, HeaderValue)> {
        if bytes > UNCOUNTED { self.headers(routes::AUDIT_EVENTS) } else { Vec::new() }
    }
}

/// The row of the auditor whose secret a request bears.
#[must_use]
pub fn auditor<'a>(lists: &'a Lists, headers: &HeaderMap) -> Option<&'a SourceRecord> {
    let secret = Secret::parse(bearer(headers)?)?;
    let row = lists.sources.get(&secret::auditor_row(secret.holder()))?;
    secret.is_of(row, secret::AUDITOR).then_some(row)
}

/// What somebody can do who was refused because nothing in a request makes it an auditor's: the end of a refusal's sentence.
#[must_use]
pub fn how_to_be_known(headers: &HeaderMap) -> &'static str {
    if bearer(headers).is_some() {
        "what was sent as `Authorization: Bearer` is no secret of an auditor that counts here: a new one counts from the \
         ledger's next head at the latest, about a second after `eleven auditor add`, and one that was removed counts no more; \
         send it again in a second, or have an operator make another with `eleven auditor add`"
    } else {
        "send an auditor's secret as `Authorization: Bearer`, or have an operator make one with `eleven auditor add`"
    }
}

/// A corner's signature as it came in, not verified.
#[derive(Clone, Debug)]
pub struct SignedRead {
    /// The key that signed, as it is said.
    pub kid: String,
    time: Time,
    signature: [u8; 64],
}

impl SignedRead {
    /// The signature in a request's headers; `None` where there is none of its form.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| only(headers, name);
        let signature = unbase64(text(SIGNATURE)?).and_then(|bytes| bytes.try_into().ok())?;
        Some(Self { kid: text(READER)?.to_owned(), time: Time::parse_millis(text(TIME)?)?, signature })
    }

    /// Whether `key` signed for reading `path` within ten seconds of `now`.
    #[must_use]
    pub fn verifies(&self, path: &str, key: &VerifyingKey, now: Time) -> bool {
        now.since(self.time).saturating_abs() <= MAX_APART_MS && self.verifies_at_any_time(path, key)
    }

    /// Whether `key` signed for reading `path`, whenever that was: for what may be told to who saw such a signature, too.
    #[must_use]
    pub fn verifies_at_any_time(&self, path: &str, key: &VerifyingKey) -> bool {
        key.verifies(&statement(path, &self.kid, &self.time.millis()), &self.signature)
    }
}

#[cfg(test)]
mod tests;
