//! Identity tokens: only what the authority signed authenticates anybody, and only within what it may sign.

use eleven_api::token::{Claims, verify};
use eleven_core::encoding::Object;
use eleven_core::hash::base64url;
use eleven_core::limits::{MAX_IDENTITY_LIFE, MAX_IDENTITY_TOKEN};
use eleven_core::name;
use eleven_core::signature::{SeedSigner, Signer as _, VerifyingKey};
use eleven_core::time::Time;
use std::collections::BTreeSet;
use std::sync::OnceLock;

const NOW: Time = Time(1_778_605_451_000);
const DOMAIN: &str = "11-11";

fn signer() -> SeedSigner {
    SeedSigner::new("key:11-11/identity/test", &[9; 32])
}

fn verified(text: &str) -> Option<Claims> {
    let key = |kid: &str| (kid == signer().kid()).then(|| VerifyingKey::new(&signer().public())).flatten();
    verify(text, DOMAIN, NOW, key).ok()
}

/// A token as it is presented.
///
/// # Panics
/// Where one that was not signed authenticates.
pub fn presented(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Some(claims) = verified(text) {
        assert!(signed().contains(text), "a token that nobody signed");
        assert_eq!(claims.sign(&signer()), text, "two texts for one token");
    }
}

/// Claims as an authority that misbehaves could sign them.
///
/// # Panics
/// Where they authenticate and are not of this domain, of another form, too long or outside their time.
pub fn claims(bytes: &[u8]) {
    let signer = signer();
    let header = Object::new().with("alg", "EdDSA").with("kid", signer.kid()).with("typ", "JWT").canonical();
    let signed = format!("{}.{}", base64url(&header), base64url(bytes));
    let text = format!("{signed}.{}", base64url(&signer.sign(signed.as_bytes())));
    let Some(claims) = verified(&text) else { return };
    assert!(text.len() <= MAX_IDENTITY_TOKEN, "past the limit");
    assert!(name::is_identity(&claims.sub) && claims.aud == DOMAIN, "the claims of another form or domain");
    assert_eq!(name::authority_domain(&claims.iss), Some(DOMAIN), "another domain's authority");
    assert!((1..=MAX_IDENTITY_LIFE * 1000).contains(&claims.exp.since(claims.iat)), "a life that none may have");
    assert!(NOW < claims.exp && NOW.plus_seconds(5) >= claims.iat, "outside its time");
    assert_eq!(verified(&claims.sign(&signer)), Some(claims), "the claims are read otherwise when written again");
}

fn sets() -> Vec<Claims> {
    let claims = Claims {
        iss: "governance://11-11/authority/dev".into(),
        sub: "svc:app:dev".into(),
        aud: DOMAIN.into(),
        iat: NOW,
        exp: NOW.plus_seconds(900),
        jti: "j".into(),
    };
    vec![
        claims.clone(),
        Claims { sub: "human:alice".into(), jti: "another".into(), ..claims.clone() },
        Claims { iat: NOW.plus_seconds(-900), exp: NOW, ..claims.clone() },
        Claims { aud: "eu.example".into(), ..claims.clone() },
        Claims { iss: "governance://eu.example/authority/prod".into(), ..claims.clone() },
        Claims { exp: NOW.plus_seconds(901), ..claims },
    ]
}

fn signed() -> &'static BTreeSet<String> {
    static SIGNED: OnceLock<BTreeSet<String>> = OnceLock::new();
    SIGNED.get_or_init(|| sets().iter().map(|claims| claims.sign(&signer())).collect())
}

/// Tokens that count, and ones that are too old, too long, of another domain.
#[must_use]
pub fn tokens() -> Vec<Vec<u8>> {
    signed().iter().map(|text| text.clone().into_bytes()).collect()
}

/// The claims of the same.
#[must_use]
pub fn claim_sets() -> Vec<Vec<u8>> {
    let value = |claims: &Claims| {
        let object = Object::new().with("iss", &claims.iss).with("sub", &claims.sub).with("aud", &claims.aud);
        let object = object.with("iat", claims.iat.0 / 1000).with("exp", claims.exp.0 / 1000);
        object.with("jti", &claims.jti).canonical()
    };
    sets().iter().map(value).collect()
}
