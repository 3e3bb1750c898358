use super::*;
use crate::fixtures::{bundle, input, vector_bundles};
use eleven_core::encoding::Object;

#[test]
fn a_replay_decides_as_the_authority_did() {
    let (medical, _) = vector_bundles().remove(0);
    let with_scope = input(&medical.id(), "{}").to_value();
    assert_eq!(replay(&medical, &with_scope), Replay::Permits);
    let without = input(&medical.id(), r#"{"scope":["read"]}"#).to_value();
    assert_eq!(replay(&medical, &without), Replay::Denies(Reason::PolicyDenied));
}

#[test]
fn a_replay_by_another_bundle_is_a_mismatch() {
    let (one, other) = (bundle("permit(principal, action, resource);"), vector_bundles().remove(0).0);
    assert_eq!(replay(&one, &input(&other.id(), "{}").to_value()), Replay::Denies(Reason::PolicyMismatch));
    let broken = bundle("permit(");
    let mismatch = replay(&broken, &input(&other.id(), "{}").to_value());
    assert_eq!(mismatch, Replay::Denies(Reason::PolicyMismatch), "what is not the input's is not compiled");
}

#[test]
fn what_can_t_be_read_is_never_a_permit() {
    let (medical, _) = vector_bundles().remove(0);
    let stranger = Value::Object(Object::new().with("identity", "x"));
    assert_eq!(replay(&medical, &stranger), Replay::Unreadable);
    let broken = bundle("permit(");
    assert_eq!(replay(&broken, &input(&broken.id(), "{}").to_value()), Replay::Unreadable);
}

#[test]
fn a_denial_is_explained_from_the_two_documents() {
    let cap = bundle("@id(\"cap\") forbid(principal, action, resource) when { context.op.tokens > 100 };");
    let explained = |parameters: &str| explain(&cap, &input(&cap.id(), parameters).to_value());
    let failed = explained("{}").unwrap();
    assert_eq!((failed.reason, failed.rule.as_deref()), (Reason::PolicyError, Some("cap")));
    assert!(failed.detail.unwrap().contains("`tokens`"));
    assert_eq!(explained(r#"{"tokens":101}"#).unwrap().reason, Reason::PolicyDenied);
    let all = bundle("permit(principal, action, resource);");
    assert_eq!(explain(&all, &input(&all.id(), "{}").to_value()), None);
    assert_eq!(explain(&bundle("permit("), &input(&all.id(), "{}").to_value()), None);
}
