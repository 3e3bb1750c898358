//! Work on all cores whose results are taken in order: reading and hashing entries is most of what a replay costs, and
//! only judging them has to be one after the other.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

/// So many pieces for each core are under way at a time: what bounds the memory of a replay.
const AHEAD: usize = 3;

/// Asks `next` for pieces until there is none, has `work` done on them by as many threads as there are cores, and hands
/// the results to `take` in the order of the pieces. Both `next` and `take` run on the caller's thread.
///
/// # Errors
/// The first error of `take`; or that of `next`, after what came before it was taken.
pub(crate) fn in_order<T: Send, R: Send, E>(
    mut next: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Outside the scope: the threads borrow it.
    let (jobs, queue) = mpsc::channel();
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        let jobs = jobs;
        for _ in 0..cores {
            scope.spawn(|| run(&queue, &work));
        }
        let mut under_way = VecDeque::new();
        let mut end = None;
        loop {
            while end.is_none() && under_way.len() < AHEAD * cores {
                match next() {
                    Ok(Some(piece)) => {
                        let (answer, result) = mpsc::sync_channel(1);
                        // The threads take until this end is dropped.
                        let _ = jobs.send((piece, answer));
                        under_way.push_back(result);
                    }
                    Ok(None) => end = Some(Ok(())),
                    Err(error) => end = Some(Err(error)),
                }
            }
            let Some(first) = under_way.pop_front() else { return end.unwrap_or(Ok(())) };
            match first.recv() {
                Ok(result) => take(result)?,
                // Its thread panicked: the scope passes that on as soon as it ends.
                Err(_) => return Ok(()),
            }
        }
    })
}

fn run<T, R>(queue: &Mutex<Receiver<(T, SyncSender<R>)>>, work: &impl Fn(T) -> R) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((piece, answer)) = job else { return };
        // Whoever waited may have met an error and gone.
        let _ = answer.send(work(piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_taken_in_order_and_none_after_an_error() {
        let mut pieces = 0..1000u64;
        let mut taken = Vec::new();
        let outcome = in_order(
            || Ok(pieces.next()),
            |piece| piece * 2,
            |result| {
                if result == 1000 {
                    return Err(result);
                }
                taken.push(result);
                Ok(())
            },
        );
        assert_eq!(outcome, Err(1000));
        assert!(taken.iter().copied().eq((0..500).map(|piece| piece * 2)));
    }

    #[test]
    fn what_came_before_an_error_of_the_source_is_taken() {
        let (mut pieces, mut taken) = (0..100u64, 0);
        let next = || pieces.next().map(Some).ok_or("broken");
        let outcome = in_order(
            next,
            |piece| piece,
            |piece| {
                assert_eq!(piece, taken);
                taken += 1;
                Ok(())
            },
        );
        assert_eq!((outcome, taken), (Err("broken"), 100));
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_thread_is_passed_on() {
        let mut pieces = 0..10u64;
        let outcome: Result<(), ()> = in_order(|| Ok(pieces.next()), |piece| assert!(piece != 5), |()| Ok(()));
        assert_eq!(outcome, Ok(()));
    }
}
