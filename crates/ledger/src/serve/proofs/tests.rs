use super::*;
use crate::world::{Home, Producers};
use std::sync::atomic::{AtomicU32, Ordering};

/// Reads what comes to these errors first; the answer's status where it is refused, and how often it was read.
async fn read_after(errors: fn(u32) -> Option<ProofError>) -> (Result<&'static str, u16>, u32) {
    let home = Home::new();
    let ledger = home.open().expect("open");
    ledger.must_append(&Producers::new().set_up()).await;
    let times = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&times);
    let read = move |_: &Shared| errors(counted.fetch_add(1, Ordering::SeqCst)).map_or(Ok("read"), Err);
    let answer = under_head(Arc::clone(&ledger.inner), true, 0, proof::has_index, read).await;
    (answer.map_err(|problem| problem.status), times.load(Ordering::SeqCst))
}

#[tokio::test]
async fn what_is_asked_for_while_the_next_head_is_signed_is_read_under_that_one() {
    let signing = |times: u32| (times < 2).then_some(ProofError::NotYet("the next head is being signed"));
    assert_eq!(read_after(signing).await, (Ok("read"), 3));
    assert_eq!(read_after(|_| None).await, (Ok("read"), 1));
    let unknown = |_: u32| Some(ProofError::Unknown("there is no such lineage".to_owned()));
    assert_eq!(read_after(unknown).await, (Err(404), 1), "what is not there is not looked for again");
}
