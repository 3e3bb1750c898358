use super::{left_out, says, undecided};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Draft, Place};
use eleven_core::reason::Reason;
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;

#[test]
fn an_event_says_why_it_is_and_what_it_adds() {
    let told = |reason, data: Object| {
        let (event, by) = ("execution.interrupted", "host://a/b#gw-0".to_owned());
        let about = About { reason, ..About::default() };
        let draft = Draft { event, place: Place::Alone, ts: Time(0), by, src_seq: 0, data, about };
        says(&draft.sign(&SeedSigner::new("key:d1/gw-0/1", &[1; 32])).expect("a record"))
    };
    assert_eq!(told(None, Object::new().with("evidence", Value::Null)), "");
    let crashed = Object::new().with("cause", "restart").with("effect", "unknown").with("events", 6u64);
    assert_eq!(told(None, crashed), "cause restart, effect unknown, events 6");
    let result = Object::new().with("bytes", 7u64).with("digest", "sha3-512:00").with("status", 502u64);
    let failed = Object::new().with("cause", "upstream.failed").with("result", Value::Object(result));
    assert_eq!(told(None, failed), "status 502, cause upstream.failed");
    let denied = Object::new().with("rule", "r".repeat(41)).with("use", 2u64).with("count", 3u64);
    let rule = "r".repeat(40);
    assert_eq!(told(Some(Reason::PolicyDenied), denied), format!("policy.denied, use 2, rule {rule}, count 3"));
}

#[test]
fn what_a_point_refused_is_not_said_to_have_come_before_any_policy() {
    let told = |by: &str, artifact: Option<&str>| undecided("X", Some(Reason::ArtifactExpired), by, artifact);
    let text = told("host://a/b#gw-0", Some("auth_Y"));
    for part in ["X was refused by host://a/b#gw-0", "(artifact.expired)", "`eleven lineage replay auth_Y`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("before one was asked"), "{text}");
    assert!(told("governance://a/authority/b", None).contains("it was refused before one was asked"));
}

#[test]
fn of_a_long_lineage_it_is_said_what_is_not_shown() {
    let lineage = |earlier: Option<u64>| Value::Object(Object::new().with("op", "X").with_some("earlier", earlier));
    assert_eq!(left_out(&lineage(None), "X"), "");
    let said = left_out(&lineage(Some(904)), "X");
    assert_eq!(said, "; 904 earlier events are not shown: the ledger gives them at /v1/proof/lineage/X?before=905");
}
