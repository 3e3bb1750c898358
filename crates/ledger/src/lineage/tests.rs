use super::*;
use crate::world::{Home, Producers, single};
use eleven_api::audit::Append;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Read without a pause while it is written, one event after the other.
#[tokio::test]
async fn a_lineage_that_goes_on_is_never_gone_meanwhile() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    for n in 1..=60 {
        let mut append = Append::default();
        let mut operation = producers.issue(single(n), &[], &mut append);
        ledger.must_append(&append).await;
        let mut rest = Append::default();
        producers.begin(&mut operation, 1, &mut rest);
        producers.finish(&mut operation, &mut rest);
        let whole = 1 + rest.records.len();
        let ended = Arc::new(AtomicBool::new(false));
        let reader = {
            let (shared, op, ended) = (Arc::clone(&ledger.inner.shared), operation.op.clone(), Arc::clone(&ended));
            std::thread::spawn(move || {
                let (mut seen, mut last) = (0, false);
                while !last {
                    last = ended.load(Ordering::Acquire);
                    let events = events_of(&shared, &op, shared.size()).map(|events| events.len());
                    let events = events.unwrap_or_else(|error| panic!("after {seen} events: {error}"));
                    assert!(events >= seen, "{events} events after {seen}");
                    seen = events;
                }
                seen
            })
        };
        for record in rest.records {
            ledger.must_append(&Append { records: vec![record], blobs: rest.blobs.clone() }).await;
        }
        ended.store(true, Ordering::Release);
        assert_eq!(reader.join().expect("it was there all the time"), whole);
    }
}
