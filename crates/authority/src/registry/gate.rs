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
use eleven_core::registry::{SourceRecord, ViewKey};
use eleven_core::root::KeyUse;
use eleven_core::time::Time;
use std::sync::Arc;

/// As whom somebody reads: an extension of each request.
#[derive(Clone, Debug)]
pub(super) enum Reads {
    /// As anybody.
    Anybody,
    /// As the auditor or operator of this row.
    Source(SourceRecord),
    /// By the event key of this name.
    Key(String),
}

impl Reads {
    /// Whether who was let in so, by a registry of before, may read this one.
    pub(super) fn may(&self, current: &Current, now: Time) -> bool {
        !is_private(current)
            || match self {
                Self::Anybody => false,
                Self::Source(row) => current.view.lists().sources.get(&row.name) == Some(row),
                Self::Key(kid) => event_key(current, kid, now).is_some(),
            }
    }
}

/// Stands around what is read of the registry.
pub(super) async fn gate(State(registry): State<Arc<Registry>>, mut request: Request, next: Next) -> Response {
    // Until there is a registry it is not known to whom it may be shown.
    let Some(current) = registry.current() else { return not_yet().into() };
    if !is_private(&current) {
        request.extensions_mut().insert(Reads::Anybody);
        return next.run(request).await;
    }
    let Some(reads) = known(&current, &request, registry.clock.now()) else {
        let detail = format!(
            "the domain's exposure is private: its registry is shown to its corners, points and operators by their keys, and \
             to auditors; {}",
            reader::how_to_be_known(request.headers())
        );
        return Problem::refused(Reason::IdentityUnauthenticated, detail).into();
    };
    request.extensions_mut().insert(reads);
    public::kept(next.run(request).await, public::NEVER)
}

/// The answer before the first epoch.
pub(super) fn not_yet() -> Problem {
    Problem::refused(Reason::IssuerUnavailable, "the registry is not at hand yet: ask again in a second")
}

/// Whether an epoch is shown to nobody who is not known.
fn is_private(current: &Current) -> bool {
    Exposure::in_force(current.view.domain(), current.view.lists()) == Exposure::Private
}

/// Whether whoever reads is known by an epoch, whatever the domain shows to strangers.
pub(super) fn is_known(current: &Current, request: &Request, now: Time) -> bool {
    known(current, request, now).is_some()
}

/// As whom somebody reads who is known: an auditor by its secret, an operator or whoever has an event key of the registry, which all
/// are this domain's, by its signature for reading this.
fn known(current: &Current, request: &Request, now: Time) -> Option<Reads> {
    let lists = current.view.lists();
    if let Some(row) = auditor(lists, request.headers()) {
        return Some(Reads::Source(row.clone()));
    }
    let (signed, path) = (SignedRead::of(request.headers())?, request.uri().path_and_query()?.as_str());
    if let Some(operator) = current.sources.operator(&signed.kid) {
        let row = lists.sources.get(&operator.row)?;
        return signed.verifies(path, &operator.key, now).then(|| Reads::Source(row.clone()));
    }
    let key = event_key(current, &signed.kid, now)?;
    signed.verifies(path, &key.verifying, now).then_some(Reads::Key(signed.kid))
}

/// The event key of this name, where it counts.
fn event_key<'a>(current: &'a Current, kid: &str, now: Time) -> Option<&'a ViewKey> {
    let key = current.view.key(kid);
    key.filter(|key| key.record.usage == KeyUse::Event && key.record.counts_at(now))
}
