use super::*;
use crate::fixtures::{AUTHORITY, NOW, RUNTIME, apply, fold, runtime, signer};
use eleven_core::registry::{Fold, Item, RuntimeRecord};

/// The registry with a revocation of an artifact that ends at `exp`, after another event at `at`.
fn revoked(exp: Time, at: Time) -> (Fold, String) {
    let (mut fold, artifact) = (fold(&[]), format!("auth_{}", id::of_canonical(b"an artifact")));
    let data = Object::new().with("artifact", &artifact).with("exp", exp.to_seconds_value()).with("why", "operator");
    apply(&mut fold, "authorization.revoked", Value::Object(data));
    let removed = Object::new().with("point", runtime().point);
    assert_eq!(fold.apply(at, "runtime.removed", AUTHORITY, &removed), Ok(true));
    (fold, artifact)
}

#[test]
fn an_artifact_is_revoked_for_as_long_as_the_registry_would_list_that() {
    let exp = NOW.plus_seconds(60).whole_seconds();
    for (millis, forgotten) in [(-1, false), (0, true), (1, true)] {
        let at = exp.plus_seconds(REVOKED_KEPT).plus_millis(millis);
        let (fold, artifact) = revoked(exp, at);
        assert_eq!(fold.lists().revoked.contains(&artifact), !forgotten, "{millis} ms");
        assert_eq!(is_forgotten(exp, at), forgotten, "{millis} ms");
    }
}

#[test]
fn a_runtime_has_one_point_for_each_counts_uses_by_itself() {
    let refused = |fold: &Fold, record: &RuntimeRecord| {
        points::register(fold.lists(), record).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let second = RuntimeRecord { point: format!("{RUNTIME}#gw-1"), kid: "key:11-11/gw-1/1".into(), ..runtime() };
    let elsewhere = "k8s://cluster-east-2/ns/inference";
    let other = RuntimeRecord { point: format!("{elsewhere}#gw-0"), runtime: elsewhere.into(), ..second.clone() };
    let mut fold = fold(&[]);
    assert!(refused(&fold, &second).contains("another point of that runtime is registered"));
    assert_eq!((refused(&fold, &other), refused(&fold, &runtime())), (String::new(), String::new()));
    // Of two that stand there from before each can be registered as it is now.
    let mut both = fold.clone();
    apply(&mut both, "runtime.registered", Item::to_value(&second));
    assert_eq!((refused(&both, &second), refused(&both, &runtime())), (String::new(), String::new()));
    // In the place of one that is gone it comes once that one's key has ended.
    let removed = Object::new().with("point", runtime().point);
    apply(&mut fold, "runtime.removed", Value::Object(removed));
    assert!(refused(&fold, &second).contains("an event key that was not ended"));
    assert_eq!(refused(&fold, &runtime()), "", "it is its own");
    let retired = Object::new().with("kid", signer("point").kid());
    apply(&mut fold, "key.retired", Value::Object(retired));
    assert_eq!(refused(&fold, &second), "");
}
