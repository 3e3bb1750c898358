//! Content that was moved out, and whether it might be: from the entries alone, which are all here.

use crate::retention::{Life, ends_some_day};
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::registry::history::Moment;
use eleven_core::registry::retention::{Hold, Retention};
use eleven_core::registry::{ApprovedInterface, Lists};
use eleven_core::time::Time;
use std::collections::{BTreeMap, HashMap};

#[cfg(test)]
mod tests;

/// What a replay met of it and has not been judged.
#[derive(Default)]
pub(super) struct MovedOut {
    lineages: HashMap<String, Lineage>,
    /// The first entry whose content is kept for good, and is gone.
    kept_for_good: Option<u64>,
    /// The holds that are placed, each since when.
    holds: HashMap<Hold, Time>,
}

/// A lineage of which content is gone.
struct Lineage {
    /// The first entry that lacks some.
    seq: u64,
    life: Life,
}

impl MovedOut {
    /// Takes the next entry; `moved` where content of it is gone.
    pub(super) fn note(&mut self, Moment { seq, at }: Moment, record: &Record, moved: bool) {
        if record.event == "interface.approved" {
            self.note_hold(at, record);
        }
        if !moved && self.lineages.is_empty() {
            return;
        }
        let Some(content) = ends_some_day(record) else {
            if moved {
                self.kept_for_good.get_or_insert(seq);
            }
            return;
        };
        if moved {
            let new = || Lineage { seq, life: Life::new(at) };
            self.lineages.entry(content.clone()).or_insert_with(new);
        }
        if let Some(lineage) = self.lineages.get_mut(&content) {
            lineage.life.take(at, record);
        }
    }

    fn note_hold(&mut self, at: Time, record: &Record) {
        let approved = ApprovedInterface::read(Value::Object(record.data.clone()));
        match approved.ok().and_then(|approved| Hold::of(&approved.record)) {
            Some((hold, true)) => drop(self.holds.insert(hold, at)),
            Some((hold, false)) => drop(self.holds.remove(&hold)),
            None => {}
        }
    }

    /// Judges what is gone by the shortest retention that was ever set, at `now`, and forgets what might be: a lineage
    /// that ended, and is kept no more, by no hold that was placed while it was.
    ///
    /// # Errors
    /// The first entry whose content may not be gone, and why.
    pub(super) fn judge(&mut self, lists: &Lists, now: Time) -> Result<(), (u64, String)> {
        let shortest = Retention::shortest(lists);
        let mut wrong: BTreeMap<u64, String> = BTreeMap::new();
        if let Some(seq) = self.kept_for_good {
            wrong.insert(seq, "its content was moved out, and is to be kept for good".to_owned());
        }
        for (content, lineage) in &self.lineages {
            if let Some(why) = self.kept(shortest.as_ref(), content, &lineage.life, now) {
                wrong.insert(lineage.seq, format!("its content was moved out, and {why}"));
            }
        }
        match wrong.pop_first() {
            Some(wrong) => Err(wrong),
            None => {
                self.lineages.clear();
                Ok(())
            }
        }
    }

    /// Why the content of a lineage is to be here.
    fn kept(&self, shortest: Option<&Retention>, content: &str, life: &Life, now: Time) -> Option<String> {
        let Some(retention) = shortest else {
            return Some("the domain has set no retention: all of it is to be kept".to_owned());
        };
        let ends = retention.ends(life.last);
        if life.running > 0 {
            return Some("an operation under it is not closed".to_owned());
        }
        if ends > now {
            return Some(format!("the retention keeps it until {ends}"));
        }
        let since =
            life.holds(content).filter_map(|hold| self.holds.get(&hold)).min().filter(|since| **since < ends)?;
        Some(format!("it has been held since {since}, when it was not past its retention"))
    }
}
