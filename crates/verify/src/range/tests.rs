use super::*;
use crate::tests::{text, vector};
use alloc::vec;
use eleven_core::chain::entry_bytes;
use eleven_core::hash::{Blake2b, Sha3};
use eleven_core::head::RegistryRef;
use eleven_core::root::{KeyRecord, KeyStatus};
use eleven_core::signature::{SeedSigner, bytes32};
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
    let chain = range.last.expect("two entries").1;
    let mut fourth_at = |at: i64| range.take(&entry_bytes(4, Time(at), Some(&chain), b"{}"));
    let back = fourth_at(1_700_000_000_002).expect_err("a clock that went back");
    assert_eq!(back, "entry 4 is of 2023-11-14T22:13:20.002Z, before the one before it");
    assert!(fourth_at(1_700_000_000_003).is_ok(), "of the same moment");
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

/// Whether the head of the vectors counts once something of its root, of itself or of its checkpoint is another.
fn counts(change: impl FnOnce(&mut TrustRoot, &mut Head, &mut Note)) -> Result<(), String> {
    let bundle = vector("bundle.proof.json");
    let mut root = TrustRoot::read(vector("root.json")).expect("of its form");
    let mut head = Head::read(bundle.get("head").expect("a head").clone()).expect("of its form");
    let mut note = Note::parse(text(&bundle, "checkpoint")).expect("of its form");
    change(&mut root, &mut head, &mut note);
    head_counts(&root, &head, &note)
}

type Change = fn(&mut TrustRoot, &mut Head, &mut Note);

fn head_key(root: &mut TrustRoot) -> &mut KeyRecord {
    root.roles.iter_mut().find(|key| key.usage == KeyUse::Head).expect("a head key")
}

/// The head key of the vectors.
fn signer() -> SeedSigner {
    let file = vector("ledger.json");
    let seed = bytes32(text(file.get("seeds").expect("seeds"), "head")).expect("32 bytes");
    SeedSigner::new("key:11-11/head/2026-q2", &seed)
}

#[test]
fn a_head_counts_under_the_root_and_by_the_key_that_are_in_force_at_it() {
    assert_eq!(counts(|_, _, _| ()), Ok(()));
    assert_eq!(counts(|root, head, _| root.exp = head.at.plus_millis(1)), Ok(()));
    let at = "2026-05-12T17:04:14.000Z";
    let in_force = |from: &str, to: &str| format!("root 1 is in force from {from} to {to}, not at {at}");
    let ended = in_force("2026-04-01T00:00:00.000Z", at);
    let to_come = in_force("2026-05-12T17:04:14.001Z", "2027-04-01T00:00:00.000Z");
    let key = format!("the root has no head key `key:11-11/head/2026-q2` that counts at {at}");
    let cases: [(Change, &str); 7] = [
        (|root, head, _| root.exp = head.at, &ended),
        (|root, head, _| root.nbf = head.at.plus_millis(1), &to_come),
        (|root, _, _| root.domain = "x".into(), "the head is of `ledger://11-11`, the root of `x`"),
        (|root, _, _| head_key(root).usage = KeyUse::Policy, &key),
        (|root, head, _| head_key(root).exp = head.at, &key),
        (|root, head, _| head_key(root).status = KeyStatus::Retired(head.at), &key),
        (|_, head, _| head.commitment.index = Sha256::ZERO, "the head's signature does not verify"),
    ];
    for (change, why) in cases {
        assert_eq!(counts(change), Err(why.into()));
    }
}

#[test]
fn a_head_counts_with_the_checkpoint_of_itself_by_its_own_key() {
    let cases: [Change; 3] = [
        // The very key signed it, for another size.
        |_, _, note| {
            note.checkpoint.size += 1;
            note.lines[0] = note.checkpoint.sign(&signer());
        },
        |_, _, note| drop(note.lines.remove(0)),
        |_, head, note| note.lines[0] = note.checkpoint.sign(&SeedSigner::new(head.sig.kid.clone(), &[9; 32])),
    ];
    for change in cases {
        let why = counts(change).expect_err("it does not count");
        assert_eq!(why, "the checkpoint is not of this head, or its key did not sign it");
    }
    assert_eq!(counts(|_, _, note| note.lines[0] = note.checkpoint.sign(&signer())), Ok(()));
}

#[test]
fn a_head_counts_once_as_many_cosigned_as_the_root_asks_for_and_as_many_of_them_audit() {
    // Behind the ledger's line stand those of two witnesses, of which the first audits.
    let cases: [(Change, [u64; 4]); 5] = [
        (|_, _, note| note.lines.truncate(1), [0, 0, 2, 1]),
        (|_, _, note| note.lines.truncate(2), [1, 1, 2, 1]),
        (|root, _, _| root.witnesses.quorum = 3, [2, 1, 3, 1]),
        (|root, _, _| root.witnesses.auditors = 2, [2, 1, 2, 2]),
        (
            |root, _, note| {
                root.witnesses.quorum = 1;
                note.lines.remove(1);
            },
            [1, 0, 1, 1],
        ),
    ];
    for (change, [all, auditors, quorum, of_them]) in cases {
        let why = format!(
            "{all} witnesses cosigned, {auditors} of them auditors; the root asks for {quorum}, {of_them} of them auditors"
        );
        assert_eq!(counts(change), Err(why));
    }
}
