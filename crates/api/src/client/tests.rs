use super::*;
use crate::serve::{Listener, Tls};
use axum::Router;
use axum::routing::get;
use std::path::PathBuf;
use tokio::sync::watch;

const DEADLINE: Duration = Duration::from_secs(10);

/// A server with a certificate of its own making.
async fn serving() -> (String, watch::Sender<bool>) {
    let file = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/client").join(name);
    let tls = Tls::load(&file("untrusted.pem"), &file("untrusted.key.pem")).expect("a certificate and its key");
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), Some(tls)).await.expect("it listens");
    let at = listener.local_addr().expect("an address");
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(Router::new(), stopping, Duration::ZERO));
    (format!("https://{at}"), stop)
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_told_from_a_server_that_is_not_there() {
    let (at, _stop) = serving().await;
    let refused = Client::new().get(&at, "/health", DEADLINE).await.expect_err("it is not trusted");
    assert!(matches!(refused, CallError::Untrusted(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains(&format!("the certificate of {at}/health")) && told.contains("SSL_CERT_FILE"), "{told}");
    // Also where nothing is asked.
    let refused = handshake(&at, DEADLINE).await.expect_err("it is not trusted");
    assert!(matches!(refused, CallError::Untrusted(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains(&format!("the certificate of {at} ")) && told.contains("SSL_CERT_FILE"), "{told}");

    // One that speaks no TLS has no certificate that could be trusted.
    let plain = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let at = plain.local_addr().expect("an address");
    let (_plain, stopping) = watch::channel(false);
    tokio::spawn(plain.serve(Router::new(), stopping, Duration::ZERO));
    let refused = Client::new().get(&format!("https://{at}"), "/health", DEADLINE).await.expect_err("no TLS");
    assert!(!matches!(refused, CallError::Untrusted(_)), "{refused:?}");
    let refused = handshake(&format!("https://{at}"), DEADLINE).await.expect_err("no TLS");
    assert!(matches!(refused, CallError::Unreachable(_)), "{refused:?}");
    handshake(&format!("http://{at}"), DEADLINE).await.expect("it takes connections");

    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let refused = Client::new().get(&format!("https://{free}"), "/health", DEADLINE).await.expect_err("nobody");
    assert!(matches!(refused, CallError::Unreachable(_)), "{refused:?}");
    let refused = handshake(&format!("http://{free}"), DEADLINE).await.expect_err("nobody");
    assert!(matches!(refused, CallError::Unreachable(_)), "{refused:?}");
}

#[tokio::test]
async fn a_corner_says_how_it_is_below_an_address_that_ends_in_a_slash_too() {
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let (_stop, stopping) = watch::channel(false);
    let router = Router::new()
        .route("/health", get(|| async { (http::StatusCode::SERVICE_UNAVAILABLE, r#"{"ok":false}"#) }))
        .route("/page/health", get(|| async { "<html>" }))
        .route("/long/health", get(|| async { " ".repeat(MAX_SAID - 1) + "[]" }));
    tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
    for base in [at.clone(), format!("{at}/")] {
        let (ready, said) = Client::new().health(&base, DEADLINE).await.expect("it says how it is");
        assert!(!ready, "{base}");
        assert_eq!(said.get("ok"), Some(&Value::Bool(false)), "{base}");
    }
    for base in [format!("{at}/page"), format!("{at}/long")] {
        let refused = Client::new().health(&base, DEADLINE).await.expect_err("it is no corner");
        assert!(matches!(refused, CallError::Malformed(_)), "{base}: {refused:?}");
    }
}
