//! The decision (PROTOCOL 4.1, invariant 10): permit, or deny with a reason and with what a person needs to get further.

use crate::compile::{Cedar, CompiledPolicy, Rule};
use crate::{request, stack};
use cedar_policy::authorization_errors::PolicyEvaluationError;
use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Entities, EntityTypeName, EntityUid, PrincipalConstraint,
    Request, ResourceConstraint, Response,
};
use eleven_core::decision::DecisionInput;
use eleven_core::encoding::{Object, Value};
use eleven_core::policy::Approvals;
use eleven_core::reason::Reason;
use std::collections::HashSet;

/// Bytes of a rule's text that still say what would pass.
const READABLE: usize = 1024;

/// What a policy says about an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may run.
    Permit {
        /// The rule that permits it; of several the first of the text.
        rule: String,
    },
    /// It may not.
    Deny(Denial),
}

/// Why not. Only `reason` is normative; the rest is for whoever has to understand it, and may name what is in the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The code.
    pub reason: Reason,
    /// The rule it hung on: the `forbid` that holds, the rule that failed, or the `permit` that came closest.
    pub rule: Option<String>,
    /// Whether that is a `forbid`, which holds whatever the permits say.
    pub forbids: bool,
    /// What would pass: the rule's `@advice`, or the text of the `permit` that came closest where it is short.
    pub would_pass: Option<String>,
    /// What was wrong, where the input or a rule could not be evaluated. It may quote the input.
    pub detail: Option<String>,
}

impl Denial {
    const fn of(reason: Reason) -> Self {
        Self { reason, rule: None, forbids: false, would_pass: None, detail: None }
    }

    fn because(reason: Reason, detail: String) -> Self {
        Self { detail: Some(detail), ..Self::of(reason) }
    }
}

/// Decides by `policy`. Reasons: `policy.mismatch` where the input names another policy, `policy.none` where this one does
/// not cover the operation on the runtime, `policy.error` where anything fails to evaluate, `policy.denied` where no
/// `permit` holds or a `forbid` does, `approval.required` where too few approvals stand in `facts.approvals`. The verdict is
/// the same whatever stack the caller has left.
#[must_use]
pub fn decide(policy: &CompiledPolicy, input: &DecisionInput) -> Decision {
    match stack::deciding(policy.cedar.signs, || permitting_rule(policy, input)) {
        Ok(rule) => Decision::Permit { rule },
        Err(denial) => Decision::Deny(denial),
    }
}

impl CompiledPolicy {
    /// Whether its schema, where it has one, knows such a request: one that it doesn't know is `policy.error`.
    #[must_use]
    pub fn knows(&self, input: &DecisionInput) -> bool {
        let asked = || request::is_known(&self.cedar, input);
        self.cedar.schema.is_none() || stack::deciding(self.cedar.signs, asked)
    }
}

fn permitting_rule(policy: &CompiledPolicy, input: &DecisionInput) -> Result<String, Denial> {
    if input.policy != *policy.id() {
        return Err(Denial::of(Reason::PolicyMismatch));
    }
    if !policy.covers(&input.op.name, &input.env.runtime) {
        return Err(Denial::of(Reason::PolicyNone));
    }
    let rule = evaluate(&policy.cedar, input)?;
    if let Some(approvals) = policy.approvals() {
        require_approvals(approvals, &input.facts)?;
    }
    Ok(rule)
}

/// The first rule that permits, where no rule fails and none forbids.
fn evaluate(cedar: &Cedar, input: &DecisionInput) -> Result<String, Denial> {
    let request = request::of(cedar, input).map_err(|detail| Denial::because(Reason::PolicyError, detail))?;
    let sets = cedar.slices.for_operation(&input.op.name);
    let authorizer = Authorizer::new();
    let responses: Vec<Response> =
        sets.map(|rules| authorizer.is_authorized(&request, rules, &cedar.entities)).collect();
    if let Some(denial) = failed(cedar, &responses) {
        return Err(denial);
    }
    if let Some(rule) = determining(cedar, &responses, cedar_policy::Decision::Deny) {
        return Err(forbidden(rule));
    }
    match determining(cedar, &responses, cedar_policy::Decision::Allow) {
        Some(rule) => Ok(rule.id.clone()),
        None => Err(not_permitted(closest_permit(cedar, &request))),
    }
}

/// The denial where a rule could not be evaluated, whatever the other rules say.
fn failed(cedar: &Cedar, responses: &[Response]) -> Option<Denial> {
    let errors: Vec<&PolicyEvaluationError> = responses
        .iter()
        .flat_map(|response| response.diagnostics().errors())
        .map(|AuthorizationError::PolicyEvaluationError(error)| error)
        .collect();
    if errors.is_empty() {
        return None;
    }
    let rule = cedar.first(errors.iter().map(|error| error.policy_id()));
    let said = errors.iter().find(|error| rule.is_some_and(|rule| error.policy_id() == rule.policy.id()));
    Some(Denial {
        rule: rule.map(|rule| rule.id.clone()),
        detail: said.map(|error| error.inner().to_string()),
        ..Denial::of(Reason::PolicyError)
    })
}

/// Of the rules on which responses with this decision rest, the first of the text. An allow rests on the permits that
/// hold; a denial on the forbids that hold, or on none where merely no permit does.
fn determining<'a>(cedar: &'a Cedar, responses: &[Response], decision: cedar_policy::Decision) -> Option<&'a Rule> {
    let such = responses.iter().filter(|response| response.decision() == decision);
    cedar.first(such.flat_map(|response| response.diagnostics().reason()))
}

fn forbidden(rule: &Rule) -> Denial {
    let (id, would_pass) = (rule.id.clone(), rule.advice.clone());
    Denial { rule: Some(id), forbids: true, would_pass, ..Denial::of(Reason::PolicyDenied) }
}

fn not_permitted(closest: Option<&Rule>) -> Denial {
    let would_pass = closest.and_then(|rule| rule.advice.clone().or_else(|| short_text(rule)));
    Denial { rule: closest.map(|rule| rule.id.clone()), would_pass, ..Denial::of(Reason::PolicyDenied) }
}

/// The text of a rule, where a person would still read it; the rule is named in any case.
fn short_text(rule: &Rule) -> Option<String> {
    let text = rule.policy.to_string();
    let text = text.trim();
    (text.len() <= READABLE).then(|| text.to_owned())
}

/// Of the permits for the action, the first whose head fits the request and that only its conditions kept from holding;
/// else the first.
fn closest_permit<'a>(cedar: &'a Cedar, request: &Request) -> Option<&'a Rule> {
    let head = Head { entities: &cedar.entities, request };
    let mut permits = cedar.named.iter().filter(|rule| rule.permits && head.fits_action(rule));
    let first = permits.clone().next();
    permits.find(|rule| head.fits_principal(rule) && head.fits_resource(rule)).or(first)
}

/// Whether the head of a rule fits a request: only to explain a denial, never to decide.
struct Head<'a> {
    entities: &'a Entities,
    request: &'a Request,
}

impl Head<'_> {
    fn fits_action(&self, rule: &Rule) -> bool {
        match rule.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => self.request.action() == Some(&action),
            ActionConstraint::In(groups) => groups.iter().any(|group| self.is_in(self.request.action(), group)),
        }
    }

    fn fits_principal(&self, rule: &Rule) -> bool {
        let principal = self.request.principal();
        match rule.policy.principal_constraint() {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(other) => principal == Some(&other),
            PrincipalConstraint::In(group) => self.is_in(principal, &group),
            PrincipalConstraint::Is(kind) => is(principal, &kind),
            PrincipalConstraint::IsIn(kind, group) => is(principal, &kind) && self.is_in(principal, &group),
        }
    }

    fn fits_resource(&self, rule: &Rule) -> bool {
        let resource = self.request.resource();
        match rule.policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Eq(other) => resource == Some(&other),
            ResourceConstraint::In(group) => self.is_in(resource, &group),
            ResourceConstraint::Is(kind) => is(resource, &kind),
            ResourceConstraint::IsIn(kind, group) => is(resource, &kind) && self.is_in(resource, &group),
        }
    }

    fn is_in(&self, uid: Option<&EntityUid>, group: &EntityUid) -> bool {
        uid.is_some_and(|uid| uid == group || self.entities.is_ancestor_of(group, uid))
    }
}

fn is(uid: Option<&EntityUid>, kind: &EntityTypeName) -> bool {
    uid.is_some_and(|uid| uid.type_name() == kind)
}

/// Whether `facts.approvals`, identities whose approvals the authority verified for this very request, are enough. One
/// identity counts once, and only where the policy names it.
fn require_approvals(approvals: &Approvals, facts: &Object) -> Result<(), Denial> {
    let given = facts.get("approvals").and_then(Value::as_array).unwrap_or_default();
    let given: HashSet<&str> = given.iter().filter_map(Value::as_str).collect();
    let counted: HashSet<&str> =
        approvals.from.iter().map(String::as_str).filter(|name| given.contains(name)).collect();
    if u64::try_from(counted.len()).is_ok_and(|counted| counted >= approvals.m) {
        return Ok(());
    }
    let would_pass = format!("{} approvals from {}", approvals.m, approvals.from.join(", "));
    Err(Denial { would_pass: Some(would_pass), ..Denial::of(Reason::ApprovalRequired) })
}

#[cfg(test)]
mod tests;
