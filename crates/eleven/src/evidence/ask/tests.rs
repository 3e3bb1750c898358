use super::*;
use crate::call::At;
use axum::Router;
use axum::response::{IntoResponse as _, Response};
use eleven_api::problem::Problem;
use eleven_api::serve::Listener;
use eleven_core::chain::ChainValue;
use eleven_core::encoding::Object;
use eleven_core::hash::Blake2b;
use eleven_core::head::checkpoint::Checkpoint;
use eleven_core::head::{Commitment, RegistryRef};
use eleven_core::root::Witness;
use eleven_core::signature::{SeedSigner, Signer as _};
use http::{StatusCode, Uri};
use std::path::Path;
use std::sync::atomic::AtomicU32;
use tokio::sync::watch;

/// A ledger that answers all alike; its first answers are of a status, as those of one that is between two heads.
struct Fake {
    url: String,
    asked: Arc<AtomicU32>,
    /// It runs until this goes.
    _running: watch::Sender<bool>,
}

impl Fake {
    async fn start(answers: u32, status: u16) -> Self {
        let refused = move || Problem::with_status(status, "the next head is being signed").into_response();
        Self::saying(answers, refused, r#"{"proof":[]}"#).await
    }

    async fn saying(
        answers: u32,
        first: impl Fn() -> Response + Clone + Send + Sync + 'static,
        then: &'static str,
    ) -> Self {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked);
        let router = Router::new().fallback(move || {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            let answer = if n < answers { first() } else { then.into_response() };
            async move { answer }
        });
        let (url, running) = serving(router).await;
        Self { url, asked, _running: running }
    }

    fn source(&self) -> Source {
        source(&self.url)
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Where this is served, until what is beside it goes.
pub(crate) async fn serving(router: Router) -> (String, watch::Sender<bool>) {
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (running, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
    (url, running)
}

/// The ledger there, for a stranger.
pub(crate) fn source(url: &str) -> Source {
    Source::new(&At::of(Some(url), None, Path::new("eleven.toml")).expect("a ledger"))
}

/// The same for who has waited for it already for as long as one head takes.
pub(crate) fn waited(source: Source) -> Source {
    let before = Instant::now().checked_sub(HEAD_WITHIN + Duration::from_secs(1)).expect("a moment before");
    Source { behind: Arc::new(OnceLock::from(before)), ..source }
}

#[tokio::test]
async fn a_ledger_between_two_heads_is_asked_again() {
    let between = Fake::start(2, 503).await;
    assert_eq!(between.source().inclusion(3, 4).await.expect("an answer"), []);
    assert_eq!(between.asked(), 3);
    let closed = Fake::start(2, 403).await;
    assert!(closed.source().inclusion(3, 4).await.is_err(), "another refusal stands");
    assert_eq!(closed.asked(), 1);
}

#[tokio::test]
async fn a_proof_file_is_of_the_operation_that_was_asked_for_or_refused() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let saying = async |sent: &'static str| Fake::saying(0, move || sent.into_response(), sent).await;
    for sent in [
        r#"{"op":"../../escaped/authorized"}"#,
        r#"{"op":"0123456789ABCDEFGHJKMNPQRSTVWXYZ.1"}"#,
        r#"{"op":["0123456789ABCDEFGHJKMNPQRSTVWXYZ"]}"#,
        "{}",
    ] {
        let answer = saying(sent).await.source().bundle(OP, 0).await;
        let why = answer.map(|_| sent).expect_err("refused").to_string();
        assert!(why.contains(OP) && !why.contains("escaped"), "{why}");
    }
    let honest = saying(r#"{"op":"0123456789ABCDEFGHJKMNPQRSTVWXYZ"}"#).await;
    assert!(honest.source().bundle(OP, 0).await.is_ok_and(|found| found.is_ok()));
}

#[tokio::test]
async fn that_there_is_no_proof_file_is_told_by_the_ledger_alone() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let none = Fake::start(1, 404).await;
    assert!(none.source().bundle(OP, 0).await.is_ok_and(|found| found.is_err()));
    let absent = || (StatusCode::NOT_FOUND, "default backend - 404").into_response();
    let gone = Fake::saying(1, absent, "{}").await;
    assert!(gone.source().bundle(OP, 0).await.is_err(), "that would be a gap of the range");
}

#[tokio::test]
async fn a_proof_file_under_an_older_head_is_asked_for_again() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const OLDER: &str = r#"{"op":"0123456789ABCDEFGHJKMNPQRSTVWXYZ","head":{"size":7}}"#;
    const NEWER: &str = r#"{"op":"0123456789ABCDEFGHJKMNPQRSTVWXYZ","head":{"size":9}}"#;
    for (least, asked, size) in [(7, 1, 7), (8, 3, 9), (9, 3, 9)] {
        let behind = Fake::saying(2, || OLDER.into_response(), NEWER).await;
        let bundle = behind.source().bundle(OP, least).await.expect("an answer").expect("a proof file");
        assert_eq!(bundle.pointer("/head/size").and_then(Value::as_int), Some(size));
        assert_eq!(behind.asked(), asked);
    }
}

#[tokio::test]
async fn a_ledger_that_stays_behind_is_waited_for_once() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const OLDER: &str = r#"{"op":"0123456789ABCDEFGHJKMNPQRSTVWXYZ","head":{"size":7}}"#;
    let behind = Fake::saying(0, || OLDER.into_response(), OLDER).await;
    let source = waited(behind.source());
    for asked in 1..=3 {
        let why = source.clone().bundle(OP, 8).await.expect("an answer").expect_err("too old");
        assert_eq!(why, "it is shown under a head of 7 entries, which is older than that of 8");
        assert_eq!(behind.asked(), asked, "nobody waits again");
    }
    assert!(source.bundle(OP, 7).await.is_ok_and(|found| found.is_ok()), "what is not older is taken");
}

const WITNESS: &str = "witness.test/one";

fn key(name: &str) -> SeedSigner {
    SeedSigner::new(format!("key:test/{name}/1"), &Sha256::of(&[name.as_bytes()]).0)
}

/// A head of so many entries, and its checkpoint, cosigned or not.
fn head(size: u64, cosigned: bool) -> (Value, String) {
    let chain = ChainValue { hash: Sha3::of(&[b"an entry"]), hash_alt: Blake2b::of(&[b"an entry"]) };
    let (root, index) = (Sha256::of(&[b"root"]), Sha256::of(&[b"index"]));
    let registry = RegistryRef { epoch: 1, hash: Sha3::of(&[b"a registry"]) };
    let commitment = Commitment { ledger: "ledger://test".into(), size, chain, root, index, registry };
    let checkpoint = Checkpoint::of(&commitment);
    let mut lines = vec![checkpoint.sign(&key("head"))];
    lines.extend(cosigned.then(|| checkpoint.cosign(WITNESS, 1, &key("witness"))));
    let at = Time(i64::try_from(size).expect("small") * 1000);
    (Head::sign(commitment, at, &key("head")).to_value(), Note { checkpoint, lines }.to_string())
}

fn witnesses() -> Witnesses {
    let key = Witness { name: WITNESS.into(), public: key("witness").public(), audits: false };
    Witnesses { quorum: 1, auditors: 0, keys: vec![key] }
}

#[tokio::test]
async fn a_head_that_is_still_to_be_cosigned_is_not_taken() {
    // The last one is of nine entries, and of seven the last that is cosigned.
    let shown = |uri: Uri| async move {
        let cosigned = uri.query() == Some("durability=D4");
        let (head, note) = if cosigned { head(7, true) } else { head(9, false) };
        if uri.path() == routes::CHECKPOINT { note } else { head.to_string() }
    };
    let (url, _running) = serving(Router::new().fallback(shown)).await;
    let witnessed = source(&url);
    for (level, size) in [(Durability::D3, 9), (Durability::D4, 7)] {
        let shown = witnessed.shown(level).await.expect("an answer").expect("of one tree");
        assert_eq!(shown.head.commitment.size, size);
        let (_, note) = head(size, level == Durability::D4);
        assert_eq!(shown.checkpoint, note);
    }
}

#[tokio::test]
async fn the_registry_of_a_ledger_that_goes_on_is_read_up_to_its_head() {
    // It has more whenever it is asked for what lies behind its head: whoever does so has no end of it.
    let shown = |uri: Uri| async move {
        let (head, note) = head(9, true);
        let page = Object::new().with("entries", Vec::<Value>::new()).with("next", 9u64);
        match uri.path() {
            routes::PROOF_HEAD => head.to_string().into_response(),
            routes::CHECKPOINT => note.into_response(),
            _ if uri.query().is_some_and(|query| query.starts_with("from=0&")) => {
                Value::Object(page).to_string().into_response()
            }
            _ => Problem::with_status(403, "it is not asked for that").into_response(),
        }
    };
    let (url, _running) = serving(Router::new().fallback(shown)).await;
    assert_eq!(source(&url).level().await.expect("a level"), Durability::D3, "its root names no witnesses");
}

#[tokio::test]
async fn a_proof_file_whose_head_is_still_to_be_cosigned_is_asked_for_again() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let file = |cosigned| {
        let (head, note) = head(9, cosigned);
        let file = Object::new().with("op", OP).with("head", head).with("checkpoint", note).canonical();
        String::from_utf8(file).expect("text")
    };
    let (lacking, whole): (String, &'static str) = (file(false), file(true).leak());
    let refusing = || {
        let lacking = lacking.clone();
        Fake::saying(2, move || lacking.clone().into_response(), whole)
    };
    let of = |file: &Value| file.get("checkpoint").and_then(Value::as_str).expect("a note").to_owned();
    let witnessed = refusing().await;
    let source = witnessed.source();
    source.witnesses.set(witnesses()).expect("once");
    let got = source.bundle(OP, 9).await.expect("an answer").expect("a proof file");
    assert_eq!((of(&got), witnessed.asked()), (head(9, true).1, 3));

    // Without witnesses there is nothing to wait for, nor where they were waited for already.
    let alone = refusing().await;
    let got = alone.source().bundle(OP, 9).await.expect("an answer").expect("a proof file");
    assert_eq!((of(&got), alone.asked()), (head(9, false).1, 1));
    let out = refusing().await;
    let source = out.source();
    source.witnesses.set(witnesses()).expect("once");
    source.unwitnessed.store(true, Ordering::Relaxed);
    let got = source.bundle(OP, 9).await.expect("an answer").expect("a proof file");
    assert_eq!((of(&got), out.asked()), (head(9, false).1, 1));
}

#[tokio::test]
async fn content_is_what_hashes_to_its_name_and_a_document() {
    for (sent, why) in [("{}", None), ("{", Some("is not I-JSON: "))] {
        let ledger = Fake::saying(0, move || sent.into_response(), sent).await;
        let hash = Sha3::of(&[sent.as_bytes()]);
        match (ledger.source().blob(hash).await, why) {
            (Ok(content), None) => assert_eq!(content, sent.as_bytes()),
            (Err(refused), Some(why)) => {
                assert!(refused.to_string().starts_with(&format!("{hash} {why}")), "{refused}");
            }
            (answer, _) => panic!("{sent}: {}", answer.is_ok()),
        }
        let other = Sha3::of(&[b"other content"]);
        let refused = ledger.source().blob(other).await.expect_err("another was asked for").to_string();
        assert_eq!(refused, format!("the ledger sent other bytes than those of {other}"));
    }
}
