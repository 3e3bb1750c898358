//! Bodies of requests and answers: what is read holds nothing that was dropped, and is written again as it was.

use crate::{structures, vectors};
use eleven_api::admission::{Admit, Complete};
use eleven_api::audit::{Append, Appended, Cursor, LeftOpen};
use eleven_api::disclosure::{Asking, Disclose, Disclosed};
use eleven_api::govern::{Allowed, Execute};
use eleven_api::identity::{Exchange, Issued};
use eleven_api::problem::Problem;
use eleven_core::artifact::Token;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::{Sha3, base64};
use eleven_core::limits::MAX_OP;

/// Puts one body to every reader.
///
/// # Panics
/// Where a property does not hold.
pub fn run(body: &[u8]) {
    let _ = Problem::read(502, body).status_code();
    let Ok(value) = parse(body) else {
        refused_by_all(body);
        return;
    };
    if let Ok(execute) = Execute::read(body) {
        assert_eq!(execute.to_value(), value, "an execute request");
    }
    if let Ok(allowed) = Allowed::read(body) {
        assert_eq!(allowed.to_bytes(), value.canonical(), "an execute answer");
        travels(&allowed.token);
    }
    if let Ok(admit) = Admit::read(body) {
        admits(&admit, &value);
    }
    if let Ok(complete) = Complete::read(body) {
        assert_eq!(completion(&complete), value, "a complete request");
    }
    if let Ok(append) = Append::read(body) {
        assert!(append.blobs.iter().all(|(hash, bytes)| Sha3::of(&[bytes]) == *hash), "a blob under another's hash");
        let blobs = value.get("blobs").cloned().unwrap_or(Value::Object(Object::new()));
        let whole = vectors::merged(&value, &Value::Object(Object::new().with("blobs", blobs)), false);
        assert_eq!(append.to_bytes(), whole.canonical(), "an append request");
    }
    if let Ok(exchange) = Exchange::read(body) {
        assert_eq!(exchange.to_value(), value, "a token exchange");
    }
    if let Ok(appended) = Appended::read(value.clone()) {
        assert_eq!(appended.to_value(), value, "an append answer");
    }
    if let Ok(cursor) = Cursor::read(value.clone()) {
        assert_eq!(cursor.to_value(), value, "a cursor");
    }
    if let Ok(left) = LeftOpen::read(value.clone()) {
        assert_eq!(left.to_value(), value, "open lineages");
    }
    if let Ok(disclose) = Disclose::read(body) {
        assert_eq!(disclose.to_value(), value, "a disclosure request");
        for asking in [Asking::Open, Asking::Erase] {
            let size = disclose.operation(asking).map_or(0, |op| op.value().canonical().len());
            assert!(size <= MAX_OP, "an act past the limit of operations");
        }
    }
    if let Ok(disclosed) = Disclosed::read(body) {
        assert_eq!(disclosed.to_value(), value, "a disclosure answer");
    }
    if let Ok(issued) = Issued::read(body) {
        assert_eq!(issued.to_value(), value, "a token answer");
    }
}

fn refused_by_all(body: &[u8]) {
    assert!(Execute::read(body).is_err() && Allowed::read(body).is_err() && Admit::read(body).is_err(), "no JSON");
    assert!(Complete::read(body).is_err() && Append::read(body).is_err(), "no JSON");
    assert!(Exchange::read(body).is_err() && Issued::read(body).is_err(), "no JSON");
    assert!(Disclose::read(body).is_err() && Disclosed::read(body).is_err(), "no JSON");
}

/// A token that came in parts is one that could have come whole.
fn travels(token: &Token) {
    let text = token.text();
    let fits = text.len() <= eleven_core::limits::MAX_TOKEN;
    assert_eq!(Token::read(&text).is_ok(), fits, "a token in parts that can't travel");
}

/// An admit request has no member that was not looked at; one with a token has exactly its parts.
fn admits(admit: &Admit, value: &Value) {
    let members = value.as_object().into_iter().flat_map(Object::iter);
    let unknown = members.filter(|(name, _)| !matches!(*name, "artifact" | "issued" | "salt" | "workload")).count();
    assert_eq!(unknown, 0, "an admit request with a member that nobody knows");
    let Some(token) = &admit.token else {
        assert!(value.get("artifact").is_none(), "an artifact that was dropped");
        return;
    };
    travels(token);
    let workload = Object::new().with("image", admit.image).with("runtime", &admit.runtime);
    let parts = Object::new().with("artifact", token.artifact.to_value()).with("issued", token.issued.to_value());
    let again = parts.with("salt", &token.salt).with("workload", workload);
    assert_eq!(Value::Object(again), *value, "an admit request");
}

fn completion(complete: &Complete) -> Value {
    let result = Object::new().with("body", complete.body).with("bytes", complete.bytes);
    let result = result.with("status", u32::from(complete.status));
    let object = Object::new().with("attestation_id", &complete.attestation_id).with("outcome", &complete.outcome);
    Value::Object(object.with("result", result))
}

/// At least one body of each kind.
#[must_use]
pub fn corpus() -> Vec<Vec<u8>> {
    let hash = Sha3::of(&[b"body"]);
    let mut bodies = Vec::new();
    let texts = structures::tokens();
    let tokens = texts.iter().filter_map(|text| Token::read(core::str::from_utf8(text).ok()?).ok());
    for token in tokens.take(8) {
        let artifact = &token.artifact;
        let env = Object::new().with("runtime", &artifact.env.runtime);
        let request = Object::new().with("body", hash).with("method", "POST").with("path", "/v1/chat/completions");
        let execute = Object::new().with("identity", &artifact.sub).with("op", artifact.op.value().clone());
        bodies.push(execute.with("env", env).with("request", request));
        let disclose = Object::new().with("op", artifact.content_id()).with("paths", vec![Value::from("/op/user")]);
        bodies.push(disclose.with("purpose", "a complaint"));
        let workload = Object::new().with("image", hash).with("runtime", &artifact.env.runtime);
        let parts = Object::new().with("artifact", artifact.to_value()).with("issued", token.issued.to_value());
        bodies.push(parts.with("salt", &token.salt).with("workload", workload));
        let body = parse(&Allowed { token }.to_bytes()).ok();
        bodies.extend(body.and_then(|body| body.as_object().cloned()));
    }
    let result = Object::new().with("body", hash).with("bytes", 4_u64).with("status", 200_u32);
    let complete = Object::new().with("attestation_id", "att_1").with("outcome", "completed");
    bodies.push(complete.with("result", result));
    bodies.extend(Exchange { secret: "elk_app_secret".into() }.to_value().as_object().cloned());
    bodies.extend(Issued { token: "t".into(), expires_in: 900 }.to_value().as_object().cloned());
    bodies.push(Object::new().with("durability", "D1").with("next", 7_u64).with("size", 64_u64));
    bodies.push(Object::new().with("hash", hash).with("next", 7_u64).with("size", 64_u64));
    let blobs = Object::new().with(hash.to_string(), base64(b"body"));
    let records = vectors::objects_with(&["event_hash", "sig"]);
    bodies.push(Object::new().with("records", records[..3].to_vec()).with("blobs", blobs));
    bodies.push(Object::new().with("records", records[3..4].to_vec()));
    bodies.push(Object::new().with("lineages", vec![Value::from(records[..3].to_vec())]).with("after", Value::Null));
    let opens = Value::Array(vec!["AAECAwQFBgcICQoLDA0ODw==".into(), "/op/user".into(), "juniper".into()]);
    let shown = Object::new().with("count", 1_u64).with("disclosures", vec![opens]).with("durability", "D1");
    bodies.push(shown.with("lineage", "lineage://op/00000000000000000000000000000000"));
    bodies.iter().map(Object::canonical).collect()
}
