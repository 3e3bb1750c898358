use super::undecided;
use eleven_core::reason::Reason;

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
