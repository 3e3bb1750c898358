//! A refusal: a reason for machines, a sentence for people, and the event that records it.

use super::{Request, resolve};
use crate::registry::Current;
use crate::sequencer;
use eleven_api::problem::Problem;
use eleven_api::words::WOULD_PASS;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Place};
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_RUNTIME;
use eleven_core::name;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use eleven_policy::Denial;

/// The longest text of a policy's author that an event repeats: the bundle holds it whole.
const MAX_QUOTE: usize = 1024;
/// The longest name in an event that has to be a record whatever it names.
const MAX_NAME: usize = MAX_RUNTIME;

/// Why a request was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// Which rule refused and what would pass. It names nothing that the caller sent in confidence.
    pub detail: String,
    about: About,
    data: Object,
    blobs: Vec<Vec<u8>>,
    ts: Time,
}

impl Refusal {
    pub(super) fn new(reason: Reason, detail: impl Into<String>, (about, ts): (About, Time)) -> Self {
        let about = About { reason: Some(reason), ..about };
        Self { reason, detail: detail.into(), about, data: Object::new(), blobs: Vec::new(), ts }
    }

    /// The refusal of a caller of whose request nothing is known.
    pub(crate) fn of_caller(reason: Reason, detail: String, identity: String, ts: Time) -> Self {
        Self::new(reason, detail, (About { identity: Some(identity), ..About::default() }, ts))
    }

    /// The refusal of a request of which no policy was asked. It names the one that would have been, where there is one.
    pub(crate) fn of_request(reason: Reason, detail: String, request: &Request, current: &Current) -> Self {
        Self::new(reason, detail, (about_request(request, current), request.now))
    }

    /// The same refusal under the policy that decided.
    pub(super) fn under(mut self, policy: &PolicyBundle) -> Self {
        self.about.policy = Some(policy.id());
        self.about.policy_required = Some(policy.reference.clone());
        self
    }

    /// A refusal by the policy's own rules, with the input that they read.
    pub(super) fn by_rule(mut self, denial: Denial, input: Vec<u8>) -> Self {
        let policy = self.about.policy_required.clone().unwrap_or_default();
        let quoted = |text: Option<String>| text.filter(|text| text.len() <= MAX_QUOTE);
        self.detail = explain(&policy, &denial);
        self.data.insert("request", Sha3::of(&[&input]));
        if denial.forbids {
            self.data.insert("forbids", true);
        }
        if let Some(rule) = quoted(denial.rule) {
            self.data.insert("rule", rule);
        }
        if let Some(would_pass) = quoted(denial.would_pass) {
            self.data.insert("would_pass", would_pass);
        }
        self.blobs.push(input);
        self
    }

    /// Its `execution.denied`.
    #[must_use]
    pub fn event(&self) -> sequencer::Draft {
        sequencer::Draft {
            event: "execution.denied",
            place: Place::Alone,
            ts: self.ts,
            data: self.data.clone(),
            about: self.about.clone(),
            blobs: self.blobs.clone(),
        }
    }

    /// The same with nothing in its event that may be long: what no record holds whole is recorded without that.
    #[must_use]
    pub fn shortened(&self) -> Self {
        let mut short = self.clone();
        let fits = |name: &str| name.len() <= MAX_NAME;
        short.about.runtime = short.about.runtime.filter(|runtime| fits(runtime));
        short.about.policy = short.about.policy.filter(|policy| fits(&policy.reference));
        short.about.policy_required = short.about.policy_required.filter(|reference| fits(reference));
        short.data.remove("rule");
        short.data.remove("would_pass");
        short
    }

    /// The answer, once the event is durable in `lineage`.
    #[must_use]
    pub fn problem(&self, lineage: String) -> Problem {
        Problem::refused(self.reason, self.detail.clone()).in_lineage(lineage)
    }
}

/// What a denial of this request names. An operation that is none is left out.
fn about_request(request: &Request, current: &Current) -> About {
    let asked = request.asked.op.get("name").and_then(Value::as_str);
    let operation = asked.filter(|name| name::is_operation(name)).map(str::to_owned);
    let runtime = &request.asked.runtime;
    let required = operation.as_deref().and_then(|operation| resolve(current, operation, runtime).ok());
    About {
        identity: Some(request.caller.clone()),
        operation,
        runtime: Some(runtime.clone()),
        policy_required: required.map(|policy| policy.bundle.reference.clone()),
        ..About::default()
    }
}

/// The sentence for people: the rule, what was wrong, and what would pass.
fn explain(policy: &str, denial: &Denial) -> String {
    let mut text = match (denial.reason, &denial.rule) {
        (Reason::PolicyDenied, Some(rule)) if denial.forbids => format!("rule `{rule}` of {policy} forbids this"),
        (Reason::PolicyDenied, Some(rule)) => format!("rule `{rule}` of {policy} does not permit this"),
        (Reason::PolicyDenied, None) => format!("no rule of {policy} permits this"),
        (Reason::PolicyError, Some(rule)) => format!("rule `{rule}` of {policy} could not be evaluated"),
        (Reason::PolicyError, None) => format!("{policy} could not be evaluated"),
        (Reason::ApprovalRequired, _) => format!("{policy} wants approvals"),
        (reason, _) => format!("{policy} refused this ({reason})"),
    };
    if let Some(detail) = &denial.detail {
        text.push_str(": ");
        text.push_str(detail);
    }
    if let Some(would_pass) = &denial.would_pass {
        text.push_str("; ");
        text.push_str(WOULD_PASS);
        text.push_str(would_pass);
    }
    text
}
