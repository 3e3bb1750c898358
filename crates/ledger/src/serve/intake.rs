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

/// Where appends come in.
pub(crate) struct Intake {
    limit: usize,
    budget: Budget,
    /// As many large bodies are read at once as there are cores: each is several times its size meanwhile.
    readers: Arc<Semaphore>,
}

impl Intake {
    pub(crate) fn new(limit: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let budget = Budget::shared(MAX_APPENDS_HELD, limit);
        Self { limit, budget, readers: Arc::new(Semaphore::new(cores)) }
    }

    /// Reads an append and verifies its records. Its bytes count as held until the writer has taken what was read of them.
    pub(super) async fn read(&self, body: Body, shared: &Arc<Shared>) -> Result<Received, Problem> {
        let body = self.budget.body(body, self.limit).await?;
        let received = if body.len() <= READ_IN_PLACE {
            Received::read(&body, &shared.keys)
        } else {
            let reader = Arc::clone(&self.readers).acquire_owned().await;
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
    use super::*;
    use crate::world::{Home, Producers};
    use eleven_api::audit::Append;

    #[tokio::test]
    async fn what_waits_for_the_writer_takes_its_room_whoever_sent_it_and_left() {
        let home = Home::new();
        let ledger = home.open().expect("open");
        let (mut producers, mut append) = (Producers::new(), Append::default());
        (0..20).for_each(|_| append.record(&producers.denial(&"x".repeat(10_000))));
        let bytes = append.to_bytes();
        let limit = bytes.len();
        let intake = Intake { limit, budget: Budget::shared(0, limit), readers: Arc::new(Semaphore::new(1)) };
        let read = || intake.read(Body::from(bytes.clone()), &ledger.inner.shared);
        let mut waiting = Vec::new();
        for _ in 0..4 * limit / (limit - READ_IN_PLACE) {
            waiting.push(read().await.expect("room"));
        }
        assert_eq!(read().await.map(drop).expect_err("no room").status, 503);
        waiting.pop();
        read().await.expect("room again");
    }
}
