use super::*;
use crate::compile::CompiledPolicy;
use crate::fixtures::{bundle, bundle_value, compiled, input};
use crate::{Decision, decide, request};
use cedar_policy::Authorizer;
use core::str::FromStr;
use eleven_core::encoding::{Value, parse};
use eleven_core::policy::PolicyBundle;
use proptest::prelude::*;

fn rules_for(policy: &CompiledPolicy, operation: &str) -> Vec<String> {
    let mut ids: Vec<String> = policy
        .cedar
        .slices
        .for_operation(operation)
        .flat_map(PolicySet::policies)
        .map(|rule| rule.annotation("id").unwrap_or_default().to_owned())
        .collect();
    ids.sort();
    ids
}

const TEXT: &str = r#"
    @id("any") permit(principal, action, resource);
    @id("eq") permit(principal, action == Action::"model.invoke", resource);
    @id("both") permit(principal, action in [Action::"model.invoke", Action::"tool.call", Action::"tool.call"], resource);
    @id("group") permit(principal, action in Action::"reading", resource);
    @id("elsewhere") permit(principal, action == Action::"data.read", resource);
    @id("namesake") permit(principal, action == Other::Action::"model.invoke", resource);"#;

#[test]
fn a_slice_holds_the_rules_for_its_operation() {
    let policy = compiled(TEXT);
    assert_eq!(rules_for(&policy, "model.invoke"), ["any", "both", "eq"]);
    assert_eq!(rules_for(&policy, "tool.call"), ["any", "both"]);
    let mut apart: Vec<(&str, &str)> = policy.apart().collect();
    apart.sort_unstable();
    let expected = [
        ("elsewhere", "Action::\"data.read\""),
        ("group", "Action::\"reading\""),
        ("namesake", "Other::Action::\"model.invoke\""),
    ];
    assert_eq!(apart, expected, "what is in no slice, and why");
}

#[test]
fn a_rule_for_a_group_is_in_the_slices_of_its_members() {
    let entities =
        br#"[{"uid":{"type":"Action","id":"tool.call"},"attrs":{},"parents":[{"type":"Action","id":"reading"}]}]"#;
    let value = bundle_value(TEXT).with("entities", parse(entities).unwrap());
    let policy = CompiledPolicy::compile(&PolicyBundle::read(Value::Object(value)).unwrap()).unwrap();
    assert!(rules_for(&policy, "tool.call").contains(&"group".to_owned()));
    assert!(!policy.apart().any(|(rule, _)| rule == "group"), "it has members");
    let only = TEXT.lines().filter(|line| line.contains("group")).collect::<String>();
    let value = bundle_value(&only).with("entities", parse(entities).unwrap());
    let policy = CompiledPolicy::compile(&PolicyBundle::read(Value::Object(value)).unwrap()).unwrap();
    let permits = |name: &str| {
        let asked = input(policy.id(), &format!("{{\"name\":\"{name}\"}}"));
        matches!(decide(&policy, &asked), Decision::Permit { .. })
    };
    assert!(permits("tool.call"));
    assert!(!permits("model.invoke"));
}

fn rule() -> impl Strategy<Value = String> {
    let head = prop_oneof![
        Just("action"),
        Just("action == Action::\"model.invoke\""),
        Just("action == Action::\"tool.call\""),
        Just("action in [Action::\"tool.call\", Action::\"model.invoke\"]"),
        Just("action in Action::\"model.invoke\""),
        Just("action == Action::\"data.read\""),
    ];
    let condition = prop_oneof![Just("true"), Just("context.op has model"), Just("context.op.model == \"m\"")];
    (prop_oneof![Just("permit"), Just("forbid")], head, condition)
        .prop_map(|(effect, head, condition)| format!("{effect}(principal, {head}, resource) when {{ {condition} }};"))
}

proptest! {
    /// Sliced rules decide as Cedar does over the whole text, but for its skipping of errors.
    #[test]
    fn slices_decide_as_the_whole_text(rules in prop::collection::vec(rule(), 1..10), with_model: bool, tool: bool) {
        let text = rules.join("\n");
        let policy = CompiledPolicy::compile(&bundle(&text)).unwrap();
        let name = if tool { "tool.call" } else { "model.invoke" };
        let model = if with_model { r#","model":"m""# } else { "" };
        let asked = input(policy.id(), &format!("{{\"name\":\"{name}\"{model}}}"));
        let whole = PolicySet::from_str(&text).unwrap();
        let request = request::of(&policy.cedar, &asked).unwrap();
        let response = Authorizer::new().is_authorized(&request, &whole, &policy.cedar.entities);
        let allowed = response.decision() == cedar_policy::Decision::Allow
            && response.diagnostics().errors().next().is_none();
        prop_assert_eq!(matches!(decide(&policy, &asked), Decision::Permit { .. }), allowed);
    }
}
