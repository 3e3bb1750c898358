//! A listener's certificate is renewed: whoever restarts the corner for that trusts the new one, and may not trust the old one any more.

use crate::domain::{Domain, eleven, event, text};
use std::path::{Path, PathBuf};
use std::process::Output;

/// A certificate for 127.0.0.1 that only who names it trusts, or its key.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line/certificates").join(name)
}

/// Puts a certificate and its key where the gateway's listener has them.
fn put(domain: &Domain, name: &str) {
    for (from, to) in [(format!("{name}.pem"), "listener.pem"), (format!("{name}.key.pem"), "listener.key.pem")] {
        std::fs::copy(file(&from), domain.dir().join(to)).expect("copied");
    }
}

/// A restart of the gateway by whoever trusts this certificate alone.
fn restart(domain: &Domain, trusted: &str) -> Output {
    let mut command = eleven();
    command.env("SSL_CERT_FILE", file(trusted)).args(["runtime", "restart", "--config"]);
    command.arg(domain.dir().join("eleven.toml")).output().expect("it runs")
}

#[test]
fn a_corner_is_restarted_for_a_certificate_that_takes_the_place_of_one_that_is_not_trusted() {
    let tls = ["runtime.tls_certificate=listener.pem", "runtime.tls_key=listener.key.pem"];
    let mut domain = Domain::make(&tls);
    put(&domain, "one");
    let mut command = eleven();
    command.env("SSL_CERT_FILE", file("one.pem"));
    domain.start(command, &[]).wait_for("ready", |value| event(value) == Some("ready"));
    let refused = restart(&domain, "other.pem");
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("nothing was done, since its coming back"), "{}", text(&refused));
    put(&domain, "other");
    let done = restart(&domain, "other.pem");
    assert!(done.status.success(), "{}", text(&done));
    let mut doctor = eleven();
    doctor.env("SSL_CERT_FILE", file("other.pem")).args(["doctor", "--config"]).arg(domain.dir().join("eleven.toml"));
    let looked = doctor.output().expect("it runs");
    assert!(text(&looked).contains("counts for 14 days at least"), "{}", text(&looked));
}
