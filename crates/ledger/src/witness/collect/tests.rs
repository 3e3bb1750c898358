use super::*;
use crate::world::{LEDGER, signer, start};
use eleven_core::hash::Sha256;
use eleven_core::head::{Commitment, Head, RegistryRef};
use eleven_core::root::Witnesses;
use std::pin::{Pin, pin};
use std::task::Poll;

/// The head of `size` of a root that asks for a cosignature, which it has not.
fn head(size: u64) -> Target {
    let chain = eleven_core::chain::advance(None, b"an entry");
    let registry = RegistryRef { epoch: 1, hash: chain.hash };
    let (ledger, root, index) = (LEDGER.to_owned(), Sha256::ZERO, Sha256::ZERO);
    let commitment = Commitment { ledger, size, chain, root, index, registry };
    let checkpoint = Checkpoint::of(&commitment);
    let lines = vec![checkpoint.sign(&signer("head"))];
    let head = Head::sign(commitment, start(), &signer("head"));
    let witnesses = Witnesses { quorum: 1, ..Witnesses::default() };
    Some(Arc::new(Published::new(head, Note { checkpoint, lines }, &witnesses)))
}

async fn is_over(round: &mut (impl Future<Output = ()> + Unpin)) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *round).poll(context).is_ready())).await
}

#[tokio::test]
async fn a_round_waits_for_every_witness_however_often_one_of_them_answers() {
    let (_shown, mut heads) = watch::channel(head(7));
    let (report, mut answered) = watch::channel(vec![0, 0]);
    let mut round = pin!(round(&mut heads, &mut answered, 7));
    let say = |place, size| report.send_if_modified(|answered| says(answered, place, size));
    assert!(say(0, 7), "it is new");
    for _ in 0..3 {
        assert!(!is_over(&mut round).await);
        assert!(!say(0, 7), "it is asked each second, and has said nothing new");
    }
    assert!(say(1, 6), "late, about the head before");
    assert!(!is_over(&mut round).await);
    assert!(say(1, 7));
    assert!(is_over(&mut round).await);
}
