use super::*;
use axum::Router;
use axum::body::Body;
use eleven_api::edge::SystemClock;
use eleven_api::serve::Listener;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, RootError, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use http::{Request, StatusCode};
use std::time::Duration;
use tokio::sync::watch;

fn signer(role: &str) -> SeedSigner {
    let mut seed = [7; 32];
    for (byte, of) in seed.iter_mut().zip(role.bytes()) {
        *byte = of;
    }
    SeedSigner::new(format!("key:d/{role}/1"), &seed)
}

fn key(role: &str, usage: KeyUse, owner: &str) -> KeyRecord {
    let signer = signer(role);
    let (nbf, exp, status) = (Time(0), Time(1_000_000_000), KeyStatus::Active);
    KeyRecord {
        kid: signer.kid().to_owned(),
        public: signer.public(),
        usage,
        owner: owner.to_owned(),
        nbf,
        exp,
        status,
    }
}

fn first() -> TrustRoot {
    let authority = "governance://d/authority/test";
    let root = TrustRoot {
        domain: "d".into(),
        version: 1,
        threshold: 1,
        keys: vec![key("root", KeyUse::Root, "human:root:test")],
        roles: vec![
            key("head", KeyUse::Head, "ledger://d"),
            key("policy", KeyUse::Policy, authority),
            key("registry", KeyUse::Registry, authority),
        ],
        witnesses: Witnesses::default(),
        nbf: Time(0),
        exp: Time(1_000_000_000),
        prev: None,
        sigs: Vec::new(),
    };
    root.signed(&[&signer("root")]).expect("a root")
}

/// The version after `root`, which ends so many seconds later.
fn next(root: &TrustRoot, later: i64) -> TrustRoot {
    let (version, prev, exp) = (root.version + 1, Some(root.hash_for_prev()), root.exp.plus_seconds(later));
    let next = TrustRoot { version, prev, exp, sigs: Vec::new(), ..root.clone() };
    next.signed(&[&signer("root")]).expect("a root")
}

#[tokio::test]
async fn what_was_learnt_is_known_after_a_restart_and_follows_what_is_pinned() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, open) = (first(), |pinned: &TrustRoot| Roots::open(folder.path(), pinned.clone()));
    let roots = open(&one).expect("roots");
    assert_eq!(*roots.last(), one, "nothing was published yet");
    let (two, three) = (next(&one, 1), next(&next(&one, 1), 1));
    roots.learn(vec![Arc::new(two.clone()), Arc::new(three.clone())]).await.expect("kept");
    assert_eq!(*roots.last(), three);
    assert_eq!(*open(&one).expect("roots").last(), three, "no restart goes back behind it");
    assert_eq!(*open(&two).expect("roots").last(), three, "a later one may be pinned");
    assert_eq!(*open(&three).expect("roots").last(), three);
    let four = next(&three, 1);
    assert_eq!(*open(&four).expect("roots").last(), four, "also one that this point has not heard of");
    // Another history than the pinned one's.
    let other = next(&one, 2);
    let refused = open(&other).err().expect("a refusal");
    assert!(refused.contains("version 3") && refused.contains("move the file away"), "{refused}");
    std::fs::write(folder.path().join(FILE), b"[{}]").expect("written");
    assert!(open(&one).is_err(), "what can't be read is not passed over");
}

#[test]
fn a_write_that_nobody_waits_for_any_more_takes_back_nothing_that_came_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = first();
    let roots = Roots::open(folder.path(), one.clone()).expect("roots");
    let two = Arc::new(next(&one, 1));
    let three = Arc::new(next(&two, 1));
    keep(folder.path(), &roots.written, &[Arc::clone(&two), Arc::clone(&three)]).expect("kept");
    keep(folder.path(), &roots.written, &[two]).expect("it is there already");
    assert_eq!(*Roots::open(folder.path(), one).expect("roots").last(), *three);
}

/// An authority that shows these versions of the root: the first as the newest, the others by their numbers.
async fn authority(newest: TrustRoot, by_number: Vec<(u64, TrustRoot)>) -> (String, watch::Sender<bool>) {
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let mut shown = vec![(routes::REGISTRY_ROOT.to_owned(), newest)];
    shown.extend(by_number.into_iter().map(|(number, root)| (format!("{}/{number}", routes::REGISTRY_ROOT), root)));
    let answer = move |request: Request<Body>| {
        let root = shown.iter().find(|(path, _)| path == request.uri().path());
        let root = root.map(|(_, root)| root.to_value().to_string());
        async move { root.map_or((StatusCode::NOT_FOUND, String::new()), |root| (StatusCode::OK, root)) }
    };
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(Router::new().fallback(answer), stopping, Duration::ZERO));
    (at, stop)
}

/// What a point that knows these versions makes of what the authority there shows.
async fn followed(roots: &Roots, authority: &str) -> Result<Arc<TrustRoot>, String> {
    let by = ReadAs { signer: Arc::new(signer("gw-0")), clock: Arc::new(SystemClock) };
    roots.follow(&Client::new(), &by, authority).await.map_err(|error| match error {
        CallError::Malformed(what) => what,
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn a_root_that_does_not_follow_the_one_in_use_is_not_learnt_and_nor_is_what_came_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = first();
    let roots = Roots::open(folder.path(), one.clone()).expect("roots");
    let (two, other) = (next(&one, 1), next(&one, 2));
    let signed =
        |root: TrustRoot, by: &str| TrustRoot { sigs: Vec::new(), ..root }.signed(&[&signer(by)]).expect("a root");
    let mut lost = two.clone();
    lost.roles[0] = key("head-2", KeyUse::Head, "ledger://d");
    for (newest, by_number, why) in [
        (signed(two.clone(), "stranger"), vec![], RootError::PreviousThreshold),
        (signed(lost, "root"), vec![], RootError::Record("key:d/head/1".into())),
        // The last of three is of another history.
        (next(&other, 1), vec![(2, two.clone())], RootError::Prev),
        // Another version than was asked for.
        (next(&next(&two, 1), 1), vec![(2, two.clone()), (3, two.clone())], RootError::Version),
    ] {
        let (at, _stop) = authority(newest, by_number).await;
        assert_eq!(followed(&roots, &at).await, Err(why.to_string()));
        assert_eq!(*roots.last(), one, "{why}");
        assert!(!folder.path().join(FILE).exists(), "{why}: no version of them is kept");
    }
    let (at, _stop) = authority(next(&two, 1), vec![(2, two.clone())]).await;
    assert_eq!(*followed(&roots, &at).await.expect("it follows"), next(&two, 1));
    // An authority that shows an older one takes nothing back.
    let (at, _stop) = authority(two, Vec::new()).await;
    assert_eq!(followed(&roots, &at).await.expect("nothing new").version, 3);
}

#[tokio::test]
async fn a_root_that_the_folder_does_not_take_is_not_in_force_until_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = first();
    let roots = Roots::open(folder.path(), one.clone()).expect("roots");
    let (at, _stop) = authority(next(&one, 1), Vec::new()).await;
    let in_the_way = folder.path().join(FILE);
    std::fs::create_dir(&in_the_way).expect("made");
    let refused = followed(&roots, &at).await.expect_err("it can't be kept");
    assert!(refused.starts_with("roots.json can't be written: "), "{refused}");
    assert_eq!(*roots.last(), one, "what is not durable is judged by nowhere");
    std::fs::remove_dir(&in_the_way).expect("removed");
    assert_eq!(*followed(&roots, &at).await.expect("it is kept"), next(&one, 1));
    let two = next(&one, 1);
    assert_eq!(*Roots::open(folder.path(), one).expect("roots").last(), two);
}
