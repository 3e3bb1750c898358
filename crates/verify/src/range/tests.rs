use super::*;
use alloc::vec;
use eleven_core::chain::entry_bytes;
use eleven_core::hash::{Blake2b, Sha3};
use eleven_core::head::RegistryRef;
use eleven_core::tree::{MemoryTree, inclusion_proof};

/// A ledger of entries around records that say their number, and the commitment of a head over all of them.
struct Ledger {
    entries: Vec<Vec<u8>>,
    tree: MemoryTree,
    chain: ChainValue,
}

impl Ledger {
    fn new(size: u64) -> Self {
        let (mut entries, mut tree, mut chain) = (Vec::new(), MemoryTree::new(), None);
        for seq in 0..size {
            let at = Time(1_700_000_000_000 + i64::try_from(seq).expect("small"));
            let bytes = entry_bytes(seq, at, chain.as_ref(), format!("{{\"n\":{seq}}}").as_bytes());
            chain = Some(advance(chain.as_ref(), &bytes));
            tree.append(leaf_hash(&bytes));
            entries.push(bytes);
        }
        Self { entries, tree, chain: chain.expect("at least one entry") }
    }

    fn head(&self) -> Commitment {
        Commitment {
            ledger: "ledger://11-11".into(),
            size: self.tree.size(),
            chain: self.chain,
            root: self.tree.root(),
            index: Sha256::ZERO,
            registry: RegistryRef { epoch: 1, hash: Sha3::of(&[]) },
        }
    }

    fn proof(&self, seq: u64) -> Vec<Sha256> {
        inclusion_proof(&self.tree, seq, self.tree.size()).expect("a proof")
    }

    fn range(&self, first: usize, end: usize) -> Range {
        let mut range = Range::new();
        for bytes in &self.entries[first..end] {
            range.take(bytes).expect("the next entry");
        }
        range
    }
}

#[test]
fn every_range_of_every_size_stands_under_its_head() {
    for size in 1..=20 {
        let ledger = Ledger::new(size);
        for first in 0..size {
            for end in first + 1..=size {
                let range = ledger.range(first as usize, end as usize);
                assert_eq!((range.first(), range.end()), (first, end));
                let held = range.stands_under(&ledger.head(), &ledger.proof(first), &ledger.proof(end - 1));
                assert_eq!(held, Ok(()), "{first} to {end} of {size}");
            }
        }
    }
}

#[test]
fn an_entry_left_out_or_out_of_order_is_noticed_where_it_is_missing() {
    let ledger = Ledger::new(9);
    let mut range = ledger.range(2, 4);
    assert_eq!(range.take(&ledger.entries[5]).expect_err("a gap"), "entry 4 is missing, the next one is 5");
    assert_eq!(range.take(&ledger.entries[3]).expect_err("twice"), "entry 4 is missing, the next one is 3");
    let other = entry_bytes(4, Time(1_700_000_000_009), Some(&ledger.chain), b"{}");
    assert_eq!(range.take(&other).expect_err("no link"), "entry 4 does not follow from the one before it");
    let mut spaced = ledger.entries[4].clone();
    spaced.insert(1, b' ');
    assert!(range.take(&spaced).is_err(), "not canonical");
}

#[test]
fn a_history_rewritten_with_its_chain_does_not_come_to_the_root() {
    let ledger = Ledger::new(9);
    // Entry 4 says something else, and all that follow are chained onto it.
    let mut range = ledger.range(2, 4);
    let mut chain = range.last.expect("two entries").1;
    for seq in 4..8 {
        let bytes =
            entry_bytes(seq, Time(1_700_000_000_009), Some(&chain), format!("{{\"n\":{}}}", seq + 1).as_bytes());
        chain = advance(Some(&chain), &bytes);
        range.take(&bytes).expect("it follows");
    }
    let refused = range.stands_under(&ledger.head(), &ledger.proof(2), &ledger.proof(7));
    assert_eq!(refused.expect_err("another tree"), "the entries from 2 up to 8 are not those of the head's tree");
}

#[test]
fn proofs_and_heads_of_other_ranges_are_refused() {
    let ledger = Ledger::new(9);
    let range = ledger.range(2, 6);
    let head = ledger.head();
    let none = [Sha256::ZERO; 0];
    assert!(range.stands_under(&head, &ledger.proof(0), &ledger.proof(5)).is_err(), "the proof of another entry");
    assert!(range.stands_under(&head, &none, &ledger.proof(5)).expect_err("none").contains("fewer"));
    let long = vec![Sha256::ZERO; 70];
    assert!(range.stands_under(&head, &long, &ledger.proof(5)).expect_err("too many").contains("more"));
    let short = Commitment { size: 4, ..head.clone() };
    assert!(range.stands_under(&short, &ledger.proof(2), &ledger.proof(5)).is_err(), "beyond the head");
    assert!(Range::new().stands_under(&head, &ledger.proof(0), &ledger.proof(0)).is_err(), "nothing shows nothing");
    let chain = ChainValue { hash: Sha3::of(&[b"x"]), hash_alt: Blake2b::of(&[b"x"]) };
    let whole = ledger.range(0, 9);
    let refused = whole.stands_under(&Commitment { chain, ..head }, &ledger.proof(0), &ledger.proof(8));
    assert_eq!(refused.expect_err("another chain"), "the head's chain values do not follow from its last entry");
}
