//! The registry headers that the authority signs: fetched, compared with what was folded here, and kept for bundles.
//!
//! A lag is only a lag. Another hash at the same epoch is two registries under one root: that is recorded in the ledger with
//! the header that says so, and from then on no head is signed. It outlasts a restart; only after one, when somebody has
//! looked, does it end where both agree again.

use crate::audit::{Outcome, Request};
use crate::ledger::Inner;
use crate::state::read;
use bytes::Bytes;
use eleven_api::answer::read_json;
use eleven_api::client::{CallError, Client};
use eleven_api::serve::stopped;
use eleven_api::{public, routes};
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::registry::Header;
use eleven_core::root::KeyUse;
use eleven_core::signature::Signature;
use http::header::{HeaderValue, IF_NONE_MATCH};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// How often the authority is asked while a header is lacking, and while none is.
const LACKING: Duration = Duration::from_millis(100);
const HAVING: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(2);
/// What is said of an epoch that was not folded here.
const AHEAD: &str = "it is of an epoch that the entries have not come to: the ledger went back, and the authority has to be started \
                     anew, or somebody else signs by the registry key";

/// What a fetched header means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the one that was folded here: to be kept.
    Agrees(Header),
    /// It is of an epoch that was not folded here yet.
    Ahead,
    /// It is of the same epoch, and another.
    Disagrees {
        /// The epoch.
        epoch: u64,
        /// What was folded here.
        ours: Sha3,
        /// What the authority signed.
        theirs: Sha3,
    },
    /// It is no header that this domain's registry key signed.
    Untrusted(String),
}

/// Follows the authority until told to end. One that is there and does not answer makes no end longer; what was handed to the
/// writer by then is recorded all the same.
pub(crate) async fn follow(inner: Arc<Inner>, mut end: watch::Receiver<bool>) {
    let Some(authority) = inner.settings.authority.clone() else { return stopped(&mut end).await };
    tokio::select! {
        () = look(&inner, &authority) => {}
        () = stopped(&mut end) => {}
    }
}

/// Asks the authority, over and over.
async fn look(inner: &Inner, authority: &str) {
    let client = Client::new();
    let mut durable = inner.shared.durable.subscribe();
    let mut known = Known { recorded: true, untrusted: None };
    loop {
        fetch(inner, &client, authority, &mut known).await;
        let wait = if is_lacking(inner) { LACKING } else { HAVING };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // New entries may be a new epoch: look soon, and not for each of them.
            _ = durable.changed(), if wait == HAVING => tokio::time::sleep(LACKING).await,
        }
    }
}

/// Whether the header of the registry in force is not here yet.
fn is_lacking(inner: &Inner) -> bool {
    let epoch = read(&inner.shared.book).registry().map_or(0, eleven_core::registry::Fold::epoch);
    read(&inner.shared.places).header(epoch).is_none()
}

/// The tag of the registry in force, where all that is wanted of the authority for it is here and both agree: with the years a
/// registry comes to megabytes, of which the header alone is read, and under load it is asked for ten times a second.
fn agreed(inner: &Inner) -> Option<HeaderValue> {
    let shared = &inner.shared;
    if shared.disagreement.load(Ordering::Acquire) || shared.carried.load(Ordering::Acquire) || is_lacking(inner) {
        return None;
    }
    let hash = read(&shared.book).registry().map(eleven_core::registry::Fold::hash)?;
    public::registry_tag(hash)
}

/// What was made of what the authority showed before.
struct Known {
    /// Whether the disagreement that is known has been put into the ledger: if not, it is tried again.
    recorded: bool,
    /// Why its header was not to be trusted last: it is asked ten times a second.
    untrusted: Option<String>,
}

impl Known {
    fn distrust(&mut self, why: &str) {
        if self.is_news(why) {
            tracing::warn!(why, "the authority's registry header is not to be trusted");
        }
    }

    /// Whether this is another reason than the last.
    fn is_news(&mut self, why: &str) -> bool {
        self.untrusted.replace(why.to_owned()).as_deref() != Some(why)
    }
}

/// Asks once.
async fn fetch(inner: &Inner, client: &Client, authority: &str, known: &mut Known) {
    let path = routes::REGISTRY_SNAPSHOT;
    let mut headers = inner.reader.headers(path);
    headers.extend(agreed(inner).map(|tag| (IF_NONE_MATCH, tag)));
    let asked = client.call(Method::GET, authority, path, &headers, Bytes::new(), DEADLINE).await;
    let value = |body: Bytes| read_json(&body).map_err(|error| CallError::Malformed(error.to_string()));
    let snapshot = match asked.and_then(value) {
        Ok(snapshot) => snapshot,
        // It serves what is in force here.
        Err(CallError::Refused(problem)) if problem.status == StatusCode::NOT_MODIFIED.as_u16() => {
            known.untrusted = None;
            return;
        }
        Err(error) => return tracing::debug!(%error, "the authority's registry was not reached"),
    };
    let Some(header) = snapshot.get("header") else {
        return known
            .distrust(&format!("what answers at {authority} has none: check that it is the authority's address"));
    };
    match judge(inner, header) {
        Verdict::Agrees(read_header) => {
            known.untrusted = None;
            agree(inner, &read_header, header).await;
            keep(inner, read_header, header).await;
        }
        // An authority folds nothing but what it was shown here.
        Verdict::Ahead => known.distrust(AHEAD),
        Verdict::Untrusted(why) => known.distrust(&why),
        Verdict::Disagrees { epoch, ours, theirs } => {
            let disagreed = inner.shared.disagreement.swap(true, Ordering::AcqRel);
            inner.shared.carried.store(false, Ordering::Release);
            if !disagreed {
                tracing::error!(
                    epoch, %ours, %theirs,
                    "the authority signed another registry than the ledger folds to: no head is signed any more; \
                     compare both with `eleven ledger fsck` before anything is started again"
                );
            }
            if !disagreed || !known.recorded {
                known.recorded = record(inner, false, epoch, header).await;
            }
        }
    }
}

/// Ends a disagreement that an earlier process met, where the registry in force is the same on both sides now.
async fn agree(inner: &Inner, header: &Header, value: &Value) {
    let in_force = read(&inner.shared.book).registry().map(eleven_core::registry::Fold::epoch);
    if in_force != Some(header.epoch) || !inner.shared.carried.swap(false, Ordering::AcqRel) {
        return;
    }
    tracing::warn!(epoch = header.epoch, "the authority's registry and the ledger's agree again: heads are signed");
    if record(inner, true, header.epoch, value).await {
        inner.shared.disagreement.store(false, Ordering::Release);
    } else {
        inner.shared.carried.store(true, Ordering::Release);
    }
}

/// Has it put into the ledger; `false` where the writer did not take it or can make no event, and it is to be tried again.
async fn record(inner: &Inner, agrees: bool, epoch: u64, header: &Value) -> bool {
    let request = Request::Registry { agrees, epoch, header: header.canonical() };
    let taken = inner.submit(request).await;
    let taken = taken.inspect_err(|error| tracing::error!(%error, "what the authority signed is not recorded yet"));
    taken.is_ok_and(|committed| committed.answer.outcomes == [Outcome::Taken])
}

async fn keep(inner: &Inner, header: Header, value: &Value) {
    if read(&inner.shared.places).header(header.epoch).is_some() {
        return;
    }
    let request = Request::Header { header, bytes: value.canonical() };
    if let Err(error) = inner.submit(request).await {
        tracing::warn!(%error, "a registry header was not kept");
    }
}

/// Holds a header against the registry that was folded here.
pub(crate) fn judge(inner: &Inner, value: &Value) -> Verdict {
    let (header, sig) = match Header::read(value.clone()) {
        Ok(read) => read,
        Err(error) => return Verdict::Untrusted(error.to_string()),
    };
    if let Err(why) = check_signature(inner, &header, &sig) {
        return Verdict::Untrusted(why.to_owned());
    }
    let theirs = header.hash();
    match read(&inner.shared.places).registry_hash(header.epoch) {
        None => Verdict::Ahead,
        Some(ours) if ours == theirs => Verdict::Agrees(header),
        Some(ours) => Verdict::Disagrees { epoch: header.epoch, ours, theirs },
    }
}

fn check_signature(inner: &Inner, header: &Header, sig: &Signature) -> Result<(), &'static str> {
    let book = read(&inner.shared.book);
    let registry = book.registry().ok_or("there is no registry yet")?;
    if header.domain != registry.domain() {
        return Err("it is another domain's");
    }
    let mut keys = registry.roots().flat_map(|root| &root.roles);
    let key = keys.find(|key| key.usage == KeyUse::Registry && key.kid == header.kid);
    let key = key.and_then(eleven_core::root::KeyRecord::verifying).ok_or("no registry key of that name is known")?;
    if key.verifies(&header.payload(), &sig.val) { Ok(()) } else { Err("the registry key did not sign it") }
}

#[cfg(test)]
mod tests;
