//! How a ledger ends in order: what came last is put under a head, and the state is saved, so that the next start need not read the
//! log. Whatever goes wrong with either, nothing is lost: the next start reads the log.

use crate::audit::{Answer, Request};
use crate::heads::lock;
use crate::ledger::{Inner, Ledger};
use crate::saved;
use eleven_api::audit::Durability;
use eleven_store::Committed;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a ledger that ends waits for the head over what came last.
const LAST_HEAD: Duration = Duration::from_millis(500);
/// How long it waits for what is still read for callers who have hung up, and how often it looks.
const LAST_READ: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);

impl Ledger {
    /// Ends in order, as at the end of [`Ledger::serve`]. Dropping a ledger ends it without saving its state.
    pub async fn close(self) {
        let settled = self.inner.settle().await;
        self.end(settled).await;
    }

    /// Ends its threads; a state that is `settled` is saved, while the log is still this process's.
    pub(crate) async fn end(self, settled: bool) {
        let Self { inner, failed } = self;
        // Closing the writer joins its thread, which may be in a sync.
        if let Err(error) = tokio::task::spawn_blocking(move || end(inner, &failed, settled)).await {
            tracing::error!(%error, "the ledger was not closed in order");
        }
    }
}

fn end(inner: Arc<Inner>, failed: &watch::Receiver<Option<String>>, settled: bool) {
    let Some(mut inner) = alone(inner) else {
        return tracing::warn!(
            "something is read from the ledger still: its state is not saved, the next start reads the log"
        );
    };
    // They look at the log and change it; what they find counts.
    (inner.checker, inner.mover) = (None, None);
    if settled && failed.borrow().is_none() {
        inner.save();
    }
}

/// What nobody else holds any more, before long.
fn alone(mut inner: Arc<Inner>) -> Option<Inner> {
    for _ in 0..LAST_READ.as_millis() / LOOK.as_millis() {
        match Arc::try_unwrap(inner) {
            Ok(inner) => return Some(inner),
            Err(held) => inner = held,
        }
        std::thread::sleep(LOOK);
    }
    Arc::into_inner(inner)
}

impl Inner {
    /// Puts all that came under a head, when nothing comes any more; false where that could not be.
    pub(crate) async fn settle(&self) -> bool {
        let Ok(Committed { answer: Answer { size, .. }, .. }) = self.submit(Request::Seal).await else { return false };
        self.shared.reached(size, Durability::D3, LAST_HEAD).await >= Durability::D3
    }

    /// Saves the state for the next start.
    fn save(&self) {
        let keys = lock(&self.signing).keys.clone();
        match saved::save(&self.shared, &self.settings.folder, &keys) {
            Ok(()) => tracing::debug!("the state is saved for the next start"),
            Err(why) => tracing::warn!(why, "the state is not saved: the next start reads the log"),
        }
    }
}
