use super::tokens::{Token, tokens};
use super::*;
use crate::compile::tests::SCHEMA;
use crate::fixtures::bundle_value;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::limits::{MAX_CEDAR, MAX_DEPTH, MAX_RULE, MAX_SCHEMA};

const PERMIT: &str = "permit(principal, action, resource);";

/// A rule whose condition is `body`: its head has two signs.
fn rule(body: &str) -> String {
    format!("permit(principal, action, resource) when {{ {body} }};")
}

fn of_rules(cedar: &str) -> Result<usize, PolicyError> {
    rules::measure(cedar).map(|rules| rules.signs)
}

fn is_too_much<T: core::fmt::Debug>(measured: Result<T, PolicyError>, says: &str) {
    match measured {
        Err(PolicyError::Size(what)) => assert!(what.contains(says), "{what}"),
        other => panic!("not too much: {other:?}"),
    }
}

#[test]
fn tokens_are_those_of_cedar() {
    let (word, sign) = (Token::Word, Token::Sign);
    let read = |text| tokens(text).collect::<Vec<_>>();
    assert_eq!(read("a::b_1.c"), [word("a"), sign("::"), word("b_1"), sign("."), word("c")]);
    assert_eq!(read("1if\u{a0}!=!!"), [word("1"), word("if"), sign("!="), sign("!"), sign("!")]);
    assert_eq!(read("// ( \" \n(// ["), [sign("(")]);
    assert_eq!(read("// (\r[\u{2028}"), [sign("[")], "a comment ends with its line");
    assert_eq!(read(r#""(\"//" ("#), [Token::Text(r#""(\"//""#), sign("(")]);
    assert_eq!(read(r#""\\" ["#), [Token::Text(r#""\\""#), sign("[")]);
    assert_eq!(read("\"(\n[ é"), [Token::Text("\"(\n[ é")], "a string that is never closed takes all");
    assert_eq!(read("é|"), [sign("é"), sign("|")]);
}

#[test]
fn the_signs_of_the_largest_rule_count() {
    assert_eq!(of_rules(PERMIT).unwrap(), 1);
    let larger =
        rule(r#"context has op && context.op.scope.contains("a && (b)") || if true then !x is A in [y] else a.in > 1"#);
    assert_eq!(of_rules(&format!("// ((((\n{PERMIT} {larger} {PERMIT}")).unwrap(), 2 + 15);
}

#[test]
fn a_path_behind_has_counts_as_what_it_stands_for() {
    let signs = |condition: &str| of_rules(&rule(condition)).unwrap() - 2;
    for (condition, expected) in [
        ("context has a.b", 1 + 1),
        ("context has a.b.c.d", 1 + (1 + 2 + 3)),
        ("context has a.is.in.d", 1 + (1 + 2 + 3) + 2),
        ("context has if.b.c", 1 + 1 + (1 + 2)),
        ("context.a.b.c.d", 4),
        ("context.has.b.c.d", 4 + 1),
        ("context[\"has\"].b.c.d", 1 + 3),
        ("if context has a then context.b.c else context.b.c", 2 + 2 + 2),
        ("context has a && context.b.c", 2 + 2),
        ("context has \"a\" || context.b.c", 2 + 2),
    ] {
        assert_eq!(signs(condition), expected, "{condition}");
    }
    let has = |names: usize| rule(&format!("context has a{}", ".a".repeat(names - 1)));
    of_rules(&has(32)).unwrap();
    is_too_much(of_rules(&has(33)), "policy0,");
}

#[test]
fn a_rule_of_too_many_signs_is_not_read() {
    let most = MAX_RULE - 2;
    for sign in ["(", "[", "{", "true || ", "true && ", "1 + ", "- ", "! ", "if ", "a.", "1 == "] {
        of_rules(&rule(&sign.repeat(most))).unwrap();
        is_too_much(of_rules(&format!("{PERMIT}{}", rule(&sign.repeat(most + 1)))), "policy1,");
        is_too_much(of_rules(&sign.repeat(MAX_CEDAR / 10)), "policy0,");
    }
    // What closes takes nothing back: a parser that drops tokens does not match them as they stand.
    is_too_much(of_rules(&rule(&"{x}:".repeat(most + 1))), "policy0,");
    of_rules(&rule("true").repeat(MAX_RULE)).unwrap();
    of_rules(&rule(&format!("[{}].contains(context.op.model)", "\"m\",".repeat(10_000)))).unwrap();
}

/// A condition that asks about what another gives, so often.
fn nested(depth: usize) -> String {
    let within = |inner: String, _| format!("(if {inner} then principal else c) is A in b");
    (0..depth).fold("principal is A in b".to_owned(), within)
}

#[test]
fn what_is_asked_by_is_in_counts_again_and_within_another_twice_as_often() {
    let copied = |text: &str| rules::measure(text).unwrap().copied;
    let of = |condition: &str| copied(&rule(condition));
    assert_eq!(copied(PERMIT), 0);
    assert_eq!(copied("permit(principal is A in B::\"b\", action, resource);"), "principal".len());
    assert_eq!(of("true || principal is A in b && principal is A"), "principal".len());
    assert_eq!(of("principal is A && resource in b || principal is A in b"), "principal".len());
    assert_eq!(of("context.in is A in b"), "context.in".len());
    assert_eq!(of("context.op has in && {in: context.is}.in is A in b"), "{in:context.is}.in".len());
    let once = "(if(principalisAinb)thencelsed)".len() + "principal".len();
    assert_eq!(of("(if (principal is A in b) then c else d) is A in b"), "principal".len() + once);
    of_rules(&rule(&nested(8))).unwrap();
    is_too_much(of_rules(&format!("{PERMIT}{}", rule(&nested(40)))), "policy1,");
    is_too_much(of_rules(&rule(&nested(40))), "too many `is … in`");
    of_rules(&rule(&format!("{}true", "principal is A in b || ".repeat(150))).repeat(40)).unwrap();
}

#[test]
fn a_text_that_is_too_long_is_not_read() {
    let padded = |bytes: usize| format!("{PERMIT}{}", " ".repeat(bytes - PERMIT.len()));
    of_rules(&padded(MAX_CEDAR)).unwrap();
    is_too_much(of_rules(&padded(MAX_CEDAR + 1)), "256 KiB");
    let padded = |bytes: usize| format!("{SCHEMA}{}", " ".repeat(bytes - SCHEMA.len()));
    schema::measure(&padded(MAX_SCHEMA)).unwrap();
    is_too_much(schema::measure(&padded(MAX_SCHEMA + 1)), "64 KiB");
}

#[test]
fn a_schema_comes_to_its_declarations_for_each_of_their_names() {
    let sizes = |text: &str| {
        let measured = schema::measure(text).unwrap();
        (measured.size, measured.largest, measured.requests)
    };
    assert_eq!(sizes("entity A;"), (8, 8, 0));
    assert_eq!(sizes("entity A, B ;"), (2 * 10, 10, 0));
    assert_eq!(sizes("namespace N { @doc(\"an, a\") entity A; }\n// entity B;\nentity C;"), (8 + 8, 8, 0));
    assert_eq!(sizes("entity A in [B, C];"), (15 + 1, 15, 0));
    assert_eq!(sizes("type T = {a: Long}; entity A {T: T, b?: N::T};"), (15 + 21 + 2 * 15, 21 + 2 * 15, 0));
    let action = "action a, b appliesTo {principal: [P, Q, R], resource: S, context: {principal: Long, c: Set<Long>}};";
    let bytes = action.bytes().filter(|byte| *byte != b' ').count();
    assert_eq!(sizes(action), (2 * bytes + 2 * 3 * 16, bytes, 2 * 3));
}

#[test]
fn common_types_in_common_types_are_put_in_place() {
    let doubling = |levels: usize| {
        let types: String = (0..levels).map(|n| format!("type T{n} = {{a: T{}, b: T{}}}; ", n + 1, n + 1)).collect();
        format!("{types}type T{levels} = Long; {}", SCHEMA.replace("facts: {}", "facts: {f: T0}"))
    };
    schema::measure(&doubling(10)).unwrap();
    is_too_much(schema::measure(&doubling(18)), "too large");
    is_too_much(schema::measure(&doubling(34)), "deep");
    is_too_much(schema::measure("type T = U; type U = {a: T};"), "circle");
    let nested = |depth: usize| format!("entity A {{a: {}Long{}}};", "Set<".repeat(depth - 1), ">".repeat(depth - 1));
    schema::measure(&nested(MAX_DEPTH)).unwrap();
    is_too_much(schema::measure(&nested(MAX_DEPTH + 1)), "deep");
    is_too_much(schema::measure(&format!("type T = {}", nested(10_000))), "deep");
    let chain = |length: usize| (1..=length).map(|n| format!("type T{n} = Set<T{}>;", n - 1)).collect::<String>();
    schema::measure(&chain(MAX_DEPTH)).unwrap();
    is_too_much(schema::measure(&chain(MAX_DEPTH + 1)), "deep");
}

#[test]
fn what_a_schema_multiplies_is_bounded() {
    let names = |count: usize| (0..count).map(|n| format!("N{n}")).collect::<Vec<_>>().join(",");
    let applied = |count: usize| {
        let names = names(count);
        format!("entity {names}; action a appliesTo {{principal: [{names}], resource: [{names}]}};")
    };
    assert_eq!(schema::measure(&applied(200)).unwrap().requests, 40_000);
    is_too_much(schema::measure(&applied(300)), "too large");
    let chain = |length: usize| (1..=length).map(|n| format!("entity N{n} in N{};", n - 1)).collect::<String>();
    schema::measure(&chain(900)).unwrap();
    is_too_much(schema::measure(&chain(1025)), "too large");
    let members = "a: String,".repeat(500);
    schema::measure(&format!("entity {} {{{members}}};", names(100))).unwrap();
    is_too_much(schema::measure(&format!("entity {} {{{members}}};", names(1000))), "too large");
}

fn of_bundle(cedar: &str, schema: &str) -> Result<usize, PolicyError> {
    let value = bundle_value(cedar).with("schema", schema);
    signs(&PolicyBundle::read(Value::Object(value)).unwrap())
}

#[test]
fn rules_times_schema_is_bounded() {
    let types: String = (0..300).map(|n| format!("entity T{n};")).collect();
    let list = |count: usize| (0..count).map(|n| format!("T{n}")).collect::<Vec<_>>().join(",");
    let schema = |count: usize| {
        let (principals, resources) = (format!("[Identity, {}]", list(count)), format!("[Runtime, {}]", list(count)));
        let applied = SCHEMA.replace("principal: Identity", &format!("principal: {principals}"));
        format!("{types}{}", applied.replace("resource: Runtime", &format!("resource: {resources}")))
    };
    of_bundle(PERMIT, SCHEMA).unwrap();
    of_bundle(&PERMIT.repeat(6_000), SCHEMA).unwrap();
    of_bundle(PERMIT, &schema(100)).unwrap();
    is_too_much(of_bundle(&PERMIT.repeat(300), &schema(100)), "against its schema");
    // What is copied of rules counts where it is more than they are, and takes nothing from those of which it is less.
    of_bundle(&rule(&nested(1)), &schema(30)).unwrap();
    is_too_much(of_bundle(&rule(&nested(8)), &schema(30)), "against its schema");
    let grouped = "permit(principal is Identity in Team::\"a\", action, resource);";
    let measured = schema::measure(&schema(30)).unwrap();
    let bytes: usize = tokens(grouped).map(Token::len).sum();
    let most = MAX_VALIDATION / (measured.size + measured.requests * measured.largest) / bytes;
    of_bundle(&grouped.repeat(most), &schema(30)).unwrap();
    is_too_much(of_bundle(&grouped.repeat(most + 1), &schema(30)), "against its schema");
}

#[test]
fn operations_times_requests_is_bounded() {
    let edge = 1 << 10;
    asking(edge, MAX_BINDING_CHECKS / edge).unwrap();
    is_too_much(asking(edge, MAX_BINDING_CHECKS / edge + 1), "its operations against the requests");
    is_too_much(asking(MAX_BINDING_CHECKS + 1, 1), "its operations against the requests");
    is_too_much(asking(usize::MAX, 2), "its operations against the requests");
}

fn entity(id: &str, parents: &[&str]) -> Value {
    let uid = |id: &str| Value::Object(Object::new().with("type", "Group").with("id", id));
    let escaped = |id: &str| Value::Object(Object::new().with("__entity", uid(id)));
    let parents: Vec<Value> = parents.iter().map(|id| escaped(id)).collect();
    let entity = Object::new().with("uid", uid(id)).with("attrs", Object::new()).with("parents", parents);
    Value::Object(entity)
}

fn of_entities(entities: impl IntoIterator<Item = Value>) -> Result<(), PolicyError> {
    entities::measure(&Value::Array(entities.into_iter().collect())).map(drop)
}

#[test]
fn entities_stand_in_each_other_so_deep_and_no_deeper() {
    let within = |n: usize| entity(&n.to_string(), &[(n + 1).to_string().as_str()]);
    let chain = |length: usize| (0..length).map(within).collect::<Vec<_>>();
    of_entities(chain(MAX_DEPTH)).unwrap();
    is_too_much(of_entities(chain(MAX_DEPTH + 1)), "deep");
    is_too_much(of_entities(chain(10_000)), "deep");
    is_too_much(of_entities([entity("a", &["b"]), entity("b", &["a"])]), "circle");
    is_too_much(of_entities([entity("a", &["a"])]), "circle");
}

#[test]
fn entities_have_so_many_ancestors_and_no_more() {
    // Two on each level, each in both of the next: each way counts, and there are twice as many with each level.
    let doubled = |levels: usize| {
        let pair = |n: usize| {
            let above = [format!("l{}", n + 1), format!("r{}", n + 1)];
            let above = above.each_ref().map(String::as_str);
            [entity(&format!("l{n}"), &above), entity(&format!("r{n}"), &above)]
        };
        (0..levels).flat_map(pair).collect::<Vec<_>>()
    };
    of_entities(doubled(17)).unwrap();
    is_too_much(of_entities(doubled(18)), "ancestors");
}

#[test]
fn an_entity_is_named_in_one_form() {
    let seq = Value::Array(vec!["Group".into(), "a".into()]);
    for row in [Value::Null, seq.clone(), Value::Object(Object::new().with("uid", seq))] {
        assert!(matches!(of_entities([row]), Err(PolicyError::Entities(_))));
    }
}

/// An entity with this one attribute.
fn with_attribute(value: Value) -> Value {
    let uid = Object::new().with("type", "Group").with("id", "a");
    let row = Object::new().with("uid", uid).with("attrs", Object::new().with("a", value));
    Value::Object(row.with("parents", Vec::<Value>::new()))
}

#[test]
fn an_entity_is_as_large_as_what_it_has() {
    let row = br#"{"uid":{"type":"Group","id":"a"},"attrs":{"a":"xyz","b":[1,2],"c":{"d":true},
        "e":{"__entity":{"type":"T","id":"i"}}},"parents":[{"type":"Group","id":"b"}],"tags":{"t":{}}}"#;
    let measured = |rows: &[&Value]| {
        let rows = rows.iter().map(|row| (*row).clone()).collect();
        let extent = entities::measure(&Value::Array(rows)).unwrap();
        (extent.values, extent.largest)
    };
    let large = (1 + 1 + 3) + (1 + 1 + 2) + (1 + 1 + 1 + 1) + (1 + 1 + 8 + 1 + 4 + 2 + 2 + 2) + (1 + 1);
    let (row, other) = (parse(row).unwrap(), entity("z", &["y"]));
    // Itself, its tag, what the tag is, and what `c` is.
    assert_eq!(measured(&[&row]), (4, large));
    assert_eq!(measured(&[&other, &row]), (1 + 4, large));
    assert_eq!(measured(&[&other]), (1, 0));
    assert_eq!(measured(&[]), (0, 0));
}

fn of_bundle_with(cedar: &str, schema: Value, entity: Value) -> Result<usize, PolicyError> {
    let value = bundle_value(cedar).with("schema", schema).with("entities", vec![entity]);
    signs(&PolicyBundle::read(Value::Object(value)).unwrap())
}

#[test]
fn rules_times_what_an_entity_has_is_bounded() {
    let rules = PERMIT.repeat(7_000);
    let bytes: usize = tokens(&rules).map(Token::len).sum();
    let most = usize::try_from(MAX_ENTITY_READS).unwrap() / bytes;
    let of_text = |cedar: &str, size: usize| {
        of_bundle_with(cedar, Value::Null, with_attribute(Value::from("a".repeat(size - 2))))
    };
    of_text(&rules, most).unwrap();
    is_too_much(of_text(&rules, most + 1), "for its rules to go over");
    of_text(PERMIT, most + 1).unwrap();
}

#[test]
fn entities_times_schema_is_bounded() {
    let schema = format!("{SCHEMA} entity Wide {{{}}};", "a?: Long,".repeat(5_000));
    let measured = schema::measure(&schema).unwrap();
    let most = MAX_ENTITY_CHECKS / measured.entity;
    let of_records = |values: usize| {
        let records = vec![Value::Object(Object::new()); values - 1];
        of_bundle_with(PERMIT, Value::from(schema.as_str()), with_attribute(Value::Array(records)))
    };
    of_records(most).unwrap();
    is_too_much(of_records(most + 1), "its entities against its schema");
    // Of a large context alone nothing is copied for an entity.
    let wide = SCHEMA.replace("facts: {}", &format!("facts: {{{}}}", "a?: Long,".repeat(5_000)));
    assert!(schema::measure(&wide).unwrap().entity < 100);
}
