use super::*;
use eleven_core::chain::ChainValue;
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::head::RegistryRef;

fn of(size: u64) -> Commitment {
    Commitment {
        ledger: "ledger://11-11".to_owned(),
        size,
        chain: ChainValue { hash: Sha3([0; 64]), hash_alt: Blake2b([0; 64]) },
        root: Sha256([0; 32]),
        index: Sha256([0; 32]),
        registry: RegistryRef { epoch: 1, hash: Sha3([0; 64]) },
    }
}

#[test]
fn the_smaller_head_comes_first_whichever_was_published_last() {
    for (one, other) in [(3, 8), (8, 3), (8, 8)] {
        let (one, other) = (of(one), of(other));
        let (first, second) = by_size(&one, &other);
        assert!(first.size <= second.size && first.size + second.size == one.size + other.size);
    }
}
