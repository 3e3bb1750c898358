//! The gate of a witness that audits (the trust root's `audits`): it cosigns a tree when every entry under it was replayed
//! here, and not before.

use super::{FollowError, Follower, Source};
use crate::witness::{Gate, Held};
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::Checkpoint;
use eleven_core::root::TrustRoot;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a follower from which nothing goes on is left so before its mirror is opened again, which replays all of it.
const AGAIN: Duration = Duration::from_secs(30);

/// A follower and where it reads.
pub struct Auditing {
    mirror: Arc<Mutex<Mirror>>,
    source: Arc<dyn Source>,
    /// The first line of the ledger's checkpoints.
    origin: String,
    /// [`AGAIN`], or what a test says.
    pub(super) again: Duration,
}

/// A follower, and what it takes to open it again.
struct Mirror {
    /// Or why there is none.
    follower: Result<Follower, String>,
    folder: PathBuf,
    pinned: TrustRoot,
    opened: Instant,
}

impl Mirror {
    fn root_at(&self, size: u64) -> Option<Sha256> {
        self.follower.as_ref().ok()?.root_at(size)
    }

    /// A round. One wrong answer, from wherever on the way, leaves memory ahead of what was kept: what was kept is gone on from then.
    async fn round(&mut self, source: &dyn Source, again: Duration) -> Result<(), Held> {
        let goes_on = self.follower.as_ref().is_ok_and(|follower| follower.ahead.is_none());
        if !goes_on && self.opened.elapsed() >= again {
            self.open().await;
        }
        let follower = self.follower.as_mut().map_err(|why| Held::NotYet(why.clone()))?;
        follower.round(source, &mut |_| ()).await.map(drop).map_err(|error| held(&error))
    }

    async fn open(&mut self) {
        tracing::info!("the mirror is opened again, as it was kept");
        // The one before lets go of the folder first.
        self.follower = Err("the mirror is being opened again".to_owned());
        let (folder, pinned) = (self.folder.clone(), self.pinned.clone());
        let opened = tokio::task::spawn_blocking(move || Follower::open(&folder, pinned)).await;
        self.follower = match opened {
            Ok(opened) => opened.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.opened = Instant::now();
    }
}

impl Auditing {
    /// A gate that opens for what this follower has verified.
    #[must_use]
    pub fn new(follower: Follower, source: Arc<dyn Source>) -> Self {
        let (folder, pinned) = (follower.folder.path().to_owned(), follower.pinned.clone());
        let origin = pinned.origin();
        let mirror = Mirror { follower: Ok(follower), folder, pinned, opened: Instant::now() };
        Self { mirror: Arc::new(Mutex::new(mirror)), source, origin, again: AGAIN }
    }

    /// Verifies up to a checkpoint, which the ledger's key signed, where that was not done yet; and says whether it is the
    /// tree that was verified.
    async fn judge(&self, checkpoint: &Checkpoint) -> Result<(), Held> {
        // Another's log may show this very tree: a root alone does not say whose it is.
        if checkpoint.origin != self.origin {
            return Err(Held::Wrong(format!("what is replayed here is {}, and nothing else is cosigned", self.origin)));
        }
        // While a long stretch is being verified nobody waits for it.
        let mirror = Arc::clone(&self.mirror).try_lock_owned();
        let mut mirror = mirror.map_err(|_| Held::NotYet("the ledger is being replayed: ask again".to_owned()))?;
        if mirror.root_at(checkpoint.size).is_none() {
            let (source, again) = (Arc::clone(&self.source), self.again);
            // On its own: whoever asked may leave, and what was begun is brought to its end all the same.
            let round = tokio::spawn(async move {
                let outcome = mirror.round(source.as_ref(), again).await;
                (mirror, outcome)
            });
            let (verified, outcome) = round.await.map_err(|error| Held::NotYet(error.to_string()))?;
            outcome?;
            mirror = verified;
        }
        match mirror.root_at(checkpoint.size) {
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
