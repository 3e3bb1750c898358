use super::super::state::{Judgement, Refusal, Witness};
use super::*;
use eleven_core::limits::{MAX_CONSISTENCY, MAX_EVIDENCE};
use proptest::prelude::*;

fn seconds() -> u64 {
    u64::try_from(start().0 / 1000).expect("a time")
}

fn judge(witness: &mut Witness, request: AddCheckpoint) -> Judgement {
    witness.judge(Log::signed(&logs(), request).expect("signed"), start())
}

fn refusal(witness: &mut Witness, request: AddCheckpoint) -> Refusal {
    judge(witness, request).outcome.expect_err("a refusal")
}

#[test]
fn a_request_is_read_as_it_is_written_and_nothing_else_is() {
    let request = Tree::new(9).request(3, 9);
    let text = request.to_string();
    assert_eq!(AddCheckpoint::read(text.as_bytes()), Ok(request));
    assert_eq!(AddCheckpoint::read(Tree::new(1).request(0, 1).to_string().as_bytes()).expect("read").proof, []);
    let change = |from: &str, to: &str| {
        assert!(text.contains(from), "{from:?}");
        text.replacen(from, to, 1)
    };
    let hash = text.lines().nth(1).expect("a hash").to_owned();
    for wrong in [
        change("old 3\n", ""),
        change("old 3", "old 03"),
        change("old 3", "old +3"),
        change("old 3", "old  3"),
        change("old 3", "Old 3"),
        change("old 3", "old 9007199254740992"),
        change(&hash, &hash[4..]),
        change(&hash, &format!("{hash} ")),
        change(&hash, ""),
        change("\n\n", "\n"),
        change("old 3\n", &format!("old 3\n{}", format!("{hash}\n").repeat(MAX_CONSISTENCY))),
        text[..text.len() - 1].to_owned(),
        String::new(),
    ] {
        assert!(AddCheckpoint::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(AddCheckpoint::read(&[0xff]).is_err());
}

#[test]
fn what_follows_is_cosigned_and_remembered() {
    let (tree, mut witness) = (Tree::new(40), Witness::new());
    let mut known = 0;
    let mut records = Vec::new();
    for size in [1, 2, 3, 7, 8, 8, 40] {
        let judgement = judge(&mut witness, tree.request(known, size));
        assert_eq!(judgement.outcome, Ok(seconds()), "{known} to {size}");
        assert_eq!(judgement.records.len(), usize::from(size > known), "the same size again is remembered already");
        records.extend(judgement.records);
        known = size;
    }
    let mut again = Witness::new();
    records.iter().for_each(|record| again.restore(record).expect("a record"));
    assert_eq!(again.seen().collect::<Vec<_>>(), witness.seen().collect::<Vec<_>>());
    assert_eq!(refusal(&mut again, tree.request(0, 40)), Refusal::Size(40));
}

#[test]
fn a_cosignature_is_never_older_than_the_one_before() {
    let (tree, mut witness) = (Tree::new(2), Witness::new());
    assert_eq!(judge(&mut witness, tree.request(0, 1)).outcome, Ok(seconds()));
    let signed = Log::signed(&logs(), tree.request(1, 2)).expect("signed");
    assert_eq!(witness.judge(signed, start().plus_seconds(-100)).outcome, Ok(seconds()), "the clock went back");
}

#[test]
fn the_same_again_is_no_step_back_for_the_next() {
    let (tree, mut witness) = (Tree::new(2), Witness::new());
    let mut records = Vec::new();
    let mut at = |witness: &mut Witness, old, size, after| {
        let signed = Log::signed(&logs(), tree.request(old, size)).expect("signed");
        let judgement = witness.judge(signed, start().plus_seconds(after));
        records.extend(judgement.records.clone());
        (judgement.outcome.expect("cosigned") - seconds(), judgement.records.len())
    };
    assert_eq!(at(&mut witness, 0, 1, 0), (0, 1));
    assert_eq!(at(&mut witness, 1, 1, 100), (100, 1), "a later time is remembered");
    assert_eq!(at(&mut witness, 1, 1, 100), (100, 0), "and the same time is remembered already");
    assert_eq!(at(&mut witness, 1, 1, 50), (100, 0), "the clock went back");
    assert_eq!(at(&mut witness, 1, 2, 50), (100, 1));
    let mut again = Witness::new();
    records.iter().for_each(|record| again.restore(record).expect("a record"));
    let signed = Log::signed(&logs(), tree.request(2, 2)).expect("signed");
    assert_eq!(again.judge(signed, start()).outcome, Ok(seconds() + 100), "after a restart as well");
}

#[test]
fn of_one_key_one_line_is_kept() {
    let mut request = Tree::new(2).request(0, 1);
    let line = request.note.lines[0].clone();
    request.note.lines.extend([line.clone(), line.clone()]);
    let mut witness = Witness::new();
    judge(&mut witness, request).outcome.expect("cosigned");
    assert_eq!(witness.seen().next().expect("seen").note.lines, [line]);
}

#[test]
fn each_refusal_has_its_status() {
    let (tree, mut witness) = (Tree::new(20), Witness::new());
    judge(&mut witness, tree.request(0, 10)).outcome.expect("cosigned");
    assert_eq!(refusal(&mut witness, tree.request(0, 20)), Refusal::Size(10), "a stale size");
    assert_eq!(refusal(&mut witness, tree.request(12, 20)), Refusal::Size(10), "one that was never cosigned");
    assert_eq!(refusal(&mut witness, tree.request(3, 9)), Refusal::Size(10), "a head that goes back");
    assert_eq!(refusal(&mut witness, tree.request(20, 15)).status(), 400, "old beyond the checkpoint");
    let mut spoilt = tree.request(10, 20);
    spoilt.proof.pop();
    assert_eq!(refusal(&mut witness, spoilt), Refusal::Inconsistent(10));
    let mut unsigned = tree.request(10, 20);
    unsigned.note.lines = vec![unsigned.note.checkpoint.sign(&signer("registry"))];
    assert_eq!(Log::signed(&logs(), unsigned).expect_err("another key").status(), 403);
    let mut other = tree.request(10, 20);
    other.note.checkpoint.origin = "other.example/log".to_owned();
    assert_eq!(Log::signed(&logs(), other).expect_err("another log").status(), 404);
    let fork = Refusal::Fork(1);
    assert_eq!((fork.status(), fork.known()), (422, None), "nobody is bidden to try again");
    assert_eq!((Refusal::Size(1).status(), Refusal::Size(1).known()), (409, Some(1)));
    assert_eq!(judge(&mut witness, tree.request(10, 20)).outcome, Ok(seconds()), "none of it changed what is known");
}

#[test]
fn a_fork_is_refused_and_both_notes_are_kept_once() {
    let (tree, fork, mut witness) = (Tree::new(20), Tree::forked(20, 5), Witness::new());
    judge(&mut witness, tree.request(0, 10)).outcome.expect("cosigned");
    // One size, another root: by whatever `old`, and kept once.
    for (old, outcome, kept) in [(3, Refusal::Size(10), 1), (0, Refusal::Size(10), 0), (10, Refusal::Fork(10), 0)] {
        let judgement = judge(&mut witness, fork.request(old, 10));
        assert_eq!((judgement.outcome, judgement.kept, judgement.records.len()), (Err(outcome), kept, kept));
    }
    // A later size that does not contain what was seen.
    let judgement = judge(&mut witness, fork.request(10, 20));
    assert_eq!((judgement.outcome, judgement.records.len()), (Err(Refusal::Inconsistent(10)), 1));
    let evidence: Vec<_> = witness.evidence().collect();
    assert_eq!(evidence.iter().map(|evidence| evidence.is_fork()).collect::<Vec<_>>(), [true, false]);
    let key = eleven_core::signature::VerifyingKey::new(&signer("head").public()).expect("a key");
    for note in [&evidence[0].held, &evidence[0].shown] {
        assert!(note.signed_by(&key), "it convicts the log by its own key");
    }
    let mut again = Witness::new();
    witness.to_records().iter().for_each(|record| again.restore(record).expect("a record"));
    assert_eq!(again.evidence().collect::<Vec<_>>(), evidence);
    assert_eq!(DOMAIN, "11-11", "whose ledger the origin names");
}

/// What a witness remembers after all these records.
fn restored(records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut again = Witness::new();
    records.iter().for_each(|record| again.restore(record).expect("a record"));
    again.to_records()
}

#[test]
fn a_checkpoint_that_was_cosigned_does_not_contradict_itself() {
    let (tree, mut witness) = (Tree::new(10), Witness::new());
    judge(&mut witness, tree.request(0, 10)).outcome.expect("cosigned");
    for junk in 0..3 {
        let mut spoilt = tree.request(10, 10);
        spoilt.proof.push(Sha256([junk; 32]));
        let judgement = judge(&mut witness, spoilt);
        assert_eq!((judgement.outcome, judgement.records.len()), (Err(Refusal::Inconsistent(10)), 0));
    }
    assert_eq!(witness.evidence().count(), 0, "nobody takes room by it");
}

#[test]
fn what_follows_after_all_was_a_spoilt_proof_and_is_let_go_of() {
    let (tree, fork, mut witness) = (Tree::new(30), Tree::forked(30, 5), Witness::new());
    let mut records = judge(&mut witness, tree.request(0, 10)).records;
    for size in [20, 30] {
        let mut spoilt = tree.request(10, size);
        spoilt.proof.clear();
        records.extend(judge(&mut witness, spoilt).records);
    }
    records.extend(judge(&mut witness, fork.request(10, 20)).records);
    assert_eq!(witness.evidence().count(), 3);
    records.extend(judge(&mut witness, tree.request(10, 20)).records);
    let shown: Vec<_> = witness.evidence().map(|one| (one.shown.checkpoint.size, one.is_fork())).collect();
    assert_eq!(shown, [(30, false), (20, false), (20, true)], "of the two of 20 the one that is another");
    assert_eq!(restored(&records), witness.to_records());
    assert_eq!(restored(&witness.to_records()), witness.to_records());
}

#[test]
fn what_anybody_could_spoil_is_kept_up_to_a_number() {
    let (tree, fork, mut witness) = (Tree::new(200), Tree::forked(200, 5), Witness::new());
    judge(&mut witness, tree.request(0, 1)).outcome.expect("cosigned");
    let mut records = Vec::new();
    for size in 3..200 {
        let mut spoilt = tree.request(1, size);
        spoilt.proof.clear();
        records.extend(judge(&mut witness, spoilt).records);
        assert!(witness.evidence().count() <= MAX_EVIDENCE);
    }
    let shown: Vec<u64> = witness.evidence().map(|one| one.shown.checkpoint.size).collect();
    assert_eq!(shown, (200 - MAX_EVIDENCE as u64..200).collect::<Vec<_>>(), "the newest: nobody takes the room before");
    let before = witness.to_records();
    assert_eq!(restored(&records)[..], before[1..], "all but the checkpoint that was cosigned");
    // What the log alone can make has room of its own.
    judge(&mut witness, tree.request(1, 20)).outcome.expect("cosigned");
    let judgement = judge(&mut witness, fork.request(20, 20));
    assert_eq!((judgement.outcome, judgement.kept, judgement.records.len()), (Err(Refusal::Fork(20)), 1, 1));
    assert_eq!(witness.evidence().filter(|evidence| evidence.is_fork()).count(), 1);
}

#[test]
fn what_was_shown_too_early_is_a_fork_once_its_size_is_cosigned() {
    let (tree, fork, mut witness) = (Tree::new(20), Tree::forked(20, 5), Witness::new());
    judge(&mut witness, tree.request(0, 10)).outcome.expect("cosigned");
    let shown = judge(&mut witness, fork.request(10, 20));
    assert_eq!((shown.outcome, shown.kept), (Err(Refusal::Inconsistent(10)), 1));
    let honest = judge(&mut witness, tree.request(10, 20));
    assert_eq!((honest.outcome, honest.kept, honest.records.len()), (Ok(seconds()), 1, 2), "one note of each is here");
    let shown = judge(&mut witness, fork.request(20, 20));
    assert_eq!((shown.outcome, shown.kept), (Err(Refusal::Fork(20)), 0), "each pair once");
    let pairs: Vec<_> =
        witness.evidence().map(|one| (one.held.checkpoint.size, one.shown.checkpoint.size, one.is_fork())).collect();
    assert_eq!(pairs, [(10, 20, false), (20, 20, true)]);
    let mut again = Witness::new();
    witness.to_records().iter().for_each(|record| again.restore(record).expect("a record"));
    assert_eq!(again.to_records(), witness.to_records());
}

#[test]
fn a_checkpoint_is_kept_with_each_that_it_contradicts() {
    let (tree, fork, mut witness) = (Tree::new(30), Tree::forked(30, 5), Witness::new());
    for known in [0, 10, 20] {
        let honest = judge(&mut witness, tree.request(known, known + 10));
        assert_eq!((honest.outcome, honest.kept), (Ok(seconds()), usize::from(known == 20)));
        let shown = judge(&mut witness, fork.request(known + 10, 30));
        assert_eq!(shown.kept, usize::from(known < 20), "the fork of 30 was kept when 30 was cosigned");
    }
    let held: Vec<_> = witness.evidence().map(|one| (one.held.checkpoint.size, one.is_fork())).collect();
    assert_eq!(held, [(10, false), (20, false), (30, true)]);
}

#[test]
fn who_weighs_a_checkpoint_has_cosigned_nothing() {
    let (tree, fork, mut witness) = (Tree::new(20), Tree::forked(20, 5), Witness::new());
    let weigh =
        |witness: &mut Witness, request| witness.weigh(&Log::signed(&logs(), request).expect("signed"), start());
    let weighed = weigh(&mut witness, tree.request(0, 10));
    assert_eq!((weighed.outcome, weighed.records.len()), (Ok(seconds()), 0));
    assert_eq!(witness.seen().count(), 0);
    judge(&mut witness, tree.request(0, 10)).outcome.expect("cosigned");
    assert_eq!(weigh(&mut witness, tree.request(0, 20)).outcome, Err(Refusal::Size(10)));
    let weighed = weigh(&mut witness, fork.request(10, 10));
    assert_eq!((weighed.outcome, weighed.records.len()), (Err(Refusal::Fork(10)), 1), "what convicts is kept");
}

proptest! {
    #[test]
    fn two_histories_are_never_both_cosigned(
        steps in proptest::collection::vec((any::<bool>(), 0u64..30, 0u64..30), 1..40), fork in 0u64..30,
    ) {
        let (trees, mut witness) = ([Tree::new(30), Tree::forked(30, fork)], Witness::new());
        let mut seen: Vec<(u64, Sha256)> = Vec::new();
        for (other, old, size) in steps {
            let tree = &trees[usize::from(other)];
            let judgement = judge(&mut witness, tree.request(old, size));
            if judgement.outcome.is_ok() {
                let root = tree.0.root_at(size).expect("a root");
                prop_assert!(seen.last().is_none_or(|(last, _)| *last <= size), "it never goes back");
                seen.push((size, root));
                let of = |tree: &Tree| seen.iter().all(|(size, root)| tree.0.root_at(*size) == Some(*root));
                prop_assert!(of(&trees[0]) || of(&trees[1]), "{seen:?}");
            }
        }
    }
}
