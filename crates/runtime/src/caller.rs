//! Who calls: an identity token verified here, or a client secret exchanged for one at the authority.

use crate::issuer::{ABSENT, by_authority};
use crate::token_issuers::TokenIssuers;
use crate::view::{Holding, Registry};
use eleven_api::client::{CallError, Client};
use eleven_api::edge::Clock;
use eleven_api::header::bearer;
use eleven_api::identity::{CLIENT_SECRET_PREFIX, Exchange, Issued};
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_api::secret::{CLIENT, OPERATOR};
use eleven_api::token;
use eleven_core::encoding::Value;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::limits::MAX_IDENTITY_TOKEN;
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use http::HeaderMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many authenticated credentials are remembered; past that the memory starts anew.
const REMEMBERED: usize = 10_000;
const DEADLINE: Duration = Duration::from_secs(2);

/// What a caller hears whose token names a client or an operator that the registry does not list so.
const REVOKED: &str = "the client secret that this token was exchanged for was revoked, or the operator who had it issued is none \
                       any more; or either is newer than what this point knows of the registry: then try again in a moment";

/// An authenticated caller, with the token that says so.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) identity: String,
    pub(crate) token: String,
    /// The token's SHA3-512, which this point signs with each question that it asks for this caller.
    pub(crate) digest: Sha3,
    exp: Time,
}

impl Caller {
    fn new(identity: String, token: String, exp: Time) -> Self {
        let digest = Sha3::of(&[token.as_bytes()]);
        Self { identity, token, digest, exp }
    }
}

/// Authenticates callers, and remembers for a while whom it authenticated under which registry epoch.
pub(crate) struct Callers {
    authority: String,
    client: Client,
    clock: Arc<dyn Clock>,
    known: Mutex<(u64, HashMap<Sha256, Caller>)>,
}

impl Callers {
    pub(crate) fn new(authority: String, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { authority, client, clock, known: Mutex::default() }
    }

    /// The caller behind `Authorization: Bearer`.
    ///
    /// # Errors
    /// 401 `identity.unauthenticated` where nobody is; `issuer.unavailable` where the authority is needed and gone.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap, registry: &Registry) -> Result<Caller, Problem> {
        let credential = bearer(headers).filter(|credential| credential.len() <= MAX_IDENTITY_TOKEN);
        let credential = credential.ok_or_else(|| {
            unauthenticated("send an identity token or a client secret as Authorization: Bearer, and no other with it")
        })?;
        let held = registry.held().ok_or_else(|| {
            Problem::refused(Reason::IssuerUnavailable, "this point has no verified view of the registry yet")
        })?;
        let now = self.clock.now();
        let name = Sha256::of(&[credential.as_bytes()]);
        if let Some(caller) = self.remembered(held.view.epoch(), &name, now) {
            return Ok(caller);
        }
        let token = match credential.starts_with(CLIENT_SECRET_PREFIX) {
            true => self.exchange(credential).await?,
            false => credential.to_owned(),
        };
        let claims = verify(&token, &held.issuers, held.view.domain(), now)
            .map_err(|error| unauthenticated(&error.to_string()))?;
        // Of a secret that was exchanged just now the authority knows more than this view.
        let brought = token == credential;
        if brought && !token::stands(&claims.jti, |row| print_of(&held, row)) {
            return Err(unauthenticated(REVOKED));
        }
        let caller = Caller::new(claims.sub, token, claims.exp);
        self.remember(held.view.epoch(), name, caller.clone());
        Ok(caller)
    }

    async fn exchange(&self, secret: &str) -> Result<String, Problem> {
        let body = Exchange { secret: secret.to_owned() }.to_value().canonical();
        let answer = self.client.insist(&self.authority, routes::IDENTITY_TOKEN, &[], body, DEADLINE).await;
        match by_authority(answer) {
            Ok(body) => Issued::read(&body).map(|issued| issued.token).map_err(|error| {
                Problem::refused(Reason::IssuerUnavailable, format!("the authority's answer is malformed: {error}"))
            }),
            Err(CallError::Refused(problem)) => Err(problem),
            Err(error) => {
                tracing::debug!(%error, "a client secret could not be exchanged");
                Err(Problem::refused(Reason::IssuerUnavailable, ABSENT))
            }
        }
    }

    fn remembered(&self, epoch: u64, name: &Sha256, now: Time) -> Option<Caller> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A token that ends while the authority decides would be refused there; a new one is asked for 5 s before.
        known.1.get(name).filter(|caller| known.0 == epoch && now.plus_seconds(5) < caller.exp).cloned()
    }

    fn remember(&self, epoch: u64, name: Sha256, caller: Caller) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != epoch || known.1.len() >= REMEMBERED {
            *known = (epoch, HashMap::new());
        }
        known.1.insert(name, caller);
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::refused(Reason::IdentityUnauthenticated, detail)
}

/// What tells the row of this name from another that it may have been.
fn print_of(held: &Holding, row: &str) -> Option<String> {
    let row = held.view.lists().sources.get(row)?;
    // As the authority has it: nobody else has tokens.
    let kind = row.mapping.get("kind").and_then(Value::as_str);
    matches!(kind, Some(CLIENT | OPERATOR)).then(|| token::print(&row.mapping))
}

/// Verifies a token by the identity keys of the issuers.
fn verify(text: &str, issuers: &TokenIssuers, domain: &str, now: Time) -> Result<token::Claims, token::TokenError> {
    let mut issuer = None;
    let claims = token::verify(text, domain, now, |kid| {
        let (source, key) = issuers.of_key(kid)?;
        issuer = Some(source);
        Some(key.clone())
    })?;
    if issuer == Some(claims.iss.as_str()) { Ok(claims) } else { Err(token::TokenError::Untrusted) }
}

#[cfg(test)]
mod tests;
