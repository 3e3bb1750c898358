//! Evidence of every kind, from a domain whose ledger tells two histories; and what is none.

extern crate std;

mod domain;
mod linear_fake;

use super::*;
use crate::tests::mutations::{changed_at, paths};
use crate::{Pinned, Verdict, verify_bytes};
use alloc::format;
use domain::{Domain, History, at, root};
use eleven_core::encoding::parse;
use eleven_core::head::Commitment;
use eleven_core::head::checkpoint::{Checkpoint, Note};
use eleven_core::index;
use eleven_core::limits::MAX_RECORD;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use eleven_core::tree;
use std::string::ToString as _;

fn checkpoint_of(domain: &Domain, head: &Head) -> Statement {
    let checkpoint = Checkpoint::of(&head.commitment);
    let line = checkpoint.sign(&domain.signer("head"));
    Statement::Checkpoint(Note { checkpoint, lines: vec![line] }.to_string())
}

fn leaf(history: &History, seq: u64, size: u64) -> Leaf {
    let hash = tree::Hashes::node(&history.tree, 0, seq).expect("a leaf");
    Leaf { hash, proof: tree::inclusion_proof(&history.tree, seq, size).expect("a proof") }
}

/// Two histories that are one up to their third entry.
struct Fake {
    domain: Domain,
    shown: History,
    kept: History,
    /// Of the shown history.
    early: Head,
    /// Of the kept one, of the same size.
    other: Head,
    /// Of the kept one, larger.
    later: Head,
    issued: Record,
    artifact: Artifact,
}

fn fake() -> Fake {
    let mut domain = Domain::new();
    let mut kept = History::new(&mut domain);
    let (artifact, issued) = domain.issue(1);
    kept.push(issued.clone(), at(1));
    let mut shown = kept.clone();
    let consumed = domain.consume(&artifact, &issued);
    shown.push(consumed, at(2));
    let early = shown.seal(&mut domain, at(3), at(3));
    let denied = domain.denial();
    kept.push(denied, at(2));
    let other = kept.seal(&mut domain, at(3), at(4));
    let denied = domain.denial();
    kept.push(denied, at(5));
    let later = kept.seal(&mut domain, at(6), at(6));
    Fake { domain, shown, kept, early, other, later, issued, artifact }
}

/// Every file that proves something, by what it shows.
fn proven() -> Vec<(&'static str, Value)> {
    let fake = fake();
    let Fake { domain, shown, kept, early, other, later, .. } = &fake;
    let head = |head: &Head| Statement::Head(head.clone());
    let evidence = |conflict| Evidence { roots: vec![root()], conflict }.to_value();
    let fork = |statements, leaves| evidence(Conflict::Fork { statements, leaves });
    let size = early.commitment.size;
    let leaves = || {
        let seq = 2;
        Some(Leaves { seq, first: leaf(shown, seq, size), second: leaf(kept, seq, later.commitment.size) })
    };
    let smaller = shown.first_head.clone();
    let back = domain.head_of(&smaller, at(7));
    vec![
        ("two heads of one size", fork([head(early), head(other)], None)),
        ("two checkpoints of one size", fork([checkpoint_of(domain, early), checkpoint_of(domain, other)], None)),
        ("a head and a checkpoint of one size", fork([head(early), checkpoint_of(domain, other)], None)),
        ("a leaf that differs under two sizes", fork([head(early), head(later)], leaves())),
        ("two checkpoints and a leaf", fork([checkpoint_of(domain, early), checkpoint_of(domain, later)], leaves())),
        ("a head that went back", evidence(Conflict::Back { heads: [later.clone(), back] })),
        ("an event that a later index lacks", evidence(included(&fake, later, None))),
        ("an event after the last that the index has", evidence(included(&fake, later, Some(fake.issued.tip())))),
        ("an artifact that was handed out", evidence(handed_out(&fake))),
    ]
}

/// The consumption was shown under a head. Where `last` is given the kept history has the issuance of it.
fn included(fake: &Fake, head: &Head, last: Option<Tip>) -> Conflict {
    let (record, header) = match last {
        Some(_) => fake.shown.entry(2),
        // A denial that only the shown history has.
        None => return omitted_denial(fake),
    };
    let proof = tree::inclusion_proof(&fake.shown.tree, header.seq, fake.early.commitment.size).expect("a proof");
    let index = fake.kept.index.prove(&index::op_key(&record.op));
    let under = checkpoint_of(&fake.domain, &fake.early);
    Conflict::Omission { record, promise: Promise::Included { under, header, proof }, head: head.clone(), index, last }
}

fn omitted_denial(fake: &Fake) -> Conflict {
    let mut domain = Domain::new();
    let mut shown = History::new(&mut domain);
    let record = domain.denial();
    shown.push(record.clone(), at(1));
    let early = shown.seal(&mut domain, at(2), at(2));
    let (record, header) = shown.entry(1);
    let proof = tree::inclusion_proof(&shown.tree, 1, early.commitment.size).expect("a proof");
    let index = fake.kept.index.prove(&index::op_key(&record.op));
    let promise = Promise::Included { under: Statement::Head(early), header, proof };
    Conflict::Omission { record, promise, head: fake.later.clone(), index, last: None }
}

/// An artifact travels, and a minute later no head has its issuance.
fn handed_out(fake: &Fake) -> Conflict {
    handed_out_under(fake, Domain::new())
}

/// The same, the registry under that head being this domain's.
fn handed_out_under(fake: &Fake, mut domain: Domain) -> Conflict {
    let mut history = History::new(&mut domain);
    let denied = domain.denial();
    history.push(denied, at(70));
    let head = history.seal(&mut domain, at(71), at(71));
    let (artifact, record) = (fake.artifact.clone(), fake.issued.clone());
    let index = history.index.prove(&index::op_key(&record.op));
    let registry = domain.registry_part(&[&record.kid, &artifact.sig.kid]);
    Conflict::Omission { record, promise: Promise::Issued { artifact, registry }, head, index, last: None }
}

fn run(evidence: &Value) -> Report {
    let root = Pinned::new(root().to_value());
    verify(evidence, &Caller { root: Some(&root), ..Caller::default() })
}

fn failures(report: &Report) -> Vec<&'static str> {
    report.failed().map(|check| check.name).collect()
}

#[test]
fn every_kind_of_evidence_is_proven() {
    for (what, evidence) in proven() {
        let report = run(&evidence);
        assert_eq!((failures(&report), report.verdict), (vec![], Verdict::Verified), "{what}: {report:?}");
        let unpinned = verify_bytes(&evidence.canonical(), &Caller::default()).expect("I-JSON");
        assert_eq!(unpinned.verdict, Verdict::Unpinned, "{what}");
        let another = Pinned::new(domain::other_root().to_value());
        let report = verify(&evidence, &Caller { root: Some(&another), ..Caller::default() });
        assert_eq!(failures(&report), ["root.pinned"], "{what}");
        let asked = Caller { kind: Some(crate::Kind::Execution), ..Caller::default() };
        assert_eq!(failures(&verify(&evidence, &asked)), ["evidence.form"], "{what}: no execution is shown");
        let young = Caller { now: Some(at(80)), max_age: Some(1), ..Caller::default() };
        assert_eq!(failures(&verify(&evidence, &young)), ["evidence.form"], "{what}: no age is shown");
    }
}

/// What an honest ledger signs, put together as if it were evidence.
fn honest() -> Vec<(&'static str, Value, &'static str)> {
    let fake = fake();
    let Fake { domain, kept, other, later, early, .. } = &fake;
    let evidence = |conflict| Evidence { roots: vec![root()], conflict }.to_value();
    let head = |head: &Head| Statement::Head(head.clone());
    let fork = |statements, leaves| evidence(Conflict::Fork { statements, leaves });
    let back = |heads| evidence(Conflict::Back { heads });
    let same = |seq| {
        let second = leaf(kept, seq, later.commitment.size);
        Some(Leaves { seq, first: leaf(kept, seq, other.commitment.size), second })
    };
    let again = domain.head_of(other, at(5));
    let consumed = |head: &Head, index, last| {
        let (record, header) = fake.shown.entry(2);
        let proof = tree::inclusion_proof(&fake.shown.tree, 2, early.commitment.size).expect("a proof");
        let promise = Promise::Included { under: Statement::Head(early.clone()), header, proof };
        evidence(Conflict::Omission { record, promise, head: head.clone(), index, last })
    };
    let (record, _) = fake.shown.entry(2);
    let key = index::op_key(&record.op);
    let present = fake.shown.index.prove(&key);
    let late = |seconds: i64| {
        let Conflict::Omission { record, promise, head, index, last } = handed_out(&fake) else {
            panic!("an omission")
        };
        let head = domain.head_of(&head, at(seconds));
        evidence(Conflict::Omission { record, promise, head, index, last })
    };
    let (seal, header) = fake.shown.entry(3);
    let proof = tree::inclusion_proof(&fake.shown.tree, 3, early.commitment.size).expect("a proof");
    let index = kept.index.prove(&index::op_key(&seal.op));
    let promise = Promise::Included { under: Statement::Head(early.clone()), header, proof };
    let sealed = evidence(Conflict::Omission { record: seal, promise, head: later.clone(), index, last: None });
    vec![
        ("the same head twice", fork([head(other), head(other)], None), "statements.conflict"),
        ("the same head under a new time", fork([head(other), head(&again)], None), "statements.conflict"),
        ("a leaf that is the same", fork([head(other), head(later)], same(2)), "statements.conflict"),
        ("two sizes and no leaf", fork([head(early), head(later)], None), "statements.conflict"),
        ("a head that went on", back([other.clone(), later.clone()]), "statements.conflict"),
        ("the same size later", back([other.clone(), again]), "statements.conflict"),
        ("the younger first", back([later.clone(), other.clone()]), "statements.conflict"),
        ("an index that has the event", consumed(early, present.clone(), Some(record.tip())), "promise.broken"),
        ("an index of another head", consumed(later, present, Some(fake.issued.tip())), "promise.broken"),
        (
            "a last event that is not the index's",
            consumed(later, kept.index.prove(&key), Some(record.tip())),
            "promise.broken",
        ),
        ("a last event that is not shown", consumed(later, kept.index.prove(&key), None), "promise.broken"),
        ("a head that is too young", late(61), "promise.made"),
        ("a seal, which no index has", sealed, "promise.made"),
    ]
}

#[test]
fn what_an_honest_ledger_signs_is_no_evidence() {
    for (what, evidence, fails) in honest() {
        assert_eq!(failures(&run(&evidence)), [fails], "{what}");
    }
}

#[test]
fn a_statement_that_the_ledger_did_not_sign_convicts_nobody() {
    let fake = fake();
    let fork = |head: Head| {
        let statements = [Statement::Head(fake.early.clone()), Statement::Head(head)];
        Evidence { roots: vec![root()], conflict: Conflict::Fork { statements, leaves: None } }.to_value()
    };
    let commitment = fake.other.commitment.clone();
    let stranger = Head::sign(commitment.clone(), at(4), &fake.domain.signer("stranger"));
    assert_eq!(failures(&run(&fork(stranger))), ["statements.signed"]);
    let registry_key = Head::sign(commitment.clone(), at(4), &fake.domain.signer("registry"));
    assert_eq!(failures(&run(&fork(registry_key))), ["statements.signed"], "a key has one use");
    let lapsed = Head::sign(commitment, at(400 * 86_400), &fake.domain.signer("head"));
    assert_eq!(failures(&run(&fork(lapsed))), ["statements.signed"], "after the root has expired");
    let note = checkpoint_of(&fake.domain, &fake.other);
    let Statement::Checkpoint(text) = note else { panic!("a checkpoint") };
    let forged = Statement::Checkpoint(text.replace("11-11/ledger", "11-12/ledger"));
    let statements = [Statement::Head(fake.early.clone()), forged];
    let evidence = Evidence { roots: vec![root()], conflict: Conflict::Fork { statements, leaves: None } };
    assert_eq!(failures(&run(&evidence.to_value())), ["statements.signed"]);
}

/// A checkpoint has no time: whoever has the key writes one of any size, and nothing tells it from those before.
#[test]
fn a_checkpoint_by_a_key_that_a_root_calls_compromised_convicts_nobody() {
    let fake = fake();
    let ended = |status: KeyStatus| {
        let first = root();
        let mut next = TrustRoot { version: 2, prev: Some(first.hash_for_prev()), sigs: Vec::new(), ..first };
        let head_keys = next.roles.iter_mut().filter(|key| key.usage == KeyUse::Head);
        head_keys.for_each(|key| key.status = status);
        next.signed(&[&fake.domain.signer("root")]).expect("a root")
    };
    let fork = |status: KeyStatus, statements: [Statement; 2]| {
        let conflict = Conflict::Fork { statements, leaves: None };
        failures(&run(&Evidence { roots: vec![root(), ended(status)], conflict }.to_value()))
    };
    let checkpoints = || [checkpoint_of(&fake.domain, &fake.early), checkpoint_of(&fake.domain, &fake.other)];
    for since in [at(0), at(100)] {
        // The root before still says that it is active.
        assert_eq!(fork(KeyStatus::Compromised(since), checkpoints()), ["statements.signed"], "{since}");
    }
    let one = [Statement::Head(fake.early.clone()), checkpoint_of(&fake.domain, &fake.other)];
    assert_eq!(fork(KeyStatus::Compromised(at(100)), one), ["statements.signed"]);
    let heads = [Statement::Head(fake.early.clone()), Statement::Head(fake.other.clone())];
    assert!(fork(KeyStatus::Compromised(at(100)), heads).is_empty(), "heads have a time");
    assert!(fork(KeyStatus::Retired(at(100)), checkpoints()).is_empty(), "who retires a key answers for it");
}

/// The fork of two heads, under a later root that calls their key compromised since then.
fn forked_by_a_stolen_key(fake: &Fake, since: Time) -> Value {
    let first = root();
    let prev = Some(first.hash_for_prev());
    let mut next = TrustRoot { version: 2, nbf: at(50), prev, sigs: Vec::new(), ..first };
    let head_keys = next.roles.iter_mut().filter(|key| key.usage == KeyUse::Head);
    head_keys.for_each(|key| key.status = KeyStatus::Compromised(since));
    let roots = vec![root(), next.signed(&[&fake.domain.signer("root")]).expect("a root")];
    let statements = [Statement::Head(fake.early.clone()), Statement::Head(fake.other.clone())];
    Evidence { roots, conflict: Conflict::Fork { statements, leaves: None } }.to_value()
}

/// The artifact that was handed out, under a registry that calls this key compromised.
fn handed_out_by_a_stolen_key(fake: &Fake, label: &str) -> Value {
    let conflict = handed_out_under(fake, Domain::new().compromised(label, at(60)));
    Evidence { roots: vec![root()], conflict }.to_value()
}

/// Evidence by keys that were in other hands, or were not yet.
fn stolen() -> Vec<(&'static str, Value)> {
    let fake = fake();
    let since = fake.other.at;
    vec![
        ("an artifact by an issuer key that is compromised", handed_out_by_a_stolen_key(&fake, "issuer")),
        ("an issuance by an event key that is compromised", handed_out_by_a_stolen_key(&fake, "authority")),
        ("a head from when a later root calls its key compromised", forked_by_a_stolen_key(&fake, since)),
        ("heads from before a later root calls their key so", forked_by_a_stolen_key(&fake, since.plus_millis(1))),
    ]
}

/// A later version may say that the key was in other hands already when the head was signed.
#[test]
fn a_head_from_after_its_key_was_compromised_convicts_nobody() {
    let fake = fake();
    let fork = |since: Time| failures(&run(&forked_by_a_stolen_key(&fake, since)));
    for since in [at(0), fake.other.at] {
        assert_eq!(fork(since), ["statements.signed"], "{since}");
    }
    assert!(fork(fake.other.at.plus_millis(1)).is_empty());
}

/// Whoever has the authority's keys issues what no ledger was ever sent, and dates it before they were stolen.
#[test]
fn an_artifact_by_a_key_that_the_registry_calls_compromised_convicts_nobody() {
    let fake = fake();
    let conflict = handed_out(&fake);
    assert!(failures(&run(&Evidence { roots: vec![root()], conflict }.to_value())).is_empty());
    for label in ["issuer", "authority"] {
        assert_eq!(failures(&run(&handed_out_by_a_stolen_key(&fake, label))), ["promise.made"], "{label}");
    }
}

#[test]
fn no_more_than_two_statements_are_looked_at() {
    let mut proven = proven().into_iter();
    let (_, fork) = proven.find(|(what, _)| *what == "two checkpoints of one size").expect("a fork");
    let Value::Object(fork) = fork else { panic!("an object") };
    let said = fork.get("statements").and_then(Value::as_array).expect("statements").to_vec();
    let three = [&said[..1], &said[..]].concat();
    for more in [three, vec![said; 500].concat()] {
        let evidence = Value::Object(fork.clone().with("statements", more));
        assert_eq!(failures(&run(&evidence)), ["statements.signed", "statements.conflict"]);
    }
}

/// A root may name many keys, and its versions name the same ones again.
#[test]
fn who_signed_a_checkpoint_is_found_among_the_keys_of_many_roots() {
    let fake = fake();
    let Statement::Checkpoint(note) = checkpoint_of(&fake.domain, &fake.early) else { panic!("a checkpoint") };
    let note = Note::parse(&note).expect("a note");
    let own = root().role_at(KeyUse::Head, at(1)).expect("a head key").clone();
    let other = |n: u8| KeyRecord { public: SeedSigner::new("key:11-11/head/2", &[n; 32]).public(), ..own.clone() };
    let others = TrustRoot { roles: (0..200).map(other).collect(), ..root() };
    let mut roots = vec![others; 500];
    assert!(checks::checkpoint_signed(&roots, &note).is_err(), "none of theirs did");
    roots.insert(0, root());
    assert!(checks::checkpoint_signed(&roots, &note).is_ok());
}

/// The omission of what stands here as a record, from a tree that holds nothing else.
fn omission_of(record: &Object) -> Value {
    let fake = fake();
    let header = EntryHeader { seq: 0, at: at(1), prev: None };
    let hash = tree::leaf_hash(&header.bytes(&record.canonical()));
    let head = |size: u64, seconds: i64| {
        let commitment = Commitment { size, root: hash, index: Sha256::ZERO, ..fake.early.commitment.clone() };
        Head::sign(commitment, at(seconds), &fake.domain.signer("head"))
    };
    let promise = Promise::Included { under: Statement::Head(head(1, 1)), header, proof: Vec::new() };
    let index = Proof { siblings: Vec::new(), end: None };
    let conflict = Conflict::Omission { record: fake.issued.clone(), promise, head: head(2, 2), index, last: None };
    let evidence = Evidence { roots: vec![root()], conflict }.to_value();
    let Value::Object(evidence) = evidence else { panic!("an object") };
    Value::Object(evidence.with("record", record.clone()))
}

#[test]
fn what_is_not_of_an_event_s_form_nobody_promised() {
    let Value::Object(record) = fake().shown.entry(2).0.to_value() else { panic!("an object") };
    assert!(failures(&run(&omission_of(&record))).is_empty());
    let unknown = record.clone().with("note", "x");
    assert_eq!(failures(&run(&omission_of(&unknown))), ["evidence.form", "promise.made", "promise.broken"]);
    let large = record.clone().with("data", Object::new().with("note", "x".repeat(MAX_RECORD)));
    assert_eq!(failures(&run(&omission_of(&large))), ["promise.made", "promise.broken"]);
    let both = large.with("note", "x");
    assert_eq!(failures(&run(&omission_of(&both))), ["evidence.form", "promise.made", "promise.broken"]);
}

#[test]
fn no_change_of_a_file_is_proven_still() {
    for (what, evidence) in proven() {
        let paths = paths(&evidence);
        // Of all changes every third, and all in the long tests.
        let step = if std::env::var_os("ELEVEN_LONG").is_some() { 1 } else { 3 };
        let changes = paths.iter().flat_map(|path| changed_at(&evidence, path)).step_by(step);
        let survivors = changes.filter(|(_, changed)| run(changed).verdict != Verdict::Failed);
        let survivors: Vec<_> = survivors.map(|(how, _)| how).collect();
        assert_eq!(survivors, Vec::<String>::new(), "{what}");
    }
}

/// The file that other implementations are held against holds just these cases.
#[test]
fn the_vectors_are_these_cases() {
    let case = |what: &str, evidence: &Value| {
        let failed: Vec<Value> = failures(&run(evidence)).into_iter().map(Value::from).collect();
        Value::Object(Object::new().with("what", what).with("evidence", evidence.clone()).with("failed", failed))
    };
    let proven = proven();
    let cases = proven.iter().map(|(what, evidence)| case(what, evidence));
    let honest = honest();
    let cases = cases.chain(honest.iter().map(|(what, evidence, _)| case(what, evidence)));
    let stolen = stolen();
    let cases = cases.chain(stolen.iter().map(|(what, evidence)| case(what, evidence)));
    let file = Object::new().with("root", root().to_value()).with("cases", cases.collect::<Vec<_>>());
    let path = format!("{}/../../spec/vectors/equivocation.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("ELEVEN_WRITE_VECTORS").is_some() {
        std::fs::write(&path, [file.canonical(), b"\n".to_vec()].concat()).expect("written");
    }
    let written = parse(&std::fs::read(path).expect("the vectors")).expect("I-JSON");
    assert_eq!(written, Value::Object(file), "write them again: ELEVEN_WRITE_VECTORS=1");
}
