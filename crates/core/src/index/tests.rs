use super::*;
use crate::encoding::{Object, parse};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

fn vectors() -> Value {
    parse(include_bytes!("../../../../spec/vectors/index.json")).expect("I-JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name}"))
}

fn hash(value: &Value, name: &str) -> Sha256 {
    Sha256::parse(text(value, name)).expect("a hash")
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("no array {name}"))
}

fn items(file: &Value) -> Vec<(Sha256, Sha256)> {
    array(file, "items").iter().map(|item| (hash(item, "key"), hash(item, "value"))).collect()
}

/// The root as PROTOCOL 9 defines it, bit by bit: what the index is measured against.
fn reference_root(items: &[(Sha256, Sha256)], depth: usize) -> Sha256 {
    match items {
        [] => Sha256::ZERO,
        [(key, value)] => leaf_hash(key, value),
        _ => {
            let (right, left): (Vec<_>, Vec<_>) = items.iter().copied().partition(|(key, _)| bit(key, depth));
            node_hash(&reference_root(&left, depth + 1), &reference_root(&right, depth + 1))
        }
    }
}

#[test]
fn vectors_keys_values_and_root() {
    let file = vectors();
    let mut built = Vec::new();
    for lineage in array(&file, "lineages") {
        let n = u64::try_from(lineage.get("n").and_then(Value::as_int).expect("n")).expect("positive");
        let tip = Sha3::parse(text(lineage, "tip")).expect("a hash");
        let tip_alt = Blake2b::parse(text(lineage, "tip_alt")).expect("a hash");
        let op = text(lineage, "op");
        built.push((op_key(op), op_value(op, n, &tip, &tip_alt)));
    }
    for revoked in array(&file, "revoked") {
        let event_hash = Sha3::parse(text(revoked, "event_hash")).expect("a hash");
        built.push((revoked_key(text(revoked, "artifact")), revoked_value(&event_hash)));
    }
    let sorted = |mut items: Vec<(Sha256, Sha256)>| {
        items.sort();
        items
    };
    assert_eq!(sorted(built), sorted(items(&file)));

    let mut index = OperationIndex::new();
    assert_eq!((index.root(), index.rehash()), (hash(&file, "empty_root"), Sha256::ZERO));
    for (key, value) in items(&file) {
        assert_eq!(index.insert(key, value), None);
    }
    assert_eq!((index.root(), index.rehash()), (hash(&file, "root"), hash(&file, "root")));
    assert_eq!(index.len(), items(&file).len());
}

#[test]
fn vectors_proofs() {
    let file = vectors();
    let root = hash(&file, "root");
    let values: BTreeMap<Sha256, Sha256> = items(&file).into_iter().collect();
    let mut index = OperationIndex::new();
    values.iter().for_each(|(key, value)| assert_eq!(index.insert(*key, *value), None));
    for case in array(&file, "proofs") {
        let key = Sha256::of(&[text(case, "name").as_bytes()]);
        let value = case.get("proof").expect("a proof");
        let proof = Proof::read(value.clone()).expect("of its form");
        assert_eq!(proof.to_value(), *value);
        let expected = match text(case, "proves") {
            "present" => Proves::Present(values[&key]),
            "absent" => Proves::Absent,
            "nothing" => Proves::Nothing,
            other => panic!("unknown: {other}"),
        };
        assert_eq!(proof.proves(&root, &key), expected, "{case}");
        if expected != Proves::Nothing {
            assert_eq!(index.prove(&key), proof, "{case}");
        }
    }
}

#[test]
fn a_proof_has_its_form_exactly() {
    let one = Value::from(Sha256([1; 32]));
    let end = Value::Object(Object::new().with("key", one.clone()).with("value", one.clone()));
    let proof = |siblings: Vec<Value>, end: Value| Object::new().with("siblings", siblings).with("end", end);
    let read = |object: Object| Proof::read(Value::Object(object));
    assert!(read(proof(vec![one.clone(); 256], end.clone())).is_ok());
    assert!(read(proof(vec![one.clone(); 257], end.clone())).is_err());
    assert!(read(proof(vec![], Value::Null)).is_ok());
    assert!(read(proof(vec![Value::Null], Value::Null)).is_err());
    let digits = one.to_string().replace('"', "");
    for short in [&digits[..69], &digits[7..], "sha256:"] {
        assert!(read(proof(vec![short.into()], Value::Null)).is_err(), "{short}");
        let end = Object::new().with("key", short).with("value", one.clone());
        assert!(read(proof(vec![], end.into())).is_err(), "{short}");
    }
    assert!(read(proof(vec![], Value::Null).with("more", true)).is_err());
    assert!(read(Object::new().with("siblings", Vec::new())).is_err(), "without `end`");
    let more = Object::new().with("key", one.clone()).with("value", one.clone()).with("more", true);
    assert!(read(proof(vec![], more.into())).is_err());
    assert!(read(proof(vec![], Value::Array(vec![one.clone(), one]))).is_err());
}

#[test]
fn more_siblings_than_bits_prove_nothing() {
    let key = Sha256([0; 32]);
    let mut reached = leaf_hash(&key, &key);
    for _ in 0..257 {
        reached = node_hash(&reached, &Sha256::ZERO);
    }
    let proof = Proof { siblings: vec![Sha256::ZERO; 257], end: Some((key, key)) };
    assert_eq!(proof.proves(&reached, &key), Proves::Nothing);
}

#[test]
fn keys_that_part_at_the_last_bit_are_told_apart() {
    let (mut a, b) = (Sha256([0x55; 32]), Sha256([0x55; 32]));
    a.0[31] ^= 1;
    let mut index = OperationIndex::new();
    for (key, value) in [(a, 1), (b, 2)] {
        index.insert(key, Sha256([value; 32]));
    }
    let items = [(a, Sha256([1; 32])), (b, Sha256([2; 32]))];
    assert_eq!(index.rehash(), reference_root(&items, 0));
    for (key, value) in items {
        let proof = index.prove(&key);
        assert_eq!((proof.siblings.len(), proof.proves(&index.root(), &key)), (256, Proves::Present(value)));
        assert_eq!(Proof::read(proof.to_value()), Ok(proof));
    }
    let mut beside = a;
    beside.0[20] ^= 8;
    assert_eq!(index.prove(&beside).proves(&index.root(), &beside), Proves::Absent);
    assert_eq!(index.remove(&b), Some(Sha256([2; 32])));
    assert_eq!(index.root(), leaf_hash(&a, &Sha256([1; 32])), "a subtree with one leaf is that leaf");
}

/// Keys of which many share long beginnings: each byte is one of few.
fn any_key() -> impl Strategy<Value = Sha256> {
    let byte = prop_oneof![4 => Just(0u8), 1 => Just(1), 1 => Just(0x80)];
    prop_oneof![any::<[u8; 32]>(), proptest::collection::vec(byte, 32).prop_map(|v| v.try_into().expect("32"))]
        .prop_map(Sha256)
}

fn any_items() -> impl Strategy<Value = BTreeMap<Sha256, Sha256>> {
    proptest::collection::btree_map(any_key(), any::<[u8; 32]>().prop_map(Sha256), 0..40)
}

fn pairs(items: &BTreeMap<Sha256, Sha256>) -> Vec<(Sha256, Sha256)> {
    items.iter().map(|(key, value)| (*key, *value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_root_is_that_of_the_items_in_whatever_order(items in any_items(), mut order in any::<u64>()) {
        let expected = reference_root(&pairs(&items), 0);
        let mut rest = pairs(&items);
        let mut index = OperationIndex::new();
        while !rest.is_empty() {
            let (key, value) = rest.swap_remove((order % rest.len() as u64) as usize);
            prop_assert_eq!(index.insert(key, Sha256::ZERO), None);
            if order.is_multiple_of(3) {
                index.rehash();
            }
            prop_assert_eq!(index.insert(key, value), Some(Sha256::ZERO));
            order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
        prop_assert_eq!((index.root(), index.len()), (expected, items.len()));
        prop_assert_eq!((index.rehash(), index.root()), (expected, expected));
    }

    #[test]
    fn a_history_of_changes_leaves_what_it_leaves(
        changes in proptest::collection::vec((any_key(), proptest::option::of(any::<[u8; 32]>()), any::<bool>()), 0..80),
        again in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
    ) {
        let (mut index, mut items) = (OperationIndex::new(), BTreeMap::new());
        // What was there is touched a second time, so that keys are found to be replaced and removed.
        let touched = again.iter().filter(|_| !changes.is_empty()).map(|at| {
            let (key, value, rehash) = at.get(&changes);
            (*key, value.filter(|bytes| bytes[0] & 1 == 0), *rehash)
        });
        for (key, value, rehash) in changes.iter().copied().chain(touched) {
            match value.map(Sha256) {
                Some(value) => prop_assert_eq!(index.insert(key, value), items.insert(key, value)),
                None => prop_assert_eq!(index.remove(&key), items.remove(&key)),
            }
            if rehash {
                prop_assert_eq!(index.rehash(), reference_root(&pairs(&items), 0));
            }
            prop_assert_eq!((index.get(&key), index.is_empty()), (items.get(&key).copied(), items.is_empty()));
        }
        prop_assert_eq!((index.root(), index.len()), (reference_root(&pairs(&items), 0), items.len()));
        prop_assert_eq!(index.iter().collect::<Vec<_>>(), items.iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_key_is_proved_and_no_other_byte_is(items in any_items(), other in any_key(), bit in 0usize..256) {
        let mut index = OperationIndex::new();
        items.iter().for_each(|(key, value)| { index.insert(*key, *value); });
        let root = index.root();
        for key in items.keys().chain([&other]) {
            let proof = index.prove(key);
            let expected = items.get(key).map_or(Proves::Absent, |value| Proves::Present(*value));
            prop_assert_eq!(proof.proves(&root, key), expected);
            prop_assert_eq!(Proof::read(proof.to_value()), Ok(proof.clone()));
            prop_assert_eq!(proof.proves(&flipped(&root, bit), key), Proves::Nothing);
            for at in 0..proof.siblings.len() {
                let mut changed = proof.clone();
                changed.siblings[at] = flipped(&changed.siblings[at], bit);
                prop_assert_eq!(changed.proves(&root, key), Proves::Nothing);
                changed.siblings.truncate(at);
                prop_assert_eq!(changed.proves(&root, key), Proves::Nothing);
            }
            if let Some((end, value)) = proof.end {
                let ends = [None, Some((flipped(&end, bit), value)), Some((end, flipped(&value, bit)))];
                for end in ends {
                    let changed = Proof { siblings: proof.siblings.clone(), end };
                    prop_assert_eq!(changed.proves(&root, key), Proves::Nothing);
                }
            }
        }
        index.rehash();
        prop_assert_eq!(index.prove(&other).proves(&root, &other) == Proves::Absent, !items.contains_key(&other));
    }

    #[test]
    fn a_proof_of_one_key_never_says_another_is_there_or_gone(items in any_items(), other in any_key()) {
        let mut index = OperationIndex::new();
        items.iter().for_each(|(key, value)| { index.insert(*key, *value); });
        let root = index.rehash();
        for key in items.keys() {
            for about in items.keys().chain([&other]) {
                match index.prove(about).proves(&root, key) {
                    Proves::Present(value) => prop_assert_eq!(Some(&value), items.get(key)),
                    Proves::Absent => prop_assert!(false, "{key} is there"),
                    Proves::Nothing => {}
                }
            }
        }
    }
}

fn flipped(hash: &Sha256, bit: usize) -> Sha256 {
    let mut other = *hash;
    other.0[bit / 8] ^= 1 << (bit % 8);
    other
}
