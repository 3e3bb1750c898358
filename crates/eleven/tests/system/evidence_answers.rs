//! The answers of an export, as whoever would like others would give them: by a regime's terms that are not the regime's, in
//! documents that say something else than the records, and by an access log at the range's edges.

use crate::export::{Export, eleven, examiner, json, put};
use crate::harness::{Domain, IDENTITY, Plan, request};
use eleven_authority::admin::Act;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use eleven_core::registry::retention::Retention;
use std::path::PathBuf;

const OSCAL: &str = "oscal/assessment-results.json";
const PAGE: &str = "index.html";

/// A domain that keeps content for thirty days, with one call, and its examiner's secret.
async fn kept_for_thirty_days() -> (Domain, String) {
    let domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    domain.act(Act::RetentionSet { retention: Retention::new(30, "own").expect("a retention") }).await;
    let op = domain.chat(&request("one")).await.op().to_owned();
    domain.bundle_of(&op, 7).await;
    (domain, secret)
}

/// A regime that is content with little.
fn regime(id: &str, days: u64) -> String {
    format!(
        r#"{{"v":"1","regime":"{id}","title":"Rules","retention_days":{days},"does_not_show":"Much.","controls":[{{"id":"c1",
        "title":"Calls","asks":"That there are calls.","needs":"all","does_not_show":"Others.",
        "evidence":[{{"what":"calls","minimum":1,"lineages":["execution"]}}]}}]}}"#
    )
}

/// A file beside the export.
fn beside(export: &Export, name: &str, text: &str) -> String {
    let path: PathBuf = export.folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_name_of_a_known_regime_stand_its_own_terms() {
    let (domain, secret) = kept_for_thirty_days().await;
    let export = Export::of(&domain, &secret, &["--regime", "hipaa"]).await;
    let (failed, detail) = export.failing("retention", &[]).await;
    assert_eq!(failed, ["retention"]);
    assert!(detail.contains("is below the 2192 days"), "{detail}");

    // Nobody exports by terms of his own under that name.
    let mine = beside(&export, "mine.json", &regime("hipaa", 1));
    let (ledger, out) = (domain.ledger_url(), export.folder.path().join("other").display().to_string());
    let asked = ["evidence", "export", "--ledger", &ledger, "--out", &out, "--regime-file", &mine];
    let done = eleven(&asked).await;
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("`hipaa` is the name of a regime that comes with the program"), "{said}");

    // Nor puts them there afterwards.
    let forged = export.copy();
    forged.forge("regimes/hipaa.json", |_| regime("hipaa", 1).into_bytes());
    forged.manifest(|manifest| drop(manifest.insert("gaps", Vec::new())));
    let (failed, detail) = forged.failing("retention", &[]).await;
    assert_eq!(failed, ["integrity", "retention"]);
    assert!(detail.contains("regimes/hipaa.json has other terms than the regime of that name in eleven"), "{detail}");

    // Whoever verifies may know better which terms they are, as of another version, and then these count.
    let (status, detail) = forged.verdict("retention", &["--regime-file", &mine]).await;
    assert_eq!(status, "passed", "{detail}");
    assert!(detail.contains("hipaa: 1 days are demanded; the terms are those that were given"), "{detail}");
    let (status, detail) = export.verdict("retention", &["--regime-file", &mine]).await;
    assert_eq!(status, "failed");
    assert!(detail.contains("regimes/hipaa.json has other terms than the file that was given"), "{detail}");

    // A file that is laid out in another way asks the same.
    let spaced = export.copy();
    spaced.forge("regimes/hipaa.json", |bytes| [b" ", bytes.as_slice()].concat());
    let (_, detail) = spaced.failing("retention", &[]).await;
    assert!(detail.contains("is below the 2192 days") && !detail.contains("other terms"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_the_terms_of_an_unknown_regime_are_is_said() {
    let (domain, secret) = kept_for_thirty_days().await;
    let files = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (own, text) = (write("own.json", &regime("own", 20)), regime("own", 20));
    let export = Export::of(&domain, &secret, &["--regime-file", &own]).await;
    let hash = Sha3::of(&[text.as_bytes()]).to_string();
    for of in ["integrity", "retention"] {
        let (status, detail) = export.verdict(of, &[]).await;
        assert_eq!(status, "passed", "{detail}");
        assert!(detail.contains("the exporter's own, regimes/own.json") && detail.contains(&hash), "{detail}");
    }
    let page = std::fs::read_to_string(export.dir().join(PAGE)).expect("a page");
    assert!(page.contains("These questions are the exporter's own"), "the page says so too");

    let (status, detail) = export.verdict("retention", &["--regime-file", &own]).await;
    assert_eq!(status, "passed", "{detail}");
    assert!(detail.contains("own: 20 days are demanded; the terms are those that were given"), "{detail}");
    // An earlier version let pass what this one does not read.
    let earlier = export.copy();
    earlier.forge("regimes/own.json", replace("Others.", ""));
    let (status, detail) = earlier.verdict("integrity", &["--skip-documents"]).await;
    assert_eq!(status, "failed", "{detail}");
    for said in ["regimes/own.json: ", "exported it: if that is another version", "verify with it"] {
        assert!(detail.contains(said), "{detail}");
    }
    let (stricter, third) = (write("stricter.json", &regime("own", 25)), write("third.json", &regime("third", 20)));
    for (given, why) in [
        (&stricter, "regimes/own.json has other terms than the file that was given"),
        (&third, "the regime `third`, which was given with --regime-file, was not asked for"),
    ] {
        for of in ["integrity", "retention"] {
            let (status, detail) = export.verdict(of, &["--regime-file", given]).await;
            assert_eq!(status, "failed", "{detail}");
            assert!(detail.contains(why), "{detail}");
        }
    }
}

/// What is done to a file.
type Change<'a> = Box<dyn FnOnce(Vec<u8>) -> Vec<u8> + 'a>;

/// Changes a text in a file that it stands in.
fn replace(from: &str, to: &str) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |bytes| {
        let text = String::from_utf8(bytes).expect("text");
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{from}");
        changed.into_bytes()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_and_oscal_say_what_the_records_give() {
    let (domain, secret) = kept_for_thirty_days().await;
    let export = Export::of(&domain, &secret, &["--regime", "soc2"]).await;
    let page = std::fs::read_to_string(export.dir().join(PAGE)).expect("a page");
    let gaps = &page[page.find("<h2>Gaps</h2>").expect("gaps")..];
    let gaps = &gaps[..gaps.find("</section>").expect("their end")];
    let findings = export.read(OSCAL).pointer("/assessment-results/results/0/findings").cloned().expect("findings");
    let ids: Vec<String> = findings
        .as_array()
        .expect("a list")
        .iter()
        .map(|finding| finding.pointer("/target/target-id").and_then(Value::as_str).expect("an id").to_owned())
        .map(|id| format!("\"target-id\":\"{id}\""))
        .collect();
    let swap = |bytes: Vec<u8>| {
        let once = replace(&ids[0], "\"target-id\":\"\"")(bytes);
        let twice = replace(&ids[1], &ids[0])(once);
        replace("\"target-id\":\"\"", &ids[1])(twice)
    };
    let changes: [(&str, &str, Change<'_>); 5] = [
        (OSCAL, "/status/state", Box::new(replace("\"state\":\"not-satisfied\"", "\"state\":\"satisfied\""))),
        (OSCAL, "/results/0/findings/0/target/target-id", Box::new(swap)),
        (OSCAL, "/results/0/findings/", Box::new(replace("\"observation-uuid\":\"", "\"observation-uuid\":\"0"))),
        (OSCAL, "", Box::new(|_| b"{}".to_vec())),
        (PAGE, "", Box::new(replace(gaps, "<h2>Gaps</h2>\n<p>None.</p>\n"))),
    ];
    for (name, at, change) in changes {
        let forged = export.copy();
        forged.forge(name, change);
        let (verdicts, code) = forged.verified_with(&[]).await;
        let failed: Vec<_> = verdicts.iter().filter(|(_, status, _)| status == "failed").collect();
        assert_eq!((failed.len(), code), (1, 1), "{verdicts:?}");
        let (verdict, _, detail) = failed[0];
        assert_eq!(verdict, "integrity");
        assert!(
            detail.contains(&format!("{name} does not say what the records give")) && detail.contains(at),
            "{detail}"
        );
    }

    // A file beside them, which a reader may take for a part of it.
    let more = export.copy();
    std::fs::write(more.dir().join("summary.html"), "").expect("written");
    let listed = Object::new().with("bytes", 0_u64).with("hash", Sha3::of(&[b""]));
    more.manifest(|manifest| put(manifest, "files", |files| drop(files.insert("summary.html", listed))));
    let (failed, detail) = more.failing("integrity", &[]).await;
    assert_eq!(failed, ["integrity"]);
    assert!(detail.contains("summary.html is no file of an export"), "{detail}");

    // One that has holes in it, and would be hashed for hours.
    let large = export.copy();
    let file = std::fs::File::create(large.dir().join("summary.bin")).expect("made");
    file.set_len(1 << 40).expect("stretched");
    let listed = Object::new().with("bytes", 1_u64 << 40).with("hash", Sha3::of(&[b""]));
    large.manifest(|manifest| put(manifest, "files", |files| drop(files.insert("summary.bin", listed))));
    let (failed, detail) = large.failing("integrity", &[]).await;
    assert_eq!(failed, ["integrity"]);
    assert_eq!(detail.matches("summary.bin is no file of an export").count(), 1, "{detail}");

    // What says that another version wrote it is no better for that, unless whoever verifies looks at neither document.
    let other = export.copy();
    other.manifest(|manifest| drop(manifest.insert("tool", "eleven 0.0.9")));
    other.forge(PAGE, replace(gaps, "<h2>Gaps</h2>\n<p>None.</p>\n"));
    let (failed, detail) = other.failing("integrity", &[]).await;
    assert_eq!(failed, ["integrity"]);
    assert!(detail.contains("the manifest says that eleven 0.0.9 made it"), "{detail}");
    let (status, detail) = other.verdict("integrity", &["--skip-documents"]).await;
    assert_eq!(status, "passed", "{detail}");
    assert!(detail.contains("index.html were not checked, as --skip-documents asks: they show nothing"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_has_made_otherwise_is_said_to_be_so() {
    let (domain, secret) = kept_for_thirty_days().await;
    let export = Export::of(&domain, &secret, &["--regime", "soc2"]).await;
    let this = export.read("manifest.json").get("tool").and_then(Value::as_str).expect("a name").to_owned();
    let version = this.strip_suffix(')').and_then(|this| this.rsplit_once(" (")).expect("a revision").0;
    let counts = |manifest: &mut Object| put(manifest, "counts", |counts| drop(counts.remove("later")));
    let of_regime = |manifest: &mut Object| drop(manifest.insert("gaps", Vec::new()));
    let of_proof = |manifest: &mut Object| {
        let mut gaps = manifest.get("gaps").and_then(Value::as_array).expect("gaps").to_vec();
        gaps.push(Value::Object(Object::new().with("what", "in other words")));
        manifest.insert("gaps", gaps);
    };
    type Change<'a> = &'a dyn Fn(&mut Object);
    let changes: [(&str, Change<'_>); 3] = [
        ("the manifest counts something else than is here", &counts),
        ("the manifest's gaps are not those of the regimes' questions", &of_regime),
        ("a gap that the files do not show: in other words", &of_proof),
    ];
    for (what, change) in changes {
        let made = |by: &str| {
            let other = export.copy();
            other.manifest(|manifest| {
                change(manifest);
                manifest.insert("tool", by);
            });
            other
        };
        // The first revision had no number.
        let said =
            format!("{what}; the manifest says that {version} made it, and this is {this}: verify with that version");
        let (status, detail) = made(version).verdict("integrity", &["--skip-documents"]).await;
        assert!(status == "failed" && detail.contains(&said), "{detail}");
        let (status, detail) = made(&this).verdict("integrity", &["--skip-documents"]).await;
        assert!(
            status == "failed" && detail.contains(what) && !detail.contains("verify with that version"),
            "{detail}"
        );
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_says_for_what_it_stands() {
    let (domain, secret) = kept_for_thirty_days().await;
    let from = domain.clock.now().plus_seconds(-3600);
    let nobody = "svc:nobody:test";
    let since = from.millis();
    let asked = ["--from", &since, "--identity", nobody, "--operation", "model.invoke"];
    let export = Export::of(&domain, &secret, &asked).await;
    let (dir, root) =
        (export.dir().display().to_string(), export.folder.path().join("root.json").display().to_string());
    let verify = ["evidence", "verify", &dir, "--root", &root];
    let report = json(&eleven(&verify).await);
    assert_eq!(report.get("verdict").and_then(Value::as_str), Some("verified"), "it holds together: {report}");
    let manifest = export.read("manifest.json");
    for told in ["/query", "/ledger", "/head/size", "/head/at"] {
        assert_eq!(report.pointer(told), manifest.pointer(told), "{told}");
    }
    assert_eq!(report.pointer("/query/identity").and_then(Value::as_str), Some(nobody));
    assert_eq!(report.get("manifest"), export.said.get("manifest"), "the export's closing word");
    let counts = ["lineages", "operations_in_range", "gaps_told"].map(|name| report.get(name).and_then(Value::as_int));
    assert_eq!(counts, [Some(0), Some(1), Some(0)]);
    assert_eq!(report.get("gaps"), export.said.get("gaps"), "as the export has them");
    let (status, detail) = export.verdict("completeness", &[]).await;
    assert_eq!(status, "passed");
    assert!(detail.contains(&format!("the range from {since} to ")), "{detail}");
    assert!(detail.contains("0 lineages are all that were asked for (operations of svc:nobody:test named"), "{detail}");

    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_eleven"));
    let told = command.args(verify).env("NO_COLOR", "1").output().await.expect("it runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let hash = export.said.get("manifest").and_then(Value::as_str).expect("a hash");
    for part in ["VERIFIED\n", ": operations of svc:nobody:test named model.invoke\n", "; 0 gaps are told\n", hash] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.contains("; 0 lineages are shown, of 1 operations;"), "{told}");

    // Whoever says what was asked is not given the answer to something else.
    let earlier = from.plus_seconds(-1).millis();
    let wrong: [([&str; 2], String); 4] = [
        (["--from", &earlier], format!("answers for {since}, and --from expects {earlier}")),
        (["--to", &earlier], format!("and --to expects {earlier}")),
        (["--identity", IDENTITY], format!("answers for {nobody}, and --identity expects {IDENTITY}")),
        (["--operation", "model.embed"], "answers for model.invoke, and --operation expects model.embed".to_owned()),
    ];
    for (options, why) in wrong {
        let (status, detail) = export.verdict("completeness", &options).await;
        assert_eq!(status, "failed", "{options:?}");
        assert!(detail.contains(&why), "{detail}");
    }
    let (status, detail) = export.verdict("completeness", &asked).await;
    assert_eq!(status, "passed", "{detail}");
    let whole = Export::of(&domain, &secret, &[]).await;
    let (status, detail) = whole.verdict("completeness", &["--identity", IDENTITY]).await;
    assert_eq!(status, "failed");
    assert!(detail.contains(&format!("answers for all, and --identity expects {IDENTITY}")), "{detail}");

    // Before the ledger began nothing is missing, and that is said, too.
    let (first, last) = (from.plus_seconds(-1_000_000).millis(), from.plus_seconds(-900_000).millis());
    let empty = Export::of(&domain, &secret, &["--from", &first, "--to", &last]).await;
    let (status, detail) = empty.verdict("completeness", &[]).await;
    assert_eq!(status, "passed");
    assert!(detail.contains(&format!("no entry is of the range from {first} to {last}")), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_the_files_do_not_show_is_none() {
    let (domain, secret) = kept_for_thirty_days().await;
    let export = Export::of(&domain, &secret, &["--regime", "soc2"]).await;
    let dir = export.dir().display().to_string();
    let report = json(&eleven(&["evidence", "verify", &dir]).await);
    let gaps = export.said.get("gaps").and_then(Value::as_array).expect("gaps");
    assert_eq!(report.get("gaps").and_then(Value::as_array), Some(gaps), "as the export has them");
    let told = report.get("gaps_told").and_then(Value::as_int).and_then(|told| usize::try_from(told).ok());
    assert!(told == Some(gaps.len()) && !gaps.is_empty(), "{report}");
    let events = std::fs::read_to_string(export.dir().join("records/events.jsonl")).expect("records");
    let first = parse(events.lines().next().expect("an event").as_bytes()).expect("I-JSON");
    let op = first.pointer("/record/op").and_then(Value::as_str).expect("an operation");
    let told = |what: &str, why: Option<&str>| {
        let forged = export.copy();
        let gap = Object::new().with("what", what).with_some("why", why);
        forged.manifest(|manifest| {
            let mut gaps = manifest.get("gaps").and_then(Value::as_array).expect("gaps").to_vec();
            gaps.push(Value::Object(gap));
            manifest.insert("gaps", gaps);
        });
        forged
    };
    let missing = format!("there is no proof file of operation {op}");
    let replay = format!("the proof file of operation {op} shows no decision input: policy.replay was not checked");
    let pinned = format!("the proof file of operation {op} fails root.pinned");
    let invented: [(&str, Option<&str>); 7] = [
        ("The two entries above were closed by the supervisory authority.", None),
        ("there is no proof file of operation 0123456789ABCDEFGHJKMNPQRSTVWXYZ", None),
        (&missing, Some("it was moved to an archive")),
        (&format!("{missing}: the supervisory authority has it"), None),
        (&format!("the proof file of operation {op} fails policy.replay"), None),
        (&replay, None),
        (&pinned, Some("the root was renewed")),
    ];
    for (what, why) in invented {
        let (status, detail) = told(what, why).verdict("integrity", &["--skip-documents"]).await;
        assert_eq!(status, "failed", "{what}");
        assert!(detail.contains(&format!("a gap that the files do not show: {what}")), "{detail}");
    }
    // Whoever exported may have had another root: whether it was the domain's nobody else sees.
    let (status, detail) = told(&pinned, None).verdict("integrity", &["--skip-documents"]).await;
    assert_eq!(status, "passed", "{detail}");

    // A file that is gone, and why, as the exporter says: that it is gone is so, the rest is a quotation.
    let (forged, proof) = (told(&missing, Some("it was <b>moved</b>")), format!("proofs/{op}.proof.json"));
    std::fs::remove_file(forged.dir().join(&proof)).expect("removed");
    forged.manifest(|manifest| put(manifest, "files", |files| drop(files.remove(&proof))));
    let (status, detail) = forged.verdict("completeness", &[]).await;
    assert_eq!(status, "failed", "{detail}");
    let (_, detail) = forged.verdict("integrity", &["--skip-documents"]).await;
    assert!(!detail.contains("a gap that the files do not show"), "{detail}");
}
