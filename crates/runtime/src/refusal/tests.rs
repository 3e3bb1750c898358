use super::*;
use eleven_core::limits;

#[test]
fn what_was_committed_is_past_a_limit_only_where_it_is() {
    let committed = || Value::Object(Object::new().with("_sd", format!("sha3-512:{}", "0".repeat(128))));
    let scope = Vec::<Value>::new();
    let nameless = Value::Object(Object::new().with("name", committed()).with("scope", scope.clone()));
    let large =
        Object::new().with("name", "model.invoke").with("scope", scope).with("user", "x".repeat(limits::MAX_OP));
    for (op, expected) in [(nameless, Reason::PolicyError), (Value::Object(large), Reason::LimitsExceeded)] {
        assert!(Operation::read(op.clone()).is_err());
        assert_eq!(unreadable(&op), expected);
    }
}
