use super::*;
use crate::compile::tests::SCHEMA;
use crate::fixtures::{bundle, bundle_value, compile_with, input};
use crate::{Decision, decide};
use eleven_core::encoding::{Value, parse};
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

/// What stands in `docs/policies.md` as this.
fn documented(kind: &str) -> &'static str {
    let page = include_str!("../../../../docs/policies.md");
    let (_, rest) = page.split_once(&format!("```{kind}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn what_the_page_for_authors_shows_can_be_published_and_means_what_it_says() {
    let entities = parse(documented("json").as_bytes()).unwrap();
    let operations = vec![Value::from("model.invoke"), Value::from("model.list")];
    let value = bundle_value(documented("cedar"))
        .with("schema", documented("cedarschema"))
        .with("entities", entities)
        .with("operations", operations);
    let bundle = PolicyBundle::read(Value::Object(value)).unwrap();
    let policy = CompiledPolicy::publishable(&bundle, 1).unwrap();
    assert_eq!(policy.notes(&bundle), Vec::<String>::new());
    let rule = |identity: &str, parameters: &str| {
        let mut asked = input(&bundle.id(), parameters);
        asked.identity = identity.into();
        match decide(&policy, &asked) {
            Decision::Permit { rule } => rule,
            Decision::Deny(denial) => format!("not by {}", denial.rule.unwrap_or_default()),
        }
    };
    let call = r#"{"model":"small-1","max_tokens":10}"#;
    assert_eq!(rule("svc:app:dev", call), "blue-may-summarise-at-work");
    assert_eq!(rule("svc:other:dev", call), "not by blue-may-summarise-at-work");
    assert_eq!(rule("svc:app:dev", r#"{"model":"large-1","max_tokens":10}"#), "not by blue-may-summarise-at-work");
    assert_eq!(rule("svc:app:dev", r#"{"model":"small-1"}"#), "not by nobody-asks-for-more");
    assert_eq!(rule("svc:other:dev", r#"{"name":"model.list"}"#), "everybody-may-list");
    assert_eq!(rule("svc:other@eu.example", r#"{"name":"model.list"}"#), "not by no-other-domains");
}
