//! A small domain for tests and benchmarks: its keys, and its registry folded from events without a ledger.

use eleven_core::encoding::{Object, Value};
use eleven_core::hash::Sha3;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::{Fold, GrantedKey, Item as _, PolicyRecord, PublishedPolicy, RuntimeRecord, genesis};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;

/// 2026-05-12T17:04:11.250Z.
pub(crate) const NOW: Time = Time(1_778_605_451_250);
pub(crate) const AUTHORITY: &str = "governance://11-11/authority/dev";
pub(crate) const RUNTIME: &str = "k8s://cluster-east-1/ns/inference";
pub(crate) const POINT: &str = "k8s://cluster-east-1/ns/inference#gw-0";
pub(crate) const CALLER: &str = "svc:inference-gateway:prod";

/// Seconds of ten years: the keys count at [`NOW`] and by the clock of any machine that runs this.
const WIDE: i64 = 10 * 365 * 86_400;

/// The signer of a role: its seed is its name.
pub(crate) fn signer(role: &str) -> SeedSigner {
    let mut seed = [7; 32];
    for (byte, letter) in seed.iter_mut().zip(role.bytes()) {
        *byte = letter;
    }
    SeedSigner::new(format!("key:11-11/{role}/1"), &seed)
}

pub(crate) fn key(role: &str, usage: KeyUse, owner: &str) -> KeyRecord {
    let signer = signer(role);
    KeyRecord {
        kid: signer.kid().to_owned(),
        public: signer.public(),
        usage,
        owner: owner.to_owned(),
        nbf: NOW.plus_seconds(-WIDE).whole_seconds(),
        exp: NOW.plus_seconds(WIDE).whole_seconds(),
        status: KeyStatus::Active,
    }
}

pub(crate) fn root() -> TrustRoot {
    let root = TrustRoot {
        domain: "11-11".into(),
        version: 1,
        threshold: 1,
        keys: vec![key("root", KeyUse::Root, "human:operator")],
        roles: vec![
            key("head", KeyUse::Head, "ledger://11-11"),
            key("policy", KeyUse::Policy, AUTHORITY),
            key("registry", KeyUse::Registry, AUTHORITY),
        ],
        witnesses: Witnesses::default(),
        nbf: NOW.plus_seconds(-WIDE).whole_seconds(),
        exp: NOW.plus_seconds(WIDE).whole_seconds(),
        prev: None,
        sigs: Vec::new(),
    };
    root.signed(&[&signer("root")]).expect("a root")
}

/// A second version of the root, whose registry key this authority does not have.
pub(crate) fn successor() -> TrustRoot {
    let first = root();
    let mut next = TrustRoot { version: 2, prev: Some(first.hash_for_prev()), sigs: Vec::new(), ..first };
    let registry = next.roles.iter_mut().filter(|key| key.usage == KeyUse::Registry);
    registry.for_each(|key| key.status = KeyStatus::Retired(next.nbf));
    next.roles.push(key("successor", KeyUse::Registry, AUTHORITY));
    next.signed(&[&signer("root")]).expect("a root")
}

/// Keys of the registry, granted.
pub(crate) fn keys() -> Vec<GrantedKey> {
    let keys = [
        key("ledger", KeyUse::Event, "ledger://11-11"),
        key("event", KeyUse::Event, AUTHORITY),
        key("issuer", KeyUse::Issuer, AUTHORITY),
        key("point", KeyUse::Event, POINT),
    ];
    keys.into_iter().map(|key| GrantedKey::sign(key, &signer("registry"))).collect()
}

pub(crate) fn runtime() -> RuntimeRecord {
    RuntimeRecord {
        point: POINT.into(),
        runtime: RUNTIME.into(),
        region: "us-east-1".into(),
        tenancy: "single".into(),
        mode: "gateway".into(),
        binary: Sha3::of(&[b"binary"]),
        config: Sha3::of(&[b"config"]),
        kid: signer("point").kid().into(),
    }
}

/// A bundle that permits [`CALLER`] one model, with `change` merged over its terms.
pub(crate) fn bundle(path: &str, operation: &str, change: Object) -> PolicyBundle {
    PolicyBundle::read(bundle_value(path, operation, change)).expect("a bundle")
}

/// The same as it is published.
pub(crate) fn bundle_value(path: &str, operation: &str, change: Object) -> Value {
    let mut terms = Object::new()
        .with("ttl", 60u64)
        .with("use", vec![Value::from("single")])
        .with("bind_params", false)
        .with("digests", "salted")
        .with("release", "whole")
        .with("attestation", "software")
        .with("sensitive", Vec::<Value>::new());
    for (name, value) in change.iter() {
        terms.insert(name, value.clone());
    }
    let cedar = format!(
        r#"@id("summaries") @advice("ask for clinical-summary-v4")
permit(principal == Identity::"{CALLER}", action == Action::"{operation}", resource)
when {{ context.op.model == "clinical-summary-v4" && context.op.scope.contains("phi.read") }};"#
    );
    let bundle = Object::new()
        .with("v", "1")
        .with("ref", format!("policy://{path}/v1"))
        .with("operations", vec![Value::from(operation)])
        .with("runtimes", vec![Value::from("k8s://*/ns/inference")])
        .with("cedar", cedar)
        .with("schema", Value::Null)
        .with("terms", terms);
    Value::Object(bundle)
}

/// The registry with one point and these policies.
pub(crate) fn fold(bundles: &[PolicyBundle]) -> Fold {
    let mut fold = Fold::genesis(NOW, "ledger://11-11", &genesis(&root(), 10, &keys())).expect("a genesis");
    apply(&mut fold, "runtime.registered", runtime().to_value());
    for bundle in bundles {
        let published = PublishedPolicy::sign("11-11", PolicyRecord::of(bundle), &signer("policy"));
        apply(&mut fold, "policy.published", Value::Object(published.to_object()));
    }
    fold
}

pub(crate) fn apply(fold: &mut Fold, event: &str, data: Value) {
    let Value::Object(data) = data else { panic!("data is an object") };
    assert_eq!(fold.apply(NOW, event, AUTHORITY, &data), Ok(true), "{event}");
}
