//! Asking the authority, inline and on a caller's behalf, for an artifact (PROTOCOL 12).

use crate::caller::Caller;
use eleven_api::client::{CallError, Client};
use eleven_api::edge::Clock;
use eleven_api::govern::{Allowed, Execute};
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_core::artifact::Token;
use eleven_core::encoding::Object;
use eleven_core::hash::{Sha3, base64};
use eleven_core::reason::Reason;
use eleven_core::signature::Signer;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

/// The authority, as this point asks it.
pub(crate) struct Issuer {
    pub(crate) client: Client,
    pub(crate) authority: String,
    pub(crate) point: String,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) deadline: Duration,
}

impl Issuer {
    /// Obtains an artifact for `execute`, with the caller's token and this point's registered signature. Asked twice where a
    /// connection broke: an artifact that nobody got is never used.
    ///
    /// # Errors
    /// The authority's own refusal, its event already in the ledger where it names a lineage; `issuer.unavailable` where
    /// it does not answer.
    pub(crate) async fn obtain(&self, caller: &Caller, execute: &Execute) -> Result<Token, Problem> {
        let body = execute.to_value().canonical();
        let headers = self.signed(caller, &body)?;
        match self.client.insist(&self.authority, routes::GOVERN_EXECUTE, &headers, body, self.deadline).await {
            Ok(answer) => Allowed::read(&answer).map(|allowed| allowed.token).map_err(|error| {
                Problem::refused(Reason::IssuerUnavailable, format!("the authority's answer is malformed: {error}"))
            }),
            Err(CallError::Refused(problem)) => Err(problem),
            Err(error) => Err(Problem::refused(Reason::IssuerUnavailable, error.to_string())),
        }
    }

    /// The headers by which the authority knows that this point acts for this caller, about this body, now.
    fn signed(&self, caller: &Caller, body: &[u8]) -> Result<[(HeaderName, HeaderValue); 4], Problem> {
        let time = self.clock.now().millis();
        let statement = Object::new()
            .with("body", Sha3::of(&[body]))
            .with("caller", Sha3::of(&[caller.token.as_bytes()]))
            .with("point", &self.point)
            .with("time", &time);
        let signature = base64(&self.signer.sign(&statement.canonical()));
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| Problem::malformed("the credential is not fit for a header"))
        };
        Ok([
            (AUTHORIZATION, value(&format!("Bearer {}", caller.token))?),
            (HeaderName::from_static("eleven-point"), value(&self.point)?),
            (HeaderName::from_static("eleven-point-time"), value(&time)?),
            (HeaderName::from_static("eleven-point-signature"), value(&signature)?),
        ])
    }
}
