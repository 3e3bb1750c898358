//! The two tasks that make what is served: one follows the ledger and folds, one stamps.

use super::Registry;
use super::current::Current;
use crate::ledger::{Page, Row};
use eleven_api::serve::stopped;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::registry::{Fold, KeyTables, PublishedPolicy};
use eleven_core::root::TrustRoot;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;

/// How long the ledger may hold a question open: well below the least `fresh`.
const LONG_POLL: Duration = Duration::from_millis(400);
/// The pause after a question that failed.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the last epoch is stamped.
const STAMP_EVERY: Duration = Duration::from_secs(1);
/// How often it is stamped where a view may be one second old.
const STAMP_OFTEN: Duration = Duration::from_millis(250);
/// Events whose epochs are remembered.
const REMEMBERED: usize = 1000;

/// What the following task has folded so far.
struct Following {
    fold: Option<Fold>,
    next: u64,
    recent: VecDeque<(Sha3, u64)>,
    tables: KeyTables,
    /// Set where the ledger holds what this authority must not follow.
    broken: bool,
}

/// Follows the ledger until told to stop.
pub(super) async fn follow(registry: Arc<Registry>, mut stop: watch::Receiver<bool>) {
    let mut following =
        Following { fold: None, next: 0, recent: VecDeque::new(), tables: KeyTables::new(), broken: false };
    loop {
        let asked = tokio::select! {
            asked = registry.ledger.registry_entries(following.next, LONG_POLL) => asked,
            () = stopped(&mut stop) => return,
        };
        match asked {
            Ok(page) if !following.broken => {
                let changed = following.take(&registry, page);
                if !following.broken {
                    registry.heard.store(registry.clock.now().0, Relaxed);
                    following.publish(&registry, changed).await;
                }
            }
            Ok(_) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                tracing::debug!(%error, "the ledger does not tell registry events");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Following {
    /// Folds a page; `true` where it made an epoch.
    fn take(&mut self, registry: &Registry, page: Page) -> bool {
        let mut changed = false;
        for row in page.entries {
            if row.seq < self.next {
                continue;
            }
            match self.fold_in(registry, &row) {
                Ok(epoch) => changed |= epoch,
                Err(why) => {
                    // The ledger appended what the same rules refuse here: nothing more is signed by this process.
                    tracing::error!(seq = row.seq, event = %row.record.event, %why, "the ledger's registry cannot be followed");
                    self.broken = true;
                    return false;
                }
            }
            self.next = row.seq + 1;
        }
        self.next = self.next.max(page.next);
        changed
    }

    fn fold_in(&mut self, registry: &Registry, row: &Row) -> Result<bool, String> {
        let record = &row.record;
        let changed = match &mut self.fold {
            None if record.event == "ledger.genesis" && row.seq == 0 => {
                let fold = Fold::genesis(row.at, &record.by, &record.data).map_err(|error| error.to_string())?;
                self.fold = Some(fold);
                true
            }
            None => return Err("the ledger does not begin with its genesis".to_owned()),
            Some(fold) => {
                fold.apply(row.at, &record.event, &record.by, &record.data).map_err(|error| error.to_string())?
            }
        };
        if record.event == "policy.published"
            && let Ok(published) = PublishedPolicy::read(Value::Object(record.data.clone()))
        {
            registry.bundles.published(published.record.id.hash);
        }
        if let Some(fold) = self.fold.as_ref().filter(|_| changed) {
            if self.recent.len() >= REMEMBERED {
                self.recent.pop_front();
            }
            self.recent.push_back((record.hash, fold.epoch()));
        }
        Ok(changed)
    }

    /// Puts the last epoch in place, or the policies of the same epoch that could not be had before.
    async fn publish(&mut self, registry: &Registry, changed: bool) {
        let Some(fold) = &self.fold else { return };
        let before = registry.current();
        let rows: Vec<_> = fold.lists().policies.iter().cloned().collect();
        let complete = before.as_ref().is_some_and(|current| current.policies().len() == rows.len());
        if !changed && before.is_some() && complete {
            return;
        }
        if !is_descended(fold, &registry.pinned) {
            tracing::error!("the ledger's trust root does not lead back to the pinned one: nothing is served");
            self.broken = true;
            return;
        }
        let none = BTreeMap::new();
        let held = before.as_ref().map_or(&none, |current| current.policies());
        let policies = registry.bundles.policies(&rows, held).await;
        if !changed && before.is_some() {
            if policies.len() > held.len() {
                registry.current.send_modify(|current| {
                    *current = current.as_ref().map(|current| Arc::new(current.with_policies(policies.clone())));
                });
            }
            return;
        }
        let recent = self.recent.iter().copied().collect();
        let now = registry.clock.now();
        match Current::sign(fold.clone(), policies, recent, now, &*registry.signer, &mut self.tables) {
            Ok(current) => {
                tracing::info!(epoch = current.view.epoch(), "the registry's next epoch");
                registry.current.send_replace(Some(Arc::new(current)));
            }
            Err(error) => tracing::error!(%error, epoch = fold.epoch(), "an epoch cannot be served"),
        }
    }
}

/// Whether one of the ledger's roots is the pinned one. The fold has verified that each follows the one before.
fn is_descended(fold: &Fold, pinned: &TrustRoot) -> bool {
    fold.roots().any(|root| root.payload() == pinned.payload())
}

/// Stamps the last epoch as long as the ledger is heard from.
pub(super) async fn stamp(registry: Arc<Registry>, mut stop: watch::Receiver<bool>) {
    loop {
        let often = registry.current().is_some_and(|current| current.fresh_ms() <= 2000);
        tokio::select! {
            () = tokio::time::sleep(if often { STAMP_OFTEN } else { STAMP_EVERY }) => {}
            () = stopped(&mut stop) => return,
        }
        let now = registry.clock.now();
        let Some(current) = registry.fresh(now) else { continue };
        match current.restamped(now, &*registry.signer) {
            Ok(stamped) => {
                let stamped = Arc::new(stamped);
                registry.current.send_if_modified(|last| {
                    // The following task may have put the next epoch in place meanwhile, stamped already.
                    let same = last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &current));
                    if same {
                        *last = Some(stamped);
                    }
                    same
                });
            }
            Err(error) => tracing::error!(%error, "the registry cannot be stamped"),
        }
    }
}
