//! Policy bundles, decision inputs, and what the one says about the other.

use crate::vectors;
use eleven_core::artifact::Artifact;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_LIFE;
use eleven_core::policy::PolicyBundle;
use eleven_core::time::Time;
use eleven_policy::{CompiledPolicy, Decision, DecisionInput, Replay, decide, replay};
use std::sync::OnceLock;

/// A policy bundle: what is read keeps the limits, what compiles decides the same twice, and permits only what it covers.
///
/// # Panics
/// Where a property does not hold.
pub fn bundle(bytes: &[u8]) {
    let Ok(value) = parse(bytes) else { return };
    let Ok(bundle) = PolicyBundle::read(value.clone()) else { return };
    assert_eq!(bundle.hash, Sha3::of_value(&value), "another hash than the content's");
    assert!(i64::try_from(bundle.terms.ttl).is_ok_and(|ttl| (1..=MAX_LIFE).contains(&ttl)), "past the limit");
    let Ok(policy) = CompiledPolicy::compile(&bundle) else { return };
    for stock in inputs() {
        let foreign = decide(&policy, stock);
        assert!(stock.policy == bundle.id() || matches!(foreign, Decision::Deny(_)), "permits under another policy");
        decided(&policy, &DecisionInput { policy: bundle.id(), ..stock.clone() }, &bundle);
    }
}

/// A decision input: what is read is written again, and every policy of the vectors decides it.
///
/// # Panics
/// Where a property does not hold.
pub fn decision(bytes: &[u8]) {
    let Ok(value) = parse(bytes) else { return };
    let Ok(input) = DecisionInput::read(value.clone()) else { return };
    assert_eq!(input.to_value(), value, "the input is written otherwise than it was read");
    assert_eq!(input.digest(), Sha3::of_value(&value), "another digest than the content's");
    for (bundle, policy) in policies() {
        decided(policy, &DecisionInput { policy: bundle.id(), ..input.clone() }, bundle);
    }
}

fn decided(policy: &CompiledPolicy, input: &DecisionInput, bundle: &PolicyBundle) {
    let decision = decide(policy, input);
    assert_eq!(decision, decide(policy, input), "the same input is decided otherwise");
    if matches!(decision, Decision::Permit { .. }) {
        assert!(bundle.operations.contains(&input.op.name), "permits an operation that it does not cover");
        assert_eq!(replay(bundle, &input.to_value()), Replay::Permits, "a permit that no replay confirms");
    }
}

/// One input for each artifact of the vectors: as it would have been asked for.
fn inputs() -> &'static [DecisionInput] {
    static INPUTS: OnceLock<Vec<DecisionInput>> = OnceLock::new();
    INPUTS.get_or_init(|| {
        let artifacts = vectors::objects_with(&["fields", "artifact"]);
        let artifacts = artifacts.into_iter().filter_map(|case| Artifact::read(case.get("artifact")?.clone()).ok());
        artifacts
            .map(|artifact| DecisionInput {
                identity: artifact.sub,
                op: artifact.op,
                env: artifact.env,
                facts: Object::new(),
                policy: artifact.pol,
                at: Time(1_778_605_200_000),
            })
            .collect()
    })
}

/// The policies of the vectors that compile.
fn policies() -> &'static [(PolicyBundle, CompiledPolicy)] {
    static POLICIES: OnceLock<Vec<(PolicyBundle, CompiledPolicy)>> = OnceLock::new();
    POLICIES.get_or_init(|| {
        let read = vectors::objects_with(&["cedar"]).into_iter().filter_map(|value| PolicyBundle::read(value).ok());
        read.filter_map(|bundle| CompiledPolicy::compile(&bundle).ok().map(|policy| (bundle, policy))).collect()
    })
}

/// Every policy bundle of the vectors, and one that says more than those do.
///
/// # Panics
/// Never: the one that is written here is JSON.
#[must_use]
pub fn bundles() -> Vec<Vec<u8>> {
    let mut bundles = vectors::objects_with(&["cedar"]);
    let rich = parse(
        br#"{"approvals":{"from":["human:alice"],"m":1},"delegates":["tool.call"],"durability":"D1",
        "max":5,"max_run":60,"per":10}"#,
    )
    .expect("JSON");
    let terms = vectors::merged(bundles[0].get("terms").expect("terms"), &rich, false);
    let cedar =
        "@advice(\"ask\") permit(principal, action, resource) when { context.op.n > 1 && context.op has model };
        forbid(principal, action, resource) unless { context.at like \"2026*\" };";
    let change = Object::new().with("terms", terms).with("cedar", cedar).with("entities", Vec::new());
    bundles.push(vectors::merged(&bundles[0], &Value::Object(change), false));
    vectors::canonical(&bundles)
}

/// The inputs as bytes.
#[must_use]
pub fn decisions() -> Vec<Vec<u8>> {
    inputs().iter().map(|input| input.to_value().canonical()).collect()
}
