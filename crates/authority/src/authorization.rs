//! The decision (PROTOCOL 4, 11, 12): from an authenticated request and the registry's last epoch to an artifact or a
//! refusal. Pure: time and random bytes come in as values, effects go out as events to be made.

mod refusal;

use crate::registry::{Current, Placement, Policy};
use crate::sequencer;
use eleven_api::govern::Execute;
use eleven_core::artifact::{self, Artifact, Environment, Operation, Use, UseMode};
use eleven_core::disclosure::in_clear;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Place};
use eleven_core::form::FormError;
use eleven_core::hash;
use eleven_core::limits;
use eleven_core::policy::{Digests, EvidenceLevel, Terms};
use eleven_core::reason::Reason;
use eleven_core::signature::Signer;
use eleven_core::subject::Target;
use eleven_core::time::Time;
use eleven_policy::{Decision, DecisionInput};
use std::sync::Arc;

pub use refusal::Refusal;

/// Seconds that `nbf` is set back: as far as a point's clock may be behind the authority's stamp (PROTOCOL 4.1, step 3). Set back by less,
/// what such a point may admit would be not yet valid there, by a refusal that nobody calls again after.
const BACK: i64 = limits::MAX_STAMP_AHEAD_MS / 1000;
const _: () = assert!(BACK <= limits::MAX_NBF_BACK, "no issuer sets `nbf` back further");
/// The shortest life that is set back: a shorter one would be over before it arrives.
const LEAST_SET_BACK: u64 = 10;
/// Seconds of a rate artifact's window where its policy names none.
const DEFAULT_PER: u64 = 60;

/// An authenticated request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who calls: what its credential stands for.
    pub caller: String,
    /// Who had that credential issued, where an operator had.
    pub operator: Option<String>,
    /// The enforcement point that acts for the caller, where one does.
    pub point: Option<String>,
    /// What is asked for.
    pub asked: Execute,
    /// When.
    pub now: Time,
    /// What this request alone is given.
    pub random: Random,
}

/// Random bytes of one issuance.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    /// For the nonce.
    pub nonce: [u8; 17],
    /// For the salt of the operation's digests.
    pub salt: [u8; limits::SALT],
}

/// What was decided.
#[derive(Debug)]
pub enum Outcome {
    /// It may run: an artifact is to be issued.
    Allow(Allowance),
    /// It may not.
    Deny(Refusal),
    /// Nothing was decided: the request is not of its form.
    Malformed(FormError),
}

/// A permitted request, not yet signed.
#[derive(Debug)]
pub struct Allowance {
    draft: artifact::Draft,
    policy: Arc<Policy>,
    salt: String,
    /// The decision input's canonical bytes.
    input: Vec<u8>,
    now: Time,
}

/// An artifact that must not leave before its event is durable.
#[derive(Debug)]
pub struct Issuance {
    /// The artifact.
    pub artifact: Artifact,
    /// The salt of its digests.
    pub salt: String,
    /// Its `authorization.issued`, with what has to be durable with it.
    pub event: sequencer::Draft,
}

/// Decides `request` by `current`; `authority` is who would issue.
#[must_use]
pub fn decide(authority: &str, current: &Current, request: Request) -> Outcome {
    let framed = match frame(current, &request) {
        Ok(framed) => framed,
        Err(Framing::Malformed(error)) => return Outcome::Malformed(error),
        Err(Framing::Refused(refusal)) => return Outcome::Deny(refusal),
    };
    match permit(authority, current, request, framed) {
        Ok(allowance) => Outcome::Allow(allowance),
        Err(refusal) => Outcome::Deny(refusal),
    }
}

enum Framing {
    Malformed(FormError),
    Refused(Refusal),
}

/// The operation with its scope sorted. What is past a limit is refused; what is no operation at all is not a request.
fn frame(current: &Current, request: &Request) -> Result<Operation, Framing> {
    let mut op = request.asked.op.clone();
    let malformed = |what: &str| Framing::Malformed(FormError(format!("op: {what}")));
    let limit =
        |what: &str| Framing::Refused(Refusal::of_request(Reason::LimitsExceeded, what.to_owned(), request, current));
    if op.get("params").is_some() {
        return Err(malformed("`params` is the authority's to set: send `request`"));
    }
    let Some(Value::Array(mut scope)) = op.remove("scope") else { return Err(malformed("`scope` is not an array")) };
    if scope.iter().any(|entry| entry.as_str().is_none()) {
        return Err(malformed("`scope` holds what is no string"));
    }
    if scope.len() > limits::MAX_SCOPE {
        return Err(limit("`scope` has more than 64 entries: ask for less at once"));
    }
    scope.sort_unstable_by(|a, b| a.as_str().cmp(&b.as_str()));
    if scope.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(malformed("`scope` names an entry twice"));
    }
    op.insert("scope", scope);
    // Sorted it is as large and as deep as it came.
    let as_it_came = || Value::Object(request.asked.op.clone());
    Operation::read(Value::Object(op)).map_err(|error| match Operation::check_size(&as_it_came()) {
        Err(_) => {
            limit("op is larger than 4 KiB, or deeper than 30 containers: send by digest what policy does not read")
        }
        Ok(()) => Framing::Malformed(error),
    })
}

/// The decision proper. Each step refuses with its reason; what is left is permitted.
fn permit(authority: &str, current: &Current, request: Request, op: Operation) -> Result<Allowance, Refusal> {
    let refuse = |reason, detail: String| Refusal::of_request(reason, detail, &request, current);
    if request.asked.identity != request.caller {
        let detail = "the request names another identity than the caller's credential stands for";
        return Err(refuse(Reason::IdentityMismatch, detail.to_owned()));
    }
    let env = environment(current, &request).map_err(|(reason, detail)| refuse(reason, detail))?;
    let resolved = resolve(current, &op.name, &env.runtime);
    let named = resolved.as_ref().map_or("", |policy| policy.bundle.reference.as_str());
    if let Some(row) = current.view.containment(&target(current, &request, &op, named)) {
        let (kind, subject, cause) = (&row.kind, &row.subject, &row.cause);
        let detail = format!("{kind} {subject} is {} ({cause}): an operator has to lift it", row.state.name());
        return Err(refuse(Reason::RuntimeContained, detail));
    }
    let policy = resolved.map_err(|(reason, detail)| refuse(reason, detail))?;
    let refuse = |reason, detail: String| refuse(reason, detail).under(&policy.bundle);
    let (op, salt) = bind(&policy.bundle.terms, &request, op).map_err(|(reason, detail)| refuse(reason, detail))?;
    if policy.bundle.terms.attestation > EvidenceLevel::Software {
        let detail = "the policy asks for hardware evidence, and the runtime has registered software only";
        return Err(refuse(Reason::RuntimeIntegrity, detail.to_owned()));
    }
    let input = input(policy, &request, op, env);
    let bytes = input.canonical();
    if let Decision::Deny(denial) = eleven_policy::decide(&policy.compiled, &input) {
        return Err(refuse(denial.reason, String::new()).by_rule(denial, bytes));
    }
    let draft = draft(authority, policy, input, &request);
    Ok(Allowance { draft, policy: Arc::clone(policy), salt, input: bytes, now: request.now })
}

/// All that is decided by: with the operator who had the caller's token issued, unless the policy's schema was written without that and
/// would have the request denied for it.
fn input(policy: &Policy, request: &Request, op: Operation, env: Environment) -> DecisionInput {
    let facts = Object::new().with_some("operator", request.operator.as_ref());
    let (identity, policy_id) = (request.caller.clone(), policy.bundle.id());
    let mut input = DecisionInput { identity, op, env, facts, policy: policy_id, at: request.now };
    if !input.facts.is_empty() && !policy.compiled.knows(&input) {
        input.facts = Object::new();
    }
    input
}

type Why = (Reason, String);

/// Region and tenancy from the registry: the acting point's own, or the one that all points of the runtime share.
fn environment(current: &Current, request: &Request) -> Result<Environment, Why> {
    let runtime = request.asked.runtime.clone();
    if let Some(point) = &request.point {
        let row = current.view.runtime(point);
        let row =
            row.ok_or_else(|| (Reason::RuntimeUnregistered, format!("{point} is not registered: register it")))?;
        if row.runtime != runtime {
            let detail = format!("{point} enforces for {} and not for {runtime}", row.runtime);
            return Err((Reason::EnvironmentMismatch, detail));
        }
        return Ok(Environment { runtime, region: row.region.clone(), tenancy: row.tenancy.clone() });
    }
    match current.placement(&runtime) {
        Some(Placement::One { region, tenancy }) => {
            Ok(Environment { runtime, region: region.clone(), tenancy: tenancy.clone() })
        }
        Some(Placement::Several) => {
            let detail =
                format!("the points of {runtime} stand in several places: ask through the one that is to run it");
            Err((Reason::EnvironmentMismatch, detail))
        }
        None => {
            let detail =
                format!("no enforcement point of {runtime} is registered: register one, or name another runtime");
            Err((Reason::RuntimeUnregistered, detail))
        }
    }
}

/// The one policy in force that covers operation and runtime.
fn resolve<'a>(current: &'a Current, operation: &str, runtime: &str) -> Result<&'a Arc<Policy>, Why> {
    let mut covering = current.view.policies_in_force(operation, runtime);
    let Some(row) = covering.next() else {
        let detail = format!("no policy in force covers {operation} on {runtime}: publish one that does");
        return Err((Reason::PolicyNone, detail));
    };
    if let Some(other) = covering.next() {
        let (one, other) = (&row.id.reference, &other.id.reference);
        let detail = format!("{one} and {other} both cover {operation} on {runtime}: retire or narrow one");
        return Err((Reason::PolicyAmbiguous, detail));
    }
    let missing =
        || (Reason::PolicyError, format!("the bundle of {} is not at hand or does not compile", row.id.reference));
    current.policy(&row.id.hash).ok_or_else(missing)
}

fn target<'a>(current: &'a Current, request: &'a Request, op: &'a Operation, policy: &'a str) -> Target<'a> {
    Target {
        point: request.point.as_deref().unwrap_or_default(),
        runtime: &request.asked.runtime,
        identity: &request.caller,
        operation: &op.name,
        model: op.named("model"),
        tool: op.named("tool"),
        policy,
        domain: current.view.domain(),
        origin: None,
        route: None,
    }
}

/// Holds the operation against the policy's terms, and binds the exact request where they ask for it.
fn bind(terms: &Terms, request: &Request, op: Operation) -> Result<(Operation, String), Why> {
    for pointer in &terms.sensitive {
        if let Some(clear) = in_clear(op.value(), pointer) {
            let sensitive = if clear == pointer {
                format!("`{pointer}` is sensitive under this policy")
            } else {
                format!("`{clear}` may hold `{pointer}`, which is sensitive under this policy")
            };
            return Err(match &request.point {
                // It commits what its view calls sensitive: this policy is not in its view yet.
                Some(_) => (
                    Reason::PolicyMismatch,
                    sensitive + ", and the point framed it by another: ask by the one in force",
                ),
                None => (Reason::OperationMismatch, sensitive + ": send its commitment instead of the value"),
            });
        }
    }
    let salt = match terms.digests {
        Digests::Salted => hash::base64(&request.random.salt),
        Digests::Plain => String::new(),
    };
    if !terms.bind_params {
        return Ok((op, salt));
    }
    let Some(binding) = &request.asked.request else {
        let detail = "the policy binds the exact request: send `request` with body, method and path";
        return Err((Reason::OperationMismatch, detail.to_owned()));
    };
    let bound = op.bound(binding.digest(&salt));
    bound.map(|op| (op, salt)).map_err(|error| (Reason::LimitsExceeded, error.to_string()))
}

/// What the artifact will say: as short, as few uses as the policy's terms have it.
fn draft(authority: &str, policy: &Policy, input: DecisionInput, request: &Request) -> artifact::Draft {
    let terms = &policy.bundle.terms;
    let back = if terms.ttl >= LEAST_SET_BACK { BACK } else { 0 };
    let nbf = request.now.plus_seconds(-back).whole_seconds();
    artifact::Draft {
        iss: authority.to_owned(),
        sub: input.identity,
        op: input.op,
        pol: input.policy,
        env: input.env,
        nbf,
        exp: nbf.plus_seconds(i64::try_from(terms.ttl).unwrap_or(limits::MAX_LIFE)),
        usage: usage(terms, artifact::nonce(&request.random.nonce)),
        parent: None,
        holder: None,
    }
}

/// Single use where the policy allows it, else its first mode.
fn usage(terms: &Terms, nonce: String) -> Use {
    let max = terms.max.unwrap_or(1);
    if terms.uses.contains(&UseMode::Single) {
        return Use::Single { nonce };
    }
    match terms.uses.first() {
        Some(UseMode::Bounded) => Use::Bounded { nonce, max },
        Some(UseMode::Rate) => Use::Rate { nonce, max, per: terms.per.unwrap_or(DEFAULT_PER) },
        Some(UseMode::Single) | None => Use::Single { nonce },
    }
}

impl Allowance {
    /// The refusal of what was permitted and can't be issued.
    #[must_use]
    pub fn refuse(self, reason: Reason, detail: &str) -> Refusal {
        let Self { draft, policy, now, .. } = self;
        let (identity, operation, runtime) = (Some(draft.sub), Some(draft.op.name), Some(draft.env.runtime));
        let about = About { identity, operation, runtime, ..About::default() };
        Refusal::new(reason, detail, (about, now)).under(&policy.bundle)
    }

    /// Signs the artifact and prepares its event.
    ///
    /// # Errors
    /// Where the artifact would be past a limit, or break a term of its own policy.
    pub fn issue(self, issuer: &dyn Signer) -> Result<Issuance, Refusal> {
        let Self { draft, policy, salt, input, now } = self;
        let (sub, name, runtime) = (draft.sub.clone(), draft.op.name.clone(), draft.env.runtime.clone());
        let refuse = |reason, detail: String| {
            let (identity, operation, runtime) = (Some(sub.clone()), Some(name.clone()), Some(runtime.clone()));
            let about = About { identity, operation, runtime, ..About::default() };
            Refusal::new(reason, detail, (about, now)).under(&policy.bundle)
        };
        let issued = draft.issue_beside(issuer, &input);
        let (artifact, request) = issued.map_err(|error| refuse(Reason::LimitsExceeded, error.to_string()))?;
        if let Some(term) = policy.bundle.broken_term(&artifact) {
            return Err(refuse(Reason::PolicyError, format!("the artifact would break the policy's term `{term}`")));
        }
        let data =
            Object::new().with("chash", artifact.chash).with("exp", artifact.exp.seconds()).with("request", request);
        let event = sequencer::Draft {
            event: "authorization.issued",
            place: Place::First { op: artifact.content_id().to_owned() },
            ts: now,
            data,
            about: About::artifact(&artifact),
            blobs: vec![artifact.canonical().to_vec(), input],
        };
        Ok(Issuance { artifact, salt, event })
    }
}

#[cfg(test)]
mod tests;
