//! Admission by the code that production runs: nothing is permitted but what the vectors' authority signed.

use crate::{structures, vectors};
use eleven_core::artifact::Token;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::reason::Reason;
use eleven_enforce::conformance;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A token presented at the point of the vectors, everything else being as it should.
///
/// # Panics
/// Where another token than theirs is permitted, or one that can't be read is refused for another reason than that.
pub fn presented(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let change = Value::Object(Object::new().with("token", text));
    let known = vectors::merged(base(), &change, false);
    let outcome = conformance::admission(known).expect("only the token is another");
    if Token::read(text).is_err() {
        assert_eq!(outcome, Err(Reason::ArtifactMalformed), "a token that can't be read");
    }
    only_signed(outcome, text);
}

/// A case of the vectors with anything changed about what the point holds and is asked.
///
/// # Panics
/// Where another token than theirs is permitted.
pub fn case(bytes: &[u8]) {
    let Ok(change) = parse(bytes) else { return };
    let known = vectors::merged(base(), &change, false);
    let token = known.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Ok(outcome) = conformance::admission(known) {
        only_signed(outcome, &token);
    }
}

fn only_signed(outcome: Result<(), Reason>, token: &str) {
    if outcome.is_ok() {
        let token = Token::read(token).expect("permitted what can't be read");
        assert!(signed().contains(&parts(&token)), "permitted what nobody signed");
    }
}

/// Artifact, issuance record and salt.
type Parts = (Vec<u8>, Vec<u8>, String);

/// What the issuer and its event key signed, and the salt where it is bound.
fn parts(token: &Token) -> Parts {
    let salt = if token.artifact.op.params.is_some() { token.salt.clone() } else { String::new() };
    (token.artifact.to_value().canonical(), token.issued.canonical().to_vec(), salt)
}

/// Of every token in the vectors' cases.
fn signed() -> &'static BTreeSet<Parts> {
    static SIGNED: OnceLock<BTreeSet<Parts>> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let found = vectors::objects_with(&["token"]);
        let texts = found.iter().filter_map(|case| case.get("token").and_then(Value::as_str));
        texts.filter_map(|text| Token::read(text).ok()).map(|token| parts(&token)).collect()
    })
}

fn base() -> &'static Value {
    vectors::file("admission.json").get("base").expect("a base")
}

/// What each case of the vectors changes, and bare tokens.
#[must_use]
pub fn cases() -> Vec<Vec<u8>> {
    let cases = vectors::items(vectors::file("admission.json"), "cases");
    let mut changes: Vec<Value> = cases.iter().filter_map(|case| case.get("change").cloned()).collect();
    changes.push(base().clone());
    let tokens = structures::tokens();
    let texts = tokens.iter().filter_map(|token| core::str::from_utf8(token).ok());
    changes.extend(texts.map(|text| Value::Object(Object::new().with("token", text))));
    vectors::canonical(&changes)
}
