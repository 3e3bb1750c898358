use super::*;
use crate::fixtures::{self, AUTHORITY, CALLER, NOW, POINT, RUNTIME, signer};
use eleven_core::artifact::RequestBinding;
use eleven_core::hash::Sha3;
use eleven_core::policy::{PolicyBundle, commitment};
use eleven_core::registry::Fold;

fn current(fold: Fold, bundles: Vec<PolicyBundle>) -> Current {
    let policies = bundles.into_iter().map(|bundle| Policy::compile(bundle).expect("it compiles")).collect();
    Current::of_fold(fold, policies, NOW, &signer("registry")).expect("an epoch")
}

fn domain(terms: Object) -> Current {
    let bundles = vec![fixtures::bundle("medical/inference", "model.invoke", terms)];
    current(fixtures::fold(&bundles), bundles)
}

fn op() -> Object {
    let scope = vec![Value::from("phi.read"), Value::from("phi.no_export")];
    Object::new().with("name", "model.invoke").with("model", "clinical-summary-v4").with("scope", scope)
}

fn request(op: Object) -> Request {
    let asked = Execute { identity: CALLER.into(), op, runtime: RUNTIME.into(), request: None };
    let random = Random { nonce: [1; 17], salt: [2; 16] };
    Request { caller: CALLER.into(), operator: None, point: None, asked, now: NOW, random }
}

fn binding() -> RequestBinding {
    RequestBinding { body: Sha3::of(&[b"body"]), method: "POST".into(), path: "/v1/chat/completions".into() }
}

fn allowed(current: &Current, request: Request) -> Issuance {
    match decide(AUTHORITY, current, request) {
        Outcome::Allow(allowance) => allowance.issue(&signer("issuer")).expect("an artifact"),
        other => panic!("{other:?}"),
    }
}

fn refused(current: &Current, request: Request) -> Refusal {
    match decide(AUTHORITY, current, request) {
        Outcome::Deny(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn reason(current: &Current, request: Request) -> Reason {
    refused(current, request).reason
}

/// As one that an earlier version took, and that is past what a later one has room for.
#[test]
fn a_policy_in_force_that_does_not_decide_is_counted_and_denies_what_it_covers() {
    assert_eq!(domain(Object::new()).undecided(), 0);
    let bundle = fixtures::bundle("medical/inference", "model.invoke", Object::new());
    let current = current(fixtures::fold(&[bundle]), Vec::new());
    assert_eq!((current.undecided(), reason(&current, request(op()))), (1, Reason::PolicyError));
}

#[test]
fn the_doctrines_request_is_allowed_and_recorded() {
    let current = domain(Object::new());
    let Issuance { artifact, salt, event } = allowed(&current, request(op()));
    assert_eq!(artifact.iss, AUTHORITY);
    assert_eq!(artifact.sub, CALLER);
    assert_eq!(artifact.op.scope, ["phi.no_export", "phi.read"], "sorted by the authority");
    assert_eq!((artifact.env.region.as_str(), artifact.env.tenancy.as_str()), ("us-east-1", "single"));
    assert_eq!((artifact.nbf, artifact.exp.since(artifact.nbf)), (NOW.plus_seconds(-2).whole_seconds(), 60_000));
    assert!(artifact.digests_follow() && artifact.op.params.is_none());
    assert_eq!(salt, hash::base64(&[2; 16]));
    let key = current.view.key(&artifact.sig.kid).expect("the issuer's key");
    assert!(key.verifying.verifies(artifact.payload(), &artifact.sig.val));

    let input = event.blobs.get(1).expect("the decision input");
    let data = eleven_core::lineage::issued_data(&event.data).expect("exactly chash, exp, request");
    assert_eq!((data.chash, data.exp, data.request), (artifact.chash, artifact.exp, Sha3::of(&[input])));
    assert_eq!(event.blobs.first(), Some(&artifact.to_value().canonical()));
    assert_eq!(event.about, About::artifact(&artifact));
    let replayed = eleven_core::encoding::parse_canonical(input).expect("canonical");
    let bundle = fixtures::bundle("medical/inference", "model.invoke", Object::new());
    assert_eq!(eleven_policy::replay(&bundle, &replayed), eleven_policy::Replay::Permits);
}

/// A bundle whose schema declares these facts.
fn of_schema(facts: &str) -> PolicyBundle {
    let schema = format!(
        "entity Identity; entity Runtime; action \"model.invoke\" appliesTo {{ principal: Identity, resource: Runtime, context: {{ \
         identity: {{ id: String, kind: String, name: String, env?: String }}, \
         op: {{ name: String, scope: Set<String>, model: String }}, \
         env: {{ runtime: String, region: String, tenancy: String }}, facts: {facts}, at: datetime }} }};"
    );
    let Value::Object(bundle) = fixtures::bundle_value("medical/inference", "model.invoke", Object::new()) else {
        panic!("a bundle")
    };
    PolicyBundle::read(Value::Object(bundle.with("schema", schema))).expect("a bundle")
}

#[test]
fn the_operator_who_had_the_callers_token_issued_stands_in_the_input_where_the_schema_knows_it() {
    let facts = |bundle: &PolicyBundle, operator: Option<&str>| {
        let current = current(fixtures::fold(std::slice::from_ref(bundle)), vec![bundle.clone()]);
        let asked = Request { operator: operator.map(str::to_owned), ..request(op()) };
        let Issuance { event, .. } = allowed(&current, asked);
        let input = eleven_core::encoding::parse_canonical(event.blobs.get(1).expect("the decision input"));
        let input = input.expect("canonical");
        assert_eq!(eleven_policy::replay(bundle, &input), eleven_policy::Replay::Permits);
        input.get("facts").cloned().expect("facts")
    };
    let (who, named) = ("human:operator:dev", Value::Object(Object::new().with("operator", "human:operator:dev")));
    let none = Value::Object(Object::new());
    let plain = fixtures::bundle("medical/inference", "model.invoke", Object::new());
    assert_eq!((facts(&plain, Some(who)), facts(&plain, None)), (named.clone(), none.clone()));
    assert_eq!(facts(&of_schema("{ operator?: String }"), Some(who)), named);
    // One that was written without it goes on as it did.
    assert_eq!(facts(&of_schema("{}"), Some(who)), none);
    let denied =
        refused(&domain(Object::new()), Request { operator: Some(who.into()), ..request(op().with("model", "other")) });
    let event = denied.event();
    let input = String::from_utf8_lossy(event.blobs.first().expect("the decision input")).into_owned();
    assert!(input.contains(r#""facts":{"operator":"human:operator:dev"}"#), "{input}");
}

#[test]
fn a_refusal_by_rule_says_which_and_what_would_pass() {
    let refusal = refused(&domain(Object::new()), request(op().with("model", "other")));
    assert_eq!(refusal.reason, Reason::PolicyDenied);
    assert!(refusal.detail.contains("`summaries` of policy://medical/inference/v1"), "{}", refusal.detail);
    assert!(refusal.detail.contains("ask for clinical-summary-v4"), "{}", refusal.detail);
    let event = refusal.event();
    assert_eq!(event.event, "execution.denied");
    assert_eq!(event.about.reason, Some(Reason::PolicyDenied));
    assert_eq!(event.about.policy_required.as_deref(), Some("policy://medical/inference/v1"));
    assert_eq!(event.data.get("rule"), Some(&Value::from("summaries")));
    let input = event.blobs.first().expect("the decision input");
    assert_eq!(event.data.get("request"), Some(&Sha3::of(&[input]).into()));
}

#[test]
fn a_forbid_that_holds_is_not_worded_as_a_permit_that_is_lacking() {
    let closest = refused(&domain(Object::new()), request(op().with("model", "other")));
    assert!(closest.detail.contains(" does not permit this") && closest.event().data.get("forbids").is_none());
    let rule = Some("no_night".to_owned());
    let denial =
        eleven_policy::Denial { reason: Reason::PolicyDenied, rule, forbids: true, would_pass: None, detail: None };
    let forbidden = closest.by_rule(denial, Vec::new());
    assert_eq!(forbidden.detail, "rule `no_night` of policy://medical/inference/v1 forbids this");
    assert_eq!(forbidden.event().data.get("forbids"), Some(&Value::Bool(true)));
}

#[test]
fn each_step_refuses_with_its_reason() {
    let current = domain(Object::new());
    let other = Execute { identity: "svc:other".into(), ..request(op()).asked };
    assert_eq!(reason(&current, Request { asked: other, ..request(op()) }), Reason::IdentityMismatch);
    let elsewhere = Execute { runtime: "k8s://c2/ns/inference".into(), ..request(op()).asked };
    assert_eq!(reason(&current, Request { asked: elsewhere, ..request(op()) }), Reason::RuntimeUnregistered);
    let stranger = Request { point: Some("k8s://cluster-east-1/ns/inference#gw-9".into()), ..request(op()) };
    assert_eq!(reason(&current, stranger), Reason::RuntimeUnregistered);
    let asked = Execute { runtime: "k8s://cluster-east-1/ns/other".into(), ..request(op()).asked };
    let misplaced = Request { point: Some(POINT.into()), asked, ..request(op()) };
    assert_eq!(reason(&current, misplaced), Reason::EnvironmentMismatch);
    assert_eq!(reason(&current, request(op().with("name", "tool.call"))), Reason::PolicyNone);
    assert_eq!(reason(&current, request(op().with("model", 4u64))), Reason::PolicyDenied);
    let mut without_model = op();
    without_model.remove("model");
    assert_eq!(reason(&current, request(without_model)), Reason::PolicyError, "a rule that fails to evaluate denies");
}

/// The doctrine's denial, its section 4.4, names the policy that was required, also where no policy was asked.
#[test]
fn a_refusal_before_the_policy_is_asked_names_the_one_that_is_required() {
    let current = domain(Object::new());
    let required = |request: Request| refused(&current, request).event().about.policy_required;
    let other = Execute { identity: "svc:other".into(), ..request(op()).asked };
    let many: Vec<Value> = (0..65).map(|n| Value::from(format!("s{n:02}"))).collect();
    let stranger = Some("k8s://cluster-east-1/ns/inference#gw-9".to_owned());
    for refused in [
        Request { asked: other, ..request(op()) },
        Request { point: stranger, ..request(op()) },
        request(op().with("scope", many)),
    ] {
        assert_eq!(required(refused.clone()).as_deref(), Some("policy://medical/inference/v1"), "{refused:?}");
    }
    assert_eq!(required(request(op().with("name", "tool.call"))), None, "none is in force for it");
}

#[test]
fn a_containment_stops_what_it_covers() {
    for (kind, subject) in [
        ("identity", CALLER),
        ("runtime", "k8s://cluster-east-1"),
        ("operation", "model.invoke"),
        ("model", "clinical-summary-v4"),
        ("tool", "browser"),
        ("policy", "policy://medical/inference/v1"),
        ("domain", "11-11"),
        ("mesh", "*"),
    ] {
        let refusal = refused(&containing(kind, subject), request(op().with("tool", "browser")));
        assert_eq!(refusal.reason, Reason::RuntimeContained, "{kind} {subject}");
        assert!(refusal.detail.contains(subject), "{}", refusal.detail);
        assert_eq!(refusal.event().about.policy_required.as_deref(), Some("policy://medical/inference/v1"));
    }
    // Neither another tool, nor what is no tool's call.
    allowed(&containing("tool", "search"), request(op().with("tool", "browser")));
    allowed(&containing("tool", "browser"), request(op()));
    // The point that acts, and one beside it.
    let acting = || Request { point: Some(POINT.into()), ..request(op()) };
    assert_eq!(reason(&containing("runtime", POINT), acting()), Reason::RuntimeContained);
    allowed(&containing("runtime", "k8s://cluster-east-1/ns/inference#gw-1"), acting());
}

/// The domain, with this subject contained.
fn containing(kind: &str, subject: &str) -> Current {
    let bundles = vec![fixtures::bundle("medical/inference", "model.invoke", Object::new())];
    let mut fold = fixtures::fold(&bundles);
    let data = Object::new().with("kind", kind).with("subject", subject).with("cause", "operator");
    fixtures::apply(&mut fold, "lifecycle.contained", Value::Object(data));
    current(fold, bundles)
}

#[test]
fn a_policy_without_its_bundle_denies() {
    let bundles = vec![fixtures::bundle("medical/inference", "model.invoke", Object::new())];
    assert_eq!(reason(&current(fixtures::fold(&bundles), Vec::new()), request(op())), Reason::PolicyError);
}

#[test]
fn a_sensitive_value_in_clear_is_refused_and_repeated_nowhere() {
    let current = domain(Object::new().with("sensitive", vec![Value::from("/op/patient")]));
    let refusal = refused(&current, request(op().with("patient", "Jane Roe")));
    assert_eq!(refusal.reason, Reason::OperationMismatch);
    let event = refusal.event();
    assert!(!refusal.detail.contains("Jane") && !format!("{event:?}").contains("Jane"));
    let committed = commitment(&hash::base64(&[9; 16]), "/op/patient", &"Jane Roe".into());
    allowed(&current, request(op().with("patient", committed)));
    allowed(&current, request(op()));
    // A point commits by its view: that it did not says that its view is of before this policy.
    let acting = Request { point: Some(POINT.into()), ..request(op().with("patient", "Jane Roe")) };
    let refusal = refused(&current, acting);
    assert_eq!(refusal.reason, Reason::PolicyMismatch);
    assert!(!refusal.detail.contains("Jane"));
}

#[test]
fn a_value_that_may_hold_what_is_sensitive_is_refused_unless_it_is_committed() {
    let current = domain(Object::new().with("sensitive", vec![Value::from("/op/metadata/mrn")]));
    let text = r#"{"mrn":"Jane Roe","score":0.5}"#;
    let refusal = refused(&current, request(op().with("metadata", text)));
    assert_eq!(refusal.reason, Reason::OperationMismatch);
    assert!(!refusal.detail.contains("Jane") && refusal.detail.contains("`/op/metadata`"), "{}", refusal.detail);
    let committed = commitment(&hash::base64(&[9; 16]), "/op/metadata", &text.into());
    allowed(&current, request(op().with("metadata", committed)));
    allowed(&current, request(op().with("metadata", Object::new().with("ward", "7"))));
}

#[test]
fn the_exact_request_is_bound_where_the_policy_asks() {
    let terms = Object::new().with("bind_params", true);
    let current = domain(terms.clone());
    assert_eq!(reason(&current, request(op())), Reason::OperationMismatch);
    let asked = Execute { request: Some(binding()), ..request(op()).asked };
    let bound = allowed(&current, Request { asked: asked.clone(), ..request(op()) });
    assert_eq!(bound.artifact.op.params, Some(binding().digest(&hash::base64(&[2; 16]))));
    let plain = domain(terms.with("digests", "plain"));
    let bound = allowed(&plain, Request { asked, ..request(op()) });
    assert_eq!((bound.artifact.op.params, bound.salt.as_str()), (Some(binding().digest("")), ""));
}

#[test]
fn an_artifact_is_valid_at_once_to_a_point_whose_clock_is_as_far_behind_as_it_may_be() {
    let current = domain(Object::new());
    for millis in [0, 1, 250, 999] {
        let now = NOW.whole_seconds().plus_millis(millis);
        let artifact = allowed(&current, Request { now, ..request(op()) }).artifact;
        assert!(artifact.nbf <= now.plus_millis(-limits::MAX_STAMP_AHEAD_MS), "{millis}");
        assert!(artifact.nbf >= now.plus_seconds(-limits::MAX_NBF_BACK), "{millis}");
    }
}

#[test]
fn the_policys_terms_shape_the_artifact() {
    let rate = Object::new().with("use", vec![Value::from("rate")]).with("max", 5u64).with("per", 30u64);
    let artifact = allowed(&domain(rate), request(op())).artifact;
    assert_eq!((artifact.usage.mode(), artifact.usage.max()), (UseMode::Rate, Some(5)));
    let both = Object::new().with("use", vec![Value::from("bounded"), Value::from("single")]);
    assert_eq!(allowed(&domain(both), request(op())).artifact.usage.mode(), UseMode::Single);
    let short = allowed(&domain(Object::new().with("ttl", 2u64)), request(op())).artifact;
    assert_eq!((short.nbf, short.exp.since(short.nbf)), (NOW.whole_seconds(), 2_000));
    let approvals = Object::new().with("m", 1u64).with("from", vec![Value::from("human:lead")]);
    assert_eq!(reason(&domain(Object::new().with("approvals", approvals)), request(op())), Reason::ApprovalRequired);
    let hardware = domain(Object::new().with("attestation", "tpm2-quote"));
    assert_eq!(reason(&hardware, request(op())), Reason::RuntimeIntegrity);
}

#[test]
fn limits_are_refused_and_what_is_no_operation_is_no_request() {
    let current = domain(Object::new());
    assert_eq!(reason(&current, request(op().with("note", "x".repeat(5_000)))), Reason::LimitsExceeded);
    // `op` itself is the first container.
    let nested = |depth: usize| (1..depth).fold(Value::from("x"), |inner, _| Value::from(vec![inner]));
    let deep = refused(&current, request(op().with("note", nested(31))));
    assert_eq!(deep.reason, Reason::LimitsExceeded);
    assert!(deep.detail.contains("deeper than 30"), "{}", deep.detail);
    allowed(&current, request(op().with("note", nested(30))));
    let many: Vec<Value> = (0..65).map(|n| Value::from(format!("s{n:02}"))).collect();
    assert_eq!(reason(&current, request(op().with("scope", many))), Reason::LimitsExceeded);
    for wrong in [
        op().with("scope", vec![Value::from("phi.read"), Value::from("phi.read")]),
        op().with("scope", "phi.read"),
        op().with("scope", vec![Value::from(1u64)]),
        op().with("name", "two words"),
        op().with("params", Sha3::of(&[b"x"])),
        Object::new().with("scope", Vec::<Value>::new()),
    ] {
        assert!(matches!(decide(AUTHORITY, &current, request(wrong)), Outcome::Malformed(_)));
    }
}

#[test]
fn an_acting_point_decides_where_its_runtime_stands() {
    let bundles = vec![fixtures::bundle("medical/inference", "model.invoke", Object::new())];
    let mut fold = fixtures::fold(&bundles);
    let second = eleven_core::registry::RuntimeRecord {
        point: format!("{RUNTIME}#gw-1"),
        region: "eu-west-1".into(),
        kid: "key:11-11/gw-1/1".into(),
        ..fixtures::runtime()
    };
    fixtures::apply(&mut fold, "runtime.registered", eleven_core::registry::Item::to_value(&second));
    let current = current(fold, bundles);
    assert_eq!(reason(&current, request(op())), Reason::EnvironmentMismatch, "which region is not to be told");
    let acting = Request { point: Some(second.point), ..request(op()) };
    assert_eq!(allowed(&current, acting).artifact.env.region, "eu-west-1");
}

#[test]
fn a_point_acts_by_the_key_of_its_row_where_that_is_its_own_and_counts() {
    use eleven_core::registry::{GrantedKey, Item as _, RuntimeRecord};
    use eleven_core::root::KeyUse;
    let second = format!("{RUNTIME}#gw-1");
    // A row may name a key that is registered after it, for whomever and for whatever.
    let with = |usage, owner: &str| {
        let mut fold = fixtures::fold(&[]);
        let kid = signer("second").kid().to_owned();
        let row = RuntimeRecord { point: second.clone(), kid, ..fixtures::runtime() };
        fixtures::apply(&mut fold, "runtime.registered", row.to_value());
        let key = GrantedKey::sign(fixtures::key("second", usage, owner), &signer("registry"));
        fixtures::apply(&mut fold, "key.registered", Value::Object(key.to_object()));
        fold
    };
    let acts = |fold: &Fold, at: Time| current(fold.clone(), Vec::new()).point_key(&second, at).is_some();
    let mut own = with(KeyUse::Event, &second);
    let exp = fixtures::key("second", KeyUse::Event, &second).exp;
    assert!(acts(&own, NOW) && acts(&own, exp.plus_millis(-1)) && !acts(&own, exp));
    assert!(!acts(&with(KeyUse::Event, POINT), NOW), "another's key");
    assert!(!acts(&with(KeyUse::Attestation, &second), NOW), "a key for another use");
    let retired = Object::new().with("kid", signer("second").kid());
    fixtures::apply(&mut own, "key.retired", Value::Object(retired));
    assert!(!acts(&own, NOW), "it has ended");
}

#[test]
fn a_refusal_that_no_record_holds_is_recorded_without_what_is_long() {
    let path = vec!["a".repeat(60); 200].join("/");
    let bundles = vec![fixtures::bundle(&path, "model.invoke", Object::new())];
    let current = current(fixtures::fold(&bundles), bundles);
    let refusal = refused(&current, request(op().with("model", "other")));
    let record = |refusal: &Refusal| {
        let sequencer::Draft { event, place, ts, data, about, .. } = refusal.event();
        let draft = eleven_core::event::Draft { event, place, ts, by: AUTHORITY.into(), src_seq: 0, data, about };
        draft.sign(&signer("event"))
    };
    assert!(record(&refusal).is_err(), "its policy is named twice, in 24 KiB");
    let short = record(&refusal.shortened()).expect("a record");
    assert_eq!((short.about.reason, short.about.identity.as_deref()), (Some(Reason::PolicyDenied), Some(CALLER)));
    assert_eq!((short.about.policy, short.about.runtime.as_deref()), (None, Some(RUNTIME)));
    assert_eq!(short.data.get("request"), refusal.event().data.get("request"));
    // What is permitted under it fits into no artifact.
    let Outcome::Allow(allowance) = decide(AUTHORITY, &current, request(op())) else { panic!("it is permitted") };
    let refusal = allowance.issue(&signer("issuer")).expect_err("larger than an artifact may be");
    let about = refusal.event().about;
    assert_eq!((refusal.reason, about.operation.as_deref()), (Reason::LimitsExceeded, Some("model.invoke")));
}
