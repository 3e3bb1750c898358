//! Where requests come in (PROTOCOL 12): who calls, then the decision, then the one commit that it waits for.
//!
//! `POST /v1/govern/execute` decides and issues; `POST /v1/identity/token` exchanges a client secret for a short token.

mod point;

use crate::authorization::{self, Allowance, Outcome, Random, Refusal, Request};
use crate::identity::{self, Caller, IdentityError};
use crate::registry::Current;
use crate::sequencer::{Committed, SubmitError};
use crate::{Authority, Listening};
use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use eleven_api::audit::{DURABILITY_HEADER, Durability};
use eleven_api::govern::{Allowed, Execute};
use eleven_api::header::bearer;
use eleven_api::identity::{Exchange, Issued};
use eleven_api::problem::Problem;
use eleven_api::secret::Secret;
use eleven_api::{edge, routes, serve};
use eleven_core::artifact::Token;
use eleven_core::id;
use eleven_core::limits::MAX_DECISION_BODY;
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use http::header::{CACHE_CONTROL, HeaderValue};
use point::PointError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a decision that the ledger did not take waits for the epoch that overtook it.
const OVERTAKEN: Duration = Duration::from_secs(1);

/// The routes of the gateway.
pub fn router(authority: Arc<Authority>) -> Router {
    Router::new()
        .route(routes::GOVERN_EXECUTE, post(execute))
        .route(routes::IDENTITY_TOKEN, post(exchange))
        .with_state(authority)
}

type Shared = State<Arc<Authority>>;

async fn execute(
    State(authority): Shared,
    Extension(listening): Extension<Listening>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let answer = match serve::body(body, MAX_DECISION_BODY).await {
        Ok(body) => govern(&authority, &listening, &headers, &body).await,
        Err(problem) => Err(unread(&authority, &listening, &headers, problem).await),
    };
    let reason = answer.as_ref().err().map(|problem| problem.reason);
    authority.metrics.decided(reason, started.elapsed());
    match answer {
        Ok(allowed) => allow(&allowed),
        Err(problem) => problem.into_response(),
    }
}

async fn govern(
    authority: &Authority,
    listening: &Listening,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Allowed, Problem> {
    let current = current(authority)?;
    let request = read(authority, &current, listening, headers, body).await?;
    match decide_and_issue(authority, &current, request).await {
        Err(Failure::Overtaken) => {
            // A policy was replaced between the decision and its commit: decide once more, by what is in force now. Who called,
            // or the point that acts, may be none any more by that.
            let current = authority.registry.next_after(&current, OVERTAKEN).await;
            let request = read(authority, &current, listening, headers, body).await?;
            decide_and_issue(authority, &current, request).await.map_err(Failure::problem)
        }
        answer => answer.map_err(Failure::problem),
    }
}

/// What is asked for, and by whom, by this registry.
async fn read(
    authority: &Authority,
    current: &Current,
    listening: &Listening,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Request, Problem> {
    let now = authority.clock.now();
    let (Caller { identity, operator }, bearer) = caller(authority, current, headers, listening)?;
    let asked = Execute::read(body).map_err(|error| Problem::malformed(error.to_string()))?;
    let random = Random { nonce: edge::random(), salt: edge::random() };
    let request = Request { caller: identity, operator, point: None, asked, now, random };
    match point::acting(headers, body, bearer, current, now) {
        Ok(point) => Ok(Request { point, ..request }),
        Err(error) => Err(not_believed(authority, current, &request, error).await),
    }
}

/// Why there is no artifact.
enum Failure {
    /// The answer.
    Problem(Problem),
    /// The ledger did not take the issuance: something changed since the decision.
    Overtaken,
}

impl Failure {
    fn problem(self) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Overtaken => Problem::refused(
                Reason::AuditUnavailable,
                "the ledger did not take the issuance: look at the authority's log, then ask again",
            ),
        }
    }
}

async fn decide_and_issue(authority: &Authority, current: &Current, request: Request) -> Result<Allowed, Failure> {
    match authorization::decide(&authority.name, current, request) {
        Outcome::Malformed(error) => Err(Failure::Problem(Problem::malformed(error.to_string()))),
        Outcome::Deny(refusal) => Err(Failure::Problem(record_refusal(authority, &refusal).await)),
        Outcome::Allow(allowance) => issue(authority, current, allowance).await,
    }
}

/// Hands the artifact out only after the ledger has answered D1 for its event (PROTOCOL 5.1, commit 1).
async fn issue(authority: &Authority, current: &Current, allowance: Allowance) -> Result<Allowed, Failure> {
    let Some(issuer) = authority.signers.issuer(current, authority.clock.now()) else {
        tracing::error!("nothing is issued: no issuer key that is held here is registered and counts");
        let detail = "the authority has no issuer key that counts now: its operator has to renew it";
        let refusal = allowance.refuse(Reason::IssuerUnavailable, detail);
        return Err(Failure::Problem(record_refusal(authority, &refusal).await));
    };
    let issuance = match allowance.issue(issuer) {
        Ok(issuance) => issuance,
        Err(refusal) => return Err(Failure::Problem(record_refusal(authority, &refusal).await)),
    };
    match authority.sequencer.submit(issuance.event).await {
        Ok(Committed { record, durability }) if durability >= Durability::D1 => {
            Ok(Allowed { token: Token { artifact: issuance.artifact, issued: record, salt: issuance.salt } })
        }
        Err(SubmitError::Refused(_)) => Err(Failure::Overtaken),
        Ok(_) | Err(_) => Err(Failure::Problem(audit_unavailable())),
    }
}

/// A caller who is known, behind a point that is not: that is the point's trouble, and an event with the caller's identity.
async fn not_believed(authority: &Authority, current: &Current, request: &Request, error: PointError) -> Problem {
    match error.reason() {
        Some(reason) => {
            record_refusal(authority, &Refusal::of_request(reason, error.to_string(), request, current)).await
        }
        None => Problem::malformed(error.to_string()),
    }
}

/// What was asked for is past the limit, and was not read: refused like anything else, of a caller who is known by an event.
async fn unread(authority: &Authority, listening: &Listening, headers: &HeaderMap, problem: Problem) -> Problem {
    let Some(reason) = problem.reason else { return problem };
    let known = current(authority).and_then(|current| Ok(caller(authority, &current, headers, listening)?.0));
    let Caller { identity, .. } = match known {
        Ok(caller) => caller,
        Err(unknown) => return unknown,
    };
    let refusal = Refusal::of_caller(reason, problem.detail, identity, authority.clock.now());
    let recorded = record_refusal(authority, &refusal).await;
    let status = if recorded.reason == Some(reason) { problem.status } else { recorded.status };
    Problem { status, ..recorded }
}

/// A refusal counts when it is recorded; one that can't be is `audit.unavailable`. That is the ledger's doing, never the caller's:
/// what does not fit into a record is recorded without what is long.
async fn record_refusal(authority: &Authority, refusal: &Refusal) -> Problem {
    let recorded = match authority.sequencer.submit(refusal.event()).await {
        Err(SubmitError::Form(_)) => authority.sequencer.submit(refusal.shortened().event()).await,
        recorded => recorded,
    };
    match recorded {
        Ok(committed) => refusal.problem(id::lineage_name(&committed.record.op)),
        Err(error) => {
            // Not one line for each call that anybody makes while the ledger is away.
            if !authority.sequencer.is_said(&error) {
                tracing::warn!(%error, reason = %refusal.reason, "a refusal could not be recorded");
            }
            audit_unavailable()
        }
    }
}

fn audit_unavailable() -> Problem {
    Problem::refused(Reason::AuditUnavailable, "the ledger does not answer, and nothing is decided without a record")
}

/// The registry, where the ledger was heard from within `fresh`.
fn current(authority: &Authority) -> Result<Arc<Current>, Problem> {
    authority.registry.fresh(authority.clock.now()).ok_or_else(audit_unavailable)
}

/// Who calls, and the credential that says so.
fn caller<'h>(
    authority: &Authority,
    current: &Current,
    headers: &'h HeaderMap,
    listening: &Listening,
) -> Result<(Caller, &'h str), Problem> {
    let now = authority.clock.now();
    let unknown = |error: IdentityError| unauthenticated(authority, listening, now, &error);
    let bearer = bearer(headers).ok_or(IdentityError::Missing).map_err(unknown)?;
    let caller = current.sources.authenticate(bearer, current.view.domain(), now).map_err(unknown)?;
    Ok((caller, bearer))
}

/// The answer to whom nobody knows; it is counted, not one event each.
fn unauthenticated(authority: &Authority, listening: &Listening, now: Time, error: &IdentityError) -> Problem {
    authority.denials.count(now, &listening.0);
    Problem::refused(Reason::IdentityUnauthenticated, error.to_string())
}

fn allow(allowed: &Allowed) -> Response {
    let mut response = serve::json_bytes(allowed.to_bytes());
    let headers = response.headers_mut();
    headers.insert("eleven-decision", HeaderValue::from_static("allow"));
    // What was issued is in the ledger, or there were no answer.
    headers.insert(DURABILITY_HEADER, HeaderValue::from_static(Durability::D1.name()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let lineage = id::lineage_name(allowed.token.artifact.content_id());
    if let Ok(lineage) = HeaderValue::from_str(&lineage) {
        headers.insert("eleven-lineage", lineage);
    }
    response
}

/// Exchanges a client secret for a token of a minute (RFC 8693).
async fn exchange(
    State(authority): Shared,
    Extension(listening): Extension<Listening>,
    body: Body,
) -> Result<Response, Problem> {
    let body = serve::body(body, MAX_DECISION_BODY).await?;
    let exchange = Exchange::read(&body).map_err(|error| Problem::malformed(error.to_string()))?;
    let (current, now) = (current(&authority)?, authority.clock.now());
    let unknown = |error: IdentityError| unauthenticated(&authority, &listening, now, &error);
    let secret = Secret::parse(&exchange.secret).ok_or_else(|| unknown(IdentityError::Secret))?;
    let identity = current.sources.client(&secret).map_err(unknown)?;
    let Some(signer) = authority.signers.identity(&authority.name, &current, now) else {
        tracing::error!("no token is issued: no identity key that is held here is registered and counts");
        return Err(Problem::refused(Reason::IssuerUnavailable, identity::NO_KEY));
    };
    let life = identity::EXCHANGED_LIFE;
    let jti = secret.token_id(identity, &edge::random());
    let token = identity::issue(signer, &authority.name, identity, now, life, jti);
    let issued = Issued { token, expires_in: life.unsigned_abs() };
    let mut response = serve::json(&issued.to_value());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
