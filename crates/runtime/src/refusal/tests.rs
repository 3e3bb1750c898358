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

#[test]
fn whoever_is_refused_reads_what_would_pass_once_whatever_the_reason() {
    for reason in Reason::ALL {
        let denied = Problem::refused(*reason, "it is so").in_lineage("lineage://op/X");
        let told = message(&denied);
        assert!(told.starts_with(&format!("{reason}: it is so; {WOULD_PASS}{} (", would_pass(*reason))), "{told}");
        assert!(told.ends_with("(lineage://op/X; `eleven why` explains it)"), "{told}");
        // What befell an operation that had passed is no denial.
        assert!(!message(&denied.once_allowed()).contains(WOULD_PASS));
    }
    // In its author's words, where a policy denied.
    let by_rule =
        Problem::refused(Reason::PolicyDenied, format!("rule `r` does not permit this; {WOULD_PASS}another model"));
    assert_eq!(message(&by_rule), format!("policy.denied: rule `r` does not permit this; {WOULD_PASS}another model"));
    assert_eq!(message(&Problem::malformed("no JSON")), "no JSON");
}

#[test]
fn the_type_of_an_error_says_whose_it_is() {
    for (status, expected) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (405, "invalid_request_error"),
        // Its body did not come.
        (408, "invalid_request_error"),
        (413, "invalid_request_error"),
        (415, "invalid_request_error"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "server_error"),
        (504, "server_error"),
    ] {
        assert_eq!(kind(&Problem::with_status(status, "x")), expected, "{status}");
    }
}
