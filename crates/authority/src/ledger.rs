//! The authority's line to the ledger: where it appends, and where it reads back what was appended (PROTOCOL 12).
//!
//! Nothing is kept here. The sequencer alone appends; the registry alone follows.

use bytes::Bytes;
use eleven_api::answer::read_json;
use eleven_api::audit::{Appended, Cursor};
use eleven_api::client::{CallError, Client};
use eleven_api::edge::Clock;
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::form::{Form, FormError};
use eleven_core::hash::Sha3;
use eleven_core::signature::{Signer, bytes32};
use eleven_core::time::Time;
use http::Method;
use std::sync::Arc;
use std::time::Duration;

/// How long a plain question may take.
const QUESTION: Duration = Duration::from_secs(2);

/// The ledger at one address. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    client: Client,
    base: String,
    /// In whose name it is read, where the domain does not show it to strangers.
    reader: Option<ReadAs>,
}

/// Which entries are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that make registry epochs: where the domain is not private the authority may read them by any clock of its own.
    Registry,
    /// Those, and those that say that a stream is broken: only for who may read entries.
    WithDiscontinuities,
}

/// Entries that make registry epochs and, where they were asked for, say that a stream is broken, in the ledger's order.
#[derive(Clone, Debug)]
pub struct Page {
    /// Which were asked for.
    pub which: Which,
    /// The entries.
    pub entries: Vec<Row>,
    /// The number to ask from next.
    pub next: u64,
    /// The ledger's size.
    pub size: u64,
}

/// One entry, without its chain values: the fold reads time and record.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// When the ledger appended it.
    pub at: Time,
    /// The record.
    pub record: Record,
}

/// A head key that the ledger holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadKey {
    /// Its name.
    pub kid: String,
    /// Its public key.
    pub public: [u8; 32],
}

impl Ledger {
    /// The ledger at `base`, for instance `http://127.0.0.1:1111`.
    #[must_use]
    pub fn new(client: Client, base: impl Into<String>) -> Self {
        Self { client, base: base.into(), reader: None }
    }

    /// The same, read in the name of the authority: by its event key.
    #[must_use]
    pub fn signing(self, signer: Arc<dyn Signer>, clock: Arc<dyn Clock>) -> Self {
        Self { reader: Some(ReadAs { signer, clock }), ..self }
    }

    async fn get(&self, path: &str, deadline: Duration) -> Result<Bytes, CallError> {
        let headers = self.reader.as_ref().map(|by| by.headers(path)).unwrap_or_default();
        self.client.call(Method::GET, &self.base, path, &headers, Bytes::new(), deadline).await
    }

    async fn get_json(&self, path: &str, deadline: Duration) -> Result<Value, CallError> {
        read(&self.get(path, deadline).await?, Ok)
    }

    /// Appends a body of records and blobs, within `deadline`; by another connection where one broke, for the ledger knows
    /// what it has.
    ///
    /// # Errors
    /// [`CallError::Unreachable`], [`CallError::Late`] and [`CallError::Broken`] leave the fate of what was sent unknown;
    /// [`CallError::Refused`] says it was looked at.
    pub async fn append(&self, body: Bytes, deadline: Duration) -> Result<Appended, CallError> {
        let signed = self.reader.as_ref().map(|by| by.for_append(body.len())).unwrap_or_default();
        let answer = self.client.insist(&self.base, routes::AUDIT_EVENTS, &signed, body, deadline).await?;
        read(&answer, Appended::read)
    }

    /// Where a key's stream stands.
    ///
    /// # Errors
    /// Where the ledger does not answer, or does not know the key.
    pub async fn cursor(&self, kid: &str) -> Result<Cursor, CallError> {
        let path = format!("{}{}", routes::AUDIT_CURSOR, routes::percent_encoded(kid));
        Cursor::read(self.get_json(&path, QUESTION).await?).map_err(malformed)
    }

    /// The event key that the ledger signs with now, as it says itself.
    ///
    /// # Errors
    /// Where it does not answer, or does not say. One that is not well says it all the same.
    pub async fn event_key(&self) -> Result<String, CallError> {
        let (_, health) = self.client.health(&self.base, QUESTION).await?;
        let kid = health.get("kid").and_then(Value::as_str).map(str::to_owned);
        kid.ok_or_else(|| CallError::Malformed("the ledger's health lacks the member `kid`".to_owned()))
    }

    /// The head keys that the ledger holds, as it says itself; `None` where it says nothing of that kind, as one of an earlier
    /// version.
    ///
    /// # Errors
    /// Where it does not answer. One that is not well says it all the same.
    pub async fn head_keys(&self) -> Result<Option<Vec<HeadKey>>, CallError> {
        let (_, health) = self.client.health(&self.base, QUESTION).await?;
        let keys = health.get("head_keys").and_then(Value::as_array);
        Ok(keys.and_then(|keys| keys.iter().map(read_head_key).collect()))
    }

    /// Registry entries from `from` on, with or without discontinuities; where there are none the ledger waits up to `wait`
    /// for one.
    ///
    /// # Errors
    /// Where the ledger does not answer, or does not show them to this reader.
    pub async fn registry_entries(&self, which: Which, from: u64, wait: Duration) -> Result<Page, CallError> {
        let more = match which {
            Which::Registry => "",
            Which::WithDiscontinuities => "&discontinuities=1",
        };
        let path = format!("{}?from={from}&registry=1{more}&wait={}", routes::AUDIT_ENTRIES, wait.as_millis());
        let answer = self.get_json(&path, wait + QUESTION).await?;
        read_page(which, answer).map_err(malformed)
    }

    /// Content by its hash. The bytes hash to it, whoever sent them.
    ///
    /// # Errors
    /// Where the ledger does not answer or does not have it.
    pub async fn blob(&self, hash: Sha3) -> Result<Bytes, CallError> {
        let path = format!("{}{}", routes::AUDIT_BLOB, routes::percent_encoded(&hash.to_string()));
        let bytes = self.get(&path, QUESTION).await?;
        if Sha3::of(&[&bytes]) == hash {
            Ok(bytes)
        } else {
            Err(CallError::Malformed(format!("the ledger sent other bytes than those of {hash}")))
        }
    }

    /// The events of a lineage, first to last; `None` where the ledger has no such lineage.
    ///
    /// # Errors
    /// Where the ledger does not answer.
    pub async fn lineage(&self, op: &str) -> Result<Option<Vec<Record>>, CallError> {
        let path = format!("{}{}", routes::PROOF_LINEAGE, routes::percent_encoded(op));
        match self.get_json(&path, QUESTION).await {
            Ok(answer) => read_lineage(&answer).map(Some).map_err(malformed),
            // A proxy whose ledger is gone says the same of every path, and knows of no lineage.
            Err(CallError::Refused(problem)) if problem.status == 404 && !problem.foreign => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether a failed call leaves open what became of it, so that the same bytes have to be sent again.
#[must_use]
pub fn fate_unknown(error: &CallError) -> bool {
    match error {
        CallError::Unreachable(_)
        | CallError::Late(_)
        | CallError::Broken(_)
        | CallError::Untrusted(_)
        | CallError::Malformed(_) => true,
        CallError::Refused(problem) => problem.status >= 500 || problem.status == 429 || is_between(error),
    }
}

/// Whether what refused a call is no ledger: a proxy, or whatever else answers in its place, looked at no record and may answer so for as
/// long as the ledger is gone. Who names a record, or a reason, is one, if of another make. That a body is too long holds whoever says
/// it: of several records fewer may pass.
fn is_between(error: &CallError) -> bool {
    let CallError::Refused(problem) = error else { return false };
    let names_none = problem.reason.is_none() && problem.record.is_none();
    problem.foreign && names_none && problem.status < 500 && problem.status != 413
}

/// Whether what stands before the ledger may keep a record out for good by what is in it. What was late, early or one too many passes
/// when it is sent again.
#[must_use]
pub fn keeps_out(error: &CallError) -> bool {
    is_between(error) && !matches!(error, CallError::Refused(problem) if matches!(problem.status, 408 | 425 | 429))
}

fn read<T>(answer: &Bytes, form: impl FnOnce(Value) -> Result<T, FormError>) -> Result<T, CallError> {
    let value = read_json(answer).map_err(|error| CallError::Malformed(format!("the ledger's answer: {error}")))?;
    form(value).map_err(malformed)
}

fn malformed(error: FormError) -> CallError {
    CallError::Malformed(format!("the ledger's answer: {error}"))
}

fn read_page(which: Which, value: Value) -> Result<Page, FormError> {
    let mut form = Form::of(value, "page of entries")?;
    let entries = form.array("entries")?.into_iter().map(read_row).collect::<Result<_, _>>()?;
    let (next, size) = (form.uint("next")?, form.uint("size")?);
    form.finish()?;
    Ok(Page { which, entries, next, size })
}

fn read_row(value: Value) -> Result<Row, FormError> {
    let mut form = Form::of(value, "entry")?;
    let (seq, at) = (form.uint("seq")?, form.millis("at")?);
    let record = Record::read(form.take("record")?)?;
    form.finish()?;
    Ok(Row { seq, at, record })
}

fn read_head_key(value: &Value) -> Option<HeadKey> {
    let text = |member| value.get(member).and_then(Value::as_str);
    Some(HeadKey { kid: text("kid")?.to_owned(), public: bytes32(text("public")?)? })
}

/// The `events` of a lineage's document; what else it tells is for people.
fn read_lineage(value: &Value) -> Result<Vec<Record>, FormError> {
    let events = value.get("events").and_then(Value::as_array);
    let events = events.ok_or_else(|| FormError("lineage: lacks the member `events`".into()))?;
    events.iter().cloned().map(Record::read).collect()
}

#[cfg(test)]
mod tests;
