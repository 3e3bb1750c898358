//! The gate of a witness that audits (the trust root's `audits`): it cosigns a tree when every entry under it was replayed
//! here, and not before.

use super::{Follower, Source};
use eleven_core::head::checkpoint::Checkpoint;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Why an auditor does not stand behind a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is not known yet: ask again.
    NotYet(String),
    /// The ledger is not what the checkpoint says.
    Wrong(String),
}

/// A follower and where it reads, shared between whoever keeps it going and the witness that asks it.
pub struct Auditing {
    follower: Mutex<Follower>,
    source: Arc<dyn Source>,
}

impl Auditing {
    /// A gate that opens for what this follower has verified.
    #[must_use]
    pub fn new(follower: Follower, source: Arc<dyn Source>) -> Self {
        Self { follower: Mutex::new(follower), source }
    }

    /// The follower, for a round of its own.
    pub async fn follower(&self) -> tokio::sync::MutexGuard<'_, Follower> {
        self.follower.lock().await
    }

    /// Verifies up to a checkpoint, which the ledger's key signed, where that was not done yet; and says whether it is the
    /// tree that was verified, so that it may be cosigned.
    ///
    /// # Errors
    /// Why it may not, or not yet.
    pub async fn may_cosign(&self, checkpoint: &Checkpoint) -> Result<(), Held> {
        // While a long stretch is being verified nobody waits for it.
        let busy = || Held::NotYet("the auditor is replaying the ledger: ask again".to_owned());
        let mut follower = self.follower.try_lock().map_err(|_| busy())?;
        if follower.root_at(checkpoint.size).is_none() {
            follower.round(self.source.as_ref(), &mut |_| ()).await.map_err(|error| match error.is_passing() {
                true => Held::NotYet(error.to_string()),
                false => Held::Wrong(error.to_string()),
            })?;
        }
        match follower.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => Ok(()),
            Some(_) => Err(Held::Wrong("the entries do not come to this root".to_owned())),
            None => Err(Held::NotYet("the ledger does not show a head of this size yet: ask again".to_owned())),
        }
    }
}
