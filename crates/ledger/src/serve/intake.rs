//! What appends may take of this machine before anybody is known to have signed them: strangers send them, too.

use crate::receive::Received;
use crate::state::Shared;
use axum::body::Body;
use bytes::Bytes;
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

    /// Reads an append and verifies its records. Its bytes count as held until they are dropped.
    pub(super) async fn read(&self, body: Body, shared: &Arc<Shared>) -> Result<(Bytes, Received), Problem> {
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
        Ok((body, received.map_err(|FormError(what)| Problem::malformed(what))?))
    }
}
