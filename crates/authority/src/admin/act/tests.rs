use super::*;

fn read(act: &str, args: &str) -> Result<Act, FormError> {
    let Value::Object(args) = eleven_core::encoding::parse(args.as_bytes()).expect("I-JSON") else {
        panic!("an object")
    };
    Act::read(act, args)
}

const ID: &str = "9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM41";

#[test]
fn an_artifact_is_named_by_itself_or_by_its_operation() {
    let expected = Act::ArtifactRevoke { artifact: format!("auth_{ID}"), why: "operator".into() };
    for args in [
        format!(r#"{{"artifact":"auth_{ID}"}}"#),
        format!(r#"{{"operation":"{ID}"}}"#),
        format!(r#"{{"operation":"{ID}.3"}}"#),
        format!(r#"{{"operation":"lineage://op/{ID}"}}"#),
    ] {
        assert_eq!(read("artifact.revoke", &args).as_ref(), Ok(&expected), "{args}");
    }
    assert!(read("artifact.revoke", "{}").is_err());
    assert!(read("artifact.revoke", &format!(r#"{{"artifact":"auth_{ID}","operation":"{ID}"}}"#)).is_err());
}

#[test]
fn an_operator_is_added_by_the_public_half_of_a_key() {
    let add = |operator: &str, identity: &str, public: &str| {
        let args =
            format!(r#"{{"operator":"{operator}","identity":"{identity}","kid":"key:11-11/a/b","public":"{public}"}}"#);
        read("operator.add", &args)
    };
    let public = format!("base64:{}", eleven_core::hash::base64(&[7; 32]));
    let Ok(Act::OperatorAdd { record }) = add("second", "human:second:dev", &public) else { panic!("an act") };
    assert_eq!((record.name.as_str(), record.source.as_str()), ("operator.second", "operator"));
    let short = format!("base64:{}", eleven_core::hash::base64(&[7; 31]));
    let long = "a".repeat(49);
    for (operator, identity, public) in [
        ("Second", "human:second:dev", public.as_str()),
        (long.as_str(), "human:second:dev", public.as_str()),
        ("second", "human:second@eu.example", public.as_str()),
        ("second", "human:second:dev", short.as_str()),
    ] {
        assert!(add(operator, identity, public).is_err(), "{operator} {identity} {public}");
    }
}

#[test]
fn whoever_names_nobody_is_told_how_names_are_written() {
    let told = |act: &str, args: &str| read(act, args).expect_err("of another form").to_string();
    let identity = told("identity.issue", r#"{"identity":"demo-app"}"#);
    assert!(
        identity.ends_with("`identity` is not an identity of this domain, such as `svc:demo-app:dev`"),
        "{identity}"
    );
    let key = told("key.retire", r#"{"kid":"gw-0"}"#);
    assert!(key.ends_with("`kid` is not a key's name: `eleven key list` shows them"), "{key}");
}

#[test]
fn arguments_are_read_strictly() {
    assert!(read("policy.retire", r#"{"ref":"policy://a/v1"}"#).is_ok());
    for (act, args) in [
        ("policy.retire", r#"{"ref":"policy://a/v01"}"#),
        ("policy.retire", r#"{"ref":"policy://a/v1","force":true}"#),
        ("client.add", r#"{"client":"a"}"#),
        ("client.add", r#"{"client":"a","identity":"svc:a@eu.example"}"#),
        ("client.add", r#"{"client":"a","identity":"svc:a","hash":"sha3-512:00"}"#),
        ("auditor.add", r#"{"auditor":"a","identity":"human:a","hash":null}"#),
        ("identity.issue", r#"{"identity":"svc:a@eu.example"}"#),
        ("operator.add", r#"{"operator":"a","identity":"human:a","kid":"key:11-11/a/b"}"#),
        ("operator.remove", r#"{"operator":"a","force":true}"#),
        ("subject.contain", r#"{"kind":"mesh","subject":"all"}"#),
        ("subject.contain", r#"{"kind":"galaxy","subject":"*"}"#),
        ("key.compromise", r#"{"kid":"key:11-11/a/b","since":"2026-05-12T17:04:11Z"}"#),
        ("no.such", "{}"),
    ] {
        assert!(read(act, args).is_err(), "{act} {args}");
    }
}

#[test]
fn every_act_is_read_under_its_own_name() {
    for (act, args) in [
        ("policy.publish", r#"{"bundle":{}}"#),
        ("policy.retire", r#"{"ref":"policy://a/v1"}"#),
        ("key.retire", r#"{"kid":"key:11-11/a/b"}"#),
        ("key.compromise", r#"{"kid":"key:11-11/a/b","since":"2026-05-12T17:04:11.000Z"}"#),
        ("runtime.remove", r#"{"point":"host://a#b"}"#),
        ("source.register", r#"{"name":"a","source":"b","mapping":{}}"#),
        ("source.remove", r#"{"name":"a"}"#),
        ("client.add", r#"{"client":"a","identity":"svc:a"}"#),
        ("client.revoke", r#"{"client":"a"}"#),
        ("operator.remove", r#"{"operator":"a"}"#),
        ("identity.issue", r#"{"identity":"svc:a"}"#),
        ("subject.contain", r#"{"kind":"mesh","subject":"*"}"#),
        ("subject.lift", r#"{"kind":"mesh","subject":"*"}"#),
    ] {
        assert_eq!(read(act, args).map(|read| read.name()), Ok(act));
    }
}
