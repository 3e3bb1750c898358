use crate::fixtures::{self, AUTHORITY, key, signer};
use crate::world::{DEADLINE, World, asked_for, bundle, listener, operator, signers};
use axum::Extension;
use eleven_api::client::CallError;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::govern::Execute;
use eleven_api::identity::{Exchange, Issued};
use eleven_api::keyring::Keyring;
use eleven_api::routes;
use eleven_api::secret::Secret;
use eleven_api::serve::Peer;
use eleven_authority::Signers;
use eleven_authority::admin::{self, Act, ActError, SignedAct, SignedError};
use eleven_authority::identity::{jwt_source, operator_source};
use eleven_core::artifact::RequestBinding;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::Record;
use eleven_core::hash::{Sha3, unbase64url};
use eleven_core::limits::{MAX_ACTS_HELD, MAX_BUNDLE, MAX_CEDAR, MAX_POLICY, MAX_RUNTIME};
use eleven_core::reason::Reason;
use eleven_core::registry::{Item as _, RuntimeRecord};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witness, Witnesses};
use eleven_core::signature::{self, SeedSigner, Signer};
use eleven_core::time::Time;
use http_body_util::{BodyExt as _, Full};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

fn epoch(done: &Value) -> i64 {
    done.get("epoch").and_then(Value::as_int).expect("an epoch")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_replaces_its_former_version_and_says_by_when() {
    let world = World::founded().await;
    world.ask().await.expect("version 1 permits it");
    let before = SystemClock.now();
    let done = world.act("policy.publish", Object::new().with("bundle", bundle(2))).await.expect("published");
    let after = SystemClock.now();
    assert_eq!(done.get("durability"), Some(&Value::from("D1")));
    let by = done.get("effective_by").and_then(Value::as_str).and_then(Time::parse_millis).expect("a time");
    // Two seconds, as the genesis has it, and the two that a point's clock may be behind.
    let (first, last) = (before.plus_millis(4_000), after.plus_millis(4_000));
    assert!(first <= by && by <= last, "{first} <= {by} <= {last}");
    assert_eq!(world.ask().await.expect_err("version 2").reason, Some(Reason::PolicyDenied));
    world.execute(&world.secret, &[], &asked_for("clinical-summary-v5")).await.expect("version 2 permits it");
    let again = world.act("policy.publish", Object::new().with("bundle", bundle(2))).await.expect_err("published");
    assert_eq!((again.status, again.next.as_deref()), (409, Some("policy://medical/inference/v3")));
    let retired = world.act("policy.retire", Object::new().with("ref", "policy://medical/inference/v2")).await;
    assert!(epoch(&retired.expect("retired")) > epoch(&done));
    assert_eq!(world.ask().await.expect_err("no policy").reason, Some(Reason::PolicyNone));
    let published = world.records().await.into_iter().filter(|record| record.event == "policy.published");
    let by: Vec<_> = published.map(|record| record.about.identity).collect();
    assert_eq!(by, [None, Some("human:operator:dev".to_owned())], "the record says who acted");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_taken_from_this_machine_alone_whoever_signed_it() {
    let world = World::founded().await;
    let (stop, stopping) = watch::channel(false);
    let mut serving = Vec::new();
    for (peer, is_here) in [
        ("192.0.2.7:4711", false),
        ("[2001:db8::7]:4711", false),
        ("[::ffff:192.0.2.7]:4711", false),
        ("127.0.0.2:4711", true),
        ("[::1]:4711", true),
        ("[::ffff:127.0.0.1]:4711", true),
    ] {
        // Who connects, as a listener beyond loopback names it.
        let from = Extension(Peer(peer.parse().expect("an address")));
        let acts = admin::router(Arc::clone(&world.authority)).layer(from);
        let (listener, base) = listener().await;
        serving.push(tokio::spawn(listener.serve(acts, stopping.clone(), Duration::ZERO)));
        // Each act another one, for one is taken once.
        let identity = format!("svc:app-{}", serving.len());
        let args = Object::new().with("identity", identity);
        let signed = SignedAct::sign("identity.issue", args, SystemClock.now(), &operator()).to_bytes();
        match world.client.post(&base, routes::ADMIN_ACT, &[], signed, DEADLINE).await {
            Ok(_) => assert!(is_here, "{peer}"),
            Err(CallError::Refused(problem)) => {
                assert!(!is_here && problem.status == 403, "{peer}: {problem}");
                assert!(problem.detail.contains("on this machine only"), "{peer}: {problem}");
            }
            Err(error) => panic!("{peer}: {error}"),
        }
    }
    stop.send_replace(true);
    for serving in serving {
        serving.await.expect("it ends");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_which_one_sensitive_pointer_leads_into_another_is_not_published() {
    let world = World::founded().await;
    let with = |pointers: [&str; 2]| {
        let bundle = bundle(2).as_object().expect("an object").clone();
        let terms = bundle.get("terms").and_then(Value::as_object).expect("terms").clone();
        let terms = terms.with("sensitive", pointers.map(Value::from).to_vec());
        Object::new().with("bundle", bundle.with("terms", terms))
    };
    for overlap in [["/op/patient", "/op/patient/mrn"], ["/op/patient/mrn", "/op/patient"]] {
        let refused = world.act("policy.publish", with(overlap)).await.expect_err("they overlap");
        assert_eq!(refused.status, 400);
        assert!(refused.detail.contains("`sensitive`"), "{}", refused.detail);
    }
    world.act("policy.publish", with(["/op/patient/mrn", "/op/patient/name"])).await.expect("published");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_root_is_published_where_the_one_before_signed_it() {
    let world = World::founded().await;
    let first = fixtures::root();
    let (version, prev) = (2, Some(first.hash_for_prev()));
    let key = Witness { name: "witness.test/a".into(), public: signer("witness").public(), audits: false };
    let witnesses = Witnesses { quorum: 1, auditors: 0, keys: vec![key] };
    let second = TrustRoot { version, prev, witnesses, sigs: Vec::new(), ..first };
    let publish = |root: &TrustRoot| Object::new().with("root", root.to_value());
    let forged = second.clone().signed(&[&signer("stranger")]).expect("a root");
    assert_eq!(world.act("root.publish", publish(&forged)).await.expect_err("another's signature").status, 409);
    let second = second.signed(&[&signer("root")]).expect("a root");
    let done = world.act("root.publish", publish(&second)).await.expect("published");
    assert_eq!(done.get("version"), Some(&Value::from(2u64)));
    assert_eq!(world.get("/v1/registry/root").await.expect("a root"), second.to_value());
    assert_eq!(world.act("root.publish", publish(&second)).await.expect_err("published already").status, 409);
    world.ask().await.expect("who asks is answered as before");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_in_a_role_whose_key_the_root_in_force_gives_to_another() {
    let world = World::founded().await;
    let first = fixtures::root();
    let (version, prev) = (2, Some(first.hash_for_prev()));
    let mut second = TrustRoot { version, prev, sigs: Vec::new(), ..first };
    let policy = second.roles.iter_mut().filter(|key| key.usage == KeyUse::Policy);
    policy.for_each(|key| key.status = KeyStatus::Retired(SystemClock.now()));
    second.roles.push(key("renewed", KeyUse::Policy, AUTHORITY));
    let second = second.signed(&[&signer("root")]).expect("a root");
    world.act("root.publish", Object::new().with("root", second.to_value())).await.expect("the registry key is held");

    let before = world.records().await.len();
    for (act, args) in [
        ("policy.publish", Object::new().with("bundle", bundle(2))),
        ("retention.set", Object::new().with("days", 10u64).with("regime", "own")),
        ("exposure.set", Object::new().with("exposure", "open")),
        ("hold.place", Object::new().with("kind", "identity").with("subject", "agent:x")),
    ] {
        let problem = world.act(act, args).await.expect_err(act);
        assert_eq!(problem.status, 400, "{act}: {problem}");
        assert!(problem.detail.starts_with("the trust root in force names no key for this"), "{act}: {problem}");
    }
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    // What the other role signs goes on, and what is in force stays.
    let args = Object::new().with("key", key("replica", KeyUse::Event, AUTHORITY).to_value());
    world.act("key.register", args).await.expect("registered");
    world.ask().await.expect("version 1 is in force");
    world.stop().await;
}

/// How many of these records the authority made.
fn own(records: &[Record]) -> usize {
    records.iter().filter(|record| record.by == AUTHORITY).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_does_not_compile_is_refused_before_it_is_signed() {
    let world = World::founded().await;
    let Value::Object(broken) = bundle(2) else { panic!("a bundle") };
    let broken = Object::new().with("bundle", broken.with("cedar", "permit(principal"));
    assert_eq!(world.act("policy.publish", broken).await.expect_err("not Cedar").status, 400);
    let Value::Object(deep) = bundle(2) else { panic!("a bundle") };
    let cedar = format!("permit(principal, action, resource) when {{ {}true{} }};", "(".repeat(1000), ")".repeat(1000));
    let deep = Object::new().with("bundle", deep.with("cedar", cedar));
    let problem = world.act("policy.publish", deep).await.expect_err("deeper than any stack");
    assert_eq!(problem.status, 400);
    assert!(problem.detail.contains("operators and brackets"), "{problem}");
    world.ask().await.expect("version 1 is still in force");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_whose_schema_knows_no_binding_is_not_published_where_it_binds() {
    let world = World::founded().await;
    let with = |params: &str, binds: bool| {
        let schema = format!(
            "entity Identity; entity Runtime; action \"model.invoke\" appliesTo {{ principal: Identity, resource: Runtime, context: {{ \
             identity: {{ id: String, kind: String, name: String, env?: String }}, \
             op: {{ name: String, scope: Set<String>, model: String{params} }}, \
             env: {{ runtime: String, region: String, tenancy: String }}, facts: {{}}, at: datetime }} }};"
        );
        let Value::Object(bundle) = bundle(2) else { panic!("a bundle") };
        let terms = bundle.get("terms").and_then(Value::as_object).expect("terms").clone();
        let bundle = bundle.with("schema", schema).with("terms", terms.with("bind_params", binds));
        Object::new().with("bundle", bundle)
    };
    let before = world.records().await.len();
    let problem = world.act("policy.publish", with("", true)).await.expect_err("it would deny every call");
    assert_eq!(problem.status, 400, "{problem}");
    for part in ["`params: String`", "\"model.invoke\"", "`bind_params`"] {
        assert!(problem.detail.contains(part), "{part}: {problem}");
    }
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    world.ask().await.expect("version 1 is still in force");
    world.act("policy.publish", with("", false)).await.expect("nothing is bound by it");
    world.execute(&world.secret, &[], &asked_for("clinical-summary-v5")).await.expect("it permits");
    let Value::Object(third) = with(", params: String", true).get("bundle").expect("it").clone() else { panic!("one") };
    let third = Object::new().with("bundle", third.with("ref", "policy://medical/inference/v3"));
    world.act("policy.publish", third).await.expect("what is bound is known");
    let request = RequestBinding { body: Sha3::of(&[b"body"]), method: "POST".into(), path: "/v1/x".into() };
    let bound = Execute { request: Some(request), ..asked_for("clinical-summary-v5") };
    world.execute(&world.secret, &[], &bound).await.expect("it permits, and binds");
    world.stop().await;
}

/// A name of so many bytes, of short segments between its head and its tail.
fn long(head: &str, tail: &str, bytes: usize) -> String {
    let mut path = "a/".repeat(bytes);
    path.truncate(bytes - head.len() - tail.len() - 1);
    format!("{head}{path}a{tail}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_each_record_of_a_call_holds_is_taken_up_to_its_limit() {
    let world = World::founded().await;
    let policy = |bytes: usize| {
        let Value::Object(bundle) = bundle(2) else { panic!("a bundle") };
        let bundle = bundle.with("ref", long("policy://", "/v1", bytes));
        Object::new().with("bundle", bundle.with("operations", vec![Value::from("tool.call")]))
    };
    let point = |bytes: usize| {
        let (runtime, digest) = (long("k8s://", "", bytes), Sha3::of(&[b"measured"]));
        let record = Object::new().with("point", format!("{runtime}#gw-0")).with("runtime", runtime);
        let record = record.with("region", "us-east-1").with("tenancy", "single").with("mode", "gateway");
        record.with("binary", digest).with("config", digest).with("kid", "key:11-11/gw-far/1")
    };
    let before = world.records().await.len();
    for (act, args) in [("policy.publish", policy(MAX_POLICY + 1)), ("runtime.register", point(MAX_RUNTIME + 1))] {
        let problem = world.act(act, args).await.expect_err("no execution under it could be sure to be closed");
        assert_eq!(problem.status, 400, "{act}: {problem}");
        assert!(problem.detail.contains("longer than 512 bytes"), "{act}: {problem}");
    }
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    world.act("policy.publish", policy(MAX_POLICY)).await.expect("published");
    world.act("runtime.register", point(MAX_RUNTIME)).await.expect("registered");
    world.stop().await;
}

/// What a ledger shows of a lineage.
fn shown(event: Value) -> String {
    String::from_utf8(Object::new().with("events", vec![event]).canonical()).expect("a document")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_revoked_by_the_expiry_that_its_issuer_signed() {
    let mut world = World::founded().await;
    let token = world.ask().await.expect("an artifact").token;
    let other = world.ask().await.expect("another").token;
    let (op, path) = (token.artifact.content_id(), format!("{}{}", routes::PROOF_LINEAGE, token.artifact.content_id()));
    // With it the revocation would be dropped within the hour, and the artifact's own expiry says nothing of that.
    let earlier = token.artifact.exp.plus_seconds(-23 * 3600).to_seconds_value();
    let Value::Object(issued) = token.issued.to_value() else { panic!("a record") };
    let data = token.issued.data.clone().with("exp", earlier);
    for forged in [Value::Object(issued.with("data", data)), other.issued.to_value()] {
        world.restart_authority_told(&path, &shown(forged)).await;
        let before = world.records().await.len();
        let args = Object::new().with("operation", op).with("why", "leaked");
        let problem = world.act("artifact.revoke", args).await.expect_err("nobody knows until when it counts");
        assert_eq!(problem.status, 503, "{problem}");
        assert!(problem.detail.contains("its producer did not sign"), "{problem}");
        assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    }
    world.restart_authority().await;
    let args = Object::new().with("operation", op).with("why", "leaked");
    world.act("artifact.revoke", args).await.expect("revoked");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_contained_and_let_go_by_its_own_events() {
    let mut world = World::founded().await;
    let subject = || Object::new().with("kind", "identity").with("subject", "svc:other:prod");
    world.act("subject.contain", subject()).await.expect("contained");
    let records = world.records().await;
    let contained = records.iter().rfind(|record| record.event == "lifecycle.contained").expect("its event");
    let path = format!("{}{}", routes::PROOF_LINEAGE, contained.op);
    let Value::Object(forged) = contained.to_value() else { panic!("a record") };
    let data = contained.data.clone().with("cause", "forged");
    world.restart_authority_told(&path, &shown(Value::Object(forged.with("data", data)))).await;
    let problem = world.act("subject.lift", subject()).await.expect_err("it is nobody's event");
    assert!(problem.status == 503 && problem.detail.contains("its producer did not sign"), "{problem}");
    assert_eq!(own(&world.records().await[records.len()..]), 0, "nothing was recorded");
    world.restart_authority().await;
    world.act("subject.lift", subject()).await.expect("lifted");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_point_of_a_runtime_is_registered_once_the_first_is_gone() {
    let world = World::founded().await;
    let first = fixtures::runtime();
    let second = || {
        let point = format!("{}#gw-1", first.runtime);
        RuntimeRecord { point, kid: "key:11-11/gw-1/1".into(), ..first.clone() }.to_value().into_object()
    };
    let before = world.records().await.len();
    let problem = world.act("runtime.register", second()).await.expect_err("it would count uses by itself");
    assert!(problem.status == 400 && problem.detail.contains("a runtime of its own"), "{problem}");
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    world.act("runtime.remove", Object::new().with("point", first.point.as_str())).await.expect("removed");
    world.act("key.retire", Object::new().with("kid", first.kid.as_str())).await.expect("retired");
    world.act("runtime.register", second()).await.expect("registered");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_whose_terms_nothing_could_keep_is_not_published() {
    let world = World::founded().await;
    let with = |term: &str, value: Value| {
        let Value::Object(bundle) = bundle(2) else { panic!("a bundle") };
        let terms = bundle.get("terms").and_then(Value::as_object).expect("terms").clone().with(term, value);
        Object::new().with("bundle", bundle.with("terms", terms))
    };
    let sensitive = |pointer: &str| with("sensitive", Value::from(vec![Value::from(pointer)]));
    let before = world.records().await.len();
    for (args, why) in [
        (sensitive("/op/name"), "no operation to decide about"),
        (sensitive("/op/scope"), "no operation to decide about"),
        (sensitive("/op/scope/0"), "no operation to decide about"),
        (sensitive("/op/params"), "no operation to decide about"),
        (sensitive("/op/user~2"), "no JSON pointer"),
        (sensitive("/op/user~"), "no JSON pointer"),
        (sensitive("/op/user~/id"), "no JSON pointer"),
        (with("max_run", Value::from(3601u64)), "`max_run` is more than an hour"),
        (with("durability", Value::from("D2")), "no quorum of machines"),
        (with("durability", Value::from("D4")), "names no witnesses"),
        (with("durability", Value::from("D5")), "names no witnesses"),
    ] {
        let problem = world.act("policy.publish", args).await.expect_err(why);
        assert_eq!(problem.status, 400, "{problem}");
        assert!(problem.detail.contains(why), "{problem}");
    }
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    let Value::Object(kept) = bundle(2) else { panic!("a bundle") };
    let terms = kept.get("terms").and_then(Value::as_object).expect("terms").clone();
    let pointers = ["/op/scopes", "/op/user/name", "/op/user~0a~1b"].map(Value::from).to_vec();
    let kept = kept.with("terms", terms.with("sensitive", pointers).with("max_run", 3600u64));
    world.act("policy.publish", Object::new().with("bundle", kept)).await.expect("published");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_revoked_once_with_the_expiry_that_the_ledger_has() {
    let world = World::founded().await;
    let artifact = world.ask().await.expect("an artifact").token.artifact;
    let args = Object::new().with("operation", artifact.content_id()).with("why", "leaked");
    world.act("artifact.revoke", args.clone()).await.expect("revoked");
    let revocations = world.get("/v1/registry/revocations").await.expect("a document");
    let rows = revocations.get("revoked").and_then(Value::as_array).expect("rows");
    assert_eq!(rows.first().and_then(|row| row.get("artifact")), Some(&Value::from(&artifact.id)));
    assert_eq!(world.act("artifact.revoke", args).await.expect_err("revoked already").status, 400);
    let unknown = Object::new().with("operation", "00000000000000000000000000000000");
    assert_eq!(world.act("artifact.revoke", unknown).await.expect_err("never issued").status, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_compromised_from_a_moment_that_has_passed() {
    let world = World::founded().await;
    let kid = signer("point").kid().to_owned();
    let since = |at: Time| Object::new().with("kid", &kid).with("since", at.to_millis_value());
    let ahead = world.act("key.compromise", since(SystemClock.now().plus_seconds(60))).await.expect_err("not yet");
    assert_eq!(ahead.status, 400);
    assert!(ahead.detail.contains("`since`"), "{ahead}");
    world.act("key.compromise", since(SystemClock.now().plus_seconds(-60))).await.expect("a minute ago");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_compromised_from_now_by_a_ledger_whose_clock_is_behind() {
    let world = World::founded().await;
    world.clock.set_off_by(-1500);
    let now = SystemClock.now();
    let args = Object::new().with("kid", signer("point").kid()).with("since", now.to_millis_value());
    let done = world.act("key.compromise", args).await.expect("it is taken");
    let records = world.records().await;
    let record = records.iter().find(|record| record.event == "key.compromised").expect("a record");
    let since = record.data_str("since").and_then(Time::parse_millis).expect("a time");
    assert!(now.plus_seconds(-2) <= since && since <= SystemClock.now().plus_seconds(-2), "two seconds ago: {since}");
    assert_eq!(done.get("since"), record.data.get("since"), "its operator hears which counts");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_contained_and_lifted_over_and_over() {
    let world = World::founded().await;
    for round in 0..2 {
        let model = || Object::new().with("kind", "model").with("subject", "clinical-summary-v4");
        world.act("subject.contain", model()).await.expect("contained");
        assert_eq!(world.ask().await.expect_err("contained").reason, Some(Reason::RuntimeContained), "{round}");
        world.act("subject.lift", model()).await.expect("lifted");
        world.ask().await.expect("it is governed again");
        assert_eq!(world.act("subject.lift", model()).await.expect_err("nothing to lift").status, 404);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_come_and_go() {
    let world = World::founded().await;
    let args = Object::new().with("client", "second").with("identity", crate::fixtures::CALLER);
    let done = world.act("client.add", args.clone()).await.expect("added");
    let secret = done.get("secret").and_then(Value::as_str).expect("a secret").to_owned();
    world.execute(&secret, &[], &crate::world::asked()).await.expect("it is allowed");
    assert_eq!(world.act("client.add", args).await.expect_err("there is one").status, 400);
    world.act("client.revoke", Object::new().with("client", "second")).await.expect("revoked");
    let problem = world.execute(&secret, &[], &crate::world::asked()).await.expect_err("revoked");
    assert_eq!(problem.reason, Some(Reason::IdentityUnauthenticated));
    // One that was made elsewhere: its hash comes alone, and nothing of it goes back.
    let made = Secret::new("second", &[7; 32]).expect("a name");
    let args = Object::new().with("client", "second").with("identity", crate::fixtures::CALLER);
    let done = world.act("client.add", args.clone().with("hash", made.hash())).await.expect("added");
    assert!(done.get("secret").is_none(), "{done}");
    world.execute(made.reveal(), &[], &crate::world::asked()).await.expect("it is allowed");
    assert_eq!(world.act("client.add", args.with("hash", made.hash())).await.expect_err("there is one").status, 400);
    world.act("client.revoke", Object::new().with("client", "second")).await.expect("revoked");
    let args = Object::new().with("client", "n".repeat(49)).with("identity", crate::fixtures::CALLER);
    for args in [args.clone(), args.with("hash", made.hash())] {
        let problem = world.act("client.add", args).await.expect_err("no name");
        assert!(problem.status == 400 && problem.detail.contains("the client is not a name of 1 to 48"), "{problem}");
    }
    let hidden = secret.rsplit('_').next().expect("a part").to_owned();
    for record in world.records().await {
        assert!(!String::from_utf8_lossy(record.canonical()).contains(&hidden));
    }
    let issued = world.act("identity.issue", Object::new().with("identity", crate::fixtures::CALLER)).await;
    let token = issued.expect("issued").get("token").and_then(Value::as_str).expect("a token").to_owned();
    world.execute(&token, &[], &crate::world::asked()).await.expect("it is allowed");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_would_authenticate_nobody_is_refused_before_it_is_durable() {
    let world = World::founded().await;
    let row = |name: &str, mapping: Object| {
        Object::new().with("name", name).with("source", "governance://other").with("mapping", mapping)
    };
    let kid = signer("identity").kid().to_owned();
    let public = signature::base64_value(&signer("identity").public());
    let jwt = Object::new().with("kind", "jwt").with("kid", kid).with("public", public);
    let client = |identity: &str| {
        Object::new().with("kind", "client").with("identity", identity).with("hash", Sha3::of(&[b"secret"]))
    };
    let before = world.records().await.len();
    for (args, why) in [
        (row("saml", Object::new().with("kind", "saml")), "none of jwt, client, auditor, operator"),
        (row("client.app", client("svc:app@eu.example")), "not one of this domain"),
        (row("app", client("svc:app:dev")), "`name` begins with"),
        (row("second", jwt), "`kid` is that of another source"),
    ] {
        let problem = world.act("source.register", args).await.expect_err(why);
        assert_eq!(problem.status, 400, "{problem}");
        assert!(problem.detail.contains(why), "{problem}");
    }
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    world.act("source.register", row("client.app", client("svc:app:dev"))).await.expect("registered");
    world.act("client.revoke", Object::new().with("client", "app")).await.expect("and revoked by its name");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_taken_once_from_an_operator_who_is_known() {
    let world = World::founded().await;
    let args = || Object::new().with("identity", crate::fixtures::CALLER);
    let signed = SignedAct::sign("identity.issue", args(), SystemClock.now(), &operator());
    world.send_act(signed.to_bytes()).await.expect("taken");
    assert_eq!(world.send_act(signed.to_bytes()).await.expect_err("taken before").status, 401);
    let stranger = SignedAct::sign("identity.issue", args(), SystemClock.now(), &crate::fixtures::signer("stranger"));
    assert_eq!(world.send_act(stranger.to_bytes()).await.expect_err("a stranger").status, 401);
    let old = SignedAct::sign("identity.issue", args(), SystemClock.now().plus_seconds(-11), &operator());
    assert_eq!(world.send_act(old.to_bytes()).await.expect_err("too old").status, 401);
    let founding = world.authority.operate(Act::KeyRetire { kid: "key:11-11/a/b".into() }, None).await;
    assert!(matches!(founding, Err(ActError::Impossible(_))), "nobody acts unsigned once there is an operator");
    world.stop().await;
}

/// Begins to send an act that says to be of so many bytes, and sends fewer.
async fn begun(world: &World, says: usize, sends: usize) -> TcpStream {
    let at = world.base.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(at).await.expect("the authority listens");
    let head = format!("POST {} HTTP/1.1\r\nhost: {at}\r\ncontent-length: {says}\r\n\r\n", routes::ADMIN_ACT);
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&vec![b' '; sends]).await.expect("sent");
    stream
}

/// Whether there is no room for an act of so many bytes. None of them is sent, so that it takes none.
async fn has_no_room(world: &World, bytes: usize) -> bool {
    let (mut stream, mut status) = (begun(world, bytes, 0).await, [0u8; 12]);
    let answered = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut status)).await;
    matches!(answered, Ok(Ok(_))) && status == *b"HTTP/1.1 503"
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_sends_as_acts_is_held_up_to_a_limit_and_keeps_out_no_small_one() {
    let world = World::founded().await;
    let (large, began) = (1usize << 20, std::time::Instant::now());
    assert!(!has_no_room(&world, large).await);
    let mut held = Vec::new();
    for _ in 0..MAX_ACTS_HELD / MAX_BUNDLE {
        held.push(begun(&world, MAX_BUNDLE, MAX_BUNDLE - 1).await);
    }
    // When the authority has read it.
    while !has_no_room(&world, large).await {
        assert!(began.elapsed() < DEADLINE, "it holds whatever is sent");
    }
    let args = Object::new().with("identity", crate::fixtures::CALLER);
    world.act("identity.issue", args).await.expect("there is room for a small one");
    drop(held);
    while has_no_room(&world, large).await {
        assert!(began.elapsed() < 2 * DEADLINE, "who has left takes no room");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_is_dated_ahead_is_not_taken_again_by_the_next_process() {
    let mut world = World::founded().await;
    let args = || Object::new().with("identity", crate::fixtures::CALLER);
    let far = SignedAct::sign("identity.issue", args(), SystemClock.now().plus_millis(9_500), &operator());
    assert_eq!(world.send_act(far.to_bytes()).await.expect_err("its time is not waited for").status, 401);
    let near = SignedAct::sign("identity.issue", args(), SystemClock.now().plus_millis(500), &operator());
    world.send_act(near.to_bytes()).await.expect("taken");
    assert!(near.time <= SystemClock.now(), "when its time had come");
    world.restart_authority().await;
    let problem = world.send_act(near.to_bytes()).await.expect_err("taken by the process before");
    assert_eq!(problem.status, 401);
    assert!(problem.detail.contains("sign it again"), "{problem}");
    world.act("identity.issue", args()).await.expect("the operator's next act");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_on_its_way_when_its_authority_is_told_to_stop_comes_to_be_in_force() {
    let mut world = World::founded().await;
    let (stop, serving) = world.ending_authority().await;
    let args = Object::new().with("client", "late").with("identity", crate::fixtures::CALLER);
    // It waits for its time, so that it is sure to be on its way then.
    let act = SignedAct::sign("client.add", args, SystemClock.now().plus_millis(700), &operator());
    let told = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.send_replace(true);
        std::time::Instant::now()
    };
    let (done, told) = tokio::join!(world.send_act(act.to_bytes()), told);
    assert!(done.expect("it is in force").get("epoch").is_some());
    serving.await.expect("it ends");
    let took = told.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}: it does not wait for what its own end keeps away");
    world.stop().await;
}

/// What the authority says of itself, and by which status.
async fn health(world: &World) -> (u16, Value) {
    let request = http::Request::get(format!("{}{}", world.base, routes::HEALTH));
    let answer = world.client.send(request.body(Full::default()).expect("a request")).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, parse(&body).expect("I-JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_which_nothing_goes_on_does_not_end_before_another_counts() {
    let world = World::founded().await;
    let kid = |label: &str| signer(label).kid().to_owned();
    let retired = |label: &str| Object::new().with("kid", kid(label));
    let compromised = |label: &str| retired(label).with("since", SystemClock.now().to_millis_value());
    let renewed = [("event", "authority"), ("ledger", "ledger"), ("issuer", "authority"), ("identity", "authority")];
    for (label, renewed) in renewed {
        let problem = world.act("key.retire", retired(label)).await.expect_err(label);
        assert_eq!(problem.status, 400, "{label}");
        assert!(problem.detail.contains(&format!("eleven {renewed} key renew")), "{label}: {problem}");
    }
    for label in ["event", "ledger"] {
        assert_eq!(world.act("key.compromise", compromised(label)).await.expect_err(label).status, 400, "{label}");
    }
    world.ask().await.expect("nothing has changed");
    // Keys of that use which the authority does not hold, or does not use, come and go.
    let more = [("replica", KeyUse::Event, AUTHORITY), ("spare", KeyUse::Event, "ledger://11-11")];
    for (label, usage, owner) in more {
        let args = Object::new().with("key", key(label, usage, owner).to_value());
        world.act("key.register", args).await.expect("registered");
    }
    // That another is registered does not mean that the ledger has it.
    for (act, args) in [("key.retire", retired("ledger")), ("key.compromise", compromised("ledger"))] {
        let problem = world.act(act, args).await.expect_err("the ledger signs by it");
        assert!(problem.status == 400 && problem.detail.contains("eleven ledger restart"), "{problem}");
    }
    world.act("key.retire", retired("replica")).await.expect("retired");
    world.act("key.retire", retired("spare")).await.expect("the ledger signs by another");
    let (status, said) = health(&world).await;
    assert_eq!((status, said.get("uncounted")), (200, None));
    world.ask().await.expect("all goes on");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_whose_issuer_key_counts_no_more_is_not_ready_and_says_so() {
    let world = World::founded().await;
    let args = Object::new().with("kid", signer("issuer").kid()).with("since", SystemClock.now().to_millis_value());
    world.act("key.compromise", args).await.expect("what is in other hands ends at once");
    let refused = world.ask().await.expect_err("nothing to sign with");
    assert_eq!(refused.reason, Some(Reason::IssuerUnavailable));
    let denied = world.lineage(refused.lineage.as_deref().expect("its event")).await.remove(0);
    assert_eq!((denied.event.as_str(), denied.about.reason), ("execution.denied", Some(Reason::IssuerUnavailable)));
    assert_eq!(
        (denied.about.identity.as_deref(), denied.about.operation.as_deref()),
        (Some(fixtures::CALLER), Some("model.invoke"))
    );
    let (status, said) = health(&world).await;
    assert_eq!((status, said.get("uncounted")), (503, Some(&Value::from(signer("issuer").kid()))));
    assert_eq!(said.get("events"), Some(&Value::from("flowing")), "another can be registered");
    world.stop().await;
}

/// The token that the client's secret is exchanged for now, and the name of the key that signed it.
async fn exchanged(world: &World) -> Result<(String, String), CallError> {
    let body = Exchange { secret: world.secret.clone() }.to_value().canonical();
    let answer = world.client.post(&world.base, routes::IDENTITY_TOKEN, &[], body, DEADLINE).await?;
    let token = Issued::read(&answer).expect("its form").token;
    let head = unbase64url(token.split('.').next().expect("a header")).expect("base64url");
    let head = parse(&head).expect("I-JSON");
    let kid = head.get("kid").and_then(Value::as_str).expect("a key's name").to_owned();
    Ok((token, kid))
}

/// Waits until tokens are signed by the key of this role, and gives one.
async fn exchanged_by(world: &World, role: &str) -> String {
    let signed = async {
        loop {
            match exchanged(world).await {
                Ok((token, kid)) if kid == signer(role).kid() => return token,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, signed).await.expect("it signs when every point knows it")
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_keys_are_renewed_and_end_and_a_restart_between_changes_nothing() {
    let mut world = World::founded().await;
    let row = |role: &str| {
        let source = jwt_source(role, AUTHORITY, signer(role).kid(), &signer(role).public());
        let Value::Object(row) = source.to_value() else { panic!("a record") };
        row
    };
    let held = |roles: &[&str]| {
        let held = roles.iter().map(|role| Arc::new(signer(role)) as Arc<dyn Signer>);
        Signers { identity: Keyring::new(held).expect("keys"), ..signers() }
    };
    let ended = |role: &str| Object::new().with("kid", signer(role).kid());
    let asked = crate::world::asked;
    // Not by a call: a process that is replaced would have to count it.
    let is_nobodys = |world: &World, token: &str| {
        let current = world.authority.registry().current().expect("an epoch");
        current.sources.authenticate(token, "11-11", SystemClock.now()).is_err()
    };

    world.restart_authority_by(held(&["identity", "identity-2"])).await;
    let (old, kid) = exchanged(&world).await.expect("a token");
    assert_eq!(kid, signer("identity").kid(), "the newer one is not registered");
    world.act("source.register", row("identity-2")).await.expect("registered");
    let new = exchanged_by(&world, "identity-2").await;
    for token in [&old, &new] {
        world.execute(token, &[], &asked()).await.expect("both count");
    }
    let done = world.act("key.retire", ended("identity")).await.expect("retired");
    assert_eq!(done.get("use").and_then(Value::as_str), Some("identity"));
    assert!(is_nobodys(&world, &old) && !is_nobodys(&world, &new));
    world.execute(&new, &[], &asked()).await.expect("the other counts");
    let again = row("identity");
    for (act, args, why) in [
        ("key.retire", ended("identity"), "ended already"),
        ("key.retire", ended("identity-2"), "eleven authority key renew"),
        ("source.register", again.clone(), "`kid`"),
        ("source.register", again.with("name", "authority"), "not replaced"),
        ("source.remove", Object::new().with("name", "authority"), "not taken back"),
        ("source.remove", Object::new().with("name", "identity-2"), "eleven key retire"),
    ] {
        let problem = world.act(act, args).await.expect_err(why);
        assert!(problem.status == 400 && problem.detail.contains(why), "{why}: {problem}");
    }

    world.restart_authority_by(held(&["identity", "identity-2"])).await;
    assert!(is_nobodys(&world, &old));
    let (token, kid) = exchanged(&world).await.expect("a token");
    assert_eq!(kid, signer("identity-2").kid());
    let since = SystemClock.now().to_millis_value();
    world.act("key.compromise", ended("identity-2").with("since", since)).await.expect("it ends at once");
    assert!(is_nobodys(&world, &token));
    for _ in 0..2 {
        let Err(CallError::Refused(problem)) = exchanged(&world).await else { panic!("nothing signs") };
        assert_eq!((problem.status, problem.reason), (503, Some(Reason::IssuerUnavailable)), "{problem}");
        let (status, said) = health(&world).await;
        assert_eq!((status, said.get("uncounted")), (503, Some(&Value::from(signer("identity-2").kid()))));
        let issue = world.act("identity.issue", Object::new().with("identity", fixtures::CALLER)).await;
        assert_eq!(issue.expect_err("nothing signs").status, 400);
        world.restart_authority_by(held(&["identity", "identity-2"])).await;
    }
    world.restart_authority_by(held(&["identity", "identity-2", "identity-3"])).await;
    world.act("source.register", row("identity-3")).await.expect("registered");
    let token = exchanged_by(&world, "identity-3").await;
    world.execute(&token, &[], &asked()).await.expect("it is allowed");
    assert_eq!(health(&world).await.0, 200);
    let problem = world.execute(&new, &[], &asked()).await.expect_err("its key has ended");
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_key_that_ends_while_nothing_is_asked_for_is_followed_by_another_that_counts() {
    let mut world = World::founded().await;
    let exp = SystemClock.now().plus_seconds(7).whole_seconds();
    let short = KeyRecord { exp, ..key("replica", KeyUse::Event, AUTHORITY) };
    world.act("key.register", Object::new().with("key", short.to_value())).await.expect("registered");
    let held = ["event", "replica"].map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
    world.restart_authority_by(Signers { event: Keyring::new(held).expect("two keys"), ..signers() }).await;
    let signs_by = |said: &Value, label: &str| said.get("kid") == Some(&Value::from(signer(label).kid()));
    let (status, said) = health(&world).await;
    assert!(status == 200 && signs_by(&said, "replica"), "the newest: {said}");
    let row = |label: &str| {
        let held = signer(label);
        Value::Object(Object::new().with("kid", held.kid()).with("public", signature::base64_value(&held.public())))
    };
    let rows = |labels: &[&str]| Value::Array(labels.iter().map(|label| row(label)).collect());
    assert_eq!(said.get("event_keys"), Some(&rows(&["replica", "event"])), "all that it holds");
    assert_eq!(said.get("issuer_keys"), Some(&rows(&["issuer"])));
    let goes_on = async {
        loop {
            let (status, said) = health(&world).await;
            if SystemClock.now() >= exp && status == 200 && signs_by(&said, "event") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(2 * DEADLINE, goes_on).await.expect("it is ready by the other");
    world.ask().await.expect("the first who asks is not refused");
    world.stop().await;
}

const SECOND: &str = "human:second:dev";

/// Registers another operator, `operator.second`, who is [`SECOND`] and signs by the key of that name.
async fn add_second(world: &World) {
    let key = signer("second");
    let record = operator_source("second", SECOND, key.kid(), &key.public());
    let Value::Object(record) = record.to_value() else { panic!("a record") };
    world.act("source.register", record).await.expect("registered");
}

/// The act, signed by the second operator now.
fn by_second(act: &str, args: Object) -> Vec<u8> {
    SignedAct::sign(act, args, SystemClock.now(), &signer("second")).to_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_waited_is_not_carried_out_for_an_operator_who_was_removed_meanwhile() {
    let world = World::founded().await;
    add_second(&world).await;
    // It takes a second to be refused, and what is published after it waits for its turn.
    let Value::Object(slow) = bundle(2) else { panic!("a bundle") };
    let slow = by_second("policy.publish", Object::new().with("bundle", slow.with("cedar", ";".repeat(MAX_CEDAR))));
    let waiting = by_second("policy.publish", Object::new().with("bundle", bundle(2)));
    let after = async |millis: u64, body: Vec<u8>| {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        world.send_act(body).await
    };
    let removal = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.act("source.remove", Object::new().with("name", "operator.second")).await
    };
    let (refused, waited, removed) = tokio::join!(after(0, slow), after(50, waiting), removal);
    removed.expect("removed");
    assert_eq!(refused.expect_err("it is not Cedar").status, 400);
    let problem = waited.expect_err("its operator is none any more");
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    world.ask().await.expect("version 1 is in force");
    let acts = world.records().await.into_iter().filter(|record| record.about.identity.as_deref() == Some(SECOND));
    assert_eq!(acts.count(), 0, "nothing was recorded");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_operator_any_more_is_not_told_what_an_act_would_have_come_to() {
    let world = World::founded().await;
    add_second(&world).await;
    let current = world.authority.registry().current().expect("an epoch");
    let second = current.sources.operator(signer("second").kid()).expect("the operator").clone();
    world.act("source.remove", Object::new().with("name", "operator.second")).await.expect("removed");
    let before = world.records().await.len();
    // As if each had waited for its turn.
    for act in [
        Act::SubjectLift { kind: "model".to_owned(), subject: "never-contained".to_owned() },
        Act::ClientRevoke { client: "nobody".to_owned() },
        Act::PolicyPublish { bundle: bundle(2) },
    ] {
        let name = act.name();
        let refused = world.authority.operate(act, Some(&second)).await.expect_err(name);
        assert!(matches!(refused, ActError::Signed(SignedError::Unknown)), "{name}: {refused}");
    }
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_an_operator_had_issued_ends_with_the_operator() {
    let world = World::founded().await;
    add_second(&world).await;
    let issue = by_second("identity.issue", Object::new().with("identity", crate::fixtures::CALLER));
    let issued = world.send_act(issue).await.expect("issued");
    let token = issued.get("token").and_then(Value::as_str).expect("a token").to_owned();
    world.execute(&token, &[], &crate::world::asked()).await.expect("it is allowed");
    world.act("source.remove", Object::new().with("name", "operator.second")).await.expect("removed");
    let problem = world.execute(&token, &[], &crate::world::asked()).await.expect_err("nobody answers for it");
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_acts_at_once_the_later_sees_what_the_earlier_did() {
    let world = World::founded().await;
    add_second(&world).await;
    for client in ["a", "b", "c"] {
        let args = || Object::new().with("client", client).with("identity", crate::fixtures::CALLER);
        let second = world.send_act(by_second("client.add", args()));
        let (one, other) = tokio::join!(world.act("client.add", args()), second);
        let (added, refused) = match (one, other) {
            (Ok(added), Err(refused)) | (Err(refused), Ok(added)) => (added, refused),
            both => panic!("one of them is the later: {both:?}"),
        };
        assert_eq!(refused.status, 400, "{refused}");
        let secret = added.get("secret").and_then(Value::as_str).expect("a secret");
        world.execute(secret, &[], &crate::world::asked()).await.expect("it is the one that is registered");

        let subject = || Object::new().with("kind", "tool").with("subject", client);
        world.act("subject.contain", subject()).await.expect("contained");
        let contain = world.send_act(by_second("subject.contain", subject()));
        let (lifted, contained) = tokio::join!(world.act("subject.lift", subject()), contain);
        lifted.expect("it was contained before");
        contained.expect("contained again, before or after that");
    }
    let refused = world.records().await.into_iter().find(|record| record.event == "ledger.refused");
    assert_eq!(refused, None);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_whose_identity_is_contained_does_not_act() {
    let world = World::founded().await;
    add_second(&world).await;
    let identity = || Object::new().with("kind", "identity").with("subject", SECOND);
    world.act("subject.contain", identity()).await.expect("contained");
    for (act, args) in [
        ("subject.lift", identity()),
        ("identity.issue", Object::new().with("identity", crate::fixtures::CALLER)),
        ("policy.publish", Object::new().with("bundle", bundle(2))),
    ] {
        let problem = world.send_act(by_second(act, args)).await.expect_err(act);
        assert_eq!((problem.status, problem.reason), (403, Some(Reason::RuntimeContained)), "{act}");
    }
    // What stops all callers stops no operator.
    let domain = || Object::new().with("kind", "domain").with("subject", "11-11");
    world.act("subject.contain", domain()).await.expect("contained");
    assert_eq!(world.ask().await.expect_err("contained").reason, Some(Reason::RuntimeContained));
    world.act("subject.lift", domain()).await.expect("lifted");
    world.act("subject.lift", identity()).await.expect("lifted");
    world.send_act(by_second("policy.publish", Object::new().with("bundle", bundle(2)))).await.expect("it acts again");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_not_begun_while_what_the_last_one_made_is_not_in_force() {
    let world = World::founded().await;
    // As if an operator had signed while the ledger was heard.
    let operator = world.listed_operator();
    let contain = async |model: &str| {
        let act = Act::SubjectContain { kind: "model".to_owned(), subject: model.to_owned() };
        world.authority.operate(act, Some(&operator)).await
    };
    // The authority hears nothing of what it made.
    world.relay.hold_entries(true);
    let pending = contain("one").await.expect_err("durable, and not in force");
    assert!(matches!(pending, ActError::Pending), "{pending}");
    let refused = contain("two").await.expect_err("not begun");
    assert!(refused.to_string().contains("this one is not begun"), "{refused}");
    let transitions = async || world.records().await.iter().filter(|one| one.event == "lifecycle.contained").count();
    assert_eq!(transitions().await, 1);
    world.relay.hold_entries(false);
    contain("two").await.expect("the one before it is in force");
    assert_eq!(transitions().await, 2);
    world.stop().await;
}

/// A key that nothing can be signed with: whoever tries breaks off.
struct Breaking(SeedSigner);

impl Signer for Breaking {
    fn kid(&self) -> &str {
        self.0.kid()
    }

    fn public(&self) -> [u8; 32] {
        self.0.public()
    }

    fn sign(&self, _: &[u8]) -> [u8; 64] {
        panic!("a signer that fails")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_broke_off_is_said_to_have_and_the_next_has_its_turn() {
    let mut world = World::founded().await;
    world.restart_authority_by(Signers { policy: Breaking(signer("policy")).into(), ..signers() }).await;
    let before = world.records().await.len();
    let args = Object::new().with("days", 10u64).with("regime", "own");
    let problem = world.act("retention.set", args).await.expect_err("it is to be signed");
    assert_eq!((problem.status, problem.reason), (500, None));
    assert_eq!(problem.detail, "the act broke off: the authority's log says why");
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    let args = Object::new().with("key", key("replica", KeyUse::Event, AUTHORITY).to_value());
    world.act("key.register", args).await.expect("another key signs this");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_not_begun_before_it_is_known_here_what_became_of_the_last_one() {
    let world = World::founded().await;
    // As if an operator had signed while the ledger was heard.
    let operator = world.listed_operator();
    let add = async || {
        let act =
            Act::ClientAdd { client: "second".to_owned(), identity: crate::fixtures::CALLER.to_owned(), hash: None };
        world.authority.operate(act, Some(&operator)).await.expect_err("not, or not yet").to_string()
    };
    // The ledger takes it, and nobody hears of that.
    world.relay.lose_answers(true);
    world.relay.hold_entries(true);
    let open = add().await;
    assert!(open.contains("what became of it is open"), "{open}");
    let refused = add().await;
    assert!(refused.contains("this one is not begun"), "{refused}");
    // Now it is heard that the ledger has it, and what that makes of the registry is not.
    world.relay.lose_answers(false);
    let began = std::time::Instant::now();
    while health(&world).await.1.get("events") != Some(&Value::from("flowing")) {
        assert!(began.elapsed() < DEADLINE, "its fate is not known");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Nor is it begun where nobody says how far the ledger is.
    world.relay.refuse(true);
    let began = std::time::Instant::now();
    let refused = add().await;
    assert!(refused.starts_with("the ledger left open what becomes of what the act before this one sent"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(4), "nothing is waited for");
    world.relay.refuse(false);
    let refused = add().await;
    assert!(refused.contains("this one is not begun"), "{refused}");
    world.relay.hold_entries(false);
    let refused = add().await;
    assert!(refused.contains("there is one of that name"), "{refused}");
    let added = |record: &&Record| record.data_str("name") == Some("client.second");
    assert_eq!(world.records().await.iter().filter(added).count(), 1);
    world.act("client.revoke", Object::new().with("client", "second")).await.expect("revoked");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_act_leaves_a_domain_without_an_operator_who_may_act() {
    let world = World::founded().await;
    let root = || Object::new().with("name", "operator.root");
    let replaced = || {
        let mapping = Object::new().with("kind", "auditor");
        root().with("source", "auditor").with("mapping", mapping)
    };
    let own = || Object::new().with("kind", "identity").with("subject", "human:operator:dev");
    let second = || Object::new().with("kind", "identity").with("subject", SECOND);
    let refused = async || {
        for (act, args) in [("source.remove", root()), ("source.register", replaced()), ("subject.contain", own())] {
            let problem = world.act(act, args).await.expect_err(act);
            assert_eq!(problem.status, 400, "{act}: {problem}");
            assert!(problem.detail.contains("no operator would be left"), "{act}: {problem}");
        }
    };
    refused().await;
    add_second(&world).await;
    world.act("subject.contain", second()).await.expect("contained");
    refused().await;
    world.act("subject.lift", second()).await.expect("lifted");
    // The same row with another key is an operator's, too.
    let renewed = signer("renewed");
    let record = operator_source("second", SECOND, renewed.kid(), &renewed.public());
    let Value::Object(record) = record.to_value() else { panic!("a record") };
    let problem = world.act("source.register", record.clone()).await.expect_err("it stands");
    assert!(problem.status == 400 && problem.detail.contains("remove it first"), "{problem}");
    world.act("operator.remove", Object::new().with("operator", "second")).await.expect("removed");
    world.act("source.register", record).await.expect("registered anew");
    let removal = SignedAct::sign("source.remove", root(), SystemClock.now(), &renewed);
    world.send_act(removal.to_bytes()).await.expect("another is left");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_neither_removes_nor_replaces_its_own_row() {
    let world = World::founded().await;
    add_second(&world).await;
    let third = signer("third");
    let renewed = operator_source("root", "human:operator:dev", third.kid(), &third.public());
    let Value::Object(renewed) = renewed.to_value() else { panic!("a record") };
    let before = world.records().await.len();
    for (act, args) in [
        ("source.remove", Object::new().with("name", "operator.root")),
        ("source.register", renewed.clone()),
        ("operator.remove", Object::new().with("operator", "root")),
    ] {
        let problem = world.act(act, args).await.expect_err(act);
        assert_eq!(problem.status, 400, "{act}: {problem}");
        assert!(problem.detail.contains("does not remove itself"), "{act}: {problem}");
    }
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    // Nor does another one, unseen.
    let before = world.records().await.len();
    let problem = world.send_act(by_second("source.register", renewed.clone())).await.expect_err("it stands");
    assert!(problem.status == 400 && problem.detail.contains("remove it first"), "{problem}");
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");
    world
        .send_act(by_second("operator.remove", Object::new().with("operator", "root")))
        .await
        .expect("another one does");
    world.send_act(by_second("source.register", renewed)).await.expect("registered anew");
    let problem = world.act("identity.issue", Object::new().with("identity", SECOND)).await.expect_err("another key");
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_added_once_acts_and_is_removed_by_another() {
    let world = World::founded().await;
    let args = |label: &str| {
        let key = signer(label);
        let args = Object::new().with("operator", "second").with("identity", SECOND).with("kid", key.kid());
        args.with("public", signature::base64_value(&key.public()))
    };
    let name = |operator: &str| Object::new().with("operator", operator);
    let before = world.records().await.len();
    let problem = world.act("operator.remove", name("root")).await.expect_err("the only one");
    assert!(problem.status == 400 && problem.detail.contains("no operator would be left"), "{problem}");
    let problem = world.act("operator.remove", name("second")).await.expect_err("nobody yet");
    assert_eq!(problem.status, 404, "{problem}");
    assert_eq!(own(&world.records().await[before..]), 0, "nothing was recorded");

    world.act("operator.add", args("second")).await.expect("added");
    let problem = world.act("operator.add", args("third")).await.expect_err("there is one");
    assert!(problem.status == 400 && problem.detail.contains("remove it first"), "{problem}");
    let taken = args("second").with("operator", "other");
    let problem = world.act("operator.add", taken).await.expect_err("its key is another's");
    assert!(problem.status == 400 && problem.detail.contains("`kid` is that of another source"), "{problem}");
    world.send_act(by_second("policy.publish", Object::new().with("bundle", bundle(2)))).await.expect("it acts");

    let problem = world.send_act(by_second("operator.remove", name("second"))).await.expect_err("itself");
    assert!(problem.status == 400 && problem.detail.contains("does not remove itself"), "{problem}");
    world.send_act(by_second("operator.remove", name("root"))).await.expect("another is left");
    let problem = world.act("operator.add", args("third")).await.expect_err("it is none any more");
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    let problem = world.send_act(by_second("operator.remove", name("second"))).await.expect_err("the last one");
    assert!(problem.status == 400 && problem.detail.contains("`eleven operator add`"), "{problem}");
    world.stop().await;
}
