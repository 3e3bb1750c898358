//! A ledger and the witnesses that its trust root names, over loopback.

use super::*;
use crate::witness::collect::Told;
use crate::world::{Home, Producers, genesis_keys, kid, root};
use crate::{Ledger, LedgerError, Signers};
use eleven_api::audit::{Append, Appended, Cursor, Durability};
use eleven_api::client::CallError;
use eleven_api::edge::Clock;
use eleven_api::keyring::Keyring;
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::recovery::{Recovery, TreeAt};
use eleven_core::root::{KeyRecord, KeyStatus, TrustRoot, Witness, Witnesses};
use eleven_core::signature::{Signer, VerifyingKey};
use eleven_core::time::Time;
use http::{HeaderName, HeaderValue};

const NAMES: [&str; 2] = ["witness.test/a", "witness.test/b"];
const DEADLINE: Duration = Duration::from_secs(20);

/// The domain's root with both witnesses, the second of them an auditor.
fn witnessed(quorum: u64, auditors: u64) -> TrustRoot {
    let keys = NAMES.map(|name| Witness {
        name: name.to_owned(),
        public: witness_signer(name).public(),
        audits: name == NAMES[1],
    });
    let witnesses = Witnesses { quorum, auditors, keys: keys.to_vec() };
    TrustRoot { witnesses, sigs: Vec::new(), ..root() }.signed(&[&signer("root")]).expect("a root")
}

/// The version after a root, with other witnesses.
fn next(previous: &TrustRoot, witnesses: Witnesses) -> TrustRoot {
    let (version, prev) = (previous.version + 1, Some(previous.hash_for_prev()));
    let next = TrustRoot { version, prev, witnesses, sigs: Vec::new(), ..previous.clone() };
    next.signed(&[&signer("root")]).expect("a root")
}

fn home(quorum: u64, auditors: u64) -> Home {
    let home = Home::empty();
    let root = witnessed(quorum, auditors);
    Ledger::genesis(home.path(), &root, 10, &genesis_keys(), &signer("audit"), start()).expect("a genesis");
    home
}

/// A served ledger.
struct Running {
    base: String,
    client: Client,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), LedgerError>>,
    producers: Producers,
}

impl Running {
    async fn start(home: &Home, witnesses: &[&str]) -> Self {
        Self::holding(home, witnesses, &["head"]).await
    }

    /// One that holds these head keys, the oldest first.
    async fn holding(home: &Home, witnesses: &[&str], heads: &[&str]) -> Self {
        let witnesses = witnesses.iter().map(|url| (*url).to_owned()).collect();
        let settings = crate::Settings { witnesses, ..home.settings() };
        let heads = heads.iter().map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
        let signers = Signers { head: Keyring::new(heads).expect("a key"), ..Home::signers() };
        let ledger = Ledger::open(settings, signers, Arc::clone(&home.clock) as Arc<dyn Clock>).expect("open");
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a listener");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(ledger.serve(listener, stopping));
        Self { base, client: Client::new(), stop, task, producers: Producers::new() }
    }

    /// Appends one more event, asking for a level; says what was reached.
    async fn append(&mut self, level: &str, wait: u64) -> Appended {
        let mut append = Append::default();
        if self.producers.number("authority") == 0 {
            append = self.producers.set_up();
        }
        append.record(&self.producers.denial("one more"));
        self.post(append, level, wait).await
    }

    /// Publishes the next version of the root, asking for a level; says what was reached.
    async fn publish(&mut self, root: &TrustRoot, level: &str, wait: u64) -> Appended {
        let mut append = Append::default();
        append.record(&self.producers.by_authority("root.published", Object::new().with("root", root.to_value())));
        self.post(append, level, wait).await
    }

    async fn post(&self, append: Append, level: &str, wait: u64) -> Appended {
        let path = format!("{}?wait={wait}", routes::AUDIT_EVENTS);
        let header = (HeaderName::from_static("eleven-durability"), HeaderValue::from_str(level).expect("a header"));
        let answer = self.client.post(&self.base, &path, &[header], append.to_bytes(), DEADLINE).await.expect("taken");
        Appended::read(parse(&answer).expect("I-JSON")).expect("an answer")
    }

    async fn note(&self, path: &str) -> Result<Note, CallError> {
        let text = self.client.get(&self.base, path, DEADLINE).await?;
        Ok(Note::parse(std::str::from_utf8(&text).expect("text")).expect("a note"))
    }

    /// Health, once it is as asked.
    async fn health(&self, good: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..1000 {
            last = match self.client.get_json(&self.base, routes::HEALTH, DEADLINE).await {
                Ok(value) if good(&value) => return value,
                Ok(value) => value,
                Err(error) => Value::from(error.to_string()),
            };
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("health is {last}");
    }

    /// Until it calls itself unwell.
    async fn until_unwell(&self) {
        for _ in 0..1000 {
            let health = self.client.get_json(&self.base, routes::HEALTH, DEADLINE).await;
            if matches!(health, Err(CallError::Refused(problem)) if problem.status == 503) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not call itself unwell");
    }

    async fn end(self) {
        self.stop.send(true).expect("it runs");
        self.task.await.expect("served").expect("ended well");
    }
}

fn number(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_int).unwrap_or(0)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_cosigned(note: &Note, name: &str) -> bool {
    let key = VerifyingKey::new(&witness_signer(name).public()).expect("a key");
    note.cosigned_by(name, &key).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_rises_with_its_witnesses() {
    let (home, folders) = (home(2, 0), [(); 2].map(|()| tempfile::tempdir().expect("a folder")));
    let first = Served::start(folders[0].path(), NAMES[0]).await;
    // Bound and not listening: nobody else is given its port, and who connects is refused.
    let kept = tokio::net::TcpSocket::new_v4().expect("a socket");
    kept.set_reuseaddr(true).expect("to be shared with who listens");
    kept.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let free = kept.local_addr().expect("an address");
    let second_url = format!("http://{free}");
    let mut ledger = Running::start(&home, &[&first.url, &second_url]).await;

    // One of two: D3, marked, and nothing above.
    let appended = ledger.append("D4", 300).await;
    assert_eq!(appended.durability, Durability::D3, "the deadline is over and the answer says what was reached");
    let health = ledger.health(|health| number(health, "head") > 0).await;
    assert_eq!((text(&health, "durability"), number(&health, "cosigned")), ("D3", 0));
    let status = |result: Result<Note, CallError>| match result {
        Err(CallError::Refused(problem)) => problem.status,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(status(ledger.note("/checkpoint?durability=D4").await), 503);

    // It comes up: the same head rises, by a cosignature that is late.
    let second = Served::at(folders[1].path(), NAMES[1], free, Arc::new(Open)).await;
    let health = ledger.health(|health| number(health, "cosigned") > 0).await;
    assert_eq!((text(&health, "durability"), number(&health, "cosigned")), ("D5", number(&health, "head")));
    assert_eq!(number(&health, "mirrored"), number(&health, "head"), "the second is an auditor");
    let note = ledger.note("/checkpoint?durability=D4").await.expect("a checkpoint");
    assert!(NAMES.iter().all(|name| is_cosigned(&note, name)));
    let all = witnessed(2, 0).witnesses.keys;
    assert_eq!(note.cosigners(all.iter().map(|key| (key.name.as_str(), &key.public))).len(), 2);

    // Both there: whoever asks for D4 gets it, and later heads have it, too.
    for _ in 0..3 {
        assert!(ledger.append("D4", 20_000).await.durability >= Durability::D4);
    }
    assert_eq!(ledger.append("D1", 0).await.durability, Durability::D1, "who does not ask does not wait");
    assert!(ledger.append("D4", 20_000).await.durability >= Durability::D4);
    ledger.end().await;

    // Cosignatures are kept with the head; both sides remember where they stood.
    let ledger = Running::start(&home, &[]).await;
    let health = ledger.health(|health| number(health, "cosigned") > 0).await;
    assert_eq!(number(&health, "cosigned"), number(&health, "head"), "without asking anybody");
    ledger.end().await;
    let mut ledger = Running::start(&home, &[&first.url, &second.url]).await;
    ledger.producers.set_number("authority", 6);
    let reader = ReadAs { signer: Arc::new(signer("gw-0")), clock: Arc::clone(&home.clock) as Arc<dyn Clock> };
    let path = "/v1/audit/cursor/key%3A11-11%2Fgw-0%2F1";
    let cursor = ledger.client.get_json_as(&reader, &ledger.base, path, DEADLINE).await;
    let cursor = Cursor::read(cursor.expect("a cursor")).expect("a cursor");
    ledger.producers.set_number("gw-0", cursor.next);
    assert!(ledger.append("D4", 20_000).await.durability >= Durability::D4);
    ledger.end().await;
    first.end().await;
    second.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_root_says_who_cosigns_from_then_on() {
    let (home, folder) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let witness = Served::start(folder.path(), NAMES[0]).await;
    let mut ledger = Running::start(&home, &[&witness.url]).await;
    assert_eq!(ledger.append("D3", 20_000).await.durability, Durability::D3);
    assert!(ledger.append("D4", 1000).await.durability < Durability::D4, "the root names no witness");

    // Of the two only the one that is asked becomes a witness; the head over the new root is the first that it raises.
    let mut one = witnessed(1, 0).witnesses;
    one.keys.truncate(1);
    let second = next(&root(), one);
    assert_eq!(ledger.publish(&second, "D4", 20_000).await.durability, Durability::D4);
    assert_eq!(ledger.append("D4", 20_000).await.durability, Durability::D4);
    let note = ledger.note("/checkpoint?durability=D4").await.expect("a checkpoint");
    assert!(is_cosigned(&note, NAMES[0]));

    // It goes again: what it cosigned stays as durable as it was, what comes later is under a signed head.
    let third = next(&second, Witnesses::default());
    assert_eq!(ledger.publish(&third, "D3", 20_000).await.durability, Durability::D3);
    assert!(ledger.append("D4", 1000).await.durability < Durability::D4);
    let health = ledger.health(|health| number(health, "head") > number(health, "cosigned")).await;
    assert_eq!(text(&health, "durability"), "D3");
    assert!(number(&health, "cosigned") > 0, "{health}");
    assert!(!is_cosigned(&ledger.note("/checkpoint").await.expect("a checkpoint"), NAMES[0]));
    ledger.end().await;
    witness.end().await;
    let sound = crate::fsck(home.path(), &mut |_| {}).expect("sound under all three roots");
    assert!(sound.heads > 0 && sound.head > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_witness_of_the_root_counts_for_nothing() {
    let (home, folders) = (home(1, 1), [(); 2].map(|()| tempfile::tempdir().expect("a folder")));
    let stranger = Served::start(folders[0].path(), "witness.test/stranger").await;
    let first = Served::start(folders[1].path(), NAMES[0]).await;
    let mut ledger = Running::start(&home, &[&stranger.url, &first.url]).await;
    assert_eq!(ledger.append("D5", 3000).await.durability, Durability::D4, "a quorum, and no auditor");
    let note = ledger.note("/checkpoint").await.expect("a checkpoint");
    assert!(is_cosigned(&note, NAMES[0]) && !is_cosigned(&note, "witness.test/stranger"));
    ledger.end().await;
    stranger.end().await;
    first.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_rolled_back_is_found_by_its_witness() {
    let (home, folder) = (home(1, 0), tempfile::tempdir().expect("a folder"));
    let witness = Served::start(folder.path(), NAMES[0]).await;
    let mut ledger = Running::start(&home, &[&witness.url]).await;
    assert_eq!(ledger.append("D4", 20_000).await.durability, Durability::D4);
    ledger.end().await;

    // All of the folder goes back, heads and all: the ledger itself can't know.
    let other = Home::empty();
    let root = witnessed(1, 0);
    Ledger::genesis(other.path(), &root, 10, &genesis_keys(), &signer("audit"), start()).expect("a genesis");
    let ledger = Running::start(&other, &[&witness.url]).await;
    ledger.until_unwell().await;
    let metrics = ledger.client.get(&ledger.base, routes::METRICS, DEADLINE).await.expect("metrics");
    let metrics = std::str::from_utf8(&metrics).expect("text");
    assert!(metrics.lines().any(|line| line.starts_with("eleven_ledger_witness_ahead ") && !line.ends_with(" 0")));
    ledger.end().await;
    witness.end().await;
}

/// A ledger of the same keys that a witness saw another history of, and a size to which that reaches.
struct PutBack {
    home: Home,
    witness: Served,
    held: u64,
    /// Where the witness listens; kept from others while it does not run.
    at: SocketAddr,
    _kept: tokio::net::TcpSocket,
}

impl PutBack {
    async fn new(folder: &Path) -> Self {
        let (first, home) = (home(1, 0), home(1, 0));
        let kept = tokio::net::TcpSocket::new_v4().expect("a socket");
        kept.set_reuseaddr(true).expect("to be shared with who listens");
        kept.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let at = kept.local_addr().expect("an address");
        let witness = Served::at(folder, NAMES[0], at, Arc::new(Open)).await;
        let mut ledger = Running::start(&first, &[&witness.url]).await;
        assert_eq!(ledger.append("D4", 20_000).await.durability, Durability::D4);
        ledger.end().await;
        let logs = witness.get(routes::WITNESS_LOGS).await;
        let held = number(logs.pointer("/seen/0").expect("a log"), "size");
        // What comes at another time is another history, though it is sent again byte by byte.
        home.clock.advance(1000);
        Self { home, witness, held: u64::try_from(held).expect("a size"), at, _kept: kept }
    }

    /// Lets a ledger grow beyond what the witness saw.
    async fn outgrown(&self, ledger: &mut Running) {
        let mut size = 0;
        while size <= self.held {
            size = ledger.append("D3", 20_000).await.size;
        }
    }

    /// It is unwell, and says by what.
    async fn is_found(&self, ledger: &Running) {
        ledger.until_unwell().await;
        let metrics = ledger.client.get(&ledger.base, routes::METRICS, DEADLINE).await.expect("metrics");
        let metrics = std::str::from_utf8(&metrics).expect("text");
        assert!(metrics.contains(&format!("\neleven_ledger_witness_ahead {}\n", self.held)), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_put_back_is_found_when_it_has_outgrown_what_its_witness_saw() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let back = PutBack::new(folders[0].path()).await;
    let mut alone = Running::start(&back.home, &[]).await;
    back.outgrown(&mut alone).await;
    let producers = std::mem::replace(&mut alone.producers, Producers::new());
    alone.end().await;

    let mut ledger = Running { producers, ..Running::start(&back.home, &[&back.witness.url]).await };
    back.is_found(&ledger).await;
    assert_eq!(ledger.append("D3", 20_000).await.durability, Durability::D3, "nobody cosigns it");
    back.is_found(&ledger).await;
    // Only a signature says otherwise; here that of a witness that has lost its memory.
    let at = back.at;
    back.witness.end().await;
    let witness = Served::at(folders[1].path(), NAMES[0], at, Arc::new(Open)).await;
    ledger.health(|health| health.get("ok") == Some(&Value::Bool(true))).await;
    ledger.end().await;
    witness.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_put_back_is_not_well_by_growing() {
    let folder = tempfile::tempdir().expect("a folder");
    let back = PutBack::new(folder.path()).await;
    let mut ledger = Running::start(&back.home, &[&back.witness.url]).await;
    back.is_found(&ledger).await;
    back.outgrown(&mut ledger).await;
    assert_eq!(ledger.append("D3", 20_000).await.durability, Durability::D3, "nobody cosigns it");
    back.is_found(&ledger).await;
    ledger.end().await;
    back.witness.end().await;
}

/// Somebody who answers at a witness's URL, with no key that the root names: what he knows and shows is what he says.
struct Fake {
    url: String,
    says: Arc<std::sync::Mutex<(u64, Vec<Note>)>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Fake {
    async fn start() -> Self {
        let says = Arc::new(std::sync::Mutex::new((0, Vec::new())));
        let (known, shown) = (Arc::clone(&says), Arc::clone(&says));
        let size = async move || (http::StatusCode::CONFLICT, format!("{}\n", known.lock().expect("whole").0));
        let logs = async move || {
            let seen = |note: &Note| Value::Object(Object::new().with("checkpoint", note.to_string()));
            let seen: Vec<Value> = shown.lock().expect("whole").1.iter().map(seen).collect();
            Value::Object(Object::new().with("seen", seen)).to_string()
        };
        let router = axum::Router::new()
            .route(routes::ADD_CHECKPOINT, axum::routing::post(size))
            .route(routes::WITNESS_LOGS, axum::routing::get(logs));
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(listener.serve(router, stopping, Duration::from_secs(5)));
        Self { url, says, stop, task }
    }

    fn says(&self, size: u64, shown: Vec<Note>) {
        *self.says.lock().expect("whole") = (size, shown);
    }
}

/// A checkpoint of the ledger that nothing stands under, signed by a key of this role.
fn of_nothing(size: u64, role: &str) -> Note {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: Sha256([7; 32]) };
    Note { lines: vec![checkpoint.sign(&signer(role))], checkpoint }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_claims_more_than_the_ledger_has_makes_it_unwell_only_by_a_head_that_it_signed() {
    const CLAIMED: u64 = 9_007_199_254_740_991;
    let (home, fake) = (home(1, 0), Fake::start().await);
    fake.says(CLAIMED, vec![of_nothing(CLAIMED, "policy"), of_nothing(1, "head")]);
    let mut ledger = Running::start(&home, &[&fake.url]).await;
    assert_eq!(ledger.append("D3", 20_000).await.durability, Durability::D3);
    // Health that is answered with 503 is none here.
    let health = ledger.health(|health| health.get("warning").is_some()).await;
    assert!(text(&health, "warning").contains(&CLAIMED.to_string()), "{health}");
    assert_eq!((health.get("ok"), health.get("witness_ahead")), (Some(&Value::Bool(true)), None));
    let metrics = ledger.client.get(&ledger.base, routes::METRICS, DEADLINE).await.expect("metrics");
    let metrics = std::str::from_utf8(&metrics).expect("text");
    assert!(metrics.contains(&format!("\neleven_ledger_witness_claims {CLAIMED}\n")), "{metrics}");
    assert!(metrics.contains("\neleven_ledger_witness_ahead 0\n"), "{metrics}");

    fake.says(0, Vec::new());
    ledger.health(|health| health.get("warning").is_none()).await;
    fake.says(CLAIMED, vec![of_nothing(500, "head")]);
    ledger.until_unwell().await;
    // What the ledger signed is not unsaid by an answer that nobody signed.
    fake.says(1, Vec::new());
    assert_eq!(ledger.append("D3", 20_000).await.durability, Durability::D3);
    ledger.until_unwell().await;
    ledger.end().await;
    fake.stop.send(true).expect("it runs");
    fake.task.await.expect("served");
}

/// The version after a root that names another head key first, and says since when the one before is in other hands.
fn renewed(previous: &TrustRoot, since: Time) -> TrustRoot {
    let mut roles = previous.roles.clone();
    let head = KeyRecord { kid: kid("head-2"), public: signer("head-2").public(), ..roles[0].clone() };
    roles[0].status = KeyStatus::Compromised(since);
    roles.insert(0, head);
    TrustRoot { roles, ..next(previous, previous.witnesses.clone()) }.signed(&[&signer("root")]).expect("a root")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_under_a_head_key_counts_until_the_root_says_that_it_was_in_other_hands_by_then() {
    const SHOWN: u64 = 500;
    let shown_at = start();
    for (since, counts) in [(shown_at, false), (shown_at.plus_millis(1), true)] {
        let (home, fake) = (home(1, 0), Fake::start().await);
        fake.says(SHOWN, vec![of_nothing(SHOWN, "head")]);
        let mut ledger = Running::holding(&home, &[&fake.url], &["head", "head-2"]).await;
        assert_eq!(ledger.append("D3", 20_000).await.durability, Durability::D3);
        ledger.until_unwell().await;
        // It is shown again and again; what counts is when it was there first.
        home.clock.advance(60_000);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let second = renewed(&witnessed(1, 0), since);
        assert_eq!(ledger.publish(&second, "D3", 20_000).await.durability, Durability::D3, "the other key signs heads");
        if counts {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let (well, said) = ledger.client.health(&ledger.base, DEADLINE).await.expect("an answer");
            assert_eq!((well, number(&said, "witness_ahead")), (false, 500), "{said}");
            assert_eq!((said.get("signs_heads"), said.get("warning")), (Some(&Value::Bool(true)), None), "{said}");
        } else {
            let said = ledger.health(|health| health.get("warning").is_some()).await;
            assert!(text(&said, "warning").contains("cosigned 500 entries"), "it is a claim now: {said}");
            assert_eq!((said.get("ok"), said.get("witness_ahead")), (Some(&Value::Bool(true)), None));
        }
        ledger.end().await;
        fake.stop.send(true).expect("it runs");
        fake.task.await.expect("served");
    }
}

#[tokio::test]
async fn who_cosigned_what_the_root_gave_up_is_to_be_replaced_and_the_folder_not_restored() {
    let (home, copy, mut producers) = (home(1, 0), tempfile::tempdir().expect("a folder"), Producers::new());
    let ledger = home.open().expect("opens");
    ledger.must_append(&producers.set_up()).await;
    ledger.sealed().await;
    drop(ledger);
    let restored = crate::backup(home.path(), copy.path(), &mut |_| ()).expect("copied").head;
    let ledger = home.open().expect("opens");
    let mut append = Append::default();
    append.record(&producers.denial("it was copied"));
    ledger.must_append(&append).await;
    ledger.sealed().await;
    drop(ledger);
    let lost = crate::head_of(home.path()).expect("a head");
    let word = Recovery {
        ledger: crate::world::LEDGER.to_owned(),
        restored: crate::tree_at(&restored),
        lost: crate::tree_at(&lost),
        cause: "the disk is gone".to_owned(),
        at: home.clock.now(),
        sigs: Vec::new(),
    };
    let word = word.signed(&signer("root"));
    crate::restore(home.path(), copy.path(), &[], Some(&word), word.at, &mut |_| ()).expect("restored");

    // As it goes back, and as it is opened again.
    for _ in 0..2 {
        let ledger = home.open().expect("opens");
        let advice = |head: &TreeAt| ledger.inner.shared.ahead.advice(head, word.restored.size);
        let said = advice(&word.lost);
        assert!(said.contains("under a new key and name") && !said.contains("restore it"), "{said}");
        let between = TreeAt { size: word.lost.size - 1, ..word.lost.clone() };
        assert!(advice(&between).contains("under a new key and name"), "one that lagged behind");
        let other = TreeAt { root: Sha256([7; 32]), ..word.lost.clone() };
        assert!(advice(&other).contains("restore it"), "the root named another");
        let beyond = TreeAt { size: word.lost.size + 1, ..word.lost.clone() };
        assert!(advice(&beyond).contains("restore it"), "the root gave up less");
        let before = TreeAt { size: word.restored.size, ..other };
        assert!(advice(&before).contains("another history"), "nothing was given up there");
    }
}

#[test]
fn why_a_witness_does_not_cosign_is_said_again_where_it_is_another_reason() {
    let mut told = Told::default();
    let said = [
        ("http://w: connection refused (os error 111)", true),
        ("http://w: connection refused (os error 111)", false),
        ("it has cosigned 279 entries and the ledger has fewer", true),
        ("it has cosigned 280 entries and the ledger has fewer", false),
        ("422 Unprocessable Entity, in its words: the tree does not begin with the one of size 279", true),
        ("422 Unprocessable Entity, in its words: another word each time", false),
        ("502 Bad Gateway, in its words: the other side answered 502", true),
        ("504 Gateway Timeout, in its words: the other side answered 504", true),
        ("http://w: connection refused (os error 111)", true),
    ];
    for (why, new) in said {
        assert_eq!(told.is_new(why), new, "{why}");
    }
    assert!(told.is_over() && !told.is_over());
    assert!(told.is_new("http://w: connection refused (os error 111)"), "it had cosigned since");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_of_the_same_ledger_finds_no_witness_and_leaves_evidence() {
    let (home, other) = (home(1, 0), home(1, 0));
    let folder = tempfile::tempdir().expect("a folder");
    let witness = Served::start(folder.path(), NAMES[0]).await;
    let mut ledger = Running::start(&home, &[&witness.url]).await;
    let first = ledger.append("D4", 20_000).await;
    assert_eq!(first.durability, Durability::D4);
    ledger.end().await;

    // The same keys, another clock: the heads of this one would be a second history.
    other.clock.advance(1000);
    let mut fork = Running::start(&other, &[&witness.url]).await;
    for _ in 0..4 {
        assert_eq!(fork.append("D4", 500).await.durability, Durability::D3, "nobody cosigns it");
    }
    let evidence = witness.get(routes::WITNESS_EVIDENCE).await;
    let kept = evidence.get("evidence").and_then(Value::as_array).expect("a list").to_vec();
    assert!(!kept.is_empty());
    let key = VerifyingKey::new(&signer("head").public()).expect("a key");
    for one in &kept {
        for name in ["held", "shown"] {
            assert!(Note::parse(text(one, name)).expect("a note").signed_by(&key), "by the ledger's own key");
        }
    }
    fork.end().await;
    witness.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_publication_is_answered_under_a_signed_head() {
    let home = Home::new();
    let mut ledger = Running::start(&home, &[]).await;
    let appended = ledger.append("D3", 20_000).await;
    assert_eq!(appended.durability, Durability::D3);
    let head = ledger.client.get_json(&ledger.base, routes::PROOF_HEAD, DEADLINE).await.expect("a head");
    assert!(number(&head, "size") >= i64::try_from(appended.size).expect("small"));
    let wrong = ledger.client.post(&ledger.base, "/v1/audit/events?durability=D7", &[], "{}", DEADLINE).await;
    assert!(matches!(wrong, Err(CallError::Refused(problem)) if problem.status == 400));
    ledger.end().await;
}
