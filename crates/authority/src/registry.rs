//! The registry as this corner has it (PROTOCOL 11): followed from the ledger, folded, signed, stamped, served.
//!
//! One task follows the ledger's registry events and makes the epochs; one stamps the last of them every second. Both put
//! what they make in place whole; whoever decides or serves takes one [`Current`] and keeps to it.
//!
//! **Invariant**: nothing is signed that the ledger did not hand out as appended and its producer did not sign, and no stamp unless
//! the ledger was heard from within `fresh`, and all that it said then is in what is stamped.

mod bundles;
mod current;
mod drift;
mod follow;
mod gate;
mod producers;
pub mod routes;
mod watch;

use crate::ledger::Ledger;
use bundles::Bundles;
use eleven_api::edge::{Clock, Moment};
use eleven_api::keyring::Keyring;
use eleven_api::tasks::Tasks;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::root::TrustRoot;
use eleven_core::time::Time;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch as channel;

pub(crate) use bundles::NotCompiled;
pub use current::{Current, EpochError, Placement, Policy};
pub(crate) use drift::{Open, Subject};

/// The time that an operator's act may take from durable to in force here.
const IN_FORCE: Duration = Duration::from_secs(5);

/// The registry that this corner decides by and serves.
pub struct Registry {
    current: channel::Sender<Option<Arc<Current>>>,
    /// What has to be contained.
    drifts: channel::Sender<Open>,
    /// When the ledger was last heard from to its end; `None` where it never was, or is not followed any more.
    heard: Mutex<Option<Moment>>,
    /// How many of the ledger's entries what is in place comes of.
    folded: channel::Sender<u64>,
    pinned: TrustRoot,
    keys: Keyring,
    clock: Arc<dyn Clock>,
    ledger: Ledger,
    bundles: Bundles,
    /// Whoever watches is let go then.
    stop: channel::Receiver<bool>,
}

impl Registry {
    /// Starts to follow the ledger, with two of the corner's `tasks`, until `end` is true.
    pub(crate) fn start(self, end: channel::Receiver<bool>, tasks: &Tasks) -> Arc<Self> {
        let registry = Arc::new(self);
        tasks.spawn("registry", follow::follow(Arc::clone(&registry), end.clone()));
        tasks.spawn("stamps", follow::stamp(Arc::clone(&registry), end));
        registry
    }

    /// Nothing folded yet. What `ledger` holds must lead back to `pinned`; `keys` are registry keys. Whoever watches is let go
    /// when `stop` is true.
    pub(crate) fn new(
        ledger: Ledger,
        pinned: TrustRoot,
        keys: Keyring,
        clock: Arc<dyn Clock>,
        stop: channel::Receiver<bool>,
    ) -> Self {
        Self {
            current: channel::Sender::new(None),
            drifts: channel::Sender::new(Open::new()),
            heard: Mutex::new(None),
            folded: channel::Sender::new(0),
            pinned,
            keys,
            clock,
            bundles: Bundles::new(ledger.clone()),
            ledger,
            stop,
        }
    }

    /// The last epoch; `None` until the first was folded.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Current>> {
        self.current.borrow().clone()
    }

    /// The last epoch, where the ledger was heard from within `fresh`: only then may anything be decided by it.
    #[must_use]
    pub fn fresh(&self, now: Time) -> Option<Arc<Current>> {
        self.current().filter(|current| self.silence_ms(now) <= current.view.fresh_ms())
    }

    /// What drifted by the ledger's word and has to be contained, as it changes.
    pub(crate) fn drifts(&self) -> channel::Receiver<Open> {
        self.drifts.subscribe()
    }

    /// Milliseconds since the ledger was heard from, by the clock that says more: one that is set back makes nothing fresh.
    #[must_use]
    pub fn silence_ms(&self, now: Time) -> i64 {
        let now = Moment { at: now, steady: self.clock.steady() };
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map_or(i64::MAX, |heard| heard.age_ms(now))
    }

    fn hear(&self, heard: Option<Moment>) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    /// Compiles a bundle that is to be published, one at a time and apart from what serves; gives its canonical bytes besides.
    pub(crate) async fn compile(&self, bundle: Value) -> Result<(Arc<Policy>, Vec<u8>), NotCompiled> {
        self.bundles.compile(bundle).await
    }

    /// Notes the policy that is published next: it decides as it was compiled.
    pub(crate) fn publishes(&self, policy: Arc<Policy>) {
        self.bundles.publishes(policy);
    }

    /// Waits until the event with this hash is folded, and returns the epoch that it made; `None` where that takes longer
    /// than five seconds.
    pub async fn epoch_of(&self, event: Sha3) -> Option<u64> {
        let mut changes = self.current.subscribe();
        let folded = |current: &Option<Arc<Current>>| current.as_ref().is_some_and(|c| c.epoch_of(event).is_some());
        let reached = tokio::time::timeout(IN_FORCE, changes.wait_for(folded)).await;
        reached.ok()?.ok()?.as_ref()?.epoch_of(event)
    }

    /// Waits until what is in place comes of the ledger's first `size` entries, or of more; `false` where that takes longer than five
    /// seconds.
    pub(crate) async fn reaches(&self, size: u64) -> bool {
        let mut changes = self.folded.subscribe();
        let reached = tokio::time::timeout(IN_FORCE, changes.wait_for(|folded| *folded >= size)).await;
        matches!(reached, Ok(Ok(_)))
    }

    /// The epoch that follows `before`, or whatever is the last when `deadline` has passed.
    pub async fn next_after(&self, before: &Arc<Current>, deadline: Duration) -> Arc<Current> {
        let mut changes = self.current.subscribe();
        let known = before.view.epoch();
        let newer = |current: &Option<Arc<Current>>| current.as_ref().is_some_and(|c| c.view.epoch() > known);
        let reached = tokio::time::timeout(deadline, changes.wait_for(newer)).await;
        let next = reached.ok().and_then(Result::ok).and_then(|current| current.clone());
        next.or_else(|| self.current()).unwrap_or_else(|| Arc::clone(before))
    }

    /// Waits until there is an epoch, at most `deadline`.
    pub async fn ready(&self, deadline: Duration) -> bool {
        let mut changes = self.current.subscribe();
        matches!(tokio::time::timeout(deadline, changes.wait_for(Option::is_some)).await, Ok(Ok(_)))
    }
}
