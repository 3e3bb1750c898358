use super::*;
use crate::fixtures::{AUTHORITY, NOW, apply, fold, runtime};
use eleven_core::registry::Fold;

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
