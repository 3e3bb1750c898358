//! Who calls: an identity token or a client's secret, either known here by the view that calls are admitted by. A secret is exchanged
//! for a token where the authority is asked for its caller, and where this view does not know it yet.

use crate::issuer::{ABSENT, by_authority};
use crate::token_issuers::TokenIssuers;
use crate::view::{Holding, Registry};
use eleven_api::client::{CallError, Client};
use eleven_api::edge::Clock;
use eleven_api::header::bearer;
use eleven_api::identity::{CLIENT_SECRET_PREFIX, Exchange, Issued};
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_api::secret::{self, CLIENT, OPERATOR, Secret};
use eleven_api::token;
use eleven_core::encoding::Value;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::limits::MAX_IDENTITY_TOKEN;
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_core::registry::SourceRecord;
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

/// What a caller hears where what the authority has just given for its secret is outside its time here.
const CLOCKS: &str = "this point's clock is not the authority's, which has just given a token for the client secret that is outside its \
                      time here: the operator has to set both by one source";

/// An authenticated caller.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) identity: String,
    shows: Shows,
}

/// What the authority is to know a caller by.
#[derive(Clone)]
enum Shows {
    Token(Arc<CallersToken>),
    /// A client's secret, not exchanged yet.
    Secret(String),
    /// What a client's secret was exchanged for, and the secret.
    Exchanged(Arc<CallersToken>, String),
}

impl Shows {
    /// By this token, where `credential` is what its caller sent: the token itself, or a secret that was exchanged for it.
    fn by(token: Arc<CallersToken>, credential: &str) -> Self {
        if credential.starts_with(CLIENT_SECRET_PREFIX) {
            Self::Exchanged(token, credential.to_owned())
        } else {
            Self::Token(token)
        }
    }
}

/// A caller's identity token, verified here.
pub(crate) struct CallersToken {
    pub(crate) text: String,
    /// Its SHA3-512, which this point signs with each question that it asks for this caller.
    pub(crate) digest: Sha3,
    iat: Time,
    exp: Time,
}

impl CallersToken {
    fn new(text: String, iat: Time, exp: Time) -> Self {
        let digest = Sha3::of(&[text.as_bytes()]);
        Self { text, digest, iat, exp }
    }

    /// Whether it is still the one to show. A token that ends while the authority decides would be refused there; a new one is asked for
    /// 5 s before. One from ahead of the clock, which was set back since, would be refused as well, for as long as it is remembered.
    fn is_current(&self, now: Time) -> bool {
        now >= self.iat.plus_seconds(-5) && now.plus_seconds(5) < self.exp
    }
}

/// Authenticates callers, and remembers for a while whom it authenticated under which registry epoch.
pub(crate) struct Callers {
    authority: String,
    client: Client,
    clock: Arc<dyn Clock>,
    known: Mutex<(u64, HashMap<Sha256, Known>)>,
}

/// An identity, and the token that says so.
type Known = (String, Arc<CallersToken>);

impl Callers {
    pub(crate) fn new(authority: String, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { authority, client, clock, known: Mutex::default() }
    }

    /// The caller behind `Authorization: Bearer`. Whom the view knows needs no authority: an artifact is admitted without one.
    ///
    /// # Errors
    /// 401 `identity.unauthenticated` where nobody is; `issuer.unavailable` where the authority is needed and gone.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap, registry: &Registry) -> Result<Caller, Problem> {
        let credential = bearer(headers).filter(|credential| credential.len() <= MAX_IDENTITY_TOKEN);
        let credential = credential.ok_or_else(|| {
            unauthenticated("send an identity token or a client secret as Authorization: Bearer, and no other with it")
        })?;
        let held = registry.held().ok_or_else(no_view)?;
        let now = self.clock.now();
        let name = Sha256::of(&[credential.as_bytes()]);
        if let Some((identity, token)) = self.remembered(held.view.epoch(), &name, now) {
            return Ok(Caller { identity, shows: Shows::by(token, credential) });
        }
        if let Some(identity) = client(credential, |row| held.view.lists().sources.get(row)) {
            return Ok(Caller { identity, shows: Shows::Secret(credential.to_owned()) });
        }
        let (identity, token) = if credential.starts_with(CLIENT_SECRET_PREFIX) {
            // Nobody's, or a client's that is newer than this view.
            self.exchanged(credential, name, &held).await?
        } else {
            let claims = verified(credential, &held, now)?;
            if !token::stands(&claims.jti, |row| print_of(&held, row)) {
                return Err(unauthenticated(REVOKED));
            }
            self.remember(held.view.epoch(), name, claims, credential.to_owned())
        };
        Ok(Caller { identity, shows: Shows::by(token, credential) })
    }

    /// The token by which the authority knows a caller: the one that it sent, or what its secret is exchanged for.
    ///
    /// # Errors
    /// `issuer.unavailable` where the authority is gone, and what it refuses by.
    pub(crate) async fn token(&self, caller: &Caller, registry: &Registry) -> Result<Arc<CallersToken>, Problem> {
        let secret = match &caller.shows {
            Shows::Token(token) | Shows::Exchanged(token, _) => return Ok(Arc::clone(token)),
            Shows::Secret(secret) => secret,
        };
        let held = registry.held().ok_or_else(no_view)?;
        let name = Sha256::of(&[secret.as_bytes()]);
        let known = self.remembered(held.view.epoch(), &name, self.clock.now());
        let (identity, token) = match known {
            Some(known) => known,
            None => self.exchanged(secret, name, &held).await?,
        };
        // Since it was authenticated the secret may have come to stand for another.
        if identity == caller.identity { Ok(token) } else { Err(unauthenticated(REVOKED)) }
    }

    /// Another token for a caller whose own the authority `refused`: what its secret is exchanged for now.
    ///
    /// # Errors
    /// The refusal, where the caller sent the token itself; otherwise what an exchange is refused by.
    pub(crate) async fn anew(
        &self,
        caller: &Caller,
        registry: &Registry,
        refused: Problem,
    ) -> Result<Arc<CallersToken>, Problem> {
        let (Shows::Secret(secret) | Shows::Exchanged(_, secret)) = &caller.shows else { return Err(refused) };
        let held = registry.held().ok_or_else(no_view)?;
        let (identity, token) = self.exchanged(secret, Sha256::of(&[secret.as_bytes()]), &held).await?;
        if identity == caller.identity { Ok(token) } else { Err(unauthenticated(REVOKED)) }
    }

    /// What a client's secret is exchanged for, and remembered as. Of such a token the authority knows more than this view.
    async fn exchanged(&self, secret: &str, name: Sha256, held: &Holding) -> Result<Known, Problem> {
        let token = self.exchange(secret).await?;
        let claims = given(&token, &held.issuers, held.view.domain(), self.clock.now())?;
        Ok(self.remember(held.view.epoch(), name, claims, token))
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

    fn remembered(&self, epoch: u64, name: &Sha256, now: Time) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.1.get(name).filter(|(_, token)| known.0 == epoch && token.is_current(now)).cloned()
    }

    fn remember(&self, epoch: u64, name: Sha256, claims: token::Claims, text: String) -> Known {
        let caller = (claims.sub, Arc::new(CallersToken::new(text, claims.iat, claims.exp)));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != epoch || known.1.len() >= REMEMBERED {
            *known = (epoch, HashMap::new());
        }
        known.1.insert(name, caller.clone());
        caller
    }
}

fn no_view() -> Problem {
    Problem::refused(Reason::IssuerUnavailable, "this point has no verified view of the registry yet")
}

/// Whose secret this is by the view's row of this name, as the authority reads it.
fn client<'a>(credential: &str, row: impl FnOnce(&str) -> Option<&'a SourceRecord>) -> Option<String> {
    let secret = Secret::parse(credential)?;
    let row = row(&secret::client_row(secret.holder()))?;
    let identity = row.mapping.get("identity").and_then(Value::as_str);
    let identity = identity.filter(|identity| name::is_identity(identity))?;
    // Kind, hash and identity, and nothing beside them: the authority takes no other row.
    (secret.is_of(row, CLIENT) && row.mapping.iter().len() == 3).then(|| identity.to_owned())
}

/// What a token says that counts by the view.
fn verified(text: &str, held: &Holding, now: Time) -> Result<token::Claims, Problem> {
    verify(text, &held.issuers, held.view.domain(), now).map_err(|error| unauthenticated(&error.to_string()))
}

/// What a token says that the authority has just given for a secret. One that is outside its time says that the two clocks are not one:
/// its caller showed what it should, and another token would be no better.
fn given(text: &str, issuers: &TokenIssuers, domain: &str, now: Time) -> Result<token::Claims, Problem> {
    verify(text, issuers, domain, now).map_err(|error| match error {
        token::TokenError::Expired => Problem::refused(Reason::RuntimeClock, CLOCKS),
        error => unauthenticated(&error.to_string()),
    })
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
