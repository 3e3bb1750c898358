use super::*;
use crate::admin::Source;
use eleven_core::encoding::{Value, parse};
use eleven_core::policy::PolicyBundle;
use eleven_policy::{CompiledPolicy, Decision, DecisionInput, decide};

const CONFIG: &str = "\
[domain]
name = \"11-11\"
[runtime]
point = \"host://here/gateway#gw-0\"
[runtime.gateway]
upstream = \"http://127.0.0.1:8000\"
";

/// Whether the starter policy of a domain whose gateway's calls touch this scope permits an identity an operation.
fn starter(scope: &str) -> impl Fn(&str, &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("{CONFIG}scope = {scope}\n");
    let config = Config::read(&folder.path().join("eleven.toml"), &text).expect("a configuration");
    let file = write(folder.path(), &config).expect("written");
    let bundle = Source::read(&file).expect("the files").into_object();
    let policy = CompiledPolicy::compile(&PolicyBundle::read(Value::Object(bundle)).expect("a bundle")).expect("Cedar");
    move |identity: &str, op: &str| {
        let env = r#"{"region":"local","runtime":"host://here/gateway","tenancy":"default"}"#;
        let of = policy.id().to_value();
        let input = format!(
            r#"{{"at":"2026-05-12T17:00:00.000Z","env":{env},"facts":{{}},"identity":"{identity}","op":{op},"policy":{of}}}"#
        );
        let input = DecisionInput::read(parse(input.as_bytes()).expect("I-JSON")).expect("an input");
        matches!(decide(&policy, &input), Decision::Permit { .. })
    }
}

#[test]
fn exactly_the_demos_identity_model_and_scope_are_permitted() {
    let permits = starter(r#"["text.summarize"]"#);
    let invoke = |model: &str, scope: &str| format!(r#"{{"model":"{model}","name":"model.invoke","scope":{scope}}}"#);
    let list = |scope: &str| format!(r#"{{"name":"model.list","scope":{scope}}}"#);
    let scope = r#"["text.summarize"]"#;
    assert!(permits(IDENTITY, &invoke(MODEL, scope)) && permits(IDENTITY, &list(scope)));
    assert!(!permits("svc:other-app:dev", &invoke(MODEL, scope)) && !permits("svc:other-app:dev", &list(scope)));
    assert!(!permits(IDENTITY, &invoke("gpt-oracle", scope)));
    assert!(!permits(IDENTITY, &format!(r#"{{"name":"model.invoke","scope":{scope}}}"#)), "no model at all");
    for other in ["[]", r#"["text.read"]"#, r#"["text.read","text.summarize"]"#] {
        assert!(!permits(IDENTITY, &invoke(MODEL, other)) && !permits(IDENTITY, &list(other)), "{other}");
    }
}

#[test]
fn the_scope_that_is_permitted_is_the_one_that_the_gateways_calls_have() {
    let scopes = ["[]", r#"["text.read"]"#, r#"["text.read","text.summarize"]"#, r#"["text.summarize"]"#];
    for own in scopes {
        let permits = starter(own);
        for scope in scopes {
            let op = format!(r#"{{"model":"{MODEL}","name":"model.invoke","scope":{scope}}}"#);
            let list = format!(r#"{{"name":"model.list","scope":{scope}}}"#);
            assert_eq!(
                (permits(IDENTITY, &op), permits(IDENTITY, &list)),
                (own == scope, own == scope),
                "{own}: {scope}"
            );
        }
    }
}
