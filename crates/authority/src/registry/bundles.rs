//! The policy bundles that were ever published, by hash: fetched from the ledger, kept, compiled once.

use super::current::Policy;
use crate::ledger::Ledger;
use bytes::Bytes;
use eleven_core::encoding::{Value, parse_canonical};
use eleven_core::form::FormError;
use eleven_core::hash::Sha3;
use eleven_core::limits::{MAX_BUNDLE, MAX_POLICY};
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::PolicyRecord;
use eleven_policy::PolicyError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Bundles that are kept at once, and bytes of them: strangers ask for all there ever were. Those in force are fetched again where they
/// were dropped.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 16 * MAX_BUNDLE;
/// Bundles that are fetched at once for strangers, who ask by a hash: each is up to 4 MiB before it is kept.
const FETCHED: usize = 16;
/// How long whoever publishes a bundle waits for it to be compiled, and those before it. Within the limits it takes seconds; the
/// command line has ten for the whole act.
const COMPILED_WITHIN: Duration = Duration::from_secs(8);

/// Bundles by hash.
pub(super) struct Bundles {
    ledger: Ledger,
    held: Mutex<Held>,
    /// One bundle is compiled for publication at a time.
    turn: Arc<Semaphore>,
    /// What is fetched for strangers.
    fetches: Semaphore,
}

/// Why a bundle can't be published.
#[derive(Debug)]
pub(crate) enum NotCompiled {
    /// It is none.
    Form(FormError),
    /// It does not compile.
    Policy(PolicyError),
    /// That was not known in time.
    Late,
    /// What compiles it broke off.
    Broken,
}

#[derive(Default)]
struct Held {
    /// What the ledger says was published: nothing else is served by hash, whatever the ledger stores beside it.
    published: BTreeSet<Sha3>,
    bytes: BTreeMap<Sha3, Bytes>,
    /// What is published next, as it was compiled, until the ledger has it.
    compiled: Option<Arc<Policy>>,
    /// Of those in force, whose bundle does not compile: it would not the next time.
    broken: BTreeSet<Sha3>,
}

/// What there is to know of a policy in force whose reference is longer than one that is published now: an earlier version took it, and
/// it goes on to decide.
fn past_limit(row: &PolicyRecord) -> Option<&'static str> {
    (row.id.reference.len() > MAX_POLICY).then_some(
        "the reference of this policy in force is longer than 512 bytes: what a call under it leaves may be too large to be recorded, and \
         such a call its point refuses (limits.exceeded); retire it and publish it under a shorter path",
    )
}

impl Bundles {
    pub(super) fn new(ledger: Ledger) -> Self {
        let (turn, fetches) = (Arc::new(Semaphore::new(1)), Semaphore::new(FETCHED));
        Self { ledger, held: Mutex::default(), turn, fetches }
    }

    /// Reads and compiles a bundle that is to be published, and gives its canonical bytes besides.
    pub(super) async fn compile(&self, bundle: Value) -> Result<(Arc<Policy>, Vec<u8>), NotCompiled> {
        let compiling = self.in_turn(move || read_and_compile(bundle));
        let compiled = tokio::time::timeout(COMPILED_WITHIN, compiling).await;
        compiled.unwrap_or(Err(NotCompiled::Late))
    }

    /// Keeps the policy that is published next: what was compiled decides once it is in force, and is not compiled again.
    pub(super) fn publishes(&self, policy: Arc<Policy>) {
        self.held().compiled = Some(policy);
    }

    /// On a thread of its own: those that serve go on.
    async fn in_turn<T: Send + 'static>(
        &self,
        compile: impl FnOnce() -> Result<T, NotCompiled> + Send + 'static,
    ) -> Result<T, NotCompiled> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let compiling = spawn_blocking(move || {
            // Until it is done, also where nobody waits for it any more.
            let _turn = turn;
            compile()
        });
        compiling.await.unwrap_or_else(|error| {
            tracing::error!(%error, "what compiles a policy that is to be published broke off");
            Err(NotCompiled::Broken)
        })
    }

    /// Notes that a bundle was published.
    pub(super) fn published(&self, hash: Sha3) {
        self.held().published.insert(hash);
    }

    /// A published bundle's bytes, for whoever asks: where they are not kept, for a stranger when it has its turn. A point that waited
    /// for strangers would come to no view. `None` as [`Bundles::get`] has it.
    pub(super) async fn shown(&self, hash: Sha3, is_stranger: bool) -> Option<Bytes> {
        if let Some(known) = self.known(hash) {
            return known;
        }
        let _turn = if is_stranger { Some(self.fetches.acquire().await) } else { None };
        self.get(hash).await
    }

    /// What is known without the ledger: the bytes that are kept, or that none of that hash was published.
    fn known(&self, hash: Sha3) -> Option<Option<Bytes>> {
        let held = self.held();
        if held.published.contains(&hash) { held.bytes.get(&hash).cloned().map(Some) } else { Some(None) }
    }

    /// A published bundle's bytes; `None` where none of that hash was published, or the ledger does not answer.
    async fn get(&self, hash: Sha3) -> Option<Bytes> {
        if let Some(known) = self.known(hash) {
            return known;
        }
        match self.ledger.blob(hash).await {
            Ok(bytes) => {
                self.keep(hash, bytes.clone());
                Some(bytes)
            }
            Err(error) => {
                // Whoever asks may ask again and again: what is missed here is said where it is to decide.
                tracing::debug!(%hash, %error, "a policy bundle is not to be had");
                None
            }
        }
    }

    /// The policies of these rows, ready to decide: those of `before` are shared. A row whose bundle can't be had, is not
    /// the row's or does not compile is left out: what it covers is denied.
    pub(super) async fn policies(
        &self,
        rows: &[PolicyRecord],
        before: &BTreeMap<Sha3, Arc<Policy>>,
    ) -> BTreeMap<Sha3, Arc<Policy>> {
        let mut policies = BTreeMap::new();
        for row in rows {
            let hash = row.id.hash;
            if let Some(policy) = before.get(&hash) {
                policies.insert(hash, Arc::clone(policy));
                continue;
            }
            if let Some(policy) = self.compiled_of(row) {
                policies.insert(hash, policy);
                continue;
            }
            if self.held().broken.contains(&hash) {
                continue;
            }
            let Some(bytes) = self.get(hash).await else {
                tracing::warn!(policy = %row.id.reference, "the bundle of a policy in force is not to be had from the ledger");
                continue;
            };
            if let Some(why) = past_limit(row) {
                tracing::warn!(policy = %row.id.reference, "{why}");
            }
            let listed = row.clone();
            let compiled = spawn_blocking(move || compile(&listed, &bytes)).await;
            // What broke off may go through the next time.
            let broke_off = compiled.is_err();
            match compiled.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(policy) => drop(policies.insert(hash, Arc::new(policy))),
                Err(why) => {
                    tracing::error!(
                        policy = %row.id.reference,
                        %why,
                        "a policy in force does not decide, so that what it covers is denied: put another in its place by `eleven policy \
                         publish FILE --next`"
                    );
                    if !broke_off {
                        self.held().broken.insert(hash);
                    }
                }
            }
        }
        policies
    }

    /// What was compiled to be published, where it is the row's.
    fn compiled_of(&self, row: &PolicyRecord) -> Option<Arc<Policy>> {
        self.held().compiled.take_if(|policy| is_of(&policy.bundle, row))
    }

    fn keep(&self, hash: Sha3, bytes: Bytes) {
        let mut held = self.held();
        let size = held.bytes.values().map(Bytes::len).sum::<usize>();
        if held.bytes.len() >= KEPT || size + bytes.len() > KEPT_BYTES {
            held.bytes.clear();
        }
        held.bytes.insert(hash, bytes);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_and_compile(bundle: Value) -> Result<(Arc<Policy>, Vec<u8>), NotCompiled> {
    let bytes = bundle.canonical();
    let bundle = PolicyBundle::read(bundle).map_err(NotCompiled::Form)?;
    // One that was published before stays what it is.
    let policy = Policy::publishable(bundle, bytes.len()).map_err(NotCompiled::Policy)?;
    Ok((Arc::new(policy), bytes))
}

/// Reads and compiles a bundle, which must be the row's.
fn compile(row: &PolicyRecord, bytes: &Bytes) -> Result<Policy, String> {
    let value = parse_canonical(bytes).map_err(|error| error.to_string())?;
    let bundle = PolicyBundle::read(value).map_err(|error| error.to_string())?;
    if !is_of(&bundle, row) {
        return Err("the bundle is not what the registry lists".to_owned());
    }
    Policy::compile(bundle).map_err(|error| error.to_string())
}

/// Whether a bundle is the one that a row lists.
fn is_of(bundle: &PolicyBundle, row: &PolicyRecord) -> bool {
    PolicyRecord::of(bundle) == *row
}

#[cfg(test)]
mod tests;
