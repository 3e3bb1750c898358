use super::*;
use crate::witness::{Gate as _, Held};
use crate::world::{Home, Producers, root, signer, single};
use crate::{Ledger, Signers};
use bytes::Bytes;
use eleven_api::audit::Append;
use eleven_api::edge::Clock as _;
use eleven_api::keyring::Keyring;
use eleven_api::routes;
use eleven_api::secret::{AUDITOR, Secret};
use eleven_api::serve::Listener;
use eleven_core::encoding::{Value, parse};
use eleven_core::head::Commitment;
use eleven_core::head::checkpoint::{Checkpoint, Note};
use eleven_core::recovery::Recovery;
use eleven_core::registry::retention::Retention;
use eleven_core::registry::{ApprovedInterface, Item as _};
use eleven_core::signature::Signer;
use eleven_core::time::Time;
use eleven_core::tree::MemoryTree;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod hostile;
mod passing;
mod renewed;

/// What the auditor of these tests reads by: the domain shows its entries to registered ones only.
fn secret() -> Secret {
    Secret::new("auditor", &[1; 32]).expect("a name")
}

/// A ledger that is served, and what it takes to end it.
struct Served {
    home: Home,
    base: String,
    stop: watch::Sender<bool>,
    serving: JoinHandle<Result<(), crate::LedgerError>>,
    producers: Producers,
}

impl Served {
    async fn new() -> Self {
        Self::holding(&["head"]).await
    }

    /// One that holds these head keys, the oldest first.
    async fn holding(heads: &[&str]) -> Self {
        let home = Home::new();
        let heads = heads.iter().map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
        let signers = Signers { head: Keyring::new(heads).expect("a key"), ..Home::signers() };
        let clock = Arc::clone(&home.clock) as Arc<dyn eleven_api::edge::Clock>;
        let ledger = Ledger::open(home.settings(), signers, clock).expect("open");
        let mut producers = Producers::new();
        let mut set_up = producers.set_up();
        let Value::Object(source) = secret().source(AUDITOR, "human:auditor:prod").to_value() else { panic!("a row") };
        set_up.record(&producers.by_authority("source.registered", source));
        ledger.must_append(&set_up).await;
        Self::serve(home, ledger, producers).await
    }

    async fn serve(home: Home, ledger: Ledger, producers: Producers) -> Self {
        let (stop, stopping) = watch::channel(false);
        let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("a listener");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        Self { home, base, stop, serving: tokio::spawn(ledger.serve(listener, stopping)), producers }
    }

    fn remote(&self) -> Remote {
        Remote::new(&self.base, Some(secret().reveal())).expect("a source")
    }

    /// A governed operation from its issuance to its evidence.
    async fn operate(&mut self, nonce: u8) {
        let mut append = Append::default();
        let mut operation = self.producers.issue(single(nonce), &[], &mut append);
        self.producers.begin(&mut operation, 1, &mut append);
        self.producers.finish(&mut operation, &mut append);
        self.post(&append).await;
    }

    async fn post(&self, append: &Append) {
        let client = eleven_api::client::Client::new();
        let patience = std::time::Duration::from_secs(10);
        client.post(&self.base, routes::AUDIT_EVENTS, &[], append.to_bytes(), patience).await.expect("taken");
    }

    /// Until a head covers so many entries.
    async fn covered(&self, size: u64) -> Head {
        loop {
            match source::fetch_head(&self.remote()).await {
                Ok(said) if said.head.commitment.size >= size => return said.head,
                // None was signed yet, or head and checkpoint are from before and after a new one.
                Ok(_) | Err(FollowError::Call(_) | FollowError::Apart) => {}
                Err(error) => panic!("{error}"),
            }
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) -> Home {
        self.stop.send(true).expect("it runs");
        self.serving.await.expect("no panic").expect("ended well");
        self.home
    }
}

/// A source whose answers are changed on the way.
struct Lying<F> {
    remote: Remote,
    change: F,
}

impl<F: Fn(&str, Bytes) -> Bytes + Send + Sync> Source for Lying<F> {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        Box::pin(async move { Ok((self.change)(path, self.remote.get(path).await?)) })
    }
}

/// A ledger that shows the content of so many entries at a time, as one with much content does.
struct Sparing {
    remote: Remote,
    entries: u64,
}

impl Source for Sparing {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        Box::pin(async move {
            let asked = path.strip_prefix(routes::AUDIT_CONTENT).and_then(|query| query.strip_prefix("?from="));
            let Some((from, to)) = asked.and_then(|asked| asked.split_once("&to=")) else {
                return self.remote.get(path).await;
            };
            let [from, to] = [from, to].map(|number| number.parse::<u64>().expect("a number"));
            let to = to.min(from + self.entries);
            self.remote.get(&format!("{}?from={from}&to={to}", routes::AUDIT_CONTENT)).await
        })
    }
}

fn auditor(folder: &tempfile::TempDir) -> Follower {
    Follower::open(folder.path(), root()).expect("an auditor")
}

async fn round(follower: &mut Follower, source: &dyn Source) -> Result<Audited, FollowError> {
    follower.round(source, &mut |_| ()).await
}

#[tokio::test]
async fn a_ledger_is_followed_as_it_grows_and_the_mirror_goes_on_after_a_restart() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    let head = served.covered(13).await;
    let audited = round(&mut follower, &served.remote()).await.expect("verified");
    assert!(audited.size >= head.commitment.size && audited.met.content >= 3, "{audited:?}");
    assert_eq!(follower.root_at(head.commitment.size), Some(head.commitment.root));
    drop(follower);
    served.operate(2).await;
    let head = served.covered(audited.size + 7).await;
    let mut follower = auditor(&folder);
    assert_eq!(follower.audited().size, audited.size, "what was verified is still there");
    let audited = round(&mut follower, &served.remote()).await.expect("verified");
    assert!(audited.size >= head.commitment.size);
    assert_eq!(follower.root_at(audited.size + 1), None, "nothing is said beyond the head");
    let again = round(&mut follower, &served.remote()).await.expect("nothing new is well too");
    assert_eq!(again.size, audited.size);
    drop(follower);
    let sound = crate::fsck(folder.path(), &mut |_| ()).expect("a mirror is checked like a ledger");
    assert_eq!((sound.entries, sound.head), (audited.size, audited.size));
    served.end().await;
}

#[tokio::test]
async fn more_than_a_window_of_entries_is_verified_window_by_window() {
    let mut served = Served::new().await;
    let mut append = Append::default();
    for n in 0..(WINDOW * tiles::WIDTH + 300) {
        append.record(&served.producers.denial(&format!("denial {n}")));
        if append.records.len() == 1000 {
            served.post(&std::mem::take(&mut append)).await;
        }
    }
    served.post(&append).await;
    served.covered(WINDOW * tiles::WIDTH + 307).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    let mut windows = 0;
    let audited = follower.round(&served.remote(), &mut |_| windows += 1).await.expect("verified");
    assert!(audited.size > WINDOW * tiles::WIDTH && windows >= 2, "{audited:?}, {windows}");
    served.end().await;
}

#[tokio::test]
async fn whatever_is_changed_on_the_way_is_refused_and_nothing_of_it_is_kept() {
    let mut served = Served::new().await;
    served.operate(1).await;
    served.covered(13).await;
    // A byte of every answer that is fetched, in turn: the path's own number says which byte.
    let paths = Mutex::new(Vec::new());
    let noting = Lying {
        remote: served.remote(),
        change: |path: &str, bytes: Bytes| {
            paths.lock().expect("whole").push((path.to_owned(), bytes.len()));
            bytes
        },
    };
    let folder = tempfile::tempdir().expect("a folder");
    let honest = round(&mut auditor(&folder), &noting).await.expect("verified");
    drop(noting);
    let paths = paths.into_inner().expect("whole");
    let fetched: Vec<&str> = paths.iter().map(|(path, _)| path.as_str()).collect();
    assert!(
        ["/tile/entries/", routes::AUDIT_CONTENT, routes::CHECKPOINT]
            .iter()
            .all(|part| fetched.iter().any(|path| path.contains(part)))
    );
    let (end, mut refused) = (paths.len() * 40, 0);
    for n in 0..end {
        let (path, length) = &paths[n % paths.len()];
        let at = (n * 7919) % length;
        let lying = Lying {
            remote: served.remote(),
            change: |asked: &str, bytes: Bytes| {
                if asked != path {
                    return bytes;
                }
                let mut changed = bytes.to_vec();
                if let Some(byte) = changed.get_mut(at) {
                    *byte ^= 1;
                }
                changed.into()
            },
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = auditor(&folder);
        let outcome = round(&mut follower, &lying).await;
        match outcome {
            Err(_) => {
                assert_eq!(follower.audited().size, 0);
                drop(follower);
                assert_eq!(auditor(&folder).audited().size, 0, "byte {at} of {path}");
                refused += 1;
            }
            // Where the rest of an answer begins may be asked for twice: all the same is verified.
            Ok(audited) => assert_eq!(audited.root, honest.root, "byte {at} of {path}"),
        }
    }
    assert!(refused * 100 > end * 95, "{refused} of {end}");
    served.end().await;
}

#[tokio::test]
async fn a_wrong_entry_is_named() {
    let mut served = Served::new().await;
    served.operate(1).await;
    served.covered(13).await;
    let lying = Lying {
        remote: served.remote(),
        change: |path: &str, bytes: Bytes| {
            if !path.contains("/tile/entries/") {
                return bytes;
            }
            let mut changed = bytes.to_vec();
            let at = changed.windows(20).position(|part| part == b"authorization.issued").expect("an issuance");
            changed[at] ^= 1;
            changed.into()
        },
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    // It stops for good, and goes on to say why.
    for outcome in [round(&mut follower, &lying).await, round(&mut follower, &served.remote()).await] {
        match outcome {
            Err(FollowError::Wrong(error)) => assert!(error.seq >= 7 && error.what.contains("signature"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    drop(follower);
    round(&mut auditor(&folder), &served.remote()).await.expect("the folder holds nothing of it");
    served.end().await;
}

/// Head and checkpoint as the ledger's key signs them over another commitment.
fn signed_answers(head: &Head) -> (Bytes, Bytes) {
    signed_answers_by(head, "head")
}

fn signed_answers_by(head: &Head, label: &str) -> (Bytes, Bytes) {
    let body = Checkpoint::of(&head.commitment);
    let line = body.sign(&signer(label));
    let note = Note { checkpoint: body, lines: vec![line] };
    (head.to_value().canonical().into(), note.to_string().into())
}

/// A ledger's own words but for its head, which is another that it signed.
fn saying(remote: Remote, head: &Head) -> impl Source {
    let (head, note) = signed_answers(head);
    Lying {
        remote,
        change: move |path: &str, bytes: Bytes| match path {
            routes::PROOF_HEAD => head.clone(),
            routes::CHECKPOINT => note.clone(),
            _ => bytes,
        },
    }
}

/// The same for the head that is asked for first; from then on another, or the ledger's own.
fn saying_first(remote: Remote, first: &Head, then: Option<&Head>) -> impl Source {
    let (first, then, asked) = (signed_answers(first), then.map(signed_answers), AtomicUsize::new(0));
    Lying {
        remote,
        change: move |path: &str, bytes: Bytes| {
            if ![routes::PROOF_HEAD, routes::CHECKPOINT].contains(&path) {
                return bytes;
            }
            let said = if asked.fetch_add(1, Ordering::Relaxed) < 2 { Some(&first) } else { then.as_ref() };
            said.map_or(bytes, |(head, note)| if path == routes::CHECKPOINT { note.clone() } else { head.clone() })
        },
    }
}

/// Another history of so many entries, alike up to entry 5, as its tree; and a head over it, otherwise as this one.
fn another(follower: &Follower, size: u64, head: &Head, at: Time) -> (MemoryTree, Head) {
    let mut tree = MemoryTree::new();
    for seq in 0..size {
        let leaf = eleven_core::tree::Hashes::node(&follower.replayed.tree, 0, seq).filter(|_| seq < 5);
        tree.append(leaf.unwrap_or(Sha256([u8::try_from(seq).expect("few"); 32])));
    }
    let mut commitment = head.commitment.clone();
    (commitment.size, commitment.root) = (tree.size(), tree.root());
    (tree, Head::sign(commitment, at, &signer("head")))
}

/// A ledger whose tiles of hashes are those of a tree: what another history's would be is not what the honest one serves.
struct Forked<'t, S>(S, &'t MemoryTree);

impl<S: Source> Source for Forked<'_, S> {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        let tile = path.strip_prefix(routes::TILE).and_then(eleven_core::tile::Tile::parse);
        match tile.and_then(|tile| tile.hashes(self.1)) {
            Some(bytes) => Box::pin(std::future::ready(Ok(bytes.into()))),
            None => self.0.get(path),
        }
    }
}

async fn evidence_of(follower: &mut Follower, source: &dyn Source) -> Value {
    match round(follower, source).await {
        Err(FollowError::Equivocation { file, .. }) => parse(&std::fs::read(file).expect("the file")).expect("I-JSON"),
        other => panic!("{other:?}"),
    }
}

/// A ledger that has gone on since an early head, that head, and a follower that has verified nothing of it yet.
async fn gone_on(folder: &tempfile::TempDir) -> (Served, Head, Follower) {
    let mut served = Served::new().await;
    served.operate(1).await;
    let early = served.covered(13).await;
    served.operate(2).await;
    served.covered(early.commitment.size + 7).await;
    (served, early, auditor(folder))
}

fn kind_proven(evidence: &Value) -> String {
    let root = eleven_verify::Pinned::new(root().to_value());
    let caller = eleven_verify::Caller { root: Some(&root), ..Default::default() };
    let report = eleven_verify::equivocation::verify(evidence, &caller);
    assert_eq!(report.verdict, eleven_verify::Verdict::Verified, "{report:?}");
    report.kind.expect("a kind")
}

#[tokio::test]
async fn a_head_of_the_same_size_and_one_that_goes_back_are_kept_as_evidence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (served, early, mut follower) = gone_on(&folder).await;
    round(&mut follower, &served.remote()).await.expect("verified");
    let last = source::fetch_head(&served.remote()).await.expect("a head").head;

    let mut other = last.commitment.clone();
    other.root = Sha256([7; 32]);
    let forked = Head::sign(other, last.at.plus_millis(1), &signer("head"));
    let evidence = evidence_of(&mut follower, &saying(served.remote(), &forked)).await;
    assert_eq!(kind_proven(&evidence), "fork");

    let back = Head::sign(early.commitment.clone(), last.at.plus_millis(2), &signer("head"));
    let evidence = evidence_of(&mut follower, &saying(served.remote(), &back)).await;
    assert_eq!(kind_proven(&evidence), "back");

    let cached = Head::sign(early.commitment.clone(), early.at, &signer("head"));
    let audited = round(&mut follower, &saying(served.remote(), &cached)).await.expect("an old answer is no lie");
    assert_eq!(audited.size, last.commitment.size);

    let stranger = Head::sign(back.commitment, back.at, &signer("policy"));
    let untrusted = round(&mut follower, &saying(served.remote(), &stranger)).await;
    assert!(matches!(untrusted, Err(FollowError::Untrusted(_))), "{untrusted:?}");
    served.end().await;
}

#[tokio::test]
async fn a_head_that_names_another_chain_index_or_registry_than_its_entries_come_to_is_not_taken() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let head = served.covered(13).await;
    let changes: [fn(&mut Commitment); 4] = [
        |commitment| commitment.chain.hash = Sha3([7; 64]),
        |commitment| commitment.index = Sha256([7; 32]),
        |commitment| commitment.registry.epoch += 1,
        |commitment| commitment.registry.hash = Sha3([7; 64]),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut commitment = head.commitment.clone();
        change(&mut commitment);
        let other = Head::sign(commitment, head.at.plus_millis(1), &signer("head"));
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = auditor(&folder);
        match round(&mut follower, &saying(served.remote(), &other)).await {
            Err(FollowError::NotUnderHead { seq, what }) => {
                assert_eq!(seq + 1, head.commitment.size, "{n}");
                assert_eq!(what, "the head's chain values, index or registry are not those that the entries come to");
            }
            outcome => panic!("{n}: {outcome:?}"),
        }
        assert_eq!(follower.audited().size, 0, "{n}: no head is kept");
        let audited = round(&mut follower, &saying(served.remote(), &head)).await.expect("the entries were right");
        assert_eq!(audited.size, head.commitment.size, "{n}");
    }
    served.end().await;
}

#[tokio::test]
async fn an_older_head_that_its_entries_do_not_come_to_is_no_answer_of_before() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let (served, early, mut follower) = gone_on(&first).await;
    let verified = round(&mut follower, &served.remote()).await.expect("verified").size;
    // One that took the early head, too, has what convicts.
    let mut taker = auditor(&second);
    let taken = round(&mut taker, &saying(served.remote(), &early)).await.expect("verified").size;
    assert!(taken == early.commitment.size && taken < verified, "{taken} of {verified}");
    round(&mut taker, &served.remote()).await.expect("verified");
    let changes: [fn(&mut Commitment); 4] = [
        |commitment| commitment.chain.hash = Sha3([7; 64]),
        |commitment| commitment.index = Sha256([7; 32]),
        |commitment| commitment.registry.epoch += 1,
        |commitment| commitment.registry.hash = Sha3([7; 64]),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut commitment = early.commitment.clone();
        change(&mut commitment);
        let other = Head::sign(commitment, early.at, &signer("head"));
        match round(&mut follower, &saying(served.remote(), &other)).await {
            Err(FollowError::NotUnderHead { seq, .. }) => assert_eq!(seq + 1, early.commitment.size, "{n}"),
            outcome => panic!("{n}: {outcome:?}"),
        }
        let evidence = evidence_of(&mut taker, &saying(served.remote(), &other)).await;
        assert_eq!(kind_proven(&evidence), "fork", "{n}");
    }
    for follower in [&mut follower, &mut taker] {
        let audited = round(follower, &saying(served.remote(), &early)).await.expect("this one was true");
        assert!(audited.size >= verified);
    }
    served.end().await;
}

/// What ends the round of a mirror that verified another history.
async fn ended(follower: &mut Follower, served: &Served) -> (String, Option<u64>) {
    let error = round(follower, &served.remote()).await.expect_err("it is another");
    let FollowError::Equivocation { recovered, .. } = &error else { panic!("{error:?}") };
    (error.to_string(), *recovered)
}

#[tokio::test]
async fn a_ledger_that_went_back_by_the_roots_word_is_convicted_and_its_entry_named() {
    let mut served = Served::new().await;
    served.operate(1).await;
    served.covered(13).await;
    let [copy, folder] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let old = crate::backup(served.home.path(), copy.path(), &mut |_| ()).expect("copied").head;
    let numbers = ["authority", "gw-0"].map(|label| (label, served.producers.number(label)));
    served.operate(2).await;
    served.covered(old.commitment.size + 7).await;
    let mut follower = auditor(&folder);
    let verified = round(&mut follower, &served.remote()).await.expect("verified").size;
    let home = served.end().await;
    let lost = crate::head_of(home.path()).expect("a head");
    home.clock.advance(1000);
    let word = Recovery {
        ledger: crate::world::LEDGER.to_owned(),
        restored: crate::tree_at(&old),
        lost: crate::tree_at(&lost),
        cause: "the disk is gone".to_owned(),
        at: home.clock.now(),
        sigs: Vec::new(),
    };
    let word = word.signed(&signer("root"));
    crate::restore(home.path(), copy.path(), &[], Some(&word), word.at, &mut |_| ()).expect("restored");
    let ledger = home.open().expect("opens");
    ledger.sealed().await;
    let mut producers = Producers::new();
    numbers.iter().for_each(|(label, number)| producers.set_number(label, *number));
    let mut served = Served::serve(home, ledger, producers).await;

    // While it is smaller than the mirror its head goes back; once it is larger the two part at a leaf.
    let (said, recovered) = ended(&mut follower, &served).await;
    assert!(said.starts_with("the ledger signed a head that goes back"), "{said}");
    let entry = recovered.expect("the root's word");
    assert!(entry >= old.commitment.size && said.contains(&format!("entry {entry} answers for that")), "{said}");
    for nonce in 3..6 {
        served.operate(nonce).await;
    }
    served.covered(verified + 1).await;
    let (said, recovered) = ended(&mut follower, &served).await;
    assert!(said.starts_with("the ledger signed two histories") && said.contains("into another"), "{said}");
    assert_eq!(recovered, Some(entry));

    // What the root did not sign answers for nothing.
    let said = source::fetch_head(&served.remote()).await.expect("a head");
    let size = said.head.commitment.size;
    let entries = source::fetch_entries(&served.remote(), entry, entry + 1, size).await.expect("an entry");
    let entry = String::from_utf8(entries[0].1.clone()).expect("text");
    assert!(follower.is_answered_by(entry.as_bytes(), &said, &[root()]));
    let forged = entry.replace("the disk is gone", "the disk is here");
    assert!(forged != entry && !follower.is_answered_by(forged.as_bytes(), &said, &[root()]));
    served.end().await;
}

#[tokio::test]
async fn a_larger_head_over_another_history_convicts_at_the_leaf_where_they_part() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let head = served.covered(13).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    round(&mut follower, &served.remote()).await.expect("verified");
    let size = follower.audited().size;

    let (tree, forked) = another(&follower, size + 20, &head, head.at.plus_millis(50_000));
    let evidence = evidence_of(&mut follower, &Forked(saying(served.remote(), &forked), &tree)).await;
    assert_eq!(kind_proven(&evidence), "fork");
    let seq = evidence.get("leaves").and_then(|leaves| leaves.get("seq")).and_then(Value::as_int);
    assert_eq!(seq, Some(5));
    served.end().await;
}

#[tokio::test]
async fn a_root_of_another_domain_is_refused() {
    let mut served = Served::new().await;
    served.operate(1).await;
    served.covered(13).await;
    let mut other = root();
    other.domain = "11-12".to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = Follower::open(folder.path(), other).expect("an auditor");
    let refused = round(&mut follower, &served.remote()).await;
    assert!(matches!(refused, Err(FollowError::Untrusted(_))), "{refused:?}");
    served.end().await;
}

#[tokio::test]
async fn a_ledger_and_its_mirror_say_the_same() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let early = served.covered(13).await;
    let none = compare(&served.remote(), &served.remote(), &root()).await.expect("compared");
    assert_eq!(none, None);
    let mut other = early.commitment.clone();
    other.root = Sha256([9; 32]);
    let forked = Head::sign(other, early.at, &signer("head"));
    let evidence = compare(&saying(served.remote(), &early), &saying(served.remote(), &forked), &root()).await;
    assert_eq!(kind_proven(&evidence.expect("compared").expect("evidence")), "fork");
    let text = |head: &Head| String::from_utf8(signed_answers(head).1.to_vec()).expect("text");
    let file = convicts(&root(), &text(&early), &text(&forked)).expect("what a witness keeps convicts as well");
    assert_eq!(kind_proven(&file), "fork");
    assert_eq!(convicts(&root(), &text(&early), &text(&early)), None);
    served.end().await;
}

#[tokio::test]
async fn the_gate_opens_for_what_was_verified_and_for_nothing_else() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let head = served.covered(13).await;
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Auditing::new(auditor(&folder), Arc::new(served.remote()));
    let checkpoint = Checkpoint::of(&head.commitment);
    assert_eq!(gate.may_cosign(&checkpoint).await, Ok(()), "it replays first, and then opens");
    let other = Checkpoint { root: Sha256([3; 32]), ..checkpoint.clone() };
    assert!(matches!(gate.may_cosign(&other).await, Err(Held::Wrong(_))));
    let borrowed = Checkpoint { origin: "other.example/log".to_owned(), ..checkpoint.clone() };
    let held = gate.may_cosign(&borrowed).await;
    assert!(matches!(&held, Err(Held::Wrong(why)) if why.contains("11-11/ledger")), "another's log: {held:?}");
    let larger = Checkpoint { size: checkpoint.size + 1000, ..checkpoint.clone() };
    assert!(matches!(gate.may_cosign(&larger).await, Err(Held::NotYet(_))));
    served.end().await;
    assert_eq!(gate.may_cosign(&checkpoint).await, Ok(()), "what was verified stays verified");
    assert!(matches!(gate.may_cosign(&larger).await, Err(Held::NotYet(_))), "the ledger is not there");
}

#[tokio::test]
async fn the_gate_stays_shut_for_a_ledger_with_a_wrong_entry() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let head = served.covered(13).await;
    let lying = Lying {
        remote: served.remote(),
        change: |path: &str, bytes: Bytes| {
            let mut changed = bytes.to_vec();
            if path.contains("/tile/entries/") {
                changed[600] ^= 1;
            }
            changed.into()
        },
    };
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Auditing::new(auditor(&folder), Arc::new(lying));
    assert!(matches!(gate.may_cosign(&Checkpoint::of(&head.commitment)).await, Err(Held::Wrong(_))));
    served.end().await;
}

/// A ledger whose content was moved out at `now`, served again, with its archive at hand where `kept`.
async fn archived(now: Time, clock: Time, kept: bool) -> (Served, tempfile::TempDir, u64) {
    let (served, archive, size, _) = archived_after(now, clock, kept).await;
    (served, archive, size)
}

/// The same, and a head over what came before that content.
async fn archived_after(now: Time, clock: Time, kept: bool) -> (Served, tempfile::TempDir, u64, Head) {
    let mut served = Served::new().await;
    let early = served.covered(1).await;
    let mut append = Append::default();
    let ten = Retention::new(10, "own").expect("a retention").record(crate::world::DOMAIN);
    let approved = ApprovedInterface::sign(crate::world::DOMAIN, ten, &signer("policy"));
    append.record(&served.producers.by_authority("interface.approved", approved.to_object()));
    served.post(&append).await;
    served.operate(1).await;
    let producers = Producers::new();
    let home = served.end().await;
    let to = tempfile::tempdir().expect("a folder");
    let moved = crate::archive::archive_by(home.path(), to.path(), |_, _| Ok(now));
    assert_eq!(moved.expect("archived").pieces, 2);
    home.clock.set(clock);
    let archive = kept.then(|| to.path().to_owned());
    let ledger = home.open_with(crate::Settings { archive, ..home.settings() }).expect("opens");
    let size = ledger.sealed().await.commitment.size;
    (Served::serve(home, ledger, producers).await, to, size, early)
}

fn day(n: i64) -> Time {
    crate::world::start().plus_millis(n * 86_400_000)
}

#[tokio::test]
async fn content_that_was_moved_to_an_archive_is_counted_and_all_else_verified() {
    for (kept, moved) in [(false, 2), (true, 0)] {
        let (served, _archive, size) = archived(day(11), day(12), kept).await;
        served.covered(size).await;
        let mirror = tempfile::tempdir().expect("a folder");
        let audited = round(&mut auditor(&mirror), &served.remote()).await.expect("verified");
        assert!(audited.size >= size && audited.met.content > 2, "{audited:?}");
        assert_eq!(audited.met.moved, moved);
        assert_eq!(auditor(&mirror).audited(), audited, "the mirror is the same ledger");
        drop(served.end().await);
    }
}

#[tokio::test]
async fn content_that_is_gone_before_its_retention_ends_is_found() {
    let (served, _archive, size) = archived(day(11), day(9), false).await;
    served.covered(size).await;
    let mirror = tempfile::tempdir().expect("a folder");
    let error = round(&mut auditor(&mirror), &served.remote()).await.expect_err("it is to be there");
    assert!(error.to_string().contains("the retention keeps it until"), "{error}");
    drop(served.end().await);
}

#[tokio::test]
async fn content_that_goes_while_a_follower_catches_up_is_judged_by_a_head_of_after_that() {
    let (served, _archive, size) = archived(day(11), day(12), false).await;
    let head = served.covered(size).await;
    // The head that it catches up to was signed before the retention ended.
    let before = Head::sign(head.commitment, day(9), &signer("head"));
    let source = saying_first(served.remote(), &before, None);
    let mirror = tempfile::tempdir().expect("a folder");
    let audited = round(&mut auditor(&mirror), &source).await.expect("it might go by then");
    assert_eq!(audited.met.moved, 2, "{audited:?}");
    drop(source);
    drop(served.end().await);
}

#[tokio::test]
async fn content_that_was_gone_too_early_by_one_head_is_not_let_go_by_a_smaller_one() {
    let (served, _archive, size, early) = archived_after(day(11), day(12), false).await;
    let head = served.covered(size).await;
    assert!(early.commitment.size < head.commitment.size);
    let before = Head::sign(head.commitment, day(9), &signer("head"));
    let smaller = Head::sign(early.commitment, day(8), &signer("head"));
    let source = saying_first(served.remote(), &before, Some(&smaller));
    let mirror = tempfile::tempdir().expect("a folder");
    let error = round(&mut auditor(&mirror), &source).await.expect_err("nothing says that it might go");
    assert!(error.to_string().contains("the retention keeps it until"), "{error}");
    drop(source);
    drop(served.end().await);
}

#[tokio::test]
async fn content_that_is_said_to_be_moved_where_no_retention_was_set_is_found() {
    let mut served = Served::new().await;
    served.operate(1).await;
    served.covered(8).await;
    let lying = Lying {
        remote: served.remote(),
        change: |path: &str, bytes: Bytes| {
            if !path.starts_with(routes::AUDIT_CONTENT) {
                return bytes;
            }
            let mut text = String::from_utf8(bytes.to_vec()).expect("text");
            // The last blob is the artifact: right before its issuance.
            let end = text.rfind("\"]").expect("a blob") + 1;
            let start = text[..end - 1].rfind('"').expect("its beginning");
            let artifact = eleven_core::hash::unbase64(&text[start + 1..end - 1]).expect("base64");
            text.replace_range(start..end, &format!("{{\"moved\":\"{}\"}}", Sha3::of(&[&artifact])));
            text.into()
        },
    };
    let mirror = tempfile::tempdir().expect("a folder");
    let error = round(&mut auditor(&mirror), &lying).await.expect_err("nothing may be gone");
    assert!(error.to_string().contains("has set no retention"), "{error}");
    drop(lying);
    drop(served.end().await);
}

#[test]
fn who_has_a_damaged_mirror_is_not_told_to_remove_what_convicts_the_ledger() {
    let said = FollowError::Kept("one of its records is no head".to_owned()).to_string();
    assert!(said.contains("keep what is in `evidence`") && !said.contains("remove"), "{said}");
}

#[test]
fn a_mirror_that_holds_nothing_is_not_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = folder.path().join("mirror");
    Follower::open(&mirror, root()).expect("an auditor").leave();
    assert!(!mirror.exists(), "it was made for it");
    std::fs::create_dir(&mirror).expect("made");
    Follower::open(&mirror, root()).expect("an auditor").leave();
    assert_eq!(std::fs::read_dir(&mirror).expect("a folder").count(), 0, "it was somebody's");
    let follower = Follower::open(&mirror, root()).expect("an auditor");
    follower.write_evidence(&Value::Null).expect("written");
    follower.leave();
    assert!(mirror.join(EVIDENCE).exists() && mirror.join("FORMAT").exists(), "what it found stays");
}
