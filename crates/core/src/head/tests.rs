use super::*;
use crate::encoding::parse;
use crate::hash::Blake2b;
use crate::signature::{SeedSigner, bytes32};

fn vector(name: &str) -> Value {
    let file = parse(include_bytes!("../../../../spec/vectors/head.json")).expect("I-JSON");
    file.get(name).unwrap_or_else(|| panic!("no {name}")).clone()
}

/// The seed of the head key stands with the ledger's vectors.
fn signer() -> SeedSigner {
    let ledger = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let seed = ledger.pointer("/seeds/head").and_then(Value::as_str).and_then(bytes32).expect("a seed");
    SeedSigner::new("key:11-11/head/2026-q2", &seed)
}

#[test]
fn vectors_head() {
    let value = vector("head");
    let head = Head::read(value.clone()).expect("a head");
    assert_eq!(head.to_value(), value);
    assert!(head.verify(&VerifyingKey::new(&signer().public()).expect("a key")));
    assert_eq!(Head::sign(head.commitment.clone(), head.at, &signer()), head, "Ed25519 signs the same twice");
}

#[test]
fn the_head_is_that_of_the_ledgers_vectors() {
    let ledger = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let index = parse(include_bytes!("../../../../spec/vectors/index.json")).expect("I-JSON");
    let Commitment { size, chain, root, index: indexed, .. } = Head::read(vector("head")).expect("a head").commitment;
    let last = |name: &str| ledger.get(name).and_then(Value::as_array).and_then(<[Value]>::last).expect("a last one");
    assert_eq!(*last("roots"), Value::from(root));
    assert_eq!(last("chain").as_array(), Some([Value::from(chain.hash), Value::from(chain.hash_alt)].as_slice()));
    assert_eq!(last("entries").get("seq"), Some(&Value::from(size - 1)));
    assert_eq!(index.get("root"), Some(&Value::from(indexed)));
    let sealed = last("entries").pointer("/record/data").expect("data").clone();
    let registry = Head::read(vector("head")).expect("a head").commitment.registry;
    assert_eq!(sealed.get("registry").cloned().map(RegistryRef::read), Some(Ok(registry)));
    assert_eq!(sealed.get("index"), Some(&Value::from(indexed)));
}

#[test]
fn a_head_has_its_form_exactly() {
    let Value::Object(good) = vector("head") else { panic!("an object") };
    let changed = |name: &str, value: Value| Value::Object(good.clone().with(name, value));
    for (name, _) in good.iter() {
        let mut lacking = good.clone();
        lacking.remove(name);
        assert!(Head::read(lacking.into()).is_err(), "without {name}");
        assert!(Head::read(changed(name, Value::Null)).is_err(), "{name} null");
    }
    let registry = good.get("registry").and_then(Value::as_object).expect("registry").clone();
    for (name, value) in [
        ("more", Value::Bool(true)),
        ("v", "2".into()),
        ("size", 0u64.into()),
        ("ledger", "11-11".into()),
        ("at", "2026-05-12T17:04:14Z".into()),
        ("kid", "key:11-11/head/2026-q3".into()),
        ("registry", registry.clone().with("epoch", 0u64).into()),
        ("registry", registry.with("more", true).into()),
        ("root", Value::from(Sha3([0; 64]))),
    ] {
        assert!(Head::read(changed(name, value.clone())).is_err(), "{name} {value}");
    }
}

#[test]
fn a_head_that_differs_in_anything_is_not_signed() {
    let key = VerifyingKey::new(&signer().public()).expect("a key");
    let good = Head::read(vector("head")).expect("a head");
    let Commitment { ledger, size, chain, root, index, registry } = good.commitment.clone();
    let base = good.commitment.clone();
    let others = [
        Commitment { ledger: ledger + "2", ..base.clone() },
        Commitment { size: size + 1, ..base.clone() },
        Commitment { chain: ChainValue { hash: Sha3([0; 64]), ..chain }, ..base.clone() },
        Commitment { chain: ChainValue { hash_alt: Blake2b([0; 64]), ..chain }, ..base.clone() },
        Commitment { root: index, ..base.clone() },
        Commitment { index: root, ..base.clone() },
        Commitment { registry: RegistryRef { epoch: registry.epoch + 1, ..registry }, ..base.clone() },
        Commitment { registry: RegistryRef { hash: Sha3([0; 64]), ..registry }, ..base },
    ];
    for (n, commitment) in others.into_iter().enumerate() {
        let other = Head { commitment, ..good.clone() };
        assert!(!other.verify(&key), "{other:?}");
        assert_eq!(other.equivocates(&good), n > 1, "another ledger or size is no equivocation: {other:?}");
    }
    assert!(!Head { at: good.at.plus_millis(1), ..good.clone() }.verify(&key));
    let mut renamed = good.clone();
    renamed.sig.kid.push('x');
    assert!(!renamed.verify(&key), "the key's name is signed");
    let later = Head::sign(good.commitment.clone(), good.at.plus_seconds(10), &signer());
    assert!(later.verify(&key) && !later.equivocates(&good));
}
