//! How far this point's records stand under heads that are signed, cosigned, mirrored (PROTOCOL 7 and 8). The ledger is
//! asked for its checkpoints; what they are worth is judged here, by the trust root in force.

use crate::forward;
use crate::roots::Roots;
use eleven_api::audit::{Cursor, Durability};
use eleven_api::client::{CallError, Client};
use eleven_api::edge::{Clock, Moment};
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_api::serve::stopped;
use eleven_core::head::checkpoint::Note;
use eleven_core::root::{KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::VerifyingKey;
use eleven_core::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How often the ledger is asked while something waits for its heads.
const ASK: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(2);
/// For how long a starting point asks for another head, where by the last one it would admit nothing: longer than until the next one
/// where all is well.
const RESUME: Duration = Duration::from_secs(2);
/// Acknowledgements closer to each other than this, in milliseconds, wait as one.
const TOGETHER: i64 = 50;
/// And so do those closer than this part of the time for which the oldest waits: what is refused is recorded and acknowledged as well,
/// for as long as heads stay out.
const PART: i64 = 1000;
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

impl Required {
    fn window_ms(self) -> i64 {
        i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX)
    }

    /// The moment before `now` from which on what waits has waited for too long.
    fn too_long_before(self, now: Moment) -> Moment {
        Moment { steady: now.steady.saturating_sub(self.window_ms()).saturating_sub(1), ..now }
    }
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
    /// Whether the next acknowledgement is of records from before this process, and since when they wait is not known.
    unknown: AtomicBool,
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
            unknown: AtomicBool::new(false),
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
        if !further {
            return;
        }
        let since = if self.unknown.swap(false, Ordering::AcqRel) { required.too_long_before(now) } else { now };
        if size <= self.covered(required.level) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = waiting.front().map_or(0, |(at, _)| at.steady_ms(since));
        match waiting.back_mut() {
            Some((at, last)) if at.steady_ms(since) < TOGETHER.max(oldest / PART) => *last = size.max(*last),
            _ => waiting.push_back((since, size)),
        }
    }

    /// What the ledger has of a process before this one waits since the last head of the required level was cosigned, where the
    /// ledger has grown since. Where none says when that was, as one that is only signed does not, it has waited for too long, until a
    /// head covers it.
    pub(crate) async fn resume(&self, asking: &Asking, cursor: &Cursor) {
        let Some(required) = self.required.filter(|_| cursor.next > 0) else { return };
        let (until, mut last) = (Instant::now() + RESUME, None);
        loop {
            // A ledger that is late with its answer holds up the start no longer than one that shows no head.
            let asked = tokio::time::timeout_at(until, asking.checkpoint(required.level)).await;
            if let Ok(Ok(shown)) = asked {
                self.cover(shown.worth, shown.size);
                last = shown.cosigned.or(last);
            }
            let now = Moment::now(&*asking.clock);
            let since = last.map_or_else(|| required.too_long_before(now), |at| now.back_to(at));
            let owes = cursor.size > self.covered(required.level) && since.steady_ms(now) > required.window_ms();
            if !owes || Instant::now() + ASK >= until {
                if owes {
                    let (level, waits) = (required.level, since.steady_ms(now));
                    tracing::warn!(%level, waits, "nothing is admitted until a head covers what the ledger has of this point");
                }
                return self.acknowledge(since, cursor.next, cursor.size);
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// The ledger did not say what it has of a process before this one, whose journal `holds` records or none. What it acknowledges
    /// first has waited for too long, until a head covers it.
    pub(crate) fn resume_unasked(&self, holds: bool) {
        self.unknown.store(holds, Ordering::Release);
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
        Some((waits, required.window_ms()))
    }

    /// From now on nothing waits for longer than this: this point is about to end, and whoever waits is to hear before that its
    /// answer is withheld.
    pub(crate) fn end_within(&self, most: Duration) {
        self.end.send_replace(Some(Instant::now() + most));
    }

    /// Waits until the record of number `src_seq` stands under a head of `level`; false where that takes longer than
    /// `most`, or than this point is there. What is in the journal is durable on one machine, and no head says that it is on a
    /// quorum of them.
    pub(crate) async fn reached(&self, src_seq: u64, level: Durability, most: Duration) -> bool {
        let Some(at) = place(level) else { return level <= Durability::D1 };
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
        let mut said = Said::default();
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(ASK) => {}
                () = stopped(&mut stop) => return,
            }
            for level in LEVELS.into_iter().filter(|level| self.waits_for(*level)) {
                let asked = tokio::select! {
                    asked = asking.checkpoint(level) => asked,
                    () = stopped(&mut stop) => return,
                };
                match asked {
                    Ok(shown) => {
                        if said.is_news(level, None) {
                            tracing::info!(%level, "the ledger shows a head that does again");
                        }
                        self.cover(shown.worth, shown.size);
                    }
                    Err(why) => {
                        let text = why.to_string();
                        if said.is_news(level, Some(why)) {
                            tracing::warn!(%level, why = text, "the ledger shows no head that would do: its log says why");
                        }
                    }
                }
            }
        }
    }
}

/// What was said last of each level of which the ledger shows no head: it is asked ten times a second.
#[derive(Default)]
struct Said([Option<Unshown>; 3]);

impl Said {
    /// Whether this is something else of the level than what was said before; `why` where there is no head of it.
    fn is_news(&mut self, level: Durability, why: Option<Unshown>) -> bool {
        let Some(said) = place(level).and_then(|at| self.0.get_mut(at)) else { return false };
        let known = match (said.as_ref(), &why) {
            (Some(said), Some(why)) => said.is_like(why),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        *said = why;
        !known
    }
}

/// Why the ledger shows no head that would do.
#[derive(Debug)]
enum Unshown {
    /// It does not answer, or refuses.
    Call(CallError),
    /// What it shows is none.
    Head(String),
}

impl Unshown {
    /// Whether another is the same beside the numbers and words that vary from one question to the next.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Call(one), Self::Call(other)) => forward::kind(one) == forward::kind(other),
            (Self::Head(one), Self::Head(other)) => one == other,
            (Self::Call(_), Self::Head(_)) | (Self::Head(_), Self::Call(_)) => false,
        }
    }
}

impl fmt::Display for Unshown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Head(why) => f.write_str(why),
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

/// A checkpoint that the ledger showed.
struct Shown {
    /// What it is worth.
    worth: Durability,
    /// How many entries it covers.
    size: u64,
    /// When it was cosigned, as far as the level that was asked for has it be.
    cosigned: Option<Time>,
}

impl Asking {
    /// The last checkpoint of a level.
    async fn checkpoint(&self, level: Durability) -> Result<Shown, Unshown> {
        let path = format!("{}?durability={level}", routes::CHECKPOINT);
        let body = self.client.get_as(&self.reader, &self.ledger, &path, DEADLINE).await.map_err(Unshown::Call)?;
        let text = std::str::from_utf8(&body).map_err(|_| Unshown::Head("its checkpoint is no text".to_owned()))?;
        let note = Note::parse(text).map_err(|error| Unshown::Head(error.to_string()))?;
        let root = self.roots.last();
        let worth = judge(&root, &note, self.clock.now()).map_err(Unshown::Head)?;
        if worth < level {
            let why = format!("by this point's trust root its checkpoint is {worth}, not {level}");
            return Err(Unshown::Head(why));
        }
        let cosigned = cosigned(&root.witnesses, &note, level);
        Ok(Shown { worth, size: note.checkpoint.size, cosigned })
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

/// When as many witnesses as a level asks for had cosigned, by their own clocks: fewer of them can't make it later. `None` where so
/// many did not, or the level asks for none.
fn cosigned(witnesses: &Witnesses, note: &Note, level: Durability) -> Option<Time> {
    let last = |auditing: bool, many: u64| {
        // A public key counts once, whatever its names.
        let mut times: BTreeMap<[u8; 32], u64> = BTreeMap::new();
        for key in witnesses.keys.iter().filter(|key| key.audits || !auditing) {
            let public = VerifyingKey::new(&key.public);
            if let Some(time) = public.and_then(|public| note.cosigned_by(&key.name, &public)) {
                let known = times.entry(key.public).or_insert(time);
                *known = time.min(*known);
            }
        }
        let mut times: Vec<u64> = times.into_values().collect();
        times.sort_unstable();
        times.into_iter().nth_back(usize::try_from(many.checked_sub(1)?).ok()?)
    };
    let seconds = match level {
        Durability::D4 => last(false, witnesses.quorum)?,
        Durability::D5 => last(false, witnesses.quorum)?.min(last(true, witnesses.auditors.max(1))?),
        Durability::D0 | Durability::D1 | Durability::D2 | Durability::D3 => return None,
    };
    i64::try_from(seconds).ok()?.checked_mul(1000).map(Time)
}

#[cfg(test)]
mod tests;
