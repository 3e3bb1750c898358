//! Who may read the registry here (PROTOCOL 12): anybody, unless the domain shows nothing to strangers. Then it is shown to
//! those who work by it, each by its own key: the ledger and the enforcement points of this domain, and its operators; and to
//! auditors, by their secret.

use super::{Current, Registry};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use eleven_api::problem::Problem;
use eleven_api::public;
use eleven_api::reader::{self, SignedRead, auditor};
use eleven_core::reason::Reason;
use eleven_core::registry::exposure::Exposure;
use eleven_core::root::KeyUse;
use eleven_core::time::Time;
use std::sync::Arc;

/// Whether somebody reads who is known, or because anybody may: an extension of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Anybody,
    Known,
}

/// Stands around what is read of the registry.
pub(super) async fn gate(State(registry): State<Arc<Registry>>, mut request: Request, next: Next) -> Response {
    // Until there is a registry it is not known to whom it may be shown.
    let Some(current) = registry.current() else { return not_yet().into() };
    if !is_private(&current) {
        request.extensions_mut().insert(Reads::Anybody);
        return next.run(request).await;
    }
    let lists = current.view.lists();
    if auditor(lists, request.headers()).is_none() && !is_known(&current, &request, registry.clock.now()) {
        let detail = format!(
            "the domain's exposure is private: its registry is shown to its corners, points and operators by their keys, and \
             to auditors; {}",
            reader::how_to_be_known(request.headers())
        );
        return Problem::refused(Reason::IdentityUnauthenticated, detail).into();
    }
    request.extensions_mut().insert(Reads::Known);
    public::kept(next.run(request).await, public::NEVER)
}

/// The answer before the first epoch.
pub(super) fn not_yet() -> Problem {
    Problem::refused(Reason::IssuerUnavailable, "the registry is not at hand yet: ask again in a second")
}

/// Whether an epoch is shown to nobody who is not known.
pub(super) fn is_private(current: &Current) -> bool {
    Exposure::in_force(current.view.domain(), current.view.lists()) == Exposure::Private
}

/// Whether an event key of the registry, which all are this domain's, or an operator's key signed for reading this.
fn is_known(current: &Current, request: &Request, now: Time) -> bool {
    let (Some(signed), Some(path)) = (SignedRead::of(request.headers()), request.uri().path_and_query()) else {
        return false;
    };
    let path = path.as_str();
    if let Some(operator) = current.sources.operator(&signed.kid) {
        return signed.verifies(path, &operator.key, now);
    }
    let key = current.view.key(&signed.kid);
    let key = key.filter(|key| key.record.usage == KeyUse::Event && key.record.counts_at(now));
    key.is_some_and(|key| signed.verifies(path, &key.verifying, now))
}
