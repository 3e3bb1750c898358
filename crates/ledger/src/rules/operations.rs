//! The lineages of all operations (PROTOCOL 5.1), compact: a closed one is a few dozen bytes.

use super::candidate::OpKey;
use super::refusal::Refusal;
use crate::saved::{In, Out, Save, saved_fields, saved_inner};
use eleven_core::artifact::{Artifact, UseMode};
use eleven_core::event::{About, Record};
use eleven_core::id;
use eleven_core::lineage::{IssuedData, Lineage, LineageError, Stage, issued_data};
use eleven_core::time::Time;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::ops::Bound;

/// Every lineage there is, by operation id; those of one event among them.
#[derive(Debug, Default)]
pub(super) struct Operations {
    slots: HashMap<OpKey, Slot>,
    /// How many of them run. Counted as they change, because strangers ask (`/metrics`) while the writer waits.
    running: usize,
    /// Those that a point began and nobody closed, by the point's name: one that lost its journal asks, page by page.
    begun: HashMap<String, BTreeSet<OpKey>>,
    /// Names of issuers; a slot names one by its place.
    issuers: Vec<String>,
}

#[derive(Debug)]
struct Slot {
    /// The entry of its last event.
    last: u64,
    issued: Issued,
    /// What a further event is held against; none once nothing may follow.
    open: Option<Box<Open>>,
}

/// Who issued an artifact, by the place of the name, counted from 1, in the lowest 24 bits, and the artifact's `exp` in seconds
/// above them; 0 where the lineage has none. Together they are no larger than a time needs that goes on after 2106, and there is one
/// for each lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Issued(u64);

#[derive(Clone, Debug)]
struct Open {
    lineage: Lineage,
    terms: Option<Terms>,
    /// Whether its artifact was moved out, or is about to be: then nothing is consumed by it any more.
    moved: bool,
}

/// What an artifact says about its uses. A replay does not know it where the artifact was moved to an archive.
#[derive(Clone, Debug)]
struct Terms {
    nonce: String,
    single: bool,
    max: Option<u64>,
    ancestors: Vec<String>,
}

/// A lineage that was judged to begin, and until when its artifact counts.
#[derive(Debug)]
pub(super) struct Begun {
    lineage: Lineage,
    exp: Time,
}

/// A lineage after an event that was judged to continue it.
#[derive(Debug)]
pub(super) struct Advanced(Lineage);

/// Who issued an artifact, and until when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Issuance<'a> {
    /// The authority.
    pub(super) issuer: &'a str,
    /// Its `exp`.
    pub(super) exp: Time,
}

impl Save for Operations {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.slots.save(out)?;
        self.issuers.save(out)
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let (slots, issuers): (HashMap<OpKey, Slot>, _) = (Save::load(from)?, Save::load(from)?);
        let running = slots.values().filter(|slot| slot.runs()).count();
        let mut begun: HashMap<String, BTreeSet<OpKey>> = HashMap::new();
        for (key, slot) in &slots {
            if let Some(point) = slot.point() {
                begun.entry(point.to_owned()).or_default().insert(*key);
            }
        }
        Ok(Self { slots, running, begun, issuers })
    }
}

impl Save for Slot {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.last.save(out)?;
        self.issued.save(out)?;
        // As after a replay: by what was moved nothing is consumed any more.
        let open = self.open.as_ref().filter(|open| !open.moved);
        open.is_some().save(out)?;
        open.map_or(Ok(()), |open| {
            open.lineage.save(out)?;
            open.terms.save(out)
        })
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let (last, issued) = (Save::load(from)?, Save::load(from)?);
        let open: Option<(Lineage, Option<Terms>)> = Save::load(from)?;
        let open = open.map(|(lineage, terms)| Box::new(Open { lineage, terms, moved: false }));
        Ok(Self { last, issued, open })
    }
}

saved_inner!(Issued);
saved_fields!(Terms { nonce, single, max, ancestors });

impl Operations {
    /// Whether there is a lineage of that id.
    #[must_use]
    pub(super) fn contains(&self, key: &OpKey) -> bool {
        self.slots.contains_key(key)
    }

    /// The entry of a lineage's last event.
    #[must_use]
    pub(super) fn last(&self, key: &OpKey) -> Option<u64> {
        self.slots.get(key).map(|slot| slot.last)
    }

    /// How many lineages there are, those of one event among them.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many operations were admitted and have not ended.
    #[must_use]
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// Operations that this point began and nobody closed, with the entries of their last events: so many of those behind
    /// `after`, in their order.
    #[must_use]
    pub(super) fn open_of(&self, point: &str, after: Option<&OpKey>, most: usize) -> Vec<(OpKey, u64)> {
        let Some(begun) = self.begun.get(point) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = begun.range::<OpKey, _>((from, Bound::Unbounded)).take(most);
        behind.filter_map(|key| Some((*key, self.last(key)?))).collect()
    }

    /// Who issued an artifact, and its expiry.
    #[must_use]
    pub(super) fn issuance(&self, key: &OpKey) -> Option<Issuance<'_>> {
        let slot = self.slots.get(key)?;
        let issuer = self.issuers.get(slot.issued.place()?)?;
        Some(Issuance { issuer, exp: slot.issued.exp() })
    }

    /// Whether an `authorization.issued` may begin its lineage, and the lineage after it. The artifact, where it came along, must be
    /// the one.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge_issued(
        &self,
        key: &OpKey,
        record: &Record,
        artifact: Option<&Artifact>,
    ) -> Result<Begun, Refusal> {
        if self.contains(key) {
            return Err(Refusal::OpKnown);
        }
        let lineage = Lineage::begin(record)?;
        let IssuedData { chash, exp, .. } = issued_data(&record.data).ok_or(LineageError::Data)?;
        let is_its = |artifact: &Artifact| {
            About::artifact(artifact) == record.about && chash == artifact.chash && exp == artifact.exp
        };
        if artifact.is_none_or(is_its) { Ok(Begun { lineage, exp }) } else { Err(Refusal::Artifact) }
    }

    /// Whether an `authorization.consumed` may follow, and the lineage after it. `revoked` tells of an artifact.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge_consumed(
        &self,
        key: &OpKey,
        record: &Record,
        revoked: impl Fn(&str) -> bool,
    ) -> Result<Advanced, Refusal> {
        let (content, k) = id::split_operation(&record.op).ok_or(Refusal::OpUnknown)?;
        let named = |k: u64| OpKey::of(&format!("{content}.{k}"));
        let is_known = |k: u64| named(k).is_some_and(|key| self.contains(&key));
        let slot = OpKey::of(content).and_then(|base| self.slots.get(&base)).ok_or(Refusal::OpUnknown)?;
        let open = slot.open.as_ref().filter(|open| !open.moved).ok_or(Refusal::Lineage(LineageError::Order))?;
        match k {
            None if is_known(1) => return Err(Refusal::Use),
            None => {}
            Some(_) if self.contains(key) => return Err(Refusal::Lineage(LineageError::Position)),
            Some(k) if k > 1 && !is_known(k - 1) => return Err(Refusal::UseOrder),
            Some(_) => {}
        }
        let lineage = open.lineage.advance(record)?;
        if let Some(terms) = &open.terms {
            terms.judge(record.data_str("nonce"), k)?;
        }
        let artifact = record.about.artifact_id.as_deref().unwrap_or_default();
        let ancestors = open.terms.iter().flat_map(|terms| terms.ancestors.iter());
        if revoked(artifact) || ancestors.into_iter().any(|ancestor| revoked(ancestor)) {
            return Err(Refusal::Revoked);
        }
        Ok(Advanced(lineage))
    }

    /// Whether a later event of a lineage may follow, and the lineage after it.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge_next(&self, key: &OpKey, record: &Record) -> Result<Advanced, Refusal> {
        let slot = self.slots.get(key).ok_or(Refusal::OpUnknown)?;
        let open = slot.open.as_ref().ok_or(Refusal::Lineage(LineageError::Order))?;
        Ok(Advanced(open.lineage.advance(record)?))
    }

    /// Begins the lineage of an `authorization.issued` of `issuer` at entry `seq`, as it was judged.
    pub(super) fn issued(
        &mut self,
        key: OpKey,
        seq: u64,
        issuer: &str,
        Begun { lineage, exp }: Begun,
        artifact: Option<&Artifact>,
    ) {
        let issued = Issued::new(self.place_of(issuer), exp);
        let terms = artifact.map(Terms::of);
        let open = Some(Box::new(Open { lineage, terms, moved: false }));
        self.put(key, Slot { last: seq, issued, open });
    }

    /// Continues a lineage by what was judged; returns the entry of the event before.
    pub(super) fn advanced(
        &mut self,
        key: OpKey,
        seq: u64,
        record: &Record,
        Advanced(lineage): Advanced,
    ) -> Option<u64> {
        let closed = lineage.stage == Stage::Closed;
        // Whoever consumed the artifact is who goes on: the lineage holds every event against that.
        match lineage.stage {
            Stage::Consumed => {
                self.begun.entry(record.by.clone()).or_default().insert(key);
            }
            Stage::Closed => {
                if let Some(begun) = self.begun.get_mut(&record.by) {
                    begun.remove(&key);
                }
            }
            _ => {}
        }
        if let Some(slot) = self.slots.get_mut(&key) {
            self.running -= usize::from(slot.runs());
            slot.open = if closed { None } else { Some(Box::new(Open::past_its_artifact(lineage))) };
            self.running += usize::from(slot.runs());
            return Some(std::mem::replace(&mut slot.last, seq));
        }
        // The first event of a use: event 1 stays where it is, under the artifact's own id.
        let base = id::split_operation(&record.op).and_then(|(content, _)| OpKey::of(content));
        let before = base.and_then(|base| self.last(&base));
        let open = Some(Box::new(Open::past_its_artifact(lineage)));
        self.put(key, Slot { last: seq, issued: Issued::NONE, open });
        before
    }

    /// Notes that the artifact of a lineage is moved out, or that it stays after all. What was consumed already goes on.
    pub(super) fn set_moved(&mut self, key: &OpKey, moved: bool) {
        if let Some(open) = self.slots.get_mut(key).and_then(|slot| slot.open.as_mut()) {
            open.moved = moved && open.lineage.stage == Stage::Issued;
        }
    }

    /// Closes each lineage by whose artifact something could still be consumed and whose artifact was not there when it was
    /// replayed.
    pub(super) fn close_moved(&mut self) {
        for slot in self.slots.values_mut() {
            slot.open.take_if(|open| open.lineage.stage == Stage::Issued && open.terms.is_none());
        }
    }

    /// Notes a lineage that others continue or nobody does; returns the entry of the event before.
    pub(super) fn noted_after(&mut self, key: OpKey, seq: u64) -> Option<u64> {
        let before = self.last(&key);
        self.noted(key, seq);
        before
    }

    fn noted(&mut self, key: OpKey, seq: u64) {
        self.put(key, Slot { last: seq, issued: Issued::NONE, open: None });
    }

    fn put(&mut self, key: OpKey, slot: Slot) {
        self.running += usize::from(slot.runs());
        let before = self.slots.insert(key, slot);
        self.running -= usize::from(before.is_some_and(|before| before.runs()));
    }

    fn place_of(&mut self, issuer: &str) -> usize {
        self.issuers.iter().position(|known| known == issuer).unwrap_or_else(|| {
            self.issuers.push(issuer.to_owned());
            self.issuers.len() - 1
        })
    }
}

impl Slot {
    /// The point that began its operation, which nobody closed.
    fn point(&self) -> Option<&str> {
        self.open.as_ref()?.lineage.point.as_deref()
    }

    /// Whether its operation was admitted and has not ended.
    fn runs(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.lineage.stage != Stage::Issued)
    }
}

impl Issued {
    /// Of a lineage that no artifact began.
    const NONE: Self = Self(0);
    /// How many bits the place has.
    const PLACE: u32 = 24;
    const PLACES: u64 = 1 << Self::PLACE;

    /// By the issuer whose name has this place, until `exp`. What the protocol writes as a time is well within forty bits of seconds.
    fn new(place: usize, exp: Time) -> Self {
        let place = u64::try_from(place + 1).ok().filter(|place| *place < Self::PLACES).unwrap_or(0);
        let exp = u64::try_from(exp.0 / 1000).unwrap_or(0);
        Self(exp << Self::PLACE | place)
    }

    /// The place of the issuer's name.
    fn place(self) -> Option<usize> {
        usize::try_from((self.0 % Self::PLACES).checked_sub(1)?).ok()
    }

    /// The artifact's `exp`.
    fn exp(self) -> Time {
        Time(0).plus_seconds(i64::try_from(self.0 >> Self::PLACE).unwrap_or(i64::MAX))
    }
}

impl Open {
    /// One that is held against its own events alone.
    const fn past_its_artifact(lineage: Lineage) -> Self {
        Self { lineage, terms: None, moved: false }
    }
}

impl Terms {
    fn of(artifact: &Artifact) -> Self {
        let parent = artifact.parent.as_ref();
        Self {
            nonce: artifact.usage.nonce().into(),
            single: artifact.usage.mode() == UseMode::Single,
            // What a rate artifact may do is a matter of time, which its point has counted.
            max: if artifact.usage.mode() == UseMode::Bounded { artifact.usage.max() } else { None },
            ancestors: parent.map(|parent| parent.ancestors.clone()).unwrap_or_default(),
        }
    }

    fn judge(&self, nonce: Option<&str>, k: Option<u64>) -> Result<(), Refusal> {
        if nonce != Some(self.nonce.as_str()) || self.single != k.is_none() {
            return Err(Refusal::Use);
        }
        match (k, self.max) {
            (Some(k), Some(max)) if k > max => Err(Refusal::UseOrder),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
