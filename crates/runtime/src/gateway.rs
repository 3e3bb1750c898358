//! The OpenAI-compatible reverse proxy: one governed call from its bytes to its answer.

use crate::caller::{Caller, Callers};
use crate::disclosures::{self, Store};
use crate::execution::{self, Failing};
use crate::forward::Progress;
use crate::issuer::Issuer;
use crate::journal::Desks;
use crate::openai;
use crate::opening::begin;
use crate::passing;
use crate::refusal;
use crate::running::Running;
use crate::seen::Seen;
use crate::settings::Settings;
use crate::standing::Standing;
use crate::view::{Holding, Registry};
use axum::body::Body;
use bytes::Bytes;
use eleven_api::client::Client;
use eleven_api::edge::{self, Clock, Moment};
use eleven_api::govern::Execute;
use eleven_api::header::only;
use eleven_api::problem::Problem;
use eleven_api::serve::Budget;
use eleven_core::artifact::{Environment, Operation, RequestBinding, Token};
use eleven_core::disclosure::{self, Disclosure};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::About;
use eleven_core::hash::{Sha3, base64, unbase64url};
use eleven_core::id;
use eleven_core::limits;
use eleven_core::name;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use eleven_enforce::admission::{Admitted, Asked, Held, admit, admit_read, policy_required};
use eleven_enforce::denial::Denial;
use eleven_enforce::journal::Point;
use http::{HeaderMap, HeaderValue, Method, Request, Version, header, request};
use http_body_util::Full;
use std::sync::Arc;

/// The header in which an artifact is presented.
const PRESENTED: &str = "eleven-authorization";
/// The header in which a caller who brings an artifact names the salts of its commitments.
const SALTS: &str = "eleven-salts";

/// Everything that enforcement at this point needs.
pub(crate) struct Gate {
    pub(crate) settings: Settings,
    pub(crate) point: Point,
    pub(crate) registry: Registry,
    pub(crate) desks: Arc<Desks>,
    pub(crate) disclosures: Store,
    pub(crate) progress: Arc<Progress>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) running: Arc<Running>,
    pub(crate) callers: Callers,
    /// What its callers' bodies may take of this machine.
    pub(crate) bodies: Budget,
    pub(crate) issuer: Issuer,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    /// What that clock showed so far.
    pub(crate) seen: Arc<Seen>,
    /// What runs behind this gateway, by digest.
    pub(crate) workload: Sha3,
    /// What the upstream gets as its credential, where it wants one.
    pub(crate) credential: Option<HeaderValue>,
    /// What was told of the upstream's failures.
    pub(crate) failing: Failing,
}

impl Gate {
    /// What this point remembers, the last moment and the highest epoch. It is read before the clock and before the view: calls run
    /// side by side, each record's time was the clock's too, and an epoch that was in use is not newer than the view that is held
    /// then.
    pub(crate) fn remembered(&self) -> (Option<Time>, u64) {
        (self.desks.last_now().max(self.seen.highest()), self.desks.seen_epoch())
    }

    /// What it holds at a moment, its keys and bundles aside.
    pub(crate) fn holding<'a>(
        &'a self,
        held: Option<&'a Holding>,
        (last_now, seen_epoch): (Option<Time>, u64),
        now: Moment,
    ) -> Held<'a> {
        Held {
            view: held.map(|held| &held.view),
            stamped: self.registry.stamped(),
            held_ms: held.map_or(0, |held| held.held_ms(now)),
            point: &self.point.name,
            binary: &self.point.binary,
            config: &self.point.config,
            signs: &[],
            last_now,
            dated: self.progress.dated(now),
            unknown: self.progress.is_unknown() && !held.is_some_and(|held| held.lost(self.point.event.kid(), now.at)),
            seen_epoch,
            uses_since: held.and_then(|held| held.uses_since),
            bundles: None,
            backlog_ms: self.progress.backlog_ms(now),
            backlog_bound_ms: i64::try_from(self.settings.audit_bound.as_millis()).unwrap_or(0),
            unproven_ms: self.standing.unproven_ms(now),
        }
    }
}

/// A request as it came, framed as an operation.
pub(crate) struct Framed {
    method: Method,
    path: String,
    /// What its caller speaks.
    version: Version,
    headers: HeaderMap,
    body: Bytes,
    /// As it was asked for, nothing committed.
    asked: Operation,
    /// As it leaves this point, where something is committed.
    committed: Option<Operation>,
    binding: RequestBinding,
    /// What will run, by digest.
    pub(crate) workload: Sha3,
    /// What opens the commitments that were made here.
    disclosures: Vec<Disclosure>,
}

impl Framed {
    pub(crate) fn new(parts: request::Parts, body: Bytes, operation: Operation, workload: Sha3) -> Self {
        let request::Parts { method, uri, version, headers, .. } = parts;
        let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
        let binding =
            RequestBinding { body: Sha3::of(&[&body]), method: method.as_str().to_owned(), path: path.clone() };
        let (asked, committed, disclosures) = (operation, None, Vec::new());
        Self { method, path, version, headers, body, asked, committed, binding, workload, disclosures }
    }

    /// The operation as it leaves this point.
    fn operation(&self) -> &Operation {
        self.committed.as_ref().unwrap_or(&self.asked)
    }

    pub(crate) fn disclosures(&self) -> &[Disclosure] {
        &self.disclosures
    }
}

/// `POST /v1/chat/completions`.
pub(crate) async fn chat(gate: Arc<Gate>, request: Request<Body>) -> axum::response::Response {
    let answered = async {
        let (parts, body) = request.into_parts();
        let caller = authenticate(&gate, &parts.headers).await?;
        passing::addressed(&parts.uri)?;
        passing::readable(&parts.headers)?;
        let limit = gate.settings.gateway.max_body;
        let (caller, body) = body_of(&gate, &caller, &parts.headers, body, limit).await?;
        let length = body.len();
        // It goes along: once it was sent on nobody holds it any more.
        let frame = || {
            let operation = openai::invocation(&body, &gate.settings.gateway)?;
            Ok::<_, Problem>(Framed::new(parts, body, operation, gate.workload))
        };
        match edge::at_length(length, frame) {
            Ok(framed) => govern(&gate, &caller, framed).await,
            Err(problem) => Err(on_record(&gate, &caller, problem).await),
        }
    };
    answered.await.unwrap_or_else(|problem| refusal::openai(&problem))
}

/// `GET /v1/models`.
pub(crate) async fn models(gate: Arc<Gate>, request: Request<Body>) -> axum::response::Response {
    let answered = async {
        let (parts, _) = request.into_parts();
        let caller = authenticate(&gate, &parts.headers).await?;
        passing::addressed(&parts.uri)?;
        let operation = openai::listing(&gate.settings.gateway)?;
        let framed = Framed::new(parts, Bytes::new(), operation, gate.workload);
        govern(&gate, &caller, framed).await
    };
    answered.await.unwrap_or_else(|problem| refusal::openai(&problem))
}

/// Request: who calls. Nobody, and nothing is decided; that is counted, not one event each.
pub(crate) async fn authenticate(gate: &Gate, headers: &HeaderMap) -> Result<Caller, Problem> {
    let authenticated = gate.callers.authenticate(headers, &gate.registry).await;
    if authenticated.is_err() {
        // Also where the authority was needed and gone: nobody is authenticated, and a count names no other reason.
        gate.desks.count(Reason::IdentityUnauthenticated);
    }
    authenticated
}

/// The body of a caller's request, and who the caller is once it is there: a body may take its time, and a credential that was
/// revoked meanwhile, or has ended, calls no more. One past the limit is refused like anything else: with a reason, by an event.
pub(crate) async fn body_of(
    gate: &Gate,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<(Caller, Bytes), Problem> {
    match gate.bodies.body(body, limit).await {
        Ok(body) => Ok((authenticate(gate, headers).await?, body)),
        Err(problem) => Err(on_record(gate, caller, problem).await),
    }
}

/// What is wrong with a request of which no operation is known: an event of its caller, where it has a reason.
async fn on_record(gate: &Gate, caller: &Caller, problem: Problem) -> Problem {
    let Some(reason) = problem.reason else { return problem };
    let about = About { identity: Some(caller.identity.clone()), ..About::default() };
    let denied = deny(gate, Denial { reason, detail: problem.detail, about }).await;
    let status = if denied.reason == Some(reason) { problem.status } else { denied.status };
    Problem { status, ..denied }
}

/// The seven stages of one governed call.
async fn govern(gate: &Arc<Gate>, caller: &Caller, framed: Framed) -> Result<axum::response::Response, Problem> {
    // What can't be forwarded is refused before anything is begun.
    let request = forwarded(gate, &framed)?;
    let (workload, version) = (framed.workload, framed.version);
    let brings = framed.headers.contains_key(PRESENTED);
    let admission = admission(gate, caller, framed).await?;
    let usage = brings.then(|| admission.admitted.token().artifact.usage.clone());
    let run = {
        let gate = Arc::clone(gate);
        move |begun| execution::run(gate, begun, request, version)
    };
    let answer = begin(&gate.desks, &gate.running, &gate.clock, admission, workload, run).await?;
    Ok(if let Some(usage) = usage { passing::last(&usage, answer) } else { answer })
}

/// From an operation to its admission, by the artifact that the caller brings or by one that is obtained for it.
pub(crate) async fn admission(gate: &Gate, caller: &Caller, framed: Framed) -> Result<Admission, Problem> {
    let framed = committed(gate, caller, framed).await?;
    let brought = match presented(&framed.headers) {
        Ok(None) => return inline(gate, caller, framed).await,
        Ok(Some(text)) => Ok(Presented::Text((!text.is_empty()).then_some(text))),
        Err(denial) => Err(denial),
    };
    match brought.and_then(|token| admitted(gate, caller, &framed, token)) {
        Ok(admission) => Ok(admission),
        Err(denial) => Err(deny(gate, denial).await),
    }
}

/// What the policies in force call sensitive is committed before anything leaves this point (PROTOCOL 5.2): with the salts
/// that the caller names beside the artifact it brings, else with new ones.
async fn committed(gate: &Gate, caller: &Caller, mut framed: Framed) -> Result<Framed, Problem> {
    let Some(held) = gate.registry.held() else { return Ok(framed) };
    let runtime = name::runtime_of_point(&gate.point.name);
    let in_force = held.view.policies_in_force(&framed.asked.name, runtime);
    let bundles = in_force.filter_map(|policy| held.bundles.get(&policy.id.hash));
    let sensitive: Vec<String> = bundles.flat_map(|bundle| bundle.terms.sensitive.iter().cloned()).collect();
    (framed.committed, framed.disclosures) = (None, Vec::new());
    if sensitive.is_empty() {
        return Ok(framed);
    }
    // What is committed on a caller's behalf is this point's own: by salts that somebody chose it could be linked, or guessed.
    let brings = framed.headers.contains_key(PRESENTED);
    let salts = if brings { salts(&framed.headers)? } else { Object::new() };
    let salt = |path: &str| {
        let named = salts.get(path).and_then(Value::as_str).map(str::to_owned);
        named.unwrap_or_else(|| base64(&edge::random::<{ limits::SALT }>()))
    };
    let op = framed.asked.value().as_object().cloned().unwrap_or_default();
    let (op, disclosures) = disclosure::commit(op, &sensitive, salt);
    let op = Value::Object(op);
    let reason = refusal::unreadable(&op);
    match Operation::read(op) {
        Ok(operation) => framed.committed = Some(operation),
        Err(error) => {
            let denial = Denial { reason, detail: error.to_string(), about: about(gate, caller, &framed) };
            return Err(deny(gate, denial).await);
        }
    }
    framed.disclosures = disclosures;
    Ok(framed)
}

/// The salts in `Eleven-Salts`: unpadded base64url of {path: salt}.
fn salts(headers: &HeaderMap) -> Result<Object, Problem> {
    if !headers.contains_key(SALTS) {
        return Ok(Object::new());
    }
    let bytes = only(headers, SALTS).and_then(unbase64url);
    let salts = bytes.and_then(|bytes| parse(&bytes).ok()).and_then(|salts| salts.as_object().cloned());
    let salts = salts.filter(|salts| salts.iter().all(|(_, salt)| salt.as_str().is_some_and(disclosure::is_salt)));
    salts.ok_or_else(|| Problem::malformed("Eleven-Salts is not one base64url of an object of salts by path"))
}

/// The artifact that the caller presents: `None` where the header is absent, empty where it holds nothing.
fn presented(headers: &HeaderMap) -> Result<Option<&str>, Denial> {
    let mut values = headers.get_all(PRESENTED).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Denial::new(Reason::ArtifactMalformed, "Eleven-Authorization stands twice"));
    }
    let text = first.map(|value| value.to_str().map(str::trim)).transpose();
    text.map_err(|_| Denial::new(Reason::ArtifactMalformed, "Eleven-Authorization is not text"))
}

/// Why an inline call is not admitted.
enum Refused {
    /// By this point: not an event yet.
    Here(Denial),
    /// By the authority, or because it did not answer.
    There(Problem),
}

impl Refused {
    /// Whether a policy was replaced meanwhile, of which one of the two knew first.
    fn is_replaced(&self) -> bool {
        match self {
            Self::Here(denial) => denial.reason == Reason::PolicyMismatch,
            Self::There(problem) => problem.reason == Some(Reason::PolicyMismatch),
        }
    }
}

/// Inline: the artifact is obtained on the caller's behalf. Where a policy was replaced meanwhile, of which authority and point hear
/// one before the other, nothing was sent yet: so the view is refreshed, what the new policy calls sensitive is committed, and the
/// authority is asked once more.
async fn inline(gate: &Gate, caller: &Caller, mut framed: Framed) -> Result<Admission, Problem> {
    let admission = match issued(gate, caller, &framed).await {
        Err(refused) if refused.is_replaced() => {
            let seen = gate.registry.held().map(|held| held.view.epoch());
            if let Err(error) = gate.registry.renew(&gate.desks, &gate.running, seen).await {
                tracing::debug!(%error, "the registry could not be refreshed for a policy that was replaced");
            }
            framed = committed(gate, caller, framed).await?;
            issued(gate, caller, &framed).await
        }
        admission => admission,
    };
    match admission {
        Err(Refused::Here(denial)) => Err(deny(gate, denial).await),
        Err(Refused::There(problem)) => Err(problem),
        Ok(admission) => {
            disclosures::keep(gate, &framed, &admission.admitted.token().artifact).await?;
            Ok(admission)
        }
    }
}

/// An artifact obtained once, and admitted.
async fn issued(gate: &Gate, caller: &Caller, framed: &Framed) -> Result<Admission, Refused> {
    let token = obtain(gate, caller, framed, &execute(gate, caller, framed)).await.map_err(Refused::There)?;
    admitted(gate, caller, framed, Presented::Issued(token)).map_err(Refused::Here)
}

fn execute(gate: &Gate, caller: &Caller, framed: &Framed) -> Execute {
    let op = framed.operation().value().as_object().cloned().unwrap_or_default();
    Execute {
        identity: caller.identity.clone(),
        op,
        runtime: name::runtime_of_point(&gate.point.name).to_owned(),
        request: Some(framed.binding.clone()),
    }
}

/// Verify, Allow/Deny: the authority's matter. A refusal of its own stands in the ledger already; what kept us from an
/// answer becomes an event here.
async fn obtain(gate: &Gate, caller: &Caller, framed: &Framed, execute: &Execute) -> Result<Token, Problem> {
    match gate.issuer.obtain_for(&gate.callers, caller, &gate.registry, execute).await {
        Ok(token) => Ok(token),
        Err(problem) if problem.lineage.is_some() => Err(problem),
        Err(problem) => match problem.reason {
            Some(reason) if reason.is_counted() => {
                gate.desks.count(reason);
                Err(problem)
            }
            Some(reason) => {
                Err(deny(gate, Denial { reason, detail: problem.detail, about: about(gate, caller, framed) }).await)
            }
            None => Err(problem),
        },
    }
}

/// What is known of an operation before it has an artifact.
fn about(gate: &Gate, caller: &Caller, framed: &Framed) -> About {
    let (operation, runtime) = (&framed.operation().name, name::runtime_of_point(&gate.point.name));
    About {
        identity: Some(caller.identity.clone()),
        operation: Some(operation.clone()),
        policy_required: gate.registry.held().and_then(|held| policy_required(&held.view, operation, runtime)),
        ..About::default()
    }
}

/// What an operation is to be admitted by.
pub(crate) enum Presented<'a> {
    /// What a caller brought, as it came; `None` where it brought nothing.
    Text(Option<&'a str>),
    /// What the authority just issued for this call, read by its form from its answer.
    Issued(Token),
}

/// An admission, and the policy that step 4 found held.
pub(crate) struct Admission {
    pub(crate) admitted: Admitted,
    pub(crate) bundle: Arc<PolicyBundle>,
}

/// Steps 1 to 16, from what this process holds.
fn admitted(gate: &Gate, caller: &Caller, framed: &Framed, token: Presented<'_>) -> Result<Admission, Denial> {
    admit_here(gate, &caller.identity, token, framed.operation(), Some(&framed.binding), None)
}

/// Steps 1 to 16 for any boundary of this point; `runtime` where the request names one itself.
pub(crate) fn admit_here(
    gate: &Gate,
    caller: &str,
    token: Presented<'_>,
    operation: &Operation,
    request: Option<&RequestBinding>,
    runtime: Option<String>,
) -> Result<Admission, Denial> {
    let remembered = gate.remembered();
    let held = gate.registry.held();
    let mut environment = environment(gate, held.as_deref());
    environment.runtime = runtime.unwrap_or(environment.runtime);
    let holds = |hash: &Sha3| held.as_ref().is_some_and(|held| held.bundles.contains_key(hash));
    let moment = Moment::now(&*gate.clock);
    let now = moment.at;
    let signs = gate.point.signs();
    let holding = Held { signs: &signs, bundles: Some(&holds), ..gate.holding(held.as_deref(), remembered, moment) };
    let asked = Asked { now, caller, holder: None, operation, request, environment: &environment };
    let admitted = match token {
        Presented::Text(text) => admit(&holding, &asked, text)?,
        Presented::Issued(token) => admit_read(&holding, &asked, token)?,
    };
    let bundle = held.as_ref().and_then(|held| held.bundles.get(&admitted.token().artifact.pol.hash)).cloned();
    let missing = || Denial::new(Reason::IssuerUnavailable, "the policy's bundle is not held");
    Ok(Admission { bundle: bundle.ok_or_else(missing)?, admitted })
}

/// Where this point is, as it was registered.
pub(crate) fn environment(gate: &Gate, held: Option<&Holding>) -> Environment {
    let registered = held.and_then(|held| held.view.runtime(&gate.point.name));
    Environment {
        runtime: name::runtime_of_point(&gate.point.name).to_owned(),
        region: registered.map(|row| row.region.clone()).unwrap_or_default(),
        tenancy: registered.map(|row| row.tenancy.clone()).unwrap_or_default(),
    }
}

/// The problem for a denial whose event, where it has one, is already durable.
pub(crate) fn recorded((denial, op): (Denial, Option<String>)) -> Problem {
    let problem = Problem::refused(denial.reason, denial.detail);
    match op {
        Some(op) => problem.in_lineage(id::lineage_name(&op)),
        None => problem,
    }
}

/// Makes a denial an event, or part of a count, and the problem that the caller gets.
pub(crate) async fn deny(gate: &Gate, denial: Denial) -> Problem {
    let problem = Problem::refused(denial.reason, denial.detail.clone());
    if denial.is_counted() {
        gate.desks.count(denial.reason);
        return problem;
    }
    match gate.desks.deny(denial).await {
        Ok(op) => problem.in_lineage(id::lineage_name(&op)),
        Err(error) => {
            tracing::error!(error, "a denial could not be recorded; the call is refused all the same");
            Problem::refused(Reason::AuditUnavailable, error)
        }
    }
}

/// The request that reaches the upstream: the very bytes, under the headers that may pass.
fn forwarded(gate: &Gate, framed: &Framed) -> Result<Request<Full<Bytes>>, Problem> {
    let upstream = gate.settings.gateway.upstream.trim_end_matches('/');
    let uri = format!("{upstream}{}", framed.path);
    let mut request = Request::new(Full::new(framed.body.clone()));
    *request.method_mut() = framed.method.clone();
    *request.uri_mut() =
        uri.parse().map_err(|_| Problem::malformed(format!("{} is not a path that can be forwarded", framed.path)))?;
    *request.headers_mut() = passing::to_upstream(&framed.headers, !framed.body.is_empty());
    if let Some(credential) = &gate.credential {
        request.headers_mut().insert(header::AUTHORIZATION, credential.clone());
    }
    Ok(request)
}

/// What runs behind a gateway is known by where it is: SHA3-512 of the canonical {upstream}.
pub(crate) fn workload(upstream: &str) -> Sha3 {
    Sha3::of_value(&Value::Object(Object::new().with("upstream", upstream)))
}
