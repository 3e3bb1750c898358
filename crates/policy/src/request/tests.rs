use super::moment;
use crate::fixtures::{compile_with, compiled, decision, denial, input};
use crate::{Decision, decide};
use cedar_policy::RestrictedExpression;
use eleven_core::encoding::{Object, Value};
use eleven_core::reason::Reason;
use eleven_core::time::Time;

fn permits_when(condition: &str, parameters: &str) -> bool {
    let cedar = format!("permit(principal, action, resource) when {{ {condition} }};");
    matches!(decision(&cedar, parameters), Decision::Permit { .. })
}

#[test]
fn the_context_holds_the_whole_input() {
    let parameters = r#"{"model":"m-1","tokens":-7,"stream":true,"options":{"tools":["a","b","a"]},"empty":[]}"#;
    let conditions = [
        r#"principal == Identity::"svc:inference-gateway:prod""#,
        r#"action == Action::"model.invoke""#,
        r#"resource == Runtime::"k8s://cluster-east-1/ns/inference""#,
        r#"context.identity.id == "svc:inference-gateway:prod" && context.identity.kind == "svc""#,
        r#"context.identity.name == "inference-gateway" && context.identity.env == "prod""#,
        r#"!(context.identity has domain)"#,
        r#"context.op.name == "model.invoke" && context.op.scope == ["read", "phi.no_export"]"#,
        r#"context.op.model == "m-1" && context.op.tokens < 0 && context.op.stream"#,
        r#"context.op.options.tools == ["b", "a"] && context.op.empty == []"#,
        r#"context.env == {runtime: "k8s://cluster-east-1/ns/inference", region: "us-east", tenancy: "clinic"}"#,
        r#"context.facts == {}"#,
        r#"context.at == datetime("2026-05-12T17:00:00.123Z")"#,
        r#"context.at.toTime() >= duration("9h") && context.at < datetime("2026-05-13")"#,
    ];
    for condition in conditions {
        assert!(permits_when(condition, parameters), "{condition}");
    }
}

#[test]
fn a_moment_is_what_cedar_makes_of_its_text() {
    let policy = compiled("permit(principal, action, resource);");
    for at in [Time(0), Time(-1), Time(1_778_605_451_123), Time(253_402_300_799_999)] {
        assert_eq!(moment(&policy.cedar.types, at), RestrictedExpression::new_datetime(at.millis()), "{at}");
    }
}

#[test]
fn an_identity_of_another_domain_says_so() {
    let policy = compiled(r#"permit(principal, action, resource) when { context.identity.domain == "eu.example" };"#);
    let mut asked = input(policy.id(), "{}");
    asked.identity = "agent:scribe@eu.example".into();
    assert!(matches!(decide(&policy, &asked), Decision::Permit { .. }));
    asked.identity = "agent:scribe@us.example".into();
    assert_eq!(denial(decide(&policy, &asked)).reason, Reason::PolicyDenied);
}

#[test]
fn null_has_no_meaning_in_a_policy() {
    for parameters in [r#"{"model":null}"#, r#"{"tools":["a",null]}"#, r#"{"options":{"deep":[{"x":null}]}}"#] {
        let denied = denial(decision("permit(principal, action, resource);", parameters));
        assert_eq!(denied.reason, Reason::PolicyError, "{parameters}");
        assert!(denied.detail.unwrap().contains("null"));
    }
    let policy = compiled("permit(principal, action, resource);");
    let mut asked = input(policy.id(), "{}");
    asked.facts.insert("mfa", Value::Null);
    assert_eq!(denial(decide(&policy, &asked)).reason, Reason::PolicyError);
}

#[test]
fn what_a_caller_writes_stays_data() {
    let entity = r#"{"who":{"__entity":{"type":"Identity","id":"svc:admin:prod"}}}"#;
    assert!(!permits_when(r#"context.op.who == Identity::"svc:admin:prod""#, entity));
    assert!(permits_when(r#"context.op.who["__entity"].id == "svc:admin:prod""#, entity));
    let extension = r#"{"from":{"__extn":{"fn":"ip","arg":"10.0.0.1"}}}"#;
    assert!(!permits_when(r#"context.op.from == ip("10.0.0.1")"#, extension));
}

#[test]
fn entities_are_the_bundle_s_own() {
    let cedar = r#"permit(principal in Group::"gateways", action, resource);"#;
    let uid = |kind: &str, id: &str| Value::Object(Object::new().with("type", kind).with("id", id));
    let member = Object::new()
        .with("uid", uid("Identity", "svc:inference-gateway:prod"))
        .with("attrs", Object::new())
        .with("parents", vec![uid("Group", "gateways")]);
    let policy = compile_with(cedar, "entities", vec![member.into()]).unwrap();
    let mut asked = input(policy.id(), "{}");
    assert!(matches!(decide(&policy, &asked), Decision::Permit { .. }));
    asked.identity = "svc:other:prod".into();
    assert_eq!(denial(decide(&policy, &asked)).reason, Reason::PolicyDenied);
}

#[test]
fn a_request_that_is_not_of_the_schema_is_an_error() {
    let forbidding = r#"permit(principal, action, resource);
        forbid(principal, action, resource) when { context.op has tokens && context.op.tokens > 100 };"#;
    let policy = compile_with(forbidding, "schema", crate::compile::tests::SCHEMA).unwrap();
    let decided = |parameters| decide(&policy, &input(policy.id(), parameters));
    assert!(matches!(decided(r#"{"tokens":5}"#), Decision::Permit { .. }));
    assert_eq!(denial(decided(r#"{"tokens":500}"#)).reason, Reason::PolicyDenied);
    assert_eq!(denial(decided(r#"{"tokens":"500"}"#)).reason, Reason::PolicyError);
    assert_eq!(denial(decided(r#"{"unheard_of":1}"#)).reason, Reason::PolicyError);
    let told = |parameters| denial(decided(parameters)).detail.unwrap();
    assert!(told(r#"{"unheard_of":1}"#).contains("does not know `op.unheard_of` for the action \"model.invoke\""));
    assert!(told(r#"{"model":"m","tokens":"500"}"#).contains("`op.tokens`"));
    assert!(told(r#"{"tokens":"500","unheard_of":1}"#).contains("is not valid"), "of several none is the one");
    assert!(policy.knows(&input(policy.id(), r#"{"tokens":500}"#)), "it is denied, and no error");
    assert!(!policy.knows(&input(policy.id(), r#"{"unheard_of":1}"#)));
    assert!(
        compiled(forbidding).knows(&input(policy.id(), r#"{"unheard_of":1}"#)),
        "without a schema nothing is unknown"
    );
}
