use super::*;
use crate::issuer::{Issuer, Trouble};
use crate::serve::tests::{ledger, opened};
use crate::view::tests::view_where;
use eleven_api::edge::SystemClock;
use eleven_api::govern::Execute;
use eleven_core::encoding::Object;
use eleven_core::signature::{SeedSigner, Signer as _, base64_value};
use eleven_store::faulty::FaultyDisk;
use http::StatusCode;

/// Who asks the authority there for artifacts.
fn issuer(authority: &str) -> Issuer {
    Issuer {
        client: Client::new(),
        authority: authority.to_owned(),
        point: "host://test/inference#gw-0".into(),
        signer: Arc::new(SeedSigner::new("key:11-11/gw-0/1", &[1; 32])),
        clock: Arc::new(SystemClock),
        deadline: Duration::from_secs(10),
        trouble: Trouble::default(),
    }
}

/// What is asked of it.
fn execute() -> Execute {
    let runtime = "host://test/inference".to_owned();
    Execute { identity: "svc:app:test".into(), op: Object::new(), runtime, request: None }
}

/// What it is refused by who asks this authority for a token, and who asks it for an artifact.
async fn refused(authority: &str) -> [Problem; 2] {
    let callers = Callers::new(authority.to_owned(), Client::new(), Arc::new(SystemClock));
    let exchanged = callers.exchange("elk_app_x").await.expect_err("no token");
    let now = SystemClock.now();
    let caller = CallersToken::new("x.y.z".into(), now, now);
    [exchanged, issuer(authority).obtain(&caller, &execute()).await.expect_err("no artifact")]
}

#[tokio::test]
async fn an_authority_whose_answer_is_none_authenticates_and_authorises_nobody() {
    let nothing = || (StatusCode::OK, "{}".to_owned());
    let (authority, asked, _stop) = ledger(vec![nothing(), nothing()]).await;
    for refused in refused(&authority).await {
        assert_eq!(refused.reason, Some(Reason::IssuerUnavailable));
        assert!(refused.detail.starts_with("the authority's answer is malformed: "), "{refused}");
    }
    assert_eq!(*asked.lock().expect("whole"), [routes::IDENTITY_TOKEN, routes::GOVERN_EXECUTE]);
}

#[tokio::test]
async fn what_answers_in_the_place_of_an_authority_that_is_gone_is_none() {
    for status in [301, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).expect("a status");
        let nobody = || (status, "<html><body>nobody is there</body></html>".to_owned());
        let (authority, _, _stop) = ledger(vec![nobody(), nobody()]).await;
        for refused in refused(&authority).await {
            assert_eq!((refused.status, refused.reason), (503, Some(Reason::IssuerUnavailable)), "{status}");
            assert_eq!(refused.detail, ABSENT, "{status}");
        }
    }
    // Nor is a corner of another kind, which has nothing there: an authority names a reason with whatever it refuses.
    for status in [401, 403, 404, 503] {
        let problem = Problem::with_status(status, "nothing is served there");
        let said = || (problem.status_code(), Value::Object(problem.to_object()).to_string());
        let (authority, _, _stop) = ledger(vec![said(), said()]).await;
        for refused in refused(&authority).await {
            assert_eq!((refused.status, refused.reason), (503, Some(Reason::IssuerUnavailable)), "{status}");
        }
    }
    // What an authority says by itself is passed on: its reasons, and that a request is not of its form.
    for problem in [Problem::refused(Reason::AuditUnavailable, "no ledger"), Problem::malformed("no operation")] {
        let said = || (problem.status_code(), Value::Object(problem.to_object()).to_string());
        let (authority, _, _stop) = ledger(vec![said(), said()]).await;
        assert_eq!(refused(&authority).await, [problem.clone(), problem]);
    }
    // Also by one of another make, which titles its documents as it likes: the reason is the protocol's.
    let said = || (StatusCode::FORBIDDEN, r#"{"reason":"policy.denied"}"#.to_owned());
    let (authority, _, _stop) = ledger(vec![said(), said()]).await;
    for refused in refused(&authority).await {
        assert_eq!((refused.status, refused.reason), (403, Some(Reason::PolicyDenied)));
    }
}

#[test]
fn a_client_is_known_by_its_secret_and_by_its_own_row_alone() {
    let secret = Secret::new("app", &[7; 32]).expect("a holder");
    let of = |row: &SourceRecord| client(secret.reveal(), |_| Some(row));
    let row = secret.source(CLIENT, "svc:app:test");
    assert_eq!(of(&row).as_deref(), Some("svc:app:test"));
    let with = |name: &str, value: &str| SourceRecord { mapping: row.mapping.clone().with(name, value), ..row.clone() };
    let others = Secret::new("app", &[8; 32]).expect("a holder").source(CLIENT, "svc:app:test");
    for none in [
        others,
        secret.source(secret::AUDITOR, "svc:app:test"),
        with("kind", OPERATOR),
        with("identity", "app@example"),
        with("more", "than the authority reads"),
    ] {
        assert_eq!(of(&none), None, "{none:?}");
    }
    let mut asked = String::new();
    let nobody = client(secret.reveal(), |row| {
        asked = row.to_owned();
        None
    });
    assert_eq!(nobody, None);
    assert_eq!(asked, "client.app");
    assert_eq!(client("elk_app_short", |_| Some(&row)), None);
}

#[test]
fn tokens_are_looked_up_among_issuers_and_not_among_clients() {
    let clients = (0..10_000).map(|n| {
        let mapping = Object::new().with("kind", "client").with("identity", format!("svc:{n}:test"));
        SourceRecord { name: format!("client.{n}"), source: "client".into(), mapping }
    });
    let row = |name: &str, issuer: &str, kid: &str, public: &[u8; 32]| {
        let mapping = Object::new().with("kind", "jwt").with("kid", kid).with("public", base64_value(public));
        SourceRecord { name: name.into(), source: issuer.into(), mapping }
    };
    let (kid, iss) = ("key:11-11/identity/1", "governance://11-11/authority/dev");
    let (signer, other) = (SeedSigner::new(kid, &[1; 32]), SeedSigner::new("key:11-11/identity/2", &[2; 32]));
    let mut rows: Vec<SourceRecord> = clients.collect();
    rows.push(row("identity", iss, kid, &signer.public()));
    rows.push(row("identity-later", iss, kid, &other.public()));
    rows.push(row("identity-other", "governance://11-11/authority/other", other.kid(), &other.public()));
    let issuers = TokenIssuers::of(rows.iter());
    assert_eq!(issuers.count(), 2, "what an unknown token is looked up in");

    let iat = Time(1_800_000_000_000);
    let claims = token::Claims {
        iss: iss.into(),
        sub: "svc:app:dev".into(),
        aud: "11-11".into(),
        iat,
        exp: iat.plus_seconds(60),
        jti: "x".into(),
    };
    let verified = |signer: &SeedSigner| verify(&claims.sign(signer), &issuers, "11-11", iat).map(|claims| claims.sub);
    assert_eq!(verified(&signer).as_ref(), Ok(&claims.sub));
    // A key speaks for its own issuer only, and one that nobody named for nobody.
    assert_eq!(verified(&other), Err(token::TokenError::Untrusted));
    let unknown = SeedSigner::new("key:11-11/identity/3", &[1; 32]);
    assert_eq!(verified(&unknown), Err(token::TokenError::Untrusted));
    // Each that counts is believed while they are renewed, and none that has ended.
    let believed = |kinds: [&str; 2]| {
        let of_kind = |key: &SeedSigner, kind: &str| {
            let record = row(key.kid(), iss, key.kid(), &key.public());
            SourceRecord { mapping: record.mapping.with("kind", kind), ..record }
        };
        let rows = [of_kind(&signer, kinds[0]), of_kind(&other, kinds[1])];
        let issuers = TokenIssuers::of(rows.iter());
        [&signer, &other].map(|key| verify(&claims.sign(key), &issuers, "11-11", iat).is_ok())
    };
    assert_eq!(believed([token::JWT, token::JWT]), [true, true]);
    assert_eq!(believed([token::JWT_ENDED, token::JWT]), [false, true]);
}

#[test]
fn a_token_that_was_just_given_and_is_outside_its_time_tells_of_the_clocks() {
    let (kid, iss) = ("key:11-11/identity/1", "governance://11-11/authority/dev");
    let signer = SeedSigner::new(kid, &[1; 32]);
    let mapping = Object::new().with("kind", "jwt").with("kid", kid).with("public", base64_value(&signer.public()));
    let row = SourceRecord { name: "identity".into(), source: iss.into(), mapping };
    let issuers = TokenIssuers::of(std::iter::once(&row));
    let iat = Time(1_800_000_000_000);
    let claims = token::Claims {
        iss: iss.into(),
        sub: "svc:app:dev".into(),
        aud: "11-11".into(),
        iat,
        exp: iat.plus_seconds(60),
        jti: "x".into(),
    };
    let text = claims.sign(&signer);
    let refusal = |text: &str, ahead: i64| {
        let given = given(text, &issuers, "11-11", iat.plus_seconds(ahead));
        given.err().map(|problem| (problem.status, problem.reason))
    };
    assert_eq!([refusal(&text, -5), refusal(&text, 59)], [None, None]);
    for ahead in [-600, -6, 60, 600, 86_400] {
        assert_eq!(refusal(&text, ahead), Some((403, Some(Reason::RuntimeClock))), "{ahead} s ahead");
    }
    // Of one that nobody trusted signed the clock says nothing.
    let others = claims.sign(&SeedSigner::new(kid, &[2; 32]));
    for ahead in [0, 600] {
        assert_eq!(refusal(&others, ahead), Some((401, Some(Reason::IdentityUnauthenticated))), "{ahead} s ahead");
    }
}

#[tokio::test]
async fn a_token_from_ahead_of_the_clock_is_remembered_no_longer() {
    let callers = Callers::new("http://127.0.0.1:1".into(), Client::new(), Arc::new(SystemClock));
    let iat = Time(1_800_000_000_000);
    let claims = token::Claims {
        iss: "governance://11-11/authority/dev".into(),
        sub: "svc:app:dev".into(),
        aud: "11-11".into(),
        iat,
        exp: iat.plus_seconds(60),
        jti: "x".into(),
    };
    let name = Sha256::of(&[b"elk_app_x"]);
    callers.remember(1, name, claims, "x.y.z".into());
    let remembered = |epoch: u64, seconds: i64| callers.remembered(epoch, &name, iat.plus_seconds(seconds)).is_some();
    for (seconds, is_so) in [(-600, false), (-6, false), (-5, true), (0, true), (54, true), (55, false)] {
        assert_eq!(remembered(1, seconds), is_so, "{seconds} s after it was given");
    }
    assert!(!remembered(2, 0), "another epoch knows nobody yet");
}

#[tokio::test]
async fn a_secret_is_exchanged_anew_where_the_authority_knows_what_it_gave_for_it_no_more() {
    let (kid, iss) = ("key:11-11/identity/1", "governance://11-11/authority/dev");
    let signer = SeedSigner::new(kid, &[1; 32]);
    let mapping = Object::new().with("kind", "jwt").with("kid", kid).with("public", base64_value(&signer.public()));
    let row = SourceRecord { name: "identity".into(), source: iss.into(), mapping };
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let (registry, clock) = (&point.gate.registry, Arc::clone(&point.gate.clock));
    registry.hold_by(view_where("everything in order"), TokenIssuers::of(std::iter::once(&row)));
    let held = registry.held().expect("a view");
    let claims = |seconds: i64| {
        let iat = clock.now().whole_seconds().plus_seconds(seconds);
        let (sub, aud, exp) = ("svc:app:test".to_owned(), held.view.domain().to_owned(), iat.plus_seconds(60));
        token::Claims { iss: iss.into(), sub, aud, iat, exp, jti: "x".into() }
    };
    let said = |problem: Problem| (problem.status_code(), Value::Object(problem.to_object()).to_string());
    let given = Issued { token: claims(-8).sign(&signer), expires_in: 60 }.to_value().to_string();
    // Its clock was set back by eight seconds: by that the token of before is from a time to come.
    let unknown = || said(Problem::refused(Reason::IdentityUnauthenticated, "outside its time"));
    let decides = || said(Problem::refused(Reason::PolicyDenied, "no"));
    let answers = vec![unknown(), (StatusCode::OK, given), decides(), decides(), unknown()];
    let (authority, asked, _stop) = ledger(answers).await;
    let callers = Callers::new(authority.clone(), Client::new(), Arc::clone(&clock));
    let (issuer, execute) = (issuer(&authority), execute());
    let by = |credential: &str| {
        let value = http::HeaderValue::from_str(&format!("Bearer {credential}")).expect("a header");
        HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])
    };
    let secret = "elk_app_x";
    callers.remember(held.view.epoch(), Sha256::of(&[secret.as_bytes()]), claims(0), claims(0).sign(&signer));
    // The second time the new one is remembered.
    for _ in 0..2 {
        let caller = callers.authenticate(&by(secret), registry).await.expect("remembered");
        let refused = issuer.obtain_for(&callers, &caller, registry, &execute).await.expect_err("no artifact");
        assert_eq!(refused.reason, Some(Reason::PolicyDenied), "{refused}");
    }
    // A caller's own token is what it is refused for.
    let caller = callers.authenticate(&by(&claims(0).sign(&signer)), registry).await.expect("a token");
    let refused = issuer.obtain_for(&callers, &caller, registry, &execute).await.expect_err("no artifact");
    assert_eq!(refused.reason, Some(Reason::IdentityUnauthenticated), "{refused}");
    let (asks, gives) = (routes::GOVERN_EXECUTE, routes::IDENTITY_TOKEN);
    assert_eq!(*asked.lock().expect("whole"), [asks, gives, asks, asks, asks]);
}
