use super::*;
use crate::encoding::parse;
use proptest::prelude::*;

fn ledger() -> Value {
    parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON")
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("no array {name}"))
}

fn number(value: &Value, name: &str) -> u64 {
    u64::try_from(value.get(name).and_then(Value::as_int).expect("a number")).expect("not negative")
}

fn hashes(file: &Value, name: &str) -> Vec<Sha256> {
    array(file, name).iter().map(|hash| hash.as_str().and_then(Sha256::parse).expect("a hash")).collect()
}

/// MTH of RFC 9162 2.1.1, word for word: what everything else is measured against.
fn reference_root(leaves: &[Sha256]) -> Sha256 {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            let (left, right) = leaves.split_at(k);
            node_hash(&reference_root(left), &reference_root(right))
        }
    }
}

fn leaves(count: u64) -> Vec<Sha256> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn grown(leaves: &[Sha256]) -> MemoryTree {
    let mut tree = MemoryTree::new();
    leaves.iter().for_each(|leaf| tree.append(*leaf));
    tree
}

#[test]
fn vectors_leaf_hashes_and_roots() {
    let file = ledger();
    let (leaf_hashes, roots) = (hashes(&file, "leaf_hashes"), hashes(&file, "roots"));
    let (mut tree, mut memory) = (Tree::new(), MemoryTree::new());
    assert_eq!((tree.root(), memory.root()), (roots[0], roots[0]));
    for (n, entry) in array(&file, "entries").iter().enumerate() {
        let leaf = leaf_hash(&entry.canonical());
        assert_eq!(leaf, leaf_hashes[n], "entry {n}");
        tree.append(leaf);
        memory.append(leaf);
        assert_eq!((tree.root(), memory.root()), (roots[n + 1], roots[n + 1]), "size {}", n + 1);
    }
    assert_eq!(roots.len(), leaf_hashes.len() + 1);
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(memory.root_at(size as u64), Some(*root));
    }
}

#[test]
fn vectors_inclusion() {
    let file = ledger();
    let (leaf_hashes, roots) = (hashes(&file, "leaf_hashes"), hashes(&file, "roots"));
    let tree = grown(&leaf_hashes);
    for case in array(&file, "inclusion") {
        let (seq, size) = (number(case, "seq"), number(case, "size"));
        let proof = read_proof(case.get("proof").expect("proof")).expect("a proof");
        assert_eq!(inclusion_proof(&tree, seq, size).as_ref(), Some(&proof), "{seq} of {size}");
        let (leaf, root) = (&leaf_hashes[seq as usize], &roots[size as usize]);
        assert!(verify_inclusion(leaf, seq, size, &proof, root), "{seq} of {size}");
        assert_eq!(Some(&proof_value(&proof)), case.get("proof"));
    }
}

#[test]
fn vectors_consistency() {
    let file = ledger();
    let (leaf_hashes, roots) = (hashes(&file, "leaf_hashes"), hashes(&file, "roots"));
    let tree = grown(&leaf_hashes);
    for case in array(&file, "consistency") {
        let (first, second) = (number(case, "first"), number(case, "second"));
        let proof = read_proof(case.get("proof").expect("proof")).expect("a proof");
        assert_eq!(consistency_proof(&tree, first, second).as_ref(), Some(&proof), "{first} to {second}");
        let (old, new) = (&roots[first as usize], &roots[second as usize]);
        assert!(verify_consistency(first, second, old, new, &proof), "{first} to {second}");
    }
}

#[test]
fn every_proof_of_small_trees_holds_and_for_nothing_else() {
    const SIZES: u64 = 20;
    let all = leaves(SIZES);
    let tree = grown(&all);
    let roots: Vec<Sha256> = (0..=all.len()).map(|size| reference_root(&all[..size])).collect();
    for size in 0..=SIZES {
        assert_eq!(tree.root_at(size), Some(roots[size as usize]));
        for seq in 0..size {
            let proof = inclusion_proof(&tree, seq, size).expect("a proof");
            for other in 0..SIZES + 2 {
                let leaf = &all[seq as usize];
                let root = &roots[size as usize];
                assert_eq!(verify_inclusion(leaf, other, size, &proof, root), other == seq, "{other} for {seq}");
                let Some(root) = roots.get(other as usize) else { continue };
                assert_eq!(verify_inclusion(leaf, seq, other, &proof, root), other == size, "{other} for {size}");
            }
        }
        for first in 0..=size {
            let proof = consistency_proof(&tree, first, size).expect("a proof");
            for other in 0..=SIZES {
                let (old, new) = (&roots[other as usize], &roots[size as usize]);
                let holds = verify_consistency(other, size, old, new, &proof);
                // The empty proof is that of the tree without leaves and that of the same tree.
                let empty = proof.is_empty() && (other == 0 || other == size);
                assert_eq!(holds, other == first || empty, "{other} for {first} in {size}");
                let crossed = verify_consistency(first, size, old, new, &proof);
                assert_eq!(crossed, other == first, "the root of {other} for that of {first} in {size}");
            }
        }
    }
}

#[test]
fn nothing_is_proved_beyond_the_tree() {
    let tree = grown(&leaves(5));
    assert_eq!(inclusion_proof(&tree, 5, 5), None);
    assert_eq!(inclusion_proof(&tree, 0, 6), None);
    assert_eq!(consistency_proof(&tree, 3, 6), None);
    assert_eq!(consistency_proof(&tree, 4, 3), None);
    assert_eq!(tree.root_at(6), None);
    assert_eq!(inclusion_proof(&tree, u64::MAX - 1, u64::MAX), None);
    assert!(!verify_inclusion(&Sha256::ZERO, 0, 0, &[], &empty_root()));
    assert!(!verify_inclusion(&Sha256::ZERO, u64::MAX - 1, u64::MAX, &[Sha256::ZERO; 80], &Sha256::ZERO));
    assert!(!verify_consistency(u64::MAX - 1, u64::MAX, &Sha256::ZERO, &Sha256::ZERO, &[Sha256::ZERO; 80]));
}

#[test]
fn peaks_are_all_there_is_to_keep() {
    let all = leaves(77);
    let mut tree = Tree::new();
    all[..50].iter().for_each(|leaf| tree.append(*leaf));
    assert_eq!(tree.peaks().len(), 3);
    let mut again = Tree::from_peaks(tree.size(), tree.peaks().to_vec()).expect("as many as bits");
    all[50..].iter().for_each(|leaf| again.append(*leaf));
    assert_eq!(again.root(), reference_root(&all));
    assert_eq!(Tree::from_peaks(51, tree.peaks().to_vec()), None);
}

#[test]
fn a_proof_is_an_array_of_hashes() {
    let hash = Value::from(Sha256([1; 32]));
    assert!(read_proof(&Value::Array(Vec::new())).is_ok());
    assert!(read_proof(&Value::Array(alloc::vec![hash.clone(); 129])).is_err());
    assert!(read_proof(&Value::Array(alloc::vec![hash.clone(), Value::Null])).is_err());
    assert!(read_proof(&Value::from("sha256:00")).is_err());
    assert!(read_proof(&hash).is_err());
}

/// A tree that many chunks hold, and two sizes in it.
fn sizes() -> impl Strategy<Value = (u64, u64)> {
    (1u64..3000).prop_flat_map(|size| (0..size, Just(size)))
}

fn flipped(hash: &Sha256, bit: usize) -> Sha256 {
    let mut other = *hash;
    other.0[bit / 8] ^= 1 << (bit % 8);
    other
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inclusion_holds_and_no_other_byte_does((seq, size) in sizes(), bit in 0usize..256) {
        let all = leaves(size);
        let tree = grown(&all);
        let (root, leaf) = (reference_root(&all), all[seq as usize]);
        let proof = inclusion_proof(&tree, seq, size).expect("a proof");
        prop_assert!(verify_inclusion(&leaf, seq, size, &proof, &root));
        prop_assert!(!verify_inclusion(&flipped(&leaf, bit), seq, size, &proof, &root));
        prop_assert!(!verify_inclusion(&leaf, seq, size, &proof, &flipped(&root, bit)));
        prop_assert!(!verify_inclusion(&leaf, (seq + 1) % size, size, &proof, &root) || size == 1);
        for at in 0..proof.len() {
            let mut other = proof.clone();
            other[at] = flipped(&other[at], bit);
            prop_assert!(!verify_inclusion(&leaf, seq, size, &other, &root));
            prop_assert!(!verify_inclusion(&leaf, seq, size, &proof[..at], &root));
        }
        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert!(!verify_inclusion(&leaf, seq, size, &longer, &root));
    }

    #[test]
    fn consistency_holds_and_no_other_byte_does((first, second) in sizes(), bit in 0usize..256) {
        let all = leaves(second);
        let tree = grown(&all);
        let (old, new) = (reference_root(&all[..first as usize]), reference_root(&all));
        let proof = consistency_proof(&tree, first, second).expect("a proof");
        prop_assert!(verify_consistency(first, second, &old, &new, &proof));
        prop_assert!(!verify_consistency(first, second, &flipped(&old, bit), &new, &proof));
        prop_assert!(first == 0 || !verify_consistency(first, second, &old, &flipped(&new, bit), &proof));
        prop_assert!(!verify_consistency(second, first, &new, &old, &proof));
        for at in 0..proof.len() {
            let mut other = proof.clone();
            other[at] = flipped(&other[at], bit);
            prop_assert!(!verify_consistency(first, second, &old, &new, &other));
            prop_assert!(!verify_consistency(first, second, &old, &new, &proof[..at]));
        }
        let longer = [proof.as_slice(), &[new]].concat();
        prop_assert!(!verify_consistency(first, second, &old, &new, &longer));
    }

    #[test]
    fn any_proof_is_judged(seq: u64, size: u64, proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let proof: Vec<Sha256> = proof.into_iter().map(Sha256).collect();
        prop_assert!(!verify_inclusion(&Sha256::ZERO, seq, size, &proof, &Sha256([9; 32])));
        prop_assert!(!verify_consistency(seq, size, &Sha256::ZERO, &Sha256([9; 32]), &proof));
    }
}
