use super::*;
use crate::conformance;
use eleven_core::artifact;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::{self, Place, Tip};
use eleven_core::form::Form;
use eleven_core::hash::{Blake2b, base64url, unbase64url};
use eleven_core::registry::{ContainmentRecord, ContainmentState, Header, Item as _, Lists, PolicyRecord};
use eleven_core::registry::{RevokedRecord, Snapshot, Stamp};
use eleven_core::signature::{SeedSigner, base64_value, bytes32};
use std::boxed::Box;
use std::string::ToString as _;

extern crate std;

fn file() -> Value {
    parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON")
}

/// The vectors' case in which everything is in order.
fn base() -> Object {
    file().get("base").and_then(Value::as_object).expect("base").clone()
}

/// The vectors' case of this name.
fn case(what: &str) -> Object {
    let file = file();
    let mut cases = file.get("cases").and_then(Value::as_array).expect("cases").iter();
    let case = cases.find(|case| case.get("what") == Some(&Value::from(what))).unwrap_or_else(|| panic!("{what}"));
    changed(&base(), case.get("change").expect("change")).as_object().expect("an object").clone()
}

fn changed(base: &Object, change: &Value) -> Value {
    let mut case = base.clone();
    for (name, value) in change.as_object().expect("a change").iter() {
        case.insert(name, value.clone());
    }
    Value::Object(case)
}

#[test]
fn every_boundary_of_admission_is_where_the_vectors_put_it() {
    let file = file();
    let base = file.get("base").and_then(Value::as_object).expect("base");
    let cases = file.get("cases").and_then(Value::as_array).expect("cases");
    assert!(cases.len() > 100);
    for case in cases {
        let what = case.get("what").and_then(Value::as_str).expect("what");
        let expected = case.get("expect").and_then(Value::as_str).expect("expect");
        let known = changed(base, case.get("change").expect("change"));
        let outcome = conformance::admission(known).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(conformance::outcome(outcome).to_string(), expected, "{what}");
    }
}

#[test]
fn the_window_of_a_rate_ends_now_and_what_is_dated_after_that_is_not_in_it() {
    let file = file();
    let (base, cases) = (file.get("base").and_then(Value::as_object).expect("base"), file.get("cases").expect("cases"));
    let two_in_ten =
        |case: &&Value| case.get("what").and_then(Value::as_str) == Some("third use within ten seconds of two");
    let case = cases.as_array().expect("cases").iter().find(two_in_ten).expect("the case");
    let known = changed(base, case.get("change").expect("change"));
    let known = known.as_object().expect("an object");
    let now = Time::parse_millis(base.get("now").and_then(Value::as_str).expect("a time")).expect("a time");
    let uses = known.get("uses").and_then(Value::as_object).expect("uses");
    let artifact = uses.iter().next().expect("one artifact").0.to_string();
    for (first, second, expected) in
        [(-9_999, 0, "artifact.rate.exceeded"), (-10_000, 0, "permit"), (-9_999, 1, "permit"), (1, 60_000, "permit")]
    {
        let times = [first, second].map(|millis| now.plus_millis(millis).to_millis_value());
        let uses = Object::new().with(&artifact, Vec::from(times));
        let known = Value::Object(known.clone().with("uses", uses));
        let outcome = conformance::admission(known).expect("readable");
        assert_eq!(conformance::outcome(outcome), expected, "{first} {second}");
    }
}

#[test]
fn what_was_issued_before_the_journal_began_may_have_been_used() {
    let file = file();
    let base = file.get("base").and_then(Value::as_object).expect("base").clone();
    let token = base.get("token").and_then(Value::as_str).expect("a token");
    let issued = Token::read(token).expect("a token").issued.ts;
    for (since, admitted) in [(None, true), (Some(issued), true), (Some(issued.plus_millis(1)), false)] {
        let known = Value::Object(base.clone());
        let reason = conformance::admitted_where(known, |held| held.uses_since = since).expect("readable").err();
        assert_eq!(reason, (!admitted).then_some(Reason::ArtifactReplayed), "{since:?}");
    }
}

/// The reason for which the case in which everything is in order is refused where the point holds something else.
fn refused(change: impl FnOnce(&mut Held<'_>)) -> Option<Reason> {
    refused_in(base(), change)
}

/// The same for another case.
fn refused_in(case: Object, change: impl FnOnce(&mut Held<'_>)) -> Option<Reason> {
    conformance::admitted_where(Value::Object(case), change).expect("readable").err()
}

#[test]
fn a_view_from_before_the_clock_went_back_is_no_fresh_one() {
    let now = Time::parse_millis(file().pointer("/base/now").and_then(Value::as_str).expect("a time")).expect("a time");
    let issued = |held: &Held<'_>| held.view.expect("a view").stamp().issued;
    let ahead = |held: &mut Held<'_>| held.stamped = Some(now.plus_millis(MAX_STAMP_AHEAD_MS + 1));
    assert_eq!(refused(ahead), Some(Reason::RuntimeClock), "the stamp that was heard last");
    assert_eq!(refused(|held| held.stamped = None), None, "the stamp that is held is not ahead");
    assert_eq!(refused(|held| held.stamped = Some(issued(held).plus_seconds(-70))), None);
    // As old as it may be by the clock that nobody sets, and a millisecond older.
    assert_eq!(refused(|held| held.held_ms = held.view.expect("a view").fresh_ms()), None);
    let older = |held: &mut Held<'_>| held.held_ms = held.view.expect("a view").fresh_ms() + 1;
    assert_eq!(refused(older), Some(Reason::IssuerUnavailable));
}

#[test]
fn a_clock_that_went_back_is_told_with_the_time_that_ends_it_and_what_ends_it_sooner() {
    let now = Time::parse_millis(file().pointer("/base/now").and_then(Value::as_str).expect("a time")).expect("a time");
    let mut all = None;
    let reason = refused(|held| {
        held.last_now = Some(now.plus_seconds(7_200));
        all = denies_all(held, now);
    });
    let (told, why) = all.expect("it is denied");
    assert_eq!((reason, told), (Some(Reason::RuntimeClock), Reason::RuntimeClock));
    for part in [now.millis(), now.plus_seconds(7_200).millis(), "`eleven runtime key replace`".into()] {
        assert!(why.contains(&part), "{part}: {why}");
    }
}

#[test]
fn a_clock_that_the_ledger_is_too_far_from_admits_nothing() {
    let now = Time::parse_millis(file().pointer("/base/now").and_then(Value::as_str).expect("a time")).expect("a time");
    let between = |earliest: i64, latest: i64| {
        let mut all = None;
        let reason = refused(|held| {
            held.dated = Some((now.plus_millis(earliest), now.plus_millis(latest)));
            all = denies_all(held, now);
        });
        assert_eq!(reason, all.as_ref().map(|(reason, _)| *reason), "{all:?}");
        reason
    };
    assert_eq!(between(0, 0), None);
    // Ahead of the latest that the ledger's clock may show.
    assert_eq!(between(-9_000, -MAX_SEEN_EARLY_MS), None);
    assert_eq!(between(-9_000, -MAX_SEEN_EARLY_MS - 1), Some(Reason::RuntimeClock));
    // Behind the earliest.
    assert_eq!(between(MAX_ISSUED_LATE_MS, MAX_ISSUED_LATE_MS), None);
    assert_eq!(between(MAX_ISSUED_LATE_MS + 1, MAX_ISSUED_LATE_MS + 1), Some(Reason::RuntimeClock));
    assert_eq!(between(0, MAX_ISSUED_LATE_MS + 1), None, "it may be right");
    // What it said before tells nothing where it knows this point no more: its clock may have been set since.
    let mut all = None;
    let reason = refused(|held| {
        (held.dated, held.unknown) = (Some((now, now)), true);
        all = denies_all(held, now);
    });
    assert_eq!((reason, all.map(|(reason, _)| reason)), (Some(Reason::RuntimeClock), Some(Reason::RuntimeClock)));
}

#[test]
fn a_view_is_fresh_by_both_clocks_and_where_its_stamp_is_not_of_a_time_to_come() {
    let admitted = refused(|held| {
        let view = held.view.expect("a view");
        let (most, issued) = (view.fresh_ms(), view.stamp().issued);
        let fresh = |held_ms: i64, after: i64| is_fresh(view, held_ms, issued.plus_millis(after));
        assert!(fresh(0, 0) && fresh(most, most));
        assert!(!fresh(most + 1, 0) && !fresh(0, most + 1));
        assert!(fresh(0, -MAX_STAMP_AHEAD_MS) && !fresh(0, -MAX_STAMP_AHEAD_MS - 1));
    });
    assert_eq!(admitted, None);
}

#[test]
fn the_stamp_that_is_held_counts_where_an_older_one_was_heard_since() {
    let mut base = file().get("base").and_then(Value::as_object).expect("base").clone();
    let now = Time::parse_millis(base.get("now").and_then(Value::as_str).expect("a time")).expect("a time");
    let back = now.plus_seconds(-70);
    base.insert("now", back.to_millis_value());
    base.insert("last_now", back.to_millis_value());
    let known = Value::Object(base);
    let reason = conformance::admitted_where(known, |held| held.stamped = Some(back)).expect("readable").err();
    assert_eq!(reason, Some(Reason::RuntimeClock));
}

#[test]
fn what_denies_every_operation_is_told_without_one_and_denies_the_vectors_too() {
    let file = file();
    let base = file.get("base").and_then(Value::as_object).expect("base");
    let moment = |known: &Value| known.get("now").and_then(Value::as_str).and_then(Time::parse_millis).expect("a time");
    let told = [
        ("the clock is behind what this point has seen", Reason::RuntimeClock),
        ("a stamp three seconds ahead of the clock", Reason::RuntimeClock),
        ("an older epoch than this point has seen", Reason::RuntimeContained),
        ("this runtime is contained", Reason::RuntimeContained),
        ("this point is contained", Reason::RuntimeContained),
        ("its cluster is contained", Reason::RuntimeContained),
        ("the domain is contained", Reason::RuntimeContained),
        ("the mesh is contained", Reason::RuntimeContained),
        ("audit backlog past its bound", Reason::AuditDiscontinuity),
    ];
    let mut found = Vec::new();
    let mut whys = Vec::new();
    for case in file.get("cases").and_then(Value::as_array).expect("cases") {
        let what = case.get("what").and_then(Value::as_str).expect("what");
        let known = changed(base, case.get("change").expect("change"));
        let (now, mut all) = (moment(&known), None);
        let admitted = conformance::admitted_where(known, |held| all = denies_all(held, now));
        let admitted = admitted.unwrap_or_else(|error| panic!("{what}: {error}"));
        if let Some((reason, why)) = all {
            assert!(admitted.is_err(), "{what}: {why}");
            found.push((what, reason));
            whys.push(why);
        }
    }
    let named = |what: &str| told.iter().find(|(told, _)| *told == what).copied();
    for (what, reason) in told {
        assert!(found.contains(&(what, reason)), "{what}: {found:?}");
    }
    for (what, reason) in &found {
        assert_eq!(named(what), Some((*what, *reason)), "what depends on the operation is left to it");
    }

    let lifts = "`eleven subject lift runtime k8s://cluster-east-1`";
    assert!(whys.iter().any(|why| why.contains(lifts)), "which of them, and what to do: {whys:?}");
    let again = |why: &String| why.contains("went back from epoch") && why.contains("do again what was done since");
    assert!(whys.iter().any(again), "there is nothing to be lifted: {whys:?}");

    // What no vector speaks of.
    let all = |change: &dyn Fn(&mut Held<'_>)| {
        let (known, mut all) = (Value::Object(base.clone()), None);
        let now = moment(&known);
        let admitted = conformance::admitted_where(known, |held| {
            change(held);
            all = denies_all(held, now);
        });
        let denied = admitted.expect("readable").err();
        assert_eq!(denied, all.as_ref().map(|(reason, _)| *reason));
        all
    };
    assert_eq!(all(&|_| {}), None);
    assert_eq!(all(&|held| held.unproven_ms = Some((2000, 2000))), None);
    let (reason, why) = all(&|held| held.unproven_ms = Some((2001, 2000))).expect("it denies");
    assert!(reason == Reason::AuditDiscontinuity && why.contains("2001 ms"), "{why}");
    // A point that has just started has heard nothing of its ledger, which may have all.
    let (reason, why) = all(&|held| held.backlog_ms = held.backlog_bound_ms + 1).expect("it denies");
    let said = "that the ledger has all of this point's records was known last";
    assert!(reason == Reason::AuditDiscontinuity && why.starts_with(said), "{why}");
}

#[test]
fn a_registry_went_back_until_the_epoch_that_was_seen_is_reached() {
    let why = went_back(4, 7).expect("it went back");
    assert!(why.contains("from epoch 7 to 4") && why.ends_with("until epoch 7 is reached"), "{why}");
    assert!(went_back(6, 7).is_some());
    assert_eq!((went_back(7, 7), went_back(8, 7)), (None, None));
}

/// A key of the vectors, under this name.
fn seeded(kid: &str, label: &str) -> SeedSigner {
    let ledger = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let seed = ledger.get("seeds").and_then(|seeds| seeds.get(label)).and_then(Value::as_str).and_then(bytes32);
    SeedSigner::new(kid, &seed.expect("a seed"))
}

/// What a point signs with, by a key of the vectors.
fn signing(usage: KeyUse, kid: &str, label: &str) -> &'static [(KeyUse, &'static dyn Signer)] {
    let signer: &'static SeedSigner = Box::leak(Box::new(seeded(kid, label)));
    Box::leak(Box::new([(usage, signer as &dyn Signer)]))
}

#[test]
fn a_point_whose_own_key_does_not_count_admits_nothing() {
    let (event, attestation) = ("key:11-11/gw-0/2026-q2", "key:11-11/attest-0/2026-q2");
    for (usage, kid, label, expected) in [
        (KeyUse::Event, event, "gw-0", None),
        (KeyUse::Attestation, attestation, "attest-0", None),
        (KeyUse::Attestation, event, "gw-0", Some(Reason::RuntimeIntegrity)),
        (KeyUse::Attestation, "key:11-11/attest-0/never", "attest-0", Some(Reason::RuntimeIntegrity)),
        (KeyUse::Attestation, attestation, "gw-0", Some(Reason::RuntimeIntegrity)),
        // The neighbour's, sound as it is.
        (KeyUse::Attestation, "key:11-11/attest-1/2026-q2", "attest-1", Some(Reason::RuntimeIntegrity)),
    ] {
        let signs = signing(usage, kid, label);
        assert_eq!(refused(|held| held.signs = signs), expected, "{} {kid} of {label}", usage.name());
    }
}

#[test]
fn a_point_whose_registration_names_another_event_key_admits_nothing() {
    let (event, attestation) = ("key:11-11/gw-0/2026-q2", "key:11-11/attest-0/2026-q2");
    let naming = |kid: &str| {
        registered(base(), "runtimes", |rows| {
            let row = rows[0].as_object().expect("a row").clone();
            rows[0] = Value::Object(row.with("kid", kid));
        })
    };
    for (usage, kid, label) in [(KeyUse::Event, event, "gw-0"), (KeyUse::Attestation, attestation, "attest-0")] {
        let signs = signing(usage, kid, label);
        assert_eq!(refused_in(naming(event), |held| held.signs = signs), None, "{kid}");
        // Sound as it is: who has the other one counts uses as well, in a journal of its own.
        let expected = (usage == KeyUse::Event).then_some(Reason::RuntimeIntegrity);
        let mut told = None;
        let look = |held: &mut Held<'_>| {
            held.signs = signs;
            told = uncounted_key(held.view.expect("a view"), held.point, signs, held.last_now.expect("a time"));
        };
        assert_eq!(refused_in(naming("key:11-11/gw-0/2"), look), expected, "{kid}");
        // What was used there is known by that one's end alone.
        let ends_first =
            |why: String| why.contains("`eleven key retire key:11-11/gw-0/2` and then `eleven runtime register`");
        assert_eq!(told.map(ends_first), expected.map(|_| true), "{kid}");
    }
}

#[test]
fn before_a_points_key_counts_it_is_the_clock_that_is_told() {
    let event = "key:11-11/gw-0/2026-q2";
    let admitted = refused(|held| {
        let view = held.view.expect("a view");
        let from = view.key(event).expect("registered").record.nbf;
        let told = |now| uncounted_key(view, held.point, signing(KeyUse::Event, event, "gw-0"), now);
        assert_eq!(told(from), None);
        let why = told(from.plus_millis(-1)).expect("not yet");
        assert!(why.contains("set the clock") && !why.contains("`eleven runtime key replace`"), "{why}");
        // One that the registry does not have helps no clock.
        let never = signing(KeyUse::Event, "key:11-11/gw-0/never", "gw-0");
        let why = uncounted_key(view, held.point, never, from.plus_millis(-1)).expect("it never counts");
        assert!(why.contains("`eleven runtime key replace`"), "{why}");
    });
    assert_eq!(admitted, None);
}

/// A case under a registry in which this list is another, header and stamp signed as its authority would.
fn registered(mut case: Object, list: &str, change: impl FnOnce(&mut Vec<Value>)) -> Object {
    let mut registry = case.get("registry").and_then(Value::as_object).expect("a registry").clone();
    let mut rows = registry.get(list).and_then(Value::as_array).expect("a list").to_vec();
    change(&mut rows);
    registry.insert(list, rows);
    let mut form = Form::of_object(registry, "registry snapshot");
    let (mut header, _) = Header::read(form.take("header").expect("a header")).expect("of its form");
    let lists = Lists::read(&mut form).expect("of their form");
    header.items = lists.items();
    let signer = seeded(&header.kid, "registry");
    let stamp = Stamp::read(case.get("stamp").expect("a stamp").clone()).expect("of its form");
    case.insert("stamp", Stamp::sign(&header, stamp.issued, &signer).to_value());
    let sig = signer.signature(&header.payload());
    case.insert("registry", Snapshot { header, sig, lists }.to_value());
    case
}

/// A case in which this subject is contained.
fn contained(case: Object, kind: &str, subject: &str) -> Object {
    let (state, since) = (ContainmentState::Contained, Time(0));
    let row = ContainmentRecord { kind: kind.into(), subject: subject.into(), state, since, cause: "operator".into() };
    registered(case, "containments", |rows| rows.push(row.to_value()))
}

/// The case whose token is issued anew, its artifact and the record of its issuance as these leave them.
fn presented(
    case: Object,
    artifact: impl FnOnce(&mut artifact::Draft),
    record: impl FnOnce(&mut event::Draft),
) -> Object {
    let Token { artifact: of, issued, salt } =
        Token::read(case.get("token").and_then(Value::as_str).expect("a token")).expect("of its form");
    let signer = seeded(&of.sig.kid, "issuer");
    let mut draft = artifact::Draft {
        iss: of.iss,
        sub: of.sub,
        op: of.op,
        pol: of.pol,
        env: of.env,
        nbf: of.nbf,
        exp: of.exp,
        usage: of.usage,
        parent: of.parent,
        holder: of.holder,
    };
    artifact(&mut draft);
    let artifact = draft.issue(&signer).expect("an artifact");
    let data = Object::new().with("chash", artifact.chash).with("exp", artifact.exp.to_seconds_value());
    let mut draft = event::Draft {
        event: "authorization.issued",
        place: Place::First { op: artifact.content_id().into() },
        ts: issued.ts,
        by: artifact.iss.clone(),
        src_seq: issued.src_seq,
        data: data.with("request", Sha3([1; 64])),
        about: About::artifact(&artifact),
    };
    record(&mut draft);
    let issued = draft.sign(&seeded(&issued.kid, "authority")).expect("a record");
    let token = Token { artifact, issued, salt };
    case.with("token", token.text())
}

/// The case of a call of this tool.
fn tool_call(tool: impl Into<Value>) -> Object {
    let case = base();
    let policy = case.get("registry").and_then(|registry| registry.pointer("/policies/0")).expect("a policy").clone();
    let policy = PolicyRecord::read(policy).expect("of its form").id;
    let op = Value::Object(Object::new().with("name", "tool.call").with("scope", Vec::new()).with("tool", tool));
    let asked = op.clone();
    let op = Operation::read(op).expect("an operation");
    presented(case, |draft| (draft.op, draft.pol) = (op, policy), |_| {}).with("operation", asked)
}

/// Why what runs under a case's artifact is interrupted where the case's registry comes to be held.
fn interrupted(case: Object) -> Option<Reason> {
    let token = Token::read(case.get("token").and_then(Value::as_str).expect("a token")).expect("of its form");
    let mut interrupts = None;
    let admitted = conformance::admitted_where(Value::Object(case), |held| {
        interrupts = containment::interrupts(held.view.expect("a view"), held.point, &token.artifact);
    });
    assert!(admitted.is_ok(), "readable");
    interrupts
}

#[test]
fn a_bundle_that_is_not_held_denies_before_whoever_calls_is_looked_at() {
    assert_eq!(refused(|held| held.bundles = Some(&|_| true)), None);
    assert_eq!(refused(|held| held.bundles = Some(&|_| false)), Some(Reason::IssuerUnavailable));
    let stranger = case("another caller");
    assert_eq!(refused_in(stranger.clone(), |held| held.bundles = Some(&|_| true)), Some(Reason::IdentityMismatch));
    assert_eq!(refused_in(stranger, |held| held.bundles = Some(&|_| false)), Some(Reason::IssuerUnavailable));
    // Of a policy that is no longer in force no bundle is missing.
    let replaced = case("a newer policy version is in force");
    assert_eq!(refused_in(replaced, |held| held.bundles = Some(&|_| false)), Some(Reason::PolicyMismatch));
}

#[test]
fn another_key_than_the_holders_is_not_the_holders() {
    let bound = case("a holder key, that key shown");
    assert_eq!(refused_in(bound.clone(), |_| {}), None);
    let other = bound.with("holder", Sha256([0xac; 32]));
    assert_eq!(refused_in(other, |_| {}), Some(Reason::IdentityMismatch), "a holder key, another shown");
}

#[test]
fn the_environment_is_held_against_the_points_own_registration() {
    assert_eq!(refused_in(registered(base(), "runtimes", |_| {}), |_| {}), None);
    let row = |rows: &[Value]| rows[0].as_object().expect("a row").clone();
    for (member, other) in [("region", "us-west-2"), ("tenancy", "shared")] {
        let moved =
            registered(base(), "runtimes", |rows| rows[0] = Value::Object(row(rows.as_slice()).with(member, other)));
        assert_eq!(refused_in(moved, |_| {}), Some(Reason::EnvironmentMismatch), "{member}");
    }
    // Artifact and request name one runtime, and the point is another's: all but that is the same.
    let (runtime, point) = ("k8s://cluster-east-1/ns/other", "k8s://cluster-east-1/ns/other#gw-0");
    let beside = registered(base(), "runtimes", |rows| {
        rows.push(Value::Object(row(rows.as_slice()).with("point", point).with("runtime", runtime)));
    });
    assert_eq!(refused_in(beside, |held| held.point = point), Some(Reason::EnvironmentMismatch));
}

#[test]
fn what_runs_is_interrupted_by_what_would_deny_it() {
    let (revoked, stops) = (Some(Reason::ArtifactRevoked), Some(Reason::RuntimeContained));
    for (what, expected) in [
        ("everything in order", None),
        ("revoked", revoked),
        ("a delegated call, its parent in order", None),
        ("a delegated call, its parent revoked", revoked),
        ("a delegated call, its grandparent revoked", revoked),
        ("this runtime is contained", stops),
        ("this point is contained", stops),
        ("its cluster is contained", stops),
        ("a cluster whose name it begins with is contained", None),
        ("a name that merely begins this one is contained", None),
        ("another namespace is contained", None),
        ("the identity is contained", stops),
        ("the operation is contained", stops),
        ("the model is contained", stops),
        ("another model is contained", None),
        ("the policy is contained", stops),
        ("the domain is contained", stops),
        ("the mesh is contained", stops),
        // What ends an admission for another reason ends nothing that runs.
        ("a newer policy version is in force", None),
        ("issuer key retired", None),
    ] {
        assert_eq!(interrupted(case(what)), expected, "{what}");
    }
    assert_eq!(interrupted(contained(case("revoked"), "mesh", "*")), revoked, "the revocation is named first");
}

#[test]
fn a_containment_of_a_tool_covers_its_calls_alone() {
    let call = tool_call("browser");
    assert_eq!((refused_in(call.clone(), |_| {}), interrupted(call.clone())), (None, None));
    for (kind, subject, covers) in [("tool", "browser", true), ("tool", "search", false), ("model", "browser", false)] {
        let case = contained(call.clone(), kind, subject);
        let expected = covers.then_some(Reason::RuntimeContained);
        let found = (refused_in(case.clone(), |_| {}), interrupted(case));
        assert_eq!(found, (expected, expected), "{kind} {subject}");
    }
}

#[test]
fn a_containment_of_a_tool_covers_the_calls_of_one_that_is_committed() {
    let committed = Object::new().with("_sd", Sha3([2; 64]));
    let call = tool_call(Value::Object(committed));
    assert_eq!((refused_in(call.clone(), |_| {}), interrupted(call.clone())), (None, None));
    for (kind, covers) in [("tool", true), ("model", false)] {
        let case = contained(call.clone(), kind, "browser");
        let expected = covers.then_some(Reason::RuntimeContained);
        let found = (refused_in(case.clone(), |_| {}), interrupted(case));
        assert_eq!(found, (expected, expected), "{kind}");
    }
}

#[test]
fn a_record_that_is_not_the_issuance_of_this_artifact_is_none() {
    type Change = fn(&mut event::Draft);
    let reason = |change: Change| refused_in(presented(base(), |_| {}, change), |_| {});
    assert_eq!(reason(|_| {}), None);
    let changes: [(&str, Change); 14] = [
        ("another event", |record| record.event = "authorization.revoked"),
        ("another lineage", |record| record.place = Place::First { op: "0".repeat(32) }),
        ("not its first event", |record| {
            let Place::First { op } = record.place.clone() else { panic!("the first") };
            let tip = Tip { n: 1, hash: Sha3([0; 64]), hash_alt: Blake2b([0; 64]) };
            record.place = Place::After { op, tip };
        }),
        ("by another authority", |record| record.by = "governance://11-11/authority/other".into()),
        ("another identity", |record| record.about.identity = Some("svc:another:prod".into())),
        ("another operation", |record| record.about.operation = Some("model.train".into())),
        ("another runtime", |record| record.about.runtime = Some("k8s://cluster-east-1/ns/other".into())),
        ("no policy", |record| record.about.policy = None),
        ("a reason", |record| record.about.reason = Some(Reason::PolicyDenied)),
        ("a fingerprint", |record| record.about.fingerprint = Some(Sha3([2; 64]))),
        ("another chash", |record| drop(record.data.insert("chash", Sha3([3; 64])))),
        ("another expiry", |record| drop(record.data.insert("exp", "2026-05-12T17:09:12Z"))),
        ("no request", |record| drop(record.data.remove("request"))),
        ("more than is its own", |record| drop(record.data.insert("note", ""))),
    ];
    for (what, change) in changes {
        assert_eq!(reason(change), Some(Reason::ArtifactDigestMismatch), "{what}");
    }
}

#[test]
fn an_artifact_that_binds_a_request_is_for_no_call_without_one() {
    let case = base();
    let Token { artifact, salt, .. } =
        Token::read(case.get("token").and_then(Value::as_str).expect("a token")).expect("of its form");
    assert!(artifact.op.params.is_some(), "it binds one");
    let part = |name: &str| {
        let part = case.get("request").and_then(|request| request.get(name)).and_then(Value::as_str);
        part.expect("a text").to_string()
    };
    let request = RequestBinding {
        body: Sha3::parse(&part("body")).expect("a digest"),
        method: part("method"),
        path: part("path"),
    };
    let wanted = Operation::read(case.get("operation").expect("an operation").clone()).expect("of its form");
    let reason = |request: Option<&RequestBinding>| {
        let environment = &artifact.env;
        let asked = Asked { now: artifact.nbf, caller: "", holder: None, operation: &wanted, request, environment };
        operation(&artifact, &salt, &asked).err().map(|Failed(reason, _)| reason)
    };
    assert_eq!((reason(Some(&request)), reason(None)), (None, Some(Reason::OperationMismatch)));
}

/// Whoever calls has the name that somebody authenticated, of whatever form.
#[test]
fn a_denial_says_of_whom_it_is_where_that_is_a_name_of_the_protocols() {
    let case = base();
    let token = case.get("token").and_then(Value::as_str).expect("a token");
    let artifact = Token::read(token).expect("of its form").artifact;
    let elsewhere = Environment { runtime: "a laptop".to_string(), ..artifact.env.clone() };
    let said = |caller: &str, environment: &Environment| {
        let operation = &artifact.op;
        let asked = Asked { now: artifact.nbf, caller, holder: None, operation, request: None, environment };
        let mut told = None;
        drop(conformance::admitted_where(Value::Object(base()), |held| told = Some(about(held, &asked, &artifact))));
        told.expect("it was asked for")
    };
    let named = said("svc:another:prod", &artifact.env);
    assert_eq!(named.identity.as_deref(), Some("svc:another:prod"));
    assert_eq!(
        (named.runtime.as_ref(), named.operation.as_ref()),
        (Some(&artifact.env.runtime), Some(&artifact.op.name))
    );
    assert_eq!(named.policy_required.as_ref(), Some(&artifact.pol.reference));
    let unnamed = said("alice@example.com", &elsewhere);
    assert_eq!(
        (unnamed.identity, unnamed.runtime, unnamed.policy_required),
        (None, None, None),
        "none covers a laptop"
    );
    assert_eq!(unnamed.artifact_id, Some(artifact.id.clone()));
}

/// The artifact of a case as `change` leaves its members: nothing is signed anew.
fn touched(case: Object, change: impl FnOnce(Object) -> Object) -> Object {
    let text = case.get("token").and_then(Value::as_str).expect("a token");
    let token = parse(&unbase64url(text).expect("base64url")).expect("I-JSON").as_object().expect("an object").clone();
    let artifact = token.get("artifact").and_then(Value::as_object).expect("an artifact").clone();
    let token = token.with("artifact", change(artifact));
    case.with("token", base64url(&token.canonical()))
}

/// The same of its signature.
fn signed_otherwise(case: Object, member: &str, value: String) -> Object {
    touched(case, |artifact| {
        let sig = artifact.get("sig").and_then(Value::as_object).expect("a signature").clone();
        artifact.with("sig", sig.with(member, value))
    })
}

/// A case whose artifact expired five minutes ago.
fn expired(case: Object) -> Object {
    let now = case.get("now").and_then(Value::as_str).and_then(Time::parse_millis).expect("a time").whole_seconds();
    presented(case, |draft| (draft.nbf, draft.exp) = (now.plus_seconds(-600), now.plus_seconds(-300)), |_| {})
}

/// A case in which its artifact is revoked, also where that expired.
fn revoked(case: Object) -> Object {
    let row = |case: &Object| {
        let token = case.get("token").and_then(Value::as_str).and_then(|text| Token::read(text).ok()).expect("a token");
        RevokedRecord { artifact: token.artifact.id, until: Time(4_000_000_000_000) }
    };
    let mut rows = [row(&case), row(&expired(case.clone()))];
    rows.sort_by_key(|row| row.artifact.clone());
    registered(case, "revoked", |revoked| *revoked = rows.iter().map(RevokedRecord::to_value).collect())
}

/// A case in which a second policy covers its operation.
fn ambiguous(case: Object) -> Object {
    registered(case, "policies", |rows| {
        let last = rows.last().and_then(Value::as_object).expect("a policy").clone();
        rows.push(Value::Object(last.with("ref", "policy://other/v1")));
    })
}

#[test]
fn a_policy_that_is_missing_replaced_or_doubled_is_told_as_such() {
    let told = |case: Object, operation: &str| {
        let token = case.get("token").and_then(Value::as_str).expect("a token");
        let mut artifact = Token::read(token).expect("of its form").artifact;
        artifact.op.name = operation.to_string();
        let mut told = None;
        let look = |held: &mut Held<'_>| told = policy(held.view.expect("a view"), &artifact).err();
        drop(conformance::admitted_where(Value::Object(case), look));
        told.map(|Failed(reason, why)| (reason, why.split(' ').take(3).collect::<Vec<_>>().join(" ")))
    };
    let mismatch = |why: &str| Some((Reason::PolicyMismatch, why.to_string()));
    let replaced = case("a newer policy version is in force");
    assert_eq!(told(base(), "model.invoke"), None);
    assert_eq!(told(base(), "model.train"), mismatch("no policy in"));
    assert_eq!(told(replaced, "model.invoke"), mismatch("authorised under policy://medical/inference/v3,"));
    assert_eq!(told(ambiguous(base()), "model.invoke"), mismatch("more than one"));
}

/// What a step fails by: another case, or something else that the point holds.
enum Failing {
    Case(fn(Object) -> Object),
    Held(fn(&mut Held<'_>)),
}

/// The order of PROTOCOL 4.1 is which of several reasons a caller hears, and what is looked at before what: whatever else fails
/// behind it, the first step that fails is the reason.
#[test]
fn of_all_that_fails_the_first_is_the_reason() {
    use Failing::{Case, Held};
    const OTHER: &Sha3 = &Sha3([9; 64]);
    let steps: [(Reason, Failing); 20] = [
        (Reason::ArtifactMissing, Case(|case| case.with("token", Value::Null))),
        (Reason::ArtifactMalformed, Case(|case| case.with("token", "none"))),
        (Reason::RuntimeClock, Held(|held| held.last_now = held.last_now.map(|seen| seen.plus_seconds(60)))),
        (Reason::IssuerUnavailable, Held(|held| held.held_ms = i64::MAX)),
        (Reason::IssuerUnavailable, Held(|held| held.bundles = Some(&|_| false))),
        (Reason::RuntimeContained, Held(|held| held.seen_epoch = u64::MAX)),
        (Reason::RuntimeUnregistered, Held(|held| held.point = "k8s://cluster-east-1/ns/inference#nobody")),
        (Reason::RuntimeIntegrity, Held(|held| held.binary = OTHER)),
        (Reason::RuntimeIntegrity, Held(|held| held.signs = signing(KeyUse::Event, "key:11-11/gw-0/never", "gw-0"))),
        (Reason::ArtifactIssuerUntrusted, Case(|case| signed_otherwise(case, "kid", "key:11-11/issuer/never".into()))),
        (Reason::ArtifactSignatureInvalid, Case(|case| signed_otherwise(case, "val", base64_value(&[1; 64])))),
        (Reason::ArtifactDigestMismatch, Case(|case| touched(case, |artifact| artifact.with("chash", *OTHER)))),
        (Reason::ArtifactExpired, Case(expired)),
        (Reason::IdentityMismatch, Case(|case| case.with("caller", "svc:another:prod"))),
        (
            Reason::OperationMismatch,
            Case(|case| case.with("operation", Object::new().with("name", "model.train").with("scope", Vec::new()))),
        ),
        (
            Reason::EnvironmentMismatch,
            Case(|case| {
                let environment = case.get("environment").and_then(Value::as_object).expect("an environment").clone();
                case.with("environment", environment.with("region", "elsewhere"))
            }),
        ),
        (Reason::PolicyMismatch, Case(ambiguous)),
        (Reason::ArtifactRevoked, Case(revoked)),
        (Reason::RuntimeContained, Case(|case| contained(case, "mesh", "*"))),
        (Reason::AuditDiscontinuity, Case(|case| case.with("backlog_ms", 1_000_000u64))),
    ];
    let reason = |steps: &[(Reason, Failing)]| {
        // The last first: what is signed anew is signed before anything of it is touched.
        let case = steps.iter().rev().fold(base(), |case, (_, failing)| match failing {
            Case(change) => change(case),
            Held(_) => case,
        });
        refused_in(case, |held| {
            // What was used here is known since a moment to come: the last of all, as far as it is told here.
            held.uses_since = Some(Time(i64::MAX));
            for (_, failing) in steps {
                if let Held(change) = failing {
                    change(held);
                }
            }
        })
    };
    for (at, (expected, _)) in steps.iter().enumerate() {
        assert_eq!(reason(&steps[at..=at]), Some(*expected), "{at} alone");
        assert_eq!(reason(&steps[at..]), Some(*expected), "{at} and all behind it");
    }
    assert_eq!(reason(&[]), Some(Reason::ArtifactReplayed));
}
