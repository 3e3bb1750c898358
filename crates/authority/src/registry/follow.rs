//! The two tasks that make what is served: one follows the ledger and folds, one stamps.

use super::Registry;
use super::current::{Current, EpochError, Known};
use super::drift::{Drifts, Open};
use super::producers::{Producers, verify_signed};
use crate::identity::keys;
use crate::ledger::{Page, Row, Which};
use eleven_api::client::CallError;
use eleven_api::edge::Moment;
use eleven_api::serve::stopped;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::registry::{Fold, FoldError, KeyTables, PublishedPolicy};
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_core::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long the ledger may hold a question open: well below the least `fresh`.
const LONG_POLL: Duration = Duration::from_millis(400);
/// The pause after a question that failed.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the ledger is followed after it showed the last entry that was taken, before it is to show that once more.
const SHOWN_AGAIN_MS: i64 = 1_000;
/// Why a ledger is followed no further that has not what it told.
const WENT_BACK: &str = "the ledger has not what it told before: it went back, or is another one; if its operator meant that, \
                         restart this authority";
/// What to do about a record that its producer's key did not sign.
const FORGED: &str = "look at who answers at the ledger's address, then restart this authority";
/// The status of an answer to a reader whom the ledger does not know, or not by this signature.
const UNKNOWN_READER: u16 = 401;
/// How often the last epoch is stamped.
const STAMP_EVERY: Duration = Duration::from_secs(1);
/// How often it is stamped where a view may be one second old.
const STAMP_OFTEN: Duration = Duration::from_millis(250);
/// Events whose epochs are remembered.
const REMEMBERED: usize = 1000;

/// What the following task has folded so far.
#[derive(Default)]
struct Following {
    fold: Option<Fold>,
    /// The entry that the fold goes on with.
    next: u64,
    /// The last entry that was folded: a ledger that has it still is the one that is followed.
    last: Option<Taken>,
    /// When the ledger last showed the last entry that was taken of its kind, by the steady clock; `None` where it has to before
    /// anything else is taken.
    shown: Option<i64>,
    recent: VecDeque<(Sha3, u64)>,
    /// Since when each issuer key and each identity key is in the registry: by the ledger, where that was before this process came to
    /// know it.
    issuers: BTreeMap<String, Time>,
    tables: KeyTables,
    /// How far each producer's stream was folded.
    producers: Producers,
    drifts: Drifts,
    /// The entry that the drifts go on with: behind `next` where the ledger did not show discontinuities for a while. A drift
    /// and what answered it are told apart by their order, so that nothing is taken before what stands in between.
    drifts_next: u64,
    /// The last entry that they took.
    drifts_last: Option<Taken>,
    /// Whether the last page came without discontinuities.
    blind: bool,
}

/// Follows the ledger until told to stop, or until it holds what this authority must not follow or cannot sign. From then on
/// nothing is decided or stamped: what was in force before may not be any more. Nor is it begun anew before an operator does
/// that: another process would know nothing of what this one was told.
pub(super) async fn follow(registry: Arc<Registry>, mut stop: watch::Receiver<bool>) {
    let (mut following, mut silent) = (Following::default(), false);
    loop {
        let asked = tokio::select! {
            asked = following.ask(&registry) => asked,
            () = stopped(&mut stop) => return,
        };
        match asked {
            Ok(asked) => {
                silent = false;
                if let Err(why) = following.go_on(&registry, asked).await {
                    registry.hear(None);
                    tracing::error!(%why, "the registry is followed no further: from here on everything is refused");
                    return stopped(&mut stop).await;
                }
            }
            Err(error) => {
                if !silent {
                    tracing::warn!(%error, "the ledger does not tell registry events");
                }
                silent = true;
                // Whoever answers next may have been put back meanwhile.
                following.shown = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// An entry's number and its record's hash.
type Taken = (u64, Sha3);

/// A page, and from which entry it was asked for.
struct Asked {
    from: u64,
    page: Page,
}

impl Following {
    /// Asks for what comes next. Discontinuities are shown only to whoever the ledger knows, by a signature of its own time;
    /// the registry is by one of any time, where the domain is not private: that two clocks disagree must not stop who decides.
    async fn ask(&self, registry: &Registry) -> Result<Asked, CallError> {
        match self.ask_for(registry, Which::WithDiscontinuities).await {
            Err(CallError::Refused(problem)) if problem.status == UNKNOWN_READER => {
                self.ask_for(registry, Which::Registry).await
            }
            asked => asked,
        }
    }

    /// Asks from where what is asked for goes on, or from the last entry before that, where the ledger has not shown it lately.
    async fn ask_for(&self, registry: &Registry, which: Which) -> Result<Asked, CallError> {
        let next = if which == Which::Registry { self.next } else { self.drifts_next };
        let lately = self.shown.is_some_and(|shown| registry.clock.steady().saturating_sub(shown) < SHOWN_AGAIN_MS);
        let from = self.last_of(which).filter(|_| !lately).map_or(next, |(seq, _)| seq);
        let page = registry.ledger.registry_entries(which, from, LONG_POLL).await?;
        Ok(Asked { from, page })
    }

    /// The last entry that was taken of such a page.
    const fn last_of(&self, which: Which) -> Option<Taken> {
        match which {
            Which::Registry => self.last,
            Which::WithDiscontinuities => self.drifts_last,
        }
    }

    /// Takes a page of a ledger that has what it told. One that was put back, and has grown past where it was, does not show that
    /// by its size: before another entry is taken it shows the last one that was.
    async fn go_on(&mut self, registry: &Registry, Asked { from, page }: Asked) -> Result<(), String> {
        let now = registry.clock.steady();
        let last = self.last_of(page.which);
        let shows_last = last.is_none_or(|(seq, _)| from <= seq);
        if !shows_last && !page.entries.is_empty() {
            self.shown = None;
            return Ok(());
        }
        let has = |(seq, hash): &Taken| page.entries.iter().any(|row| row.seq == *seq && row.record.hash == *hash);
        // Every page shows what was folded; what the drifts took only one with discontinuities.
        let told = |(seq, _): &Taken| (from..page.next).contains(seq);
        if [self.last, last].iter().flatten().any(|taken| told(taken) && !has(taken)) {
            return Err(WENT_BACK.to_owned());
        }
        let more = page.next < page.size;
        self.take(registry, page).await?;
        if more {
            self.shown = None;
        } else if shows_last {
            self.shown = Some(now);
        }
        Ok(())
    }

    /// Says once that discontinuities are not shown, and once that they are again.
    fn note(&mut self, which: Which) {
        let blind = which == Which::Registry;
        if blind && !self.blind {
            tracing::error!(
                from = self.drifts_next,
                "the ledger does not take this authority's signature as a reader, so that what drifts is not seen and not \
                 contained: most likely the clocks of the two are more than ten seconds apart, set them; else see that the \
                 authority's event key counts in the registry"
            );
        } else if self.blind && !blind {
            tracing::warn!(
                from = self.drifts_next,
                "the ledger shows what drifts again: it is read from where it was not"
            );
        }
        self.blind = blind;
    }

    /// Folds a page and, where it reaches the ledger's end, puts what that came to in place. What was in force before the
    /// end is nobody's to sign any more: its key may be a former one.
    async fn take(&mut self, registry: &Registry, page: Page) -> Result<(), String> {
        let heard = Moment::now(&*registry.clock);
        if page.size < self.next {
            return Err(WENT_BACK.to_owned());
        }
        self.note(page.which);
        let with_drifts = page.which == Which::WithDiscontinuities;
        for row in &page.entries {
            let is_folded = row.seq < self.next;
            if !is_folded {
                self.fold_in(registry, row)?;
                self.next = row.seq + 1;
            }
            if with_drifts && row.seq >= self.drifts_next {
                if is_folded {
                    self.check_signed(row)?;
                }
                self.take_drift(row);
            }
        }
        self.next = self.next.max(page.next);
        if with_drifts {
            self.drifts_next = self.drifts_next.max(page.next);
        }
        if self.next < page.size {
            return Ok(());
        }
        if let Some(next) = self.next_current(registry).await? {
            tracing::info!(epoch = next.view.epoch(), "the registry's next epoch");
            registry.current.send_replace(Some(Arc::new(next)));
        }
        // After that: what was in force before is not fresh by what was heard now, to whoever decides or stamps at this moment.
        registry.hear(Some(heard));
        // What is in place by now holds it all: whoever sees this number sees that.
        registry.folded.send_replace(self.next);
        // Of what is not read to the end nobody knows whether it was answered since.
        let none = Open::new();
        let open = if self.drifts_next < page.size { &none } else { self.drifts.open() };
        registry.drifts.send_if_modified(|known| {
            let changed = known != open;
            known.clone_from(open);
            changed
        });
        Ok(())
    }

    fn fold_in(&mut self, registry: &Registry, row: &Row) -> Result<(), String> {
        let (seq, record) = (row.seq, &row.record);
        // The ledger appended what the same rules refuse here.
        let refused = |error: FoldError| format!("entry {seq}, {}: {error}", record.event);
        let forged = |why: &str| forged(row, why);
        let changed = match &mut self.fold {
            None if record.event == "ledger.genesis" && seq == 0 => {
                let fold = Fold::genesis(row.at, &record.by, &record.data).map_err(refused)?;
                self.producers.take(&fold, &mut self.tables, row).map_err(forged)?;
                self.fold = Some(fold);
                true
            }
            None => return Err("the ledger does not begin with its genesis".to_owned()),
            Some(fold) => {
                self.producers.take(fold, &mut self.tables, row).map_err(forged)?;
                fold.apply(row.at, &record.event, &record.by, &record.data).map_err(refused)?
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
            self.last = Some((seq, record.hash));
            // Points learn of a key from here, and not before it came here: however late that is, and by this clock. What was there
            // before this process they may know from the one before.
            let since = || if registry.current().is_some() { row.at.max(registry.clock.now()) } else { row.at };
            match record.event.as_str() {
                "ledger.genesis" | "key.registered" => {
                    for key in fold.lists().keys.iter().filter(|key| key.usage == KeyUse::Issuer) {
                        self.issuers.entry(key.kid.clone()).or_insert_with(since);
                    }
                }
                "source.registered" => {
                    if let Some(kid) = keys::registered(&record.data) {
                        self.issuers.entry(kid.to_owned()).or_insert_with(since);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What was folded is verified, and what stood between was not shown then.
    fn check_signed(&mut self, row: &Row) -> Result<(), String> {
        let Some(fold) = &self.fold else { return Ok(()) };
        let forged = |why: &str| forged(row, why);
        verify_signed(fold, &mut self.tables, row).map_err(forged)
    }

    fn take_drift(&mut self, row: &Row) {
        if let Some(fold) = &self.fold {
            self.drifts.take(fold.domain(), &row.record);
        }
        self.drifts_last = Some((row.seq, row.record.hash));
        self.drifts_next = row.seq + 1;
    }

    /// The last epoch, where it is not in place yet, or where policies of it are at hand now that were not before.
    async fn next_current(&mut self, registry: &Registry) -> Result<Option<Current>, String> {
        let Some(fold) = &self.fold else { return Ok(None) };
        let before = registry.current();
        let none = BTreeMap::new();
        let held = before.as_ref().map_or(&none, |current| current.policies());
        let rows: Vec<_> = fold.lists().policies.iter().cloned().collect();
        let in_place = before.as_ref().is_some_and(|current| current.view.epoch() == fold.epoch());
        if in_place && held.len() == rows.len() {
            return Ok(None);
        }
        if !is_descended(fold, &registry.pinned) {
            return Err("the ledger's trust root does not lead back to the pinned one".to_owned());
        }
        let policies = registry.bundles.policies(&rows, held).await;
        if in_place && held.len() == policies.len() {
            return Ok(None);
        }
        let known = Known { recent: self.recent.iter().copied().collect(), issuers: self.issuers.clone() };
        let now = registry.clock.now();
        let signed = match registry.keys.named(&fold.header().kid) {
            Some(signer) => Current::sign(fold.clone(), policies, known, now, signer.as_ref(), &mut self.tables),
            None => Err(EpochError::NotHeld(fold.header().kid.clone())),
        };
        signed.map(Some).map_err(|error| format!("epoch {} cannot be signed: {error}", fold.epoch()))
    }
}

/// What is said of an entry that no ledger can have.
fn forged(row: &Row, why: &str) -> String {
    format!("entry {}, {}: {why}; {FORGED}", row.seq, row.record.event)
}

/// Whether one of the ledger's roots is the pinned one. The fold has verified that each follows the one before.
fn is_descended(fold: &Fold, pinned: &TrustRoot) -> bool {
    fold.roots().any(|root| root.payload() == pinned.payload())
}

/// Stamps the last epoch as long as the ledger is heard from.
pub(super) async fn stamp(registry: Arc<Registry>, mut stop: watch::Receiver<bool>) {
    loop {
        let often = registry.current().is_some_and(|current| current.view.fresh_ms() <= 2000);
        tokio::select! {
            () = tokio::time::sleep(if often { STAMP_OFTEN } else { STAMP_EVERY }) => {}
            () = stopped(&mut stop) => return,
        }
        let now = registry.clock.now();
        let Some(current) = registry.fresh(now) else { continue };
        // Held, for it has signed the header.
        let Some(signer) = registry.keys.named(&current.view.header().kid) else { continue };
        match current.restamped(now, signer.as_ref()) {
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

#[cfg(test)]
mod tests;
