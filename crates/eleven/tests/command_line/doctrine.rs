//! The example of the doctrine paper, its section 10.3: the request byte for byte, the answer in its shape, and in it an artifact as
//! its section 5.3 has one.

use crate::domain::Domain;
use eleven_core::encoding::{Object, Value};
use http::StatusCode;

/// As it stands in the paper.
const REQUEST: &str = r#"{
  "identity": "svc:inference-gateway:prod",
  "op": { "name": "model.invoke",
         "model": "clinical-summary-v4",
         "scope": ["phi.read", "phi.no_export"] },
  "env": { "runtime": "k8s://cluster-east-1/ns/inference" }
}"#;

const CEDAR: &str = r#"
@id("clinical-summaries")
permit (principal == Identity::"svc:inference-gateway:prod", action == Action::"model.invoke", resource)
when { context.op.model == "clinical-summary-v4" && context.op.scope.contains("phi.no_export") };
"#;

#[test]
fn the_papers_request_is_answered_in_the_papers_shape() {
    let mut domain = Domain::make(&[
        "domain.env=prod",
        "runtime.point=k8s://cluster-east-1/ns/inference#gw-0",
        "runtime.region=us-east",
    ]);
    domain.up(&[]);
    let cedar = domain.dir().join("policies/starter.cedar");
    std::fs::write(&cedar, CEDAR).expect("written");
    let file = domain.dir().join("policies/starter.json");
    let bundle = std::fs::read_to_string(&file).expect("the bundle");
    std::fs::write(&file, bundle.replace("\"bind_params\": true", "\"bind_params\": false")).expect("written");
    domain.done(&["policy", "publish", &file.display().to_string(), "--next"]);
    let token = domain.done(&["identity", "issue", "svc:inference-gateway:prod"]).trim().to_owned();

    let (status, lineage, body) = domain.post("authority", "/v1/govern/execute", &token, REQUEST.as_bytes().to_vec());
    assert_eq!(status, StatusCode::OK, "{body}");
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    assert_eq!(text("/decision"), "allow");
    let id = text("/artifact_id");
    let content = id.strip_prefix("auth_").expect("an artifact id").to_owned();
    assert_eq!((text("/artifact/id"), text("/lineage")), (id, format!("lineage://op/{content}")));
    assert_eq!(lineage, text("/lineage"));
    assert_eq!(text("/artifact/iss"), "governance://11-11/authority/prod");
    assert_eq!(text("/artifact/sub"), "svc:inference-gateway:prod");
    assert_eq!(
        (text("/artifact/op/name"), text("/artifact/op/model")),
        ("model.invoke".into(), "clinical-summary-v4".into())
    );
    assert_eq!(text("/artifact/op/scope/0"), "phi.no_export", "the authority sorts the scope");
    assert_eq!(text("/artifact/env/runtime"), "k8s://cluster-east-1/ns/inference");
    assert_eq!(text("/artifact/env/region"), "us-east", "and fills what the registry knows");

    // The members of the paper's artifact, and no others.
    for (pointer, members) in [
        ("/artifact", "chash env exp id iss nbf op pol sig sub use v"),
        ("/artifact/op", "model name scope"),
        ("/artifact/pol", "hash ref"),
        ("/artifact/env", "region runtime tenancy"),
        ("/artifact/use", "mode nonce"),
        ("/artifact/sig", "alg kid val"),
    ] {
        let names = |object: &Object| object.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>().join(" ");
        let named = body.pointer(pointer).and_then(Value::as_object).map(names);
        assert_eq!(named.as_deref(), Some(members), "{pointer}");
    }
    let (nbf, exp) = (text("/artifact/nbf"), text("/artifact/exp"));
    assert!(nbf.ends_with('Z') && nbf.len() == "2026-05-12T17:00:00Z".len() && nbf < exp, "{nbf} {exp}");
    assert!(text("/artifact/use/nonce").starts_with("n_") && text("/artifact/sig/val").starts_with("base64:"));

    // The same request, as another: the request names who the credential does not stand for.
    let other = domain.done(&["identity", "issue", "svc:demo-app:prod"]).trim().to_owned();
    let (status, lineage, body) = domain.post("authority", "/v1/govern/execute", &other, REQUEST.as_bytes().to_vec());
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    assert_eq!(body.get("decision").and_then(Value::as_str), Some("deny"), "{body}");
    assert_eq!(body.get("reason").and_then(Value::as_str), Some("identity.mismatch"));
    assert!(domain.done(&["why", &lineage]).starts_with("denied: identity.mismatch"));
}
