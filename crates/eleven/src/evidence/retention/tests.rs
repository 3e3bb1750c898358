use super::*;
use eleven_core::chain::{ChainValue, advance};
use eleven_core::event::{About, Draft, Place as Standing};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::RegistryRef;
use eleven_core::signature::SeedSigner;
use eleven_core::tree::{MemoryTree, inclusion_proof, leaf_hash};

const HEAD: Time = Time(1_800_000_000_000);

/// A ledger with an entry a day, the last one at the head, and what an exporter shows of it.
struct Ledger {
    entries: Vec<Entry>,
    tree: MemoryTree,
    head: Commitment,
}

impl Ledger {
    fn of_days(days: i64) -> Self {
        let signer = SeedSigner::new("key:11-11/ledger/test", &[7; 32]);
        let (mut entries, mut tree, mut chain): (Vec<Entry>, _, Option<ChainValue>) =
            (Vec::new(), MemoryTree::new(), None);
        for seq in 0..=days {
            let at = Time(HEAD.0 - (days - seq) * DAY);
            let draft = Draft {
                event: "audit.resumed",
                place: Standing::Alone,
                ts: at,
                by: "ledger://11-11".into(),
                src_seq: seq.try_into().expect("positive"),
                data: Object::new(),
                about: About::default(),
            };
            let record = draft.sign(&signer).expect("a record").to_value();
            let header = EntryHeader { seq: seq.try_into().expect("positive"), at, prev: chain };
            let entry = Entry { header, record };
            let bytes = entry.to_value().canonical();
            chain = Some(advance(chain.as_ref(), &bytes));
            tree.append(leaf_hash(&bytes));
            entries.push(entry);
        }
        let head = Commitment {
            ledger: "ledger://11-11".into(),
            size: tree.size(),
            chain: chain.expect("an entry"),
            root: tree.root(),
            index: Sha256::ZERO,
            registry: RegistryRef { epoch: 1, hash: Sha3::of(&[]) },
        };
        Self { entries, tree, head }
    }

    /// What an exporter shows for a regime of so many days, and a range from an entry on.
    fn shown(&self, days: u64, range: u64) -> Samples {
        let due = due(Some(days), HEAD);
        let first = self.entries.iter().position(|entry| entry.header.at >= due).expect("the last one is not before");
        let wanted = [0].into_iter().chain(numbers(first as u64, range));
        let sample = |seq: u64| Sample {
            entry: self.entries[seq as usize].clone(),
            proof: inclusion_proof(&self.tree, seq, self.head.size).expect("a proof"),
        };
        Samples(wanted.map(|seq| (seq, sample(seq))).collect())
    }

    fn reach(&self, samples: &Samples, days: u64, range: u64) -> Result<String, String> {
        samples.reach(Some(days), &self.head, HEAD, range).map(|(said, _)| said)
    }
}

#[test]
fn entries_since_the_day_that_is_due_reach_far_enough() {
    let ledger = Ledger::of_days(400);
    let shown = ledger.shown(183, 390);
    let said = ledger.reach(&shown, 183, 390).expect("they reach");
    assert!(said.starts_with("entries are there since"), "{said}");
    assert_eq!(Samples::read(&shown.canonical()).expect("reads").canonical(), shown.canonical());
    // The range itself is older than what is due.
    let shown = ledger.shown(183, 10);
    assert!(ledger.reach(&shown, 183, 10).is_ok());
}

#[test]
fn a_young_ledger_shows_its_beginning() {
    let ledger = Ledger::of_days(20);
    let said = ledger.reach(&ledger.shown(183, 15), 183, 15).expect("nothing is due yet");
    assert!(said.starts_with("the ledger is not older than 183 days"), "{said}");
}

#[test]
fn an_older_time_than_the_records_reach_is_refused() {
    let ledger = Ledger::of_days(400);
    // Shown for half a year, asked for a whole one.
    let refused = ledger.reach(&ledger.shown(183, 390), 365, 390).expect_err("they don't reach");
    assert!(refused.contains("is not shown with the one before it"), "{refused}");
    // The entry at the floor is gone, and only newer ones are shown.
    let mut gone = ledger.shown(183, 390);
    let floor = *gone.0.keys().nth(1).expect("the one before the floor");
    gone.0.remove(&floor);
    assert!(ledger.reach(&gone, 183, 390).is_err());
    // One in between is gone.
    let mut holed = ledger.shown(183, 390);
    let between = *holed.0.keys().nth(6).expect("one between");
    holed.0.remove(&between);
    let refused = ledger.reach(&holed, 183, 390).expect_err("a hole");
    assert!(refused.starts_with(&format!("entry {between}, which is due since")), "{refused}");
    // Nothing is shown at all.
    assert!(ledger.reach(&Samples::default(), 183, 390).is_err());
}

#[test]
fn an_entry_that_was_redated_is_not_the_heads() {
    let ledger = Ledger::of_days(20);
    let mut shown = ledger.shown(183, 15);
    shown.0.get_mut(&0).expect("the first").entry.header.at = Time(HEAD.0 - 400 * DAY);
    let refused = ledger.reach(&shown, 183, 15).expect_err("another leaf");
    assert_eq!(refused, "entry 0 is not in the head's tree as it is shown");
}
