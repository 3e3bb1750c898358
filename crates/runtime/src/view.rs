//! The point's view of the registry: fetched whole, verified against the trust root in force, swapped in at once.

use crate::forward::{self, malformed};
use crate::journal::Desks;
use crate::roots::Roots;
use crate::running::Running;
use crate::token_issuers::TokenIssuers;
use eleven_api::client::{CallError, Client};
use eleven_api::edge::{Clock, Moment};
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_core::artifact::Artifact;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_STAMP_AHEAD_MS;
use eleven_core::name;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_core::registry::{KeyTables, Snapshot, Stamp, View};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use eleven_core::time::Time;
use eleven_enforce::admission::{is_fresh, went_back};
use eleven_enforce::containment;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// How long the authority may take to answer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);

/// What follows where no view is held that may be used.
const UNFRESH: &str = ": no view that is fresh is held, and every call is refused until it is; is the authority up?";

/// What a point holds of the registry: the verified view, and the policy bundles that it names.
pub(crate) struct Holding {
    pub(crate) view: View,
    pub(crate) bundles: Arc<HashMap<Sha3, Arc<PolicyBundle>>>,
    /// Whose tokens are believed by its sources.
    pub(crate) issuers: Arc<TokenIssuers>,
    /// When its stamp was asked for.
    pub(crate) asked: Moment,
    /// Since when this point knows what was used here, where it signed by another key before: a journal is one key's.
    pub(crate) uses_since: Option<Time>,
}

impl Holding {
    /// How long its stamp has been held, in milliseconds, by the clock that nobody sets.
    pub(crate) const fn held_ms(&self, now: Moment) -> i64 {
        now.steady.saturating_sub(self.asked.steady)
    }

    /// Whether a key is compromised by this view. The ledger knows nobody by such a one, and that is no matter of clocks: it does not
    /// count (step 5).
    pub(crate) fn lost(&self, kid: &str, now: Time) -> bool {
        let key = self.view.key(kid).map(|key| &key.record);
        key.is_some_and(|key| matches!(key.status, KeyStatus::Compromised(_)) && !key.counts_at(now))
    }

    /// Since when a stamp of its epoch is held that was asked for at `asked`. One that comes again, as from an authority that
    /// hears nothing of the ledger, is as old as it was.
    fn since(&self, stamp: &Stamp, asked: Moment) -> Moment {
        if stamp.issued == self.view.stamp().issued { self.asked } else { asked }
    }

    /// Whether it may be used now (PROTOCOL 4.1, steps 3 and 4).
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        is_fresh(&self.view, self.held_ms(now), now.at)
    }
}

/// Keeps the holding fresh.
pub(crate) struct Registry {
    roots: Arc<Roots>,
    authority: String,
    client: Client,
    /// The point's name; it reads by its event key.
    point: String,
    reader: ReadAs,
    tables: Mutex<KeyTables>,
    held: RwLock<Option<Arc<Holding>>>,
    stamped: AtomicI64,
    /// One refresh at a time: of two, the one that asked first must not be the last to swap.
    renewing: tokio::sync::Mutex<()>,
}

impl Registry {
    pub(crate) fn new(roots: Arc<Roots>, authority: String, client: Client, point: String, reader: ReadAs) -> Self {
        Self {
            roots,
            authority,
            client,
            point,
            reader,
            tables: Mutex::new(KeyTables::new()),
            held: RwLock::new(None),
            stamped: AtomicI64::new(i64::MIN),
            renewing: tokio::sync::Mutex::new(()),
        }
    }

    /// In whose name the other corners are read: the point's.
    pub(crate) const fn reader(&self) -> &ReadAs {
        &self.reader
    }

    /// The versions of the trust root that are known.
    pub(crate) const fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }

    /// What is held now.
    pub(crate) fn held(&self) -> Option<Arc<Holding>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why what was admitted under `artifact` may run no more, by the view that is held now. One that came between its admission and its
    /// [entry](Running::enter) has not reviewed it; every later one finds the entry.
    pub(crate) fn ends(&self, artifact: &Artifact) -> Option<Reason> {
        let held = self.held()?;
        containment::interrupts(&held.view, &self.point, artifact)
    }

    /// When the newest stamp that was heard was issued, whether or not it verified.
    pub(crate) fn stamped(&self) -> Option<Time> {
        Some(self.stamped.load(Ordering::Acquire)).filter(|ms| *ms != i64::MIN).map(Time)
    }

    /// Refreshes every `every` until told to stop.
    pub(crate) async fn follow(
        &self,
        desks: &Desks,
        running: &Running,
        clock: &dyn Clock,
        every: Duration,
        mut stop: watch::Receiver<bool>,
    ) {
        // What was said last of a registry that can't be refreshed: it is said again where it is something else, or worse.
        let mut said = None;
        loop {
            let renewed = tokio::select! {
                renewed = self.renew(desks, running, None) => renewed,
                () = eleven_api::serve::stopped(&mut stop) => return,
            };
            match renewed {
                Ok(()) => {
                    if said.take().is_some() {
                        tracing::info!("the registry is fresh again");
                    }
                }
                Err(error) => {
                    let fresh = self.held().is_some_and(|held| held.is_fresh(Moment::now(clock)));
                    let news = (forward::kind(&error), fresh);
                    if said.replace(news) != Some(news) {
                        let so = if fresh { "" } else { UNFRESH };
                        tracing::warn!(%error, fresh, "the registry could not be refreshed{so}");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = eleven_api::serve::stopped(&mut stop) => return,
            }
        }
    }

    /// Refreshes now, unless `seen` is given and another epoch than that is held by then. What a new view no longer allows is
    /// interrupted at once.
    ///
    /// # Errors
    /// Where the authority does not answer, or its answer does not verify.
    pub(crate) async fn renew(&self, desks: &Desks, running: &Running, seen: Option<u64>) -> Result<(), CallError> {
        let _one = self.renewing.lock().await;
        if seen.is_some() && self.held().map(|held| held.view.epoch()) != seen {
            return Ok(());
        }
        let changed = self.refresh(desks).await?;
        if let Some(held) = self.held().filter(|_| changed) {
            announce(held.view.epoch(), desks.seen_epoch());
            running.review(&held.view);
        }
        Ok(())
    }

    /// Asks for the stamp and, where it names another epoch, for the snapshot. `true` where the epoch changed.
    async fn refresh(&self, desks: &Desks) -> Result<bool, CallError> {
        let asked = Moment::now(&*self.reader.clock);
        let stamp = self.stamp().await?;
        self.stamped.store(stamp.issued.0, Ordering::Release);
        let held = self.held();
        if let Some(held) = &held {
            if is_behind(&stamp, &held.view, asked.at) {
                return Err(CallError::Malformed("the authority's stamp is older than the one that is held".into()));
            }
            if (stamp.epoch, stamp.hash) == (held.view.epoch(), held.view.hash()) {
                let asked = held.since(&stamp, asked);
                let view = held.view.restamped(stamp).map_err(malformed)?;
                check_signers(&view, &self.roots.last(), asked.at)?;
                let (bundles, issuers) = (Arc::clone(&held.bundles), Arc::clone(&held.issuers));
                self.swap(Holding { view, asked, bundles, issuers, uses_since: held.uses_since });
                return Ok(false);
            }
        }
        let (snapshot, stamp) = self.snapshot(stamp).await?;
        // After the snapshot: the epoch that a new root makes is signed by a key of it.
        let root = self.roots.follow(&self.client, &self.reader, &self.authority).await?;
        let view = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            View::open(&root, snapshot, stamp, &mut tables).map_err(malformed)?
        };
        check_signers(&view, &root, asked.at)?;
        let known = held.as_ref().map(|held| Arc::clone(&held.bundles)).unwrap_or_default();
        let bundles = self.bundles(&view, &known).await?;
        // Step 4 compares with what is persisted; so it is durable before it is used.
        desks.note_epoch(view.epoch()).await.map_err(malformed)?;
        let uses_since = uses_since(view.lists().keys.iter(), &self.point, self.reader.signer.kid());
        let epoch = view.epoch();
        let issuers = Arc::new(TokenIssuers::of(view.lists().sources.iter()));
        self.swap(Holding { view, asked, bundles: Arc::new(bundles), issuers, uses_since });
        desks.uses_epoch(epoch);
        Ok(true)
    }

    /// The snapshot that a stamp names; where the authority has moved on meanwhile, the newer stamp with it.
    async fn snapshot(&self, mut stamp: Stamp) -> Result<(Snapshot, Stamp), CallError> {
        for _ in 0..3 {
            let snapshot = Snapshot::read(self.get(routes::REGISTRY_SNAPSHOT).await?).map_err(malformed)?;
            if snapshot.header.epoch == stamp.epoch {
                return Ok((snapshot, stamp));
            }
            stamp = self.stamp().await?;
        }
        Err(CallError::Malformed("the authority's snapshot and stamp are of different epochs".into()))
    }

    /// The bundle of every policy in force, by hash; what is known is not fetched again.
    async fn bundles(
        &self,
        view: &View,
        known: &HashMap<Sha3, Arc<PolicyBundle>>,
    ) -> Result<HashMap<Sha3, Arc<PolicyBundle>>, CallError> {
        let mut bundles = HashMap::new();
        for policy in view.lists().policies.iter() {
            let hash = policy.id.hash;
            let bundle = match known.get(&hash) {
                Some(bundle) => Arc::clone(bundle),
                None => Arc::new(self.bundle(hash).await?),
            };
            bundles.insert(hash, bundle);
        }
        Ok(bundles)
    }

    async fn bundle(&self, hash: Sha3) -> Result<PolicyBundle, CallError> {
        let path = format!("{}{hash}", routes::REGISTRY_POLICIES);
        let bundle = PolicyBundle::read(self.get(&path).await?).map_err(malformed)?;
        let same = bundle.hash == hash;
        same.then_some(bundle)
            .ok_or_else(|| CallError::Malformed(format!("the authority sent another bundle than {hash}")))
    }

    /// The stamp that the authority shows now.
    async fn stamp(&self) -> Result<Stamp, CallError> {
        Stamp::read(self.get(routes::REGISTRY_STAMP).await?).map_err(malformed)
    }

    async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.client.get_json_as(&self.reader, &self.authority, path, DEADLINE).await
    }

    fn swap(&self, holding: Holding) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(holding));
    }
}

/// Says that a view of another epoch is held now; of one behind what this point has `seen`, that nothing is admitted by it.
fn announce(epoch: u64, seen: u64) {
    match went_back(epoch, seen) {
        None => tracing::info!(epoch, "a new registry epoch is in force here"),
        Some(why) => tracing::error!(why, "this point admits nothing"),
    }
}

/// Whether the keys that signed header and stamp count at `now`, by the last version of the root that is known. Asked before an
/// epoch is noted, for nothing goes back behind that: whoever has a key that was ended could number one too high for good.
fn check_signers(view: &View, root: &TrustRoot, now: Time) -> Result<(), CallError> {
    match view.uncounted_signer(root, now) {
        None => Ok(()),
        Some(kid) => Err(malformed(format!(
            "the authority's registry is signed by {kid}, which does not count under version {} of the trust root",
            root.version
        ))),
    }
}

/// Whether a stamp says less than the one that is held. One of a later epoch never does, whatever the clocks show: what it
/// revokes is revoked. Nor does one of the same epoch where the held one lies ahead of `now`, since a clock was set back then,
/// and the held one would look new until that moment comes again.
fn is_behind(stamp: &Stamp, held: &View, now: Time) -> bool {
    let again = stamp.epoch == held.epoch() && held.stamp_ahead_ms(now) > MAX_STAMP_AHEAD_MS;
    stamp.issued < held.stamp().issued && stamp.epoch <= held.epoch() && !again
}

/// Since when a point knows what was used by its journal, where it has or had other event keys than `kid`, or another point of its
/// runtime had one that has ended: since this one counts and the last of the others was closed. Where `kid` is not among the keys yet,
/// nothing is known.
fn uses_since<'a>(keys: impl Iterator<Item = &'a KeyRecord>, point: &str, kid: &str) -> Option<Time> {
    let runtime = name::runtime_of_point(point);
    let (mut own, mut closed) = (None, None);
    for key in keys.filter(|key| key.usage == KeyUse::Event && name::runtime_of_point(&key.owner) == runtime) {
        if key.owner == point && key.kid == kid {
            own = Some(key.nbf);
            continue;
        }
        let since = match key.status {
            // Of another point nothing was closed then: none is registered beside such a key, nor in the place of its point.
            KeyStatus::Active if key.owner != point => continue,
            KeyStatus::Active => key.nbf,
            KeyStatus::Retired(since) | KeyStatus::Compromised(since) => since,
        };
        closed = closed.max(Some(since));
    }
    closed.map(|closed| own.map_or(Time(i64::MAX), |own| own.max(closed)))
}

#[cfg(test)]
pub(crate) mod tests;
