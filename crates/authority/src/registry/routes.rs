//! The registry's public surface (PROTOCOL 12): ready bytes, and a policy bundle by its hash.

use super::{Registry, gate, watch};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use eleven_api::problem::Problem;
use eleven_api::serve::{Named, not_taken};
use eleven_api::{public, routes};
use eleven_core::hash::Sha3;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use std::sync::Arc;

/// The routes under `/v1/registry/`.
pub fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route(routes::REGISTRY_ROOT, get(root))
        .route(routes::REGISTRY_ROOT_VERSION, get(root_version))
        .route(routes::REGISTRY_SNAPSHOT, get(snapshot))
        .route(routes::REGISTRY_STAMP, get(stamp))
        .route(routes::REGISTRY_ISSUERS, get(issuers))
        .route(routes::REGISTRY_REVOCATIONS, get(revocations))
        .route("/v1/registry/policies/{hash}", get(policy))
        .route(routes::REGISTRY_WATCH, get(watch_epochs))
        // Within the layers: what else is set for all paths later stands outside of them, and a page's OPTIONS would end there.
        .method_not_allowed_fallback(not_taken)
        .layer(from_fn_with_state(Arc::clone(&registry), gate::gate))
        .layer(from_fn(public::readable))
        .with_state(registry)
}

type Answer = Result<Response, Problem>;
type Shared = State<Arc<Registry>>;

async fn root(State(registry): Shared) -> Answer {
    Ok(document(current(&registry)?.documents().root.clone()))
}

async fn root_version(State(registry): Shared, Named(version): Named) -> Answer {
    let version: u64 = version.parse().map_err(|_| Problem::malformed("name the root by its version, a number"))?;
    let current = current(&registry)?;
    let root = current.documents().roots.get(&version);
    root.cloned().map(document).ok_or_else(|| Problem::with_status(404, "there is no such version of the root"))
}

async fn snapshot(State(registry): Shared) -> Answer {
    let current = current(&registry)?;
    let mut response = document(current.documents().snapshot.clone());
    if let Some(tag) = public::registry_tag(current.view.hash()) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

async fn stamp(State(registry): Shared) -> Answer {
    Ok(document(current(&registry)?.stamp.clone()))
}

async fn issuers(State(registry): Shared) -> Answer {
    Ok(document(current(&registry)?.documents().issuers.clone()))
}

async fn revocations(State(registry): Shared) -> Answer {
    Ok(document(current(&registry)?.documents().revocations.clone()))
}

/// A bundle by its hash. Whoever is known, as a point is that signs its reading, waits for no stranger.
pub(super) async fn policy(State(registry): Shared, Named(hash): Named, request: Request) -> Answer {
    let hash = Sha3::parse(&hash).ok_or_else(|| Problem::malformed("name the policy by its sha3-512 hash"))?;
    let current = current(&registry)?;
    let is_stranger = !gate::is_known(&current, &request, registry.clock.now());
    let bytes = registry.bundles.shown(hash, is_stranger).await;
    let response = document(
        bytes.ok_or_else(|| Problem::with_status(404, "no policy of this hash was published, or it is not at hand"))?,
    );
    Ok(public::kept(response, public::FOREVER))
}

/// Epochs and stamps as they come (SSE). `Last-Event-ID` is the last epoch that the client knows.
async fn watch_epochs(
    State(registry): Shared,
    Extension(reads): Extension<gate::Reads>,
    headers: HeaderMap,
) -> Response {
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let mut response = Response::new(Body::new(watch::stream(&registry, known, reads)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.into_response()
}

fn current(registry: &Registry) -> Result<Arc<super::Current>, Problem> {
    registry.current().ok_or_else(gate::not_yet)
}

fn document(bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    public::kept(response, public::ASK)
}
