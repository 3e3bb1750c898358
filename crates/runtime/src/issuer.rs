//! Asking the authority, inline and on a caller's behalf, for an artifact (PROTOCOL 12).

use crate::caller::{Caller, Callers, CallersToken};
use crate::view::Registry;
use eleven_api::client::{CallError, Client};
use eleven_api::edge::Clock;
use eleven_api::govern::{self, Allowed, Execute};
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_core::artifact::Token;
use eleven_core::hash::{Sha3, base64};
use eleven_core::reason::Reason;
use eleven_core::signature::Signer;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a caller hears of an authority that nobody finds; where it is, and what the network says, is for the log.
pub(crate) const ABSENT: &str = "the authority is not reachable: try again, and if it stays so, tell the operator";
/// What a caller hears of one that takes too long.
const LATE: &str = "the authority did not answer in time: try again, and if it stays so, tell the operator";

/// An answer, as far as it is the authority's own: that names a reason of the protocol with each refusal, unless what was asked is not
/// of its form. What else refuses stands in its place, as a proxy does whose authority is gone; it decided nothing, and recorded nothing.
pub(crate) fn by_authority<T>(answer: Result<T, CallError>) -> Result<T, CallError> {
    match answer {
        Err(CallError::Refused(problem)) if problem.reason.is_none() && (problem.foreign || problem.status != 400) => {
            let Problem { status, detail, .. } = problem;
            Err(CallError::Malformed(format!(
                "what answers {status} in the authority's place is no authority: {detail}"
            )))
        }
        answer => answer,
    }
}

/// The authority, as this point asks it.
pub(crate) struct Issuer {
    pub(crate) client: Client,
    pub(crate) authority: String,
    pub(crate) point: String,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) deadline: Duration,
    pub(crate) trouble: Trouble,
}

/// What keeps the authority from deciding for this point, as its operator was told: it is said once, not at each call.
#[derive(Default)]
pub(crate) struct Trouble(Mutex<Option<Reason>>);

impl Trouble {
    /// Whether this is something else than before.
    fn is_news(&self, trouble: Option<Reason>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *known, trouble) != trouble
    }

    /// Says what an answer says of this point.
    fn note<T>(&self, answer: &Result<T, CallError>) {
        let trouble = match answer {
            Ok(_) => None,
            Err(CallError::Refused(problem)) => match problem.reason.filter(|reason| is_ours(*reason)) {
                // A refusal of the caller's is a decision where its event is in the ledger, and says nothing otherwise.
                None if problem.lineage.is_none() => return,
                ours => ours,
            },
            Err(_) => Some(Reason::IssuerUnavailable),
        };
        match (self.is_news(trouble), answer) {
            (true, Err(error)) if trouble.is_some() => {
                tracing::warn!(%error, "the authority decides nothing that this point asks for");
            }
            (true, _) => tracing::info!("the authority decides again what this point asks for"),
            (false, _) => {}
        }
    }
}

/// Whether a refusal is about the point that asked and not about its caller.
const fn is_ours(reason: Reason) -> bool {
    matches!(reason, Reason::RuntimeUnregistered | Reason::RuntimeClock)
}

impl Issuer {
    /// Obtains an artifact for a caller, by the token that the authority knows it by. A token that the authority gave for its secret, and
    /// knows no more, as where its clock was set back since, is not what the caller sent: the secret is exchanged anew, once.
    ///
    /// # Errors
    /// As an exchange, and [`Self::obtain`].
    pub(crate) async fn obtain_for(
        &self,
        callers: &Callers,
        caller: &Caller,
        registry: &Registry,
        execute: &Execute,
    ) -> Result<Token, Problem> {
        let token = callers.token(caller, registry).await?;
        match self.obtain(&token, execute).await {
            Err(problem) if problem.reason == Some(Reason::IdentityUnauthenticated) => {
                let token = callers.anew(caller, registry, problem).await?;
                self.obtain(&token, execute).await
            }
            answer => answer,
        }
    }

    /// Obtains an artifact for `execute`, with the caller's token and this point's registered signature. Asked again, a few
    /// times, where a connection broke: an artifact that nobody got is never used.
    ///
    /// # Errors
    /// The authority's own refusal, its event already in the ledger where it names a lineage; `issuer.unavailable` where
    /// it does not answer.
    pub(crate) async fn obtain(&self, caller: &CallersToken, execute: &Execute) -> Result<Token, Problem> {
        let body = execute.to_value().canonical();
        let headers = self.signed(caller, &body)?;
        // The deadline is this one, so that an authority that is late is told from one that is not there.
        let asking = self.client.insist(&self.authority, routes::GOVERN_EXECUTE, &headers, body, self.deadline * 2);
        let (answer, absence) = match tokio::time::timeout(self.deadline, asking).await {
            Ok(answer) => (by_authority(answer), ABSENT),
            Err(_) => {
                let late = format!("{} did not answer within {} ms", self.authority, self.deadline.as_millis());
                (Err(CallError::Late(late)), LATE)
            }
        };
        self.trouble.note(&answer);
        match answer {
            Ok(answer) => Allowed::read(&answer).map(|allowed| allowed.token).map_err(|error| {
                Problem::refused(Reason::IssuerUnavailable, format!("the authority's answer is malformed: {error}"))
            }),
            Err(CallError::Refused(problem)) => Err(problem),
            Err(_) => Err(Problem::refused(Reason::IssuerUnavailable, absence)),
        }
    }

    /// The headers by which the authority knows that this point acts for this caller, about this body, now.
    fn signed(&self, caller: &CallersToken, body: &[u8]) -> Result<[(HeaderName, HeaderValue); 4], Problem> {
        let time = self.clock.now().millis();
        let statement = govern::statement(Sha3::of(&[body]), caller.digest, &self.point, &time);
        let signature = base64(&self.signer.sign(&statement));
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| Problem::malformed("the credential is not fit for a header"))
        };
        Ok([
            (AUTHORIZATION, value(&format!("Bearer {}", caller.text))?),
            (HeaderName::from_static(govern::POINT), value(&self.point)?),
            (HeaderName::from_static(govern::POINT_TIME), value(&time)?),
            (HeaderName::from_static(govern::POINT_SIGNATURE), value(&signature)?),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_the_point_is_said_once_and_so_is_its_end() {
        let trouble = Trouble::default();
        let news: Vec<bool> = [
            None,
            Some(Reason::RuntimeUnregistered),
            Some(Reason::RuntimeUnregistered),
            Some(Reason::RuntimeClock),
            None,
            None,
        ]
        .into_iter()
        .map(|reason| trouble.is_news(reason))
        .collect();
        assert_eq!(news, [false, true, false, true, true, false]);
        assert!(is_ours(Reason::RuntimeUnregistered) && !is_ours(Reason::PolicyDenied));
    }

    #[test]
    fn an_authority_that_can_record_nothing_decides_nothing_again() {
        let trouble = Trouble::default();
        let told = || *trouble.0.lock().expect("whole");
        let note = |answer: Result<(), CallError>| trouble.note(&answer);
        note(Err(CallError::Unreachable("nobody".into())));
        note(Err(CallError::Refused(Problem::refused(Reason::AuditUnavailable, "no ledger"))));
        assert_eq!(told(), Some(Reason::IssuerUnavailable));
        let denied = Problem::refused(Reason::PolicyDenied, "no rule");
        note(Err(CallError::Refused(denied.in_lineage("lineage://op/X"))));
        assert_eq!(told(), None);
    }
}
