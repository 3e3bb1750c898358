//! What operators do (PROTOCOL 5.3, 11, 12): signed acts, on loopback only, each through the one function
//! [`Authority::operate`].
//!
//! `POST /v1/admin/act` takes `{"act","args","time","kid","sig"}`: `sig` is `base64:` of the 64 bytes that the operator's
//! key makes over the canonical document without `sig`. The key is one of the registry's sources of kind `operator`, and `time` lies
//! at most ten seconds back. One that is dated up to a second ahead is taken when its time has come.
//!
//! An act is made of events, and the next one is planned when they are in force. It returns when they are durable and this corner
//! decides by them, and says by when every enforcement point must know or deny.

mod act;
mod plan;
mod signed;
mod turn;

use crate::Authority;
use crate::identity::Operator;
use crate::registry::{Current, NotCompiled, Subject};
use crate::sequencer::{Committed, Draft, SubmitError};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use eleven_api::audit::Durability;
use eleven_api::client::CallError;
use eleven_api::problem::Problem;
use eleven_api::serve::{self, Budget, Peer};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Place, Tip};
use eleven_core::form::FormError;
use eleven_core::id;
use eleven_core::limits::{MAX_ACT, MAX_ACTS_HELD, MAX_STAMP_AHEAD_MS};
use eleven_core::reason::Reason;
use eleven_core::registry::FoldError;
use eleven_core::time::Time;
use plan::Step;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use act::Act;
pub use plan::unenforced;
pub use signed::{Replays, SignedAct, SignedError};
pub(crate) use turn::Left;

/// What the bodies of acts share.
pub(crate) fn bodies() -> Budget {
    Budget::shared(MAX_ACTS_HELD, MAX_ACT)
}

/// What a clock that shows milliseconds may be behind.
const CLOCK_STEP: Duration = Duration::from_millis(1);

/// What an act came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// How durable its events are; `None` where it made none.
    pub durability: Option<Durability>,
    /// The epoch in which it is in force.
    pub epoch: u64,
    /// By when every enforcement point knows, or denies, its clock being up to two seconds behind.
    pub effective_by: Time,
    /// The lineages of its events.
    pub lineages: Vec<String>,
    /// What only this act answers: a secret, a token, a reference.
    pub answer: Object,
}

/// Why an act was not carried out, or not to its end.
#[derive(Debug)]
pub enum ActError {
    /// Its arguments are not of their form.
    Form(FormError),
    /// The policy bundle does not compile.
    Policy(eleven_policy::PolicyError),
    /// The registry would not take it.
    Registry(FoldError),
    /// Who signed it may not act any more.
    Signed(SignedError),
    /// There is nothing of that name.
    Unknown(String),
    /// It would be refused whatever the registry holds.
    Impossible(&'static str),
    /// The ledger refused one of its events.
    Refused(String),
    /// The ledger does not answer; nothing was done, or its fate is open.
    Unavailable(String),
    /// It was not begun, for what it rests on is not known here: that what the one before it made is in force, or whose an event is.
    NotBegun(&'static str),
    /// Something of this authority's broke off at it; what was durable before that stays.
    Broken(&'static str),
    /// It is durable, but this corner does not decide by it yet.
    Pending,
}

impl fmt::Display for ActError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => error.fmt(f),
            Self::Policy(error) => error.fmt(f),
            Self::Registry(FoldError::Unknown(what)) => {
                write!(f, "there is no such {what}: `eleven registry show` lists what there is")
            }
            Self::Registry(error) => error.fmt(f),
            Self::Signed(error) => error.fmt(f),
            Self::Unknown(what) => write!(f, "there is no {what}"),
            Self::Impossible(why) | Self::NotBegun(why) | Self::Broken(why) => f.write_str(why),
            Self::Refused(why) => write!(f, "the ledger refused it: {why}"),
            Self::Unavailable(why) => write!(f, "the ledger does not answer: {why}"),
            Self::Pending => f.write_str("it is durable, but not in force here yet: look at the registry's epoch"),
        }
    }
}

impl std::error::Error for ActError {}

impl From<FormError> for ActError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<SignedError> for ActError {
    fn from(error: SignedError) -> Self {
        Self::Signed(error)
    }
}

impl From<NotCompiled> for ActError {
    fn from(error: NotCompiled) -> Self {
        match error {
            NotCompiled::Form(error) => Self::Form(error),
            NotCompiled::Policy(error) => Self::Policy(error),
            NotCompiled::Late => Self::Impossible(
                "the policy was not compiled in time, or one that came before it: try again alone, or make it smaller",
            ),
            NotCompiled::Broken => Self::Broken(
                "the authority broke off when it compiled the policy, which is a fault of the authority's: its log says at what; \
                 nothing was done",
            ),
        }
    }
}

impl From<CallError> for ActError {
    fn from(error: CallError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<SubmitError> for ActError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Unavailable { sent: true } => {
                Self::Unavailable("what became of it is open, it is sent again".into())
            }
            SubmitError::Unavailable { sent: false } => Self::Unavailable("nothing was done, try again".into()),
            SubmitError::Refused(why) => Self::Refused(why),
            SubmitError::Form(error) => Self::Form(error),
        }
    }
}

impl ActError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Form(_) | Self::Policy(_) | Self::Impossible(_) => Problem::malformed(text),
            Self::Registry(FoldError::PolicyVersion(next)) => Problem::with_status(409, text).naming_next(next),
            Self::Registry(_) | Self::Refused(_) => Problem::with_status(409, text),
            Self::Signed(error) => error.problem(),
            Self::Unknown(_) => Problem::with_status(404, text),
            Self::Broken(_) => Problem::with_status(500, text),
            Self::Unavailable(_) | Self::NotBegun(_) | Self::Pending => {
                Problem::refused(Reason::AuditUnavailable, text)
            }
        }
    }
}

impl Done {
    /// The body of the answer: `{"durability","epoch","effective_by","lineages"}` and what the act adds.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let lineages: Vec<Value> = self.lineages.iter().map(Value::from).collect();
        let answer = self.answer.clone();
        Value::Object(
            answer
                .with_some("durability", self.durability.map(Durability::name))
                .with("epoch", self.epoch)
                .with("effective_by", self.effective_by.to_millis_value())
                .with("lineages", lineages),
        )
    }
}

impl Authority {
    /// Carries out an act for `operator`: makes its events, waits until they are durable and until this corner decides
    /// by them. Without an operator it is a founding act, possible only while the registry lists none: the one that adds
    /// the first operator is the last.
    ///
    /// An act may have waited since its signature was verified, for one that ended its operator: whether that one may still act is
    /// asked again before it is planned, and before its first event.
    ///
    /// # Errors
    /// Why it was not carried out, or not to its end. What was made durable before that stays.
    pub async fn operate(&self, act: Act, operator: Option<&Operator>) -> Result<Done, ActError> {
        // It takes seconds: before its turn, so that no other act waits for that.
        let compiled = match &act {
            Act::PolicyPublish { bundle } => Some(self.registry.compile(bundle.clone()).await?),
            _ => None,
        };
        // Until what it does is in force, and the next one sees it.
        let mut turn = if act.makes_events() { Some(self.turn().await?) } else { None };
        let current =
            self.registry.current().ok_or_else(|| ActError::Unavailable("the registry is not at hand".into()))?;
        if operator.is_none() && current.sources.has_operators() {
            return Err(ActError::Impossible("the domain has operators: one of them has to sign this act"));
        }
        if let Some(operator) = operator {
            may_act(&current, operator)?;
        }
        let name = act.name();
        let published = compiled.as_ref().map(|(policy, _)| Arc::clone(policy));
        let plan = plan::of(self, &current, act, compiled, operator).await?;
        // What was planned may have been asked of the ledger.
        if let Some(operator) = operator {
            let current = self.registry.current().ok_or(SignedError::Stale)?;
            may_act(&current, operator)?;
        }
        published.into_iter().for_each(|policy| self.registry.publishes(policy));
        let identity = operator.map(|operator| operator.identity.as_str());
        let mut committed: Vec<Committed> = Vec::new();
        for step in plan.steps {
            let draft = self.draft(step, identity, committed.last())?;
            let submitted = self.sequencer.submit(draft).await;
            // However this ends, the next act waits for it.
            if let (Some(turn), Some(left)) = (&mut turn, Left::of(&submitted)) {
                **turn = Some(left);
            }
            committed.push(submitted?);
        }
        let epoch = match committed.last() {
            Some(last) => self.registry.epoch_of(last.record.hash).await.ok_or(ActError::Pending)?,
            None => current.view.epoch(),
        };
        turn.iter_mut().for_each(|turn| **turn = None);
        tracing::info!(act = name, operator = identity.unwrap_or("founding"), epoch, "an act is in force");
        Ok(Done {
            durability: committed.iter().map(|committed| committed.durability).min(),
            epoch,
            effective_by: everywhere(self.clock.now(), current.view.fresh_ms()),
            lineages: committed.iter().map(|committed| id::lineage_name(&committed.record.op)).collect(),
            answer: plan.answer,
        })
    }

    /// Contains what drifted by the ledger's word; `false` where the subject's lineage says already that it is contained, or
    /// revoked for good.
    pub(crate) async fn contain(&self, subject: &Subject, cause: &'static str) -> Result<bool, ActError> {
        let Some(step) = plan::containment(self, subject, cause).await? else { return Ok(false) };
        self.sequencer.submit(self.draft(step, None, None)?).await?;
        Ok(true)
    }

    /// One event of an act. The registry's own rules are asked first, so that what they refuse takes no number.
    fn draft(&self, step: Step, operator: Option<&str>, before: Option<&Committed>) -> Result<Draft, ActError> {
        let now = self.clock.now();
        if before.is_none() {
            let current =
                self.registry.current().ok_or_else(|| ActError::Unavailable("the registry is gone".into()))?;
            current.fold.check_new(now, step.event, &self.name, &step.data).map_err(ActError::Registry)?;
        }
        // A subject's lineage names no identity; every other event of an act says who acted.
        let lifecycle = step.event.starts_with("lifecycle.");
        let identity = operator.filter(|_| !lifecycle).map(str::to_owned);
        Ok(Draft {
            event: step.event,
            place: place(step.place, before.map(|committed| committed.record.tip())),
            ts: now,
            data: step.data,
            about: About { identity, ..step.about },
            blobs: step.blobs,
        })
    }
}

/// By when every enforcement point knows what is in force here at `now`, or denies: when a view of before is `fresh` old by a
/// clock that is as far behind this one as admission lets it be. Skew is the issuer's to absorb (PROTOCOL 4).
const fn everywhere(now: Time, fresh_ms: i64) -> Time {
    now.plus_millis(fresh_ms.saturating_add(MAX_STAMP_AHEAD_MS))
}

/// Where the next event of an act stands: a second transition of a subject follows the first.
fn place(place: Place, before: Option<Tip>) -> Place {
    match (place, before) {
        (Place::First { op } | Place::After { op, .. }, Some(tip)) => Place::After { op, tip },
        (place, _) => place,
    }
}

/// The route of acts.
pub fn router(authority: Arc<Authority>) -> Router {
    Router::new().route(eleven_api::routes::ADMIN_ACT, post(act)).with_state(authority)
}

async fn act(
    State(authority): State<Arc<Authority>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Body,
) -> Result<Response, Problem> {
    if !peer.ip().to_canonical().is_loopback() {
        return Err(Problem::with_status(403, "operators act on this machine only: connect from loopback"));
    }
    // Anybody on this machine may send one: what they come to has its bounds, until each is answered.
    let body = authority.acts.body(body, MAX_ACT).await?;
    let signed = SignedAct::read(&body).map_err(|error| Problem::malformed(error.to_string()))?;
    if let Some(ahead) = ahead(&authority, &signed).map_err(SignedError::problem)? {
        tokio::time::sleep(ahead + CLOCK_STEP).await;
    }
    let operator = operator(&authority, &signed).map_err(SignedError::problem)?;
    let act = Act::read(&signed.act, signed.args.clone()).map_err(|error| Problem::malformed(error.to_string()))?;
    // Whoever hangs up leaves it to its end: the next act is planned by what it did.
    let done = tokio::spawn(async move { authority.operate(act, Some(&operator)).await }).await;
    let done = done.unwrap_or(Err(ActError::Broken("the act broke off: the authority's log says why")));
    done.map(|done| serve::json(&done.to_value())).map_err(|error| error.problem())
}

/// How long to wait until the time of an operator's act has come.
fn ahead(authority: &Authority, signed: &SignedAct) -> Result<Option<Duration>, SignedError> {
    let now = authority.clock.now();
    let current = authority.registry.fresh(now).ok_or(SignedError::Stale)?;
    let operator = current.sources.operator(&signed.kid).ok_or(SignedError::Unknown)?;
    signed.ahead(&operator.key, now)
}

/// The operator who signed the act, now and for the first time.
fn operator(authority: &Authority, signed: &SignedAct) -> Result<Operator, SignedError> {
    let now = authority.clock.now();
    let current = authority.registry.fresh(now).ok_or(SignedError::Stale)?;
    let operator = current.sources.operator(&signed.kid).ok_or(SignedError::Unknown)?;
    signed.verify(&operator.key, now)?;
    may_act(&current, operator)?;
    authority.replays.take(signed)?;
    Ok(operator.clone())
}

/// Whether the registry still lists who was an operator, under the same key, and contains it not; where it contains every operator,
/// as a registry of before may, one of them has to lift that.
fn may_act(current: &Current, operator: &Operator) -> Result<(), SignedError> {
    let listed = current.sources.operator(&operator.kid).ok_or(SignedError::Unknown)?;
    let is_contained = |operator: &Operator| operator.is_contained(current.view.lists());
    match listed.is(operator) {
        false => Err(SignedError::Unknown),
        true if is_contained(operator) && !current.sources.operators().all(is_contained) => Err(SignedError::Contained),
        true => Ok(()),
    }
}

#[cfg(test)]
mod tests;
