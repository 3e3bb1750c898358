//! The answers of an export, as whoever would like others would give them: by an access log at the range's edges.

use crate::export::{Export, examiner};
use crate::harness::{Domain, Plan, request};
use eleven_authority::admin::Act;
use eleven_core::encoding::{Value, parse};
use eleven_core::registry::retention::Retention;
use std::path::PathBuf;

/// A domain that keeps content for thirty days, with one call, and its examiner's secret.
async fn kept_for_thirty_days() -> (Domain, String) {
    let domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    domain.act(Act::RetentionSet { retention: Retention::new(30, "own").expect("a retention") }).await;
    let op = domain.chat(&request("one")).await.op().to_owned();
    domain.bundle_of(&op, 7).await;
    (domain, secret)
}

/// A file beside the export.
fn beside(export: &Export, name: &str, text: &str) -> String {
    let path: PathBuf = export.folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_edges_of_the_range_explain_nothing() {
    let (domain, secret) = kept_for_thirty_days().await;
    let from = domain.clock.now().plus_seconds(-3600);
    let export = Export::of(&domain, &secret, &["--from", &from.millis()]).await;
    let events = std::fs::read_to_string(export.dir().join("records/events.jsonl")).expect("records");
    let started = events.lines().find(|line| line.contains("execution.started")).expect("it ran");
    let started = parse(started.as_bytes()).expect("I-JSON");
    let text = |pointer: &str| started.pointer(pointer).and_then(Value::as_str).expect(pointer).to_owned();
    let (op, at) = (text("/record/op"), text("/record/ts"));
    let call = |op: &str, at: &str| format!("{{\"at\":\"{at}\",\"lineage\":\"lineage://op/{op}\"}}\n");
    let invented = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let covers = async |lines: &[String]| {
        let log = beside(&export, "access.log", &lines.concat());
        export.verdict("coverage", &["--access-log", &log]).await
    };

    let (status, detail) = covers(&[call(invented, &at)]).await;
    assert_eq!(status, "not_checked", "{detail}");
    assert!(detail.contains("no call of the logs could be held against a lineage"), "{detail}");
    let (status, detail) = covers(&[call(invented, &at), call(invented, &at)]).await;
    assert_eq!(status, "failed", "{detail}");
    assert!(detail.contains(&format!("access.log:2: a second call under lineage {invented}")), "{detail}");
    let (status, detail) = covers(&[call(&op, &at), call(invented, &at)]).await;
    assert_eq!(status, "passed", "{detail}");
    assert!(detail.contains(&format!("access.log:2: undecided: lineage {invented}")), "{detail}");

    // What ran before the range has its end in it, or the clocks differ by seconds: a minute is too much.
    let (status, detail) = covers(&[call(invented, &from.plus_seconds(30).millis())]).await;
    assert_eq!(status, "failed", "{detail}");
    assert!(detail.contains(&format!("lineage {invented} did not run in the range")), "{detail}");
    let (status, detail) = covers(&[call(invented, &from.plus_seconds(3).millis())]).await;
    assert_eq!(status, "not_checked", "{detail}");
}
