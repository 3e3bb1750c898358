use super::*;
use axum::Router;
use axum::routing::get;
use eleven_api::serve::Listener;
use eleven_core::encoding::parse;
use http::StatusCode;
use tokio::sync::watch;

#[test]
fn a_page_is_read_strictly() {
    let read_page = |value| read_page(Which::Registry, value);
    let page = parse(br#"{"entries":[],"next":7,"size":9}"#).map(read_page);
    let page = page.expect("I-JSON").expect("a page");
    assert_eq!((page.entries.len(), page.next, page.size), (0, 7, 9));
    for wrong in [
        r#"{"entries":[],"next":7}"#,
        r#"{"entries":[{}],"next":7,"size":9}"#,
        r#"{"entries":[],"more":1,"next":7,"size":9}"#,
    ] {
        assert!(read_page(parse(wrong.as_bytes()).expect("I-JSON")).is_err(), "{wrong}");
    }
}

#[test]
fn only_an_answer_about_the_records_settles_their_fate() {
    use eleven_api::problem::Problem;
    assert!(fate_unknown(&CallError::Unreachable("gone".into())));
    assert!(fate_unknown(&CallError::Late("within 10 ms".into())));
    assert!(fate_unknown(&CallError::Refused(Problem::with_status(503, "starting"))));
    assert!(!fate_unknown(&CallError::Refused(Problem::with_status(409, "gap"))));
    assert!(!fate_unknown(&CallError::Refused(Problem::with_status(422, "refused"))));
    // A proxy knows nothing of records, save that it lets none through that is so long.
    let foreign = |status| CallError::Refused(Problem::read(status, b"<html>no</html>"));
    for (status, unknown, kept_out) in [
        (401, true, true),
        (403, true, true),
        (404, true, true),
        (408, true, false),
        (409, true, true),
        (413, false, false),
        (425, true, false),
        (429, true, false),
        (502, true, false),
    ] {
        let error = foreign(status);
        assert_eq!((fate_unknown(&error), keeps_out(&error)), (unknown, kept_out), "{status}");
    }
    // A ledger of another make may leave `type` and `title` away.
    for own in [br#"{"detail":"x","record":0}"#.as_slice(), br#"{"reason":"audit.unavailable"}"#.as_slice()] {
        assert!(!fate_unknown(&CallError::Refused(Problem::read(422, own))));
    }
}

/// A ledger that says this of itself.
async fn saying(status: StatusCode, health: &'static str) -> (Ledger, watch::Sender<bool>) {
    serving(Router::new().route(routes::HEALTH, get(move || async move { (status, health) }))).await
}

/// A ledger that serves this.
async fn serving(router: Router) -> (Ledger, watch::Sender<bool>) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
    (Ledger::new(Client::new(), base), stop)
}

#[tokio::test]
async fn the_ledgers_head_keys_are_what_it_says_with_their_public_keys_or_not_known() {
    let public = "base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let said = concat!(
        r#"{"head_keys":[{"kid":"key:11-11/head/2","public":"#,
        r#""base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}"#
    );
    for status in [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE] {
        let (ledger, _stop) = saying(status, said).await;
        let head = HeadKey { kid: "key:11-11/head/2".to_owned(), public: bytes32(public).expect("a key") };
        assert_eq!(ledger.head_keys().await.expect("it says so"), Some(vec![head]), "{status}");
    }
    let (ledger, _stop) = saying(StatusCode::OK, r#"{"head_keys":[]}"#).await;
    assert_eq!(ledger.head_keys().await.expect("it says so"), Some(Vec::new()));
    for health in [
        "{}",
        r#"{"head_keys":null}"#,
        r#"{"head_keys":"key:11-11/head/1"}"#,
        r#"{"head_keys":["key:11-11/head/1"]}"#,
        r#"{"head_keys":[{"kid":"key:11-11/head/1"}]}"#,
        r#"{"head_keys":[{"kid":"key:11-11/head/1","public":"base64:AAAA"}]}"#,
    ] {
        let (ledger, _stop) = saying(StatusCode::OK, health).await;
        assert_eq!(ledger.head_keys().await.expect("it answers"), None, "{health}");
    }
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let error = Ledger::new(Client::new(), format!("http://{free}")).head_keys().await.expect_err("nobody is there");
    assert!(matches!(error, CallError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn the_key_that_the_ledger_signs_with_is_what_it_says_well_or_not_and_nobodys_guess() {
    for status in [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE] {
        let (ledger, _stop) = saying(status, r#"{"kid":"key:11-11/audit/1","size":7}"#).await;
        assert_eq!(ledger.event_key().await.expect("it says so"), "key:11-11/audit/1", "{status}");
        for health in ["{}", r#"{"kid":null}"#, r#"{"kid":7}"#, r#"["kid"]"#] {
            let (ledger, _stop) = saying(status, health).await;
            match ledger.event_key().await.expect_err("it does not say") {
                CallError::Malformed(what) => {
                    assert_eq!(what, "the ledger's health lacks the member `kid`", "{health}");
                }
                other => panic!("{health}: {other}"),
            }
        }
        let (ledger, _stop) = saying(status, "key:11-11/audit/1").await;
        let error = ledger.event_key().await.expect_err("no document");
        assert!(matches!(error, CallError::Malformed(_)), "{error}");
    }
}

#[tokio::test]
async fn content_is_what_hashes_to_its_name_whoever_sends_it() {
    let (ledger, _stop) = serving(Router::new().fallback(async || "content")).await;
    let own = Sha3::of(&[b"content"]);
    assert_eq!(ledger.blob(own).await.expect("that one"), "content");
    let other = Sha3::of(&[b"other content"]);
    match ledger.blob(other).await.expect_err("another was asked for") {
        CallError::Malformed(what) => assert_eq!(what, format!("the ledger sent other bytes than those of {other}")),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn that_there_is_no_such_lineage_only_the_ledger_says() {
    use eleven_api::problem::Problem;
    let (ledger, _stop) = serving(Router::new().fallback(async || Problem::with_status(404, "no such lineage"))).await;
    assert_eq!(ledger.lineage("X").await.expect("it says so"), None);
    let (ledger, _stop) = serving(Router::new().fallback(async || (StatusCode::NOT_FOUND, "404 page not found"))).await;
    let error = ledger.lineage("X").await.expect_err("a proxy whose ledger is gone");
    assert!(matches!(error, CallError::Refused(_)), "{error}");
}
