//! `/v1/registry/…` of the ledger: the registry as the entries say it, for whoever does not ask the authority.

use super::audit::look;
use super::gate::{self, Reader};
use super::proofs::{reading, reading_off, under_head};
use super::query::Query;
use crate::ledger::Inner;
use crate::proof::{self, ProofError};
use crate::records::{self, Asked};
use crate::state::{LookError, Shared};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use eleven_api::problem::Problem;
use eleven_api::public;
use eleven_api::serve::{Named, json};
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::name;
use eleven_core::root::TrustRoot;
use std::sync::Arc;

/// `GET /v1/registry/root`: the version that the last seal stands under.
pub(super) async fn root(State(inner): State<Arc<Inner>>) -> Result<Response, Problem> {
    let registry = gate::registry(&inner.shared).ok_or_else(|| look(&LookError::Absent))?;
    Ok(shown(registry.root()))
}

/// `GET /v1/registry/root/{version}`: what leads from a version that somebody pinned to the key that signs heads now.
pub(super) async fn root_version(State(inner): State<Arc<Inner>>, Named(version): Named) -> Result<Response, Problem> {
    let version: u64 = version.parse().map_err(|_| Problem::malformed("name the root by its version, a number"))?;
    let registry = gate::registry(&inner.shared).ok_or_else(|| look(&LookError::Absent))?;
    let found = registry.roots().find(|root| root.version == version).map(shown);
    found.ok_or_else(|| Problem::with_status(404, "there is no such version of the root"))
}

fn shown(root: &TrustRoot) -> Response {
    public::kept(json(&root.to_value()), public::ASK)
}

/// `GET /v1/registry/issuers`.
pub(super) async fn issuers(State(inner): State<Arc<Inner>>, reader: Reader) -> Result<Response, Problem> {
    headed(inner, reader.is_known(), records::issuers).await
}

/// `GET /v1/registry/policies?operation=X&runtime=R&at=T&after=SEQ&count=N`: what was in force; all that ever was where nothing is
/// named.
pub(super) async fn policies(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    query: Query,
) -> Result<Response, Problem> {
    let operation = query.named("operation", "an operation's name", name::is_operation)?;
    let runtime = query.named("runtime", "a runtime's name", name::is_runtime)?;
    let (after, count) = (query.number("after")?, query.count()?);
    let asked = Asked { operation, runtime, at: query.time("at")?, after, count };
    if asked.runtime.is_some() && asked.operation.is_none() {
        return Err(Problem::malformed("name the operation on that runtime as `operation`"));
    }
    reading(inner, reader.is_known(), move |shared| records::policies(shared, &asked)).await
}

/// `GET /v1/registry/policies/{hash}`: the bundle, in the bytes that are hashed.
pub(super) async fn policy(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    Named(hash): Named,
) -> Result<Response, Problem> {
    let hash = Sha3::parse(&hash).ok_or_else(|| Problem::malformed("name the policy by its sha3-512 hash"))?;
    let bytes = reading_off(inner, reader.is_known(), move |shared| records::policy(shared, hash)).await?;
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(public::kept(response, public::FOREVER))
}

/// `GET /v1/registry/revocations?after=ARTIFACT&count=N`.
pub(super) async fn revocations(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    query: Query,
) -> Result<Response, Problem> {
    let (after, count) = (query.get("after").map(str::to_owned), query.count()?);
    let read = move |shared: &Shared| records::revocations(shared, after.as_deref(), count);
    headed(inner, reader.is_known(), read).await
}

/// What is read once the folds stand where the last head says.
async fn headed(
    inner: Arc<Inner>,
    known: bool,
    read: impl Fn(&Shared) -> Result<Value, ProofError> + Clone + Send + 'static,
) -> Result<Response, Problem> {
    if inner.shared.size() == 0 {
        return Err(look(&LookError::Absent));
    }
    let read = move |shared: &Shared| read(shared).map(|value| json(&value));
    under_head(inner, known, 0, proof::has_index, read).await
}
