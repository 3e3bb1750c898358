use super::*;
use crate::encoding::parse;
use alloc::vec;

fn value() -> Value {
    let scope = vec![Value::from("phi.no_export"), Value::from("phi.read")];
    let op = Object::new().with("name", "model.invoke").with("scope", scope).with("model", "m").with("tokens", 5u32);
    let env = Object::new().with("runtime", "k8s://c/ns/inference").with("region", "us-east").with("tenancy", "clinic");
    let policy = PolicyId { reference: "policy://test/v1".into(), hash: Sha3::of(&[b"bundle"]) };
    let input = Object::new().with("identity", "svc:gateway:prod").with("op", op).with("env", env);
    let input = input.with("facts", Object::new()).with("policy", policy.to_value());
    Value::Object(input.with("at", "2026-05-12T17:00:00.123Z"))
}

fn changed(member: &str, to: Option<Value>) -> Result<DecisionInput, FormError> {
    let mut object = value().as_object().expect("an object").clone();
    match to {
        Some(value) => object.insert(member, value),
        None => object.remove(member),
    };
    DecisionInput::read(Value::Object(object))
}

#[test]
fn what_is_read_is_what_is_written() {
    let value = value();
    let read = DecisionInput::read(value.clone()).expect("of its form");
    assert_eq!(read.to_value(), value);
    assert_eq!(parse(&value.canonical()).expect("I-JSON"), value);
    assert_eq!(read.canonical(), value.canonical());
    assert_eq!(read.digest(), Sha3::of(&[&value.canonical()]));
    let facts = Object::new().with("operator", "human:\"o\"").with("approvals", vec![Value::from("human:lead")]);
    let told = DecisionInput { facts, ..read };
    assert_eq!(told.canonical(), told.to_value().canonical());
}

#[test]
fn each_member_is_there_of_its_form_and_no_other() {
    for member in ["identity", "op", "env", "facts", "policy", "at"] {
        assert!(changed(member, None).is_err(), "{member} may be missing");
        assert!(changed(member, Some(Value::Int(1))).is_err(), "{member} may be a number");
        assert!(changed(member, Some(Value::Null)).is_err(), "{member} may be null");
    }
    assert!(changed("more", Some(Value::Bool(true))).is_err());
    assert!(changed("identity", Some("x".into())).is_err());
    assert!(changed("at", Some("2026-05-12T17:00:00Z".into())).is_err());
}

#[test]
fn an_input_has_so_many_bytes_and_no_more() {
    let told = |bytes: usize| changed("facts", Some(Value::Object(Object::new().with("note", "a".repeat(bytes)))));
    let around = told(0).expect("of its form").canonical().len();
    assert_eq!(told(MAX_DECISION - around).expect("as many as it may").canonical().len(), MAX_DECISION);
    assert!(told(MAX_DECISION - around + 1).is_err());
}

#[test]
fn every_part_moves_the_digest() {
    let digest = DecisionInput::read(value()).expect("of its form").digest();
    let others = [
        ("identity", Value::from("svc:other:prod")),
        ("facts", Value::Object(Object::new().with("mfa", true))),
        ("at", Value::from("2026-05-12T17:00:00.124Z")),
    ];
    for (member, other) in others {
        assert_ne!(changed(member, Some(other)).expect("of its form").digest(), digest, "{member}");
    }
}
