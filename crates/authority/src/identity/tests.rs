use super::*;
use eleven_api::secret::{AUDITOR, CLIENT};
use eleven_core::signature::{SeedSigner, Tables};

const NOW: Time = Time(1_778_605_451_000);
const AUTHORITY: &str = "governance://11-11/authority/dev";

fn signer() -> SeedSigner {
    SeedSigner::new("key:11-11/identity/dev", &[7; 32])
}

fn sources(rows: &[SourceRecord]) -> Sources {
    let mut sources = Sources::default();
    for row in rows {
        sources.take(row, &Tables::new(1)).expect("a row of its form");
    }
    sources
}

fn calls(identity: &str, operator: Option<&str>) -> Caller {
    Caller { identity: identity.to_owned(), operator: operator.map(str::to_owned) }
}

#[test]
fn a_client_secret_is_its_owners_alone() {
    let secret = Secret::new("demo_app", &[1; 32]).expect("a name");
    let sources = sources(&[secret.source(CLIENT, "svc:demo:dev")]);
    let read = Secret::parse(secret.reveal()).expect("a secret");
    assert_eq!(read.holder(), "demo_app");
    assert_eq!(sources.client(&read), Ok("svc:demo:dev"));
    assert_eq!(sources.authenticate(secret.reveal(), "11-11", NOW), Ok(calls("svc:demo:dev", None)));
    let other = Secret::new("demo_app", &[2; 32]).expect("a name");
    assert_eq!(sources.client(&other), Err(IdentityError::Secret));
    let stranger = Secret::new("other", &[1; 32]).expect("a name");
    assert_eq!(sources.client(&stranger), Err(IdentityError::Secret));
}

#[test]
fn a_token_stands_as_long_as_the_secret_that_it_was_exchanged_for() {
    let secret = |seed: u8| Secret::new("demo_app", &[seed; 32]).expect("a name");
    let jwt = || jwt_source("authority", AUTHORITY, signer().kid(), &signer().public());
    let jti = secret(1).token_id("svc:demo:dev", &[3; 16]);
    let token = issue(&signer(), AUTHORITY, "svc:demo:dev", NOW, EXCHANGED_LIFE, jti);
    let asked = |rows: &[SourceRecord]| sources(rows).authenticate(&token, "11-11", NOW);
    assert_eq!(asked(&[jwt(), secret(1).source(CLIENT, "svc:demo:dev")]), Ok(calls("svc:demo:dev", None)));
    assert_eq!(asked(&[jwt()]), Err(IdentityError::Secret), "it was revoked");
    let another = asked(&[jwt(), secret(2).source(CLIENT, "svc:demo:dev")]);
    assert_eq!(another, Err(IdentityError::Secret), "and the client was given another");
    let another = asked(&[jwt(), secret(1).source(CLIENT, "svc:other:dev")]);
    assert_eq!(another, Err(IdentityError::Secret), "and the secret stands for another identity");
    assert!(asked(&[jwt(), secret(1).source(AUDITOR, "svc:demo:dev")]).is_err());
}

#[test]
fn a_token_that_an_operator_had_issued_stands_as_long_as_the_operator() {
    let jwt = || jwt_source("authority", AUTHORITY, signer().kid(), &signer().public());
    let operator = |seed: u8| {
        let key = SeedSigner::new("key:11-11/operator/1", &[seed; 32]);
        operator_source("root", "human:operator:dev", key.kid(), &key.public())
    };
    let issuing = sources(&[operator(1)]);
    let jti = issuing.operator("key:11-11/operator/1").expect("the operator").token_id(&[3; 16]);
    assert!(jti.starts_with("operator.root:"), "{jti}");
    let token = issue(&signer(), AUTHORITY, "svc:demo:dev", NOW, EXCHANGED_LIFE, jti);
    let asked = |rows: &[SourceRecord]| sources(rows).authenticate(&token, "11-11", NOW);
    assert_eq!(asked(&[jwt(), operator(1)]), Ok(calls("svc:demo:dev", Some("human:operator:dev"))), "and names it");
    assert_eq!(asked(&[jwt()]), Err(IdentityError::Secret), "it was removed");
    assert_eq!(asked(&[jwt(), operator(2)]), Err(IdentityError::Secret), "and is another one now");
}

#[test]
fn an_auditors_secret_is_no_callers() {
    let secret = Secret::new("app", &[1; 32]).expect("a name");
    let sources = sources(&[secret.source(AUDITOR, "svc:demo:dev")]);
    assert_eq!(sources.client(&secret), Err(IdentityError::Secret));
    assert_eq!(sources.authenticate(secret.reveal(), "11-11", NOW), Err(IdentityError::Secret));
}

#[test]
fn a_token_counts_for_its_own_issuer_and_domain() {
    let row = jwt_source("authority", AUTHORITY, signer().kid(), &signer().public());
    let sources = sources(&[row]);
    let token = issue(&signer(), AUTHORITY, "svc:app:dev", NOW, EXCHANGED_LIFE, "one".into());
    assert_eq!(sources.authenticate(&token, "11-11", NOW), Ok(calls("svc:app:dev", None)));
    assert!(sources.authenticate(&token, "eu.example", NOW).is_err());
    assert!(sources.authenticate(&token, "11-11", NOW.plus_seconds(60)).is_err());
    let other = issue(&signer(), "governance://11-11/authority/prod", "svc:app:dev", NOW, EXCHANGED_LIFE, "one".into());
    assert_eq!(
        sources.authenticate(&other, "11-11", NOW),
        Err(IdentityError::Token(TokenError::Untrusted)),
        "a key of one issuer does not speak for another"
    );
}

#[test]
fn tokens_of_each_key_that_counts_are_taken_and_none_of_one_that_has_ended() {
    let second = SeedSigner::new("key:11-11/identity/2", &[8; 32]);
    let first_row = jwt_source("authority", AUTHORITY, signer().kid(), &signer().public());
    let second_row = jwt_source(&jwt_row(second.kid()), AUTHORITY, second.kid(), &second.public());
    assert_eq!(second_row.name, "identity.2");
    let taken = |rows: &[SourceRecord]| {
        let sources = sources(rows);
        [signer(), SeedSigner::new(second.kid(), &[8; 32])].map(|key| {
            let token = issue(&key, AUTHORITY, "svc:app:dev", NOW, EXCHANGED_LIFE, "one".into());
            let taken = sources.authenticate(&token, "11-11", NOW).is_ok();
            assert_eq!(taken, sources.counts(AUTHORITY, &key), "what is signed with is what is taken");
            assert!(!sources.counts("governance://11-11/authority/prod", &key));
            taken
        })
    };
    assert_eq!(taken(std::slice::from_ref(&first_row)), [true, false]);
    assert_eq!(taken(&[first_row.clone(), second_row.clone()]), [true, true]);
    let ended = keys::ended(&first_row, keys::COMPROMISED, NOW).expect("it was in service");
    assert_eq!(taken(&[ended.clone(), second_row]), [false, true], "also what it signed before");
    assert_eq!(taken(&[ended]), [false, false]);
    let another = SeedSigner::new(signer().kid(), &[9; 32]);
    assert!(!sources(&[first_row]).counts(AUTHORITY, &another), "another key of that name");
}

#[test]
fn a_token_that_was_verified_counts_in_its_time_and_domain_alone_and_for_these_sources() {
    let secret = Secret::new("demo_app", &[1; 32]).expect("a name");
    let jwt = || jwt_source("authority", AUTHORITY, signer().kid(), &signer().public());
    let known = sources(&[jwt(), secret.source(CLIENT, "svc:demo:dev")]);
    let jti = || secret.token_id("svc:demo:dev", &[3; 16]);
    let token = issue(&signer(), AUTHORITY, "svc:demo:dev", NOW, EXCHANGED_LIFE, jti());
    let remembered = || known.verified.lock().expect("whole").len();
    let at = |seconds: i64| known.authenticate(&token, "11-11", NOW.plus_seconds(seconds));
    assert_eq!((at(0), remembered()), (Ok(calls("svc:demo:dev", None)), 1));
    let expired = || IdentityError::Token(TokenError::Expired);
    for (seconds, counts) in [(0, true), (59, true), (60, false), (-5, true), (-6, false), (1, true)] {
        let expected = if counts { Ok(calls("svc:demo:dev", None)) } else { Err(expired()) };
        assert_eq!(at(seconds), expected, "{seconds} s");
    }
    assert!(known.authenticate(&token, "eu.example", NOW).is_err(), "for its own domain");
    // Another token of the same words, but for its signature.
    let forged =
        issue(&SeedSigner::new(signer().kid(), &[8; 32]), AUTHORITY, "svc:demo:dev", NOW, EXCHANGED_LIFE, jti());
    assert_eq!(known.authenticate(&forged, "11-11", NOW), Err(IdentityError::Token(TokenError::Untrusted)));
    assert_eq!(remembered(), 1, "what does not hold is not remembered");
    assert_eq!(sources(&[jwt()]).authenticate(&token, "11-11", NOW), Err(IdentityError::Secret), "the next epoch's");
}

#[test]
fn what_is_remembered_of_tokens_has_a_bound() {
    let known = sources(&[jwt_source("authority", AUTHORITY, signer().kid(), &signer().public())]);
    let token = issue(&signer(), AUTHORITY, "svc:app:dev", NOW, EXCHANGED_LIFE, "one".into());
    let caller = known.authenticate(&token, "11-11", NOW).expect("it holds");
    let remembered = || known.verified.lock().expect("whole").len();
    let one = known.verified.lock().expect("whole").values().next().expect("one").clone();
    for n in 1..REMEMBERED {
        known.remember(Sha256::of(&[&n.to_be_bytes()]), one.clone());
    }
    assert_eq!(remembered(), REMEMBERED);
    let another = issue(&signer(), AUTHORITY, "svc:app:dev", NOW, EXCHANGED_LIFE, "two".into());
    for (token, many) in [(&another, 1), (&token, 2), (&another, 2)] {
        assert_eq!((known.authenticate(token, "11-11", NOW), remembered()), (Ok(caller.clone()), many));
    }
}

#[test]
fn a_row_of_no_known_form_authenticates_nobody() {
    let mut sources = Sources::default();
    let row = |mapping: Object| SourceRecord { name: "x".into(), source: "s".into(), mapping };
    assert!(sources.take(&row(Object::new()), &Tables::new(1)).is_err());
    assert!(sources.take(&row(Object::new().with("kind", "saml")), &Tables::new(1)).is_err());
    let small = Object::new().with("kind", "jwt").with("kid", "key:11-11/a/b").with("public", base64_value(&[0; 32]));
    assert!(sources.take(&row(small), &Tables::new(1)).is_err(), "a key of small order");
    let client = Object::new().with("kind", "client").with("identity", "nobody").with("hash", Sha3::of(&[b"x"]));
    assert!(sources.take(&row(client), &Tables::new(1)).is_err());
    assert!(!sources.has_operators());
}

#[test]
fn an_operator_is_found_by_its_key() {
    let row = operator_source("root", "human:operator:dev", signer().kid(), &signer().public());
    let sources = sources(&[row]);
    let operator = sources.operator(signer().kid()).expect("the operator");
    assert_eq!(operator.identity, "human:operator:dev");
    assert!(operator.key.verifies(b"x", &signer().sign(b"x")));
    assert!(sources.operator("key:11-11/other/x").is_none());
}
