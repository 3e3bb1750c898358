//! What the tests share: the bundles of the vectors, bundles around a Cedar text, and an input.

use crate::{CompiledPolicy, Decision, DecisionInput, Denial, PolicyError, decide};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::policy::{PolicyBundle, PolicyId};

pub(crate) const VECTORS: &str = include_str!("../../../spec/vectors/artifacts.json");
pub(crate) const CLINIC: &str = "k8s://cluster-east-1/ns/inference";

/// The bundles of `artifacts.json`, each with the hash that stands beside it.
pub(crate) fn vector_bundles() -> Vec<(PolicyBundle, String)> {
    let vectors = parse(VECTORS.as_bytes()).unwrap();
    let policies = vectors.get("policies").and_then(Value::as_array).unwrap();
    policies
        .iter()
        .map(|policy| {
            let bundle = PolicyBundle::read(policy.get("bundle").unwrap().clone()).unwrap();
            (bundle, policy.get("hash").and_then(Value::as_str).unwrap().to_owned())
        })
        .collect()
}

/// A bundle's value around a Cedar text: `model.invoke` and `tool.call` on `k8s://*/ns/*`.
pub(crate) fn bundle_value(cedar: &str) -> Object {
    let terms = parse(
        br#"{"ttl":300,"use":["single"],"bind_params":false,"digests":"plain","release":"whole","attestation":"software","sensitive":[]}"#,
    )
    .unwrap();
    Object::new()
        .with("v", "1")
        .with("ref", "policy://test/v1")
        .with("operations", vec![Value::from("model.invoke"), Value::from("tool.call")])
        .with("runtimes", vec![Value::from("k8s://*/ns/*")])
        .with("cedar", cedar)
        .with("schema", Value::Null)
        .with("terms", terms)
}

pub(crate) fn bundle(cedar: &str) -> PolicyBundle {
    PolicyBundle::read(Value::Object(bundle_value(cedar))).unwrap()
}

pub(crate) fn compile_with(cedar: &str, member: &str, value: impl Into<Value>) -> Result<CompiledPolicy, PolicyError> {
    CompiledPolicy::compile(&PolicyBundle::read(Value::Object(bundle_value(cedar).with(member, value))).unwrap())
}

pub(crate) fn compiled(cedar: &str) -> CompiledPolicy {
    CompiledPolicy::compile(&bundle(cedar)).unwrap()
}

/// The input of the gateway's identity for `model.invoke` with these further parameters of `op`.
pub(crate) fn input(policy: &PolicyId, parameters: &str) -> DecisionInput {
    let mut op = match parse(parameters.as_bytes()).unwrap() {
        Value::Object(op) => op,
        other => panic!("{other} is no object"),
    };
    if op.get("name").is_none() {
        op.insert("name", "model.invoke");
    }
    if op.get("scope").is_none() {
        op.insert("scope", vec![Value::from("phi.no_export"), Value::from("read")]);
    }
    let env = Object::new().with("runtime", CLINIC).with("region", "us-east").with("tenancy", "clinic");
    let value = Object::new()
        .with("identity", "svc:inference-gateway:prod")
        .with("op", op)
        .with("env", env)
        .with("facts", Object::new())
        .with("policy", policy.to_value())
        .with("at", "2026-05-12T17:00:00.123Z");
    DecisionInput::read(Value::Object(value)).unwrap()
}

/// What a Cedar text decides about an `op` with these parameters.
pub(crate) fn decision(cedar: &str, parameters: &str) -> Decision {
    let policy = compiled(cedar);
    decide(&policy, &input(policy.id(), parameters))
}

pub(crate) fn denial(decision: Decision) -> Denial {
    match decision {
        Decision::Deny(denial) => denial,
        Decision::Permit { rule } => panic!("`{rule}` permitted it"),
    }
}
