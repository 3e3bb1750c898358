use super::*;

/// PROTOCOL 12: who has to authenticate, who may come back, and who is refused.
#[test]
fn the_status_of_a_reason_follows_from_its_code() {
    for reason in Reason::ALL {
        let status = match reason.code() {
            "identity.unauthenticated" => 401,
            code if code.ends_with(".unavailable") => 503,
            _ => 403,
        };
        assert_eq!(reason.status(), status, "{reason}");
        assert_eq!(Reason::parse(reason.code()), Some(*reason));
    }
    assert_eq!((Reason::parse("audit"), Reason::parse("Audit.unavailable")), (None, None));
}
