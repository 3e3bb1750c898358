use super::*;
use crate::fixtures::{bundle, bundle_value, compile_with, compiled, vector_bundles};
use eleven_core::encoding::Object;

const PERMIT: &str = "permit(principal, action, resource);";
pub(crate) const SCHEMA: &str = r#"
entity Group;
entity Identity in [Group];
entity Runtime;
type Asked = { name: String, scope: Set<String>, model?: String, tokens?: Long };
action "model.invoke", "tool.call" appliesTo {
  principal: Identity,
  resource: Runtime,
  context: {
    identity: { id: String, kind: String, name: String, env?: String, domain?: String },
    op: Asked,
    env: { runtime: String, region: String, tenancy: String },
    facts: {},
    at: datetime,
  },
};
"#;

fn error(cedar: &str) -> PolicyError {
    CompiledPolicy::compile(&bundle(cedar)).unwrap_err()
}

#[test]
fn the_bundles_of_the_vectors_compile() {
    let bundles = vector_bundles();
    assert_eq!(bundles.len(), 2);
    for (bundle, hash) in bundles {
        let policy = CompiledPolicy::compile(&bundle).unwrap();
        assert_eq!(policy.id().hash.to_string(), hash);
        assert_eq!(policy.operations().collect::<Vec<_>>(), bundle.operations);
    }
}

#[test]
fn malformed_text_is_found_when_it_is_compiled() {
    assert!(matches!(error("permit(principal, action"), PolicyError::Text(_)));
    assert!(matches!(error("permit(principal, action, resource) when { unknownfn(1) };"), PolicyError::Text(_)));
    assert!(matches!(error(&format!("@id(\"a\") @id(\"b\") {PERMIT}")), PolicyError::Text(_)));
    assert_eq!(error("// nothing\n"), PolicyError::Empty);
    assert_eq!(error(&format!("@id(\"a\") {PERMIT} @id(\"a\") {PERMIT}")), PolicyError::DuplicateRule("a".into()));
    assert_eq!(
        error(&format!("{PERMIT} @id(\"t\") permit(principal == ?principal, action, resource);")),
        PolicyError::Template("t".into())
    );
}

#[test]
fn an_id_that_takes_the_place_name_of_another_rule_is_a_repeat() {
    assert_eq!(error(&format!("@id(\"policy1\") {PERMIT} {PERMIT}")), PolicyError::DuplicateRule("policy1".into()));
}

#[test]
fn rules_are_named_in_the_order_of_the_text() {
    let policy = compiled(&PERMIT.repeat(30));
    let ids: Vec<_> = policy.cedar.named.iter().map(|rule| rule.id.clone()).collect();
    assert_eq!(ids, (0..30).map(|place| format!("policy{place}")).collect::<Vec<_>>());
}

#[test]
fn rules_are_validated_strictly_against_the_schema() {
    let with_schema = |cedar: &str| compile_with(cedar, "schema", SCHEMA);
    with_schema(PERMIT).unwrap();
    with_schema(r#"permit(principal in Group::"g", action, resource) when { context.op.scope.contains("a") };"#)
        .unwrap();
    let wrong = [
        r#"permit(principal, action, resource) when { context.op.scop.contains("a") };"#,
        r#"permit(principal, action, resource) when { context.op.model == "m" };"#,
        r#"permit(principal, action, resource) when { context.op.name == 1 };"#,
        r#"permit(principal == User::"a", action, resource);"#,
        r#"permit(principal, action == Action::"model.invok", resource);"#,
    ];
    for cedar in wrong {
        assert!(matches!(with_schema(cedar), Err(PolicyError::Validation(_))), "{cedar}");
    }
}

#[test]
fn what_cedar_warns_of_is_kept_and_refuses_nothing() {
    let never =
        r#"@id("never") forbid(principal, action, resource) when { context.op has modle && context.op.modle == "m" };"#;
    let policy = compile_with(&format!("{PERMIT}\n{never}"), "schema", SCHEMA).unwrap();
    let warned: Vec<_> = policy.warnings().collect();
    assert!(matches!(warned.as_slice(), [("never", what)] if what.starts_with("policy is impossible")), "{warned:?}");
    assert_eq!(compile_with(PERMIT, "schema", SCHEMA).unwrap().warnings().count(), 0);
    assert_eq!(compiled(&format!("{PERMIT}\n{never}")).warnings().count(), 0, "without a schema nothing tells");
}

#[test]
fn a_schema_is_read_and_knows_every_operation_of_the_bundle() {
    assert!(matches!(compile_with(PERMIT, "schema", "entity;"), Err(PolicyError::Schema(_))));
    let without = SCHEMA.replace(", \"tool.call\"", "");
    let error = compile_with(PERMIT, "schema", without.as_str()).unwrap_err();
    assert!(matches!(&error, PolicyError::Schema(what) if what.contains("tool.call")), "{error}");
    let elsewhere = SCHEMA.replace("resource: Runtime", "resource: Group");
    assert!(matches!(compile_with(PERMIT, "schema", elsewhere.as_str()), Err(PolicyError::Schema(_))));
}

#[test]
fn whether_a_schema_knows_the_binding_of_a_request_is_told_of_every_operation() {
    let takes = |schema: &str| compile_with(PERMIT, "schema", schema).unwrap().takes_requests(true);
    let lacks = |schema: &str, operation: &str| {
        let error = takes(schema).unwrap_err();
        assert!(matches!(&error, PolicyError::Schema(what) if what.contains(operation)), "{error}");
        assert!(error.to_string().contains("`params: String`"), "{error}");
    };
    lacks(SCHEMA, "\"model.invoke\"");
    for params in ["params: String", "params?: String"] {
        assert_eq!(takes(&SCHEMA.replace("tokens?: Long", params)), Ok(()), "{params}");
    }
    lacks(&SCHEMA.replace("tokens?: Long", "params: Long"), "\"model.invoke\"");
    lacks(&SCHEMA.replace("op: Asked", "op: String"), "\"model.invoke\"");
    lacks(&SCHEMA.replace("op: Asked,", ""), "\"model.invoke\"");
    let bound = SCHEMA.replace("tokens?: Long", "params: String");
    let (types, action) = bound.split_once("action").unwrap();
    let one = |name: &str, of: &str| format!("action{}", of.replace("\"model.invoke\", \"tool.call\"", name));
    let other = one("\"tool.call\"", &action.replace("op: Asked", "op: { name: String, scope: Set<String> }"));
    lacks(&format!("{types}{}{other}", one("\"model.invoke\"", action)), "\"tool.call\"");
    assert_eq!(compiled(PERMIT).takes_requests(true), Ok(()), "without a schema nothing is unknown");
}

#[test]
fn operations_that_are_too_many_to_ask_a_schema_for_are_refused_where_they_are_asked_for_and_compile() {
    // Their square is the least that is too much.
    let operations: Vec<String> = (0..725).map(|n| format!("a{n:03}")).collect();
    let action =
        |name: &String| format!("action \"{name}\" appliesTo {{principal: Identity, resource: Runtime, context: C}};");
    let actions: String = operations.iter().map(action).collect();
    let schema = format!("entity Identity; entity Runtime; type C = {{op: {{params: String}}}};{actions}");
    let listed: Vec<Value> = operations.iter().map(Value::from).collect();
    let value = bundle_value(PERMIT).with("operations", listed).with("schema", schema);
    let policy = CompiledPolicy::compile(&PolicyBundle::read(Value::Object(value)).unwrap()).unwrap();
    let error = policy.takes_requests(true).unwrap_err();
    assert!(
        matches!(&error, PolicyError::Size(what) if what.contains("its operations against the requests")),
        "{error}"
    );
}

#[test]
fn entities_are_read_and_are_of_the_schema() {
    let entity = |kind: &str| {
        let uid = Object::new().with("type", kind).with("id", "x");
        Object::new().with("uid", uid).with("attrs", Object::new()).with("parents", Value::Array(Vec::new()))
    };
    compile_with(PERMIT, "entities", vec![entity("Group").into()]).unwrap();
    let one = bundle_value(PERMIT).with("entities", entity("Group"));
    assert!(PolicyBundle::read(Value::Object(one)).unwrap_err().0.contains("not a list"));
    assert!(matches!(compile_with(PERMIT, "entities", vec![Value::Null]), Err(PolicyError::Entities(_))));
    let both = |kind: &str| {
        let value = bundle_value(PERMIT).with("schema", SCHEMA).with("entities", vec![entity(kind).into()]);
        CompiledPolicy::compile(&PolicyBundle::read(Value::Object(value)).unwrap())
    };
    both("Group").unwrap();
    assert!(matches!(both("Team"), Err(PolicyError::Entities(_))));
}

#[test]
fn what_cedar_would_take_too_long_for_is_refused() {
    let types: String = (0..34).map(|n| format!("type T{n} = {{a: T{}, b: T{}}}; ", n + 1, n + 1)).collect();
    let doubling = format!("{types}type T34 = Long; {}", SCHEMA.replace("facts: {}", "facts: {f: T0}"));
    let error = compile_with(PERMIT, "schema", doubling).unwrap_err();
    assert!(matches!(&error, PolicyError::Size(_)), "{error}");
    let names: String = (0..300).map(|n| format!(", T{n}")).collect();
    let applied = SCHEMA
        .replace("entity Group", &format!("entity Group{names}"))
        .replace("principal: Identity", &format!("principal: [Identity{names}]"))
        .replace("resource: Runtime", &format!("resource: [Runtime{names}]"));
    let error = compile_with(&PERMIT.repeat(300), "schema", applied).unwrap_err();
    assert!(matches!(&error, PolicyError::Size(_)), "{error}");
    let uid = |n: usize| Object::new().with("type", "Group").with("id", n.to_string());
    let entity = |n: usize| {
        let entity = Object::new().with("uid", uid(n)).with("attrs", Object::new());
        Value::Object(entity.with("parents", vec![Value::Object(uid(n + 1))]))
    };
    let error = compile_with(PERMIT, "entities", (0..4000).map(entity).collect::<Vec<_>>()).unwrap_err();
    assert!(matches!(&error, PolicyError::Size(_)), "{error}");
}

#[test]
fn a_term_that_is_not_understood_makes_the_bundle_invalid() {
    let mut value = bundle_value(PERMIT);
    let Some(Value::Object(terms)) = value.remove("terms") else { panic!("the fixture has terms") };
    PolicyBundle::read(Value::Object(value.clone().with("terms", terms.clone()))).unwrap();
    let unknown = value.with("terms", terms.with("quota", 5u32));
    assert!(PolicyBundle::read(Value::Object(unknown)).unwrap_err().0.contains("quota"));
}
