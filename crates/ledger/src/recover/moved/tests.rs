use super::*;
use crate::world::{DOMAIN, Home, Producers, signer, single, start};
use eleven_api::audit::Append;
use eleven_core::registry::InterfaceRecord;

fn day(n: i64) -> Time {
    start().plus_millis(n * 86_400_000)
}

fn approve(producers: &mut Producers, record: InterfaceRecord, append: &mut Append) {
    let approved = ApprovedInterface::sign(DOMAIN, record, &signer("policy"));
    append.record(&producers.by_authority("interface.approved", approved.to_object()));
}

/// What a ledger may hold beside one operation.
#[derive(Clone, Copy, Default)]
struct Plan {
    retention: Option<u64>,
    closed: bool,
    /// Placed, or placed and lifted.
    hold: Option<bool>,
    /// The event whose content is said to be gone.
    gone: &'static str,
}

/// What an auditor says of that ledger on a day.
async fn judged(plan: Plan, now: Time) -> Result<(), String> {
    let (home, mut producers, mut append) = (Home::new(), Producers::new(), Append::default());
    let ledger = home.open().expect("opens");
    ledger.must_append(&producers.set_up()).await;
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    if plan.closed {
        producers.finish(&mut operation, &mut append);
    }
    if let Some(days) = plan.retention {
        approve(&mut producers, Retention::new(days, "own").expect("a retention").record(DOMAIN), &mut append);
    }
    ledger.must_append(&append).await;
    for placed in plan.hold.into_iter().flat_map(|stays| if stays { vec![true] } else { vec![true, false] }) {
        let hold = Hold::on("operation", &operation.op).expect("a hold");
        let record = {
            let book = crate::state::read(&ledger.inner.shared.book);
            hold.record(DOMAIN, book.registry().expect("one").lists(), placed).expect("in turn")
        };
        let mut append = Append::default();
        approve(&mut producers, record, &mut append);
        ledger.must_append(&append).await;
    }
    let shared = &ledger.inner.shared;
    let mut moved = MovedOut::default();
    for seq in 0..shared.size() {
        let entry = shared.entry(seq).expect("an entry");
        let record = Record::read_canonical(&entry.record).expect("a record");
        moved.note(Moment { seq, at: entry.header.at }, &record, record.event == plan.gone);
    }
    let lists = crate::state::read(&shared.book).registry().expect("one").lists().clone();
    let told = moved.judge(&lists, now).map_err(|(_, why)| why);
    if told.is_ok() {
        assert_eq!(moved.judge(&Lists::default(), now), Ok(()), "what might be gone is not asked for again");
    }
    told
}

#[tokio::test]
async fn what_is_gone_is_held_against_the_retention_its_lineage_and_its_holds() {
    let good = Plan { retention: Some(10), closed: true, hold: None, gone: "authorization.issued" };
    for (plan, now, expected) in [
        (good, day(11), None),
        (good, day(9), Some("the retention keeps it until")),
        (Plan { retention: None, ..good }, day(999), Some("has set no retention")),
        (Plan { closed: false, ..good }, day(11), Some("an operation under it is not closed")),
        (Plan { hold: Some(true), ..good }, day(11), Some("it has been held since")),
        (Plan { hold: Some(false), ..good }, day(11), None),
        (Plan { gone: "policy.published", ..good }, day(11), Some("is to be kept for good")),
    ] {
        let told = judged(plan, now).await;
        match (&told, expected) {
            (Ok(()), None) => {}
            (Err(why), Some(expected)) if why.contains(expected) => {}
            _ => panic!("{told:?}, expected {expected:?}"),
        }
    }
}
