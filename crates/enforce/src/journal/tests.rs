use super::recovery::{Said, Turn};
use super::*;
use crate::conformance::admitted;
use crate::permit::DurableReceipt;
use alloc::format;
use eleven_core::artifact::result_digest;
use eleven_core::attestation::{Envelope, Outcome, StatementResult};
use eleven_core::encoding::{Encoded, parse};
use eleven_core::hash;
use eleven_core::signature::{SeedSigner, VerifyingKey};

const NOW: Time = Time(1_778_605_451_000);
const WORKLOAD: Sha3 = Sha3([7; 64]);

struct Receipt(u64);

impl DurableReceipt for Receipt {
    fn count(&self) -> u64 {
        self.0
    }
}

fn point() -> Point {
    Point {
        name: "k8s://cluster-east-1/ns/inference#gw-0".into(),
        event: Arc::new(SeedSigner::new("key:11-11/gw-0/2026-q2", &[1; 32])),
        attestation: Arc::new(SeedSigner::new("key:11-11/attest-0/2026-q2", &[2; 32])),
        binary: Sha3([3; 64]),
        config: Sha3([4; 64]),
        predicate_type: "https://11-11.example/attestation/execution/v1".into(),
    }
}

/// The admission of the vectors' case `what`.
fn admission(what: &str) -> Admitted {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let mut known = file.get("base").and_then(Value::as_object).expect("base").clone();
    let cases = file.get("cases").and_then(Value::as_array).expect("cases");
    let case = cases.iter().find(|case| case.get("what").and_then(Value::as_str) == Some(what)).expect("the case");
    for (name, value) in case.get("change").and_then(Value::as_object).expect("change").iter() {
        known.insert(name, value.clone());
    }
    admitted(Value::Object(known)).expect("readable").expect("admitted")
}

fn single() -> Admitted {
    admission("everything in order")
}

fn ending(outcome: Outcome) -> Ending {
    let digest = result_digest("", Sha3::of(&[b"result"]), 200);
    let result = StatementResult { digest, bytes: 6, status: 200 };
    Ending { outcome, cause: None, result, finished: NOW.plus_millis(30) }
}

/// Reads back one line whose record was read in full: what [`Reading`] is held against.
fn restore(journal: &mut Journal, line: &Line) {
    let open = |journal: &mut Journal, last: &Record| {
        let from = journal.open.get(&last.op).map_or(last.src_seq, |begun| begun.from.min(last.src_seq));
        journal.open.insert(last.op.clone(), Begun { last: last.clone(), from });
    };
    match line {
        Line::Epoch(epoch) => {
            journal.seen_epoch = journal.seen_epoch.max(*epoch);
            journal.epoch_at = journal.next_seq;
        }
        Line::Open(record) => open(journal, record),
        Line::Event { record, exp } => {
            let Record { event, kid, src_seq, ts, about, .. } = record;
            let said =
                Said { event, kid, src_seq: *src_seq, ts: *ts, artifact: about.artifact_id.as_deref(), exp: *exp };
            match journal.note(&said).expect("continues") {
                Turn::GoesOn => open(journal, record),
                Turn::Ends => drop(journal.open.remove(&record.op)),
                Turn::Stays => {}
            }
        }
    }
}

/// Runs a use to its evidence and returns all six records of the point.
fn whole(journal: &mut Journal, admitted: Admitted) -> Vec<Record> {
    let opened = journal.open(admitted, WORKLOAD, NOW).expect("a free use");
    let mut records = opened.records().to_vec();
    let permit = opened.permit(&Receipt(3)).expect("a receipt for three");
    records.extend(journal.close(permit.run(), &ending(Outcome::Completed)).expect("closes").records);
    records
}

#[test]
fn an_operation_goes_from_consumption_to_evidence() {
    let issued = single().token().issued.clone();
    let mut journal = Journal::new(point());
    let records = whole(&mut journal, single());
    let mut lineage = Lineage::begin(&issued).expect("issued");
    let key = VerifyingKey::new(&point().event.public()).expect("a key");
    for (i, record) in records.iter().enumerate() {
        assert_eq!(record.src_seq, i as u64);
        assert!(record.hashes_follow() && key.verifies(record.body(), &record.sig.val));
        lineage = lineage.advance(record).unwrap_or_else(|e| panic!("{}: {e}", record.event));
    }
    assert_eq!(lineage.stage, Stage::Closed);
    assert_eq!(journal.open_lineages(), 0);
}

#[test]
fn a_use_is_taken_once_and_stays_taken() {
    let mut journal = Journal::new(point());
    let opened = journal.open(single(), WORKLOAD, NOW).expect("a free use");
    drop(opened); // its commit failed: nobody has a permit, and the use is burned
    let denial = journal.open(single(), WORKLOAD, NOW).expect_err("a second use");
    assert_eq!(denial.reason, Reason::ArtifactReplayed);
    assert!(denial.detail.contains("a single use"), "{}", denial.detail);
    // As the doctrine's denial does, its section 4.4.
    let record = journal.deny(&denial, NOW).expect("a record");
    assert_eq!(record.about.policy_required.as_deref(), Some("policy://medical/inference/v3"));
    assert_eq!(record.about.policy.map(|policy| policy.reference), record.about.policy_required);
}

/// The ledger takes no record of another form, and nothing that is numbered after it.
#[test]
fn what_could_not_be_recorded_takes_no_number() {
    let denial = |identity: &str| {
        let about = About { identity: Some(identity.into()), ..About::default() };
        Denial { about, ..Denial::new(Reason::IdentityMismatch, "x") }
    };
    let mut journal = Journal::new(point());
    let error = journal.deny(&denial("alice@example.com"), NOW).expect_err("no identity's name");
    assert!(error.contains("`identity`"), "{error}");
    assert_eq!(journal.deny(&denial("svc:another:prod"), NOW).expect("a record").src_seq, 0);
    let unnamed = Journal::new(Point { name: "gw-0".into(), ..point() }).deny(&denial("svc:another:prod"), NOW);
    assert!(unnamed.expect_err("no point's name").contains("`by`"));
}

#[test]
fn a_receipt_for_other_records_makes_no_permit() {
    let mut journal = Journal::new(point());
    let opened = journal.open(single(), WORKLOAD, NOW).expect("a free use");
    let opened = opened.permit(&Receipt(2)).expect_err("two records are not three");
    let opened = opened.permit(&Receipt(0)).expect_err("none is not three");
    assert!(opened.permit(&Receipt(3)).is_ok());
}

#[test]
fn what_could_not_be_closed_is_refused_before_its_use_is_taken() {
    let named = |bytes: usize| {
        let head = "https://11-11.example/";
        Journal::new(Point { predicate_type: format!("{head}{}", "a".repeat(bytes - head.len())), ..point() })
    };
    // Longer than is taken by now, and there is room for it: it runs and is closed.
    for admitted in [single(), admission("third use of three")] {
        assert_eq!(whole(&mut named(4 * MAX_PREDICATE_TYPE), admitted).len(), 6);
    }
    let mut journal = named(32 * MAX_PREDICATE_TYPE);
    let denial = journal.open(single(), WORKLOAD, NOW).expect_err("its attestation is no record");
    assert_eq!(denial.reason, Reason::LimitsExceeded);
    assert!(denial.detail.contains("a reference, or its point registered for a runtime"), "{}", denial.detail);
    assert_eq!((journal.next_seq(), journal.open_lineages(), journal.last_now()), (0, 0, None));
    journal.deny(&denial, NOW).expect("that it was refused is recorded");
    journal.point.predicate_type = point().predicate_type;
    journal.open(single(), WORKLOAD, NOW).expect("its use was not taken");
}

#[test]
fn uses_of_a_bounded_artifact_are_numbered_without_gaps() {
    let mut journal = Journal::new(point());
    let bounded = || admission("third use of three");
    for k in 1..=3 {
        let records = whole(&mut journal, bounded());
        assert!(records[0].op.ends_with(&format!(".{k}")), "{}", records[0].op);
        assert_eq!((records[0].n, records[5].n), (2, 7));
    }
    let denial = journal.open(bounded(), WORKLOAD, NOW).expect_err("the fourth of three");
    assert_eq!(denial.reason, Reason::ArtifactUseExhausted);
    assert!(denial.detail.contains("as often as it may be; ask"), "{}", denial.detail);
}

#[test]
fn after_a_crash_the_journal_knows_every_use_and_closes_what_had_started() {
    let mut journal = Journal::new(point());
    let artifact = single().token().artifact.clone();
    let finished = whole(&mut journal, admission("third use of three"));
    let started = journal.open(single(), WORKLOAD, NOW).expect("a free use").records().to_vec();
    let lines = finished.into_iter().chain(started).map(|record| {
        let exp = (record.event == "authorization.consumed").then_some(artifact.exp);
        Line::Event { record, exp }
    });
    let lines: Vec<Line> = lines.chain(journal.note_epoch(13)).collect();
    for cut in 0..=lines.len() {
        let mut again = Journal::new(point());
        for line in &lines[..cut] {
            let read = Line::decode(&line.encode()).expect("a line");
            assert_eq!(read, *line);
            restore(&mut again, &read);
        }
        let open = again.open_lineages();
        let closing = again.recover(NOW.plus_seconds(5), usize::MAX).expect("closes");
        assert_eq!(closing.len(), 2 * open);
        assert_eq!(again.open_lineages(), 0);
        let consumed = lines[..cut].iter().any(|line| {
            matches!(line, Line::Event { record, .. }
            if record.op == artifact.content_id() && record.event == "authorization.consumed")
        });
        assert_eq!(again.open(single(), WORKLOAD, NOW).is_err(), consumed, "cut at {cut}");
        assert_eq!(again.seen_epoch(), if cut == lines.len() { 13 } else { 0 });
    }
}

#[test]
fn recovery_continues_the_lineage_that_the_crash_left() {
    let issued = single().token().issued.clone();
    let mut journal = Journal::new(point());
    let started = journal.open(single(), WORKLOAD, NOW).expect("a free use").records().to_vec();
    let closing = journal.recover(NOW.plus_seconds(1), usize::MAX).expect("closes");
    let mut lineage = Lineage::begin(&issued).expect("issued");
    for record in started.iter().chain(&closing) {
        lineage = lineage.advance(record).unwrap_or_else(|e| panic!("{}: {e}", record.event));
    }
    assert_eq!(lineage.stage, Stage::Closed);
    assert_eq!(closing[0].data_str("effect"), Some("unknown"));
}

#[test]
fn what_is_open_is_closed_in_as_many_commits_as_it_takes_and_each_by_itself_is_whole() {
    let started = Journal::new(point()).open(single(), WORKLOAD, NOW).expect("a free use").records()[2].clone();
    let mut journal = Journal::new(point());
    for n in 0..5 {
        let mut record = started.clone();
        record.op = format!("{n:032}");
        restore(&mut journal, &Line::Open(record));
    }
    for (left, made) in [(3, 4), (1, 4), (0, 2), (0, 0)] {
        let records = journal.recover(NOW, 2).expect("closes");
        assert_eq!((journal.open_lineages(), records.len()), (left, made));
        for pair in records.chunks(2) {
            assert_eq!(pair[0].op, pair[1].op);
            assert_eq!(
                (pair[0].event.as_str(), pair[1].event.as_str()),
                ("execution.interrupted", "evidence.committed")
            );
        }
    }
}

#[test]
fn what_a_lost_journal_left_open_is_closed_from_the_ledgers_records() {
    let issued = single().token().issued.clone();
    let records = whole(&mut Journal::new(point()), single());
    let returned = || Point { event: Arc::new(SeedSigner::new("key:11-11/gw-0/2026-q3", &[9; 32])), ..point() };
    let held = |count: usize| [core::slice::from_ref(&issued), &records[..count]].concat();
    let closings: [(usize, &[&str]); 6] = [
        (1, &["execution.interrupted", "evidence.committed"]),
        (2, &["execution.interrupted", "evidence.committed"]),
        (3, &["execution.interrupted", "evidence.committed"]),
        // What was attested is what happened.
        (4, &["execution.completed", "evidence.committed"]),
        (5, &["evidence.committed"]),
        (6, &[]),
    ];
    let mut journal = Journal::new(returned());
    let mut number = 0;
    for (count, expected) in closings {
        let held = held(count);
        let closing = journal.recover_lost(&held, NOW.plus_seconds(9)).expect("closes");
        assert_eq!(closing.iter().map(|record| record.event.as_str()).collect::<Vec<_>>(), expected, "{count}");
        let mut lineage = Lineage::begin(&held[0]).expect("issued");
        for record in held[1..].iter().chain(&closing) {
            lineage = lineage.advance(record).unwrap_or_else(|e| panic!("{}: {e}", record.event));
        }
        assert_eq!(lineage.stage, Stage::Closed);
        for record in &closing {
            assert_eq!((record.kid.as_str(), record.src_seq), ("key:11-11/gw-0/2026-q3", number));
            number += 1;
        }
        match closing.first().filter(|_| count < 4) {
            Some(interrupted) => assert_eq!(interrupted.data_str("cause"), Some("journal.lost")),
            None => assert!(closing.iter().all(|record| record.data.get("evidence") != Some(&Value::Null))),
        }
    }
    // An attestation that attests nothing is not guessed at.
    let mut empty = held(3);
    let last = empty.last().expect("started");
    let op = last.op.clone();
    let id = id::attestation_id(last.about.artifact_id.as_deref().expect("an artifact"), &last.by, &op);
    let draft = Draft {
        event: "attestation.signed",
        place: Place::After { op, tip: last.tip() },
        ts: NOW,
        by: last.by.clone(),
        src_seq: 3,
        data: Object::new().with("attestation", id).with("envelope", Object::new()),
        about: last.about.clone(),
    };
    empty.push(draft.sign(&*point().event).expect("signs"));
    assert!(journal.recover_lost(&empty, NOW).is_err());
    assert_eq!(journal.next_seq(), number);
    // Nobody began it, another did, or it is no lineage: no number is used.
    let mut elsewhere = Journal::new(Point { name: "k8s://cluster-east-1/ns/inference#gw-1".into(), ..returned() });
    for (journal, held) in [(&mut journal, held(0)), (&mut elsewhere, held(3))] {
        let before = journal.next_seq();
        assert!(journal.recover_lost(&held, NOW).is_err());
        assert!(journal.recover_lost(&held[held.len() - 1..], NOW).is_err() && journal.recover_lost(&[], NOW).is_err());
        assert_eq!(journal.next_seq(), before);
    }
}

#[test]
fn a_denial_names_its_reason_and_a_counted_one_names_nobody() {
    let mut journal = Journal::new(point());
    let about = About::artifact(&single().token().artifact);
    let denial = Denial { reason: Reason::ArtifactExpired, detail: "x".into(), about };
    let record = journal.deny(&denial, NOW).expect("a record");
    assert_eq!(record.about.reason, Some(Reason::ArtifactExpired));
    assert_eq!(record.about.identity.as_deref(), Some("svc:inference-gateway:prod"));
    assert_eq!(record.about.fingerprint, Some(point().fingerprint()), "what refused it is measured, too");
    assert!(record.op_is_content());
    let mut counter = crate::denial::Counter::default();
    counter.count(NOW, Reason::ArtifactMissing, "127.0.0.1:1113");
    let counted = counter.ended(NOW.plus_seconds(1), 1).remove(0);
    let record = journal.deny_counted(counted, NOW).expect("a record");
    let bare =
        About { reason: Some(Reason::ArtifactMissing), fingerprint: Some(point().fingerprint()), ..About::default() };
    assert_eq!(record.about, About { runtime: Some("k8s://cluster-east-1/ns/inference".into()), ..bare });
}

#[test]
fn time_in_the_journal_never_falls() {
    let mut journal = Journal::new(point());
    let denial = Denial::new(Reason::ArtifactExpired, "x");
    let first = journal.deny(&denial, NOW).expect("a record");
    let second = journal.deny(&denial, NOW.plus_seconds(-60)).expect("a record");
    assert!(second.ts >= first.ts);
}

#[test]
fn an_execution_starts_and_ends_between_its_records_whatever_the_clock_shows() {
    let denial = Denial::new(Reason::ArtifactExpired, "x");
    // What the journal has seen before it begins and before it ends, and what the clock shows then, in seconds.
    for (before, begins, meanwhile, ends) in [(0, 0, 40, 30), (5, 0, 5, 30), (5, 0, 5, 3), (0, 0, 0, -60), (5, 0, 9, 3)]
    {
        let mut journal = Journal::new(point());
        drop(journal.deny(&denial, NOW.plus_seconds(before)).expect("a record"));
        let opened = journal.open(single(), WORKLOAD, NOW.plus_seconds(begins)).expect("a free use");
        let consumed = opened.records()[0].ts;
        let execution = opened.permit(&Receipt(3)).expect("a receipt for three").run();
        drop(journal.deny(&denial, NOW.plus_seconds(meanwhile)).expect("a record"));
        let ending = Ending { finished: NOW.plus_seconds(ends), ..ending(Outcome::Completed) };
        let attested = journal.close(execution, &ending).expect("closes").records.remove(0);
        let envelope = Envelope::read(attested.data.get("envelope").cloned().expect("an envelope"));
        let statement = envelope.and_then(|envelope| envelope.statement()).expect("a statement");
        let times = [consumed, statement.started, statement.finished, attested.ts];
        assert!(times.is_sorted(), "{before} {begins} {meanwhile} {ends}: {times:?}");
        // What another has recorded meanwhile makes none longer.
        assert_eq!(statement.finished, NOW.plus_seconds(ends.max(before)));
    }
}

#[test]
fn a_clock_that_goes_back_gives_no_use_beyond_a_rate() {
    let mut journal = Journal::new(point());
    // Two in ten seconds.
    let rate = || admission("the window has moved on");
    for _ in 0..2 {
        whole(&mut journal, rate());
    }
    let third = journal.open(rate(), WORKLOAD, NOW.plus_seconds(-3)).expect_err("the third of two");
    assert_eq!(third.reason, Reason::ArtifactRateExceeded);
    assert!(journal.open(rate(), WORKLOAD, NOW.plus_seconds(11)).is_ok(), "the window has moved on");
}

#[test]
fn many_uses_of_one_artifact_are_read_back_and_those_of_the_window_count() {
    const USED: i64 = 300_000;
    // Two in ten seconds.
    let rate = || admission("the window has moved on");
    let artifact = rate().token().artifact.clone();
    let mut journal = Journal::new(point());
    for n in 1..=USED {
        // One each millisecond, the last of them now.
        journal.uses.restore(artifact.id.clone(), artifact.exp, NOW.plus_millis(n - USED));
    }
    let within = journal.open(rate(), WORKLOAD, NOW.plus_millis(9_998)).expect_err("two stand in the window");
    assert_eq!(within.reason, Reason::ArtifactRateExceeded);
    for (after, number) in [(9_999, USED + 1), (10_000, USED + 2)] {
        let opened = journal.open(rate(), WORKLOAD, NOW.plus_millis(after)).expect("the window has moved on");
        assert!(opened.records()[0].op.ends_with(&format!(".{number}")), "{}", opened.records()[0].op);
    }
    let third = journal.open(rate(), WORKLOAD, NOW.plus_millis(10_001)).expect_err("both were just used");
    assert_eq!(third.reason, Reason::ArtifactRateExceeded);
}

#[test]
fn a_journal_that_is_read_back_from_its_bytes_is_what_its_lines_restore() {
    let mut journal = Journal::new(point());
    let (denial, exp) = (Denial::new(Reason::ArtifactExpired, "x"), single().token().artifact.exp);
    let event = |record: Record| {
        let exp = (record.event == "authorization.consumed").then_some(exp);
        Line::Event { record, exp }
    };
    let bounded = || admission("third use of three");
    let mut lines: Vec<Line> = whole(&mut journal, bounded()).into_iter().map(event).collect();
    lines.extend(journal.note_epoch(13));
    let open = journal.open(single(), WORKLOAD, NOW).expect("a free use");
    lines.extend(open.records().iter().cloned().map(event));
    lines.push(event(journal.deny(&denial, NOW).expect("a record")));
    let again = journal.again(1);
    assert_eq!(again.len(), 2, "the epoch and what is open");
    lines.extend(again);
    lines.extend(whole(&mut journal, bounded()).into_iter().map(event));
    for cut in 0..=lines.len() {
        let (mut restored, mut reading) = (Journal::new(point()), Reading::new(point()));
        for line in &lines[..cut] {
            restore(&mut restored, line);
            reading.line(&line.encode()).expect("continues");
        }
        let mut read = reading.end().expect("a journal");
        let state = |journal: &Journal| {
            let Journal { next_seq, last, seen_epoch, epoch_at, uses, .. } = journal;
            (*next_seq, *last, *seen_epoch, *epoch_at, journal.open_from(), format!("{uses:?}"))
        };
        assert_eq!(state(&read), state(&restored), "cut at {cut}");
        let closing = |journal: &mut Journal| journal.recover(NOW, usize::MAX).expect("closes");
        assert_eq!(closing(&mut read), closing(&mut restored), "cut at {cut}");
    }
}

#[test]
fn what_does_not_continue_a_journal_is_not_read_back() {
    let read = |lines: &[Vec<u8>]| -> Result<u64, String> {
        let mut reading = Reading::new(point());
        lines.iter().try_for_each(|line| reading.line(line))?;
        reading.end().map(|journal| journal.next_seq())
    };
    let begun = |point: Point| {
        let opened = Journal::new(point).open(single(), WORKLOAD, NOW).expect("a free use");
        opened.records().to_vec()
    };
    let (records, exp) = (begun(point()), single().token().artifact.exp);
    let line = |at: usize| encode_event(&records[at], (at == 0).then_some(exp));
    assert_eq!(read(&[line(0), line(1), line(2)]), Ok(3));
    assert!(read(&[line(1), line(0)]).is_err(), "numbers rise");
    let mut renumbered = line(1);
    renumbered[8] = 7;
    assert!(read(&[line(0), renumbered]).is_err(), "it is not the record's");
    let other = Point { event: Arc::new(SeedSigner::new("key:11-11/gw-1/2026-q2", &[9; 32])), ..point() };
    assert!(read(&[encode_event(&begun(other)[0], Some(exp))]).is_err(), "another key");
    let whole = Encoded::of(records[2].canonical()).expect("canonical");
    for missing in ["event_hash", "op", "src_seq"] {
        let half = whole.without(&[missing]);
        assert!(read(&[[b"o", half.as_slice()].concat()]).is_err(), "without `{missing}` nothing continues it");
    }
}

/// A line that does not say until when a use is remembered would have it forgotten.
#[test]
fn a_use_that_is_in_the_journal_is_read_back_or_the_journal_is_not() {
    let opened = Journal::new(point()).open(single(), WORKLOAD, NOW).expect("a free use");
    let read = |lines: &[Vec<u8>]| -> Result<Journal, String> {
        let mut reading = Reading::new(point());
        lines.iter().try_for_each(|line| reading.line(line))?;
        reading.end()
    };
    let mut again = read(&opened.lines()).expect("a journal");
    assert_eq!((again.next_seq(), again.open_lineages()), (3, 1));
    let denial = again.open(single(), WORKLOAD, NOW).expect_err("it was used");
    assert_eq!(denial.reason, Reason::ArtifactReplayed);
    let lines: Vec<Vec<u8>> = opened.records().iter().map(|record| Line::event(record.clone()).encode()).collect();
    let Err(error) = read(&lines) else { panic!("its use is forgotten") };
    assert!(error.contains("record 0 takes a use"), "{error}");
}

#[test]
fn lines_that_are_none_are_refused() {
    for bytes in [&b""[..], b"x", b"e{}", b"c", b"n1", b"e{\"a\":1 }", &hash::unbase64("AAAA").expect("base64")] {
        assert!(Line::decode(bytes).is_err());
    }
}

#[test]
fn the_epoch_is_written_again_before_it_is_old() {
    let mut journal = Journal::new(point());
    let denial = Denial::new(Reason::ArtifactExpired, "x");
    let deny = |journal: &mut Journal| drop(journal.deny(&denial, NOW).expect("a record"));
    (0..9).for_each(|_| deny(&mut journal));
    assert_eq!(journal.again(3), [], "no view was ever seen");
    assert_eq!(journal.note_epoch(13), Some(Line::Epoch(13)));
    assert_eq!((journal.note_epoch(13), journal.note_epoch(12)), (None, None), "neither is higher");
    (0..2).for_each(|_| deny(&mut journal));
    assert_eq!(journal.again(3), []);
    deny(&mut journal);
    assert_eq!(journal.again(3), [Line::Epoch(13)]);
    assert_eq!(journal.again(3), []);
}

/// A long execution outlives its artifact and all lines that began it.
#[test]
fn what_is_open_is_said_again_and_closed_by_that_alone() {
    let mut journal = Journal::new(point());
    let denial = Denial::new(Reason::ArtifactExpired, "x");
    assert_eq!(journal.open_from(), 0);
    drop(journal.deny(&denial, NOW).expect("a record"));
    assert_eq!(journal.open_from(), 1, "nothing is open: what begins next counts");
    let opened = journal.open(single(), WORKLOAD, NOW).expect("a free use");
    let started = opened.records().last().expect("records").clone();
    assert_eq!((journal.open_from(), journal.again(4)), (1, Vec::new()));
    drop(journal.deny(&denial, NOW).expect("a record"));
    assert_eq!(journal.again(4), [Line::Open(started.clone())]);
    assert_eq!((journal.open_from(), journal.again(4)), (4, Vec::new()), "after event 4, which is the last");

    let line = Line::decode(&Line::Open(started.clone()).encode()).expect("a line");
    assert_eq!(Forward::of(&line.encode()), Ok(None), "it is not forwarded again");
    let closed = |lines: &[Line]| {
        let mut again = Journal::new(point());
        lines.iter().for_each(|line| restore(&mut again, line));
        again.next_seq = again.next_seq.max(5);
        again.recover(NOW.plus_seconds(9), usize::MAX).expect("closes")
    };
    let mut reading = Reading::new(point());
    reading.line(&line.encode()).expect("a line");
    let mut read = reading.end().expect("a journal");
    read.next_seq = 5;
    assert_eq!(
        (read.open_lineages(), read.open_from()),
        (1, started.src_seq),
        "it is all that is left of that lineage"
    );

    let closing = closed(&[line]);
    assert_eq!(read.recover(NOW.plus_seconds(9), usize::MAX).expect("closes"), closing);
    assert_eq!(closing[0].event, "execution.interrupted");
    assert_eq!((closing[0].op.as_str(), closing[0].src_seq, closing[0].n), (started.op.as_str(), 5, started.n + 1));
    assert_eq!(closing[0].prev, Some((started.hash, started.hash_alt)));
    assert_eq!(closing[1].event, "evidence.committed");
    assert_eq!(closed(&[Line::event(closing[1].clone())]), [], "nothing is open");
}

/// What is said again must fit one commit, or lines would be dropped of which nothing else is left.
#[test]
fn more_than_one_commit_should_carry_are_said_again_over_several_the_oldest_first() {
    let mut journal = Journal::new(point());
    let opened = journal.open(single(), WORKLOAD, NOW).expect("a free use");
    let started = opened.records().last().expect("records").clone();
    // Its name is behind all of theirs, and it began before them.
    for n in 0..2 * AGAIN {
        assert!(journal.open.insert(format!("{n:06}"), Begun { last: started.clone(), from: 1 }).is_none());
    }
    assert!(journal.open.last_key_value().is_some_and(|(op, _)| *op == started.op));
    assert_eq!((journal.next_seq(), journal.open_from()), (3, 0));
    let mut said = || (journal.again(2).len(), journal.open_from());
    assert_eq!(said(), (AGAIN, 1), "the oldest among them");
    assert_eq!(said(), (AGAIN, 1), "one is left, and holds the lines back");
    assert_eq!(said(), (1, 2), "all of them");
    assert_eq!(said(), (0, 2));
}

#[test]
fn a_clock_that_goes_on_and_comes_back_brings_no_use_back() {
    let mut journal = Journal::new(point());
    let exp = single().token().artifact.exp;
    whole(&mut journal, single());
    journal.forget_expired();
    let again = journal.open(single(), WORKLOAD, NOW.plus_seconds(1)).expect_err("used");
    assert_eq!(again.reason, Reason::ArtifactReplayed);
    let denial = Denial::new(Reason::ArtifactExpired, "x");
    assert!(journal.deny(&denial, exp.plus_seconds(1)).is_ok());
    journal.forget_expired();
    let back = journal.open(single(), WORKLOAD, NOW.plus_seconds(2)).expect_err("used");
    assert_eq!(back.reason, Reason::RuntimeClock);
    let late = journal.open(single(), WORKLOAD, exp).expect_err("expired");
    assert_eq!(late.reason, Reason::ArtifactExpired, "what was admitted just before must not be consumed after");
}
