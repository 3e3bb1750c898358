use super::*;
use crate::Signers;
use crate::fixtures::{self, AUTHORITY, NOW, POINT, root, signer, successor};
use crate::identity::{jwt_source, operator_source};
use crate::ledger::Ledger;
use eleven_api::client::Client;
use eleven_api::edge::{Clock as _, ManualClock};
use eleven_api::keyring::Keyring;
use eleven_api::serve::Listener;
use eleven_core::encoding::Object;
use eleven_core::event::{About, Draft, Place, Record};
use eleven_core::registry::{GrantedKey, Item as _, genesis};
use eleven_core::signature::{SeedSigner, Signer};

/// A registry that nothing is told but what a test tells it, signed by the key of `role`.
fn registry(role: &str) -> Registry {
    let nowhere = Ledger::new(Client::new(), "http://127.0.0.1:9");
    let (_, stop) = tokio::sync::watch::channel(false);
    Registry::new(nowhere, root(), signer(role).into(), Arc::new(ManualClock::new(NOW)), stop)
}

fn row(seq: u64, event: &'static str, by: &str, data: Object) -> Row {
    let role = match by {
        AUTHORITY => "event",
        POINT => "point",
        _ => "ledger",
    };
    row_signed(&signer(role), seq, event, by, data)
}

/// An entry with a record that this key signed, whoever it says to be by.
fn row_signed(by_key: &dyn Signer, seq: u64, event: &'static str, by: &str, data: Object) -> Row {
    let draft =
        Draft { event, place: Place::Alone, ts: NOW, by: by.into(), src_seq: seq, data, about: About::default() };
    Row { seq, at: NOW, record: draft.sign(by_key).expect("a record") }
}

fn genesis_row() -> Row {
    row(0, "ledger.genesis", "ledger://11-11", genesis(&root(), 10, &fixtures::keys()))
}

/// The next root, which names another registry key.
fn successor_row(seq: u64) -> Row {
    row(seq, "root.published", AUTHORITY, Object::new().with("root", successor().to_value()))
}

/// A page of a ledger of `size` entries.
fn page(entries: Vec<Row>, size: u64) -> Page {
    let next = entries.last().map_or(size, |row| row.seq + 1);
    Page { which: Which::WithDiscontinuities, entries, next, size }
}

/// The same where the ledger did not show discontinuities.
fn blind(entries: Vec<Row>, size: u64) -> Page {
    Page { which: Which::Registry, ..page(entries, size) }
}

fn equivocation_row(seq: u64) -> Row {
    let data =
        Object::new().with("cause", "drift.equivocation").with("from", 0u64).with("producer", POINT).with("to", 0u64);
    row(seq, "audit.discontinuity", "ledger://11-11", data)
}

fn lifecycle_row(seq: u64, event: &'static str) -> Row {
    let data = Object::new().with("kind", "runtime").with("subject", POINT).with("cause", "operator");
    row(seq, event, AUTHORITY, data)
}

fn runtime_data() -> Object {
    match fixtures::runtime().to_value() {
        Value::Object(data) => data,
        other => panic!("no object: {other}"),
    }
}

/// How many subjects are to be contained.
fn drifted(registry: &Registry) -> usize {
    registry.drifts().borrow().len()
}

fn epoch(registry: &Registry, now: Time) -> Option<u64> {
    registry.fresh(now).map(|current| current.view.epoch())
}

#[tokio::test]
async fn an_epoch_that_is_not_this_authoritys_to_sign_ends_it() {
    let (registry, mut following) = (registry("registry"), Following::default());
    following.take(&registry, page(vec![genesis_row()], 1)).await.expect("it can be signed");
    assert_eq!(epoch(&registry, NOW), Some(1));
    let why = following.take(&registry, page(vec![successor_row(1)], 2)).await.expect_err("another key's");
    assert!(why.starts_with("epoch 2 cannot be signed"), "{why}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_a_silent_ledger_heard() {
    let clock = Arc::new(ManualClock::new(NOW));
    let nowhere = Ledger::new(Client::new(), "http://127.0.0.1:9");
    let registry = Registry::new(nowhere, root(), signer("registry").into(), clock.clone(), watch::channel(false).1);
    let mut following = Following::default();
    following.take(&registry, page(vec![genesis_row()], 1)).await.expect("it can be signed");
    clock.set(NOW.plus_seconds(-70));
    clock.advance(10_000);
    assert_eq!(epoch(&registry, clock.now()), Some(1));
    clock.advance(1);
    assert_eq!(epoch(&registry, clock.now()), None, "nothing is decided, and nothing stamped");
    following.take(&registry, page(Vec::new(), 1)).await.expect("it is heard again");
    assert_eq!(epoch(&registry, clock.now()), Some(1));
}

/// By which epoch is decided at each moment at which something is logged.
struct Deciding(Arc<Registry>, Arc<ManualClock>, Arc<std::sync::Mutex<Vec<Option<u64>>>>);

impl tracing::Subscriber for Deciding {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.2.lock().expect("whole").push(epoch(&self.0, self.1.now()));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn what_was_in_force_before_a_silence_is_not_fresh_by_what_ends_it() {
    let (clock, said) = (Arc::new(ManualClock::new(NOW)), Arc::default());
    let nowhere = Ledger::new(Client::new(), "http://127.0.0.1:9");
    let registry = Registry::new(nowhere, root(), signer("registry").into(), clock.clone(), watch::channel(false).1);
    let (registry, mut following) = (Arc::new(registry), Following::default());
    following.take(&registry, page(vec![genesis_row()], 1)).await.expect("it can be signed");
    clock.advance(60_000);
    let deciding = Deciding(Arc::clone(&registry), Arc::clone(&clock), Arc::clone(&said));
    let _deciding = tracing::subscriber::set_default(deciding);
    let registered = row(1, "runtime.registered", AUTHORITY, runtime_data());
    following.take(&registry, page(vec![registered], 2)).await.expect("it can be signed");
    assert_eq!(*said.lock().expect("whole"), [None::<u64>], "not by epoch 1, which is none any more");
    assert_eq!(epoch(&registry, clock.now()), Some(2));
}

#[tokio::test]
async fn what_is_not_the_ledgers_end_is_neither_signed_nor_decided_by() {
    let (registry, mut following) = (registry("successor"), Following::default());
    // Epoch 1 was signed by a key that this process does not hold, and it is not the last.
    following.take(&registry, page(vec![genesis_row()], 2)).await.expect("there is more");
    assert_eq!(epoch(&registry, NOW), None);
    following.take(&registry, page(vec![successor_row(1)], 2)).await.expect("it can be signed");
    assert_eq!(epoch(&registry, NOW), Some(2));
}

#[tokio::test]
async fn how_far_the_ledger_is_folded_is_told_once_that_is_in_place() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let folded = |registry: &Registry| *registry.folded.borrow();
    following.take(&registry, page(vec![genesis_row()], 3)).await.expect("there is more");
    assert_eq!((folded(&registry), epoch(&registry, NOW)), (0, None));
    // What makes no epoch is not shown, and counts.
    following.take(&registry, page(Vec::new(), 3)).await.expect("it can be signed");
    assert_eq!((folded(&registry), epoch(&registry, NOW)), (3, Some(1)));
    assert!(registry.reaches(3).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_until_so_much_is_folded_is_told_when_it_is() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let began = tokio::time::Instant::now();
    let take = following.take(&registry, page(vec![genesis_row()], 1));
    let (reached, taken) = tokio::join!(registry.reaches(1), take);
    taken.expect("it can be signed");
    assert_eq!((reached, began.elapsed()), (true, Duration::ZERO));
    assert!(!registry.reaches(2).await, "there is no more of it");
    assert!(began.elapsed() >= crate::registry::IN_FORCE);
}

#[tokio::test]
async fn what_the_rules_refuse_ends_it() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let removed = row(1, "source.removed", AUTHORITY, Object::new().with("name", "nobody"));
    let why = following.take(&registry, page(vec![genesis_row(), removed], 2)).await.expect_err("nothing to remove");
    assert!(why.starts_with("entry 1, source.removed: "), "{why}");
    assert_eq!(epoch(&registry, NOW), None);
}

/// An operator whom somebody would like to be.
fn thief_data() -> Object {
    match operator_source("thief", "human:thief", signer("thief").kid(), &signer("thief").public()).to_value() {
        Value::Object(data) => data,
        other => panic!("no object: {other}"),
    }
}

/// Shows a registry with nothing but its genesis this as entry 1, and gives why that is followed no further.
async fn refused_as_next(shown: Row) -> String {
    let (registry, mut following) = (registry("registry"), Following::default());
    following.take(&registry, page(vec![genesis_row()], 1)).await.expect("taken");
    let why = following.take(&registry, page(vec![shown], 2)).await.expect_err("it is not folded");
    assert_eq!(epoch(&registry, NOW), Some(1), "{why}");
    why
}

#[tokio::test]
async fn what_no_key_of_its_producer_signed_is_not_folded_whoever_shows_it() {
    let stranger = SeedSigner::new(signer("event").kid(), &[9; 32]);
    // Of another, under the name of the key; the ledger's own; a point's; of another use; of no registry.
    for by_key in [stranger, signer("ledger"), signer("point"), signer("issuer"), signer("thief")] {
        let why = refused_as_next(row_signed(&by_key, 1, "source.registered", AUTHORITY, thief_data())).await;
        assert!(why.starts_with("entry 1, source.registered: no event key of its producer"), "{}: {why}", by_key.kid());
    }
    let signed = row(1, "source.registered", AUTHORITY, thief_data());
    let Value::Object(members) = signed.record.to_value() else { panic!("an object") };
    let other = Value::Object(members.with("event_hash", Sha3::of(&[b"another"])));
    let record = Record::read(other).expect("of a record's form");
    let why = refused_as_next(Row { record, ..signed }).await;
    assert!(why.starts_with("entry 1, source.registered: its hashes"), "{why}");
}

#[tokio::test]
async fn a_genesis_that_its_ledger_did_not_sign_is_followed_no_further() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let data = genesis(&root(), 10, &fixtures::keys());
    let forged = row_signed(&signer("event"), 0, "ledger.genesis", "ledger://11-11", data);
    let why = following.take(&registry, page(vec![forged], 1)).await.expect_err("the authority's key signed it");
    assert!(why.starts_with("entry 0, ledger.genesis: "), "{why}");
    assert_eq!(epoch(&registry, NOW), None);
}

#[tokio::test]
async fn what_was_folded_is_not_folded_again_under_another_entry() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let registered = row(1, "source.registered", AUTHORITY, thief_data());
    let name = thief_data().get("name").cloned().expect("a name");
    let removed = row(2, "source.removed", AUTHORITY, Object::new().with("name", name));
    let rows = vec![genesis_row(), registered.clone(), removed];
    following.take(&registry, page(rows, 3)).await.expect("taken");
    assert_eq!(epoch(&registry, NOW), Some(3));
    let again = Row { seq: 3, ..registered };
    let why = following.take(&registry, page(vec![again], 4)).await.expect_err("it was removed since");
    assert!(why.starts_with("entry 3, source.registered: its key signed it"), "{why}");
    assert_eq!(epoch(&registry, NOW), Some(3));
}

#[tokio::test]
async fn what_a_key_signs_when_it_has_ended_is_not_folded() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let ended = row(1, "key.retired", AUTHORITY, Object::new().with("kid", signer("event").kid()));
    following.take(&registry, page(vec![genesis_row(), ended], 2)).await.expect("taken");
    let late = row(2, "source.registered", AUTHORITY, thief_data());
    let why = following.take(&registry, page(vec![late], 3)).await.expect_err("its key has ended");
    assert!(why.starts_with("entry 2, source.registered: no event key of its producer"), "{why}");
}

#[tokio::test]
async fn what_is_dated_before_what_was_folded_is_not_folded() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let ended = row(1, "key.retired", AUTHORITY, Object::new().with("kid", signer("event").kid()));
    following.take(&registry, page(vec![genesis_row(), ended], 2)).await.expect("taken");
    // Its key had not ended then.
    let before = Row { at: NOW.plus_millis(-1), ..row(2, "source.registered", AUTHORITY, thief_data()) };
    let why = following.take(&registry, page(vec![before], 3)).await.expect_err("entries are dated in their order");
    assert!(why.starts_with("entry 2, source.registered: it is dated before"), "{why}");
    assert_eq!(epoch(&registry, NOW), Some(2));
}

#[tokio::test]
async fn what_nobody_signed_is_no_drift_and_no_answer_to_one_where_the_registry_is_folded_already() {
    let shown = [("audit.discontinuity", "ledger://11-11"), ("lifecycle.contained", AUTHORITY)];
    for (event, by) in shown {
        let (registry, mut following) = (registry("registry"), Following::default());
        following.take(&registry, page(vec![genesis_row()], 1)).await.expect("taken");
        let registered = row(2, "runtime.registered", AUTHORITY, runtime_data());
        following.take(&registry, blind(vec![registered], 3)).await.expect("taken");
        let data = [equivocation_row(1), lifecycle_row(1, "lifecycle.contained")].map(|row| row.record);
        let data = data.into_iter().find(|record| record.event == event).expect("one of them").data;
        let forged = row_signed(&signer("thief"), 1, event, by, data);
        let why = following.take(&registry, page(vec![forged], 3)).await.expect_err("not the ledger's");
        assert!(why.starts_with(&format!("entry 1, {event}: no event key of its producer")), "{why}");
        assert_eq!((following.drifts_next, drifted(&registry)), (1, 0));
    }
}

#[tokio::test]
async fn the_registry_is_followed_without_discontinuities_and_they_are_read_from_where_they_were_not() {
    let (registry, mut following) = (registry("registry"), Following::default());
    following.take(&registry, page(vec![genesis_row()], 1)).await.expect("taken");
    // Entry 1 is a discontinuity that is not shown.
    let registered = || row(2, "runtime.registered", AUTHORITY, runtime_data());
    following.take(&registry, blind(vec![registered()], 3)).await.expect("taken");
    assert_eq!((epoch(&registry, NOW), drifted(&registry)), (Some(2), 0));
    assert_eq!((following.next, following.drifts_next), (3, 1), "what is asked from next, either way");
    // Where only a part comes at once nothing is said before the rest.
    following.take(&registry, Page { next: 2, ..page(vec![equivocation_row(1)], 3) }).await.expect("taken");
    assert_eq!((following.drifts_next, drifted(&registry)), (2, 0));
    following.take(&registry, page(vec![registered()], 3)).await.expect("the fold has it already");
    assert_eq!((epoch(&registry, NOW), drifted(&registry)), (Some(2), 1));
    assert_eq!((following.next, following.drifts_next), (3, 3));
}

#[tokio::test]
async fn what_was_answered_while_it_was_not_shown_is_not_raised_again() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let answers = || ["lifecycle.contained", "lifecycle.recovering", "lifecycle.governed"].into_iter().zip(2..);
    let answers = || answers().map(|(event, seq)| lifecycle_row(seq, event)).collect::<Vec<_>>();
    following.take(&registry, page(vec![genesis_row(), equivocation_row(1)], 2)).await.expect("taken");
    assert_eq!(drifted(&registry), 1);
    following.take(&registry, blind(answers(), 5)).await.expect("taken");
    assert_eq!(drifted(&registry), 0, "whether it was answered is not known");
    following.take(&registry, page(answers(), 5)).await.expect("taken");
    assert_eq!(drifted(&registry), 0, "an operator lifted it");
    following.take(&registry, page(vec![equivocation_row(5)], 6)).await.expect("taken");
    assert_eq!(drifted(&registry), 1, "what drifts after that asks anew");
}

/// What the ledger answers to a question for entries from `from` on.
fn asked(from: u64, entries: Vec<Row>, size: u64) -> Asked {
    let next = size.max(from);
    Asked { from, page: Page { next, ..page(entries, size) } }
}

/// A registration that is not [`fixtures::runtime`]'s.
fn other_row(seq: u64) -> Row {
    row(seq, "runtime.registered", AUTHORITY, runtime_data().with("region", "eu-west-1"))
}

#[tokio::test]
async fn a_ledger_that_has_less_than_it_told_is_followed_no_further() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let registered = row(1, "runtime.registered", AUTHORITY, runtime_data());
    following.go_on(&registry, asked(0, vec![genesis_row(), registered], 5)).await.expect("taken");
    assert_eq!((epoch(&registry, NOW), following.next), (Some(2), 5));
    let why = following.go_on(&registry, asked(5, Vec::new(), 4)).await.expect_err("it lacks an entry");
    assert_eq!(why, WENT_BACK);
    let why = following.go_on(&registry, asked(1, Vec::new(), 1)).await.expect_err("and the last that was folded");
    assert_eq!(why, WENT_BACK);
    following.go_on(&registry, asked(5, Vec::new(), 5)).await.expect("what it told");
}

#[tokio::test]
async fn a_ledger_that_outgrew_what_it_told_on_another_way_is_followed_no_further() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let registered = || row(1, "runtime.registered", AUTHORITY, runtime_data());
    following.go_on(&registry, asked(0, vec![genesis_row(), registered()], 2)).await.expect("taken");
    // More of it is not taken before it shows entry 1.
    let removed = || row(2, "runtime.removed", AUTHORITY, Object::new().with("point", POINT));
    following.go_on(&registry, asked(2, vec![removed()], 3)).await.expect("not taken");
    assert_eq!((epoch(&registry, NOW), following.next, following.shown), (Some(2), 2, None));
    for entries in [vec![other_row(1), removed()], vec![removed()], Vec::new()] {
        let why = following.go_on(&registry, asked(1, entries, 3)).await.expect_err("entry 1 is another, or not there");
        assert_eq!((why.as_str(), epoch(&registry, NOW)), (WENT_BACK, Some(2)));
    }
    following.go_on(&registry, asked(1, vec![registered(), removed()], 3)).await.expect("it is the same ledger");
    assert_eq!((epoch(&registry, NOW), following.next), (Some(3), 3));
}

#[tokio::test]
async fn what_was_folded_while_discontinuities_were_not_shown_is_shown_with_them_too() {
    let (registry, mut following) = (registry("registry"), Following::default());
    following.go_on(&registry, asked(0, vec![genesis_row(), equivocation_row(1)], 2)).await.expect("taken");
    let registered = || row(2, "runtime.registered", AUTHORITY, runtime_data());
    let from_the_last = Asked { from: 0, page: blind(vec![genesis_row(), registered()], 3) };
    following.go_on(&registry, from_the_last).await.expect("the discontinuity is not missed");
    assert_eq!((following.next, following.drifts_next), (3, 2));
    let other = vec![equivocation_row(1), other_row(2)];
    let why = following.go_on(&registry, asked(1, other, 3)).await.expect_err("entry 2 is another");
    assert_eq!(why, WENT_BACK);
    following.go_on(&registry, asked(1, vec![equivocation_row(1), registered()], 3)).await.expect("taken");
    assert_eq!((following.drifts_next, drifted(&registry)), (3, 1));
}

/// From where the registry is asked for next, and from where with discontinuities.
async fn goes_on_from(following: &Following, registry: &Registry) -> (u64, u64) {
    let ask = async |which| following.ask_for(registry, which).await.expect("a page").from;
    (ask(Which::Registry).await, ask(Which::WithDiscontinuities).await)
}

/// What it had is its only word for being the ledger that was followed: one that was put back and has grown past that shows it by
/// nothing else.
#[tokio::test]
async fn a_ledger_is_asked_for_the_last_entry_again_when_it_showed_that_a_second_ago() {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a port");
    let ledger = Ledger::new(Client::new(), format!("http://{}", listener.local_addr().expect("an address")));
    let (_stop, stopping) = watch::channel(false);
    let nothing = axum::Router::new().fallback(async || r#"{"entries":[],"next":9,"size":9}"#);
    tokio::spawn(listener.serve(nothing, stopping, Duration::ZERO));
    let clock = Arc::new(ManualClock::new(NOW));
    let registry = Registry::new(ledger, root(), signer("registry").into(), clock.clone(), watch::channel(false).1);
    let mut following = Following::default();
    assert_eq!(goes_on_from(&following, &registry).await, (0, 0), "nothing was taken yet");
    following.go_on(&registry, asked(0, vec![genesis_row()], 3)).await.expect("taken");
    assert_eq!(goes_on_from(&following, &registry).await, (3, 3));
    clock.advance(SHOWN_AGAIN_MS - 1);
    assert_eq!(goes_on_from(&following, &registry).await, (3, 3));
    clock.advance(1);
    assert_eq!(goes_on_from(&following, &registry).await, (0, 0), "it is to show that once more");
    // Each kind has a last entry of its own.
    let registered = row(3, "runtime.registered", AUTHORITY, runtime_data());
    let shown = Asked { from: 0, page: blind(vec![genesis_row(), registered], 4) };
    following.go_on(&registry, shown).await.expect("taken");
    assert_eq!(goes_on_from(&following, &registry).await, (4, 3));
    clock.advance(SHOWN_AGAIN_MS);
    assert_eq!(goes_on_from(&following, &registry).await, (3, 0));
}

/// An authority's keys while that of artifacts is renewed.
fn renewing() -> Signers {
    let issuer = Keyring::new(["issuer", "renewed"].map(|role| Arc::new(signer(role)) as Arc<dyn Signer>));
    Signers {
        issuer: issuer.expect("two keys"),
        event: signer("event").into(),
        registry: signer("registry").into(),
        policy: signer("policy").into(),
        identity: renewing_identity(),
    }
}

/// The keys for identity tokens while they are renewed.
fn renewing_identity() -> Keyring {
    let held = ["identity", "identity-2"].map(|role| Arc::new(signer(role)) as Arc<dyn Signer>);
    Keyring::new(held).expect("two keys")
}

/// Registers one of them.
fn identity_row(seq: u64, at: Time, role: &str) -> Row {
    let source = jwt_source(role, AUTHORITY, signer(role).kid(), &signer(role).public());
    let Value::Object(data) = source.to_value() else { panic!("an object") };
    Row { at, ..row(seq, "source.registered", AUTHORITY, data) }
}

/// Holds which key signs identity tokens, so many milliseconds after [`NOW`], against these.
fn assert_authenticates(registry: &Registry, expected: &[(i64, Option<&str>)]) {
    let (signers, current) = (renewing(), registry.current().expect("an epoch"));
    for (millis, role) in expected {
        let signs = signers.identity(AUTHORITY, &current, NOW.plus_millis(*millis)).map(|key| key.kid().to_owned());
        assert_eq!(signs, role.map(|role| signer(role).kid().to_owned()), "{millis}");
    }
}

/// Registers the renewed one. Its window began years ago.
fn renewed_row(seq: u64, at: Time) -> Row {
    let key = GrantedKey::sign(fixtures::key("renewed", KeyUse::Issuer, AUTHORITY), &signer("registry"));
    Row { at, ..row(seq, "key.registered", AUTHORITY, key.to_object()) }
}

fn founded_row() -> Row {
    Row { at: NOW.plus_seconds(-60), ..genesis_row() }
}

/// Holds which key signs artifacts, so many milliseconds after [`NOW`], against these.
fn assert_issues(registry: &Registry, expected: &[(i64, &str)]) {
    let (signers, current) = (renewing(), registry.current().expect("an epoch"));
    for (millis, role) in expected {
        let issuer = signers.issuer(&current, NOW.plus_millis(*millis)).map(Signer::kid);
        assert_eq!(issuer, Some(signer(role).kid()), "{millis}");
    }
}

#[tokio::test]
async fn a_renewed_issuer_key_signs_when_every_point_knows_it_however_long_it_says_that_it_counts() {
    let (registry, mut following) = (registry("registry"), Following::default());
    following.take(&registry, page(vec![founded_row()], 1)).await.expect("taken");
    // No view of the registry from before this moment has it.
    following.take(&registry, page(vec![renewed_row(1, NOW)], 2)).await.expect("taken");
    assert_issues(&registry, &[(0, "issuer"), (9_999, "issuer"), (10_000, "renewed")]);
}

#[tokio::test]
async fn a_renewed_issuer_key_settles_from_when_it_came_here_however_long_before_the_ledger_dates_it() {
    // The ledger's clock is behind, or this authority was cut off from it.
    let (registry, mut following) = (registry("registry"), Following::default());
    following.take(&registry, page(vec![founded_row()], 1)).await.expect("taken");
    following.take(&registry, page(vec![renewed_row(1, NOW.plus_seconds(-30))], 2)).await.expect("taken");
    assert_issues(&registry, &[(0, "issuer"), (9_999, "issuer"), (10_000, "renewed")]);
}

#[tokio::test]
async fn a_renewed_issuer_key_that_a_starting_authority_finds_settled_when_the_ledger_dates_it() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let rows = vec![founded_row(), renewed_row(1, NOW.plus_seconds(-4))];
    following.take(&registry, page(rows, 2)).await.expect("taken");
    assert_issues(&registry, &[(0, "issuer"), (5_999, "issuer"), (6_000, "renewed")]);
}

#[tokio::test]
async fn a_renewed_identity_key_signs_when_every_point_knows_it_and_none_that_has_ended() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let founded = vec![founded_row(), identity_row(1, NOW.plus_seconds(-50), "identity")];
    following.take(&registry, page(founded, 2)).await.expect("taken");
    assert_authenticates(&registry, &[(0, Some("identity"))]);
    following.take(&registry, page(vec![identity_row(2, NOW, "identity-2")], 3)).await.expect("taken");
    assert_authenticates(&registry, &[(9_999, Some("identity")), (10_000, Some("identity-2"))]);
    let end = |seq: u64, role: &str| {
        let current = registry.current().expect("an epoch");
        let standing = keys::row_of(current.view.lists(), signer(role).kid()).expect("its row");
        let ended = keys::ended(standing, keys::COMPROMISED, NOW).expect("it has not ended");
        let Value::Object(data) = ended.to_value() else { panic!("an object") };
        row(seq, "source.registered", AUTHORITY, data)
    };
    // At once by the other, whether every point knows that one yet or not.
    let first = end(3, "identity");
    following.take(&registry, page(vec![first], 4)).await.expect("taken");
    assert_authenticates(&registry, &[(0, Some("identity-2"))]);
    let second = end(4, "identity-2");
    following.take(&registry, page(vec![second], 5)).await.expect("taken");
    assert_authenticates(&registry, &[(0, None), (60_000, None)]);
}
