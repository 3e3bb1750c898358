use super::*;
use crate::compile::tests::SCHEMA;
use crate::fixtures::{bundle, bundle_value, compile_with};
use eleven_core::encoding::Value;
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

#[test]
fn a_schema_that_lacks_what_every_request_has_is_not_published() {
    let published = |schema: &str| {
        let value = Value::Object(bundle_value(PERMIT).with("schema", schema));
        CompiledPolicy::publishable(&PolicyBundle::read(value).unwrap(), 1).map(drop)
    };
    published(SCHEMA).unwrap();
    published(&SCHEMA.replace("at: datetime", "at?: datetime")).unwrap();
    let without = [
        ("    identity: { id: String, kind: String, name: String, env?: String, domain?: String },", "", "`identity: "),
        ("kind: String, ", "", "`identity: "),
        ("op: Asked,", "", "`op: "),
        ("scope: Set<String>", "scope: String", "`op: "),
        ("scope: Set<String>", "scope: Set<Long>", "`op: "),
        ("    env: { runtime: String, region: String, tenancy: String },", "", "`env: "),
        ("tenancy: String", "tenancy: Long", "`env: "),
        ("facts: {},", "", "`facts: "),
        ("at: datetime,", "", "`at: datetime`"),
        ("at: datetime,", "at: Long,", "`at: datetime`"),
    ];
    for (known, instead, lacking) in without {
        let schema = SCHEMA.replace(known, instead);
        assert_ne!(schema, SCHEMA, "{known}");
        let error = published(&schema).unwrap_err();
        assert!(matches!(&error, PolicyError::Schema(what) if what.contains(lacking)), "{known}: {error}");
        assert!(error.to_string().contains("\"model.invoke\""), "{error}");
        compile_with(PERMIT, "schema", schema.as_str()).unwrap();
    }
}
