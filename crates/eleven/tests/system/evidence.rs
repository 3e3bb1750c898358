//! `evidence export` of a running domain and `evidence verify` of what it wrote: that it holds, and that each kind of
//! damage falls on its own verdict.

use crate::export::{Export, eleven, examiner, json, put};
use crate::harness::{Domain, IDENTITY, PATIENCE, Plan, listen, request, signer};
use axum::Router;
use bytes::Bytes;
use eleven_api::client::Client;
use eleven_api::routes;
use eleven_authority::admin::Act;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::registry::retention::Retention;
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;
use eleven_store::{Folder, Log as _, SegmentLog, SegmentOptions};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Two allowed calls and a refused one, proven; the ids of the operations.
async fn calls(domain: &Domain) -> [String; 3] {
    let mut ops = Vec::new();
    for prompt in ["one", "two"] {
        let answered = domain.chat(&request(prompt)).await;
        assert_eq!(answered.status, 200, "{}", answered.json());
        ops.push(answered.op().to_owned());
    }
    let refused = domain.chat(&request("three").replace("\"demo\"", "\"another\"")).await;
    assert_eq!(refused.reason(), "policy.denied");
    ops.push(refused.op().to_owned());
    for (op, events) in ops.iter().zip([7, 7, 1]) {
        domain.bundle_of(op, events).await;
    }
    ops.try_into().expect("three")
}

/// A line of an upstream's log for a lineage that ran.
fn line(export: &Export, op: &str) -> String {
    let bundle = export.read(&format!("proofs/{op}.proof.json"));
    let at = bundle.pointer("/events/3/ts").and_then(Value::as_str).expect("when it was started").to_owned();
    format!("{{\"at\":\"{at}\",\"lineage\":\"lineage://op/{op}\"}}\n")
}

/// Now, as the command line takes it, and the log a moment older for what comes next.
fn now(domain: &Domain) -> String {
    domain.clock.now().millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_and_each_kind_of_damage_falls_on_its_verdict() {
    let domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    let from = now(&domain);
    let [one, two, refused] = calls(&domain).await;
    let before = domain.bundle_of(&two, 7).await;
    domain.act(Act::AuditorAdd { auditor: "another".into(), identity: "human:another:test".into(), hash: None }).await;
    domain.until("the ledger goes on", |domain| is_past(domain, size_of(&before))).await;
    let regimes = ["--from", &from, "--regime", "eu-ai-act", "--regime", "nist-800-53"];
    let export = Export::of(&domain, &secret, &regimes).await;
    assert_eq!(["lineages", "execution", "denial"].map(|name| export.count(name)), [3, 2, 1]);
    let gaps: Vec<&str> =
        export.said.get("gaps").and_then(Value::as_array).expect("gaps").iter().filter_map(Value::as_str).collect();
    assert!(gaps.iter().any(|gap| gap.starts_with("eu-ai-act art-14.4: no evidence in this range")), "{gaps:?}");
    let events: String = std::fs::read_to_string(export.dir().join("records/events.jsonl")).expect("records");
    assert_eq!(events.lines().count(), 15, "two lineages of seven events and one of one");
    let denial = export.read(&format!("proofs/{refused}.proof.json"));
    assert_eq!(denial.get("kind").and_then(Value::as_str), Some("denial"));

    let (verdicts, code) = export.verified(&[]).await;
    let told: Vec<String> = verdicts.iter().map(|(name, status, _)| format!("{name} {status}")).collect();
    let passed =
        ["integrity passed", "signers passed", "completeness passed", "retention passed", "coverage not_checked"];
    assert_eq!((told, code), (passed.map(str::to_owned).to_vec(), 0), "{verdicts:?}");
    // What its end rests on is said: an entry that lies behind it, or the head's word.
    let entries = std::fs::read_to_string(export.dir().join("range/entries.jsonl")).expect("entries");
    let last = parse(entries.lines().last().expect("entries").as_bytes()).expect("I-JSON");
    let (last, to) = (last.get("at").cloned(), export.read("manifest.json").pointer("/query/to").cloned());
    let is_last = last.as_ref().and_then(Value::as_str) < to.as_ref().and_then(Value::as_str);
    assert_eq!(verdicts[2].2.contains("no entry after the range is there yet"), is_last, "{verdicts:?}");

    with_logs(&export, &one, &two).await;
    damaged(&export, &one).await;
    forged(&export, &two).await;
    outdated(&domain, &export, &two, &before).await;
    younger(&domain, &export, &two).await;
}

/// Logs of the calls that ran; with one more, and with one twice.
async fn with_logs(export: &Export, one: &str, two: &str) {
    let log = export.folder.path().join("access.log");
    let calls = line(export, one) + &line(export, two);
    let write = |text: &str| std::fs::write(&log, text).expect("written");
    write(&calls);
    assert_eq!(export.failing("coverage", &[&log]).await.0, [""; 0], "every call is explained");
    let first = line(export, one);
    let at = &first[..first.find(",\"lineage").expect("a time")];
    write(&format!("{calls}{at},\"path\":\"/v1/chat/completions\"}}\n"));
    let (failed, detail) = export.failing("coverage", &[&log]).await;
    assert_eq!(failed, ["coverage"]);
    assert!(detail.contains("access.log:3: no lineage is named"), "{detail}");
    write(&format!("{calls}{first}"));
    let (failed, detail) = export.failing("coverage", &[&log]).await;
    assert_eq!(failed, ["coverage"]);
    assert!(detail.contains(&format!("a second call under lineage {one}")), "{detail}");
    std::fs::remove_file(&log).expect("removed");
}

/// Files that were lost or changed by accident: the manifest knows.
async fn damaged(export: &Export, op: &str) {
    let flipped = export.copy();
    let path = flipped.dir().join(format!("proofs/{op}.proof.json"));
    let mut bytes = std::fs::read(&path).expect("a file");
    let digest = bytes.windows(19).position(|window| window == b"\"digest\":\"sha3-512:").expect("a digest") + 19;
    bytes[digest] = if bytes[digest] == b'0' { b'1' } else { b'0' };
    std::fs::write(&path, bytes).expect("written");
    let (failed, detail) = flipped.failing("integrity", &[]).await;
    assert!(failed.contains(&"integrity".to_owned()), "{failed:?}");
    assert!(
        detail.contains("is not the file that the manifest lists") && detail.contains("lineage.chain failed"),
        "{detail}"
    );

    let extra = export.copy();
    std::fs::write(extra.dir().join("notes.txt"), "x").expect("written");
    let (failed, detail) = extra.failing("integrity", &[]).await;
    assert_eq!(failed, ["integrity"]);
    assert!(detail.contains("notes.txt is not in the manifest"), "{detail}");

    let broken = export.copy();
    std::fs::write(broken.dir().join("manifest.json"), "{}").expect("written");
    let (failed, detail) = broken.failing("integrity", &[]).await;
    assert_eq!(failed, ["integrity"], "nothing else can be judged: {detail}");
}

/// Folders that agree with themselves: the ledger's head knows.
async fn forged(export: &Export, op: &str) {
    // A lineage that is gone from every file that names it.
    let without = export.copy();
    let proof = format!("proofs/{op}.proof.json");
    std::fs::remove_file(without.dir().join(&proof)).expect("removed");
    without.forge("records/events.jsonl", |bytes| {
        let text = String::from_utf8(bytes).expect("text");
        let others = text.lines().filter(|line| !line.contains(op)).map(|line| format!("{line}\n"));
        others.collect::<String>().into_bytes()
    });
    without.manifest(|manifest| {
        put(manifest, "files", |files| drop(files.remove(&proof)));
    });
    let (failed, detail) = without.failing("completeness", &[]).await;
    assert!(failed.contains(&"completeness".to_owned()), "{failed:?}");
    assert!(detail.contains(&format!("of operation {op} is in no proof file")), "{detail}");

    // An entry that is gone from the range.
    let gap = export.copy();
    gap.forge("range/entries.jsonl", |bytes| {
        let text = String::from_utf8(bytes).expect("text");
        text.lines()
            .enumerate()
            .filter(|(at, _)| *at != 4)
            .map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
            .into_bytes()
    });
    let (failed, detail) = gap.failing("completeness", &[]).await;
    assert!(failed.contains(&"completeness".to_owned()) && detail.contains("is missing, the next one is"), "{detail}");

    // A window that says more than is there.
    let older = export.copy();
    older.manifest(|manifest| {
        put(manifest, "query", |query| {
            let from = query.get("from").and_then(Value::as_str).and_then(Time::parse_millis).expect("a time");
            query.insert("from", from.plus_seconds(-3600).to_millis_value());
        });
    });
    let (failed, detail) = older.failing("completeness", &[]).await;
    assert!(
        failed.contains(&"completeness".to_owned()) && detail.contains("is not shown, and may be of the range"),
        "{detail}"
    );

    // Entries that reach back less far than is said.
    let young = export.copy();
    young.forge("retention.json", |_| Object::new().with("v", "1").with("samples", Vec::new()).canonical());
    let (failed, detail) = young.failing("retention", &[]).await;
    assert!(failed.contains(&"retention".to_owned()) && !failed.contains(&"completeness".to_owned()), "{failed:?}");
    assert!(detail.contains("eu-ai-act: the ledger's first entry is not shown"), "{detail}");

    // Gaps that are not told.
    let silent = export.copy();
    silent.manifest(|manifest| drop(manifest.insert("gaps", Vec::new())));
    let (failed, detail) = silent.failing("integrity", &[]).await;
    assert_eq!(failed, ["integrity"]);
    assert!(detail.contains("gaps are not those of the regimes' questions"), "{detail}");
    swapped(export).await;
    unreplayed(export).await;
    unasked(export, op).await;
}

/// Entries of the registry that the ledger is not shown to hold, and a proof file that nobody asked for.
async fn unasked(export: &Export, op: &str) {
    let apart = export.copy();
    let mut seqs = Vec::new();
    apart.forge("registry/proofs.json", |bytes| {
        let mut file = parse(&bytes).expect("I-JSON").as_object().cloned().expect("an object");
        let mut proofs = file.get("proofs").and_then(Value::as_array).expect("proofs").to_vec();
        let seq = |proof: &Value| proof.get("seq").and_then(Value::as_int).expect("a number");
        // Of one entry there is another proof, of one there is none.
        let mut hashes = proofs[0].get("proof").and_then(Value::as_array).expect("a proof").to_vec();
        hashes[0] = Sha256([7; 32]).into();
        proofs[0] = Value::Object(proofs[0].as_object().cloned().expect("an object").with("proof", hashes));
        seqs.extend([seq(&proofs[0]), seq(&proofs.pop().expect("a proof"))]);
        file.insert("proofs", proofs);
        file.canonical()
    });
    let (failed, detail) = apart.failing("completeness", &[]).await;
    assert!(failed.contains(&"completeness".to_owned()), "{failed:?}");
    for seq in &seqs {
        let what = format!("registry/entries.jsonl: entry {seq} is not shown to be in the ledger");
        assert!(detail.contains(&what), "{detail}");
    }
    assert_eq!(detail.matches("is not shown to be in the ledger").count(), seqs.len(), "{detail}");

    let more = export.copy();
    let name = "proofs/0123456789ABCDEFGHJKMNPQRSTVWXYZ.proof.json";
    let proof = more.dir().join(format!("proofs/{op}.proof.json"));
    std::fs::copy(proof, more.dir().join(name)).expect("copied");
    more.forge(name, |bytes| bytes);
    let (failed, detail) = more.failing("completeness", &[]).await;
    assert_eq!(failed, ["completeness"]);
    assert!(detail.contains(&format!("{name} is of no operation that was asked for")), "{detail}");
}

/// Proof files without that by which a decision is made again.
async fn unreplayed(export: &Export) {
    let (status, detail) = export.verdict("integrity", &[]).await;
    assert!(status == "passed" && !detail.contains("was not checked in"), "{detail}");
    let stripped = export.copy();
    let mut ops = Vec::new();
    for entry in std::fs::read_dir(export.dir().join("proofs")).expect("a folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let mut bundle = export.read(&format!("proofs/{name}")).as_object().cloned().expect("an object");
        if bundle.remove("decision").is_some() {
            stripped.forge(&format!("proofs/{name}"), |_| bundle.canonical());
            ops.extend(name.strip_suffix(".proof.json").map(str::to_owned));
        }
    }
    assert_eq!(ops.len(), 2, "a refusal has none: {ops:?}");
    let (failed, detail) = stripped.failing("integrity", &[]).await;
    assert_eq!(failed, ["integrity"]);
    for op in &ops {
        let gap = format!("a gap is not told: the proof file of operation {op} shows no decision input");
        assert!(detail.contains(&gap), "{detail}");
    }

    // Where it is told, it is no fault of the files, and the verdict says on what it does not rest.
    stripped.manifest(|manifest| {
        let mut gaps = manifest.get("gaps").and_then(Value::as_array).expect("gaps").to_vec();
        gaps.extend(ops.iter().map(|op| {
            let what =
                format!("the proof file of operation {op} shows no decision input: policy.replay was not checked");
            Value::Object(Object::new().with("what", what))
        }));
        manifest.insert("gaps", gaps);
    });
    let (status, detail) = stripped.verdict("integrity", &["--skip-documents"]).await;
    assert_eq!(status, "passed", "{detail}");
    let said = "policy.replay was not checked in 2 of 3 proof files: the bundle shows no decision input";
    assert!(detail.contains(said), "{detail}");
}

/// How many entries the head of a proof file or of a manifest covers.
fn size_of(shown: &Value) -> i64 {
    shown.pointer("/head/size").and_then(Value::as_int).expect("a size")
}

/// Whether the ledger's head covers more entries than so many.
async fn is_past(domain: &Domain, size: i64) -> bool {
    let head = parse(&domain.get(domain.ledger_at, "/v1/proof/head").await.1).unwrap_or(Value::Null);
    head.get("size").and_then(Value::as_int).is_some_and(|now| now > size)
}

/// The ledger's proof that it goes on from so many entries to so many.
async fn goes_on(domain: &Domain, first: i64, second: i64) -> Value {
    let path = format!("/v1/proof/consistency?first={first}&second={second}");
    let answer = parse(&domain.get(domain.ledger_at, &path).await.1).expect("I-JSON");
    answer.get("proof").cloned().expect("a proof")
}

/// Puts a bundle in the place of an operation's proof file; its head is listed where there is a proof of it.
fn replace_proof(export: &Export, op: &str, bundle: &Value, proof: Option<Value>) {
    export.forge(&format!("proofs/{op}.proof.json"), |_| bundle.canonical());
    let Some(proof) = proof else { return };
    let root = bundle.pointer("/head/root").cloned().expect("a root");
    let head = Object::new().with("size", size_of(bundle)).with("root", root).with("proof", proof);
    export.forge("proofs/heads.json", |bytes| {
        let mut file = parse(&bytes).expect("I-JSON").as_object().cloned().expect("an object");
        let mut heads = file.get("heads").and_then(Value::as_array).expect("heads").to_vec();
        heads.push(Value::Object(head));
        file.insert("heads", heads);
        file.canonical()
    });
}

/// A proof file that was kept from before, under a head of the same history: it says nothing of what came since.
async fn outdated(domain: &Domain, export: &Export, op: &str, before: &Value) {
    let stale = export.copy();
    let (first, second) = (size_of(before), size_of(&export.read("manifest.json")));
    assert!(first < second, "{first} and {second}");
    replace_proof(&stale, op, before, Some(goes_on(domain, first, second).await));
    let (failed, detail) = stale.failing("completeness", &[]).await;
    assert_eq!(failed, ["completeness"]);
    assert!(detail.contains("its head is older than the manifest's: what came since is not judged"), "{detail}");
}

/// A proof file under a younger head, which has to be shown to go on from the manifest's.
async fn younger(domain: &Domain, export: &Export, op: &str) {
    let first = size_of(&export.read("manifest.json"));
    domain.act(Act::AuditorAdd { auditor: "third".into(), identity: "human:third:test".into(), hash: None }).await;
    domain.until("the ledger goes on", |domain| is_past(domain, first)).await;
    let after = domain.bundle_of(op, 7).await;
    let second = size_of(&after);
    assert!(first < second, "{first} and {second}");
    let proof = goes_on(domain, first, second).await;
    for (proof, shown) in [(Some(proof), true), (Some(Vec::new().into()), false), (None, false)] {
        let newer = export.copy();
        replace_proof(&newer, op, &after, proof);
        let (failed, detail) = newer.failing("completeness", &[]).await;
        let wrong = detail.contains("its head is not shown to be of one history with the manifest's");
        assert_eq!((failed.is_empty(), wrong), (shown, !shown), "{failed:?}: {detail}");
        assert!(shown || failed == ["completeness"], "{failed:?}");
    }
}

/// Keys that are not the domain's.
async fn swapped(export: &Export) {
    // A head signed by another key under the same name.
    let other = export.copy();
    other.manifest(|manifest| {
        let head = eleven_core::head::Head::read(manifest.get("head").cloned().expect("a head")).expect("of its form");
        let stranger = SeedSigner::new(head.sig.kid.clone(), &[7; 32]);
        manifest.insert("head", eleven_core::head::Head::sign(head.commitment, head.at, &stranger).to_value());
    });
    let (failed, detail) = other.failing("signers", &[]).await;
    assert_eq!(failed, ["signers"]);
    assert!(detail.contains("the head's signature does not verify"), "{detail}");

    // An event of the registry that nobody signed. It is from before the range.
    let unsigned = export.copy();
    let mut changed = 0;
    unsigned.forge("registry/entries.jsonl", |bytes| {
        let text = String::from_utf8(bytes).expect("text");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let entry = parse(lines[1].as_bytes()).expect("I-JSON");
        changed = entry.get("seq").and_then(Value::as_int).expect("a number");
        let at = lines[1].rfind("\"val\":\"base64:").expect("a signature") + 14;
        let other = if lines[1].as_bytes()[at] == b'A' { "B" } else { "A" };
        lines[1].replace_range(at..=at, other);
        lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes()
    });
    let (failed, detail) = unsigned.failing("signers", &[]).await;
    assert!(failed.contains(&"signers".to_owned()), "{failed:?}");
    assert!(detail.contains(&format!("entry {changed}: the signature by")), "{detail}");

    // Another domain's root is pinned.
    let pinned = export.copy();
    let path = pinned.folder.path().join("root.json");
    let root = eleven_core::root::TrustRoot::read(parse(&std::fs::read(&path).expect("a root")).expect("I-JSON"));
    let mut root = root.expect("of its form");
    root.exp = root.exp.plus_seconds(60);
    root.sigs.clear();
    let root = root.signed(&[&*signer("root")]).expect("a root");
    std::fs::write(&path, root.to_value().canonical()).expect("written");
    let (failed, detail) = pinned.failing("signers", &[]).await;
    assert_eq!(failed, ["signers"]);
    assert!(detail.contains("none of the domain's roots is the one that was given"), "{detail}");

    // No root at all: nothing failed, and nothing is verified.
    let dir = export.dir().display().to_string();
    let done = eleven(&["evidence", "verify", &dir]).await;
    let status = json(&done).pointer("/verdicts/1/status").and_then(Value::as_str).map(str::to_owned);
    assert_eq!((done.status.code(), status.as_deref()), (Some(1), Some("not_checked")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_identity_alone_and_calls_of_others_are_still_explained() {
    let plan = Plan { cedar: "permit(principal, action, resource);", digests: "plain", ..Plan::default() };
    let domain = Domain::start(plan).await;
    let secret = examiner(&domain).await;
    let other = domain.client_of("other", "svc:other:test").await;
    let own = domain.chat(&request("own")).await.op().to_owned();
    let bearer = format!("Bearer {other}");
    let others = domain.chat_with(&request("theirs"), &[("authorization", &bearer)]).await.op().to_owned();
    for op in [&own, &others] {
        domain.bundle_of(op, 7).await;
    }
    let whole = Export::of(&domain, &secret, &[]).await;
    let export = Export::of(&domain, &secret, &["--identity", IDENTITY, "--operation", "model.invoke"]).await;
    assert_eq!((whole.count("lineages"), export.count("lineages")), (2, 1));
    assert!(!export.dir().join(format!("proofs/{others}.proof.json")).exists());

    let log = export.folder.path().join("access.log");
    let with = |body: &str| {
        let digest = Sha3::of(&[body.as_bytes()]);
        let call = line(&whole, &own);
        call.replace('{', &format!("{{\"digest\":\"{digest}\",\"method\":\"POST\",\"path\":\"/v1/chat/completions\","))
    };
    std::fs::write(&log, with(&request("own")) + &line(&whole, &others)).expect("written");
    let (failed, detail) = export.failing("coverage", &[&log]).await;
    assert_eq!(failed, [""; 0], "{detail}");
    assert!(detail.contains("2 matched (1 of them by the request's digest too)"), "{detail}");
    std::fs::write(&log, with(&request("another"))).expect("written");
    let (failed, detail) = export.failing("coverage", &[&log]).await;
    assert_eq!(failed, ["coverage"]);
    assert!(detail.contains("was authorised for another request"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_range_is_shown_to_be_empty_and_wrong_questions_are_refused() {
    let domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    calls(&domain).await;
    let whole = Export::of(&domain, &secret, &[]).await;
    let first = std::fs::read_to_string(whole.dir().join("range/entries.jsonl")).expect("entries");
    let at = parse(first.lines().next().expect("an entry").as_bytes()).expect("I-JSON");
    let begun = at.get("at").and_then(Value::as_str).and_then(Time::parse_millis).expect("a time");
    let before = [begun.plus_seconds(-60).millis(), begun.plus_seconds(-30).millis()];
    let empty = Export::of(&domain, &secret, &["--from", &before[0], "--to", &before[1]]).await;
    assert_eq!((empty.count("entries"), empty.count("lineages")), (0, 0));
    let (verdicts, code) = empty.verified(&[]).await;
    assert_eq!(code, 0, "{verdicts:?}");

    let (ledger, out) = (domain.ledger_url(), whole.dir().display().to_string());
    let fresh = whole.folder.path().join("new").display().to_string();
    let later = domain.clock.now().plus_seconds(3600).millis();
    for (args, why) in [
        (vec!["--out", out.as_str()], "is not empty"),
        (vec!["--out", fresh.as_str(), "--to", later.as_str()], "in the future"),
        (vec!["--out", fresh.as_str(), "--regime", "gdpr"], "there is no regime"),
        (vec!["--out", fresh.as_str(), "--from", "yesterday"], "write it in UTC"),
    ] {
        let done = eleven(&[&["evidence", "export", "--ledger", &ledger][..], &args].concat()).await;
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    let nowhere = whole.folder.path().display().to_string();
    assert_eq!(eleven(&["evidence", "verify", &nowhere]).await.status.code(), Some(2));
}

/// A front of the ledger that shows a head and its checkpoint as they are now, and all else as it comes to be: a cache that is a
/// moment behind. It ends with what is beside its address.
async fn behind(domain: &Domain) -> (String, watch::Sender<bool>) {
    let at = domain.ledger_at;
    let until = Instant::now() + PATIENCE;
    let kept = loop {
        let [head, note] = [routes::PROOF_HEAD, routes::CHECKPOINT].map(|path| domain.get(at, path));
        let (head, note) = (head.await.1, note.await.1);
        let size = parse(&head).ok().and_then(|head| head.get("size").and_then(Value::as_int));
        let noted = String::from_utf8_lossy(&note).lines().nth(1).and_then(|size| size.parse::<i64>().ok());
        if size.is_some() && size == noted {
            break [(routes::PROOF_HEAD, head), (routes::CHECKPOINT, note)];
        }
        assert!(Instant::now() < until, "head and checkpoint are never of one size");
    };
    let client = Client::new();
    let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        let (kept, client) = (kept.clone(), client.clone());
        async move {
            if let Some((_, kept)) = kept.iter().find(|(path, _)| *path == uri.path()) {
                return (StatusCode::OK, kept.clone());
            }
            let mut request = Request::get(format!("http://{at}{uri}"));
            if let Some(who) = headers.get(AUTHORIZATION) {
                request = request.header(AUTHORIZATION, who);
            }
            let answer = client.send(request.body(Full::<Bytes>::default()).expect("a request")).await;
            let (parts, body) = answer.expect("the ledger answers").into_parts();
            (parts.status, body.collect().await.expect("all of it").to_bytes())
        }
    });
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (running, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
    (url, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn proof_files_under_a_later_head_than_the_manifests_are_shown_to_be_of_its_history() {
    let domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    let ops = calls(&domain).await;
    let (front, _running) = behind(&domain).await;
    // Whatever is proven from here on is under a head that covers this.
    let later = domain.chat(&request("later")).await.op().to_owned();
    domain.bundle_of(&later, 7).await;
    let (export, code) = Export::asked_at(&front, &domain, &secret, &[]).await;
    assert_eq!((code, export.count("lineages")), (Some(0), 3), "{}", export.said);
    let size = size_of(&export.read("manifest.json"));
    for op in &ops {
        assert!(size_of(&export.read(&format!("proofs/{op}.proof.json"))) > size, "{op}");
    }
    let (verdicts, code) = export.verified(&[]).await;
    assert_eq!(code, 0, "{verdicts:?}");

    // Without the proof that those heads go on from the manifest's they may be of another.
    let bare = export.copy();
    bare.forge("proofs/heads.json", |bytes| {
        let file = parse(&bytes).expect("I-JSON").as_object().cloned().expect("an object");
        file.with("heads", Vec::new()).canonical()
    });
    let (failed, detail) = bare.failing("completeness", &[]).await;
    assert_eq!(failed, ["completeness"], "{detail}");
}

/// Moves artifacts and decision inputs to an archive, as the ledger's own archiving does by a head of when their retention has
/// ended: so long no key of this domain counts. Says how many.
fn moved_out(ledger: &Path, archive: &Path) -> usize {
    let open = |folder: &Path, corner: &str, log: &str| {
        let folder = Folder::open(folder, corner).expect("a folder");
        SegmentLog::open(folder.place(log).expect("a place"), SegmentOptions::default()).expect("a log")
    };
    let (mut log, mut archived) = (open(ledger, "ledger", "log"), open(archive, "archive", "content"));
    log.close_segment().expect("closed");
    let mut moved = BTreeMap::new();
    for (position, record) in log.reader().read_from(0, usize::MAX, usize::MAX).expect("read") {
        // Behind each record stands of which kind it is. Policies are kept for good.
        let Some((b'b', content)) = record.split_last() else { continue };
        if content.windows(7).any(|part| part == b"\"cedar\"") {
            continue;
        }
        let durable = archived.append(archived.next(), &[content]).expect("kept");
        assert_eq!(durable.count(), 1);
        moved.insert(position, [&Sha3::of(&[content]).0[..], b"m"].concat());
    }
    let changed = log.rewriter().rewrite(&moved, &AtomicBool::new(false)).expect("moved");
    assert_eq!(changed, moved.len() as u64);
    moved.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_over_archived_content_holds_and_says_what_is_elsewhere() {
    let mut domain = Domain::start(Plan::default()).await;
    let secret = examiner(&domain).await;
    domain.act(Act::RetentionSet { retention: Retention::new(183, "eu-ai-act").expect("a retention") }).await;
    let from = now(&domain);
    let [one, two, refused] = calls(&domain).await;
    domain.stop_ledger().await;
    let (ledger, archive) = (domain.folder.path().join("ledger"), domain.folder.path().join("archive"));
    let later = domain.clock.now().plus_seconds(200 * 86_400);
    let done = eleven_ledger::archive(&ledger, &archive, later).expect("looked");
    assert_eq!((done.pieces, done.lineages), (0, 0), "its heads are of today");
    let moved = moved_out(&ledger, &archive);
    assert!(moved >= 4, "two artifacts and two decision inputs: {moved}");

    domain.archive = Some(archive);
    domain.start_ledger().await;
    let args = ["--from", &from, "--regime", "eu-ai-act"];
    let served = Export::of(&domain, &secret, &args).await;
    assert_eq!(["lineages", "execution", "denial"].map(|name| served.count(name)), [3, 2, 1]);
    assert_eq!(served.verified(&[]).await.1, 0);
    assert!(served.read(&format!("proofs/{one}.proof.json")).get("artifact").is_some(), "from the archive");

    domain.stop_ledger().await;
    domain.archive = None;
    domain.start_ledger().await;
    let (bare, code) = Export::asked(&domain, &secret, &args).await;
    assert_eq!(code, Some(1), "it lacks what is elsewhere");
    let gaps = bare.said.get("gaps").expect("gaps").to_string();
    for op in [&one, &two] {
        assert!(gaps.contains(op.as_str()) && gaps.contains("ledger.archive"), "{gaps}");
    }
    assert!(bare.read(&format!("proofs/{refused}.proof.json")).get("events").is_some(), "it needs no content");
    let (failed, detail) = bare.failing("completeness", &[]).await;
    assert_eq!(failed, ["completeness"]);
    assert!(detail.contains(one.as_str()) && detail.contains(two.as_str()), "{detail}");
}
