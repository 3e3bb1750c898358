//! The gate of a witness that audits (the trust root's `audits`): it cosigns a tree when every entry under it was replayed
//! here, and not before.

use super::{FollowError, Follower, Source};
use crate::witness::{Gate, Held};
use eleven_core::head::checkpoint::Checkpoint;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A follower and where it reads.
pub struct Auditing {
    follower: Arc<Mutex<Follower>>,
    source: Arc<dyn Source>,
}

impl Auditing {
    /// A gate that opens for what this follower has verified.
    #[must_use]
    pub fn new(follower: Follower, source: Arc<dyn Source>) -> Self {
        Self { follower: Arc::new(Mutex::new(follower)), source }
    }

    /// Verifies up to a checkpoint, which the ledger's key signed, where that was not done yet; and says whether it is the
    /// tree that was verified.
    async fn judge(&self, checkpoint: &Checkpoint) -> Result<(), Held> {
        // While a long stretch is being verified nobody waits for it.
        let follower = Arc::clone(&self.follower).try_lock_owned();
        let mut follower = follower.map_err(|_| Held::NotYet("the ledger is being replayed: ask again".to_owned()))?;
        if follower.root_at(checkpoint.size).is_none() {
            let source = Arc::clone(&self.source);
            // On its own: whoever asked may leave, and what was begun is brought to its end all the same.
            let round = tokio::spawn(async move {
                let outcome = follower.round(source.as_ref(), &mut |_| ()).await;
                (follower, outcome)
            });
            let (verified, outcome) = round.await.map_err(|error| Held::NotYet(error.to_string()))?;
            outcome.map_err(|error| held(&error))?;
            follower = verified;
        }
        match follower.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => Ok(()),
            Some(_) => Err(Held::Wrong("the entries do not come to this root".to_owned())),
            None => Err(Held::NotYet("the ledger does not show a head of this size yet: ask again".to_owned())),
        }
    }
}

fn held(error: &FollowError) -> Held {
    if error.is_passing() || error.is_own() { Held::NotYet(error.to_string()) } else { Held::Wrong(error.to_string()) }
}

impl Gate for Auditing {
    fn may_cosign<'a>(
        &'a self,
        checkpoint: &'a Checkpoint,
    ) -> Pin<Box<dyn Future<Output = Result<(), Held>> + Send + 'a>> {
        Box::pin(self.judge(checkpoint))
    }
}
