//! What a decision costs: finding the policy among many, and evaluating it. `cargo bench -p eleven-policy`.
#![allow(missing_docs, reason = "criterion's macros make items")]

use criterion::{Criterion, criterion_group, criterion_main};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::policy::PolicyBundle;
use eleven_policy::{Decision, DecisionInput, InForce, decide, replay};
use std::hint::black_box;

const RUNTIME: &str = "k8s://cluster-east-1/ns/inference";
const MEDICAL: &str = r#"permit(principal, action == Action::"model.invoke", resource)
    when { context.op.scope.contains("phi.no_export") };"#;
const SCHEMA: &str = r#"
entity Identity;
entity Runtime;
action "model.invoke" appliesTo { principal: Identity, resource: Runtime, context: {
  identity: { id: String, kind: String, name: String, env?: String, domain?: String },
  op: { name: String, scope: Set<String>, model: String, max_tokens: Long, params: String, patient: { "_sd": String } },
  env: { runtime: String, region: String, tenancy: String },
  facts: {}, at: datetime } };
"#;

fn bundle(reference: &str, operation: &str, cedar: &str, schema: Option<&str>) -> PolicyBundle {
    let terms = br#"{"ttl":300,"use":["single"],"bind_params":true,"digests":"salted","release":"whole","attestation":"software","sensitive":["/op/patient"]}"#;
    let value = Object::new()
        .with("v", "1")
        .with("ref", reference)
        .with("operations", vec![Value::from(operation)])
        .with("runtimes", vec![Value::from("k8s://*/ns/inference")])
        .with("cedar", cedar)
        .with("schema", schema.map_or(Value::Null, Value::from))
        .with("terms", parse(terms).expect("the terms are JSON"));
    PolicyBundle::read(Value::Object(value)).expect("the bundle is of its form")
}

fn input(policy: &PolicyBundle) -> DecisionInput {
    let op = format!(
        r#"{{"name":"model.invoke","model":"summarizer-1","max_tokens":512,"scope":["phi.no_export","phi.read"],"patient":{{"_sd":"{}"}},"params":"{}"}}"#,
        policy.hash, policy.hash
    );
    let env = format!(r#"{{"runtime":"{RUNTIME}","region":"us-east","tenancy":"clinic"}}"#);
    let value = Object::new()
        .with("identity", "svc:inference-gateway:prod")
        .with("op", parse(op.as_bytes()).expect("op is JSON"))
        .with("env", parse(env.as_bytes()).expect("env is JSON"))
        .with("facts", Object::new())
        .with("policy", policy.id().to_value())
        .with("at", "2026-05-12T17:00:00.123Z");
    DecisionInput::read(Value::Object(value)).expect("the input is of its form")
}

/// `count` policies in force, of which one covers what is asked.
fn loaded(asked: &PolicyBundle, count: usize) -> InForce {
    let others = (1..count).map(|n| bundle(&format!("policy://other/p{n}/v1"), &format!("other.{n}"), MEDICAL, None));
    let bundles: Vec<PolicyBundle> = others.chain([asked.clone()]).collect();
    InForce::default().next(&bundles).expect("the bundles compile")
}

fn resolve_and_decide(set: &InForce, input: &DecisionInput) -> bool {
    let policy = set.resolve(&input.op.name, &input.env.runtime).expect("one policy covers it");
    matches!(decide(policy, input), Decision::Permit { .. })
}

fn benches(c: &mut Criterion) {
    let medical = bundle("policy://medical/inference/v3", "model.invoke", MEDICAL, None);
    let asked = input(&medical);
    for count in [1, 100, 10_000] {
        let set = loaded(&medical, count);
        c.bench_function(&format!("resolve, {count} policies"), |b| {
            b.iter(|| black_box(set.resolve(black_box("model.invoke"), RUNTIME)).is_ok());
        });
        c.bench_function(&format!("resolve and decide, {count} policies"), |b| {
            b.iter(|| assert!(resolve_and_decide(&set, black_box(&asked))));
        });
    }

    let with_schema = bundle("policy://medical/inference/v3", "model.invoke", MEDICAL, Some(SCHEMA));
    let (set, of_schema) = (loaded(&with_schema, 1), input(&with_schema));
    c.bench_function("decide, request validated by a schema", |b| {
        b.iter(|| assert!(resolve_and_decide(&set, black_box(&of_schema))));
    });

    for (what, action) in [("other operations", "action == Action::\"tool.call\""), ("any operation", "action")] {
        let forbid = |n| format!("forbid(principal == Identity::\"svc:blocked-{n}:prod\", {action}, resource);\n");
        let rules: String = (0..99).map(forbid).chain([MEDICAL.to_owned()]).collect();
        let policy = bundle("policy://medical/inference/v3", "model.invoke", &rules, None);
        let (set, of_policy) = (loaded(&policy, 1), input(&policy));
        c.bench_function(&format!("decide, 99 more rules in the bundle, for {what}"), |b| {
            b.iter(|| assert!(resolve_and_decide(&set, black_box(&of_policy))));
        });
    }

    c.bench_function("digest of the input", |b| b.iter(|| black_box(&asked).digest()));
    let value = asked.to_value();
    c.bench_function("replay, compiled anew", |b| b.iter(|| replay(black_box(&medical), &value)));
}

criterion_group!(group, benches);
criterion_main!(group);
