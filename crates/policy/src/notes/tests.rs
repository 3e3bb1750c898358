use super::*;
use crate::fixtures::{CLINIC, bundle, bundle_value};
use eleven_core::encoding::{Object, Value, parse};

const PERMIT: &str = "permit(principal, action, resource);";

fn notes_of(value: Object) -> Vec<String> {
    let bundle = PolicyBundle::read(Value::Object(value)).unwrap();
    CompiledPolicy::compile(&bundle).unwrap().notes(&bundle)
}

fn one(notes: &[String], part: &str) {
    assert!(matches!(notes, [note] if note.contains(part)), "{part}: {notes:?}");
}

#[test]
fn a_rule_whose_head_nothing_fits_is_told() {
    let of = |head: &str| notes_of(bundle_value(&format!("@id(\"r\") forbid({head});")));
    for (head, why) in [
        ("principal == identity::\"svc:a:dev\", action, resource", "every principal is of the type Identity"),
        ("principal == Identity::\"a\", action, resource", "Identity::\"a\" is no identity"),
        ("principal is User, action, resource", "none of User"),
        (
            "principal in Team::\"blue\", action, resource",
            "no Identity of the bundle's `entities` is in Team::\"blue\"",
        ),
        ("principal is Identity in Team::\"blue\", action, resource", "is in Team::\"blue\""),
        ("principal, action, resource == Runtime::\"host://elsewhere\"", "is none of the bundle's `runtimes`"),
        ("principal, action, resource is Host", "every resource is of the type Runtime"),
        ("principal, action == Action::\"model.invok\", resource", "is none of the bundle's `operations`"),
    ] {
        one(&of(head), why);
        one(&of(head), "the rule `r`: ");
    }
    for head in [
        "principal, action, resource".to_owned(),
        "principal == Identity::\"svc:a:dev\", action, resource is Runtime".to_owned(),
        "principal in Identity::\"human:a\", action == Action::\"tool.call\", resource".to_owned(),
        format!("principal is Identity, action, resource == Runtime::\"{CLINIC}\""),
    ] {
        assert_eq!(of(&head), Vec::<String>::new(), "{head}");
    }
}

#[test]
fn a_group_that_an_entity_is_in_is_none_that_nothing_fits() {
    let uid = |kind: &str, id: &str| Object::new().with("type", kind).with("id", id);
    let entity = |uid: Object, parents: Vec<Value>| {
        Value::Object(Object::new().with("uid", uid).with("attrs", Object::new()).with("parents", parents))
    };
    let team = || Value::Object(uid("Team", "blue"));
    let all = || Value::Object(uid("Team", "all"));
    let entities = vec![entity(uid("Identity", "svc:a:dev"), vec![team()]), entity(uid("Team", "blue"), vec![all()])];
    let of = |group: &str| {
        let rule = format!("permit(principal in {group}, action, resource);");
        notes_of(bundle_value(&rule).with("entities", entities.clone()))
    };
    assert_eq!((of("Team::\"blue\"").len(), of("Team::\"all\"").len()), (0, 0));
    one(&of("Team::\"red\""), "is in Team::\"red\"");
}

#[test]
fn a_rule_that_compares_what_is_committed_is_told() {
    let of = |condition: &str| {
        let Some(Value::Object(terms)) = bundle_value(PERMIT).remove("terms") else { panic!("the fixture has terms") };
        let sensitive = vec![Value::from("/op/user"), Value::from("/op/about/home~1mail")];
        let rule = format!("{PERMIT} @id(\"r\") forbid(principal, action, resource) when {{ {condition} }};");
        notes_of(bundle_value(&rule).with("terms", terms.with("sensitive", sensitive)))
    };
    one(&of("context.op has user && context.op.user == \"m\""), "the rule `r`: it reads `user`, which is sensitive");
    one(&of("context.op[\"user\"] == \"m\""), "it reads `user`");
    one(&of("context.op.about[\"home/mail\"] == \"m\""), "it reads `home/mail`");
    for condition in ["context.op has user", "[\"user\"].contains(context.op.name)", "context.op.name == \"user\""] {
        assert_eq!(of(condition), Vec::<String>::new(), "{condition}");
    }
}

#[test]
fn terms_that_bound_other_than_they_seem_to_are_told() {
    let of = |terms: &str| {
        let Some(Value::Object(mut all)) = bundle_value(PERMIT).remove("terms") else {
            panic!("the fixture has terms")
        };
        let Value::Object(others) = parse(terms.as_bytes()).unwrap() else { panic!("{terms}") };
        for (name, value) in others.iter() {
            all.insert(name, value.clone());
        }
        notes_of(bundle_value(PERMIT).with("terms", all))
    };
    assert_eq!(of("{}"), Vec::<String>::new());
    one(&of(r#"{"use":["rate"],"max":2,"per":60}"#), "they do not bound how often somebody calls");
    assert_eq!(of(r#"{"use":["bounded"]}"#).len(), 2, "and each is for one use");
    one(&of(r#"{"use":["rate","single"]}"#), "the others are not issued");
    one(&of(r#"{"max":2}"#), "bound nothing");
    one(&of(r#"{"approvals":{"from":["human:a"],"m":1}}"#), "`approval.required`");
    one(&of(r#"{"attestation":"tdx"}"#), "`runtime.integrity`");
    assert_eq!(CompiledPolicy::compile(&bundle(PERMIT)).unwrap().notes(&bundle(PERMIT)), Vec::<String>::new());
}
