//! How much each reader is shown under each setting.

use super::{DEADLINE, Served};
use crate::world::{DOMAIN, Home, POINT, Producers, kid, signer, single, start};
use bytes::Bytes;
use eleven_api::audit::Append;
use eleven_api::client::CallError;
use eleven_api::edge::Clock as _;
use eleven_api::secret::{AUDITOR, CLIENT, Secret};
use eleven_api::{public, reader, routes};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::reason::Reason;
use eleven_core::registry::exposure::{EXPOSURE_SERVICE, Exposure};
use eleven_core::registry::{ApprovedInterface, InterfaceRecord, Item as _};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use std::time::Duration;

type Headers = Vec<(HeaderName, HeaderValue)>;

/// The status of a reading, and the reason where it was refused.
async fn status(served: &Served, path: &str, headers: &Headers) -> (u16, Option<Reason>) {
    match served.client.call(Method::GET, &served.base, path, headers, Bytes::new(), DEADLINE).await {
        Ok(_) => (200, None),
        Err(CallError::Refused(problem)) => (problem.status, problem.reason),
        Err(other) => panic!("{path}: {other}"),
    }
}

/// What a reader is told who is refused.
async fn refusal(served: &Served, path: &str, headers: &Headers) -> String {
    match served.client.call(Method::GET, &served.base, path, headers, Bytes::new(), DEADLINE).await {
        Err(CallError::Refused(problem)) => problem.detail,
        other => panic!("{path}: {other:?}"),
    }
}

fn bearer(secret: &Secret) -> Headers {
    vec![(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", secret.reveal())).expect("text"))]
}

/// Posts, and waits until a head covers it.
async fn posted(served: &Served, append: &Append) {
    let size = served.post(append).await.expect("posted").size;
    let shared = &served.shared;
    crate::proof::covered(shared, size - 1, DEADLINE, crate::proof::has_index).await.expect("a head");
}

/// Sets how much strangers may read, as the `version`th setting.
pub(super) fn expose(producers: &mut Producers, version: u64, exposure: Exposure) -> Record {
    interface(producers, version, Sha3::of_value(&exposure.document(DOMAIN)))
}

fn interface(producers: &mut Producers, version: u64, hash: Sha3) -> Record {
    let record = InterfaceRecord { service: EXPOSURE_SERVICE.to_owned(), version: version.to_string(), hash };
    let approved = ApprovedInterface::sign(DOMAIN, record, &signer("policy"));
    producers.by_authority("interface.approved", approved.to_object())
}

/// One record, posted.
async fn set(served: &Served, record: &Record) {
    let mut append = Append::default();
    append.record(record);
    posted(served, &append).await;
}

const REFUSED: (u16, Option<Reason>) = (401, Some(Reason::IdentityUnauthenticated));
const SHOWN: (u16, Option<Reason>) = (200, None);

/// What a domain has to show, and to whom.
struct Domain {
    producers: Producers,
    op: String,
    request: Sha3,
    auditor: Secret,
    client: Secret,
}

async fn domain(served: &Served) -> Domain {
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    let (auditor, client) = (Secret::new("examiner", &[1; 32]), Secret::new("app", &[2; 32]));
    let (auditor, client) = (auditor.expect("a name"), client.expect("a name"));
    for source in [auditor.source(AUDITOR, "human:examiner:prod"), client.source(CLIENT, "svc:app:prod")] {
        let Value::Object(source) = source.to_value() else { panic!("an object") };
        append.record(&producers.by_authority("source.registered", source));
    }
    posted(served, &append).await;
    let request = eleven_core::lineage::issued_data(&operation.issued.data).expect("issued").request;
    Domain { producers, op: operation.op, request, auditor, client }
}

impl Domain {
    /// Surfaces that name no operation, or one whose id the reader has; then those that go through all entries.
    fn paths(&self) -> (Vec<String>, Vec<String>) {
        let shown = vec![
            routes::PROOF_HEAD.to_owned(),
            routes::PROOF_HEADS.to_owned(),
            routes::CHECKPOINT.to_owned(),
            "/tile/0/000.p/8".to_owned(),
            "/v1/proof/inclusion?seq=1".to_owned(),
            "/v1/proof/consistency?first=3".to_owned(),
            format!("/v1/proof/exclusion?op={}", self.op),
            format!("{}2", routes::PROOF_TLOG),
            format!("{}{}", routes::PROOF_TLOG, self.op),
            format!("{}{}", routes::PROOF_LINEAGE, self.op),
            format!("{}{}", routes::PROOF_BUNDLE, self.op),
            format!("/v1/proof/why/{}", self.op),
            format!("{}{}", routes::AUDIT_BLOB, self.request),
            routes::REGISTRY_ROOT.to_owned(),
            format!("{}/1", routes::REGISTRY_ROOT),
            routes::REGISTRY_ISSUERS.to_owned(),
            routes::REGISTRY_POLICY_HISTORY.to_owned(),
            routes::REGISTRY_REVOCATIONS.to_owned(),
        ];
        let entries = vec![
            "/tile/entries/000.p/8".to_owned(),
            format!("{}?from=0&to=3", routes::AUDIT_CONTENT),
            format!("{}?from=0", routes::AUDIT_ENTRIES),
            format!("{}?registry=1", routes::AUDIT_ENTRIES),
            format!("{}?registry=1&discontinuities=1", routes::AUDIT_ENTRIES),
            format!("{}?identity=svc:gateway:prod", routes::AUDIT_SEARCH),
        ];
        (shown, entries)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_entries_is_judged_by_the_setting_under_which_they_came() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    set(&served, &expose(&mut domain.producers, 1, Exposure::Open)).await;
    // Behind the setting itself, and the seal that it stands under.
    let path = format!("{}?from={}&wait=15000", routes::AUDIT_ENTRIES, served.shared.size() + 6);
    let (stranger, examiner) = (Headers::new(), bearer(&domain.auditor));
    let (waiting, examining) = (status(&served, &path, &stranger), status(&served, &path, &examiner));
    let closing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        set(&served, &expose(&mut domain.producers, 2, Exposure::Private)).await;
        for n in 0..8 {
            set(&served, &domain.producers.denial(&format!("number {n}"))).await;
        }
    };
    let (stranger, examiner, ()) = tokio::join!(waiting, examining, closing);
    assert_eq!((stranger, examiner), (REFUSED, SHOWN));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_auditor_waited_for_is_for_it_alone_by_the_setting_under_which_it_came() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    set(&served, &expose(&mut domain.producers, 1, Exposure::Open)).await;
    let path = format!("{}?from={}&wait=15000", routes::AUDIT_ENTRIES, served.shared.size() + 6);
    let (name, value) = bearer(&domain.auditor).remove(0);
    let request = Request::builder().uri(format!("{}{path}", served.base)).header(name, value);
    let examining = served.client.send(request.body(Full::default()).expect("a request"));
    let followers = served.shared.durable.receiver_count();
    let closing = async {
        while served.shared.durable.receiver_count() <= followers {
            tokio::task::yield_now().await;
        }
        // It was let in when anybody was.
        set(&served, &expose(&mut domain.producers, 2, Exposure::ByPossession)).await;
        for n in 0..8 {
            set(&served, &domain.producers.denial(&format!("number {n}"))).await;
        }
    };
    let (examined, ()) = tokio::join!(examining, closing);
    let examined = examined.expect("answered");
    assert_eq!(examined.status(), 200);
    assert_eq!(examined.headers().get("cache-control").and_then(|kept| kept.to_str().ok()), Some(public::NEVER));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_a_setting_is_shown_by_that_setting_before_it_is_sealed() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    set(&served, &expose(&mut domain.producers, 1, Exposure::Open)).await;
    // From the setting itself on.
    let path = format!("{}?from={}&wait=15000", routes::AUDIT_ENTRIES, served.shared.size());
    let (stranger, examiner) = (Headers::new(), bearer(&domain.auditor));
    let (waiting, examining) = (status(&served, &path, &stranger), status(&served, &path, &examiner));
    let closing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut append = Append::default();
        append.record(&expose(&mut domain.producers, 2, Exposure::Private));
        append.record(&domain.producers.denial("in the same commit"));
        posted(&served, &append).await;
    };
    let (stranger, examiner, ()) = tokio::join!(waiting, examining, closing);
    assert_eq!((stranger, examiner), (REFUSED, SHOWN));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_possession_a_stranger_gets_what_it_can_name_and_an_auditor_everything() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    let (shown, entries) = domain.paths();
    for path in shown {
        assert_eq!(status(&served, &path, &Headers::new()).await, SHOWN, "{path}");
    }
    let stranger = Secret::new("examiner", &[9; 32]).expect("a name");
    let basic: Headers = vec![(AUTHORIZATION, HeaderValue::from_static("Basic ZXhhbWluZXI="))];
    for path in &entries {
        assert_eq!(status(&served, path, &Headers::new()).await, REFUSED, "{path}");
        assert_eq!(status(&served, path, &bearer(&stranger)).await, REFUSED, "{path}");
        assert_eq!(status(&served, path, &bearer(&domain.client)).await, REFUSED, "a client is no auditor: {path}");
        assert_eq!(status(&served, path, &basic).await, REFUSED, "{path}");
        assert_eq!(status(&served, path, &bearer(&domain.auditor)).await, SHOWN, "{path}");
    }
    let told = refusal(&served, &entries[0], &Headers::new()).await;
    assert!(told.contains("; send an auditor's secret as `Authorization: Bearer`"), "{told}");
    let told = refusal(&served, &entries[0], &bearer(&stranger)).await;
    assert!(
        told.contains("; what was sent as `Authorization: Bearer` is no secret of an auditor that counts"),
        "{told}"
    );
    // What one reader was shown stays out of caches.
    let (name, value) = bearer(&domain.auditor).remove(0);
    let request = Request::builder().uri(format!("{}{}", served.base, entries[0])).header(name, value);
    let answer = served.client.send(request.body(Full::default()).expect("a request")).await.expect("answered");
    assert_eq!(answer.headers().get("cache-control").and_then(|kept| kept.to_str().ok()), Some(public::NEVER));

    let removed = domain.producers.by_authority("source.removed", Object::new().with("name", "auditor.examiner"));
    set(&served, &removed).await;
    assert_eq!(status(&served, &entries[0], &bearer(&domain.auditor)).await, REFUSED);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_follows_the_registry_by_a_clock_of_its_own_and_reads_nothing_else_by_it() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    let registry = format!("{}?registry=1", routes::AUDIT_ENTRIES);
    let [with_drifts, all] =
        ["?registry=1&discontinuities=1", "?from=0"].map(|query| routes::AUDIT_ENTRIES.to_owned() + query);
    let signed =
        |label: &str, path: &str, off| reader::signed(path, &signer(label), home.clock.now().plus_seconds(off));
    for off in [-60, 0, 60] {
        assert_eq!(status(&served, &registry, &signed("authority", &registry, off)).await, SHOWN, "{off}");
        for label in ["gw-0", "audit", "issuer", "stranger"] {
            assert_eq!(status(&served, &registry, &signed(label, &registry, off)).await, REFUSED, "{label} {off}");
        }
        assert_eq!(status(&served, &registry, &signed("authority", &all, off)).await, REFUSED, "of another path {off}");
        let expected = if off == 0 { SHOWN } else { REFUSED };
        for path in [&with_drifts, &all] {
            assert_eq!(status(&served, path, &signed("authority", path, off)).await, expected, "{path} {off}");
        }
    }
    let private = expose(&mut domain.producers, 1, Exposure::Private);
    set(&served, &private).await;
    assert_eq!(status(&served, &registry, &signed("authority", &registry, 60)).await, REFUSED);
    assert_eq!(status(&served, &registry, &signed("authority", &registry, 0)).await, SHOWN);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_shows_everything_and_private_nothing_to_strangers() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    let (shown, entries) = domain.paths();
    let all: Vec<String> = shown.into_iter().chain(entries).collect();
    let open = expose(&mut domain.producers, 1, Exposure::Open);
    set(&served, &open).await;
    for path in &all {
        assert_eq!(status(&served, path, &Headers::new()).await, SHOWN, "{path}");
    }
    let private = expose(&mut domain.producers, 2, Exposure::Private);
    set(&served, &private).await;
    for path in &all {
        assert_eq!(status(&served, path, &Headers::new()).await, REFUSED, "{path}");
        assert_eq!(status(&served, path, &bearer(&domain.client)).await, REFUSED, "{path}");
        assert_eq!(status(&served, path, &bearer(&domain.auditor)).await, SHOWN, "{path}");
    }
    // The producers' own routes, and health, go on.
    set(&served, &domain.producers.denial("goes on")).await;
    let cursor = format!("{}{}", routes::AUDIT_CURSOR, kid("gw-0"));
    let own = reader::signed(&cursor, &signer("gw-0"), home.clock.now());
    assert_eq!(status(&served, &cursor, &own).await, SHOWN);
    assert_eq!(status(&served, &cursor, &Headers::new()).await, REFUSED);
    assert_eq!(status(&served, routes::HEALTH, &Headers::new()).await, SHOWN);

    // A setting that this version does not know shows nothing either.
    let unknown = interface(&mut domain.producers, 3, Sha3::of(&[b"other"]));
    set(&served, &unknown).await;
    assert_eq!(status(&served, routes::PROOF_HEAD, &Headers::new()).await, REFUSED);
    let again = expose(&mut domain.producers, 4, Exposure::ByPossession);
    set(&served, &again).await;
    assert_eq!(status(&served, routes::PROOF_HEAD, &Headers::new()).await, SHOWN);
    assert_eq!(status(&served, "/tile/entries/000.p/8", &Headers::new()).await, REFUSED);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_stream_stands_is_told_to_whoever_has_its_key_and_to_no_stranger() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    // A record that is refused is kept as evidence, under its hash.
    let refused = domain.producers.alone("gw-0", POINT, "policy.retired", Object::new());
    let mut append = Append::default();
    append.record(&refused);
    assert_eq!(Served::status(served.post(&append).await).0, 422);
    let path = format!("{}{}", routes::AUDIT_CURSOR, kid("gw-0"));
    let encoded = format!("{}{}", routes::AUDIT_CURSOR, kid("gw-0").replace(':', "%3A").replace('/', "%2F"));
    let own = |path: &str, label: &str| reader::signed(path, &signer(label), home.clock.now());

    for path in [&path, &encoded] {
        for headers in
            [Headers::new(), bearer(&domain.client), own(path, "gw-1"), own(path, "audit"), own("/x", "gw-0")]
        {
            assert_eq!(status(&served, path, &headers).await, REFUSED, "{path} {headers:?}");
        }
        for headers in [own(path, "gw-0"), own(path, "authority"), bearer(&domain.auditor)] {
            assert_eq!(status(&served, path, &headers).await, SHOWN, "{path} {headers:?}");
        }
    }
    let told = served.cursor(&home, "gw-0", &path).await;
    assert_eq!(told.hash, Some(Sha3::of(&[refused.canonical()])), "its producer learns which record it was");

    // A key that was retired still reads of its own stream; one in other hands does not.
    let kid_of = |label: &str| Object::new().with("kid", kid(label));
    set(&served, &domain.producers.by_authority("key.retired", kid_of("gw-0"))).await;
    assert_eq!(status(&served, &path, &own(&path, "gw-0")).await, SHOWN);
    let stolen = kid_of("gw-0").with("since", start().to_millis_value());
    set(&served, &domain.producers.by_authority("key.compromised", stolen)).await;
    assert_eq!(status(&served, &path, &own(&path, "gw-0")).await, REFUSED);
    let nobodys = format!("{}{}", routes::AUDIT_CURSOR, kid("stranger"));
    assert_eq!(status(&served, &nobodys, &own(&nobodys, "stranger")).await.0, 404, "it waits to be registered");

    let open = expose(&mut domain.producers, 1, Exposure::Open);
    set(&served, &open).await;
    assert_eq!(status(&served, &path, &Headers::new()).await, SHOWN, "all entries are anybody's");
    served.end().await;
}

/// What an append of records is answered: the status, and the numbers that it tells as `next` and as `expected`.
async fn told(served: &Served, records: &[&Record]) -> (u16, Option<i64>, Option<i64>) {
    let mut append = Append::default();
    records.iter().for_each(|record| append.record(record));
    let request = Request::post(format!("{}{}", served.base, routes::AUDIT_EVENTS));
    let request = request.body(Full::new(Bytes::from(append.to_bytes()))).expect("a request");
    let (parts, body) = served.client.send(request).await.expect("answered").into_parts();
    let body = parse(&body.collect().await.expect("a body").to_bytes()).expect("I-JSON");
    let number = |name: &str| body.get(name).and_then(Value::as_int);
    (parts.status.as_u16(), number("next"), number("expected"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_again_what_is_in_the_ledger_is_told_no_more_than_that_says() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    posted(&served, &producers.set_up()).await;
    let [zero, one, two, three] = ["zero", "one", "two", "three"].map(|details| producers.denial(details));
    let taken = |next| (200, Some(next), None);
    assert_eq!(told(&served, &[&zero, &one, &two]).await, taken(3));
    assert_eq!(told(&served, &[&zero]).await, taken(1), "anybody can send what anybody may read");
    // A producer whose answer was lost sends again, in whatever pieces, and comes to where its stream stands.
    assert_eq!(told(&served, &[&zero, &one]).await, taken(2));
    assert_eq!(told(&served, &[&zero, &one, &two]).await, taken(3));
    assert_eq!(told(&served, &[&two, &three]).await, taken(4));

    // What was refused is served as evidence: it is told as much as what was taken.
    let refused = producers.alone("gw-0", POINT, "policy.retired", Object::new());
    assert_eq!(told(&served, &[&refused]).await, (422, Some(5), None));
    let five = producers.denial("five");
    assert_eq!(told(&served, &[&five]).await, taken(6));
    assert_eq!(told(&served, &[&refused]).await, (403, Some(5), None));
    producers.set_number("gw-0", 0);
    let other = producers.denial("another under the same number");
    assert_eq!(told(&served, &[&other]).await, (409, Some(6), Some(6)), "signed by whoever has the key");
    assert_eq!(told(&served, &[&other]).await, (409, Some(1), Some(1)), "and by now evidence");
    producers.set_number("gw-0", 9);
    let far = producers.denial("nine");
    assert_eq!(told(&served, &[&far]).await, (409, Some(6), Some(6)));

    // An answer speaks of the last record's key, whatever else came along.
    let another = producers.by_authority("approval.granted", Object::new());
    assert_eq!(told(&served, &[&another, &one]).await, taken(2));
    let retired = producers.by_authority("key.retired", Object::new().with("kid", kid("gw-0")));
    let next = i64::try_from(producers.number("authority")).expect("a number");
    assert_eq!(told(&served, &[&one, &retired]).await, taken(next));
    assert_eq!(told(&served, &[&two]).await, taken(3), "a repeat is one under a key that counts no more, too");
    producers.set_number("gw-0", 6);
    let six = producers.denial("six");
    assert_eq!(told(&served, &[&six]).await, (403, Some(6), None), "it was not there before");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_reads_a_private_ledger_by_its_key_and_a_point_the_checkpoint_alone() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut domain = domain(&served).await;
    let private = expose(&mut domain.producers, 1, Exposure::Private);
    set(&served, &private).await;
    let path = format!("{}{}", routes::PROOF_LINEAGE, domain.op);
    let now = home.clock.now();
    let signed = |label: &str, path: &str, now| reader::signed(path, &signer(label), now);
    assert_eq!(status(&served, &path, &signed("authority", &path, now)).await, SHOWN);
    let checkpoint = format!("{}?durability=D3", routes::CHECKPOINT);
    assert_eq!(status(&served, &checkpoint, &signed("gw-0", &checkpoint, now)).await, SHOWN);
    assert_eq!(status(&served, &checkpoint, &signed("audit", &checkpoint, now)).await, REFUSED);
    for (label, signed_path, at) in [
        ("gw-0", path.as_str(), now),
        ("audit", path.as_str(), now),
        ("issuer", path.as_str(), now),
        ("stranger", path.as_str(), now),
        ("authority", "/v1/proof/head", now),
        ("authority", path.as_str(), now.plus_seconds(-11)),
        ("authority", path.as_str(), now.plus_seconds(11)),
    ] {
        assert_eq!(
            status(&served, &path, &signed(label, signed_path, at)).await,
            REFUSED,
            "{label} {signed_path} {at:?}"
        );
    }
    let retired =
        domain.producers.by_authority("key.retired", Object::new().with("kid", Value::from(kid("authority"))));
    set(&served, &retired).await;
    home.clock.advance(1000);
    let late = home.clock.now();
    assert_eq!(status(&served, &path, &signed("authority", &path, late)).await, REFUSED);
    served.end().await;
}
