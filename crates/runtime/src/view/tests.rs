use super::*;
use crate::serve::tests::{ledger, opened};
use axum::Router;
use axum::body::Body;
use eleven_api::edge::{ManualClock, SystemClock};
use eleven_api::serve::Listener;
use eleven_core::encoding::{Value, parse};
use eleven_core::signature::SeedSigner;
use eleven_store::faulty::FaultyDisk;
use http::{Request, StatusCode};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const POINT: &str = "k8s://cluster-east-1/ns/inference#gw-0";

/// What the vectors' admission of this name has, or else the one in which everything is in order: root, registry, stamp.
fn member(what: &str, name: &str) -> Value {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let mut cases = file.get("cases").and_then(Value::as_array).expect("cases").iter();
    let case = cases.find(|case| case.get("what") == Some(&Value::from(what))).expect("a case of that name");
    let own = case.get("change").and_then(|change| change.get(name));
    own.or_else(|| file.get("base").and_then(|base| base.get(name))).expect("a member").clone()
}

/// The view of the vectors' admission of this name.
pub(crate) fn view_where(what: &str) -> View {
    let root = TrustRoot::read(member(what, "root")).expect("a root");
    let snapshot = Snapshot::read(member(what, "registry")).expect("a snapshot");
    let stamp = Stamp::read(member(what, "stamp")).expect("a stamp");
    View::open(&root, snapshot, stamp, &mut KeyTables::new()).expect("a view")
}

impl Registry {
    /// Holds a view as one that was just fetched, before what runs is reviewed by it.
    pub(crate) fn hold(&self, view: View) {
        let issuers = TokenIssuers::of(view.lists().sources.iter());
        self.hold_by(view, issuers);
    }

    /// The same, where these issuers' tokens are believed.
    pub(crate) fn hold_by(&self, view: View, issuers: TokenIssuers) {
        let asked = Moment::now(&*self.reader.clock);
        self.swap(Holding { view, asked, bundles: Arc::default(), issuers: Arc::new(issuers), uses_since: None });
    }
}

fn key(n: u8, owner: &str, usage: KeyUse, nbf: i64, status: KeyStatus) -> KeyRecord {
    let (nbf, exp) = (Time(nbf * 1000), Time(900_000));
    KeyRecord { kid: format!("key:d/gw-0/{n}"), public: [n; 32], usage, owner: owner.to_owned(), nbf, exp, status }
}

#[test]
fn a_point_under_another_key_knows_uses_since_the_last_one_was_closed() {
    let since = |keys: &[KeyRecord], n: u8| uses_since(keys.iter(), POINT, &format!("key:d/gw-0/{n}"));
    let first = key(1, POINT, KeyUse::Event, 10, KeyStatus::Active);
    let neighbour = key(7, "k8s://cluster-east-1/ns/inference#gw-1", KeyUse::Event, 50, KeyStatus::Active);
    let attests = key(8, POINT, KeyUse::Attestation, 50, KeyStatus::Active);
    let mut keys = vec![first, neighbour, attests];
    assert_eq!(since(&keys, 1), None, "it never had another");
    assert_eq!(since(&keys, 2), Some(Time(i64::MAX)), "its key is not known here yet");
    keys[0].status = KeyStatus::Retired(Time(60_500));
    keys.push(key(2, POINT, KeyUse::Event, 61, KeyStatus::Active));
    assert_eq!(since(&keys, 2), Some(Time(61_000)));
    // One that was registered ahead of time says nothing of what was used until the other was closed.
    keys[3].nbf = Time(20_000);
    assert_eq!(since(&keys, 2), Some(Time(60_500)));
    keys[0].status = KeyStatus::Compromised(Time(70_000));
    assert_eq!(since(&keys, 2), Some(Time(70_000)));
}

#[test]
fn a_point_in_the_place_of_another_knows_uses_since_that_ones_key_ended() {
    let since = |owner: &str, status| {
        let keys = [key(1, POINT, KeyUse::Event, 10, KeyStatus::Active), key(7, owner, KeyUse::Event, 5, status)];
        uses_since(keys.iter(), POINT, "key:d/gw-0/1")
    };
    let (before, elsewhere) = ("k8s://cluster-east-1/ns/inference#gw-1", "k8s://cluster-east-1/ns/other#gw-0");
    let ended = KeyStatus::Retired(Time(60_500));
    assert_eq!(since(before, ended), Some(Time(60_500)));
    assert_eq!(since(before, KeyStatus::Compromised(Time(70_000))), Some(Time(70_000)));
    assert_eq!(since(before, KeyStatus::Retired(Time(7_000))), Some(Time(10_000)), "not before its own key counts");
    assert_eq!((since(elsewhere, ended), since("governance://d/authority/dev", ended)), (None, None));
}

#[test]
fn an_older_stamp_is_taken_where_it_is_of_a_later_epoch_or_where_a_clock_was_set_back() {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let member = |name: &str| file.pointer(&format!("/base/{name}")).expect("a member").clone();
    let root = TrustRoot::read(member("root")).expect("a root");
    let (snapshot, stamp) = (Snapshot::read(member("registry")), Stamp::read(member("stamp")).expect("a stamp"));
    let held = View::open(&root, snapshot.expect("a snapshot"), stamp.clone(), &mut KeyTables::new()).expect("a view");
    let (issued, epoch) = (stamp.issued, stamp.epoch);
    let behind = |ms: i64, epoch: u64, now: Time| {
        let stamp = Stamp { issued: issued.plus_millis(ms), epoch, ..stamp.clone() };
        is_behind(&stamp, &held, now)
    };
    assert!(!behind(0, epoch, issued) && !behind(1, epoch, issued), "no older than what is held");
    assert!(behind(-1, epoch, issued));
    assert!(!behind(-70_000, epoch + 1, issued), "a later epoch is news");
    assert!(behind(-70_000, epoch - 1, issued));
    // The held stamp lies ahead of the clock, as far as it may, and further.
    assert!(behind(-70_000, epoch, issued.plus_millis(-MAX_STAMP_AHEAD_MS)));
    let back = issued.plus_millis(-MAX_STAMP_AHEAD_MS - 1);
    assert!(!behind(-70_000, epoch, back) && behind(-70_000, epoch - 1, back));
}

#[test]
fn a_stamp_that_comes_again_is_as_old_as_it_was() {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let member = |name: &str| file.pointer(&format!("/base/{name}")).expect("a member").clone();
    let root = TrustRoot::read(member("root")).expect("a root");
    let (snapshot, stamp) = (Snapshot::read(member("registry")), Stamp::read(member("stamp")).expect("a stamp"));
    let view = View::open(&root, snapshot.expect("a snapshot"), stamp.clone(), &mut KeyTables::new()).expect("a view");
    let moment = |ms: i64| Moment { at: stamp.issued.plus_millis(ms), steady: ms };
    let (bundles, issuers) = (Arc::default(), Arc::default());
    let held = Holding { view, bundles, issuers, asked: moment(0), uses_since: None };
    assert_eq!(held.since(&stamp, moment(9_000)), moment(0));
    let newer = Stamp { issued: stamp.issued.plus_millis(1), ..stamp.clone() };
    assert_eq!(held.since(&newer, moment(9_000)), moment(9_000));
}

#[test]
fn what_a_registry_key_signs_that_counts_no_more_is_no_epoch_here() {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let member = |name: &str| file.pointer(&format!("/base/{name}")).expect("a member").clone();
    let root = TrustRoot::read(member("root")).expect("a root");
    let (snapshot, stamp) = (Snapshot::read(member("registry")), Stamp::read(member("stamp")).expect("a stamp"));
    let now = stamp.issued;
    let view = View::open(&root, snapshot.expect("a snapshot"), stamp, &mut KeyTables::new()).expect("a view");
    check_signers(&view, &root, now).expect("it counts");
    for status in [KeyStatus::Retired(now), KeyStatus::Compromised(now)] {
        let mut next = root.clone();
        next.roles.iter_mut().filter(|key| key.usage == KeyUse::Registry).for_each(|key| key.status = status);
        assert!(check_signers(&view, &next, now.plus_millis(-1)).is_ok(), "{status:?}");
        let refused = check_signers(&view, &next, now).expect_err("it was ended").to_string();
        assert!(refused.contains(&view.header().kid), "{refused}");
    }
}

/// What was logged: the level of each event, and what it says, its fields with it.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<(Level, String)>>>);

impl Logged {
    /// What the events say.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("whole").iter().map(|(_, said)| said.clone()).collect()
    }
}

/// What an event says.
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl Subscriber for Logged {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = Said(String::new());
        event.record(&mut said);
        self.0.lock().expect("whole").push((*event.metadata().level(), said.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn an_epoch_behind_one_that_was_seen_is_an_error_in_the_log_and_not_in_force() {
    let logged = Logged::default();
    tracing::subscriber::with_default(logged.clone(), || {
        for epoch in [4, 6, 7, 8] {
            announce(epoch, 7);
        }
    });
    let levels: Vec<Level> = logged.0.lock().expect("whole").iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::ERROR, Level::ERROR, Level::INFO, Level::INFO]);
}

/// Who asks the authority there; the folder of its roots is there as long as what comes beside it.
fn asking(authority: String) -> (Registry, tempfile::TempDir) {
    asking_by(authority, Arc::new(SystemClock))
}

/// The same by this clock.
fn asking_by(authority: String, clock: Arc<dyn Clock>) -> (Registry, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = TrustRoot::read(member("everything in order", "root")).expect("a root");
    let roots = Arc::new(Roots::open(folder.path(), root).expect("roots"));
    let signer = SeedSigner::new("key:11-11/gw-0/1", &[1; 32]);
    let reader = ReadAs { signer: Arc::new(signer), clock };
    (Registry::new(roots, authority, Client::new(), POINT.to_owned(), reader), folder)
}

/// The epoch of the snapshot that is taken for a stamp of an authority that gives these answers, with the stamp that goes with it;
/// and what it was asked for.
async fn taken(named: &Stamp, answers: &[&Value]) -> (Result<(u64, Stamp), String>, Vec<String>) {
    let answers = answers.iter().map(|answer| (StatusCode::OK, answer.to_string())).collect();
    let (authority, asked, _stop) = ledger(answers).await;
    let (registry, _folder) = asking(authority);
    let taken = registry.snapshot(named.clone()).await;
    let taken = taken.map(|(snapshot, stamp)| (snapshot.header.epoch, stamp)).map_err(|error| error.to_string());
    let asked = asked.lock().expect("whole").clone();
    (taken, asked)
}

#[tokio::test]
async fn a_snapshot_is_of_the_epoch_of_its_stamp_or_none() {
    let part = |name: &str| member("everything in order", name);
    let (snapshot, stamp) = (part("registry"), Stamp::read(part("stamp")).expect("a stamp"));
    let later = Stamp { epoch: stamp.epoch + 1, ..stamp.clone() };
    let (current, newer) = (stamp.to_value(), later.to_value());
    let (one, other) = (routes::REGISTRY_SNAPSHOT, routes::REGISTRY_STAMP);
    let both: Result<(u64, Stamp), String> = Ok((stamp.epoch, stamp.clone()));
    let (found, asked) = taken(&stamp, &[&snapshot]).await;
    assert_eq!((&found, asked.as_slice()), (&both, [one.to_owned()].as_slice()));
    // The authority has moved on: the newer stamp goes with it.
    let (found, asked) = taken(&later, &[&snapshot, &current, &snapshot]).await;
    assert_eq!((&found, asked.as_slice()), (&both, [one, other, one].map(str::to_owned).as_slice()));
    // One that says two things is believed neither.
    let (found, asked) = taken(&later, &[&snapshot, &newer, &snapshot, &newer, &snapshot, &newer]).await;
    assert_eq!(found, Err("the authority's snapshot and stamp are of different epochs".to_owned()));
    assert_eq!(asked, [one, other, one, other, one, other]);
}

/// What the authority of the vectors' admission shows under this name.
fn shows(name: &str) -> (StatusCode, String) {
    (StatusCode::OK, member("everything in order", name).to_string())
}

#[tokio::test]
async fn a_view_whose_signer_counts_no_more_is_neither_held_nor_goes_on() {
    let root = TrustRoot::read(member("everything in order", "root")).expect("a root");
    let signer = root.roles.iter().find(|key| key.usage == KeyUse::Registry).expect("a registry key");
    let clock = Arc::new(ManualClock::new(signer.exp));
    let (authority, asked, _stop) = ledger(["stamp", "registry", "root", "stamp", "stamp"].map(shows).to_vec()).await;
    let (registry, _folder) = asking_by(authority, Arc::clone(&clock) as Arc<dyn Clock>);
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let desks = &point.gate.desks;
    let noted = desks.seen_epoch();
    let refused = registry.refresh(desks).await.expect_err("its signer has ended").to_string();
    assert!(refused.contains(&signer.kid) && refused.contains("does not count"), "{refused}");
    assert_eq!(asked.lock().expect("whole").len(), 3, "and no bundle is asked for");
    assert!(registry.held().is_none() && desks.seen_epoch() == noted);

    // One that is held gets no new stamp of that key, and gets one as long as the key counts.
    registry.hold(view_where("everything in order"));
    let held = registry.held().expect("a view");
    let refused = registry.refresh(desks).await.expect_err("its signer has ended").to_string();
    assert!(refused.contains(&signer.kid) && refused.contains("does not count"), "{refused}");
    assert!(Arc::ptr_eq(&held, &registry.held().expect("a view")));
    // The same stamp counts as of when it was first asked for: so it is held anew.
    clock.set(signer.exp.plus_millis(-1));
    registry.hold(view_where("everything in order"));
    let held = registry.held().expect("a view");
    assert!(!registry.refresh(desks).await.expect("it counts"), "no other epoch");
    assert!(!Arc::ptr_eq(&held, &registry.held().expect("a view")));
}

#[tokio::test]
async fn a_stamp_that_says_less_than_the_one_that_is_held_is_not_taken() {
    let stamp = Stamp::read(member("everything in order", "stamp")).expect("a stamp");
    let issued = stamp.issued;
    let older = Stamp { issued: issued.plus_millis(-1), ..stamp };
    let (authority, asked, _stop) = ledger(vec![(StatusCode::OK, older.to_value().to_string())]).await;
    let (registry, _folder) = asking_by(authority, Arc::new(ManualClock::new(issued)));
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    registry.hold(view_where("everything in order"));
    let held = registry.held().expect("a view");
    let refused = registry.refresh(&point.gate.desks).await.expect_err("it is older").to_string();
    assert!(refused.contains("older than the one that is held"), "{refused}");
    assert!(Arc::ptr_eq(&held, &registry.held().expect("a view")));
    assert_eq!(*asked.lock().expect("whole"), [routes::REGISTRY_STAMP]);
}

#[tokio::test]
async fn who_waits_for_another_epoch_than_was_seen_asks_for_it_unless_it_is_held_by_then() {
    let (authority, asked, _stop) = ledger(Vec::new()).await;
    let (registry, _folder) = asking(authority);
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let renew = async |seen: Option<u64>| registry.renew(&point.gate.desks, &point.gate.running, seen).await;
    registry.hold(view_where("everything in order"));
    let epoch = registry.held().expect("a view").view.epoch();
    renew(Some(epoch - 1)).await.expect("another is held");
    assert!(asked.lock().expect("whole").is_empty());
    for (asks, seen) in [(1, Some(epoch)), (2, None)] {
        renew(seen).await.expect_err("the authority has none");
        assert_eq!(asked.lock().expect("whole").len(), asks, "{seen:?}");
    }
}

#[tokio::test]
async fn another_bundle_than_the_one_that_was_asked_for_is_no_answer() {
    let proof = parse(include_bytes!("../../../../spec/vectors/bundle.proof.json")).expect("I-JSON");
    let shown = proof.get("policy").expect("a bundle").clone();
    let hash = PolicyBundle::read(shown.clone()).expect("of its form").hash;
    // Whichever is asked for, it shows that one.
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let authority = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = move |_: Request<Body>| std::future::ready(shown.to_string());
    let (_stop, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(Router::new().fallback(answer), stopping, Duration::ZERO));

    let (registry, _folder) = asking(authority);
    assert_eq!(registry.bundle(hash).await.expect("that one").hash, hash);
    let asked = Sha3([7; 64]);
    let refused = registry.bundle(asked).await.expect_err("another");
    assert!(
        matches!(&refused, CallError::Malformed(what) if *what == format!("the authority sent another bundle than {asked}")),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_does_not_answer_makes_no_end_longer() {
    // It takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("it listens");
    let authority = format!("http://{}", silent.local_addr().expect("an address"));
    let (registry, _folder) = asking(authority);
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let gate = Arc::clone(&point.gate);
    let (stop, stopping) = watch::channel(false);
    let following = tokio::spawn(async move {
        registry.follow(&gate.desks, &gate.running, gate.clock.as_ref(), Duration::from_millis(1), stopping).await;
    });
    let _taken = silent.accept().expect("it is asked");
    stop.send_replace(true);
    let ended = tokio::time::timeout(DEADLINE / 2, following).await;
    ended.expect("long before the authority's time is over").expect("no panic");
}

#[tokio::test]
async fn what_keeps_the_registry_from_being_refreshed_is_said_again_where_it_is_something_else() {
    let failing = (StatusCode::SERVICE_UNAVAILABLE, String::new());
    let unknown = (StatusCode::UNAUTHORIZED, String::new());
    // And then what answers nothing else.
    let (authority, asked, _answering) = ledger(vec![failing.clone(), failing, unknown.clone(), unknown]).await;
    let (registry, _folder) = asking(authority);
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let gate = &point.gate;
    let (_stop, stopping) = watch::channel(false);
    let logged = Logged::default();
    let _logging = tracing::subscriber::set_default(logged.clone());
    let often = Duration::from_millis(1);
    let following = registry.follow(&gate.desks, &gate.running, gate.clock.as_ref(), often, stopping);
    let six = async {
        while asked.lock().expect("whole").len() < 6 {
            tokio::time::sleep(often).await;
        }
    };
    tokio::select! {
        () = following => panic!("nobody told it to stop"),
        () = six => {}
    }
    let lines = logged.lines();
    let said: Vec<&String> = lines.iter().filter(|line| line.contains("could not be refreshed")).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said.iter().all(|line| line.contains("every call is refused")), "there is no view yet: {said:?}");
}
