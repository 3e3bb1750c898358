//! What appends may take of this machine before anybody is known to have signed them: strangers send them, too.

use crate::receive::Received;
use crate::state::Shared;
use axum::body::Body;
use eleven_api::problem::Problem;
use eleven_api::serve::Budget;
use eleven_core::form::FormError;
use eleven_core::limits::MAX_APPENDS_HELD;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A body up to so many bytes is read and verified where it arrived; a larger one may not hold up other requests.
const READ_IN_PLACE: usize = 64 * 1024;

/// Where appends come in. What strangers send takes nothing of what there is for producers, who sign for what they send.
pub(crate) struct Intake {
    limit: usize,
    strangers: Lane,
    producers: Lane,
}

/// What some of them share.
struct Lane {
    budget: Budget,
    /// As many large bodies are read at once as there are cores: each is several times its size meanwhile.
    readers: Arc<Semaphore>,
}

impl Lane {
    fn new(limit: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { budget: Budget::shared(MAX_APPENDS_HELD, limit), readers: Arc::new(Semaphore::new(cores)) }
    }
}

impl Intake {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, strangers: Lane::new(limit), producers: Lane::new(limit) }
    }

    /// Reads an append and verifies its records. Its bytes count as held until the writer has taken what was read of them.
    pub(super) async fn read(&self, body: Body, producers: bool, shared: &Arc<Shared>) -> Result<Received, Problem> {
        let lane = if producers { &self.producers } else { &self.strangers };
        let body = lane.budget.body(body, self.limit).await?;
        let received = if body.len() <= READ_IN_PLACE {
            Received::read(&body, &shared.keys)
        } else {
            let reader = Arc::clone(&lane.readers).acquire_owned().await;
            let (body, shared) = (body.clone(), Arc::clone(shared));
            let read = tokio::task::spawn_blocking(move || {
                // It goes on where whoever sent the body leaves.
                let _reader = reader;
                Received::read(&body, &shared.keys)
            });
            read.await.map_err(|error| Problem::with_status(500, error.to_string()))?
        };
        Ok(received.map_err(|FormError(what)| Problem::malformed(what))?.holding(body))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate::is_producers;
    use super::*;
    use crate::world::{Home, Producers, signer};
    use axum::http::{HeaderMap, Uri};
    use eleven_api::audit::Append;
    use eleven_api::edge::Clock as _;
    use eleven_api::{reader, routes};

    #[tokio::test]
    async fn what_waits_for_the_writer_takes_its_room_whoever_sent_it_and_left() {
        let home = Home::new();
        let ledger = home.open().expect("open");
        let (mut producers, mut append) = (Producers::new(), Append::default());
        (0..20).for_each(|_| append.record(&producers.denial(&"x".repeat(10_000))));
        let bytes = append.to_bytes();
        let limit = bytes.len();
        let lane = || Lane { budget: Budget::shared(0, limit), readers: Arc::new(Semaphore::new(1)) };
        let intake = Intake { limit, strangers: lane(), producers: lane() };
        let sent = |producers| intake.read(Body::from(bytes.clone()), producers, &ledger.inner.shared);
        let read = || sent(false);
        let mut waiting = Vec::new();
        for _ in 0..4 * limit / (limit - READ_IN_PLACE) {
            waiting.push(read().await.expect("room"));
        }
        assert_eq!(read().await.map(drop).expect_err("no room").status, 503);
        drop(sent(true).await.expect("a producer has room all the same"));
        waiting.pop();
        read().await.expect("room again");
    }

    #[tokio::test]
    async fn whose_event_key_counts_is_a_producer_and_who_has_another_or_signed_for_something_else_a_stranger() {
        let home = Home::new();
        let ledger = home.open().expect("open");
        ledger.must_append(&Producers::new().set_up()).await;
        let here: Uri = routes::AUDIT_EVENTS.parse().expect("a path");
        let is_known = |label: &str, path: &str| {
            let headers: HeaderMap = reader::signed(path, &signer(label), home.clock.now()).into_iter().collect();
            is_producers(&ledger.inner, &headers, &here)
        };
        for label in ["authority", "gw-0", "gw-1"] {
            assert!(is_known(label, routes::AUDIT_EVENTS), "{label}");
            assert!(!is_known(label, routes::AUDIT_OPEN), "{label}");
        }
        // A key of another use, and one that nobody registered.
        for label in ["attest-0", "nobody"] {
            assert!(!is_known(label, routes::AUDIT_EVENTS), "{label}");
        }
        assert!(!is_producers(&ledger.inner, &HeaderMap::new(), &here));
    }
}
