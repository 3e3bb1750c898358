//! Another binary in the place of the one that runs: the next process is of the new file, and what nobody approved is not ready.

use crate::domain::{Domain, event, text};
use eleven_core::encoding::{Value, parse};
use http::StatusCode;
use std::process::{Command, Output, Stdio};

/// Runs a line of the shell: a file that is written to by another process than this can be executed here at once.
fn shell(line: &str) {
    let done = Command::new("sh").args(["-c", line]).status().expect("a shell");
    assert!(done.success(), "{line}");
}

fn finding<'a>(findings: &'a Value, what: &str) -> (&'a str, &'a str) {
    let rows = findings.as_array().expect("findings").iter();
    let text = |row: &'a Value, name: &str| row.get(name).and_then(Value::as_str).expect("a text");
    let row = rows.into_iter().find(|&row| text(row, "what") == what).expect("a finding");
    (text(row, "state"), text(row, "detail"))
}

#[test]
fn an_upgrade_is_approved_and_then_restarted() {
    let mut domain = Domain::make(&[]);
    let (built, program) = (env!("CARGO_BIN_EXE_eleven"), domain.file("../eleven"));
    shell(&format!("cp '{built}' '{program}'"));
    let command = || {
        let mut command = Command::new(&program);
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    };
    let config = domain.file("eleven.toml");
    let by_new = |args: &[&str]| -> Output {
        command().args(args).args(["--config", &config]).output().expect("the new binary runs")
    };
    domain.start(command(), &[]).wait_for("ready", |value| event(value) == Some("ready"));
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.passes(&secret, "the start");

    // A new file under the old name, as an installer leaves it.
    shell(&format!("cp '{built}' '{program}.new' && printf x >> '{program}.new' && mv '{program}.new' '{program}'"));
    let doctor = by_new(&["doctor", "--json"]);
    assert_eq!(doctor.status.code(), Some(0), "nothing is wrong yet: {}", text(&doctor));
    let findings = parse(&doctor.stdout).expect("findings");
    let (state, detail) = finding(&findings, "registration");
    assert!(state == "look" && detail.contains("another binary than this one"), "{findings}");

    // Restarted without a word of it: the new file runs, refuses, and everybody says so.
    let restarted = by_new(&["runtime", "restart"]);
    assert_eq!(restarted.status.code(), Some(1), "{}", text(&restarted));
    for part in ["every call is refused", "another binary", "`eleven runtime register`"] {
        assert!(text(&restarted).contains(part), "{part}: {}", text(&restarted));
    }
    domain.supervisor().wait_for("which file it is", |value| {
        let detail = value.get("detail").and_then(Value::as_str).unwrap_or_default();
        event(value) == Some("started") && detail.contains("was replaced: the new file starts")
    });
    assert_eq!(domain.status("runtime", "/health"), StatusCode::SERVICE_UNAVAILABLE);
    let (_, _, body) = domain.call(&secret, "demo-summarizer");
    assert_eq!(body.get("reason").and_then(Value::as_str), Some("runtime.integrity"), "{body}");
    let doctor = by_new(&["doctor", "--json"]);
    let findings = parse(&doctor.stdout).expect("findings");
    assert_eq!(doctor.status.code(), Some(1), "{findings}");
    let (state, detail) = finding(&findings, "registration");
    assert!(state == "bad" && detail.contains("`eleven runtime register`"), "{findings}");
    assert_eq!(finding(&findings, "runtime listener").0, "bad", "{findings}");

    // Approved and restarted, as the upgrade should have gone.
    let registered = by_new(&["runtime", "register"]);
    assert!(registered.status.success(), "{}", text(&registered));
    let restarted = by_new(&["runtime", "restart"]);
    assert!(restarted.status.success(), "{}", text(&restarted));
    let lineage = domain.passes(&secret, "the upgrade");
    domain.ended(&lineage);
    let doctor = by_new(&["doctor", "--json"]);
    assert_eq!(finding(&parse(&doctor.stdout).expect("findings"), "registration").0, "ok", "{}", text(&doctor));
    // Whoever still has the old one is told that it is not what runs.
    let findings = domain.json(&["doctor"]);
    let (state, detail) = finding(&findings, "registration");
    assert!(state == "look" && detail.contains("another binary than this one"), "{findings}");
}
