//! The registry's surfaces: who issues, which policy was in force when, what is revoked and by which event.

use super::Served;
use crate::world::{Home, Producers, RUNTIME, kid, policy_bundle, policy_id, root, signer, single};
use eleven_api::audit::Append;
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::head::Head;
use eleven_core::index::{Proof, Proves, item_key, item_value};
use eleven_core::registry::Header;
use eleven_core::root::TrustRoot;

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} in {value:?}"))
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("{name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn issuers_have_their_windows_their_history_and_their_proof() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    append.record(
        &producers.by_authority("key.retired", eleven_core::encoding::Object::new().with("kid", kid("issuer"))),
    );
    // How many entries lie before it the ledger decides: it may have sealed the genesis by itself.
    let retired = served.post(&append).await.expect("set up").size - 1;
    // The header is the authority's, which follows.
    crate::proof::covered(&served.shared, retired, super::DEADLINE, crate::proof::has_registry)
        .await
        .expect("a header");
    let issuers = served.get(routes::REGISTRY_ISSUERS).await.expect("issuers");
    let kids: Vec<&str> = items(&issuers, "issuers").iter().map(|key| text(key, "/kid")).collect();
    assert_eq!(kids, [kid("authority"), kid("issuer")], "no point's key, and not the ledger's");
    let key = &items(&issuers, "issuers")[1];
    assert_eq!((text(key, "/status"), text(key, "/nbf")), ("retired", "2026-04-01T00:00:00Z"));
    let history = issuers.get("history").and_then(|history| history.get(&kid("issuer"))).expect("a history");
    let events: Vec<&str> = history.as_array().expect("changes").iter().map(|change| text(change, "/event")).collect();
    assert_eq!(events, ["ledger.genesis", "key.retired"]);
    assert_eq!(history.pointer("/1/seq").and_then(Value::as_int), i64::try_from(retired).ok());

    // The record is under the registry's header, and the header under the head.
    let head = Head::read(issuers.get("head").expect("a head").clone()).expect("a head");
    let (header, _) = Header::read(issuers.get("header").expect("a header").clone()).expect("a header");
    assert_eq!(header.hash(), head.commitment.registry.hash);
    let proof = issuers.get("proofs").and_then(|proofs| proofs.get(&kid("issuer"))).expect("a proof").clone();
    let proven = Proof::read(proof).expect("a proof").proves(&header.items, &item_key("key", &kid("issuer")));
    assert_eq!(proven, Proves::Present(item_value(key)));
    assert_eq!(items(&issuers, "roots").len(), 1);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_the_root_is_shown_under_its_number() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let (first, mut producers) = (root(), Producers::new());
    let (version, prev) = (2, Some(first.hash_for_prev()));
    let second = TrustRoot { version, prev, sigs: Vec::new(), ..first.clone() };
    let second = second.signed(&[&signer("root")]).expect("a root");
    let mut append = producers.set_up();
    append.record(&producers.by_authority("root.published", Object::new().with("root", second.to_value())));
    let last = served.post(&append).await.expect("published").size - 1;
    served.get(&format!("/v1/proof/inclusion?seq={last}")).await.expect("a head over it");
    let at = async |version: &str| served.get(&format!("{}{version}", routes::REGISTRY_ROOT)).await;
    assert_eq!(at("").await.expect("the last"), second.to_value());
    assert_eq!(at("/1").await.expect("the first"), first.to_value());
    assert_eq!(at("/2").await.expect("the second"), second.to_value());
    assert_eq!(Served::status(at("/3").await).0, 404);
    assert_eq!(Served::status(at("/last").await).0, 400);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn which_policy_was_in_force_when() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    home.clock.advance(60_000);
    let mut append = Append::default();
    producers.publish(2, &mut append);
    let seq = served.post(&append).await.expect("published").size - 1;
    home.clock.advance(60_000);
    let mut append = Append::default();
    let retired = eleven_core::encoding::Object::new().with("ref", policy_id(2).reference);
    append.record(&producers.by_authority("policy.retired", retired));
    let last = served.post(&append).await.expect("retired").size - 1;
    served.get(&format!("/v1/proof/inclusion?seq={last}")).await.expect("a head over it");
    let policies = async |query: String| {
        let answer = served.get(&format!("{}{query}", routes::REGISTRY_POLICY_HISTORY)).await.expect("policies");
        let found = items(&answer, "policies").to_vec();
        (found.iter().map(|policy| text(policy, "/ref").to_owned()).collect::<Vec<_>>(), found)
    };
    let at = async |time: &str| policies(format!("?operation=model.invoke&runtime={RUNTIME}&at={time}")).await.0;
    assert_eq!(at("2026-05-12T16:59:59Z").await, [""; 0]);
    assert_eq!(at("2026-05-12T17:00:00Z").await, ["policy://medical/v1"]);
    assert_eq!(at("2026-05-12T17:00:59.999Z").await, ["policy://medical/v1"]);
    assert_eq!(at("2026-05-12T17:01:00Z").await, ["policy://medical/v2"]);
    assert_eq!(at("2026-05-12T17:02:00Z").await, [""; 0]);
    // What a later entry may still change is told: of a time to come nobody knows yet.
    let is_final = async |time: &str| {
        let query = format!("?operation=model.invoke&runtime={RUNTIME}&at={time}");
        let answer = served.get(&format!("{}{query}", routes::REGISTRY_POLICY_HISTORY)).await.expect("policies");
        let head = Head::read(answer.get("head").expect("a head").clone()).expect("a head");
        assert_eq!(answer.get("size").and_then(Value::as_int), i64::try_from(head.commitment.size).ok());
        answer.get("final").cloned()
    };
    assert_eq!(is_final("2026-05-12T17:01:59.999Z").await, Some(Value::Bool(true)));
    assert_eq!(
        is_final("2026-05-12T17:02:00Z").await,
        Some(Value::Bool(false)),
        "an entry of this very moment may come"
    );
    assert_eq!(is_final("2036-05-12T17:02:00Z").await, Some(Value::Bool(false)));
    let (_, all) = policies(String::new()).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].pointer("/until/seq").and_then(Value::as_int), Some(seq as i64));
    // Some at once, of all that there ever were.
    let page = async |query: &str| {
        let answer = served.get(&format!("{}?{query}", routes::REGISTRY_POLICY_HISTORY)).await.expect("policies");
        let refs: Vec<String> =
            items(&answer, "policies").iter().map(|policy| text(policy, "/ref").to_owned()).collect();
        (refs, answer.get("next").and_then(Value::as_int))
    };
    let (first, next) = page("count=1").await;
    let next = next.expect("there is another");
    assert_eq!(
        (first.as_slice(), all[0].pointer("/since/seq").and_then(Value::as_int)),
        (&["policy://medical/v1".to_owned()][..], Some(next))
    );
    assert_eq!(page(&format!("count=1&after={next}")).await, (vec!["policy://medical/v2".to_owned()], None));
    assert_eq!(page("count=2").await.1, None);
    assert_eq!(page(&format!("operation=model.invoke&after={seq}")).await, (Vec::new(), None));
    assert_eq!(policies("?operation=model.invoke&runtime=host://elsewhere".to_owned()).await.0, [""; 0]);
    assert_eq!(policies("?operation=model.list".to_owned()).await.0, [""; 0]);
    for query in ["?runtime=k8s://c", "?at=yesterday", "?operation=Not%20one&at=x", "?runtime=nothing&operation=a"] {
        let answer = served.get(&format!("{}{query}", routes::REGISTRY_POLICY_HISTORY)).await;
        assert_eq!(Served::status(answer).0, 400, "{query}");
    }

    let by_hash = |hash: String| format!("{}{hash}", routes::REGISTRY_POLICIES);
    let bundle = served.get(&by_hash(policy_id(1).hash.to_string())).await.expect("the bundle");
    assert_eq!(bundle, policy_bundle(1));
    let unknown = eleven_core::hash::Sha3([7; 64]).to_string();
    assert_eq!(Served::status(served.get(&by_hash(unknown)).await).0, 404);
    assert_eq!(Served::status(served.get(&by_hash("nothing".to_owned())).await).0, 400);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_was_published_as_no_policy_is_not_shown_as_one() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let operation = producers.issue(single(1), &[], &mut append);
    let last = served.post(&append).await.expect("issued").size - 1;
    served.get(&format!("/v1/proof/inclusion?seq={last}")).await.expect("a head over it");
    let shown = async |hash: Sha3| served.get(&format!("{}{hash}", routes::REGISTRY_POLICIES)).await;
    assert_eq!(shown(policy_id(1).hash).await.expect("a policy"), policy_bundle(1));
    let artifact = Sha3::of(&[operation.artifact.canonical()]);
    assert_eq!(served.shared.blob(&artifact).expect("it is kept"), operation.artifact.canonical());
    assert_eq!(Served::status(shown(artifact).await).0, 404);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_come_with_the_signed_events_that_revoked() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    for n in 0..3 {
        let operation = producers.issue(single(n), &[], &mut append);
        append.record(&producers.revoke(&operation.artifact));
    }
    let last = served.post(&append).await.expect("revoked").size - 1;
    served.get(&format!("/v1/proof/inclusion?seq={last}")).await.expect("a head over it");
    let all = served.get(routes::REGISTRY_REVOCATIONS).await.expect("revocations");
    let (rows, events) = (items(&all, "revoked"), items(&all, "events"));
    assert_eq!((rows.len(), events.len(), all.get("next")), (3, 3, None));
    for (row, event) in rows.iter().zip(events) {
        let record = Record::read(event.get("record").expect("a record").clone()).expect("a record");
        assert_eq!(
            (record.event.as_str(), record.data_str("artifact")),
            ("authorization.revoked", Some(text(row, "/artifact")))
        );
        let key = eleven_core::signature::VerifyingKey::new(&eleven_core::signature::Signer::public(
            &crate::world::signer("authority"),
        ));
        assert!(key.expect("a key").verifies(record.body(), &record.sig.val));
    }
    let page = served.get(&format!("{}?count=2", routes::REGISTRY_REVOCATIONS)).await.expect("a page");
    assert_eq!(items(&page, "revoked"), &rows[..2]);
    let path = format!("{}?after={}", routes::REGISTRY_REVOCATIONS, text(&page, "/next"));
    assert_eq!(items(&served.get(&path).await.expect("a page"), "revoked"), &rows[2..]);
    served.end().await;
}
