//! What requests and answers may take of this machine, whoever sends them and asks for them. Of who reads, auditors and corners are not
//! bounded by it: strangers keep nobody from following the registry.

use super::gate::Known;
use super::intake::Intake;
use crate::ledger::Inner;
use axum::extract::State;
use axum::response::Response;
use eleven_api::problem::Problem;
use eleven_api::public;
use eleven_api::serve::Budget;
use eleven_core::limits::MAX_ANSWERS_HELD;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What there is of it.
pub(crate) struct Room {
    /// Where appends come in.
    pub(super) intake: Intake,
    /// What answers to strangers hold until they are taken.
    answers: Budget,
    /// Answers to strangers that are put together at once: each is several times its size meanwhile. Twice as many as there are cores,
    /// since some wait for the disk.
    readings: Arc<Semaphore>,
}

impl Room {
    /// `body_limit` is that of an append.
    pub(crate) fn new(body_limit: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let readings = Arc::new(Semaphore::new(cores.saturating_mul(2)));
        Self { intake: Intake::new(body_limit), answers: Budget::shared(MAX_ANSWERS_HELD, 0), readings }
    }

    /// Puts an answer together where reading from the disk holds up nobody: at once for whoever is `known`, and for a stranger when it
    /// has its turn.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        known: bool,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = if known { None } else { Some(Arc::clone(&self.readings).acquire_owned().await) };
        let read = tokio::task::spawn_blocking(move || {
            // It goes on where whoever asked leaves.
            let _turn = turn;
            read()
        });
        read.await.map_err(|error| Problem::with_status(500, error.to_string()))
    }
}

/// Stands around all that is read, as the last: an answer to a stranger has its room until it is taken.
pub(super) async fn held(State(inner): State<Arc<Inner>>, answer: Response) -> Response {
    if answer.extensions().get::<Known>().is_some() {
        return answer;
    }
    inner.room.answers.answer(answer).unwrap_or_else(|problem| public::readable_anywhere(problem.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Home;
    use axum::body::Body;
    use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    /// Bytes of an answer, of which so many more than some have room.
    const LARGE: usize = 1 << 20;

    fn large() -> Response {
        Response::new(Body::from(vec![0; LARGE]))
    }

    #[tokio::test]
    async fn answers_that_strangers_do_not_take_leave_room_for_who_is_known_and_for_small_ones() {
        let home = Home::new();
        let ledger = home.open().expect("open");
        let inner = || State(Arc::clone(&ledger.inner));
        let mut kept = Vec::new();
        let refused = loop {
            let answer = held(inner(), large()).await;
            if answer.status() != 200 {
                break answer;
            }
            kept.push(answer);
            assert!(kept.len() * LARGE < 2 * MAX_ANSWERS_HELD, "whatever is asked for is held");
        };
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "a page may read why");
        assert_eq!(held(inner(), Response::new(Body::from(vec![0; 4096]))).await.status(), 200);
        let mut known = large();
        known.extensions_mut().insert(Known);
        assert_eq!(held(inner(), known).await.status(), 200);
        kept.pop();
        assert_eq!(held(inner(), large()).await.status(), 200, "room again");
    }

    /// Threads for what reads from the disk: one that is held up, and one for all else, in the order in which it comes.
    const READERS: usize = 2;

    #[test]
    fn strangers_who_ask_at_once_have_their_turn_and_who_is_known_does_not_wait_for_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(READERS).build();
        runtime.expect("a runtime").block_on(async {
            let room = Room { readings: Arc::new(Semaphore::new(1)), ..Room::new(LARGE) };
            let (go, waits) = mpsc::channel::<()>();
            let (begun, begins) = tokio::sync::oneshot::channel();
            let first = room.read(false, move || {
                let _ = begun.send(());
                waits.recv()
            });
            let read = Arc::new(AtomicBool::new(false));
            let reads = Arc::clone(&read);
            let second = room.read(false, move || reads.store(true, Ordering::SeqCst));
            tokio::pin!(first, second);
            tokio::select! {
                biased;
                _ = &mut first => panic!("nobody told it to end"),
                began = begins => began.expect("it began"),
            }
            tokio::select! {
                biased;
                _ = &mut second => panic!("two at once"),
                () = std::future::ready(()) => {}
            }
            // Had the second been given to the other thread, it would have been read before this one.
            assert_eq!(room.read(true, || "known").await.expect("read"), "known");
            assert!(!read.load(Ordering::SeqCst), "two at once");
            go.send(()).expect("it waits");
            assert!(first.await.expect("read").is_ok());
            second.await.expect("read");
            assert!(read.load(Ordering::SeqCst));
        });
    }
}
