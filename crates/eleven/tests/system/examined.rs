//! What an examiner looks for in an export beyond its calls: how long the domain keeps records, what is under a hold, each
//! use of an artifact, and what an answer of one identity leaves out.

use crate::export::{Export, examiner, put};
use crate::harness::{Answered, Domain, IDENTITY, Plan, request};
use eleven_authority::admin::Act;
use eleven_core::encoding::Value;
use eleven_core::registry::retention::{Hold, Retention};
use http::StatusCode;
use std::path::Path;

/// The texts of the gaps that an export told.
fn gaps(export: &Export) -> Vec<&str> {
    export.said.get("gaps").and_then(Value::as_array).expect("gaps").iter().filter_map(Value::as_str).collect()
}

/// Only the lines of a file in which this does not stand.
fn without(what: &str) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |bytes| {
        let text = String::from_utf8(bytes).expect("text");
        text.lines()
            .filter(|line| !line.contains(what))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .into_bytes()
    }
}

/// Takes a lineage out of every file but the range.
fn forget(export: &Export, op: &str) {
    let proof = format!("proofs/{op}.proof.json");
    std::fs::remove_file(export.dir().join(&proof)).expect("removed");
    export.forge("records/events.jsonl", without(&format!("\"op\":\"{op}\"")));
    export.manifest(|manifest| put(manifest, "files", |files| drop(files.remove(&proof))));
}

async fn set(domain: &Domain, days: u64, regime: &str) {
    let retention = Retention::new(days, regime).expect("a retention");
    domain.act(Act::RetentionSet { retention }).await;
}

/// A call that is proven; its operation.
async fn called(domain: &Domain, prompt: &str) -> String {
    let answered = domain.chat(&request(prompt)).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    domain.bundle_of(answered.op(), 7).await;
    answered.op().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_is_judged_by_what_the_domain_set() {
    let domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    set(&domain, 200, "own").await;
    called(&domain, "one").await;
    let regimes = ["--regime", "eu-ai-act", "--regime", "hipaa"];
    let below = Export::of(&domain, &secret, &regimes).await;
    assert!(gaps(&below).iter().any(|gap| gap.starts_with("hipaa hipaa-164.316-b-2-i: ")), "{:?}", gaps(&below));
    let (failed, detail) = below.failing("retention", &[]).await;
    assert_eq!(failed, ["retention"]);
    assert!(
        detail.contains("hipaa: retention of 200 days (own)") && detail.contains("is below the 2192 days"),
        "{detail}"
    );
    assert!(!detail.contains("eu-ai-act"), "200 days are enough for it: {detail}");

    // Whoever leaves the setting out is found by the registry that the head names.
    let silent = below.copy();
    silent.forge("registry/entries.jsonl", without("\"service\":\"retention\""));
    let (failed, detail) = silent.failing("completeness", &[]).await;
    assert!(failed.contains(&"completeness".to_owned()), "{failed:?}");
    assert!(detail.contains("the head names epoch"), "{detail}");

    set(&domain, 2192, "hipaa").await;
    let held = called(&domain, "two").await;
    let hold = |kind: &str, subject: &str| Hold::on(kind, subject).expect("a hold");
    domain.act(Act::Hold { hold: hold("operation", &held), placed: true }).await;
    domain.act(Act::Hold { hold: hold("identity", IDENTITY), placed: true }).await;
    domain.act(Act::Hold { hold: hold("identity", IDENTITY), placed: false }).await;
    called(&domain, "three").await;
    let meets = Export::of(&domain, &secret, &regimes).await;
    assert!(!gaps(&meets).iter().any(|gap| gap.contains("164.316-b-2-i")), "{:?}", gaps(&meets));
    let (status, detail) = meets.verdict("retention", &[]).await;
    assert_eq!(status, "passed", "{detail}");
    let name = format!("operation.{}", held.to_ascii_lowercase());
    assert!(detail.contains("retention of 2192 days (hipaa)") && detail.contains(&name), "{detail}");
    assert!(!detail.contains("identity."), "that hold was lifted: {detail}");
    assert_eq!(meets.count("legal_holds"), 2);

    forget(&meets, &held);
    let (failed, detail) = meets.failing("retention", &[]).await;
    assert!(failed.contains(&"retention".to_owned()), "{failed:?}");
    assert!(detail.contains(&format!("operation {held} is under a legal hold")), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_use_of_an_artifact_is_a_lineage_of_its_own() {
    let domain = Domain::start(Plan { uses: 2, ..Plan::default() }).await;
    let secret = examiner(&domain).await;
    let present = async |body: &str, token: &str| -> Answered {
        domain.chat_with(body, &[("eleven-authorization", token)]).await
    };
    let body = request("one");
    let token = domain.token(&body).await;
    let mut uses = Vec::new();
    for _ in 0..2 {
        let answered = present(&body, &token).await;
        assert_eq!(answered.status, 200, "{}", answered.json());
        uses.push(answered.op().to_owned());
    }
    let content = uses[0].strip_suffix(".1").expect("the first use").to_owned();
    assert_eq!(uses[1], format!("{content}.2"));
    let exhausted = present(&body, &token).await;
    assert_ne!(exhausted.status, 200);
    // Two artifacts that nobody uses, one of them revoked.
    let (unused, revoked) = (request("two"), request("three"));
    domain.token(&unused).await;
    let op = eleven_core::artifact::Token::read(&domain.token(&revoked).await).expect("a token").artifact.id;
    domain.act(Act::ArtifactRevoke { artifact: op.clone(), why: "test".into() }).await;
    for op in &uses {
        domain.bundle_of(op, 7).await;
    }
    domain.bundle_of(exhausted.op(), 1).await;
    called(&domain, "four").await;

    let export = Export::of(&domain, &secret, &[]).await;
    assert_eq!(gaps(&export), [""; 0]);
    assert_eq!(["execution", "unused", "denial"].map(|kind| export.count(kind)), [3, 2, 1]);
    assert!(!export.dir().join(format!("proofs/{content}.proof.json")).exists(), "the uses show the issuance");
    let revoked = op.strip_prefix("auth_").expect("an artifact's id");
    assert!(export.dir().join(format!("proofs/{revoked}.proof.json")).exists());
    let (verdicts, code) = export.verified(&[]).await;
    assert_eq!(code, 0, "{verdicts:?}");

    let without = export.copy();
    forget(&without, &uses[1]);
    let (failed, detail) = without.failing("completeness", &[]).await;
    assert!(failed.contains(&"completeness".to_owned()), "{failed:?}");
    assert!(detail.contains(&format!("of operation {} is in no proof file", uses[1])), "{detail}");

    // Without all uses the issuance is shown by no file either.
    forget(&without, &uses[0]);
    let (_, detail) = without.failing("completeness", &[]).await;
    assert!(detail.contains(&format!("of operation {content} is in no proof file")), "{detail}");
}

/// The files of an export in which a text stands.
fn files_with(dir: &Path, text: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if std::fs::read_to_string(&path).expect("text").contains(text) {
            found.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_asked_for_stands_in_the_range_and_nowhere_else() {
    let domain = Domain::start(Plan { cedar: "permit(principal, action, resource);", ..Plan::default() }).await;
    let secret = examiner(&domain).await;
    let bearer = format!("Bearer {}", domain.client_of("other", "svc:other:test").await);
    let own = called(&domain, "own").await;
    let theirs = domain.chat_with(&request("theirs"), &[("authorization", &bearer)]).await.op().to_owned();
    domain.bundle_of(&theirs, 7).await;
    let export = Export::of(&domain, &secret, &["--identity", IDENTITY, "--regime", "soc2"]).await;
    let (verdicts, code) = export.verified(&[]).await;
    assert_eq!(code, 0, "{verdicts:?}");
    assert_eq!((export.count("lineages"), export.count("operations_in_range")), (1, 2));
    let mut found = Vec::new();
    files_with(&export.dir(), &theirs, &mut found);
    assert_eq!(found, ["entries.jsonl"], "the range alone");
    files_with(&export.dir(), &own, &mut found);
    assert!(found.len() > 4, "{found:?}");
    let page = std::fs::read_to_string(export.dir().join("index.html")).expect("a page");
    assert!(page.contains("1 of 2 operations of the range"), "the page says what it leaves out");

    // Without the others' entries nobody could see that none of them is of this identity.
    let hidden = export.copy();
    hidden.forge("range/entries.jsonl", without(&theirs));
    let (failed, detail) = hidden.failing("completeness", &[]).await;
    assert!(failed.contains(&"completeness".to_owned()) && detail.contains("is missing, the next one is"), "{detail}");

    // An answer that is passed off as that to a wider question.
    export.manifest(|manifest| put(manifest, "query", |query| drop(query.remove("identity"))));
    let (failed, detail) = export.failing("completeness", &[]).await;
    assert!(failed.contains(&"completeness".to_owned()), "{failed:?}");
    assert!(detail.contains(&format!("of operation {theirs} is in no proof file")), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn observations_that_are_left_out_are_counted() {
    const REFUSED: usize = 205;
    const OSCAL: &str = "oscal/assessment-results.json";
    let domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    let mut last = String::new();
    for n in 0..REFUSED {
        last = domain.chat(&request(&n.to_string()).replace("\"demo\"", "\"another\"")).await.op().to_owned();
    }
    domain.bundle_of(&last, 1).await;
    let export = Export::of(&domain, &secret, &["--regime", "eu-ai-act"]).await;
    assert_eq!(export.count("denial"), 205);
    let document = export.read(OSCAL);
    let of = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).expect(name).to_vec();
    let result = document.pointer("/assessment-results/results/0").expect("a result");
    let findings = of(result, "findings");
    let finding = findings
        .iter()
        .find(|finding| finding.pointer("/target/target-id").and_then(Value::as_str) == Some("art-12.2"));
    let counts: Vec<String> = of(finding.expect("the control"), "props")
        .iter()
        .map(|prop| {
            ["class", "name", "value"].map(|name| prop.get(name).and_then(Value::as_str).expect(name)).join(" ")
        })
        .collect();
    let told = ["evidence-1 found 0", "evidence-1 observed 0", "evidence-2 found 205", "evidence-2 observed 200"];
    assert_eq!(counts, told);
    assert_eq!(export.failing("integrity", &[]).await.0, [""; 0]);

    // One observation less, and a smaller count: the whole document is made again and compared.
    let observation = of(result, "observations").pop().expect("an observation");
    let text = String::from_utf8(observation.canonical()).expect("text");
    for (from, to) in [(format!(",{text}"), ""), ("\"value\":\"205\"".to_owned(), "\"value\":\"200\"")] {
        let forged = export.copy();
        forged.forge(OSCAL, |bytes| {
            let document = String::from_utf8(bytes).expect("text");
            let changed = document.replacen(&from, to, 1);
            assert_ne!(document, changed, "{from}");
            changed.into_bytes()
        });
        let (failed, detail) = forged.failing("integrity", &[]).await;
        assert_eq!(failed, ["integrity"]);
        assert!(
            detail.contains(&format!("{OSCAL} does not say what the records give, first at /assessment")),
            "{detail}"
        );
    }
}
