use super::*;
use crate::issuer::{Issuer, Trouble};
use crate::serve::tests::ledger;
use eleven_api::edge::SystemClock;
use eleven_api::govern::Execute;
use eleven_core::encoding::Object;
use eleven_core::signature::SeedSigner;
use http::StatusCode;

#[tokio::test]
async fn an_authority_whose_answer_is_none_authenticates_and_authorises_nobody() {
    let nothing = || (StatusCode::OK, "{}".to_owned());
    let (authority, asked, _stop) = ledger(vec![nothing(), nothing()]).await;
    let callers = Callers::new(authority.clone(), Client::new(), Arc::new(SystemClock));
    let exchanged = callers.exchange("elk_app_x").await.expect_err("no token");

    let caller = Caller { identity: "svc:app:test".into(), token: "x.y.z".into(), exp: SystemClock.now() };
    let issuer = Issuer {
        client: Client::new(),
        authority,
        point: "host://test/inference#gw-0".into(),
        signer: Arc::new(SeedSigner::new("key:11-11/gw-0/1", &[1; 32])),
        clock: Arc::new(SystemClock),
        deadline: Duration::from_secs(10),
        trouble: Trouble::default(),
    };
    let runtime = "host://test/inference".to_owned();
    let execute = Execute { identity: caller.identity.clone(), op: Object::new(), runtime, request: None };
    let issued = issuer.obtain(&caller, &execute).await.expect_err("no artifact");
    for refused in [exchanged, issued] {
        assert_eq!(refused.reason, Some(Reason::IssuerUnavailable));
        assert!(refused.detail.starts_with("the authority's answer is malformed: "), "{refused}");
    }
    assert_eq!(*asked.lock().expect("whole"), [routes::IDENTITY_TOKEN, routes::GOVERN_EXECUTE]);
}
