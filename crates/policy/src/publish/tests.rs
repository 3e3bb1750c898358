use super::*;
use crate::fixtures::bundle;
use eleven_core::limits::MAX_PUBLISHED;

const PERMIT: &str = "permit(principal, action, resource);";

#[test]
fn a_bundle_that_leaves_no_room_in_a_proof_is_not_published_and_compiles() {
    let bundle = bundle(PERMIT);
    CompiledPolicy::publishable(&bundle, MAX_PUBLISHED).unwrap();
    let error = CompiledPolicy::publishable(&bundle, MAX_PUBLISHED + 1).unwrap_err();
    assert!(matches!(&error, PolicyError::Size(what) if what.contains("3145729 bytes")), "{error}");
    CompiledPolicy::compile(&bundle).unwrap();
}
