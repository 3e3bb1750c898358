//! How far this point's records stand under heads that are signed, cosigned, mirrored (PROTOCOL 7 and 8). The ledger is
//! asked for its checkpoints; what they are worth is judged here, by the trust root in force.

use crate::roots::Roots;
use eleven_api::audit::Durability;
use eleven_api::client::Client;
use eleven_api::edge::{Clock, Moment};
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_api::serve::stopped;
use eleven_core::head::checkpoint::Note;
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_core::time::Time;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How often the ledger is asked while something waits for its heads.
const ASK: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(2);
/// Acknowledgements closer to each other than this, in milliseconds, wait as one.
const TOGETHER: i64 = 50;
/// The levels that a head gives.
const LEVELS: [Durability; 3] = [Durability::D3, Durability::D4, Durability::D5];

/// What is required of all that the ledger acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Required {
    /// The least level that it has to reach.
    pub level: Durability,
    /// And within which time.
    pub window: Duration,
}

/// What waits for heads.
pub(crate) struct Standing {
    required: Option<Required>,
    /// Acknowledgements that no head of the required level covers: when, and the ledger's size then.
    waiting: Mutex<VecDeque<(Moment, u64)>>,
    /// The number that the ledger expects next of this point, and its size when it said so.
    acknowledged: watch::Sender<(u64, u64)>,
    /// The largest size under a head of each level.
    covered: watch::Sender<[u64; 3]>,
    /// How many executions wait for each level.
    wanted: [AtomicU64; 3],
    /// When the last of them has to know, once this point is told to stop.
    end: watch::Sender<Option<Instant>>,
    wake: Notify,
}

/// An execution that waits, for as long as this lives.
struct Wanted<'a>(&'a AtomicU64);

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn place(level: Durability) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

impl Standing {
    pub(crate) fn new(required: Option<Required>) -> Self {
        Self {
            required: required.filter(|required| place(required.level).is_some()),
            waiting: Mutex::new(VecDeque::new()),
            acknowledged: watch::Sender::new((0, 0)),
            covered: watch::Sender::new([0; 3]),
            wanted: Default::default(),
            end: watch::Sender::new(None),
            wake: Notify::new(),
        }
    }

    /// The ledger, of `size` entries, has all records of this point below `next`.
    pub(crate) fn acknowledge(&self, now: Moment, next: u64, size: u64) {
        let further = self.acknowledged.send_if_modified(|known| {
            let further = next > known.0;
            if further {
                *known = (next, size);
            }
            further
        });
        let Some(required) = self.required else { return };
        // The ledger may have grown by others only: then nothing of this point is new there.
        if !further || size <= self.covered(required.level) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.back_mut() {
            Some((at, last)) if at.steady_ms(now) < TOGETHER => *last = size.max(*last),
            _ => waiting.push_back((now, size)),
        }
    }

    fn covered(&self, level: Durability) -> u64 {
        place(level).and_then(|at| self.covered.borrow().get(at).copied()).unwrap_or(0)
    }

    /// A head of `level` covers `size` entries.
    fn cover(&self, level: Durability, size: u64) {
        self.covered.send_modify(|covered| {
            for (known, sizes) in LEVELS.iter().zip(covered.iter_mut()) {
                if *known <= level {
                    *sizes = size.max(*sizes);
                }
            }
        });
        let Some(required) = self.required else { return };
        let covered = self.covered(required.level);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.front().is_some_and(|(_, size)| *size <= covered) {
            waiting.pop_front();
        }
    }

    /// Milliseconds for which the oldest acknowledged record has waited for a head of the required level, and how many it
    /// may (step 16); `None` where nothing is required.
    pub(crate) fn unproven_ms(&self, now: Moment) -> Option<(i64, i64)> {
        let required = self.required?;
        let oldest = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).front().copied();
        // By the steady clock alone, as a backlog's age: what waits too long ends what runs.
        let waits = oldest.map_or(0, |(at, _)| at.steady_ms(now));
        Some((waits, i64::try_from(required.window.as_millis()).unwrap_or(i64::MAX)))
    }

    /// From now on nothing waits for longer than this: this point is about to end, and whoever waits is to hear before that its
    /// answer is withheld.
    pub(crate) fn end_within(&self, most: Duration) {
        self.end.send_replace(Some(Instant::now() + most));
    }

    /// Waits until the record of number `src_seq` stands under a head of `level`; false where that takes longer than
    /// `most`, or than this point is there.
    pub(crate) async fn reached(&self, src_seq: u64, level: Durability, most: Duration) -> bool {
        let Some(at) = place(level) else { return true };
        let Some(wanted) = self.wanted.get(at) else { return true };
        wanted.fetch_add(1, Ordering::AcqRel);
        let _wanted = Wanted(wanted);
        let (mut acknowledged, mut covered) = (self.acknowledged.subscribe(), self.covered.subscribe());
        let both = async {
            let size = acknowledged.wait_for(|(next, _)| *next > src_seq).await.map(|known| known.1).ok()?;
            self.wake.notify_one();
            covered.wait_for(|sizes| sizes.get(at).is_some_and(|covered| *covered >= size)).await.ok().map(|_| ())
        };
        let mut end = self.end.subscribe();
        let ending = async {
            let end = end.wait_for(Option::is_some).await.ok().and_then(|end| *end);
            match end {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What is there is told, also where the end has come.
            biased;
            reached = tokio::time::timeout(most, both) => reached.is_ok_and(|reached| reached.is_some()),
            () = ending => false,
        }
    }

    /// Whether anything waits for a level.
    fn waits_for(&self, level: Durability) -> bool {
        let wanted =
            place(level).and_then(|at| self.wanted.get(at)).is_some_and(|wanted| wanted.load(Ordering::Acquire) > 0);
        let required = self.required.is_some_and(|required| required.level == level);
        wanted || (required && !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }

    /// Asks for checkpoints while something waits for them, until told to stop.
    pub(crate) async fn follow(self: Arc<Self>, asking: Asking, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(ASK) => {}
                () = stopped(&mut stop) => return,
            }
            for level in LEVELS.into_iter().filter(|level| self.waits_for(*level)) {
                match asking.checkpoint(level).await {
                    Ok((level, size)) => {
                        failing = false;
                        self.cover(level, size);
                    }
                    Err(why) => {
                        if !std::mem::replace(&mut failing, true) {
                            tracing::warn!(%level, why, "the ledger shows no head that would do");
                        }
                    }
                }
            }
        }
    }
}

/// Who asks the ledger.
pub(crate) struct Asking {
    pub(crate) client: Client,
    /// The point, which reads by its event key.
    pub(crate) reader: ReadAs,
    pub(crate) ledger: String,
    pub(crate) roots: Arc<Roots>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Asking {
    /// The last checkpoint of a level: what it is worth, and how many entries it covers.
    async fn checkpoint(&self, level: Durability) -> Result<(Durability, u64), String> {
        let path = format!("{}?durability={level}", routes::CHECKPOINT);
        let body =
            self.client.get_as(&self.reader, &self.ledger, &path, DEADLINE).await.map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&body).map_err(|_| "its checkpoint is no text".to_owned())?;
        let note = Note::parse(text).map_err(|error| error.to_string())?;
        let worth = judge(&self.roots.last(), &note, self.clock.now())?;
        if worth < level {
            return Err(format!("by this point's trust root its checkpoint is {worth}, not {level}"));
        }
        Ok((worth, note.checkpoint.size))
    }
}

/// What a checkpoint is worth by a root, at `now`.
fn judge(root: &TrustRoot, note: &Note, now: Time) -> Result<Durability, String> {
    let origin = root.origin();
    if note.checkpoint.origin != origin {
        return Err(format!("its checkpoint is of {}, not of {origin}", note.checkpoint.origin));
    }
    let mut keys = root.roles.iter().filter(|key| key.usage == KeyUse::Head && key.counts_at(now));
    if !keys.any(|key| key.verifying().is_some_and(|key| note.signed_by(&key))) {
        return Err("no head key of the root signed its checkpoint".to_owned());
    }
    Ok(Durability::of(note, &root.witnesses))
}

#[cfg(test)]
mod tests;
