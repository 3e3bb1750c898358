//! The "linear fake": an attack that was published against ledgers that keep a hash chain beside a tree. The server commits
//! its tree over one history and shows the chain of another: each inclusion proof holds, and so does each link of the
//! chain that is shown, since nothing ties the two together. A client that checked both is none the wiser.
//!
//! The first test builds it against a ledger of that kind, whose leaves do not carry the chain that they continue, and it
//! works. The second does the same here, where a leaf is an entry with both chain values before it (PROTOCOL 6), in every
//! way that a lying ledger has, and names the check that each falls at.

use super::domain::{Domain, History, LEDGER, at, root};
use crate::bundle::{EntryProof, RegistryPart, ShownEntry};
use crate::caller::Caller;
use crate::report::Status;
use crate::shown::Shown;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use eleven_core::chain::{self, ChainValue};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::tree::{self, MemoryTree};

/// A ledger of the kind that the attack was found in: leaf = hash of the record, chain = hash of record and the value
/// before; a state is the root and the chain value at a size.
struct Loose {
    tree: MemoryTree,
    chain: Vec<Sha3>,
}

impl Loose {
    /// The tree over `held`, the chain over `shown`: two histories.
    fn new(held: &[Record], shown: &[Record]) -> Self {
        let mut tree = MemoryTree::new();
        held.iter().for_each(|record| tree.append(tree::leaf_hash(record.canonical())));
        let mut chain = Vec::new();
        for record in shown {
            let before = chain.last().map_or(&[][..], |value: &Sha3| &value.0);
            let value = Sha3::of(&[record.canonical(), before]);
            chain.push(value);
        }
        Self { tree, chain }
    }

    /// What its clients check: the record is in the tree, or it is a link of the chain up to the state's value.
    fn client_accepts(&self, record: &Record, seq: u64, links: &[Record]) -> bool {
        let size = self.tree.size();
        let proof = tree::inclusion_proof(&self.tree, seq, size).expect("a proof");
        let leaf = tree::leaf_hash(record.canonical());
        let in_tree = tree::verify_inclusion(&leaf, seq, size, &proof, &self.tree.root());
        let linear = links.iter().fold(None, |before: Option<Sha3>, link| {
            Some(Sha3::of(&[link.canonical(), before.as_ref().map_or(&[][..], |value| &value.0)]))
        });
        let in_chain = links.contains(record) && linear == self.chain.last().copied();
        in_tree || in_chain
    }
}

#[test]
fn against_a_ledger_whose_leaves_do_not_carry_the_chain_it_works() {
    let mut domain = Domain::new();
    let (held, fake): (Vec<Record>, Vec<Record>) =
        ((0..8).map(|_| domain.denial()).collect(), (0..8).map(|_| domain.denial()).collect());
    let shown: Vec<Record> = held.iter().take(4).chain(fake.iter().skip(4)).cloned().collect();
    let ledger = Loose::new(&held, &shown);
    // To one client a record of the held history at 5, to another one of the fake history at 5, under the same state.
    assert!(ledger.client_accepts(&held[5], 5, &held));
    assert!(ledger.client_accepts(&fake[5], 5, &shown));
    assert_ne!(held[5], fake[5]);
}

/// Two histories that part at entry 3, each complete and sealed.
fn two_histories() -> (Domain, History, History, Head, Head) {
    let mut domain = Domain::new();
    let mut honest = History::new(&mut domain);
    for second in 1..3 {
        let record = domain.denial();
        honest.push(record, at(second));
    }
    let mut fake = honest.clone();
    for second in 3..6 {
        let (held, shown) = (domain.denial(), domain.denial());
        honest.push(held, at(second));
        fake.push(shown, at(second));
    }
    let (held, shown) = (honest.seal(&mut domain, at(6), at(6)), fake.seal(&mut domain, at(6), at(6)));
    (domain, honest, fake, held, shown)
}

/// The members of a bundle that the checks of head and ledger read.
fn bundle(domain: &Domain, head: &Head, event: ShownEntry, seal: ShownEntry) -> Value {
    let registry: RegistryPart = domain.registry_part(&[&seal.record.kid]);
    let entry = event.entry.header.to_object().with("proof", tree::proof_value(&event.entry.proof));
    let sealed = seal.entry.header.to_object().with("proof", tree::proof_value(&seal.entry.proof));
    let bundle = Object::new()
        .with("roots", [root().to_value()].to_vec())
        .with("registry", registry.to_object())
        .with("events", [event.record.to_value()].to_vec())
        .with("entries", [Value::Object(entry)].to_vec())
        .with("seal", sealed.with("record", seal.record.to_value()))
        .with("head", head.to_value());
    Value::Object(bundle)
}

/// Entry `seq` of one history, with the proof of that place in another's tree.
fn entry_of(history: &History, seq: usize, tree: &MemoryTree) -> ShownEntry {
    let (record, header) = history.entry(seq);
    let proof = tree::inclusion_proof(tree, header.seq, tree.size()).expect("a proof");
    ShownEntry { entry: EntryProof { header, proof }, record }
}

fn failing(bundle: &Value) -> Vec<&'static str> {
    let caller = Caller::default();
    let shown = Shown::read(bundle, &caller);
    let looked_at = ["head.signed", "head.sealed", "ledger.inclusion", "registry.records"];
    let checks = crate::checks::run(&crate::checks::CHECKS, &shown).into_iter();
    checks
        .filter(|check| check.status == Status::Failed && looked_at.contains(&check.name))
        .map(|check| check.name)
        .collect()
}

#[test]
fn here_no_tree_can_be_shown_beside_another_historys_chain() {
    let (domain, honest, fake, held, shown) = two_histories();
    let last = honest.entries.len() - 1;
    let (event, seal) = (entry_of(&honest, 4, &honest.tree), entry_of(&honest, last, &honest.tree));
    assert_eq!(
        failing(&bundle(&domain, &held, event.clone(), seal.clone())),
        Vec::<&str>::new(),
        "the honest one holds"
    );

    // The tree of one history under the chain of the other: the chain does not follow from the tree's last entry.
    let sign = |root: Sha256, chain: ChainValue, of: &Head| {
        let mut commitment = of.commitment.clone();
        (commitment.root, commitment.chain) = (root, chain);
        Head::sign(commitment, at(6), &domain.signer("head"))
    };
    let mixed = sign(held.commitment.root, shown.commitment.chain, &held);
    assert_eq!(failing(&bundle(&domain, &mixed, event.clone(), seal.clone())), ["head.sealed"]);

    // With the fake's seal, from which that chain does follow: it is not in the tree.
    let forged = entry_of(&fake, last, &honest.tree);
    let mixed = sign(held.commitment.root, shown.commitment.chain, &shown);
    assert_eq!(failing(&bundle(&domain, &mixed, event.clone(), forged)), ["head.sealed", "ledger.inclusion"]);

    // An entry of the fake history at its place in the honest tree: another record, and another leaf.
    let forged = entry_of(&fake, 4, &honest.tree);
    assert_eq!(failing(&bundle(&domain, &held, forged, seal.clone())), ["ledger.inclusion"]);

    // The honest record with the chain values of the fake history before it: the leaf carries those.
    let mut forged = entry_of(&honest, 4, &honest.tree);
    forged.entry.header.prev = fake.entry(4).1.prev;
    assert_eq!(failing(&bundle(&domain, &held, forged, seal.clone())), ["ledger.inclusion"]);

    // A tree whose leaves each hold, over a history that is glued together: honest up to 4, the fake's from 4 on. Every
    // inclusion holds, and so do seal and head; only reading all entries shows where the chain breaks, and a replaying
    // auditor does that before it cosigns.
    let mut glued = MemoryTree::new();
    let leaf = |history: &History, seq: u64| tree::Hashes::node(&history.tree, 0, seq).expect("a leaf");
    (0..4).for_each(|seq| glued.append(leaf(&honest, seq)));
    (4..fake.tree.size()).for_each(|seq| glued.append(leaf(&fake, seq)));
    let head = sign(glued.root(), shown.commitment.chain, &shown);
    let (event, seal) = (entry_of(&honest, 3, &glued), entry_of(&fake, last, &glued));
    assert_eq!(failing(&bundle(&domain, &head, event, seal)), Vec::<&str>::new());
    let entries: Vec<_> = honest.entries.iter().take(4).chain(fake.entries.iter().skip(4)).collect();
    assert_eq!(first_break(&entries), Some(4), "the replay names the entry");
    assert_eq!(first_break(&honest.entries.iter().collect::<Vec<_>>()), None);
    assert_eq!(held.commitment.ledger, LEDGER.to_owned());
}

/// The first entry whose `prev` values do not follow from the entries before it: what a replay compares first.
fn first_break(entries: &[&(chain::EntryHeader, Record)]) -> Option<u64> {
    let mut before = None;
    for (header, record) in entries {
        if header.prev != before {
            return Some(header.seq);
        }
        before = Some(chain::advance(header.prev.as_ref(), &header.bytes(record.canonical())));
    }
    None
}
