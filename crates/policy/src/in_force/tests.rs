use super::*;
use crate::fixtures::{CLINIC, bundle_value, vector_bundles};
use eleven_core::encoding::Value;

fn covering(reference: &str, operations: &[&str], runtimes: &[&str]) -> PolicyBundle {
    let list = |items: &[&str]| items.iter().map(|item| Value::from(*item)).collect::<Vec<_>>();
    let value = bundle_value("permit(principal, action, resource);")
        .with("ref", reference)
        .with("operations", list(operations))
        .with("runtimes", list(runtimes));
    PolicyBundle::read(Value::Object(value)).unwrap()
}

fn set(bundles: &[PolicyBundle]) -> InForce {
    InForce::default().next(bundles).unwrap()
}

fn resolved<'a>(set: &'a InForce, operation: &str, runtime: &str) -> Result<&'a str, Reason> {
    set.resolve(operation, runtime).map(|policy| policy.id().reference.as_str())
}

#[test]
fn the_policies_of_the_vectors_are_found_by_operation_and_runtime() {
    let bundles: Vec<_> = vector_bundles().into_iter().map(|(bundle, _)| bundle).collect();
    let set = set(&bundles);
    assert_eq!(resolved(&set, "model.invoke", CLINIC), Ok("policy://medical/inference/v3"));
    assert_eq!(resolved(&set, "tool.call", CLINIC), Ok("policy://clinical/tools/v1"));
    assert_eq!(resolved(&set, "tool.call", "k8s://cluster-east-1/ns/tools"), Ok("policy://clinical/tools/v1"));
    assert_eq!(resolved(&set, "model.invoke", "k8s://cluster-east-1/ns/tools"), Err(Reason::PolicyNone));
    assert_eq!(resolved(&set, "data.read", CLINIC), Err(Reason::PolicyNone));
}

#[test]
fn two_that_cover_one_operation_are_ambiguous_where_both_match() {
    let set = set(&[
        covering("policy://a/v1", &["model.invoke"], &["k8s://*/ns/a"]),
        covering("policy://b/v1", &["model.invoke", "tool.call"], &["k8s://east/ns/*", "host://*"]),
    ]);
    assert_eq!(resolved(&set, "model.invoke", "k8s://east/ns/a"), Err(Reason::PolicyAmbiguous));
    assert_eq!(resolved(&set, "model.invoke", "k8s://west/ns/a"), Ok("policy://a/v1"));
    assert_eq!(resolved(&set, "model.invoke", "host://box"), Ok("policy://b/v1"));
    assert_eq!(resolved(&set, "tool.call", "k8s://east/ns/a"), Ok("policy://b/v1"));
}

#[test]
fn a_bundle_that_matches_twice_is_one_policy() {
    let twice = covering("policy://a/v1", &["tool.call"], &["k8s://*/ns/a", "k8s://east/ns/*"]);
    let set = set(&[twice.clone(), twice]);
    assert_eq!(set.len(), 1);
    assert_eq!(resolved(&set, "tool.call", "k8s://east/ns/a"), Ok("policy://a/v1"));
}

#[test]
fn policies_of_other_operations_are_not_touched() {
    let compiled =
        Arc::new(CompiledPolicy::compile(&covering("policy://a/v1", &["model.invoke"], &["k8s://*/ns/*"])).unwrap());
    let others: Vec<_> = (0..300)
        .map(|n| covering(&format!("policy://other/p{n}/v1"), &[&format!("other.{n}")], &["k8s://*/ns/*"]))
        .collect();
    let set = InForce::of(set(&others).by_hash.values().cloned().chain([compiled]));
    assert_eq!(set.len(), 301);
    assert_eq!(set.by_operation.get("model.invoke").unwrap().len(), 1);
    assert_eq!(resolved(&set, "model.invoke", CLINIC), Ok("policy://a/v1"));
}

#[test]
fn the_next_set_shares_what_stays_and_drops_what_went() {
    let (a1, b) = (covering("policy://a/v1", &["x"], &["host://a"]), covering("policy://b/v1", &["y"], &["host://a"]));
    let a2 = covering("policy://a/v2", &["x"], &["host://a"]);
    let first = set(&[a1.clone(), b.clone()]);
    let second = first.next([&a2, &b]).unwrap();
    assert!(Arc::ptr_eq(first.get(&b.hash).unwrap(), second.get(&b.hash).unwrap()));
    assert_eq!(resolved(&second, "x", "host://a"), Ok("policy://a/v2"));
    assert!(second.get(&a1.hash).is_none());
    assert_eq!(resolved(&first, "x", "host://a"), Ok("policy://a/v1"));
}

#[test]
fn a_bundle_that_does_not_compile_is_named() {
    let broken = Value::Object(bundle_value("permit(").with("ref", "policy://broken/v7"));
    let error = InForce::default().next([&PolicyBundle::read(broken).unwrap()]).unwrap_err();
    assert_eq!(error.reference, "policy://broken/v7");
    assert!(matches!(error.error, PolicyError::Text(_)));
}

#[test]
fn a_set_is_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<InForce>();
}
