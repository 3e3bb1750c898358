//! The corner's HTTP surface (PROTOCOL 12): events in, proofs out.

mod audit;
mod gate;
mod intake;
mod metrics;
mod proofs;
mod query;
mod registry;
mod room;
mod search;
#[cfg(test)]
mod tests;
mod tiles;

pub(crate) use audit::{hash_of, told, unavailable};
pub(crate) use room::Room;
pub(crate) use search::follow as follow_search;

use crate::heads::clock_behind;
use crate::keys;
use crate::ledger::Inner;
use crate::state::{self, Published};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_response_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use eleven_api::public;
use eleven_api::routes;
use eleven_api::serve::{json, not_taken, not_there};
use eleven_core::encoding::{Object, Value};
use eleven_core::signature::base64_value;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// All routes of the corner.
pub(crate) fn router(inner: &Arc<Inner>) -> Router {
    let shown = Router::new()
        .route(routes::PROOF_HEAD, get(proofs::head))
        .route(routes::CHECKPOINT, get(proofs::checkpoint))
        .route(&wildcard(routes::PROOF_LINEAGE), get(proofs::lineage))
        .route(&wildcard(routes::PROOF_BUNDLE), get(proofs::bundle))
        .route(&wildcard(routes::PROOF_WHY), get(proofs::why))
        .route(routes::PROOF_HEADS, get(proofs::heads))
        .route(&wildcard(routes::PROOF_TLOG), get(proofs::tlog))
        .route(routes::PROOF_INCLUSION, get(proofs::inclusion))
        .route(routes::PROOF_CONSISTENCY, get(proofs::consistency))
        .route(routes::PROOF_EXCLUSION, get(proofs::exclusion))
        .route(&wildcard(routes::TILE), get(tiles::tile))
        .route(routes::REGISTRY_ROOT, get(registry::root))
        .route(routes::REGISTRY_ROOT_VERSION, get(registry::root_version))
        .route(routes::REGISTRY_ISSUERS, get(registry::issuers))
        .route(routes::REGISTRY_REVOCATIONS, get(registry::revocations))
        .route(routes::REGISTRY_POLICY_HISTORY, get(registry::policies))
        .route("/v1/registry/policies/{hash}", get(registry::policy))
        .route(routes::AUDIT_SEARCH, get(search::search))
        .route(routes::AUDIT_ENTRIES, get(audit::entries))
        .route(&wildcard(routes::AUDIT_BLOB), get(audit::blob))
        .route(routes::AUDIT_CONTENT, get(audit::content))
        .method_not_allowed_fallback(not_taken)
        .layer(from_fn_with_state(Arc::clone(inner), gate::gate))
        .layer(from_fn(public::readable))
        .layer(map_response_with_state(Arc::clone(inner), room::held));
    Router::new()
        .route(routes::AUDIT_EVENTS, post(audit::append))
        .route(&wildcard(routes::AUDIT_CURSOR), get(audit::cursor))
        .route(routes::AUDIT_OPEN, get(audit::open))
        .route(routes::HEALTH, get(health))
        .route(routes::METRICS, get(metrics::text))
        .method_not_allowed_fallback(not_taken)
        .merge(shown)
        .fallback(not_there)
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
    let headless = shared.headless.load(Ordering::Acquire) || shared.keys.is_mute();
    let takes = !inner.is_stopped();
    let head = shared.published();
    let raised = shared.raised.borrow().clone();
    let size_of = |head: Option<Arc<Published>>| head.map(|head| head.size());
    let (ahead, claimed) = (shared.ahead.shown(&state::read(&shared.tree)), shared.ahead.claimed(shared.size()));
    let warning = |size| {
        format!(
            "a witness says that it cosigned {size} entries, which this ledger does not have, and shows no head of this ledger \
             for them: the log has its URL, ask whoever runs it"
        )
    };
    let head_key = |(kid, public): &(String, [u8; 32])| {
        Value::Object(Object::new().with("kid", kid).with("public", base64_value(public)))
    };
    let (domain, kid) = {
        let book = state::read(&shared.book);
        let kid = keys::next(&inner.event, book.registry(), inner.clock.now());
        (book.registry().map(|registry| registry.root().domain.clone()), kid)
    };
    let is_incomplete = shared.archive.as_ref().is_some_and(|archive| archive.lacks() > 0);
    let archive = if inner.lacks_archive() { Some("unreadable") } else { is_incomplete.then_some("incomplete") };
    let object = Object::new()
        .with("corner", "ledger")
        .with_some("domain", domain)
        .with("ok", takes && !disagreement && !headless && ahead.is_none())
        .with("kid", kid)
        .with("head_keys", inner.head_keys.iter().map(head_key).collect::<Vec<_>>())
        .with("takes_events", takes)
        .with("signs_heads", !disagreement && !headless)
        .with("registry_agrees", !disagreement)
        .with("size", shared.size())
        .with_some("durability", head.as_ref().map(|published| published.level.name()))
        .with_some("head", size_of(head))
        .with_some("cosigned", size_of(raised.cosigned))
        .with_some("mirrored", size_of(raised.mirrored))
        .with_some("witness_ahead", ahead)
        .with_some("clock_behind_ms", clock_behind(shared, inner.clock.now()))
        .with_some("archive", archive)
        .with_some("warning", claimed.map(warning));
    let mut response = json(&Value::Object(object));
    if !takes || disagreement || headless || ahead.is_some() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
