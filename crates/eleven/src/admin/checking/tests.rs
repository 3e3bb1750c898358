use super::*;
use std::fs;
use tempfile::TempDir;

const CONFIG: &str = "[domain]\nname = \"11-11\"\n[authority]\nlisten = \"127.0.0.1:9\"\n\
                      [runtime]\npoint = \"host://here/gateway#gw-0\"\n\
                      [runtime.gateway]\nupstream = \"http://127.0.0.1:8000\"\n";
const RULES: &str = "@id(\"one-model\") permit(principal == Identity::\"svc:app:dev\", action, resource)\n\
                     when { context.op has model && context.op.model == \"m\" && context.at < datetime(\"2027-01-01\") };";

fn config(folder: &TempDir) -> Config {
    let file = folder.path().join("eleven.toml");
    fs::write(&file, CONFIG).expect("written");
    Config::load(&file).expect("a configuration")
}

fn bundle(runtimes: &str, cedar: &str, binds: bool) -> String {
    format!(
        r#"{{"v":"1","ref":"policy://apps/v1","operations":["model.invoke"],"runtimes":["{runtimes}"],"schema":null,"cedar":{},
            "terms":{{"ttl":60,"use":["single"],"bind_params":{binds},"digests":"salted","release":"whole",
            "attestation":"software","sensitive":["/op/user"]}}}}"#,
        Value::from(cedar)
    )
}

fn read(text: &str) -> PolicyBundle {
    PolicyBundle::read(parse(text.as_bytes()).expect("I-JSON")).expect("a bundle")
}

#[test]
fn what_would_be_refused_is_refused_without_an_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    let checked = |text: &str| {
        let file = folder.path().join("apps.json");
        fs::write(&file, text).expect("written");
        check(&config, &file, &[], Output::new(true)).map_err(|failure| failure.to_string())
    };
    assert_eq!(checked(&bundle("host://here/gateway", RULES, true)), Ok(()));
    let error = checked(&bundle("host://here/gateway", "permit(principal, action\n, resource) unles {};", true));
    assert!(error.is_err_and(|told| told.contains("policy://apps/v1 of ") && told.contains("line 2, ")));
    let delegates =
        bundle("host://here/gateway", RULES, true).replace("\"ttl\":60", "\"delegates\":[\"x\"],\"ttl\":60");
    assert!(checked(&delegates).is_err_and(|told| told.contains("`delegates` is not enforced")));
    let many = (0..400).map(|n| format!("\"op.{n:03}.{}\"", "x".repeat(40))).collect::<Vec<_>>().join(",");
    let wide = bundle("host://here/gateway", RULES, true).replace("\"model.invoke\"", &many);
    assert!(checked(&wide).is_err_and(|told| told.contains("16 KiB") && told.contains("several policies")));
    assert!(checked("{").is_err());
}

#[test]
fn a_request_is_decided_as_it_would_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    let bundle = read(&bundle("host://here/gateway", RULES, true));
    let compiled = CompiledPolicy::compile(&bundle).expect("it compiles");
    let decided = |request: &str| {
        let file = folder.path().join("request.json");
        fs::write(&file, request).expect("written");
        Decided::of(&config, &bundle, &compiled, &file).map_err(|failure| failure.to_string())
    };
    let asked = |identity: &str, at: &str| {
        format!(r#"{{"identity":"{identity}","op":{{"name":"model.invoke","scope":[],"model":"m"}},"at":"{at}"}}"#)
    };
    let told = |request: &str| decided(request).expect("a decision").told();
    let (in_time, late) = ("2026-05-12T17:00:00.123Z", "2027-05-12T17:00:00.123Z");
    assert!(told(&asked("svc:app:dev", in_time)).ends_with("allow, by `one-model`"));
    let denied = told(&asked("svc:app:dev", late));
    assert!(denied.contains("deny (policy.denied)") && denied.contains("rule: one-model"), "{denied}");
    assert!(told(&asked("svc:other:dev", in_time)).contains("deny (policy.denied)"));
    let now = r#"{"identity":"svc:app:dev","op":{"name":"model.list","scope":[]}}"#;
    assert!(told(now).contains("deny (policy.none)"), "{}", told(now));
    let clear = asked("svc:app:dev", in_time).replace("\"model\":\"m\"", "\"model\":\"m\",\"user\":\"bob\"");
    assert!(decided(&clear).err().expect("it is in clear").contains("`/op/user` is sensitive"));
    assert!(decided("[]").is_err());
    assert!(decided(r#"{"identity":"svc:app:dev"}"#).is_err());
}

#[test]
fn a_policy_of_another_path_that_covers_the_same_is_named() {
    let own = read(&bundle("host://*/gateway", RULES, true));
    let row = |reference: &str, operation: &str, runtime: &str| {
        let list = |text: &str| Value::Array(vec![Value::from(text)]);
        let row = Object::new().with("ref", reference).with("hash", own.hash).with("operations", list(operation));
        let policies = Value::Array(vec![Value::Object(row.with("runtimes", list(runtime)))]);
        overlapping(&own, &Value::Object(Object::new().with("policies", policies)))
    };
    let other = "policy://others/v3";
    assert_eq!(row(other, "model.invoke", "host://here/gateway").as_deref(), Some(other));
    assert_eq!(row(other, "model.list", "host://here/gateway"), None);
    assert_eq!(row(other, "model.invoke", "host://here/other"), None);
    assert_eq!(row("policy://apps/v7", "model.invoke", "host://here/gateway"), None, "it replaces that");
}

#[test]
fn a_version_that_is_not_the_next_of_its_path_is_told() {
    let own = read(&bundle("host://here/gateway", RULES, true));
    let told = |references: &[&str]| {
        let row = |reference: &&str| Value::Object(Object::new().with("ref", *reference));
        let policies: Vec<Value> = references.iter().map(row).collect();
        misnumbered(&own, &Value::Object(Object::new().with("policies", policies)))
    };
    assert_eq!(own.reference, "policy://apps/v1");
    let note = told(&["policy://others/v3", "policy://apps/v1"]).expect("it is in force itself");
    assert!(note.contains("policy://apps/v1 is in force, so that v2 is what is taken"), "{note}");
    assert!(told(&["policy://apps/v4"]).is_some_and(|note| note.contains("v5 is what is taken")));
    assert_eq!(told(&["policy://others/v3"]), None);
    assert_eq!(told(&[]), None);
}
