//! `policy.*`: the policy is the one that was published, covers the operation, and its terms were kept.

use super::{Judged, Signed, Stop, failed, hold};
use crate::caller::ReplayResult;
use crate::shown::Shown;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::artifact::{Artifact, Operation};
use eleven_core::decision::DecisionInput;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::registry::{PublishedPolicy, pattern};
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_core::time::Time;

/// It is the artifact's by reference and hash, covers its operation on its runtime, and the artifact keeps its terms.
pub(super) fn hash(shown: &Shown<'_>) -> Judged {
    let (artifact, policy) = (shown.artifact()?, shown.policy()?);
    if policy.id() != artifact.pol {
        let (found, named) = (policy.id(), &artifact.pol);
        return failed(format!(
            "the artifact names `{}` with {}, shown is `{}` with {}",
            named.reference, named.hash, found.reference, found.hash
        ));
    }
    let runtime = &artifact.env.runtime;
    let covered = policy.runtimes.iter().any(|pattern| pattern::matches(pattern, runtime));
    if !covered {
        return failed(format!("the policy does not cover the runtime `{runtime}`"));
    }
    if let Some(term) = policy.broken_term(artifact) {
        return failed(format!("the artifact does not keep the policy's `{term}`"));
    }
    if policy.terms.approvals.is_some() || policy.terms.envelope.is_some() {
        return Err(Stop::NotChecked(
            "all that is shown was kept; that the policy's `approvals` were given, or its `envelope` was kept, no file shows",
        ));
    }
    Ok(())
}

/// The policy key published it, as it stood then, before the artifact was issued.
pub(super) fn published(shown: &Shown<'_>) -> Judged<Vec<Signed>> {
    let (artifact, policy) = (shown.artifact()?, shown.policy()?);
    let (entry, event) = shown.shown_entry("published")?;
    if event.record.event != "policy.published" {
        return failed(format!("the publication is an event `{}`", event.record.event));
    }
    let published = PublishedPolicy::read(Value::Object(event.record.data.clone()))?;
    let record = &published.record;
    let same = record.id.reference == artifact.pol.reference
        && record.id.hash == policy.hash
        && record.operations == policy.operations
        && record.runtimes == policy.runtimes;
    hold(same, "what was published is another policy, or covers something else")?;
    event.hashes_follow()?;
    shown.included(&entry, &event)?;
    let (seq, issued) = (entry.header.seq, shown.entry(0)?.header.seq);
    if seq >= issued {
        return failed(format!("published in entry {seq}, issued in entry {issued} already"));
    }
    let at = entry.header.at;
    const OTHERWISE: &str = "no policy key of the root that counted then signed the publication";
    let root = root_at(shown, at)?;
    let key = root.role(KeyUse::Policy, &published.sig.kid, at).and_then(|key| shown.caller.ready(key));
    let Some(key) = key else { return failed(OTHERWISE) };
    Ok(vec![Signed::by(&key, published.signed_bytes(&root.domain), &published.sig.val, OTHERWISE)])
}

/// The newest root that was there at `at`; the oldest where none is shown.
fn root_at<'a>(shown: &'a Shown<'_>, at: Time) -> Judged<&'a TrustRoot> {
    let roots = shown.roots()?;
    let there = roots.iter().rev().find(|root| root.nbf <= at);
    there.or_else(|| roots.first()).map_or_else(|| failed("the bundle has no roots"), Ok)
}

/// The decision input is the recorded one, asks for what was authorised, and the policy permits it again.
pub(super) fn replay(shown: &Shown<'_>) -> Judged {
    shown.not_of_denial()?;
    let Some(decision) = shown.value.get("decision") else {
        return Err(Stop::NotChecked("the bundle shows no decision input"));
    };
    let recorded = shown.event(0)?.record.data_str("request").and_then(Sha3::parse);
    hold(recorded == Some(Sha3::of_value(decision)), "the decision input is not the one that was recorded")?;
    // What is none can't be decided again, whoever would.
    asks_for(&DecisionInput::read(decision.clone())?, shown.artifact()?)?;
    let Some(replay) = shown.caller.replay else {
        return Err(Stop::NotChecked("the decision input is the recorded one, and nothing is here to evaluate policy"));
    };
    match replay(shown.policy()?, decision) {
        ReplayResult::Permits => Ok(()),
        ReplayResult::Denies(reason) => failed(format!("the policy permitted then and denies now: {reason}")),
        ReplayResult::Unreadable => failed("the policy does not compile, or the decision input is none"),
    }
}

/// Whether a decision input asks for what the artifact authorises. Some issuer adds the request's digest after the decision; where it was
/// decided about, it is the artifact's.
fn asks_for(input: &DecisionInput, artifact: &Artifact) -> Judged {
    let without_params = |op: &Operation| op.value().as_object().map(|op| op.canonical_without(&["params"]));
    let same = input.identity == artifact.sub
        && without_params(&input.op) == without_params(&artifact.op)
        && (input.op.params.is_none() || input.op.params == artifact.op.params)
        && input.env == artifact.env
        && input.policy == artifact.pol;
    hold(same, "the decision was about another identity, operation, environment or policy than the artifact's")
}
