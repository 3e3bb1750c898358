use super::*;
use crate::hash::Sha3;
use crate::policy::PolicyId;
use crate::registry::data;
use crate::registry::records::{Item, PolicyRecord};
use crate::root::{RootError, RootSignature, Witness, Witnesses};
use crate::signature::{SeedSigner, Signature, Signer as _};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

const AUTHORITY: &str = "governance://test/authority/dev";
const POINT: &str = "k8s://c/ns/x#p";

fn time(text: &str) -> Time {
    Time::parse_millis(text).expect("a time")
}

fn now() -> Time {
    time("2026-05-12T17:00:00.000Z")
}

fn signer(role: &str, seed: u8) -> SeedSigner {
    SeedSigner::new(format!("key:test/{role}/1"), &[seed; 32])
}

fn key(role: &str, seed: u8, usage: KeyUse, owner: &str) -> KeyRecord {
    let signer = signer(role, seed);
    KeyRecord {
        kid: signer.kid().into(),
        public: signer.public(),
        usage,
        owner: owner.into(),
        nbf: time("2026-01-01T00:00:00.000Z"),
        exp: time("2027-01-01T00:00:00.000Z"),
        status: KeyStatus::Active,
    }
}

fn root() -> TrustRoot {
    let root = TrustRoot {
        domain: "test".into(),
        version: 1,
        threshold: 1,
        keys: vec![key("root", 1, KeyUse::Root, "human:root")],
        roles: vec![
            key("head", 2, KeyUse::Head, "ledger://test"),
            key("policy", 3, KeyUse::Policy, AUTHORITY),
            key("registry", 4, KeyUse::Registry, AUTHORITY),
        ],
        witnesses: Witnesses::default(),
        nbf: time("2026-01-01T00:00:00.000Z"),
        exp: time("2026-12-01T00:00:00.000Z"),
        prev: None,
        sigs: vec![],
    };
    root.signed(&[&signer("root", 1)]).expect("a root")
}

fn granted(key: KeyRecord) -> Object {
    GrantedKey::sign(key, &signer("registry", 4)).to_object()
}

fn genesis() -> Fold {
    let audit = GrantedKey::sign(key("audit", 10, KeyUse::Event, "ledger://test"), &signer("registry", 4));
    Fold::genesis(now(), "ledger://test", &data::genesis(&root(), 10, &[audit])).expect("a genesis")
}

impl Fold {
    /// Takes an event of the authority, a millisecond's resolution after the genesis.
    fn take(&mut self, event: &str, data: &Object) -> Result<bool, FoldError> {
        let before = (self.epoch(), self.hash());
        let taken = self.apply(now(), event, AUTHORITY, data);
        match &taken {
            Ok(true) => assert_eq!((self.epoch(), self.header().prev), (before.0 + 1, Some(before.1))),
            _ => assert_eq!((self.epoch(), self.hash()), before, "a refusal changes nothing"),
        }
        assert_eq!(self.header().items, self.lists().items(), "the kept tree is the lists'");
        taken
    }
}

fn policy(reference: &str, operations: &[&str], runtimes: &[&str]) -> Object {
    policy_signed(reference, operations, runtimes, &signer("policy", 3))
}

fn policy_signed(reference: &str, operations: &[&str], runtimes: &[&str], signer: &SeedSigner) -> Object {
    let record = PolicyRecord {
        id: PolicyId { reference: reference.into(), hash: Sha3::of(&[reference.as_bytes()]) },
        operations: operations.iter().map(|name| String::from(*name)).collect(),
        runtimes: runtimes.iter().map(|name| String::from(*name)).collect(),
    };
    PublishedPolicy::sign("test", record, signer).to_object()
}

fn named(member: &str, name: &str) -> Object {
    Object::new().with(member, name)
}

#[test]
fn genesis_is_refused_where_anything_is_amiss() {
    let audit = || key("audit", 10, KeyUse::Event, "ledger://test");
    let grant = |key| GrantedKey::sign(key, &signer("registry", 4));
    let at = |at: Time, by: &str, data: &Object| Fold::genesis(at, by, data).map(drop);
    let good = data::genesis(&root(), 10, &[grant(audit())]);
    assert_eq!(at(now(), "ledger://test", &good), Ok(()));
    assert_eq!(at(now(), "ledger://other", &good), Err(FoldError::Producer));
    assert_eq!(at(now(), AUTHORITY, &good), Err(FoldError::Producer));
    assert_eq!(at(root().exp, "ledger://test", &good), Err(FoldError::RootNotInForce));
    let with =
        |root: &TrustRoot, fresh, keys: &[GrantedKey]| at(now(), "ledger://test", &data::genesis(root, fresh, keys));
    assert!(matches!(with(&root(), 0, &[]), Err(FoldError::Form(_))));
    assert!(matches!(with(&root(), 61, &[]), Err(FoldError::Form(_))));
    let unsigned = TrustRoot { sigs: vec![], ..root() };
    assert_eq!(with(&unsigned, 10, &[]), Err(FoldError::Root(RootError::OwnThreshold)));
    assert_eq!(with(&root(), 10, &[GrantedKey::sign(audit(), &signer("policy", 3))]), Err(FoldError::Grant));
    assert_eq!(with(&root(), 10, &[grant(audit()), grant(audit())]), Err(FoldError::Known("key")));
    assert_eq!(with(&root(), 10, &[grant(key("h", 20, KeyUse::Head, "ledger://test"))]), Err(FoldError::KeyUse));
    assert_eq!(genesis().check(now(), "ledger.genesis", "ledger://test", &good), Err(FoldError::Known("genesis")));
}

#[test]
fn a_key_enters_once_and_granted() {
    let mut fold = genesis();
    let gw = || key("gw", 30, KeyUse::Event, POINT);
    assert_eq!(fold.take("key.registered", &granted(gw())), Ok(true));
    assert_eq!(fold.key(&gw().kid), Some(&gw()));
    assert_eq!(fold.take("key.registered", &granted(gw())), Err(FoldError::Known("key")));
    let renamed = KeyRecord { kid: "key:test/gw/2".into(), ..gw() };
    assert_eq!(fold.take("key.registered", &granted(renamed)), Err(FoldError::PublicKnown));
    let head = KeyRecord { kid: "key:test/gw/2".into(), ..key("head", 2, KeyUse::Event, POINT) };
    assert_eq!(fold.take("key.registered", &granted(head)), Err(FoldError::PublicKnown), "a key has one use");
    let other = || key("other", 31, KeyUse::Attestation, POINT);
    let of_a_root = KeyRecord { kid: "key:test/head/1".into(), ..other() };
    assert_eq!(fold.take("key.registered", &granted(of_a_root)), Err(FoldError::Known("key")), "a name has one key");
    let retired = KeyRecord { status: KeyStatus::Retired(now()), ..other() };
    assert_eq!(fold.take("key.registered", &granted(retired)), Err(FoldError::KeyNotActive));
    let small = KeyRecord { public: [0; 32], ..other() };
    assert_eq!(fold.take("key.registered", &granted(small)), Err(FoldError::KeyUnsound));
    let forged = GrantedKey::sign(other(), &signer("registry", 99)).to_object();
    assert_eq!(fold.take("key.registered", &forged), Err(FoldError::Grant));
    let late = fold.apply(root().exp, "key.registered", AUTHORITY, &granted(other()));
    assert_eq!(late, Err(FoldError::RootNotInForce));
    let foreign = fold.apply(now(), "key.registered", "governance://other/authority/dev", &granted(other()));
    assert_eq!(foreign, Err(FoldError::Producer));
    assert_eq!(fold.take("key.registered", &granted(other())), Ok(true));
}

#[test]
fn a_registry_holds_keys_of_its_own_three_uses() {
    let of = |usage, owner: &str| genesis().take("key.registered", &granted(key("other", 31, usage, owner)));
    for (usage, owner) in [(KeyUse::Issuer, AUTHORITY), (KeyUse::Event, POINT), (KeyUse::Attestation, POINT)] {
        assert_eq!(of(usage, owner), Ok(true), "{}", usage.name());
    }
    for (usage, owner) in [
        (KeyUse::Root, AUTHORITY),
        (KeyUse::Policy, AUTHORITY),
        (KeyUse::Registry, AUTHORITY),
        (KeyUse::Head, "ledger://test"),
        (KeyUse::Witness, "witness.example"),
        (KeyUse::Identity, AUTHORITY),
    ] {
        assert_eq!(of(usage, owner), Err(FoldError::KeyUse), "{}", usage.name());
    }
}

#[test]
fn a_key_s_status_goes_one_way() {
    let mut fold = genesis();
    let kid = "key:test/audit/1";
    let compromised = |since: Time| named("kid", kid).with("since", since.to_millis_value());
    assert_eq!(fold.take("key.retired", &named("kid", "key:test/none/1")), Err(FoldError::Unknown("key")));
    assert_eq!(fold.take("key.retired", &named("kid", kid)), Ok(true));
    assert_eq!(fold.key(kid).map(|key| key.status), Some(KeyStatus::Retired(now())), "since the entry's time");
    assert_eq!(fold.take("key.retired", &named("kid", kid)), Err(FoldError::KeyStatus));
    let later = now().plus_millis(1);
    assert_eq!(fold.take("key.compromised", &compromised(later)), Err(FoldError::KeyStatus), "it would count again");
    let earlier = now().plus_seconds(-60);
    assert_eq!(fold.take("key.compromised", &compromised(earlier)), Ok(true));
    assert_eq!(fold.key(kid).map(|key| key.status), Some(KeyStatus::Compromised(earlier)));
    assert_eq!(fold.take("key.compromised", &compromised(earlier)), Err(FoldError::KeyStatus));
    assert_eq!(fold.take("key.retired", &named("kid", kid)), Err(FoldError::KeyStatus));
}

#[test]
fn a_key_is_not_compromised_from_a_moment_to_come() {
    let mut fold = genesis();
    let kid = "key:test/audit/1";
    let compromised = |since: Time| named("kid", kid).with("since", since.to_millis_value());
    let mistyped = time("2062-05-12T17:00:00.000Z");
    for ahead in [mistyped, now().plus_millis(1)] {
        assert_eq!(fold.take("key.compromised", &compromised(ahead)), Err(FoldError::SinceAhead), "{ahead}");
    }
    assert_eq!(fold.key(kid).map(|key| key.status), Some(KeyStatus::Active));
    assert_eq!(fold.take("key.compromised", &compromised(now())), Ok(true), "and can still be stopped");
    assert_eq!(fold.key(kid).map(|key| key.counts_at(now())), Some(false));
}

#[test]
fn a_version_replaces_the_one_before_and_no_two_overlap() {
    let mut fold = genesis();
    let publish = |fold: &mut Fold, data: Object| fold.take("policy.published", &data);
    assert_eq!(publish(&mut fold, policy("policy://a/v3", &["op.a"], &["k8s://*/ns/*"])), Ok(true));
    assert_eq!(publish(&mut fold, policy("policy://b/v1", &["op.b"], &["k8s://*/ns/*"])), Ok(true));
    for reference in ["policy://a/v3", "policy://a/v2", "policy://a/v5"] {
        let again = publish(&mut fold, policy(reference, &["op.a"], &["k8s://*/ns/*"]));
        assert_eq!(again, Err(FoldError::PolicyVersion("policy://a/v4".into())), "{reference}");
    }
    let overlap = |other: &str| Err(FoldError::PolicyOverlap(other.into()));
    let wider = policy("policy://a/v4", &["op.a", "op.b"], &["k8s://c/ns/x"]);
    assert_eq!(publish(&mut fold, wider), overlap("policy://b/v1"));
    let c = policy("policy://c/v1", &["op.a"], &["k8s://c/*/x"]);
    assert_eq!(publish(&mut fold, c), overlap("policy://a/v3"));
    assert_eq!(publish(&mut fold, policy("policy://c/v1", &["op.a"], &["host://*"])), Ok(true));
    assert_eq!(publish(&mut fold, policy("policy://a/v4", &["op.a"], &["k8s://c/ns/*"])), Ok(true));
    let references: Vec<String> = fold.lists().policies.iter().map(Item::name).collect();
    assert_eq!(references, ["policy://a/v4", "policy://b/v1", "policy://c/v1"]);
    let in_force = |operation, runtime| fold.lists().policies_in_force(operation, runtime).len();
    assert_eq!((in_force("op.a", "k8s://c/ns/x"), in_force("op.a", "k8s://d/ns/x")), (1, 0));
    let forged = policy_signed("policy://d/v1", &["op.d"], &["host://*"], &signer("policy", 98));
    assert_eq!(publish(&mut fold, forged), Err(FoldError::PolicySignature));
    let misplaced = policy_signed("policy://d/v1", &["op.d"], &["host://*"], &signer("registry", 4));
    assert_eq!(publish(&mut fold, misplaced), Err(FoldError::PolicySignature));
    assert_eq!(fold.take("policy.retired", &named("ref", "policy://a/v3")), Err(FoldError::Unknown("policy")));
    assert_eq!(fold.take("policy.retired", &named("ref", "policy://a/v4")), Ok(true));
    let back = policy("policy://a/v4", &["op.a"], &["k8s://c/ns/*"]);
    assert_eq!(
        publish(&mut fold, back),
        Err(FoldError::PolicyVersion("policy://a/v5".into())),
        "a version is published once"
    );
    assert_eq!(publish(&mut fold, policy("policy://a/v5", &["op.a"], &["k8s://c/ns/*"])), Ok(true));
}

fn runtime(kid: &str) -> RuntimeRecord {
    RuntimeRecord {
        point: POINT.into(),
        runtime: "k8s://c/ns/x".into(),
        region: "eu".into(),
        tenancy: "single".into(),
        mode: "gateway".into(),
        binary: Sha3::of(&[b"binary"]),
        config: Sha3::of(&[b"config"]),
        kid: kid.into(),
    }
}

fn object(value: Value) -> Object {
    value.as_object().cloned().expect("an object")
}

#[test]
fn points_sources_and_interfaces_come_and_go() {
    let mut fold = genesis();
    let data = object(runtime("key:test/gw/1").to_value());
    assert_eq!(fold.take("runtime.registered", &data), Ok(true));
    assert_eq!(fold.lists().runtimes.get(POINT), Some(&runtime("key:test/gw/1")));
    let audit = object(runtime("key:test/audit/1").to_value());
    assert_eq!(fold.take("runtime.registered", &audit), Err(FoldError::RuntimeKey));
    assert_eq!(fold.take("runtime.removed", &named("point", POINT)), Ok(true));
    let gone = Err(FoldError::Unknown("enforcement point"));
    assert_eq!(fold.take("runtime.removed", &named("point", POINT)), gone);

    let source = Object::new().with("name", "corp").with("source", "https://id.example").with("mapping", Object::new());
    assert_eq!(fold.take("source.registered", &source), Ok(true));
    assert_eq!(fold.take("source.removed", &named("name", "corp")), Ok(true));
    assert_eq!(fold.take("source.removed", &named("name", "corp")), Err(FoldError::Unknown("identity source")));

    let hash = Sha3::of(&[b"interface"]);
    let interface = |signer: SeedSigner| {
        let sig = signer.signature(&data::statement("test", "audit/v1", hash));
        let record = Object::new().with("service", "audit").with("version", "v1").with("hash", hash);
        record.with("sig", sig.to_value())
    };
    assert_eq!(fold.take("interface.approved", &interface(signer("root", 1))), Err(FoldError::PolicySignature));
    assert_eq!(fold.take("interface.approved", &interface(signer("policy", 3))), Ok(true));
    assert!(fold.lists().interfaces.contains("audit v1"));
    assert_eq!(fold.take("interface.approved", &interface(signer("policy", 3))), Err(FoldError::Known("interface")));
}

fn revocation(n: u32, exp: &str) -> Object {
    named("artifact", &format!("auth_{n:032}")).with("exp", exp).with("why", "operator")
}

#[test]
fn a_revocation_stays_a_day_past_the_expiry() {
    let mut fold = genesis();
    assert_eq!(fold.take("authorization.revoked", &revocation(1, "2026-05-12T17:05:00Z")), Ok(true));
    assert_eq!(fold.take("authorization.revoked", &revocation(2, "2026-05-12T17:06:00Z")), Ok(true));
    let again = fold.take("authorization.revoked", &revocation(1, "2026-05-12T18:00:00Z"));
    assert_eq!(again, Err(FoldError::Known("revocation")));
    let other = |name: &str, value: &str| revocation(3, "2026-05-12T17:05:00Z").with(name, value);
    let unsaid = named("artifact", &format!("auth_{:032}", 3)).with("exp", "2026-05-12T17:05:00Z");
    for formless in [other("why", ""), other("note", "more"), unsaid] {
        assert!(matches!(fold.take("authorization.revoked", &formless), Err(FoldError::Form(_))), "{formless:?}");
    }
    let never = fold.take("authorization.revoked", &revocation(3, "9999-12-31T23:59:59Z"));
    assert!(matches!(never, Err(FoldError::Form(_))), "a row whose `until` can't be written");
    let until = fold.lists().revoked.iter().map(|row| row.until.seconds()).collect::<Vec<_>>();
    assert_eq!(until, ["2026-05-13T17:05:00Z", "2026-05-13T17:06:00Z"]);
    let mut rows_at = |at: &str| {
        let none = Object::new().with("kind", "runtime").with("subject", "k8s://c").with("cause", "operator");
        fold.apply(time(at), "lifecycle.governed", AUTHORITY, &none).expect("an epoch");
        assert_eq!(fold.header().items, fold.lists().items());
        fold.lists().revoked.len()
    };
    assert_eq!(rows_at("2026-05-13T17:04:59.999Z"), 2);
    assert_eq!(rows_at("2026-05-13T17:05:00.000Z"), 1);
    assert_eq!(rows_at("2026-05-13T17:05:59.999Z"), 1);
    assert_eq!(rows_at("2026-05-13T17:06:00.999Z"), 0);
}

#[test]
fn many_revocations_keep_one_tree() {
    let mut fold = genesis();
    for n in 0..2000 {
        let exp = format!("2026-05-12T17:{:02}:{:02}Z", n / 60, n % 60);
        assert_eq!(fold.apply(now(), "authorization.revoked", AUTHORITY, &revocation(n, &exp)), Ok(true));
    }
    assert_eq!((fold.lists().revoked.len(), fold.epoch()), (2000, 2001));
    assert_eq!(fold.header().items, fold.lists().items());
}

fn subject(kind: &str, subject: &str) -> Object {
    Object::new().with("kind", kind).with("subject", subject).with("cause", "operator")
}

#[test]
fn a_containment_is_lifted_by_recovery_and_a_revocation_never() {
    let mut fold = genesis();
    let cluster = || subject("runtime", "k8s://c");
    let state = |fold: &Fold| fold.lists().containments.get("runtime k8s://c").map(|row| row.state);
    assert_eq!(fold.take("lifecycle.recovering", &cluster()), Err(FoldError::SubjectState));
    assert_eq!(fold.take("lifecycle.governed", &cluster()), Ok(true), "an epoch of its own");
    assert_eq!(fold.take("lifecycle.contained", &cluster()), Ok(true));
    assert_eq!(state(&fold), Some(ContainmentState::Contained));
    assert_eq!(fold.take("lifecycle.governed", &cluster()), Err(FoldError::SubjectState), "not without recovering");
    assert_eq!(fold.take("lifecycle.recovering", &cluster()), Ok(true));
    assert_eq!(state(&fold), Some(ContainmentState::Recovering), "nothing passes yet");
    assert_eq!(fold.take("lifecycle.governed", &cluster()), Ok(true));
    assert_eq!(state(&fold), None);
    assert_eq!(fold.take("lifecycle.revoked", &cluster()), Ok(true));
    for event in ["contained", "recovering", "governed", "revoked", "baseline", "proven", "drifting"] {
        let event = format!("lifecycle.{event}");
        assert_eq!(fold.take(&event, &cluster()), Err(FoldError::SubjectRevoked), "{event}");
    }
    let data = object(runtime("key:test/gw/1").to_value());
    assert_eq!(fold.take("runtime.registered", &data), Err(FoldError::SubjectRevoked));
    let gw = granted(key("gw", 30, KeyUse::Event, POINT));
    assert_eq!(fold.take("key.registered", &gw), Err(FoldError::SubjectRevoked));
    assert_eq!(fold.take("lifecycle.contained", &subject("galaxy", "x")), Err(FoldError::Subject));
    assert_eq!(fold.take("lifecycle.contained", &subject("runtime", "k8s://c/")), Err(FoldError::Subject));
    assert_eq!(fold.take("lifecycle.drifting", &subject("domain", "other")), Ok(false), "not the registry's");
    assert_eq!(fold.take("lifecycle.revoked", &subject("policy", "policy://a/v1")), Ok(true));
    let revoked = policy("policy://a/v1", &["op.a"], &["k8s://*/ns/*"]);
    assert_eq!(fold.take("policy.published", &revoked), Err(FoldError::SubjectRevoked));
}

#[test]
fn a_point_speaks_for_itself_and_does_not_free_itself() {
    let mut fold = genesis();
    let own = subject("runtime", POINT);
    let point = |fold: &mut Fold, event: &str, data: &Object| fold.apply(now(), event, POINT, data);
    let others = [subject("runtime", "k8s://c/ns/x"), subject("runtime", "k8s://c/ns/x#q"), subject("mesh", "*")];
    for other in &others {
        assert_eq!(point(&mut fold, "lifecycle.contained", other), Err(FoldError::SubjectProducer));
    }
    for event in ["lifecycle.contained", "lifecycle.recovering", "lifecycle.governed"] {
        assert_eq!(point(&mut fold, event, &own), Ok(true), "{event}");
    }
    assert_eq!(fold.take("lifecycle.contained", &own), Ok(true));
    assert_eq!(point(&mut fold, "lifecycle.contained", &own), Ok(true), "more cause, and still the authority's");
    assert_eq!(point(&mut fold, "lifecycle.recovering", &own), Err(FoldError::SubjectProducer));
    assert_eq!(fold.take("lifecycle.recovering", &own), Ok(true));
    assert_eq!(point(&mut fold, "lifecycle.governed", &own), Ok(true), "the authority let go");
    assert!(fold.lists().containments.is_empty());
    assert_eq!(point(&mut fold, "key.retired", &named("kid", "key:test/audit/1")), Err(FoldError::Producer));
}

fn next_root(version: u64, prev: &TrustRoot) -> TrustRoot {
    let mut next = TrustRoot { version, prev: Some(prev.hash_for_prev()), sigs: vec![], ..prev.clone() };
    next.nbf = time("2026-05-01T00:00:00.000Z");
    let old = next.roles.iter_mut().find(|key| key.usage == KeyUse::Registry && key.status == KeyStatus::Active);
    old.expect("a registry key").status = KeyStatus::Retired(next.nbf);
    next.roles.push(key("registry-new", 44, KeyUse::Registry, AUTHORITY));
    next.signed(&[&signer("root", 1)]).expect("a root")
}

#[test]
fn later_documents_verify_under_a_published_root() {
    let mut fold = genesis();
    let publish =
        |fold: &mut Fold, root: &TrustRoot| fold.take("root.published", &Object::new().with("root", root.to_value()));
    let second = next_root(2, fold.root());
    let unsigned = TrustRoot { sigs: vec![], ..second.clone() };
    assert_eq!(publish(&mut fold, &unsigned), Err(FoldError::Root(RootError::PreviousThreshold)));
    let skipped = next_root(3, fold.root());
    assert_eq!(publish(&mut fold, &skipped), Err(FoldError::Root(RootError::Version)));
    let mut future = TrustRoot { sigs: vec![], ..second.clone() };
    future.nbf = now().plus_seconds(60);
    let future = future.signed(&[&signer("root", 1)]).expect("a root");
    assert_eq!(publish(&mut fold, &future), Err(FoldError::RootNotInForce));
    let mut without = TrustRoot { sigs: vec![], ..second.clone() };
    without.roles.retain(|key| key.status == KeyStatus::Active);
    let without = without.signed(&[&signer("root", 1)]).expect("a root");
    let lost = RootError::Record("key:test/registry/1".into());
    assert_eq!(publish(&mut fold, &without), Err(FoldError::Root(lost)), "a record is never removed");
    let mut mistyped = TrustRoot { sigs: vec![], ..second.clone() };
    mistyped.roles[0].status = KeyStatus::Compromised(now().plus_millis(1));
    let mistyped = mistyped.signed(&[&signer("root", 1)]).expect("a root");
    assert_eq!(publish(&mut fold, &mistyped), Err(FoldError::SinceAhead));
    assert_eq!(publish(&mut fold, &second), Ok(true));
    assert_eq!(fold.header().kid, "key:test/registry-new/1", "this epoch is signed by the new key already");
    assert_eq!(fold.roots().map(|root| root.version).collect::<Vec<_>>(), [1, 2]);
    let gw = key("gw", 30, KeyUse::Event, POINT);
    assert_eq!(fold.take("key.registered", &granted(gw.clone())), Err(FoldError::Grant), "the old registry key");
    let old = KeyRecord { kid: "key:test/gw/2".into(), ..key("registry", 4, KeyUse::Event, POINT) };
    let new = signer("registry-new", 44);
    let reused = GrantedKey::sign(old, &new).to_object();
    assert_eq!(fold.take("key.registered", &reused), Err(FoldError::PublicKnown), "a former root's key");
    assert_eq!(fold.take("key.registered", &GrantedKey::sign(gw, &new).to_object()), Ok(true));
}

#[test]
fn a_root_whose_witness_has_the_ledgers_name_is_not_begun_and_goes_on_where_it_was() {
    let mut fold = genesis();
    let mut next = next_root(2, fold.root());
    let public = signer("witness", 46).public();
    let keys = vec![Witness { name: next.origin(), public, audits: false }];
    next.witnesses = Witnesses { quorum: 1, auditors: 0, keys };
    let root = signer("root", 1);
    next.sigs = vec![RootSignature { kid: root.kid().into(), val: root.sign(&next.payload()) }];
    let data = Object::new().with("root", next.to_value());
    let refused = fold.check_new(now(), "root.published", AUTHORITY, &data);
    assert!(matches!(refused, Err(FoldError::Form(_))), "{refused:?}");
    assert_eq!(fold.take("root.published", &data), Ok(true), "a ledger that has it is opened");
}

#[test]
fn a_root_ends_no_policy_key_before_what_that_published() {
    let mut fold = genesis();
    let later = now().plus_seconds(2);
    let ending = |fold: &Fold, nbf: Time, status: KeyStatus| {
        let (prev, sigs) = (Some(fold.root().hash_for_prev()), vec![]);
        let mut next = TrustRoot { version: 2, prev, nbf, sigs, ..fold.root().clone() };
        let old = next.roles.iter_mut().find(|key| key.usage == KeyUse::Policy);
        old.expect("a policy key").status = status;
        next.roles.push(key("policy-new", 45, KeyUse::Policy, AUTHORITY));
        let root = next.signed(&[&signer("root", 1)]).expect("a root");
        let data = Object::new().with("root", root.to_value());
        assert_eq!(fold.check(later, "root.published", AUTHORITY, &data), Ok(()), "a registry that is may hold it");
        fold.check_new(later, "root.published", AUTHORITY, &data)
    };
    let (gone, since) = (KeyStatus::Retired(now()), now().plus_seconds(1));
    assert_eq!(ending(&fold, now(), gone), Ok(()), "nothing was published yet");
    let operations = &["op.a"];
    assert_eq!(fold.take("policy.published", &policy("policy://a/v1", operations, &["k8s://c/ns/*"])), Ok(true));
    let refused = Err(FoldError::PolicyKeyEnded("key:test/policy/1".into()));
    let stolen = KeyStatus::Compromised(now().plus_seconds(-60));
    for status in [gone, stolen] {
        assert_eq!(ending(&fold, now(), status), refused);
    }
    assert_eq!(ending(&fold, now(), KeyStatus::Active), Ok(()));
    assert_eq!(ending(&fold, now(), KeyStatus::Retired(since)), Ok(()), "it ends after that");
    // A version that begins after the publication says nothing of it.
    for status in [KeyStatus::Retired(since), stolen] {
        assert_eq!(ending(&fold, since, status), Ok(()));
    }
    // What was proven under a policy that is in force no more is to verify as well.
    assert_eq!(fold.take("policy.retired", &named("ref", "policy://a/v1")), Ok(true));
    assert_eq!(ending(&fold, now(), gone), refused);
}

fn stated(seq: u64, prev: Option<Sha3>, change: impl Fn(Object) -> Object) -> Object {
    let policy = signer("policy", 3);
    let body = Object::new()
        .with("v", "1")
        .with("iss", "test")
        .with("sub", "peer.example")
        .with("root", Object::new().with("version", 1u64).with("hash", Sha3::of(&[b"root"])))
        .with("ledger", "peer.example/ledger")
        .with("constraints", Object::new().with("operations", Vec::<Value>::new()))
        .with("seq", seq)
        .with("prev", prev.map(Value::from))
        .with("nbf", "2026-05-01T00:00:00Z")
        .with("exp", "2026-06-01T00:00:00Z")
        .with("kid", policy.kid());
    let body = change(body);
    let sig: Signature = policy.signature(&body.canonical());
    Object::new().with("statement", body.with("sig", sig.to_value()))
}

#[test]
fn statements_about_a_peer_follow_each_other() {
    let mut fold = genesis();
    let as_is = |body| body;
    assert_eq!(fold.take("domain.stated", &stated(2, Some(Sha3::of(&[])), as_is)), Err(FoldError::StatementOrder));
    let foreign = stated(1, None, |body| body.with("iss", "other"));
    assert_eq!(fold.take("domain.stated", &foreign), Err(FoldError::PolicySignature));
    let unknown = stated(1, None, |body| body.with("constraints", Object::new().with("colour", "blue")));
    assert!(matches!(fold.take("domain.stated", &unknown), Err(FoldError::Form(_))));
    assert_eq!(fold.take("domain.stated", &stated(1, None, as_is)), Ok(true));
    let first = fold.lists().peers.get("test peer.example").expect("a peer").hash();
    assert_eq!(fold.take("domain.stated", &stated(1, None, as_is)), Err(FoldError::StatementOrder));
    assert_eq!(fold.take("domain.stated", &stated(2, Some(Sha3::of(&[])), as_is)), Err(FoldError::StatementOrder));
    assert_eq!(fold.take("domain.stated", &stated(2, Some(first), as_is)), Ok(true));
    assert_eq!(fold.lists().peers.len(), 1);
}

#[test]
fn a_statement_is_about_another_domain_and_by_the_key_that_it_names() {
    let mut fold = genesis();
    let as_is = |body| body;
    let renamed = {
        let data = stated(1, None, as_is);
        let statement = data.get("statement").and_then(Value::as_object).expect("a statement").clone();
        let sig = statement.get("sig").and_then(Value::as_object).expect("a signature").clone();
        Object::new().with("statement", statement.with("sig", sig.with("kid", "key:test/policy/2")))
    };
    for (data, why) in [
        (stated(1, None, |body| body.with("sub", "test")), "a domain states nothing about itself"),
        (stated(1, None, |body| body.with("exp", "2026-05-01T00:00:00Z")), "`nbf` is not before `exp`"),
        (stated(1, Some(Sha3::of(&[])), as_is), "`prev` is null at seq 1 and only there"),
        (stated(2, None, as_is), "`prev` is null at seq 1 and only there"),
        (renamed, "the signature names another key than the body"),
    ] {
        match fold.take("domain.stated", &data) {
            Err(FoldError::Form(error)) => assert_eq!(error.0, format!("peer statement: {why}")),
            other => panic!("{why}: {other:?}"),
        }
    }
    assert_eq!(fold.take("domain.stated", &stated(1, None, as_is)), Ok(true));
}
