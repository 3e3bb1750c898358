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
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse};
use std::sync::Arc;

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    exposure: Exposure,
    /// The auditor or the corner that it is known to be.
    known: Option<String>,
    /// Whether it is known by a signature, which is good at its own time alone.
    signed: bool,
    /// Whether the authority signed for this reading, if by a clock that is far from this one.
    undated: bool,
    /// What it can do to become known.
    advice: &'static str,
}

impl Reader {
    fn of(inner: &Inner, headers: &HeaderMap, uri: &Uri) -> Self {
        let advice = reader::how_to_be_known(headers);
        let Some(registry) = registry(&inner.shared) else {
            return Self { exposure: Exposure::Private, known: None, signed: false, undated: false, advice };
        };
        let exposure = Exposure::in_force(registry.domain(), registry.lists());
        let auditor = auditor(&registry, headers);
        let signed = auditor.is_none();
        let known = auditor.or_else(|| corner(inner, &registry, headers, uri));
        let asks = known.is_none() && exposure == Exposure::ByPossession;
        let undated = asks && signed_by_any_clock(inner, &registry, headers, uri);
        Self { exposure, known, signed, undated, advice }
    }

    /// The same by the registry of now, sealed or not: a reading that waited is shown what it may be shown when it is answered, and
    /// what comes with a setting comes before its seal.
    pub(super) fn again(self, inner: &Inner, headers: &HeaderMap) -> Self {
        let book = read(&inner.shared.book);
        let Some(registry) = book.registry() else { return self };
        let exposure = Exposure::in_force(registry.domain(), registry.lists());
        let known = if self.signed { self.known } else { auditor(registry, headers) };
        let undated = self.undated && exposure != Exposure::Private;
        Self { exposure, known, undated, ..self }
    }

    /// Whether it is shown what it asks for because of who it is: then that is for it alone.
    pub(super) fn is_personal(&self) -> bool {
        (self.known.is_some() && self.exposure != Exposure::Open) || self.undated
    }

    /// Whether it is an auditor or a corner of this domain, whatever the domain shows to strangers.
    pub(super) fn is_known(&self) -> bool {
        self.known.is_some() || self.undated
    }

    /// Entries, and what is found by going through them, are for registered auditors, unless the domain shows everything.
    pub(super) fn may_read_entries(&self) -> Result<(), Problem> {
        self.may(self.exposure == Exposure::Open, "entries and search are for registered auditors")
    }

    /// Those that make a registry epoch tell of every client there ever was, and are shown to no one else; but to the authority by
    /// whatever time it signs with, where the domain is not private: that two clocks disagree must not stop who decides.
    pub(super) fn may_read_registry(&self) -> Result<(), Problem> {
        if self.undated { Ok(()) } else { self.may_read_entries() }
    }

    /// Where the domain shows nothing to strangers, whoever reads has to be known.
    fn may_read(&self) -> Result<(), Problem> {
        self.may(self.exposure != Exposure::Private, "nothing is shown to strangers")
    }

    fn may(&self, exposed: bool, what: &str) -> Result<(), Problem> {
        if exposed || self.known.is_some() {
            return Ok(());
        }
        let detail = format!("the domain's exposure is {}: {what}; {}", self.exposure.name(), self.advice);
        Err(Problem::refused(Reason::IdentityUnauthenticated, detail))
    }
}

/// The registered auditor whose secret came along.
fn auditor(registry: &Fold, headers: &HeaderMap) -> Option<String> {
    reader::auditor(registry.lists(), headers).map(|row| row.name.clone())
}

/// The registry as of the last seal; before the first, as it is.
pub(super) fn registry(shared: &Shared) -> Option<Arc<Fold>> {
    let sealed = read(&shared.sealed).registry.clone();
    sealed.or_else(|| read(&shared.book).registry().cloned().map(Arc::new))
}

/// What a corner of this domain needs it reads by its event key: the authority what it decides by, an enforcement point
/// how far its records stand under heads.
fn corner(inner: &Inner, registry: &Fold, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let owner = signed_by(inner, |kid| registry.key(kid).cloned(), headers, uri)?;
    let own = name::authority_domain(&owner) == Some(registry.domain())
        || (uri.path() == routes::CHECKPOINT && registry.lists().runtimes.get(&owner).is_some());
    own.then_some(owner)
}

/// Whether this domain's authority signed for a reading, whatever its clock said.
fn signed_by_any_clock(inner: &Inner, registry: &Fold, headers: &HeaderMap, uri: &Uri) -> bool {
    let now = inner.clock.now();
    let own = |key: &&KeyRecord| name::authority_domain(&key.owner) == Some(registry.domain()) && key.counts_at(now);
    signer_of(inner, |kid| registry.key(kid).filter(own).cloned(), headers, uri, Dated::Whenever).is_some()
}

/// By which clock a reading is signed.
#[derive(Clone, Copy)]
enum Dated {
    /// One that shows about the time of this one.
    Now,
    /// Any.
    Whenever,
}

/// Whose event key, one that counts, signed a request.
fn signed_by(
    inner: &Inner,
    record_of: impl FnOnce(&str) -> Option<KeyRecord>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Option<String> {
    let key = signer_of(inner, record_of, headers, uri, Dated::Now)?;
    key.counts_at(inner.clock.now()).then_some(key.owner)
}

/// The event key that signed a request, whether it counts or not.
fn signer_of(
    inner: &Inner,
    record_of: impl FnOnce(&str) -> Option<KeyRecord>,
    headers: &HeaderMap,
    uri: &Uri,
    dated: Dated,
) -> Option<KeyRecord> {
    let signed = SignedRead::of(headers)?;
    let path = uri.path_and_query()?.as_str();
    let record = record_of(&signed.kid).filter(|key| key.usage == KeyUse::Event)?;
    let key = inner.shared.keys.get(&signed.kid)?;
    let verified = match dated {
        Dated::Now => signed.verifies(path, key.verifying()?, inner.clock.now()),
        Dated::Whenever => signed.verifies_at_any_time(path, key.verifying()?),
    };
    verified.then_some(record)
}

/// A key that is registered, be it under a head or not yet. Nobody verifies by it while the book is held: its writer waits.
pub(super) fn registered(inner: &Inner, kid: &str) -> Option<KeyRecord> {
    read(&inner.shared.book).registry()?.key(kid).cloned()
}

/// Whoever may be told where the stream of the key `kid` stands: who signs the reading by that very key, also where it
/// counts no more, unless it is in other hands; and who may read all entries. Strangers may not: by the hash of the last
/// record, where that was refused, its bytes are served.
pub(super) fn may_read_cursor(inner: &Inner, headers: &HeaderMap, uri: &Uri, kid: &str) -> Result<(), Problem> {
    if read(&inner.shared.book).cursor(kid).is_none() {
        return Err(Problem::with_status(404, "no key of that name is registered"));
    }
    let signer = signer_of(inner, |kid| registered(inner, kid), headers, uri, Dated::Now);
    if signer.is_some_and(|key| key.kid == kid && !matches!(key.status, KeyStatus::Compromised(_))) {
        return Ok(());
    }
    let what = "a stream's cursor is for whoever signs the reading by its key (within ten seconds of the ledger's clock), \
                and for registered auditors";
    let reader = Reader::of(inner, headers, uri);
    reader.may(reader.exposure == Exposure::Open, what)
}

/// Whether an event key that is registered, be it under a head or not yet, and counts signed for a request: then a producer sent it.
pub(super) fn is_producers(inner: &Inner, headers: &HeaderMap, uri: &Uri) -> bool {
    signed_by(inner, |kid| registered(inner, kid), headers, uri).is_some()
}

/// The enforcement point that sent a request, known by a key that is registered, be it under a head or not yet.
pub(super) struct AskingPoint(pub(super) String);

impl FromRequestParts<Arc<Inner>> for AskingPoint {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Self, Problem> {
        let owner = signed_by(inner, |kid| registered(inner, kid), &parts.headers, &parts.uri);
        owner.filter(|owner| name::is_point(owner)).map(Self).ok_or_else(|| {
            let detail = "this is for an enforcement point to ask, signed by an event key of its own that counts";
            Problem::refused(Reason::IdentityUnauthenticated, detail)
        })
    }
}

/// An extension of the answers to whoever is known.
#[derive(Clone, Copy)]
pub(super) struct Known;

/// Stands around what is read: refuses strangers where the domain is private, and keeps out of caches what was shown to
/// one reader only.
pub(super) async fn gate(State(inner): State<Arc<Inner>>, mut request: Request, next: Next) -> Response {
    let reader = Reader::of(&inner, request.headers(), request.uri());
    if let Err(problem) = reader.may_read() {
        return problem.into();
    }
    let (personal, known) = (reader.is_personal(), reader.is_known());
    request.extensions_mut().insert(reader);
    let mut response = next.run(request).await;
    if known {
        response.extensions_mut().insert(Known);
    }
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
