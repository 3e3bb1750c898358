//! `/v1/proof/…`: what anybody may read.

use super::audit::{look, named, wanted};
use super::gate::{self, Reader};
use super::query::{Query, brief};
use crate::history;
use crate::ledger::Inner;
use crate::lineage;
use crate::proof::{self, ProofError};
use crate::state::{LookError, Published, Shared, read};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use eleven_api::audit::Durability;
use eleven_api::problem::Problem;
use eleven_api::serve::{Named, json, json_bytes};
use eleven_core::artifact::is_artifact_id;
use eleven_core::encoding::Value;
use eleven_core::index;
use std::sync::Arc;

/// `GET /v1/proof/head[?durability=D4]`: the last head, or the last at that level or above it.
pub(super) async fn head(State(inner): State<Arc<Inner>>, query: Query) -> Result<Response, Problem> {
    let published = published(&inner, &query)?;
    Ok(named(json(&published.head.to_value()), published.level))
}

/// The last head of the level that is asked for.
fn published(inner: &Inner, query: &Query) -> Result<Arc<Published>, Problem> {
    let level = wanted(&HeaderMap::new(), query)?.unwrap_or(Durability::D3);
    let lacking = || match level {
        Durability::D4 | Durability::D5 => {
            Problem::with_status(503, format!("there is no head at {level} yet: the witnesses have not cosigned one"))
        }
        _ => headless(),
    };
    inner.shared.published_at(level).ok_or_else(lacking)
}

/// `GET /checkpoint[?durability=D4]`: the C2SP signed note, the witnesses' lines among it.
pub(super) async fn checkpoint(State(inner): State<Arc<Inner>>, query: Query) -> Result<Response, Problem> {
    let published = published(&inner, &query)?;
    Ok(named(text(published.checkpoint.clone()), published.level))
}

fn text(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// `GET /v1/proof/heads?from=SIZE&count=N`: the heads of that size and more, or the last ones.
pub(super) async fn heads(State(inner): State<Arc<Inner>>, reader: Reader, query: Query) -> Result<Response, Problem> {
    let (from, count) = (query.number("from")?, query.count()?);
    reading(inner, reader.is_known(), move |shared| history::heads(shared, from, count)).await
}

fn headless() -> Problem {
    Problem::with_status(503, "there is no signed head yet: ask again in a second")
}

/// `GET /v1/proof/lineage/{op}[?before=N]`.
pub(super) async fn lineage(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    Named(op): Named,
    query: Query,
) -> Result<Response, Problem> {
    let (op, before) = (operation(&op)?, query.number("before")?);
    let asked = asked(&inner, &op);
    let read = move |shared: &Shared| lineage::answer(shared, &op, before).map_err(ProofError::from);
    let answer = reading(inner, reader.is_known(), read).await;
    answer.map_err(|problem| about(&asked, problem))
}

/// `GET /v1/proof/why/{op}`: the event that tells why an operation was refused, or how it ended.
pub(super) async fn why(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    Named(op): Named,
) -> Result<Response, Problem> {
    let op = operation(&op)?;
    let asked = asked(&inner, &op);
    let read = move |shared: &Shared| lineage::why(shared, &op).map_err(ProofError::from);
    let answer = reading(inner, reader.is_known(), read).await;
    answer.map_err(|problem| about(&asked, problem))
}

/// `GET /v1/proof/bundle/{op}`: waits for a head over the operation's last event, a little.
pub(super) async fn bundle(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    Named(op): Named,
) -> Result<Response, Problem> {
    let op = operation(&op)?;
    let asked = asked(&inner, &op);
    bundle_of(inner, reader.is_known(), op).await.map_err(|problem| about(&asked, problem))
}

async fn bundle_of(inner: Arc<Inner>, known: bool, op: String) -> Result<Response, Problem> {
    let last = read(&inner.shared.book).last_of(&op);
    let last = last.ok_or_else(|| look(&LookError::Absent))?;
    proof::covered(&inner.shared, last, inner.settings.proof_wait, proof::has_registry).await.map_err(problem)?;
    if !inner.settings.witnesses.is_empty() {
        // A proof that its witnesses have cosigned is worth a moment; without them it is shown as what it is.
        let ready = |shared: &Shared, head: &Published| head.satisfied && proof::has_registry(shared, head);
        let _ = proof::covered(&inner.shared, last, inner.settings.proof_wait, ready).await;
    }
    let read = move |shared: &Shared| proof::bundle(shared, &op).map(|bundle| json_bytes(bundle.canonical()));
    under_head(inner, known, last, proof::has_registry, read).await
}

/// `GET /v1/proof/inclusion?seq=N[&size=M]`.
pub(super) async fn inclusion(State(inner): State<Arc<Inner>>, query: Query) -> Result<Response, Problem> {
    let seq = query.number("seq")?.ok_or_else(|| Problem::malformed("`seq` is missing"))?;
    let size = query.number("size")?;
    if seq >= inner.shared.size() {
        return Err(look(&LookError::Absent));
    }
    proof::covered(&inner.shared, seq, inner.settings.proof_wait, |_, _| true).await.map_err(problem)?;
    proof::inclusion(&inner.shared, seq, size).map(|value| json(&value)).map_err(problem)
}

/// `GET /v1/proof/tlog/{seq}`: the C2SP tlog-proof of an entry by its number, without the entry.
/// `GET /v1/proof/tlog/{op}[?n=N]`: that of an operation's event, the last where none is named, and the entry with it.
pub(super) async fn tlog(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    Named(named): Named,
    query: Query,
) -> Result<Response, Problem> {
    let n = query.number("n")?;
    let number = || named.parse().ok().filter(|seq: &u64| seq.to_string() == named);
    let (seq, with_entry) = match number() {
        Some(seq) if seq < inner.shared.size() && n.is_none() => (seq, false),
        Some(_) => return Err(look(&LookError::Absent)),
        None => {
            let (inner, op) = (Arc::clone(&inner), operation(&named)?);
            let asked = asked(&inner, &op);
            let found = move |shared: &Shared| {
                lineage::entry_of(shared, &op, n).map_err(|error| match n {
                    Some(n) if matches!(error, LookError::Absent) && lineage::entry_of(shared, &op, None).is_ok() => {
                        ProofError::Unknown(format!("it has no event {n}, or not yet"))
                    }
                    _ => error.into(),
                })
            };
            (reading_off(inner, reader.is_known(), found).await.map_err(|problem| about(&asked, problem))?, true)
        }
    };
    proof::covered(&inner.shared, seq, inner.settings.proof_wait, |_, _| true).await.map_err(problem)?;
    let proof = reading_off(inner, reader.is_known(), move |shared| proof::tlog(shared, seq, with_entry)).await?;
    Ok(text(proof.to_string()))
}

/// `GET /v1/proof/consistency?first=N[&second=M]`.
pub(super) async fn consistency(State(inner): State<Arc<Inner>>, query: Query) -> Result<Response, Problem> {
    let first = query.number("first")?.ok_or_else(|| Problem::malformed("`first` is missing"))?;
    let second = query.number("second")?;
    proof::consistency(&inner.shared, first, second).map(|value| json(&value)).map_err(problem)
}

/// `GET /v1/proof/exclusion?op=ID` or `?artifact=auth_ID`: whether the index under the last head has a lineage, or a
/// revocation.
pub(super) async fn exclusion(State(inner): State<Arc<Inner>>, query: Query) -> Result<Response, Problem> {
    let (name, key) = match (query.get("op"), query.get("artifact")) {
        (Some(op), None) => {
            let op = operation(op)?;
            (format!("op:{op}"), index::op_key(&op))
        }
        (None, Some(artifact)) if is_artifact_id(artifact) => {
            (format!("revoked:{artifact}"), index::revoked_key(artifact))
        }
        _ => return Err(Problem::malformed("name either an operation as `op` or an artifact as `artifact`")),
    };
    proof::covered(&inner.shared, 0, inner.settings.proof_wait, proof::has_index).await.map_err(problem)?;
    proof::exclusion(&inner.shared, &name, &key).map(|value| json(&value)).map_err(problem)
}

fn operation(text: &str) -> Result<String, Problem> {
    let wrong =
        || Problem::malformed(format!("`{}` is no operation's id: give that, lineage://op/… or auth_…", brief(text)));
    lineage::operation(text).map(str::to_owned).ok_or_else(wrong)
}

/// An operation as it is asked for, and the ledger that is asked.
fn asked(inner: &Inner, op: &str) -> String {
    let ledger = gate::registry(&inner.shared).map(|registry| format!(" of ledger://{}", registry.domain()));
    format!("lineage://op/{op}{}", ledger.unwrap_or_default())
}

/// What is not there, with what it is and where it was looked for.
fn about(asked: &str, problem: Problem) -> Problem {
    if problem.status != 404 {
        return problem;
    }
    Problem { detail: format!("{asked}: {}", problem.detail), ..problem }
}

/// Puts an answer together where reading from the disk holds up nobody; to a stranger, who is not `known`, when it has its turn.
pub(super) async fn reading(
    inner: Arc<Inner>,
    known: bool,
    read: impl FnOnce(&Shared) -> Result<Value, ProofError> + Send + 'static,
) -> Result<Response, Problem> {
    reading_off(inner, known, move |shared| read(shared).map(|value| json(&value))).await
}

/// The same, for whatever is made of what was read.
pub(super) async fn reading_off<T: Send + 'static>(
    inner: Arc<Inner>,
    known: bool,
    read: impl FnOnce(&Shared) -> Result<T, ProofError> + Send + 'static,
) -> Result<T, Problem> {
    let at = Arc::clone(&inner);
    inner.room.read(known, move || read(&at.shared)).await?.map_err(problem)
}

/// The same, of what stands under one head that covers entry `seq`, once it is `ready`. Where the next one began to be signed by the time
/// that it is read, it is read once more under that one.
pub(super) async fn under_head<T: Send + 'static>(
    inner: Arc<Inner>,
    known: bool,
    seq: u64,
    ready: fn(&Shared, &Published) -> bool,
    read: impl Fn(&Shared) -> Result<T, ProofError> + Clone + Send + 'static,
) -> Result<T, Problem> {
    let (begun, wait) = (tokio::time::Instant::now(), inner.settings.proof_wait);
    loop {
        let left = wait.saturating_sub(begun.elapsed());
        proof::covered(&inner.shared, seq, left, ready).await.map_err(problem)?;
        let (at, read) = (Arc::clone(&inner), read.clone());
        match inner.room.read(known, move || read(&at.shared)).await? {
            Err(ProofError::NotYet(_)) if begun.elapsed() < wait => {}
            read => return read.map_err(problem),
        }
    }
}

pub(super) fn problem(error: ProofError) -> Problem {
    match &error {
        ProofError::Unknown(what) => Problem::with_status(404, what.clone()),
        ProofError::NotYet(_) => Problem::with_status(503, error.to_string()),
        ProofError::NoBundle(what) => Problem::with_status(404, what.clone()),
        ProofError::Look(error) => look(error),
        ProofError::Failed(what) => {
            tracing::error!(what, "something beside the log could not be read");
            Problem::with_status(500, what.clone())
        }
    }
}

#[cfg(test)]
mod tests;
