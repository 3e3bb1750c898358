use super::{Issuance, LineageError, OpKey, Operations, Refusal, Slot};
use crate::saved::{In, Out, Save as _};
use crate::world::{AUTHORITY, Bench, Operation, POINT, Producers, single};
use eleven_api::audit::Append;
use eleven_core::artifact::{self, Use};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Place, Record};
use eleven_core::hash::Sha3;
use eleven_core::time::Time;

/// Numbers that look random and are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("small")
    }
}

/// A history in which operations are issued, used once or more, run, end and are interrupted, in between each other and
/// in between what is no operation; the counter is compared with a look at every lineage after each entry.
struct Counted {
    bench: Bench,
    most: usize,
}

impl Counted {
    fn must(&mut self, record: &Record) {
        self.bench.must(record);
        let operations = &self.bench.book.operations;
        let looked = operations.slots.values().filter(|slot| slot.runs()).count();
        assert_eq!(operations.running(), looked, "after {} of {}", record.event, record.op);
        let open = operations.slots.iter().filter(|(_, slot)| slot.point() == Some(POINT));
        let mut open: Vec<(OpKey, u64)> = open.map(|(key, slot)| (*key, slot.last)).collect();
        open.sort_unstable();
        assert_eq!(operations.open_of(POINT, None, usize::MAX), open, "after {} of {}", record.event, record.op);
        self.most = self.most.max(looked);
    }

    fn all(&mut self, append: Append) {
        for record in append.records {
            self.must(&Record::read_canonical(&record).expect("a record"));
        }
    }

    fn interrupt(&mut self, operation: &mut Operation) {
        let data = Object::new().with("cause", "restart").with("effect", "unknown");
        let record = self.bench.producers.next(operation, "gw-0", POINT, "execution.interrupted", data);
        self.must(&record);
        let data = Object::new().with("evidence", Value::Null).with("events", operation.events + 1);
        let record = self.bench.producers.next(operation, "gw-0", POINT, "evidence.committed", data);
        self.must(&record);
    }
}

#[test]
fn how_many_run_is_what_a_look_at_every_lineage_finds() {
    let mut numbers = Numbers(11);
    let mut history = Counted { bench: Bench::new(), most: 0 };
    // Issued, with how often each was used; and running.
    let mut idle: Vec<(Operation, u64)> = Vec::new();
    let mut busy: Vec<(Operation, u64)> = Vec::new();
    for n in 0..200u8 {
        match numbers.below(5) {
            0 | 1 => {
                let nonce = artifact::nonce(&[n; 17]);
                let usage = if n % 2 == 0 { single(n) } else { Use::Bounded { nonce, max: 3 } };
                let operation = history.bench.issue(usage, &[]);
                idle.push((operation, 0));
            }
            2 if !idle.is_empty() => {
                let (mut operation, used) = idle.remove(numbers.below(idle.len()));
                let mut append = Append::default();
                history.bench.producers.begin(&mut operation, used + 1, &mut append);
                history.all(append);
                busy.push((operation, used + 1));
            }
            3 if !busy.is_empty() => {
                let (mut operation, used) = busy.remove(numbers.below(busy.len()));
                if numbers.below(3) == 0 {
                    history.interrupt(&mut operation);
                } else {
                    let mut append = Append::default();
                    history.bench.producers.finish(&mut operation, &mut append);
                    history.all(append);
                }
                if used < 3 && matches!(operation.artifact.usage, Use::Bounded { .. }) {
                    idle.push((operation, used));
                }
            }
            _ => {
                let denial = history.bench.producers.denial(&format!("number {n}"));
                history.must(&denial);
            }
        }
    }
    assert_eq!(history.bench.book.running(), busy.len());
    // The open ones come a few at a time, too, each once, and are found again where the state was put by.
    let mut bytes = Vec::new();
    let mut out = Out::new(&mut bytes);
    history.bench.book.operations.save(&mut out).expect("memory takes all");
    out.finish().expect("memory takes all");
    let mut from = bytes.as_slice();
    let loaded = Operations::load(&mut In::new(&mut from, bytes.len() as u64)).expect("it is of the form");
    for operations in [&history.bench.book.operations, &loaded] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = operations.open_of(POINT, after.as_ref(), 2);
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            found.extend(page);
        }
        assert_eq!((found.len(), found), (busy.len(), loaded.open_of(POINT, None, usize::MAX)));
        assert!(operations.open_of("k8s://cluster/ns/inference#another", None, usize::MAX).is_empty());
    }
    assert!(history.most > 3 && busy.len() < history.most, "{} of at most {}", busy.len(), history.most);
}

#[test]
fn nothing_is_consumed_by_an_artifact_that_was_moved_and_what_runs_goes_on() {
    let order = Refusal::Lineage(LineageError::Order);
    let mut bench = Bench::new();
    let bounded = || Use::Bounded { nonce: artifact::nonce(&[3; 17]), max: 3 };
    let mut operation = bench.issue(bounded(), &[]);
    let key = OpKey::of(&operation.op).expect("an operation");
    let consumed = bench.producers.consume(&mut operation, 1);
    bench.must(&consumed);
    bench.book.set_moved(&key, true);
    let workload = Object::new().with("workload", Sha3::of(&[b"workload"]));
    let granted = bench.producers.next(&mut operation, "gw-0", POINT, "admission.granted", workload);
    bench.must(&granted);
    let second = bench.producers.consume(&mut operation, 2);
    assert_eq!(bench.refusal("gw-0", &second), order);
    bench.book.set_moved(&key, false);
    let second = bench.producers.consume(&mut operation, 2);
    bench.must(&second);

    // A replay finds only the hash: what was consumed before it moved is taken, and from the end on nothing is.
    let mut replayed = bench.producers.issue(single(4), &[], &mut Append::default());
    bench.must(&replayed.issued);
    let mut unused = bench.producers.issue(single(5), &[], &mut Append::default());
    bench.must(&unused.issued);
    let consumed = bench.producers.consume(&mut replayed, 1);
    bench.must(&consumed);
    bench.book.close_moved();
    assert_eq!(bench.book.running(), 3);
    let consumed = bench.producers.consume(&mut unused, 1);
    assert_eq!(bench.refusal("gw-0", &consumed), order);
    let third = bench.producers.consume(&mut operation, 3);
    bench.must(&third);
}

#[test]
fn who_issued_an_artifact_and_until_when_is_known_in_any_year() {
    let mut producers = Producers::new();
    let mut operations = Operations::default();
    let other = "governance://11-11/authority/second";
    let exps = ["2038-01-19T03:14:08Z", "2106-02-07T06:28:15Z", "2106-02-07T06:28:16Z", "9999-12-31T23:59:59Z"];
    let issued: Vec<(OpKey, &str, Time)> = (0..)
        .zip(exps)
        .map(|(n, exp)| {
            let operation = producers.issue(single(n), &[], &mut Append::default());
            let by = if n % 2 == 0 { AUTHORITY } else { other };
            let digest = Sha3::of(&[&[n]]);
            let data = Object::new().with("chash", digest).with("exp", exp).with("request", digest);
            let place = Place::First { op: operation.op.clone() };
            let about = About { issuer: Some(by.to_owned()), ..About::artifact(&operation.artifact) };
            let record = producers.record("authority", by, "authorization.issued", place, data, about);
            let key = OpKey::of(&operation.op).expect("an operation");
            let begun = operations.judge_issued(&key, &record, None).expect("it begins");
            operations.issued(key, u64::from(n), by, begun, None);
            (key, by, Time::parse_seconds(exp).expect("a time"))
        })
        .collect();
    let mut bytes = Vec::new();
    let mut out = Out::new(&mut bytes);
    operations.save(&mut out).expect("memory takes all");
    out.finish().expect("memory takes all");
    let mut from = bytes.as_slice();
    let loaded = Operations::load(&mut In::new(&mut from, bytes.len() as u64)).expect("it is of the form");
    for (key, issuer, exp) in &issued {
        let known = Issuance { issuer, exp: *exp };
        assert_eq!((operations.issuance(key), loaded.issuance(key)), (Some(known), Some(known)));
    }
    assert_eq!(size_of::<Slot>(), 24, "there is one for each lineage");
}
