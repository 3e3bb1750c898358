use super::*;
use crate::secret::{CLIENT, Secret};
use eleven_core::signature::SeedSigner;

const NOW: Time = Time(1_778_605_451_000);

fn signer() -> SeedSigner {
    SeedSigner::new("key:11-11/identity/test", &[9; 32])
}

fn claims() -> Claims {
    Claims {
        iss: "governance://11-11/authority/dev".into(),
        sub: "svc:app:dev".into(),
        aud: "11-11".into(),
        iat: NOW,
        exp: NOW.plus_seconds(900),
        jti: "j".into(),
    }
}

fn check(token: &str, now: Time) -> Result<Claims, TokenError> {
    verify(token, "11-11", now, |kid| (kid == signer().kid()).then(|| VerifyingKey::new(&signer().public())).flatten())
}

#[test]
fn a_token_says_what_was_signed_while_it_lasts() {
    let token = claims().sign(&signer());
    assert_eq!(check(&token, NOW), Ok(claims()));
    assert_eq!(check(&token, NOW.plus_seconds(900).plus_millis(-1)), Ok(claims()));
    assert_eq!(check(&token, NOW.plus_seconds(900)), Err(TokenError::Expired));
    assert_eq!(check(&token, NOW.plus_seconds(-6)), Err(TokenError::Expired));
    // Its issuer's clock may be five seconds ahead.
    assert_eq!(check(&token, NOW.plus_seconds(-5)), Ok(claims()));
    assert_eq!(check(&token, NOW.plus_millis(-5001)), Err(TokenError::Expired));
}

#[test]
fn nothing_in_a_token_chooses_how_it_is_verified() {
    let token = claims().sign(&signer());
    let (_, rest) = token.split_once('.').expect("parts");
    for header in [
        r#"{"alg":"none","kid":"key:11-11/identity/test","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","jwk":{},"kid":"key:11-11/identity/test","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"key:11-11/identity/test","typ":"JWT"}"#,
    ] {
        let forged = format!("{}.{rest}", base64url(header.as_bytes()));
        assert!(matches!(check(&forged, NOW), Err(TokenError::Malformed(_))), "{header}");
    }
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).expect("ASCII");
        assert!(forged == token || check(&forged, NOW).is_err(), "changed at {at}");
    }
    let stranger = SeedSigner::new("key:11-11/identity/test", &[8; 32]);
    assert_eq!(check(&claims().sign(&stranger), NOW), Err(TokenError::Untrusted));
}

#[test]
fn another_services_key_is_told_to_be_neither_a_secret_nor_a_token() {
    for key in ["sk-proj-0123456789", "a.b", "", "elk"] {
        let refused = check(key, NOW).expect_err("it is no token");
        assert_eq!(refused, TokenError::None, "{key}");
        let told = refused.to_string();
        assert!(told.contains("neither a client secret (elk_...) nor an identity token"), "{told}");
    }
}

#[test]
fn another_domain_or_a_long_life_is_not_trusted() {
    let other = Claims { aud: "eu.example".into(), ..claims() };
    assert_eq!(check(&other.sign(&signer()), NOW), Err(TokenError::Untrusted));
    let stranger = Claims { iss: "governance://eu.example/authority/dev".into(), ..claims() };
    assert_eq!(check(&stranger.sign(&signer()), NOW), Err(TokenError::Untrusted), "another domain's authority");
    let long = Claims { exp: NOW.plus_seconds(901), ..claims() };
    assert_eq!(check(&long.sign(&signer()), NOW), Err(TokenError::Untrusted));
    for life in [0, -1] {
        let none = Claims { exp: NOW.plus_seconds(life), ..claims() };
        assert_eq!(check(&none.sign(&signer()), NOW.plus_seconds(-2)), Err(TokenError::Untrusted), "{life} s");
    }
    let short = Claims { exp: NOW.plus_seconds(1), ..claims() };
    assert_eq!(check(&short.sign(&signer()), NOW), Ok(short));
}

#[test]
fn a_token_stands_as_long_as_the_secret_that_it_was_exchanged_for() {
    let (secret, other) =
        (Secret::new("app", &[1; 32]).expect("a name"), Secret::new("app", &[2; 32]).expect("a name"));
    let id = secret.token_id("svc:demo:dev", &[3; 16]);
    let row = |row: &str, secret: &Secret, identity: &str| {
        (row == "client.app").then(|| print(&secret.source(CLIENT, identity).mapping))
    };
    assert_eq!((answers_for(&id), answers_for(&id::base32(&[3; 16]))), (Some("client.app"), None));
    assert!(stands(&id, |name| row(name, &secret, "svc:demo:dev")));
    assert!(!stands(&id, |name| row(name, &other, "svc:demo:dev")), "another under the same name");
    assert!(!stands(&id, |name| row(name, &secret, "svc:other:dev")), "the same secret for another identity");
    assert!(!stands(&id, |_| None), "it was revoked");
    assert!(stands(&id::base32(&[3; 16]), |_| None), "one that nobody of the sources answers for");
    for cut in ["client.app:", "client.app", ":"] {
        assert_eq!(stands(cut, |name| row(name, &secret, "svc:demo:dev")), !cut.contains(':'), "{cut}");
    }
}
