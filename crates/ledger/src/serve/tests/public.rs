//! What anybody may copy: tiles, and how long each answer may be kept.

use super::exposed::expose;
use super::{DEADLINE, Served};
use crate::world::{Home, Producers, signer, single};
use bytes::Bytes;
use eleven_api::audit::Append;
use eleven_api::{public, routes};
use eleven_core::encoding::{Value, parse};
use eleven_core::hash::Sha256;
use eleven_core::head::Head;
use eleven_core::head::tlog_proof::TlogProof;
use eleven_core::registry::exposure::Exposure;
use eleven_core::signature::{Signer as _, VerifyingKey};
use eleven_core::tile::{Content, Tile, read_entries};
use eleven_core::tree::{Tree, leaf_hash};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};

/// An answer with its headers.
pub(super) async fn ask(
    served: &Served,
    method: Method,
    path: &str,
    known: Option<&str>,
) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder().method(method).uri(format!("{}{path}", served.base));
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    let request = request.body(Full::new(Bytes::new())).expect("a request");
    let response =
        tokio::time::timeout(DEADLINE, served.client.send(request)).await.expect("in time").expect("answered");
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body.collect().await.expect("a body").to_bytes())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

/// Posts denials until the ledger has more than two tiles, and waits for a head over them.
pub(super) async fn filled(served: &Served) -> Head {
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    let mut append = Append::default();
    append.record(&expose(&mut producers, 1, Exposure::Open));
    (0..530).for_each(|n| append.record(&producers.denial(&format!("number {n}"))));
    served.post(&append).await.expect("posted");
    // Asking for the proof of the last waits for a head over it.
    served.get("/v1/proof/inclusion?seq=536").await.expect("a proof");
    Head::read(served.get(routes::PROOF_HEAD).await.expect("a head")).expect("a head")
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_make_the_very_tree_that_the_head_names() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let head = filled(&served).await;
    let (size, root) = (head.commitment.size, head.commitment.root);
    let (mut tree, mut of_entries) = (Tree::new(), Tree::new());
    for index in 0.. {
        let Some(hashes) = Tile::of(Content::Hashes { level: 0 }, index, size) else { break };
        let entries = Tile::of(Content::Entries, index, size).expect("as many");
        let (status, headers, bytes) = ask(&served, Method::GET, &format!("/tile/{hashes}"), None).await;
        assert_eq!(status, StatusCode::OK, "{hashes}");
        assert_eq!(header(&headers, "content-type"), "application/octet-stream");
        assert_eq!(header(&headers, "cache-control"), public::FOREVER);
        assert_eq!(bytes.len() as u64, hashes.width * 32);
        bytes.chunks(32).for_each(|hash| tree.append(Sha256(hash.try_into().expect("32 bytes"))));
        let (status, headers, bytes) = ask(&served, Method::GET, &format!("/tile/{entries}"), None).await;
        assert_eq!((status, header(&headers, "content-type")), (StatusCode::OK, "application/octet-stream"));
        let entries = read_entries(&bytes, entries.width).expect("entries behind their lengths");
        entries.into_iter().for_each(|entry| of_entries.append(leaf_hash(entry)));
    }
    assert_eq!((tree.size(), tree.root()), (size, root));
    assert_eq!((of_entries.size(), of_entries.root()), (size, root));
    let above = Tile::of(Content::Hashes { level: 1 }, 0, size).expect("two full tiles");
    assert_eq!(above.width, 2);
    let (_, _, bytes) = ask(&served, Method::GET, &format!("/tile/{above}"), None).await;
    assert_eq!(bytes.len(), 64);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tile_reaches_beyond_the_head_and_none_has_a_second_name() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let head = filled(&served).await;
    let width = head.commitment.size % 256;
    let narrower = format!("/tile/0/002.p/{}", width - 1);
    assert_eq!(ask(&served, Method::GET, &narrower, None).await.0, StatusCode::OK);
    for path in [
        "/tile/0/002".to_owned(),
        "/tile/entries/002".to_owned(),
        "/tile/entries/003.p/1".to_owned(),
        "/tile/0/002.p/255".to_owned(),
        "/tile/1/000.p/3".to_owned(),
        "/tile/2/000.p/1".to_owned(),
        "/tile/63/000.p/1".to_owned(),
        "/tile/0/2".to_owned(),
        "/tile/00/000".to_owned(),
        "/tile/0/000.p/256".to_owned(),
        "/tile/0/x000/000".to_owned(),
        "/tile/data/000".to_owned(),
        "/tile/0/".to_owned(),
    ] {
        let (status, headers, _) = ask(&served, Method::GET, &path, None).await;
        assert_eq!((status, header(&headers, "cache-control")), (StatusCode::NOT_FOUND, "no-store"), "{path}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_were_can_be_asked_for_and_follow_from_each_other() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let first = filled(&served).await.commitment;
    let mut append = Append::default();
    let mut producers = Producers::new();
    producers.set_number("gw-0", 530);
    append.record(&producers.denial("one more"));
    served.post(&append).await.expect("posted");
    served.get(&format!("/v1/proof/inclusion?seq={}", first.size)).await.expect("a proof");
    let all = served.get("/v1/proof/heads?from=1&count=64").await.expect("heads");
    let heads = all.get("heads").and_then(Value::as_array).expect("heads").to_vec();
    let number = |head: &Value, name: &str| head.get(name).and_then(Value::as_int).expect("a number") as u64;
    let sizes: Vec<u64> = heads.iter().map(|head| number(head, "size")).collect();
    assert!(sizes.len() >= 2 && sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
    assert!(sizes.contains(&first.size));
    assert_eq!(sizes.last(), Some(&number(&all, "size")));
    assert_eq!(all.get("next"), None);
    for pair in heads.windows(2) {
        let path =
            format!("/v1/proof/consistency?first={}&second={}", number(&pair[0], "size"), number(&pair[1], "size"));
        let proof = served.get(&path).await.expect("a proof");
        assert_eq!((proof.get("first_root"), proof.get("second_root")), (pair[0].get("root"), pair[1].get("root")));
    }
    // What the entries say and what was signed is the same; only heads between seals that were skipped were never signed.
    let signed: Vec<&Value> = heads.iter().filter(|head| head.get("head").is_some()).collect();
    assert!(!signed.is_empty());
    for head in signed {
        let document = head.get("head").expect("a head");
        for name in ["size", "root", "hash", "hash_alt", "index", "registry"] {
            assert_eq!(document.get(name), head.get(name), "{name}");
        }
    }
    let page = served.get("/v1/proof/heads?from=1&count=1").await.expect("a page");
    assert_eq!(page.get("heads").and_then(Value::as_array), Some(&heads[..1]));
    assert_eq!(page.get("next"), heads[1].get("size"));
    let last = served.get("/v1/proof/heads?count=1").await.expect("a page");
    assert_eq!(last.get("heads").and_then(Value::as_array), heads.last().map(std::slice::from_ref));
    let beyond = served.get("/v1/proof/heads?from=99999").await.expect("a page");
    assert_eq!(beyond.get("heads").and_then(Value::as_array).map(<[Value]>::len), Some(0));
    served.end().await;

    // What was signed is still there after a restart.
    let ledger = home.open().expect("open again");
    let again = crate::history::heads(&ledger.inner.shared, Some(first.size), Some(1)).expect("heads");
    let again = again.pointer("/heads/0/head/root").and_then(Value::as_str).expect("signed").to_owned();
    assert_eq!(again, first.root.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tlog_proof_shows_an_event_to_any_tool() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    served.post(&append).await.expect("posted");
    let key = VerifyingKey::new(&signer("head").public()).expect("a key");
    let path = |what: &str| format!("{}{what}", routes::PROOF_TLOG);
    for (query, event) in [("", "evidence.committed"), ("?n=1", "authorization.issued"), ("?n=3", "admission.granted")]
    {
        let (status, headers, body) = ask(&served, Method::GET, &path(&format!("{}{query}", operation.op)), None).await;
        assert_eq!((status, header(&headers, "content-type")), (StatusCode::OK, "text/plain; charset=utf-8"));
        let proof = TlogProof::parse(std::str::from_utf8(&body).expect("text")).expect("a proof");
        let entry = proof.extra.as_ref().expect("the entry beside it");
        assert!(proof.verifies(entry, &key));
        let entry = parse(entry).expect("I-JSON");
        assert_eq!(entry.pointer("/record/event").and_then(Value::as_str), Some(event));
        assert_eq!(entry.get("seq").and_then(Value::as_int), Some(proof.index as i64));
        // By its number anybody gets the proof, and the entry only who has it.
        let (_, _, body) = ask(&served, Method::GET, &path(&proof.index.to_string()), None).await;
        let bare = TlogProof::parse(std::str::from_utf8(&body).expect("text")).expect("a proof");
        assert_eq!((bare.extra, bare.index), (None, proof.index));
    }
    let nobody = "00000000000000000000000000000000";
    for (what, status) in [
        (format!("{}?n=0", operation.op), 404),
        (format!("{}?n=8", operation.op), 404),
        (nobody.to_owned(), 404),
        ("99999".to_owned(), 404),
        ("007".to_owned(), 400),
        ("nothing".to_owned(), 400),
    ] {
        let (told, detail) = Served::status(served.get(&path(&what)).await);
        assert_eq!(told, status, "{what}");
        let of_an_event = what.contains("?n=");
        assert_eq!(detail.contains("it has no event"), of_an_event, "{what}: {detail}");
        assert!(!of_an_event || !detail.contains("not in this ledger"), "the operation is: {detail}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_looked_for_before_so_many_entries_at_once_and_no_more() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    let mut append = Append::default();
    append.record(&expose(&mut producers, 1, Exposure::Open));
    let mut size = served.post(&append).await.expect("exposed").size;
    served.get(&format!("/v1/proof/inclusion?seq={}", size - 1)).await.expect("a proof");
    for _ in 0..3 {
        let mut append = Append::default();
        (0..2000).for_each(|n| append.record(&producers.denial(&format!("without content, {n}"))));
        size = served.post(&append).await.expect("taken").size;
    }
    // Behind the policy of the set-up.
    let from = size - 5900;
    let mut at = from;
    for expected in [from + 4096, size] {
        let answer = served.get(&format!("{}?from={at}&to={size}", routes::AUDIT_CONTENT)).await.expect("an answer");
        assert_eq!(answer.get("content"), Some(&Value::Array(Vec::new())));
        at = u64::try_from(answer.get("next").and_then(Value::as_int).expect("next")).expect("a number");
        assert_eq!(at, expected);
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_tags_and_pages_of_any_origin_may_read_them() {
    let home = Home::new();
    let served = Served::start(&home).await;
    filled(&served).await;
    for (path, kept) in [
        ("/tile/0/000", public::FOREVER),
        ("/v1/proof/inclusion?seq=1&size=300", public::SHORT),
        ("/v1/proof/consistency?first=7&second=300", public::SHORT),
    ] {
        let (status, headers, body) = ask(&served, Method::GET, path, None).await;
        let tag = header(&headers, "etag").to_owned();
        assert_eq!((status, header(&headers, "cache-control")), (StatusCode::OK, kept), "{path}");
        assert_eq!(header(&headers, "access-control-allow-origin"), "*");
        assert_eq!(tag.len(), 34, "{path}: {tag}");
        let (status, headers, none) = ask(&served, Method::GET, path, Some(&format!("\"other\", W/{tag}"))).await;
        assert_eq!((status, none.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        assert_eq!(header(&headers, "content-length"), "", "the length would be said of an answer of 200");
        let (status, unchanged, _) = ask(&served, Method::HEAD, path, Some(&tag)).await;
        assert_eq!((status, header(&unchanged, "content-length")), (StatusCode::NOT_MODIFIED, ""), "{path}");
        assert_eq!((header(&headers, "etag"), header(&headers, "cache-control")), (tag.as_str(), kept));
        assert_eq!(ask(&served, Method::GET, path, Some("\"other\"")).await.2, body);
        let (status, headers, none) = ask(&served, Method::HEAD, path, None).await;
        assert_eq!((status, none.len(), header(&headers, "etag")), (StatusCode::OK, 0, tag.as_str()));
        assert_eq!(header(&headers, "content-length"), body.len().to_string());
        let (status, headers, _) = ask(&served, Method::OPTIONS, path, None).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        assert_eq!(header(&headers, "access-control-allow-methods"), "GET, HEAD, OPTIONS");
        assert_eq!(ask(&served, Method::POST, path, None).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
    for (path, kind) in [(routes::PROOF_HEAD, "application/json"), (routes::CHECKPOINT, "text/plain; charset=utf-8")] {
        let (_, headers, _) = ask(&served, Method::GET, path, None).await;
        assert_eq!((header(&headers, "content-type"), header(&headers, "cache-control")), (kind, public::SHORT));
        // It is not in the body how durable it is: a page may read where it is.
        assert_eq!(header(&headers, "eleven-durability"), "D3", "{path}");
        assert!(header(&headers, "access-control-expose-headers").contains("eleven-durability"), "{path}");
    }
    let (status, headers, _) = ask(&served, Method::GET, "/v1/proof/inclusion?seq=x", None).await;
    assert_eq!((status, header(&headers, "etag")), (StatusCode::BAD_REQUEST, ""));
    assert_eq!(header(&headers, "access-control-allow-origin"), "*");
    assert_eq!(header(&headers, "x-should-retry"), "false");
    assert!(header(&headers, "access-control-expose-headers").contains("x-should-retry"), "and a page may read it");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_taken_by_a_method_says_so_in_the_form_of_every_other_error() {
    let home = Home::new();
    let served = Served::start(&home).await;
    filled(&served).await;
    for (method, path, own) in [
        (Method::POST, routes::PROOF_HEAD, "GET,HEAD"),
        (Method::PUT, routes::HEALTH, "GET,HEAD"),
        (Method::GET, routes::AUDIT_EVENTS, "POST"),
    ] {
        let (status, headers, body) = ask(&served, method, path, None).await;
        assert_eq!((status, header(&headers, "allow")), (StatusCode::METHOD_NOT_ALLOWED, own), "{path}");
        assert_eq!(header(&headers, "content-type"), "application/problem+json", "{path}");
        let problem = parse(&body).expect("I-JSON");
        assert_eq!(problem.get("status").and_then(Value::as_int), Some(405), "{path}: {problem}");
    }
    // A page of any origin reads that, too.
    let (_, headers, _) = ask(&served, Method::POST, routes::PROOF_HEAD, None).await;
    assert_eq!(header(&headers, "access-control-allow-origin"), "*");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_path_names_and_is_no_text_is_refused_in_the_form_of_every_other_error() {
    let home = Home::new();
    let served = Served::start(&home).await;
    filled(&served).await;
    for path in [
        routes::TILE,
        routes::PROOF_LINEAGE,
        routes::PROOF_BUNDLE,
        routes::PROOF_WHY,
        routes::PROOF_TLOG,
        routes::AUDIT_CURSOR,
        routes::AUDIT_BLOB,
        routes::REGISTRY_POLICIES,
        "/v1/registry/root/",
    ] {
        let (status, headers, body) = ask(&served, Method::GET, &format!("{path}%ff"), None).await;
        let kind = header(&headers, "content-type");
        assert_eq!((status, kind), (StatusCode::BAD_REQUEST, "application/problem+json"), "{path}");
        let problem = parse(&body).expect("I-JSON");
        assert_eq!(problem.get("status").and_then(Value::as_int), Some(400), "{path}: {problem}");
    }
    served.end().await;
}
