use super::*;
use crate::fixtures::{self, NOW, signer};
use crate::registry::routes::policy;
use crate::registry::{Current, Registry};
use axum::extract::State;
use eleven_api::client::Client;
use eleven_api::edge::ManualClock;
use eleven_api::reader;
use eleven_api::serve::Named;
use eleven_core::encoding::Object;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Bundles of a ledger that does not answer.
fn bundles() -> Bundles {
    Bundles::new(Ledger::new(Client::new(), "http://127.0.0.1:9"))
}

fn bundle(path: &str) -> Value {
    fixtures::bundle_value(path, "model.invoke", Object::new())
}

fn row(path: &str) -> PolicyRecord {
    PolicyRecord::of(&PolicyBundle::read(bundle(path)).expect("a bundle"))
}

#[tokio::test]
async fn what_was_compiled_to_be_published_is_in_force_without_the_ledgers_copy() {
    let (bundles, none) = (bundles(), BTreeMap::new());
    let (row, other) = (row("one"), row("other"));
    bundles.published(row.id.hash);
    assert!(bundles.policies(std::slice::from_ref(&row), &none).await.is_empty(), "the ledger has the only copy");
    let (compiled, bytes) = bundles.compile(bundle("one")).await.expect("it compiles");
    assert_eq!(Sha3::of(&[&bytes]), row.id.hash);
    bundles.publishes(Arc::clone(&compiled));
    bundles.compile(bundle("other")).await.expect("one that waits for its turn to be published");
    let policies = bundles.policies(&[other, row.clone()], &none).await;
    assert_eq!(policies.len(), 1, "another's it is not");
    assert!(Arc::ptr_eq(policies.get(&row.id.hash).expect("the policy"), &compiled));
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_is_not_compiled_in_time_is_not_published() {
    let bundles = bundles();
    let compiling = Arc::clone(&bundles.turn).acquire_owned().await.expect("the turn of one that takes long");
    assert!(matches!(bundles.compile(bundle("one")).await, Err(NotCompiled::Late)));
    drop(compiling);
    bundles.compile(bundle("one")).await.expect("it has its turn");
}

#[tokio::test]
async fn a_compiler_that_breaks_off_is_not_taken_for_one_that_is_late() {
    let bundles = bundles();
    let broken = bundles.in_turn(|| -> Result<(), NotCompiled> { panic!("as no bundle should make it") }).await;
    assert!(matches!(broken, Err(NotCompiled::Broken)), "{broken:?}");
    bundles.compile(bundle("one")).await.expect("the next has its turn");
}

#[tokio::test]
async fn what_is_no_bundle_or_does_not_compile_is_told_apart() {
    let Value::Object(object) = bundle("one") else { panic!("an object") };
    let wrong = Value::Object(object.clone().with("cedar", "permit("));
    assert!(matches!(bundles().compile(wrong).await, Err(NotCompiled::Policy(_))));
    let wrong = Value::Object(object.with("cedar", 1u32));
    assert!(matches!(bundles().compile(wrong).await, Err(NotCompiled::Form(_))));
}

/// Counts what is logged as an error.
struct Errors(Arc<AtomicUsize>);

impl tracing::Subscriber for Errors {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_policy_in_force_that_does_not_compile_is_compiled_and_told_of_once() {
    let (bundles, none, told) = (bundles(), BTreeMap::new(), Arc::<AtomicUsize>::default());
    let _told = tracing::subscriber::set_default(Errors(Arc::clone(&told)));
    let (row, other) = (row("one"), row("other"));
    for (row, bytes) in [(&row, Bytes::from_static(b"{}")), (&other, bundle("other").canonical().into())] {
        bundles.published(row.id.hash);
        bundles.keep(row.id.hash, bytes);
    }
    let rows = [row, other.clone()];
    for _ in 0..3 {
        let policies = bundles.policies(&rows, &none).await;
        assert_eq!(policies.keys().collect::<Vec<_>>(), [&other.id.hash], "the others decide");
        assert_eq!(told.load(SeqCst), 1);
    }
}

#[tokio::test]
async fn a_stranger_who_asks_for_what_is_not_kept_has_to_wait_for_its_turn_and_who_decides_does_not() {
    let bundles = bundles();
    let hash = |path: &str| row(path).id.hash;
    let (kept, cold) = (hash("kept"), hash("cold"));
    [kept, cold].into_iter().for_each(|hash| bundles.published(hash));
    bundles.keep(kept, Bytes::from_static(b"a bundle"));
    let others = u32::try_from(FETCHED).expect("a few");
    let others = bundles.fetches.acquire_many(others).await.expect("all turns");
    assert_eq!(bundles.shown(kept, true).await.as_deref(), Some(&b"a bundle"[..]));
    assert_eq!(bundles.shown(hash("unpublished"), true).await, None);
    let asked = bundles.shown(cold, true);
    tokio::pin!(asked);
    tokio::select! {
        biased;
        _ = &mut asked => panic!("one more than may be fetched at once"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(bundles.get(cold).await, None, "its ledger does not answer");
    assert_eq!(bundles.shown(cold, false).await, None, "nor for a point");
    drop(others);
    assert_eq!(asked.await, None, "nor then");
}

#[tokio::test]
async fn a_point_that_signs_its_reading_waits_for_no_stranger() {
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let (nowhere, clock) = (Ledger::new(Client::new(), "http://127.0.0.1:9"), Arc::new(ManualClock::new(NOW)));
    let registry = Registry::new(nowhere, fixtures::root(), signer("registry").into(), clock, stopping);
    let current = Current::of_fold(fixtures::fold(&[]), Vec::new(), NOW, &signer("registry")).expect("an epoch");
    registry.current.send_replace(Some(Arc::new(current)));
    let (registry, hash) = (Arc::new(registry), row("cold").id.hash);
    registry.bundles.published(hash);
    let path = format!("{}{hash}", eleven_api::routes::REGISTRY_POLICIES);
    let asks = |by: &str| {
        let mut request = axum::extract::Request::new(axum::body::Body::empty());
        *request.uri_mut() = path.parse().expect("a path");
        request.headers_mut().extend(reader::signed(&path, &signer(by), NOW));
        policy(State(Arc::clone(&registry)), Named(hash.to_string()), request)
    };
    let others = u32::try_from(FETCHED).expect("a few");
    let _others = registry.bundles.fetches.acquire_many(others).await.expect("all turns");
    let stranger = asks("nobody");
    tokio::pin!(stranger);
    tokio::select! {
        biased;
        _ = &mut stranger => panic!("one more than may be fetched at once"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(asks("point").await.expect_err("its ledger does not answer").status, 404);
}

#[tokio::test]
async fn so_many_bundles_and_bytes_of_them_are_kept_and_no_more() {
    let bundles = bundles();
    for n in 0..40u8 {
        let hash = Sha3([n; 64]);
        bundles.keep(hash, Bytes::from(vec![n; MAX_BUNDLE]));
        let held = bundles.held();
        assert!(held.bytes.contains_key(&hash), "the last one that was asked for");
        assert!(held.bytes.values().map(Bytes::len).sum::<usize>() <= KEPT_BYTES, "{n}");
    }
    // Nor more of them, however small they are.
    for n in 0..2 * KEPT {
        let hash = Sha3::of(&[&n.to_be_bytes()]);
        bundles.keep(hash, Bytes::from_static(b"{}"));
        let held = bundles.held();
        assert!(held.bytes.contains_key(&hash) && held.bytes.len() <= KEPT, "{n}");
    }
}

#[test]
fn a_policy_in_force_with_a_longer_reference_than_is_published_now_is_told_of() {
    let of = |bytes: usize| {
        let mut path = "a/".repeat(bytes);
        path.truncate(bytes - "policy:///v1".len() - 1);
        let row = row(&format!("{path}a"));
        assert_eq!(row.id.reference.len(), bytes);
        past_limit(&row)
    };
    assert_eq!(of(MAX_POLICY), None);
    let why = of(MAX_POLICY + 1).expect("it is longer");
    assert!(why.contains("its point refuses (limits.exceeded)") && why.contains("under a shorter path"), "{why}");
}
