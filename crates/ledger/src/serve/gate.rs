//! How much a reader is shown (PROTOCOL 12): by the domain's signed exposure setting, and by who reads.

use crate::ledger::Inner;
use crate::state::{Shared, read};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;
use eleven_api::problem::Problem;
use eleven_api::reader::{self, SignedRead};
use eleven_api::{public, routes};
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_core::registry::Fold;
use eleven_core::registry::exposure::Exposure;
use eleven_core::root::KeyUse;
use std::sync::Arc;

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    exposure: Exposure,
    /// The auditor or the corner that it is known to be.
    known: Option<String>,
}

impl Reader {
    fn of(inner: &Inner, request: &Request) -> Self {
        let Some(registry) = registry(&inner.shared) else {
            return Self { exposure: Exposure::Private, known: None };
        };
        let exposure = Exposure::in_force(registry.domain(), registry.lists());
        let auditor = reader::auditor(registry.lists(), request.headers()).map(|row| row.name.clone());
        let known = auditor.or_else(|| corner(inner, &registry, request));
        Self { exposure, known }
    }

    /// Entries, and what is found by going through them, are for registered auditors, unless the domain shows everything.
    pub(super) fn may_read_entries(&self) -> Result<(), Problem> {
        self.may(self.exposure == Exposure::Open, "entries and search are for registered auditors")
    }

    /// Where the domain shows nothing to strangers, whoever reads has to be known.
    fn may_read(&self) -> Result<(), Problem> {
        self.may(self.exposure != Exposure::Private, "nothing is shown to strangers")
    }

    fn may(&self, exposed: bool, what: &str) -> Result<(), Problem> {
        if exposed || self.known.is_some() {
            return Ok(());
        }
        let exposure = self.exposure.name();
        let detail = format!(
            "the domain's exposure is {exposure}: {what}; send an auditor's secret as `Authorization: Bearer`, or have an \
             operator make one with `eleven auditor add`"
        );
        Err(Problem::refused(Reason::IdentityUnauthenticated, detail))
    }
}

/// The registry as of the last seal; before the first, as it is.
fn registry(shared: &Shared) -> Option<Arc<Fold>> {
    let sealed = read(&shared.sealed).registry.clone();
    sealed.or_else(|| read(&shared.book).registry().cloned().map(Arc::new))
}

/// What a corner of this domain needs it reads by its event key: the authority what it decides by, an enforcement point
/// how far its records stand under heads.
fn corner(inner: &Inner, registry: &Fold, request: &Request) -> Option<String> {
    let owner = signed_by(inner, registry, request.headers(), request.uri())?;
    let own = name::authority_domain(&owner) == Some(registry.domain())
        || (request.uri().path() == routes::CHECKPOINT && registry.lists().runtimes.get(&owner).is_some());
    own.then_some(owner)
}

/// Whose event key, one that counts, signed a request.
fn signed_by(inner: &Inner, registry: &Fold, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let signed = SignedRead::of(headers)?;
    let (path, now) = (uri.path_and_query()?.as_str(), inner.clock.now());
    let record = registry.key(&signed.kid).filter(|key| key.usage == KeyUse::Event && key.counts_at(now))?;
    let key = inner.shared.keys.get(&signed.kid)?;
    signed.verifies(path, key.verifying()?, now).then(|| record.owner.clone())
}

/// The enforcement point that sent a request, known by a key that is registered, be it under a head or not yet.
pub(super) struct AskingPoint(pub(super) String);

impl FromRequestParts<Arc<Inner>> for AskingPoint {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Self, Problem> {
        let book = read(&inner.shared.book);
        let owner = book.registry().and_then(|registry| signed_by(inner, registry, &parts.headers, &parts.uri));
        owner.filter(|owner| name::is_point(owner)).map(Self).ok_or_else(|| {
            let detail = "this is for an enforcement point to ask, signed by an event key of its own that counts";
            Problem::refused(Reason::IdentityUnauthenticated, detail)
        })
    }
}

/// Stands around what is read: refuses strangers where the domain is private, and keeps out of caches what was shown to
/// one reader only.
pub(super) async fn gate(State(inner): State<Arc<Inner>>, mut request: Request, next: Next) -> Response {
    let reader = Reader::of(&inner, &request);
    if let Err(problem) = reader.may_read() {
        return problem.into();
    }
    let personal = reader.known.is_some() && reader.exposure != Exposure::Open;
    request.extensions_mut().insert(reader);
    let response = next.run(request).await;
    if personal { public::kept(response, public::NEVER) } else { response }
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let reader = parts.extensions.get::<Self>().cloned();
        // A route that stands outside the gate shows nothing.
        reader.ok_or_else(|| Problem::with_status(500, "this path is not behind the exposure setting"))
    }
}
