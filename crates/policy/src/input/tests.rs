use super::*;
use crate::fixtures::{compiled, input};
use eleven_core::encoding::parse;

fn value() -> Value {
    input(compiled("permit(principal, action, resource);").id(), r#"{"model":"m","tokens":5}"#).to_value()
}

fn changed(member: &str, to: Option<Value>) -> Result<DecisionInput, FormError> {
    let mut object = value().as_object().unwrap().clone();
    match to {
        Some(value) => object.insert(member, value),
        None => object.remove(member),
    };
    DecisionInput::read(Value::Object(object))
}

#[test]
fn what_is_read_is_what_is_written() {
    let value = value();
    let read = DecisionInput::read(value.clone()).unwrap();
    assert_eq!(read.to_value(), value);
    assert_eq!(parse(&value.canonical()).unwrap(), value);
    assert_eq!(read.digest(), Sha3::of(&[&value.canonical()]));
}

#[test]
fn each_member_is_there_of_its_form_and_no_other() {
    for member in ["identity", "op", "env", "facts", "policy", "at"] {
        assert!(changed(member, None).is_err(), "{member} may be missing");
        assert!(changed(member, Some(Value::Int(1))).is_err(), "{member} may be a number");
    }
    assert!(changed("more", Some(Value::Bool(true))).is_err());
    assert!(changed("identity", Some("x".into())).is_err());
    assert!(changed("at", Some("2026-05-12T17:00:00Z".into())).is_err());
}

#[test]
fn every_part_moves_the_digest() {
    let digest = DecisionInput::read(value()).unwrap().digest();
    let others = [
        ("identity", Value::from("svc:other:prod")),
        ("facts", Value::Object(Object::new().with("mfa", true))),
        ("at", Value::from("2026-05-12T17:00:00.124Z")),
    ];
    for (member, other) in others {
        assert_ne!(changed(member, Some(other)).unwrap().digest(), digest, "{member}");
    }
}
