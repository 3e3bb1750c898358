//! What a stranger, an auditor and an operator read of a ledger, under each exposure setting.

use crate::domain::{Domain, PATIENCE, eleven, text};
use eleven_core::encoding::{Value, parse};
use eleven_core::head::tlog_proof::TlogProof;
use http::StatusCode;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Runs a command until it ends with a status: a setting takes hold with the next head.
fn until(domain: &Domain, args: &[&str], status: i32) -> Output {
    let until = Instant::now() + PATIENCE;
    loop {
        let output = domain.run(args);
        if output.status.code() == Some(status) {
            return output;
        }
        assert!(Instant::now() < until, "{}: {}", args.join(" "), text(&output));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn an_operation_is_walked_from_the_surfaces_and_search_is_for_auditors() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let (status, lineage, body) = domain.call(&secret, "demo-summarizer");
    assert_eq!(status, StatusCode::OK, "{body}");
    domain.ended(&lineage);
    assert_eq!(domain.call(&secret, "another-model").0, StatusCode::FORBIDDEN);

    // By possession: who knows the operation walks it, from anywhere and without a configuration.
    let (from, root) = (domain.url("ledger"), domain.file("root.json"));
    let walk = |more: &[&str]| {
        let args = ["verify", &lineage, "--from", &from];
        eleven().current_dir("/").args(args).args(more).output().expect("it runs")
    };
    let walked = walk(&["--root", &root, "--kind", "execution"]);
    assert_eq!(walked.status.code(), Some(0), "{}", text(&walked));
    for step in ["fetch_lineage(operation_id)", "07 evidence.committed", "fetch_signed_chain_head()", "VERIFIED"] {
        assert!(text(&walked).contains(step), "{step}: {}", text(&walked));
    }
    let answer = parse(&walk(&["--root", &root, "--json"]).stdout).expect("a document");
    let steps = answer.get("steps").and_then(Value::as_array).expect("steps");
    assert!(steps.len() == 16 && steps.iter().all(|step| step.get("holds") == Some(&Value::Bool(true))), "{answer}");
    assert_eq!(answer.pointer("/report/verdict").and_then(Value::as_str), Some("verified"));
    assert_eq!(walk(&[]).status.code(), Some(1), "without a root it is unpinned");
    assert_eq!(walk(&["--root", &root, "--kind", "denial"]).status.code(), Some(1));
    let nowhere = eleven().args(["verify", &lineage]).output().expect("it runs");
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere));

    let file = domain.file("event.tlog-proof");
    domain.done(&["lineage", "tlog-proof", &lineage, "--n", "1", "--out", &file]);
    let proof = TlogProof::parse(&std::fs::read_to_string(&file).expect("a file")).expect("a proof");
    let entry = parse(&proof.extra.expect("the entry")).expect("I-JSON");
    assert_eq!(entry.pointer("/record/event").and_then(Value::as_str), Some("authorization.issued"));

    let search = ["ledger", "search", "--identity", "svc:demo-app:dev"];
    let refused = domain.run(&search);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused);
    assert!(said.contains("eleven auditor add") && said.contains("--secret-file FILE"), "{said}");
    let added = domain.json(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    let held = domain.file("auditor.secret");
    std::fs::write(&held, format!("{}\n", member(&added, "secret"))).expect("written");
    let with_secret = [&search[..], &["--secret-file", &held]].concat();
    let shown = text(&until(&domain, &with_secret, 0));
    assert!(shown.contains("evidence.committed") && shown.contains("policy.denied"), "{shown}");
    let denied = domain.json(&[&with_secret[..], &["--reason", "policy.denied"]].concat());
    assert_eq!(denied.get("results").and_then(Value::as_array).map(<[Value]>::len), Some(1), "{denied}");
    // By the day, as an export of evidence takes it.
    let found = |range: &[&str]| {
        let found = domain.json(&[&with_secret[..], range].concat());
        found.get("results").and_then(Value::as_array).map(<[Value]>::len)
    };
    assert!(found(&["--from", "2020-01-01"]) >= Some(2) && found(&["--until", "2020-01-01"]) == Some(0));
    let wrong = domain.run(&[&with_secret[..], &["--from", "yesterday"]].concat());
    assert!(wrong.status.code() == Some(2) && text(&wrong).contains("write it in UTC"), "{}", text(&wrong));
    assert!(domain.done(&["auditor", "list"]).contains("human:examiner:dev"));
}

#[test]
fn what_an_upstream_left_undone_is_explained_as_a_failure_with_its_cause() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.upstream_ends();
    let (status, lineage, body) = domain.call(&secret, "demo-summarizer");
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{body}");
    // Its point forwards what it closed a moment after the answer.
    let until = Instant::now() + PATIENCE;
    let said = loop {
        let said = domain.json(&["why", &lineage]);
        if said.get("closed") == Some(&Value::Bool(true)) {
            break said;
        }
        assert!(Instant::now() < until, "{said}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(member(&said, "event"), "execution.failed", "{said}");
    assert_eq!(said.pointer("/data/cause").and_then(Value::as_str), Some("upstream.failed"), "{said}");
    let told = domain.done(&["why", &lineage]);
    assert!(told.starts_with("not refused: it ran and failed") && told.contains("upstream.failed"), "{told}");
}

/// Answers each request with 401, and says where.
fn upstream_of_another_key() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            let mut caller = BufReader::new(caller.expect("a caller"));
            let (mut line, mut length) = (String::new(), 0);
            while caller.read_line(&mut line).is_ok_and(|read| read > 2) {
                let line = std::mem::take(&mut line).to_ascii_lowercase();
                length =
                    line.strip_prefix("content-length:").map_or(length, |said| said.trim().parse().expect("a length"));
            }
            caller.read_exact(&mut vec![0; length]).expect("a body");
            let head = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\ncontent-type: application/json\r\n";
            // Whoever left has no answer.
            let _ = caller.get_mut().write_all(format!("{head}connection: close\r\n\r\n{{}}").as_bytes());
        }
    });
    format!("http://{at}")
}

#[test]
fn an_upstream_that_wants_another_key_is_told_of_once_and_not_at_each_call() {
    let mut domain = Domain::make(&[&format!("runtime.gateway.upstream={}", upstream_of_another_key())]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineages: Vec<String> = (0..3)
        .map(|_| {
            let (status, lineage, body) = domain.call(&secret, "demo-summarizer");
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
            lineage
        })
        .collect();
    for lineage in &lineages {
        domain.ended(lineage);
        let told = domain.done(&["why", lineage]);
        assert!(told.contains("what to do: the upstream wants another key"), "{told}");
    }
    let said = domain.supervisor().all_said();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("the upstream answered 401")).collect();
    let [line] = lines[..] else { panic!("it is told once: {said}") };
    let op = lineages[0].rsplit('/').next().expect("an id");
    assert!(line.contains(op) && line.contains("upstream_key_file"), "{line}");
}

#[test]
fn each_metric_is_told_with_the_kind_that_its_row_has() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let section = page.split("\n## ").find(|section| section.starts_with("Metrics\n")).expect("its section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let named: BTreeSet<(String, String)> =
        rows.filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(" |")?.0.to_owned()))).collect();
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let told = ["authority", "ledger", "runtime"].map(|corner| domain.text(corner, "/metrics")).concat();
    let kinds = told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let kinds: BTreeSet<(String, String)> = kinds.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
    assert_eq!(kinds, named);
    for line in told.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let of = |suffix: &str| kinds.iter().any(|(known, _)| name.strip_suffix(suffix) == Some(known.as_str()));
        assert!(["", "_bucket", "_sum", "_count"].into_iter().any(of), "{line}");
    }
}

#[test]
fn an_operator_sets_how_much_strangers_read() {
    let fresh = std::time::Duration::from_secs(2);
    let mut domain =
        Domain::make(&["domain.fresh=2", "runtime.require_durability=\"D3\"", "runtime.durability_window=2"]);
    domain.up(&[]);
    let search = ["ledger", "search", "--event", "policy.published", "--json"];
    assert_eq!(domain.run(&search).status.code(), Some(1));
    assert_eq!(member(&domain.json(&["registry", "expose", "open"]), "exposure"), "open");
    let found = parse(&until(&domain, &search, 0).stdout).expect("a document");
    let op = found.pointer("/results/0/op").and_then(Value::as_str).expect("a result").to_owned();
    assert!(text(&domain.run(&["registry", "expose", "open"])).contains("already"));
    assert_eq!(domain.run(&["registry", "expose", "somewhat"]).status.code(), Some(2));

    let added = domain.json(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    let held = domain.file("auditor.secret");
    std::fs::write(&held, member(&added, "secret")).expect("written");
    domain.json(&["registry", "expose", "private"]);
    let show = ["lineage", "show", &op];
    let refused = until(&domain, &show, 1);
    assert!(text(&refused).contains("private"), "{}", text(&refused));
    let with_secret = [&show[..], &["--secret-file", &held]].concat();
    assert_eq!(domain.run(&with_secret).status.code(), Some(0));
    // Authority, ledger and point go on reading what they need, each by its key: what they had when it was made private is
    // too old to work by after two seconds. The operator reads the registry, and a stranger does not.
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineage = domain.passes(&secret, "the ledger was made private");
    std::thread::sleep(2 * fresh);
    let (status, _, body) = domain.call(&secret, "demo-summarizer");
    assert_eq!(status, StatusCode::OK, "{body}");
    let bundle = ["lineage", "bundle", &lineage, "--out", &domain.file("private.proof.json"), "--secret-file", &held];
    until(&domain, &bundle, 0);
    assert!(
        domain.done(&["registry", "show"]).contains("registry of")
            && domain.done(&["policy", "list"]).contains("POLICY")
    );
    assert_eq!(
        domain.json(&["root", "show"]).get("version").and_then(Value::as_int),
        Some(1),
        "`root next` is made of it"
    );
    assert_eq!(domain.status("authority", eleven_api::routes::REGISTRY_SNAPSHOT), StatusCode::UNAUTHORIZED);
    domain.json(&["auditor", "revoke", "examiner"]);
    until(&domain, &with_secret, 1);

    domain.supervisor().interrupt();
    let made = domain.json(&["ledger", "reindex"]);
    assert!(made.get("rows").and_then(Value::as_int) > Some(10), "{made}");
}
