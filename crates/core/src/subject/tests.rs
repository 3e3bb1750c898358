use super::*;
use crate::encoding::parse;
use alloc::string::String;

const POINT: &str = "k8s://cluster-east-1/ns/inference#gw-0";

fn target() -> Target<'static> {
    Target {
        point: POINT,
        runtime: "k8s://cluster-east-1/ns/inference",
        identity: "svc:inference-gateway:prod",
        operation: "model.invoke",
        model: Named::Text("clinical-summary-v4"),
        tool: Named::Absent,
        policy: "policy://medical/inference/v3",
        domain: "11-11",
        origin: None,
        route: None,
    }
}

/// The cases of admission.json that only a containment decides.
#[test]
fn vectors() {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let mut ran = 0;
    for case in file.get("cases").and_then(Value::as_array).expect("cases") {
        let Some(rows) = case.pointer("/change/registry/containments").and_then(Value::as_array) else { continue };
        if rows.is_empty() {
            continue;
        }
        let text = |value: &Value, name: &str| String::from(value.get(name).and_then(Value::as_str).expect("a string"));
        let covered = rows.iter().any(|row| covers(&text(row, "kind"), &text(row, "subject"), &target()));
        assert_eq!(covered, text(case, "expect") == "runtime.contained", "{}", text(case, "what"));
        ran += 1;
    }
    assert!(ran >= 13, "{ran}");
}

#[test]
fn a_path_holds_what_stands_below_it_and_nothing_else() {
    for below in ["k8s://c", "k8s://c/ns/x", "k8s://c#p", "k8s://c/ns/x#p"] {
        assert!(holds("k8s://c", below), "{below}");
    }
    for other in ["k8s://c2", "k8s://c2/ns/x", "host://c", "k8s://", "k8s://c.d#p", ""] {
        assert!(!holds("k8s://c", other), "{other}");
    }
    assert!(!holds("k8s://c/ns/x", "k8s://c"), "a part does not hold the whole");
}

#[test]
fn every_other_kind_compares_whole_names() {
    let plain = target();
    for (kind, subject) in [
        ("identity", "svc:inference-gateway"),
        ("operation", "model"),
        ("model", "clinical-summary"),
        ("tool", "fhir.read"),
        ("policy", "policy://medical/inference"),
        ("policy", "policy://medical/inference/v33"),
        ("domain", "11"),
        ("route", "sha3-512:00"),
    ] {
        assert!(!covers(kind, subject, &plain), "{kind} {subject}");
    }
    assert!(covers("tool", "fhir.read", &Target { tool: Named::Text("fhir.read"), ..plain }));
}

#[test]
fn a_model_or_a_tool_that_cannot_be_read_may_be_the_one_that_is_contained() {
    let op = parse(br#"{"model":{"_sd":"sha3-512:00"},"tool":null}"#).expect("I-JSON");
    let hidden = Target { model: Named::of(op.get("model")), tool: Named::of(op.get("tool")), ..target() };
    for kind in ["model", "tool"] {
        assert!(covers(kind, "any", &hidden), "{kind}");
        assert!(!covers(kind, "any", &Target { model: Named::of(None), tool: Named::of(None), ..target() }), "{kind}");
    }
    assert!(!covers("tool", "any", &Target { tool: Named::Absent, ..hidden }), "of each kind by itself");
    assert!(!covers("identity", "any", &hidden), "another kind is read as ever");
}

#[test]
fn a_foreign_request_is_covered_by_its_domain_and_its_route() {
    let route = Sha3::of(&[b"route"]);
    let foreign =
        Target { identity: "svc:caller:prod@eu.example", origin: Some("us.example"), route: Some(route), ..target() };
    assert!(covers("domain", "eu.example", &foreign));
    assert!(covers("domain", "us.example", &foreign));
    assert!(!covers("domain", "eu.example", &target()));
    assert!(covers("route", &alloc::format!("{route}"), &foreign));
    assert!(!covers("route", &alloc::format!("{}", Sha3::of(&[b"other"])), &foreign));
}

#[test]
fn what_is_not_understood_contains() {
    for kind in ["mesh", "galaxy", "", "Runtime"] {
        assert!(covers(kind, "anything", &target()), "{kind}");
    }
}

#[test]
fn a_subject_has_the_form_of_its_kind() {
    for (kind, good, bad) in [
        ("runtime", POINT, "k8s://c/"),
        ("identity", "svc:a", "a"),
        ("operation", "model.invoke", "model invoke"),
        ("model", "m", ""),
        ("policy", "policy://a/v1", "policy://a"),
        ("domain", "11-11", "*"),
        ("mesh", "*", "11-11"),
    ] {
        assert!(is_subject(kind, good), "{kind} {good}");
        assert!(!is_subject(kind, bad), "{kind} {bad}");
    }
    assert!(!is_subject("galaxy", "x"));
}
