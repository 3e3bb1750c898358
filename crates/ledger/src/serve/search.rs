//! `/v1/audit/search`: lineages by what they name.

use super::gate::Reader;
use super::proofs::reading;
use super::query::{Query, wrong};
use crate::ledger::Inner;
use crate::search::{self, Ask, Search, SearchError};
use crate::{lineage, state::Shared};
use axum::extract::State;
use axum::response::Response;
use eleven_api::problem::Problem;
use eleven_api::serve::stopped;
use eleven_core::artifact::is_artifact_id;
use eleven_core::event::Event;
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_store::background;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

/// How long what came is gathered before it is taken into the index.
const GATHER: Duration = Duration::from_millis(200);
/// How often the index is made to outlive the process.
const KEEP: Duration = Duration::from_secs(30);
/// How long after an error it is opened anew.
const AGAIN: Duration = Duration::from_secs(10);

/// `GET /v1/audit/search?op=&identity=&operation=&artifact=&runtime=&reason=&event=&from=&until=&before=&count=`.
pub(super) async fn search(State(inner): State<Arc<Inner>>, reader: Reader, query: Query) -> Result<Response, Problem> {
    reader.may_read_entries()?;
    let ask = read(&query)?;
    let index = Arc::clone(&inner.search);
    reading(inner, reader.is_known(), move |shared: &Shared| search::answer(&index, shared, &ask)).await
}

fn read(query: &Query) -> Result<Ask, Problem> {
    let op = query.get("op").map(|text| {
        let op = lineage::operation(text).map(str::to_owned);
        op.ok_or_else(|| wrong("op", "an operation's id", text))
    });
    Ok(Ask {
        op: op.transpose()?,
        identity: query.named("identity", "an identity", name::is_identity)?,
        operation: query.named("operation", "an operation's name", name::is_operation)?,
        artifact: query.named("artifact", "an artifact id", is_artifact_id)?,
        runtime: query.named("runtime", "a runtime's name", name::is_runtime)?,
        reason: query
            .named("reason", "a reason", |reason| Reason::parse(reason).is_some())?
            .and_then(|r| Reason::parse(&r)),
        event: query.named("event", "an event of the catalogue", |event| Event::parse(event).is_some())?,
        from: query.time("from")?,
        until: query.time("until")?,
        before: query.number("before")?,
        count: query.count()?,
    })
}

/// Keeps the index up with the entries until told to end, on a thread that gives way to those that answer.
pub(crate) async fn follow(inner: Arc<Inner>, mut end: watch::Receiver<bool>) {
    let index = Arc::clone(&inner.search);
    let (runtime, (ended, wait)) = (Handle::current(), oneshot::channel::<()>());
    let ending = end.clone();
    let work = move || {
        runtime.block_on(keep_up(&inner, &index, ending));
        // Whoever waits may go on to close the ledger: by then this thread holds nothing of it.
        drop((inner, index));
        drop(ended);
    };
    match background("search", work) {
        // It ends with the thread, however that does.
        Ok(_) => drop(wait.await),
        Err(error) => {
            tracing::error!(%error, "the search index is not followed: there is no thread for it");
            stopped(&mut end).await;
        }
    }
}

async fn keep_up(inner: &Inner, index: &Search, mut end: watch::Receiver<bool>) {
    let mut durable = inner.shared.durable.subscribe();
    let mut kept = tokio::time::Instant::now();
    let mut fails = false;
    loop {
        let size = *durable.borrow_and_update();
        let ends = is_over(&end);
        let lasting = ends || kept.elapsed() >= KEEP;
        match take(inner, index, size, lasting, || is_over(&end)) {
            Ok(()) => fails = false,
            Err(error) => {
                if !fails {
                    tracing::error!(%error, "the search index does not follow for now; it is tried again");
                }
                fails = true;
                index.end(&error);
            }
        }
        if lasting {
            kept = tokio::time::Instant::now();
        }
        if ends {
            return;
        }
        tokio::select! {
            () = stopped(&mut end) => {}
            () = tokio::time::sleep(AGAIN), if fails => {}
            changed = durable.changed(), if !fails => {
                if changed.is_err() {
                    return;
                }
                tokio::select! {
                    () = stopped(&mut end) => {}
                    () = tokio::time::sleep(GATHER) => {}
                }
            }
        }
    }
}

/// Whether it was told to end, or nobody is left to tell it: [`stopped`] waits for neither again.
fn is_over(end: &watch::Receiver<bool>) -> bool {
    *end.borrow() || end.has_changed().is_err()
}

/// Takes what came up to `size`, as far as it comes before this `ends`, into an index that is opened first where it is not open.
fn take(inner: &Inner, index: &Search, size: u64, lasting: bool, ends: impl Fn() -> bool) -> Result<(), SearchError> {
    let source = inner.shared.source();
    index.begin(&source)?;
    index.follow(&source, size, false, ends)?;
    if lasting { index.keep() } else { Ok(()) }
}
