use super::*;
use crate::fixtures::{bundle_value, compiled, decision, denial, input, vector_bundles};
use eleven_core::encoding::parse;
use eleven_core::policy::PolicyBundle;
use proptest::prelude::*;

const PERMIT: &str = "@id(\"open\") permit(principal, action, resource);";

fn permitted_by(decision: Decision) -> String {
    match decision {
        Decision::Permit { rule } => rule,
        Decision::Deny(denial) => panic!("{denial:?}"),
    }
}

#[test]
fn the_medical_policy_of_the_vectors_wants_its_scope() {
    let (medical, _) = vector_bundles().remove(0);
    let policy = CompiledPolicy::compile(&medical).unwrap();
    assert_eq!(permitted_by(decide(&policy, &input(policy.id(), "{}"))), "policy0");
    let denied = denial(decide(&policy, &input(policy.id(), r#"{"scope":["read"]}"#)));
    assert_eq!((denied.reason, denied.rule.as_deref()), (Reason::PolicyDenied, Some("policy0")));
    assert!(denied.would_pass.unwrap().contains(r#"context.op.scope.contains("phi.no_export")"#));
}

#[test]
fn the_clinical_policy_of_the_vectors_permits_every_tool_call() {
    let (clinical, _) = vector_bundles().remove(1);
    let policy = CompiledPolicy::compile(&clinical).unwrap();
    assert_eq!(permitted_by(decide(&policy, &input(policy.id(), r#"{"name":"tool.call","scope":[]}"#))), "policy0");
    assert_eq!(denial(decide(&policy, &input(policy.id(), "{}"))).reason, Reason::PolicyNone);
}

#[test]
fn a_rule_that_fails_denies_whatever_the_others_say() {
    let erring = [
        r#"@id("broken") forbid(principal, action, resource) when { context.op.missing == 1 };"#,
        r#"@id("broken") permit(principal, action, resource) when { context.op.name < 1 };"#,
        r#"@id("broken") forbid(principal, action, resource) when { principal.level > 3 };"#,
        r#"@id("broken") permit(principal, action, resource) when { context.op.n * 2 > 0 && context.op.n * 4096 * 4096 > 0 };"#,
    ];
    for rule in erring {
        for text in [format!("{PERMIT}{rule}"), format!("{rule}{PERMIT}")] {
            let denied = denial(decision(&text, r#"{"n":9007199254740991}"#));
            assert_eq!((denied.reason, denied.rule.as_deref()), (Reason::PolicyError, Some("broken")), "{text}");
            assert!(denied.detail.is_some());
        }
    }
}

#[test]
fn an_error_beside_a_forbid_that_holds_is_still_an_error() {
    let text = format!(
        "{PERMIT} @id(\"no\") forbid(principal, action, resource);
         @id(\"first\") forbid(principal, action, resource) when {{ context.x }};
         @id(\"second\") forbid(principal, action, resource) when {{ context.y }};"
    );
    let denied = denial(decision(&text, "{}"));
    assert_eq!((denied.reason, denied.rule.as_deref()), (Reason::PolicyError, Some("first")));
}

#[test]
fn a_forbid_outweighs_a_permit_and_names_itself() {
    let text = format!(
        "{PERMIT} @id(\"no_night\") @advice(\"ask between 08:00 and 16:00 UTC\")
         forbid(principal, action, resource) unless {{ context.at.toTime() < duration(\"16h\") }};
         forbid(principal, action, resource);"
    );
    let denied = denial(decision(&text, "{}"));
    let expected = Denial {
        reason: Reason::PolicyDenied,
        rule: Some("no_night".into()),
        forbids: true,
        would_pass: Some("ask between 08:00 and 16:00 UTC".into()),
        detail: None,
    };
    assert_eq!(denied, expected);
}

#[test]
fn a_denial_names_the_permit_that_came_closest() {
    let text = r#"
        @id("other_action") permit(principal, action == Action::"tool.call", resource);
        @id("other_identity") permit(principal == Identity::"svc:x:prod", action, resource);
        @id("small") @advice("a model of the small class")
        permit(principal == Identity::"svc:inference-gateway:prod", action in [Action::"model.invoke"], resource)
          when { context.op.model == "small" };"#;
    let denied = denial(decision(text, r#"{"model":"large"}"#));
    assert_eq!((denied.rule.as_deref(), denied.forbids), (Some("small"), false));
    assert_eq!(denied.would_pass.as_deref(), Some("a model of the small class"));
    assert_eq!(permitted_by(decision(text, r#"{"model":"small"}"#)), "small");
}

#[test]
fn where_no_permit_s_head_fits_the_first_of_the_action_is_named() {
    let text = r#"
        permit(principal == Identity::"svc:x:prod", action == Action::"model.invoke", resource);
        permit(principal is Identity, action, resource == Runtime::"k8s://elsewhere/ns/a");"#;
    let denied = denial(decision(text, "{}"));
    assert_eq!(denied.rule.as_deref(), Some("policy0"));
    assert!(denied.would_pass.unwrap().starts_with("permit(principal == Identity::\"svc:x:prod\""));
    let nothing = denial(decision(r#"permit(principal, action == Action::"tool.call", resource);"#, "{}"));
    assert_eq!(nothing, Denial::of(Reason::PolicyDenied));
}

#[test]
fn a_rule_too_long_to_read_is_only_named() {
    let names: Vec<String> = (0..100).map(|n| format!("\"model-number-{n}\"")).collect();
    let text =
        format!("permit(principal, action, resource) when {{ [{}].contains(context.op.model) }};", names.join(","));
    let denied = denial(decision(&text, r#"{"model":"m"}"#));
    assert_eq!((denied.rule.as_deref(), denied.would_pass), (Some("policy0"), None));
}

#[test]
fn a_policy_decides_only_what_names_and_fits_it() {
    let (one, other) = (compiled(PERMIT), compiled("permit(principal, action, resource) when { true };"));
    assert_eq!(denial(decide(&one, &input(other.id(), "{}"))).reason, Reason::PolicyMismatch);
    assert_eq!(denial(decide(&one, &input(one.id(), r#"{"name":"data.read"}"#))).reason, Reason::PolicyNone);
    let mut elsewhere = input(one.id(), "{}");
    elsewhere.env.runtime = "host://cluster-east-1/ns/inference".into();
    assert_eq!(denial(decide(&one, &elsewhere)).reason, Reason::PolicyNone);
}

#[test]
fn approvals_are_counted_once_each_and_only_from_those_named() {
    let mut value = bundle_value(PERMIT);
    let Some(Value::Object(terms)) = value.remove("terms") else { panic!("the fixture has terms") };
    let approvals = parse(br#"{"m":2,"from":["human:ada","human:bob","human:bob","human:cy"]}"#).unwrap();
    let value = value.with("terms", terms.with("approvals", approvals));
    let policy = CompiledPolicy::compile(&PolicyBundle::read(Value::Object(value)).unwrap()).unwrap();
    let decided = |given: &str| {
        let mut asked = input(policy.id(), "{}");
        asked.facts.insert("approvals", parse(given.as_bytes()).unwrap());
        decide(&policy, &asked)
    };
    for enough in [r#"["human:ada","human:cy"]"#, r#"["human:bob","human:eve","human:cy"]"#] {
        assert_eq!(permitted_by(decided(enough)), "open", "{enough}");
    }
    for few in ["[]", r#""human:ada human:cy""#, r#"["human:bob","human:bob"]"#, r#"["human:ada","human:eve"]"#] {
        assert_eq!(denial(decided(few)).reason, Reason::ApprovalRequired, "{few}");
    }
    assert_eq!(denial(decide(&policy, &input(policy.id(), "{}"))).reason, Reason::ApprovalRequired);
}

/// Rules of which some permit, some forbid and some fail, by what stands in `op`.
fn rules() -> impl Strategy<Value = String> {
    let condition = prop_oneof![
        Just("context.op.a > 3"),
        Just("context.op has b && context.op.b == \"x\""),
        Just("context.op.b like \"x*\""),
        Just("context.op.scope.contains(\"read\")"),
        Just("context.facts.level == 1"),
        Just("principal in Group::\"g\""),
        Just("true"),
    ];
    let rule = (any::<bool>(), condition).prop_map(|(permit, condition)| {
        let effect = if permit { "permit" } else { "forbid" };
        format!("{effect}(principal, action, resource) when {{ {condition} }};")
    });
    prop::collection::vec(rule, 1..12).prop_map(|rules| rules.join("\n"))
}

fn parameters() -> impl Strategy<Value = String> {
    let value = prop_oneof![Just("1"), Just("7"), Just("\"x\""), Just("\"xy\""), Just("[1,2,1]"), Just("{\"c\":true}")];
    prop::collection::btree_map("[ab]", value, 0..3).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A policy compiled anew, and the input read anew from its bytes, decide the same to the last word.
    #[test]
    fn the_same_inputs_decide_the_same(cedar in rules(), parameters in parameters()) {
        let (one, other) = (compiled(&cedar), compiled(&cedar));
        let asked = input(one.id(), &parameters);
        let again = DecisionInput::read(parse(&asked.to_value().canonical()).unwrap()).unwrap();
        let first = decide(&one, &asked);
        prop_assert_eq!(&first, &decide(&one, &asked));
        prop_assert_eq!(&first, &decide(&other, &again));
    }

    /// The order of rules may change which is named, never what is decided.
    #[test]
    fn the_order_of_rules_decides_nothing(cedar in rules(), parameters in parameters()) {
        let turned: Vec<&str> = cedar.lines().rev().collect();
        let reason = |decision| if let Decision::Deny(denial) = decision { Some(denial.reason) } else { None };
        prop_assert_eq!(reason(decision(&cedar, &parameters)), reason(decision(&turned.join("\n"), &parameters)));
    }
}
