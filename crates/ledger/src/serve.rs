//! The corner's HTTP surface (PROTOCOL 12): events in, proofs out.

mod audit;
mod metrics;
mod proofs;
mod query;
#[cfg(test)]
mod tests;
mod tiles;

pub(crate) use audit::first_refusal;

use crate::ledger::Inner;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use eleven_api::problem::Problem;
use eleven_api::public;
use eleven_api::routes;
use eleven_api::serve::json;
use eleven_core::encoding::{Object, Value};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// All routes of the corner.
pub(crate) fn router(inner: &Arc<Inner>) -> Router {
    let proofs = Router::new()
        .route(routes::PROOF_HEAD, get(proofs::head))
        .route(routes::CHECKPOINT, get(proofs::checkpoint))
        .route(&wildcard(routes::PROOF_LINEAGE), get(proofs::lineage))
        .route(&wildcard(routes::PROOF_BUNDLE), get(proofs::bundle))
        .route("/v1/proof/why/{*op}", get(proofs::why))
        .route(routes::PROOF_HEADS, get(proofs::heads))
        .route(&wildcard(routes::PROOF_TLOG), get(proofs::tlog))
        .route("/v1/proof/inclusion", get(proofs::inclusion))
        .route("/v1/proof/consistency", get(proofs::consistency))
        .route("/v1/proof/exclusion", get(proofs::exclusion))
        .route(&wildcard(routes::TILE), get(tiles::tile))
        .layer(from_fn(public::readable));
    Router::new()
        .route(routes::AUDIT_EVENTS, post(audit::append))
        .route(&wildcard(routes::AUDIT_CURSOR), get(audit::cursor))
        .route(routes::AUDIT_ENTRIES, get(audit::entries))
        .route(&wildcard(routes::AUDIT_BLOB), get(audit::blob))
        .route(routes::HEALTH, get(health))
        .route(routes::METRICS, get(metrics::text))
        .merge(proofs)
        .fallback(async || Problem::with_status(404, "there is no such path").into_response())
        .with_state(Arc::clone(inner))
}

/// A path whose last part may hold slashes: kids and lineage names do.
fn wildcard(path: &str) -> String {
    format!("{path}{{*name}}")
}

/// Up, and able to take events and sign heads.
async fn health(State(inner): State<Arc<Inner>>) -> Response {
    let shared = &inner.shared;
    let disagreement = shared.disagreement.load(Ordering::Acquire);
    let headless = shared.headless.load(Ordering::Acquire);
    let takes = !inner.is_stopped();
    let head = shared.published();
    let object = Object::new()
        .with("corner", "ledger")
        .with("ok", takes && !disagreement && !headless)
        .with("takes_events", takes)
        .with("signs_heads", !disagreement && !headless)
        .with("registry_agrees", !disagreement)
        .with("size", shared.size())
        .with_some("head", head.map(|published| published.head.commitment.size));
    let mut response = json(&Value::Object(object));
    if !takes || disagreement || headless {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
